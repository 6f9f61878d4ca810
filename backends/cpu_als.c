/* Alternating least squares: one small system per row of the side that is solved.
 *
 * For a row u with cells (i, r, weight w), q_i the other side's factors and b its bias, the system
 * is A p = y with
 *
 *     observed   A = sum w q q' + l I                      y = sum w e q,  e = r - mu - c_i - b
 *     squared    A = Q'Q + sum (w - 1) q q' + l I          y = sum w r q
 *     implicit   A = a0 Q'Q + sum (c - a0) q q' + l I      y = sum c q,    c = w (1 + alpha r)
 *
 * (implicit with zeros charged to all cells: c in the place of c - a0), l = lambda (n + offset)^s.
 * A bias is one more column whose factor is 1, eliminated first: with W = sum w, v = sum w q,
 * t = sum w e and the pivot h = W + l_b,
 *
 *     (A - v v' / h) p = y - v t / h;      b = (t - v.p) / h
 *
 * Rows are independent: they are dealt out the longest first, long ones alone, others in groups, so
 * that no thread is left with much when the others have ended. A system that is not
 * positive definite in float (a lambda of 0, say) is solved again in double, leaving out directions
 * that the ratings say nothing about. */
#include "cpu_als.h"

#include <math.h>
#include <string.h>

enum { ROWS_PER_GROUP = 16, LONG_ROW = 2048 }; /* in cells, a power of 2 */

typedef struct sweep_work {
  pqf_training *t;
  int side;
  int64_t first;
  int64_t count;
  int64_t alone; /* rows at the beginning that are groups of their own */
  int factored;  /* base holds the factor of a matrix that all rows share */
} sweep_work;

double pqf_cpu_row_scale(const pqf_training *t, int side, int64_t cells)
{
  const double s = t->problem.scaling_exponent;
  return s == 0 ? 1 : pow((double)cells + t->problem.scaling_offset[side], s);
}

void pqf_cpu_cell_terms(const pqf_cpu_system *s, int64_t first, int64_t count)
{
  const pqf_problem *problem = &s->t->problem;
  const float *value = s->cells.value + first;
  const float *weight = s->cells.weight != NULL ? s->cells.weight + first : NULL;
  float *scale = s->worker->scale;
  float *target = s->worker->target;
  if (problem->objective == PQF_OBJECTIVE_OBSERVED) {
    const float *bias = s->t->bias[1 - s->side];
    const int32_t *index = s->cells.index + first;
    const float mean = (float)problem->mean;
    for (int64_t n = 0; n < count; n++) {
      scale[n] = 1;
      target[n] = (value[n] - mean) - bias[index[n]];
    }
    if (weight != NULL)
      for (int64_t n = 0; n < count; n++) {
        scale[n] = weight[n];
        target[n] *= weight[n];
      }
  } else if (problem->objective == PQF_OBJECTIVE_SQUARED) {
    for (int64_t n = 0; n < count; n++) {
      const float w = weight != NULL ? weight[n] : 1;
      scale[n] = w - 1;
      target[n] = w * value[n];
    }
  } else {
    const double taken = problem->implicit_zeros == PQF_ZEROS_ALL ? 0 : problem->unobserved_weight;
    for (int64_t n = 0; n < count; n++) {
      const double w = weight != NULL ? (double)weight[n] : 1;
      const double c = w * (1 + problem->confidence * (double)value[n]);
      scale[n] = (float)(c - taken);
      target[n] = (float)c;
    }
  }
}

