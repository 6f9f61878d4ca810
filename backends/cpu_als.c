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
 * that no thread is left with much when the others have ended.
 *
 * Systems are solved in float where that is enough, which is nearly always: where lambda is well
 * above what float rounds off the matrix, or where large pivots prove that the matrix is regular
 * without it (cpu_als_precision.c). The others are solved in double (cpu_als_double.c). Float sums
 * up a few panels at most; the sums of longer rows go on in double. */
#include "cpu_als.h"

#include <math.h>
#include <string.h>

enum { ROWS_PER_GROUP = 16, LONG_ROW = 2048 }; /* in cells, a power of 2 */

/* Panels that are summed up in float alone, and how many follow before the sums go to double. */
enum { PANELS_IN_FLOAT = 16, PANELS_PER_SUM = 8 };

typedef struct sweep_work {
  pqf_training *t;
  int side;
  int64_t first;
  int64_t count;
  int64_t alone; /* rows at the beginning that are groups of their own */
} sweep_work;

double pqf_cpu_row_scale(const pqf_training *t, int side, int64_t cells)
{
  const double s = t->problem.scaling_exponent;
  return s == 0 ? 1 : pow((double)cells + t->problem.scaling_offset[side], s);
}

INLINE void put_terms(const pqf_cpu_system *s, int64_t first, int64_t count, const int objective,
                      const int weighted, const int in_double)
{
  pqf_cpu_worker *w = s->worker;
  for (int64_t n = 0; n < count; n++) {
    double scale;
    double target;
    pqf_cpu_cell_term(s, first + n, objective, weighted, &scale, &target);
    if (in_double) {
      w->wide.scale[n] = scale;
      w->wide.target[n] = target;
    } else {
      w->scale[n] = (float)scale;
      w->target[n] = (float)target;
    }
  }
}

/* Each case is a loop of its own. */
INLINE void choose_terms(const pqf_cpu_system *s, int64_t first, int64_t count, const int in_double)
{
  const int weighted = s->cells.weight != NULL;
  switch (s->t->problem.objective) {
  case PQF_OBJECTIVE_OBSERVED:
    if (weighted)
      put_terms(s, first, count, PQF_OBJECTIVE_OBSERVED, 1, in_double);
    else
      put_terms(s, first, count, PQF_OBJECTIVE_OBSERVED, 0, in_double);
    break;
  case PQF_OBJECTIVE_SQUARED:
    put_terms(s, first, count, PQF_OBJECTIVE_SQUARED, weighted, in_double);
    break;
  default:
    put_terms(s, first, count, PQF_OBJECTIVE_IMPLICIT, weighted, in_double);
    break;
  }
}

void pqf_cpu_cell_terms(const pqf_cpu_system *s, int64_t first, int64_t count)
{
  choose_terms(s, first, count, 0);
}

