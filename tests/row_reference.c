/* The row's objective |A x - b|^2 has a row of A per term, sqrt(w) z with b = sqrt(w) t, and a row
 * per unknown, sqrt(lambda) e. Householder's QR decomposition with column pivoting, in long double,
 * leaves the minimum as the squares of what Q'b has below R. */
#include "row_reference.h"

#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct equations {
  int64_t unknowns;
  int64_t count;
  int64_t capacity;
  long double *a; /* by columns, `capacity` apart */
  long double *b;
} equations;

/* sqrt(weight) (z.x - target) = 0; z has all unknowns. */
static void add_equation(equations *e, double weight, double target, const double *z)
{
  const long double root = sqrtl((long double)weight);
  if (weight == 0)
    return;
  for (int64_t f = 0; f < e->unknowns; ++f)
    e->a[f * e->capacity + e->count] = root * (long double)z[f];
  e->b[e->count++] = root * (long double)target;
}

static long double square_below(const equations *e, int64_t column, int64_t first)
{
  long double sum = 0;
  for (int64_t n = first; n < e->count; ++n)
    sum += e->a[column * e->capacity + n] * e->a[column * e->capacity + n];
  return sum;
}

static void exchange_columns(equations *e, int64_t one, int64_t other)
{
  for (int64_t n = 0; one != other && n < e->count; ++n) {
    const long double keep = e->a[one * e->capacity + n];
    e->a[one * e->capacity + n] = e->a[other * e->capacity + n];
    e->a[other * e->capacity + n] = keep;
  }
}

/* Reflects column `step` onto its element `step`, and the columns behind it and b likewise. */
static void reflect(equations *e, int64_t step, long double norm)
{
  long double *v = e->a + step * e->capacity;
  v[step] += v[step] > 0 ? norm : -norm;
  const long double half = fabsl(v[step]) * norm; /* |v|^2 / 2 */
  for (int64_t column = step + 1; column <= e->unknowns; ++column) {
    long double *x = column < e->unknowns ? e->a + column * e->capacity : e->b;
    long double along = 0;
    for (int64_t n = step; n < e->count; ++n)
      along += v[n] * x[n];
    along /= half;
    for (int64_t n = step; n < e->count; ++n)
      x[n] -= along * v[n];
  }
}

/* Directions smaller than this part of the largest are what double cannot tell from none. */
static const long double rank_limit = 1e-14L;

/* Back substitution with R, whose diagonal is kept apart: x in the order of the unknowns. */
static void solve(const equations *e, int64_t rank, const long double *diagonal,
                  const int32_t *order, double *x)
{
  for (int64_t f = 0; f < e->unknowns; ++f)
    x[f] = 0;
  for (int64_t n = rank - 1; n >= 0; --n) {
    long double sum = e->b[n];
    for (int64_t later = n + 1; later < rank; ++later)
      sum -= e->a[later * e->capacity + n] * (long double)x[order[later]];
    x[order[n]] = (double)(sum / diagonal[n]);
  }
}

/* The minimum, and where it is. */
static double minimize(equations *e, double *x)
{
  long double *diagonal = test_allocate(e->unknowns, sizeof *diagonal);
  int32_t *order = test_allocate(e->unknowns, sizeof *order);
  int64_t rank = 0;
  long double sum = 0;
  for (int32_t f = 0; f < e->unknowns; ++f)
    order[f] = f;
  for (; rank < e->unknowns && rank < e->count; ++rank) {
    int64_t best = rank;
    long double best_square = square_below(e, rank, rank);
    for (int64_t column = rank + 1; column < e->unknowns; ++column) {
      const long double square = square_below(e, column, rank);
      if (square > best_square) {
        best = column;
        best_square = square;
      }
    }
    if (!(sqrtl(best_square) > (rank == 0 ? 0 : rank_limit * fabsl(diagonal[0]))))
      break;
    const int32_t keep = order[rank];
    order[rank] = order[best];
    order[best] = keep;
    exchange_columns(e, rank, best);
    diagonal[rank] = e->a[rank * e->capacity + rank] > 0 ? -sqrtl(best_square) : sqrtl(best_square);
    reflect(e, rank, sqrtl(best_square));
  }
  solve(e, rank, diagonal, order, x);
  for (int64_t n = rank; n < e->count; ++n)
    sum += e->b[n] * e->b[n];
  free(diagonal);
  free(order);
  return (double)sum;
}

/* The objective at x rounded to float. */
static double rounded_objective(const equations *e, const double *x)
{
  long double sum = 0;
  for (int64_t n = 0; n < e->count; ++n) {
    long double residual = -e->b[n];
    for (int64_t f = 0; f < e->unknowns; ++f)
      residual += e->a[f * e->capacity + n] * (long double)(float)x[f];
    sum += residual * residual;
  }
  return (double)sum;
}

