/* A row with fewer cells than factors, solved in the space of its cells (observed cells alone).
 *
 * Let X have a row s q' per cell and y an element s e, with s the square root of its weight. Then
 *
 *     (X'X + l I)^-1 X'y = X'(XX' + l I)^-1 y,
 *
 * and the right side's system has as many unknowns as there are cells (Saunders, Gammerman and Vovk
 * 1998). The bias is one more column of X: c s with c the square root of l / l_b, which adds
 * l / l_b s s' to the matrix. With a the solution,
 *
 *     (XX' + l / l_b s s' + l I) a = y;      p = X'a,  b = l / l_b s'a
 *
 * The residual of a cell is l a. A matrix that is wrong by eps m, m its largest element, makes the
 * objective miss its minimum by about (eps m / l)^2 of the squared residuals: float will do where l
 * is well above eps m, with a bias that is nearly free included in m (cpu_als.c has the test).
 *
 * Without l (0, or invisible in double) the solution with the least |p| fits every cell, as long as
 * the matrix is regular; the bias is then left out if its own lambda is not 0. */
#include "cpu_als.h"

#include <math.h>
#include <string.h>

enum { MOST_CELLS = 512 };

/* Of the largest element of the diagonal, in double: what lambda, or else a pivot, has to be. */
static const double visible_lambda = 1e-11;
static const double safe_pivot = 1e-8;

static int64_t padded(int64_t cells)
{
  return (cells + PQF_CPU_PADDING - 1) / PQF_CPU_PADDING * PQF_CPU_PADDING;
}

static int is_possible(const pqf_training *t)
{
  const pqf_problem *problem = &t->problem;
  return problem->objective == PQF_OBJECTIVE_OBSERVED && !problem->nonnegative &&
         problem->conjugate_gradient_steps == 0;
}

int64_t pqf_cpu_dual_cells(const pqf_training *t, int side)
{
  const pqf_problem *problem = &t->problem;
  if (!is_possible(t) || !(problem->regularization > 0) ||
      (problem->has_bias[side] && !(problem->bias_regularization > 0)))
    return 0;
  const int64_t cells = t->k * 3 / 4; /* beyond, the products for XX' cost more than X'X */
  return cells < MOST_CELLS ? cells : MOST_CELLS;
}

int64_t pqf_cpu_dual_capacity(const pqf_training *t)
{
  const int64_t rows = t->dual_cells[PQF_ROWS];
  const int64_t cols = t->dual_cells[PQF_COLS];
  return padded(rows > cols ? rows : cols);
}

/* Singular systems are solved here for as many cells as there are factors. */
static int64_t most_double_cells(const pqf_training *t)
{
  return !is_possible(t) ? 0 : t->k < MOST_CELLS ? t->k : MOST_CELLS;
}

int64_t pqf_cpu_double_dual_capacity(const pqf_training *t)
{
  return padded(most_double_cells(t));
}

int pqf_cpu_solve_dual(const pqf_cpu_system *s)
{
  pqf_training *t = s->t;
  pqf_cpu_worker *w = s->worker;
  const int64_t count = s->cells.count;
  const int64_t d = padded(count);
  const float *factors = t->factors[1 - s->side][t->current];
  const int has_bias = t->problem.has_bias[s->side];
  const double ratio = has_bias ? s->lambda / s->bias_lambda : 0;
  pqf_cpu_cell_terms(s, 0, count);
  for (int64_t n = 0; n < d; n++) {
    const float root = n < count ? sqrtf(w->scale[n]) : 0;
    w->right_side[n] = root > 0 ? w->target[n] / root : 0;
    w->scale[n] = root;
  }
  t->solver->gather_transposed(count, s->cells.index, w->scale, factors, t->stride, w->left, d);
  t->solver->rank_update(w->matrix, NULL, d, w->left, w->left, t->k);
  if (has_bias)
    t->solver->rank_one(w->matrix, d, (float)-ratio, w->scale);
  for (int64_t n = 0; n < d; n++)
    w->matrix[n * d + n] += (float)s->lambda;
  if (!t->solver->factor(w->matrix, d, w->inverse, w->right_side))
    return 0;
  t->solver->solve_upper(w->matrix, d, w->inverse, w->right_side, w->x);
  double sum = 0;
  for (int64_t n = 0; n < count; n++) {
    w->target[n] = w->x[n] * w->scale[n];
    sum += (double)w->target[n];
  }
  if (!isfinite(sum))
    return 0;
  const pqf_cpu_cells terms = {.count = count, .index = s->cells.index, .value = w->target};
  t->kernels->gather(&terms, factors, t->stride,
                     t->factors[s->side][t->current] + s->row * t->stride);
  if (has_bias)
    t->bias[s->side][s->row] = (float)(ratio * sum);
  return 1;
}