void pqf_cpu_double_cell_terms(const pqf_cpu_system *s, int64_t first, int64_t count)
{
  choose_terms(s, first, count, 1);
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

/* The sum of w t^2 over the cells whose terms the worker has, at most a panel; to float precision.
 */
static double sum_squares(const pqf_cpu_system *s, int64_t first, int64_t count)
{
  const pqf_cpu_worker *w = s->worker;
  const int32_t objective = s->t->problem.objective;
  const int64_t padded = (count + PQF_CPU_PADDING - 1) / PQF_CPU_PADDING * PQF_CPU_PADDING;
  double sum = 0;
  if (objective == PQF_OBJECTIVE_SQUARED) {
    for (int64_t n = 0; n < count; n++)
      sum += (double)w->target[n] * (double)s->cells.value[first + n];
    return sum;
  }
  if (objective == PQF_OBJECTIVE_OBSERVED && s->cells.weight != NULL) {
    for (int64_t n = 0; n < count; n++)
      if (w->scale[n] > 0)
        sum += (double)w->target[n] * (double)w->target[n] / (double)w->scale[n];
    return sum;
  }
  for (int64_t n = count; n < padded; n++)
    w->target[n] = 0;
  return (double)s->t->solver->dot(
      w->target, objective == PQF_OBJECTIVE_IMPLICIT ? w->ones : w->target, padded);
}

/* What float has summed up goes to the sums in double, and float begins anew. */
static void add_up(const pqf_cpu_system *s)
{
  const pqf_cpu_solver *solver = s->t->solver;
  pqf_cpu_worker *w = s->worker;
  const int64_t d = s->t->stride;
  for (int64_t row = 0; s->needs_update && row < d; row++) {
    const int64_t first = row / PQF_CPU_PADDING * PQF_CPU_PADDING;
    solver->move_sums(w->matrix + row * d + first, w->wide.matrix + row * d + first, d - first);
  }
  solver->move_sums(w->right_side, w->wide.right_side, d);
  solver->move_sums(w->vector_sum, w->wide.vector_sum, d);
}

static void begin_sums(const pqf_cpu_system *s)
{
  pqf_cpu_worker *w = s->worker;
  const int64_t d = s->t->stride;
  if (s->needs_update && s->t->problem.objective == PQF_OBJECTIVE_OBSERVED)
    memset(w->wide.matrix, 0, (size_t)(d * d) * sizeof(double));
  else if (s->needs_update)
    memcpy(w->wide.matrix, s->t->base_in_double, (size_t)(d * d) * sizeof(double));
  memset(w->wide.right_side, 0, (size_t)d * sizeof(double));
  memset(w->wide.vector_sum, 0, (size_t)d * sizeof(double));
}

static void end_sums(const pqf_cpu_system *s)
{
  const pqf_cpu_solver *solver = s->t->solver;
  pqf_cpu_worker *w = s->worker;
  const int64_t d = s->t->stride;
  for (int64_t row = 0; s->needs_update && row < d; row++) {
    const int64_t first = row / PQF_CPU_PADDING * PQF_CPU_PADDING;
    solver->round_sums(w->wide.matrix + row * d + first, w->matrix + row * d + first, d - first);
  }
  solver->round_sums(w->wide.right_side, w->right_side, d);
  solver->round_sums(w->wide.vector_sum, w->vector_sum, d);
}

/* Sums over the cells: the matrix without lambda, the right side, and what the bias needs. */
static void sum_cells(pqf_cpu_system *s)
{
  pqf_training *t = s->t;
  pqf_cpu_worker *w = s->worker;
  const int64_t d = t->stride;
  const int has_bias = t->problem.has_bias[s->side];
  const int unit = s->cells.weight == NULL && t->problem.objective == PQF_OBJECTIVE_OBSERVED;
  const int is_long = s->cells.count > PANELS_IN_FLOAT * CELLS_PER_PANEL;
  const float *from = is_long || t->problem.objective == PQF_OBJECTIVE_OBSERVED ? NULL : t->base;
  const pqf_cpu_panel panel = {
      .right = w->right,
      .left = unit || !s->needs_update ? w->right : w->left,
      .vector_sum = w->vector_sum,
      .right_side = w->right_side,
  };
  double scale_sum = 0;
  s->target_sum = 0;
  s->square_sum = 0;
  memset(w->right_side, 0, (size_t)d * sizeof(float));
  memset(w->vector_sum, 0, (size_t)d * sizeof(float));
  if (is_long)
    begin_sums(s);
  for (int64_t first = 0; first < s->cells.count; first += CELLS_PER_PANEL) {
    const int64_t left = s->cells.count - first;
    const int64_t count = left < CELLS_PER_PANEL ? left : CELLS_PER_PANEL;
    pqf_cpu_cell_terms(s, first, count);
    scale_sum += has_bias ? sum_of(w->scale, count) : 0;
    s->target_sum += has_bias ? sum_of(w->target, count) : 0;
    s->square_sum += s->needs_update ? sum_squares(s, first, count) : 0;
    t->solver->gather_panel(&panel, count, left - count, s->cells.index + first, w->scale,
                            w->target, t->factors[1 - s->side][t->current], d);
    if (s->needs_update)
      t->solver->rank_update(w->matrix, from, d, panel.left, panel.right, count);
    from = w->matrix;
    if (is_long && (first / CELLS_PER_PANEL % PANELS_PER_SUM == PANELS_PER_SUM - 1 ||
                    left <= CELLS_PER_PANEL)) {
      add_up(s);
      from = NULL;
    }
  }
  if (is_long)
    end_sums(s);
  s->bias_pivot = scale_sum > 0 ? scale_sum + s->bias_lambda : 0; /* 0: nothing is known */
}

/* Puts the system together: A in worker->matrix, y in worker->right_side. */
static void build_system(pqf_cpu_system *s)
{
  pqf_training *t = s->t;
  pqf_cpu_worker *w = s->worker;
  const int64_t d = t->stride;
  sum_cells(s);
  if (s->needs_update) {
    s->largest = t->base_diagonal;
    for (int64_t f = 0; f < d; f++) {
      w->matrix[f * d + f] += f < t->k ? (float)s->lambda : 1; /* pads: x = 0 */
      s->largest = f < t->k ? fmax(s->largest, (double)w->matrix[f * d + f]) : s->largest;
    }
  }
  if (t->problem.has_bias[s->side]) {
    const float inverse = s->bias_pivot > 0 ? (float)(1 / s->bias_pivot) : 0;
    t->solver->rank_one(w->matrix, d, inverse, w->vector_sum);
    for (int64_t f = 0; f < t->k; f++)
      w->right_side[f] -= (float)((double)w->vector_sum[f] * s->target_sum * (double)inverse);
  }
}

/* Stores a row, unless it is not finite. */
static int finish_row(const pqf_cpu_system *s, const float *x)
{
  pqf_training *t = s->t;
  if (!isfinite(t->solver->dot(x, x, t->stride)))
    return 0;
  memcpy(t->factors[s->side][t->current] + s->row * t->stride, x,
         (size_t)t->stride * sizeof(float));
  if (t->problem.has_bias[s->side])
    t->bias[s->side][s->row] =
        s->bias_pivot > 0 ? (float)((s->target_sum -
                                     (double)t->solver->dot(s->worker->vector_sum, x, t->stride)) /
                                    s->bias_pivot)
                          : 0;
  return 1;
}

static void clear_row(pqf_training *t, int side, int64_t row)
{
  memset(t->factors[side][t->current] + row * t->stride, 0, (size_t)t->stride * sizeof(float));
  t->bias[side][row] = 0;
}

/* In float: 0 where that may not do. */
static int solve_in_float(pqf_cpu_system *s)
{
  const pqf_training *t = s->t;
  pqf_cpu_worker *w = s->worker;
  if (s->cells.count <= t->dual_cells[s->side])
    return pqf_cpu_float_sees_lambda(s) && pqf_cpu_solve_dual(s);
  /* A long row's matrix is often regular whatever lambda, and so is the base: worth a try. */
  if (s->cells.count <= 4 * t->k && !t->base_is_regular && !pqf_cpu_float_sees_lambda(s))
    return 0;
  build_system(s);
  memcpy(w->residual, w->right_side, (size_t)t->stride * sizeof(float));
  if (!t->solver->factor(w->matrix, t->stride, w->inverse, w->right_side))
    return 0;
  t->solver->solve_upper(w->matrix, t->stride, w->inverse, w->right_side, w->x);
  return pqf_cpu_is_minimum(s, w->residual, w->x) && finish_row(s, w->x);
}

/* With a matrix that was decomposed once for all rows. */
static void solve_shared(pqf_cpu_system *s)
{
  const pqf_training *t = s->t;
  pqf_cpu_worker *w = s->worker;
  s->needs_update = 0;
  if (t->shared == SHARED_IN_FLOAT) {
    build_system(s);
    t->solver->solve_lower(t->base, t->stride, t->base_inverse, w->right_side);
    t->solver->solve_upper(t->base, t->stride, t->base_inverse, w->right_side, w->x);
    if (finish_row(s, w->x))
      return;
    s->needs_update = 1;
  }
  pqf_cpu_solve_in_double(s);
}

static void solve_row(const sweep_work *work, int64_t row, pqf_cpu_worker *w)
{
  pqf_training *t = work->t;
  pqf_cpu_system s = {.t = t,
                      .side = work->side,
                      .row = row,
                      .cells =
                          pqf_cpu_cells_of(pqf_cpu_cells_by(t->problem.train, work->side), row),
                      .worker = w,
                      .needs_update = 1};
  if (s.cells.count == 0) {
    clear_row(t, work->side, row);
    return;
  }
  const double row_scale = pqf_cpu_row_scale(t, s.side, s.cells.count);
  s.lambda = row_scale * t->problem.regularization;
  s.bias_lambda = row_scale * t->problem.bias_regularization;
  if (t->problem.conjugate_gradient_steps > 0)
    pqf_cpu_conjugate_gradient(&s);
  else if (t->problem.nonnegative)
    pqf_cpu_solve_nonnegative_row(&s);
  else if (t->shared != NOT_SHARED)
    solve_shared(&s);
  else if (!solve_in_float(&s))
    pqf_cpu_solve_in_double(&s);
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

/* One thread's workspace in double. */
static void take_double_worker(pqf_training *t, pqf_cpu_double_worker *w, int *complete)
{
  const int64_t d = t->stride;
  const int64_t dual = pqf_cpu_double_dual_capacity(t);
  const int64_t order = dual > d ? dual : d;
  const int64_t panel = dual > CELLS_PER_DOUBLE_PANEL ? dual : CELLS_PER_DOUBLE_PANEL;
  const int64_t cells = panel > d ? panel : d;
  w->matrix = pqf_cpu_take(t, order * order, sizeof(double), complete);
  w->right = pqf_cpu_take(t, CELLS_PER_DOUBLE_PANEL * d, sizeof(double), complete);
  w->left = pqf_cpu_take(t, panel * d, sizeof(double), complete);
  w->right_side = pqf_cpu_take(t, 5 * order + 2 * cells, sizeof(double), complete);
  w->order = pqf_cpu_take(t, d, sizeof(int32_t), complete);
  if (!*complete || t->planning)
    return;
  w->vector_sum = w->right_side + order;
  w->inverse = w->right_side + 2 * order;
  w->x = w->right_side + 3 * order;
  w->magnitude = w->right_side + 4 * order;
  w->scale = w->right_side + 5 * order;
  w->target = w->scale + cells;
}

int pqf_cpu_als_open(pqf_training *t)
{
  const int64_t d = t->stride;
  for (int side = 0; side < 2; side++)
    t->dual_cells[side] = pqf_cpu_dual_cells(t, side);
  const int64_t dual = pqf_cpu_dual_capacity(t);
  const int64_t cells = dual > CELLS_PER_PANEL ? dual : CELLS_PER_PANEL;
  const int64_t chunks =
      t->gram_chunks[0] > t->gram_chunks[1] ? t->gram_chunks[0] : t->gram_chunks[1];
  int complete = 1;
  for (int side = 0; side < 2; side++) {
    t->bias[side] = pqf_cpu_take(t, t->size[side], sizeof(float), &complete);
    t->best_bias[side] = pqf_cpu_take(t, t->size[side], sizeof(float), &complete);
    t->order[side] = pqf_cpu_take(t, t->size[side], sizeof(int32_t), &complete);
    t->square[side] = pqf_cpu_take(t, t->size[side], sizeof(float), &complete);
    if (t->order[side] != NULL)
      order_rows(t, side);
  }
  t->tile_taken = pqf_cpu_take(t, tile_count(t->size[PQF_ROWS]), sizeof(double), &complete);
  t->tile_products = pqf_cpu_take(t, tile_count(t->size[PQF_ROWS]), sizeof(double), &complete);
  t->base = pqf_cpu_take(t, d * d, sizeof(float), &complete);
  t->base_inverse = pqf_cpu_take(t, d, sizeof(float), &complete);
  t->base_in_double = pqf_cpu_take(t, d * d, sizeof(double), &complete);
  t->base_inverse_in_double = pqf_cpu_take(t, d, sizeof(double), &complete);
  if (t->problem.objective != PQF_OBJECTIVE_OBSERVED)
    t->base_sum = pqf_cpu_take(t, chunks * d * d, sizeof(double), &complete);
  if (!t->planning)
    t->largest_scale = pqf_cpu_largest_scale(&t->problem);
  t->worker = pqf_cpu_take(t, t->host->threads, sizeof *t->worker, &complete);
  for (int64_t n = 0; complete && n < t->host->threads; n++) {
    pqf_cpu_worker ignored = {0}; /* when planning there is none */
    pqf_cpu_worker *w = t->planning ? &ignored : &t->worker[n];
    w->matrix = pqf_cpu_take(t, d * d, sizeof(float), &complete);
    w->right = pqf_cpu_take(t, CELLS_PER_PANEL * d, sizeof(float), &complete);
    w->left = pqf_cpu_take(t, cells * d, sizeof(float), &complete);
    w->right_side = pqf_cpu_take(t, 7 * d, sizeof(float), &complete);
    w->scale = pqf_cpu_take(t, 2 * cells + CELLS_PER_PANEL, sizeof(float), &complete);
    take_double_worker(t, &w->wide, &complete);
    if (complete && !t->planning) {
      w->vector_sum = w->right_side + d;
      w->inverse = w->right_side + 2 * d;
      w->x = w->right_side + 3 * d;
      w->residual = w->right_side + 4 * d;
      w->direction = w->right_side + 5 * d;
      w->product = w->right_side + 6 * d;
      w->target = w->scale + cells;
      w->ones = w->target + cells;
      for (int64_t cell = 0; cell < CELLS_PER_PANEL; cell++)
        w->ones[cell] = 1;
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
    host->release(host, t->square[side]);
  }
  host->release(host, t->tile_taken);
  host->release(host, t->tile_products);
  host->release(host, t->base);
  host->release(host, t->base_inverse);
  host->release(host, t->base_in_double);
  host->release(host, t->base_inverse_in_double);
  host->release(host, t->base_sum);
  for (int64_t n = 0; t->worker != NULL && n < host->threads; n++) {
    host->release(host, t->worker[n].matrix);
    host->release(host, t->worker[n].right);
    host->release(host, t->worker[n].left);
    host->release(host, t->worker[n].right_side);
    host->release(host, t->worker[n].scale);
    host->release(host, t->worker[n].wide.matrix);
    host->release(host, t->worker[n].wide.right);
    host->release(host, t->worker[n].wide.left);
    host->release(host, t->worker[n].wide.right_side);
    host->release(host, t->worker[n].wide.order);
  }
  host->release(host, t->worker);
}

int pqf_cpu_half_sweep(pqf_training *t, int32_t side, int64_t first, int64_t count)
{
  const int64_t alone = count == t->size[side] ? t->long_rows[side] : 0;
  sweep_work work = {t, side, first, count, alone};
  pqf_cpu_measure_squares(t, 1 - side);
  pqf_cpu_prepare_base(t, 1 - side);
  const int64_t groups = alone + (count - alone + ROWS_PER_GROUP - 1) / ROWS_PER_GROUP;
  t->host->parallel_for(t->host, groups, solve_group, &work);
  return PQF_OK;
}