static void allocate(equations *e, int64_t unknowns, int64_t capacity)
{
  *e = (equations){.unknowns = unknowns, .capacity = capacity};
  e->a = test_allocate(unknowns * capacity, sizeof *e->a);
  e->b = test_allocate(capacity, sizeof *e->b);
}

/* The terms of all cells. */
static void add_cells(equations *e, row_fit *fit, const als_problem *problem,
                      const als_state *state, int side, int64_t own)
{
  const int64_t k = problem->factors;
  const double *p = state->factors[side] + own * k;
  const int64_t others = side == PQF_ROWS ? problem->cols : problem->rows;
  double *z = test_allocate(e->unknowns, sizeof *z);
  double *diagonal = test_allocate(k, sizeof *diagonal);
  for (int64_t other = 0; other < others; ++other) {
    const int64_t row = side == PQF_ROWS ? own : other;
    const int64_t col = side == PQF_ROWS ? other : own;
    als_term terms[2] = {{0, 0}, {0, 0}};
    const int count = als_terms(problem, row, col, terms);
    long double prediction = (long double)state->bias[side][own];
    for (int64_t f = 0; f < k; ++f) {
      z[f] = state->factors[1 - side][other * k + f];
      prediction += (long double)p[f] * (long double)z[f];
    }
    if (e->unknowns > k)
      z[k] = 1;
    fit->cells += problem->weight[row * problem->cols + col] >= 0;
    for (int t = 0; t < count; ++t) {
      const double target = terms[t].target - state->bias[1 - side][other];
      const long double residual = (long double)target - prediction;
      add_equation(e, terms[t].weight, target, z);
      fit->square_sum += terms[t].weight * target * target;
      fit->reached += (double)((long double)terms[t].weight * residual * residual);
      for (int64_t f = 0; f < k; ++f)
        diagonal[f] += terms[t].weight * z[f] * z[f];
    }
  }
  for (int64_t f = 0; f < k; ++f)
    fit->largest_diagonal = fmax(fit->largest_diagonal, diagonal[f]);
  free(z);
  free(diagonal);
}

row_fit row_fit_measure(const als_problem *problem, const als_state *state, int side, int64_t own)
{
  const int64_t k = problem->factors;
  const int64_t unknowns = k + als_has_bias(problem, side);
  const int64_t others = side == PQF_ROWS ? problem->cols : problem->rows;
  const double scale = als_row_scale(problem, side, own);
  row_fit fit = {.lambda = scale * problem->lambda};
  double *unit = test_allocate(unknowns, sizeof *unit);
  equations e;
  equations reduced;
  allocate(&e, unknowns, 2 * others + unknowns);
  allocate(&reduced, unknowns, 2 * others + unknowns);
  add_cells(&e, &fit, problem, state, side, own);
  for (int64_t f = 0; f < unknowns; ++f) {
    const double lambda = f < k ? fit.lambda : scale * als_bias_lambda(problem);
    const double x = f < k ? state->factors[side][own * k + f] : state->bias[side][own];
    unit[f] = 1;
    add_equation(&e, lambda, 0, unit);
    unit[f] = 0;
    fit.reached += lambda * x * x;
  }
  reduced.count = e.count;
  memcpy(reduced.a, e.a, (size_t)(unknowns * e.capacity) * sizeof *e.a);
  memcpy(reduced.b, e.b, (size_t)e.capacity * sizeof *e.b);
  fit.minimum = minimize(&reduced, unit);
  fit.rounded = rounded_objective(&e, unit);
  free(unit);
  free(e.a);
  free(e.b);
  free(reduced.a);
  free(reduced.b);
  return fit;
}

double row_fit_excess(const als_problem *problem, const row_fit *fit)
{
  const int64_t k = problem->factors;
  const int interpolates = problem->options->objective == PQF_OBJECTIVE_OBSERVED &&
                           fit->cells >= k - 4 && fit->cells <= k + 4 &&
                           fit->minimum < 1e-4 * fit->square_sum;
  const int is_large = !(fit->lambda >= 1e-11 * fit->largest_diagonal);
  const double part = is_large ? 1e-7 : interpolates ? 1e-8 : 1e-10;
  const double bar = 1e-4 * fit->minimum + part * fit->square_sum;
  const double excess = fit->reached - (is_large ? fmax(fit->rounded, fit->minimum) : fit->minimum);
  return excess <= 0 ? 0 : excess / bar;
}