/* Row f of worker->wide.left becomes s q_f of all cells, `scale` their s and `right_side` their y.
 */
static void gather_in_double(const pqf_cpu_system *s, int64_t d)
{
  pqf_training *t = s->t;
  pqf_cpu_double_worker *w = &s->worker->wide;
  const float *factors = t->factors[1 - s->side][t->current];
  pqf_cpu_double_cell_terms(s, 0, s->cells.count);
  for (int64_t n = 0; n < d; n++) {
    const double root = n < s->cells.count ? sqrt(w->scale[n]) : 0;
    w->right_side[n] = root > 0 ? w->target[n] / root : 0;
    w->scale[n] = root;
  }
  for (int64_t first = 0; first < d; first += PQF_CPU_PADDING)
    for (int64_t f = 0; f < t->k; f++)
      for (int64_t n = first; n < first + PQF_CPU_PADDING; n++)
        w->left[f * d + n] = n < s->cells.count
                                 ? w->scale[n] * (double)factors[s->cells.index[n] * t->stride + f]
                                 : 0;
}

/* Of XX' + ratio s s'. */
static double largest_diagonal(const pqf_cpu_system *s, int64_t d, double ratio)
{
  const pqf_cpu_double_worker *w = &s->worker->wide;
  double largest = 0;
  for (int64_t n = 0; n < d; n++)
    w->x[n] = ratio * w->scale[n] * w->scale[n];
  for (int64_t f = 0; f < s->t->k; f++)
    for (int64_t n = 0; n < d; n++)
      w->x[n] += w->left[f * d + n] * w->left[f * d + n];
  for (int64_t n = 0; n < d; n++)
    largest = fmax(largest, w->x[n]);
  return largest;
}

/* Stores p = X'a and the bias; 0 where a is not finite. */
static int finish_dual(const pqf_cpu_system *s, int64_t d, double ratio)
{
  pqf_training *t = s->t;
  const pqf_cpu_double_worker *w = &s->worker->wide;
  float *own = t->factors[s->side][t->current] + s->row * t->stride;
  double along = 0;
  for (int64_t n = 0; n < s->cells.count; n++)
    along += w->scale[n] * w->x[n];
  if (!isfinite(along))
    return 0;
  for (int64_t f = 0; f < t->k; f++) {
    double sum = 0;
    for (int64_t n = 0; n < d; n++)
      sum += w->left[f * d + n] * w->x[n];
    own[f] = (float)sum;
  }
  if (t->problem.has_bias[s->side])
    t->bias[s->side][s->row] = (float)(ratio * along);
  return 1;
}

/* l / l_b. Where both are 0 any will do, and |q|^2 keeps to the unit of the factors; where l_b is 0
 * alone there is none, and -1 is returned. */
static double bias_ratio(const pqf_cpu_system *s)
{
  const float *square = s->t->square[1 - s->side];
  double largest = 0;
  if (!s->t->problem.has_bias[s->side])
    return 0;
  if (s->bias_lambda > 0)
    return s->lambda / s->bias_lambda;
  for (int64_t n = 0; n < s->cells.count; n++)
    largest = fmax(largest, (double)square[s->cells.index[n]]);
  return s->lambda > 0 ? -1 : largest;
}

int pqf_cpu_solve_dual_in_double(const pqf_cpu_system *s)
{
  pqf_training *t = s->t;
  pqf_cpu_double_worker *w = &s->worker->wide;
  const int64_t count = s->cells.count;
  const int64_t d = padded(count);
  const double ratio = bias_ratio(s);
  if (count > most_double_cells(t) || ratio < 0)
    return 0;
  gather_in_double(s, d);
  const double largest = largest_diagonal(s, d, ratio);
  const int is_visible = s->lambda >= visible_lambda * largest && s->lambda > 0;
  if (is_visible && count > t->dual_cells[s->side])
    return 0; /* as regular with as many unknowns as factors, which takes fewer operations */
  t->double_solver->rank_update(w->matrix, NULL, d, w->left, w->left, t->k);
  if (ratio > 0)
    t->double_solver->rank_one(w->matrix, d, -ratio, w->scale);
  for (int64_t n = 0; n < d; n++) /* pads and cells of no weight stand for themselves */
    w->matrix[n * d + n] += w->scale[n] > 0 ? s->lambda : largest;
  if (!t->double_solver->factor(w->matrix, d, w->inverse, w->right_side) ||
      !(is_visible || pqf_cpu_pivots_are_above(w->inverse, count, safe_pivot * largest)))
    return 0;
  t->double_solver->solve_upper(w->matrix, d, w->inverse, w->right_side, w->x);
  return finish_dual(s, d, ratio);
}
