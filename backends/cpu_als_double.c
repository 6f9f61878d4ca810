/* Rows that float cannot resolve, solved in double.
 *
 * The matrix A of a row, its elements summed up in float from terms as large as a, is wrong by
 * about eps a. Solved with it, the row's objective misses its minimum by about (eps a)^2 |p|^2 / l,
 * where l is the smallest eigenvalue, lambda or more. Beside the minimum, which is lambda |p|^2 at
 * least, that is little while lambda is well above eps a (cpu_als.c has the test). Other rows come
 * here: the products of factors are exact in double, and eps is 2^-53.
 *
 * Where lambda is invisible even then, or 0, the pivots of the decomposition decide: large ones
 * prove that A is regular; else it is decomposed once more with pivoting, which leaves out
 * directions that the cells say nothing about (cpu_small.c).
 *
 * What is stored is float. Unknowns are rounded while they are solved for, so that those solved
 * later make up for it, and the bias is that of the factors as stored. */
#include "cpu_als.h"

#include <math.h>
#include <string.h>

/* Of the largest element of the diagonal: what a lambda or a pivot has to be. */
static const double visible_lambda = 1e-11;
static const double safe_pivot = 1e-9;

/* magnitude[f], the terms that make up element f of the diagonal, and the largest of them: the base
 * and the result, since what is taken off the base is no more than that. */
static void measure_diagonal(pqf_cpu_system *s)
{
  const pqf_training *t = s->t;
  pqf_cpu_double_worker *w = &s->worker->wide;
  const int has_base = t->problem.objective != PQF_OBJECTIVE_OBSERVED;
  s->largest = 0;
  for (int64_t f = 0; f < t->k; f++) {
    const double sum = w->matrix[f * t->stride + f];
    const double base = has_base ? t->base_in_double[f * t->stride + f] : 0;
    w->magnitude[f] = (base > sum ? base : sum) + s->lambda;
    s->largest = fmax(s->largest, w->magnitude[f]);
  }
}

static void build(pqf_cpu_system *s)
{
  pqf_training *t = s->t;
  pqf_cpu_double_worker *w = &s->worker->wide;
  const int64_t d = t->stride;
  const pqf_cpu_double_panel panel = {w->right, w->left, w->vector_sum, w->right_side};
  const double *from = t->problem.objective == PQF_OBJECTIVE_OBSERVED ? NULL : t->base_in_double;
  double scale_sum = 0;
  s->target_sum = 0;
  memset(w->right_side, 0, (size_t)d * sizeof *w->right_side);
  memset(w->vector_sum, 0, (size_t)d * sizeof *w->vector_sum);
  for (int64_t first = 0; first < s->cells.count; first += CELLS_PER_DOUBLE_PANEL) {
    const int64_t left = s->cells.count - first;
    const int64_t count = left < CELLS_PER_DOUBLE_PANEL ? left : CELLS_PER_DOUBLE_PANEL;
    pqf_cpu_double_cell_terms(s, first, count);
    for (int64_t n = 0; n < count; n++) {
      scale_sum += w->scale[n];
      s->target_sum += w->target[n];
    }
    t->double_solver->gather_panel(&panel, count, left - count, s->cells.index + first, w->scale,
                                   w->target, t->factors[1 - s->side][t->current], d);
    if (s->needs_update)
      t->double_solver->rank_update(w->matrix, from, d, w->left, w->right, count);
    from = w->matrix;
  }
  s->bias_pivot = scale_sum > 0 ? scale_sum + s->bias_lambda : 0; /* 0: nothing is known */
  if (!s->needs_update)
    return;
  measure_diagonal(s);
  for (int64_t f = 0; f < d; f++) /* pads: x = 0 */
    w->matrix[f * d + f] = f < t->k ? w->matrix[f * d + f] + s->lambda : s->largest;
}