/* Four sums at a time, since one would wait for its own last addition. */
static double sum_of(const float *x, int64_t count)
{
  double sum[4] = {0};
  int64_t n = 0;
  for (; n + 4 <= count; n += 4)
    for (int lane = 0; lane < 4; lane++)
      sum[lane] += (double)x[n + lane];
  for (; n < count; n++)
    sum[0] += (double)x[n];
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* Puts the system together: A in worker->matrix, y in worker->right_side. */
static void build_system(pqf_cpu_system *s)
{
  pqf_training *t = s->t;
  pqf_cpu_worker *w = s->worker;
  const int64_t d = t->stride;
  const int has_bias = t->problem.has_bias[s->side];
  const int unit = s->cells.weight == NULL && t->problem.objective == PQF_OBJECTIVE_OBSERVED;
  const float *from = t->problem.objective == PQF_OBJECTIVE_OBSERVED ? NULL : t->base;
  const pqf_cpu_panel panel = {
      .right = w->right,
      .left = unit || !s->needs_update ? w->right : w->left,
      .vector_sum = w->vector_sum,
      .right_side = w->right_side,
  };
  double scale_sum = 0;
  double target_sum = 0;
  memset(w->right_side, 0, (size_t)d * sizeof(float));
  memset(w->vector_sum, 0, (size_t)d * sizeof(float));
  for (int64_t first = 0; first < s->cells.count; first += CELLS_PER_PANEL) {
    const int64_t left = s->cells.count - first;
    const int64_t count = left < CELLS_PER_PANEL ? left : CELLS_PER_PANEL;
    pqf_cpu_cell_terms(s, first, count);
    scale_sum += has_bias ? sum_of(w->scale, count) : 0;
    target_sum += has_bias ? sum_of(w->target, count) : 0;
    t->solver->gather_panel(&panel, count, left - count, s->cells.index + first, w->scale,
                            w->target, t->factors[1 - s->side][t->current], d);
    if (s->needs_update)
      t->solver->rank_update(w->matrix, from, d, panel.left, panel.right, count);
    from = w->matrix;
  }
  if (s->needs_update)
    for (int64_t f = 0; f < d; f++)
      w->matrix[f * d + f] += f < t->k ? (float)s->lambda : 1; /* pads: x = 0 */
  if (has_bias) {
    s->bias_pivot = scale_sum + s->bias_lambda;
    s->target_sum = target_sum;
    const float inverse = s->bias_pivot > 0 ? (float)(1 / s->bias_pivot) : 0;
    t->solver->rank_one(w->matrix, d, inverse, w->vector_sum);
    for (int64_t f = 0; f < t->k; f++)
      w->right_side[f] -= (float)((double)w->vector_sum[f] * target_sum * (double)inverse);
  }
}

static void finish_row(const pqf_cpu_system *s, const float *x)
{
  pqf_training *t = s->t;
  memcpy(t->factors[s->side][t->current] + s->row * t->stride, x,
         (size_t)t->stride * sizeof(float));
  if (t->problem.has_bias[s->side])
    t->bias[s->side][s->row] =
        s->bias_pivot > 0 ? (float)((s->target_sum -
                                     (double)t->solver->dot(s->worker->vector_sum, x, t->stride)) /
                                    s->bias_pivot)
                          : 0;
}

static void clear_row(pqf_training *t, int side, int64_t row)
{
  memset(t->factors[side][t->current] + row * t->stride, 0, (size_t)t->stride * sizeof(float));
  t->bias[side][row] = 0;
}

static void solve_row(const sweep_work *work, int64_t row, pqf_cpu_worker *w)
{
  pqf_training *t = work->t;
  pqf_cpu_system s = {.t = t,
                      .side = work->side,
                      .row = row,
                      .cells =
                          pqf_cpu_cells_of(pqf_cpu_cells_by(t->problem.train, work->side), row),
                      .worker = w};
  if (s.cells.count == 0) {
    clear_row(t, work->side, row);
    return;
  }
  const double row_scale = pqf_cpu_row_scale(t, s.side, s.cells.count);
  s.lambda = row_scale * t->problem.regularization;
  s.bias_lambda = row_scale * t->problem.bias_regularization;
  s.needs_update = !work->factored;
  if (t->problem.conjugate_gradient_steps > 0) {
    pqf_cpu_conjugate_gradient(&s);
    return;
  }
  if (s.cells.count <= t->dual_cells[s.side] && pqf_cpu_solve_dual(&s))
    return;
  build_system(&s);
  if (work->factored) {
    t->solver->solve_lower(t->base, t->stride, t->base_inverse, w->right_side);
    t->solver->solve_upper(t->base, t->stride, t->base_inverse, w->right_side, w->x);
  } else if (t->problem.nonnegative)
    pqf_cpu_solve_nonnegative(w->matrix, t->stride, t->k, w->right_side, w->x);
  else if (t->solver->factor(w->matrix, t->stride, w->inverse, w->right_side)) {
    t->solver->solve_upper(w->matrix, t->stride, w->inverse, w->right_side, w->x);
  } else {
    build_system(&s);
    pqf_cpu_solve_semidefinite(w->matrix, t->stride, t->k, w->right_side, w->x);
  }
  finish_row(&s, w->x);
}

static void solve_group(void *argument, int64_t group, int32_t worker)
{
  const sweep_work *work = argument;
  const int single = group < work->alone;
  const int64_t begin = single ? group : work->alone + (group - work->alone) * ROWS_PER_GROUP;
  const int64_t end = begin + (single ? 1 : ROWS_PER_GROUP);
  for (int64_t n = begin; n < end && n < work->count; n++) {
    const int whole = work->count == work->t->size[work->side];
    solve_row(work, whole ? work->t->order[work->side][n] : work->first + n,
              &work->t->worker[worker]);
  }
}

/* What all rows' matrices have in common: a0 Q'Q, or nothing. For `squared` without weights and
 * with one lambda for all rows it is the whole matrix, and is factored here. */
static int prepare_base(pqf_training *t, int side)
{
  const pqf_problem *problem = &t->problem;
  const int64_t d = t->stride;
  memset(t->base, 0, (size_t)(d * d) * sizeof(float));
  if (problem->objective == PQF_OBJECTIVE_OBSERVED)
    return 0;
  const int other = 1 - side;
  const float *factors = t->factors[other][t->current];
  const double share =
      problem->objective == PQF_OBJECTIVE_IMPLICIT ? problem->unobserved_weight : 1;
  pqf_cpu_gram(t, other, factors, factors, 0, t->gram[other]);
  for (int64_t row = 0; row < t->k; row++)
    for (int64_t col = 0; col < t->k; col++)
      t->base[row * d + col] = (float)(share * t->gram[other][row * t->k + col]);
  if (problem->objective != PQF_OBJECTIVE_SQUARED || problem->train->by_row.weight != NULL ||
      problem->scaling_exponent != 0 || problem->nonnegative ||
      problem->conjugate_gradient_steps > 0)
    return 0;
  for (int64_t f = 0; f < d; f++)
    t->base[f * d + f] += f < t->k ? (float)problem->regularization : 1;
  memcpy(t->worker[0].matrix, t->base, (size_t)(d * d) * sizeof(float));
  if (t->solver->factor(t->worker[0].matrix, d, t->base_inverse, t->worker[0].right_side)) {
    memcpy(t->base, t->worker[0].matrix, (size_t)(d * d) * sizeof(float));
    return 1;
  }
  for (int64_t f = 0; f < d; f++)
    t->base[f * d + f] -= f < t->k ? (float)problem->regularization : 1;
  return 0;
}

/* 0 for 0, else 1 + floor(log2 count). */
static int size_class(int64_t count)
{
  return count == 0 ? 0 : 64 - __builtin_clzll((unsigned long long)count);
}

/* Rows by falling number of cells, so that the longest are not left for the end; counted by powers
 * of two, and within one in their own order. */
static void order_rows(pqf_training *t, int side)
{
  const pqf_cells *cells = pqf_cpu_cells_by(t->problem.train, side);
  int64_t start[65] = {0};
  for (int64_t row = 0; row < t->size[side]; row++)
    start[64 - size_class(cells->offset[row + 1] - cells->offset[row])]++;
  int64_t sum = 0;
  for (int n = 0; n <= 64; n++) {
    if (n == 64 - size_class(LONG_ROW - 1))
      t->long_rows[side] = sum;
    const int64_t rows = start[n];
    start[n] = sum;
    sum += rows;
  }
  for (int64_t row = 0; row < t->size[side]; row++)
    t->order[side][start[64 - size_class(cells->offset[row + 1] - cells->offset[row])]++] =
        (int32_t)row;
}

int pqf_cpu_als_open(pqf_training *t)
{
  const int64_t d = t->stride;
  for (int side = 0; side < 2; side++)
    t->dual_cells[side] = pqf_cpu_dual_cells(t, side);
  const int64_t room = pqf_cpu_dual_room(t);
  const int64_t cells = room > CELLS_PER_PANEL ? room : CELLS_PER_PANEL;
  int complete = 1;
  for (int side = 0; side < 2; side++) {
    t->tile_taken = side == PQF_ROWS
                        ? pqf_cpu_take(t, tile_count(t->size[side]), sizeof(double), &complete)
                        : t->tile_taken;
    t->bias[side] = pqf_cpu_take(t, t->size[side], sizeof(float), &complete);
    t->best_bias[side] = pqf_cpu_take(t, t->size[side], sizeof(float), &complete);
    t->order[side] = pqf_cpu_take(t, t->size[side], sizeof(int32_t), &complete);
    if (t->order[side] != NULL)
      order_rows(t, side);
  }
  t->base = pqf_cpu_take(t, d * d, sizeof(float), &complete);
  t->base_inverse = pqf_cpu_take(t, d, sizeof(float), &complete);
  t->worker = pqf_cpu_take(t, t->host->threads, sizeof *t->worker, &complete);
  for (int64_t n = 0; complete && n < t->host->threads; n++) {
    pqf_cpu_worker ignored = {0}; /* when planning there is none */
    pqf_cpu_worker *w = t->planning ? &ignored : &t->worker[n];
    w->matrix = pqf_cpu_take(t, d * d, sizeof(float), &complete);
    w->right = pqf_cpu_take(t, CELLS_PER_PANEL * d, sizeof(float), &complete);
    w->left = pqf_cpu_take(t, cells * d, sizeof(float), &complete);
    w->right_side = pqf_cpu_take(t, 7 * d, sizeof(float), &complete);
    w->scale = pqf_cpu_take(t, 2 * cells, sizeof(float), &complete);
    if (complete && !t->planning) {
      w->vector_sum = w->right_side + d;
      w->inverse = w->right_side + 2 * d;
      w->x = w->right_side + 3 * d;
      w->residual = w->right_side + 4 * d;
      w->direction = w->right_side + 5 * d;
      w->product = w->right_side + 6 * d;
      w->target = w->scale + cells;
    }
  }
  return complete;
}

void pqf_cpu_als_close(pqf_training *t)
{
  const pqf_host *host = t->host;
  for (int side = 0; side < 2; side++) {
    host->release(host, t->bias[side]);
    host->release(host, t->best_bias[side]);
    host->release(host, t->order[side]);
  }
  host->release(host, t->tile_taken);
  host->release(host, t->base);
  host->release(host, t->base_inverse);
  for (int64_t n = 0; t->worker != NULL && n < host->threads; n++) {
    host->release(host, t->worker[n].matrix);
    host->release(host, t->worker[n].right);
    host->release(host, t->worker[n].left);
    host->release(host, t->worker[n].right_side);
    host->release(host, t->worker[n].scale);
  }
  host->release(host, t->worker);
}

int pqf_cpu_half_sweep(pqf_training *t, int32_t side, int64_t first, int64_t count)
{
  const int64_t alone = count == t->size[side] ? t->long_rows[side] : 0;
  sweep_work work = {t, side, first, count, alone, prepare_base(t, side)};
  const int64_t groups = alone + (count - alone + ROWS_PER_GROUP - 1) / ROWS_PER_GROUP;
  t->host->parallel_for(t->host, groups, solve_group, &work);
  return PQF_OK;
}
