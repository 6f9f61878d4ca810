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
 * A bias that is nearly free would drown XX' in that term: such rows are left to cpu_als.c. */
#include "cpu_als.h"

#include <math.h>
#include <string.h>

enum { MOST_CELLS = 512 };
static const double largest_ratio = 16; /* of l to l_b */

static int64_t padded(int64_t cells)
{
  return (cells + PQF_CPU_PADDING - 1) / PQF_CPU_PADDING * PQF_CPU_PADDING;
}

int64_t pqf_cpu_dual_cells(const pqf_training *t, int side)
{
  const pqf_problem *problem = &t->problem;
  const int bias_is_nearly_free =
      problem->has_bias[side] &&
      !(problem->bias_regularization * largest_ratio >= problem->regularization);
  if (problem->objective != PQF_OBJECTIVE_OBSERVED || problem->nonnegative ||
      problem->conjugate_gradient_steps > 0 || !(problem->regularization > 0) ||
      bias_is_nearly_free)
    return 0;
  const int64_t cells = t->k * 3 / 4; /* beyond, the products for XX' cost more than X'X */
  return cells < MOST_CELLS ? cells : MOST_CELLS;
}

int64_t pqf_cpu_dual_room(const pqf_training *t)
{
  const int64_t rows = t->dual_cells[PQF_ROWS];
  const int64_t cols = t->dual_cells[PQF_COLS];
  return padded(rows > cols ? rows : cols);
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
  const pqf_cpu_cells terms = {.count = count, .index = s->cells.index, .value = w->target};
  t->kernels->gather(&terms, factors, t->stride,
                     t->factors[s->side][t->current] + s->row * t->stride);
  if (has_bias)
    t->bias[s->side][s->row] = (float)(ratio * sum);
  return 1;
}