/* Eliminates the bias, if there is one. */
static void eliminate_bias(const pqf_cpu_system *s)
{
  const pqf_training *t = s->t;
  pqf_cpu_double_worker *w = &s->worker->wide;
  if (!t->problem.has_bias[s->side] || !(s->bias_pivot > 0))
    return;
  t->double_solver->rank_one(w->matrix, t->stride, 1 / s->bias_pivot, w->vector_sum);
  for (int64_t f = 0; f < t->k; f++)
    w->right_side[f] -= w->vector_sum[f] * s->target_sum / s->bias_pivot;
}

static void finish(const pqf_cpu_system *s, const double *x)
{
  pqf_training *t = s->t;
  float *own = t->factors[s->side][t->current] + s->row * t->stride;
  double along = 0;
  for (int64_t f = 0; f < t->k; f++) {
    own[f] = (float)x[f];
    along += s->worker->wide.vector_sum[f] * (double)own[f];
  }
  if (t->problem.has_bias[s->side])
    t->bias[s->side][s->row] =
        s->bias_pivot > 0 ? (float)((s->target_sum - along) / s->bias_pivot) : 0;
}

int pqf_cpu_pivots_are_above(const double *inverse, int64_t k, double limit)
{
  double most = 0;
  for (int64_t f = 0; f < k; f++)
    most = fmax(most, inverse[f]);
  return most * most * limit < 1;
}

/* What a decomposition proves. */
static int is_regular(const pqf_training *t, const double *inverse, double lambda, double largest)
{
  return lambda >= visible_lambda * largest ||
         pqf_cpu_pivots_are_above(inverse, t->k, safe_pivot * largest);
}

/* By Cholesky's decomposition; 0 where its pivots do not prove that the matrix is regular. */
static int solve_regular(const pqf_cpu_system *s)
{
  const pqf_training *t = s->t;
  const pqf_cpu_double_solver *solver = t->double_solver;
  pqf_cpu_double_worker *w = &s->worker->wide;
  if (!solver->factor(w->matrix, t->stride, w->inverse, w->right_side) ||
      !is_regular(t, w->inverse, s->lambda, s->largest))
    return 0;
  solver->solve_upper_rounded(w->matrix, t->stride, w->inverse, w->right_side, w->x);
  return 1;
}

void pqf_cpu_solve_in_double(pqf_cpu_system *s)
{
  const pqf_training *t = s->t;
  pqf_cpu_double_worker *w = &s->worker->wide;
  if (pqf_cpu_solve_dual_in_double(s))
    return;
  build(s);
  if (!s->needs_update) {
    t->double_solver->solve_lower(t->base_in_double, t->stride, t->base_inverse_in_double,
                                  w->right_side);
    t->double_solver->solve_upper_rounded(t->base_in_double, t->stride, t->base_inverse_in_double,
                                          w->right_side, w->x);
  } else {
    eliminate_bias(s);
    if (!solve_regular(s)) {
      build(s);
      eliminate_bias(s);
      pqf_cpu_solve_semidefinite(w, t->stride, t->k);
    }
  }
  finish(s, w->x);
}

void pqf_cpu_solve_nonnegative_row(pqf_cpu_system *s)
{
  build(s);
  eliminate_bias(s);
  pqf_cpu_solve_nonnegative(&s->worker->wide, s->t->stride, s->t->k);
  finish(s, s->worker->wide.x);
}

int pqf_cpu_decompose_base_in_double(pqf_training *t, double lambda)
{
  pqf_cpu_double_worker *w = &t->worker[0].wide;
  const int64_t d = t->stride;
  const double largest = t->base_diagonal + lambda;
  memcpy(w->matrix, t->base_in_double, (size_t)(d * d) * sizeof *w->matrix);
  for (int64_t f = 0; f < d; f++)
    w->matrix[f * d + f] = f < t->k ? w->matrix[f * d + f] + lambda : largest;
  if (!t->double_solver->factor(w->matrix, d, t->base_inverse_in_double, w->right_side) ||
      !is_regular(t, t->base_inverse_in_double, lambda, largest))
    return 0;
  memcpy(t->base_in_double, w->matrix, (size_t)(d * d) * sizeof *w->matrix);
  return 1;
}
