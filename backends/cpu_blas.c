/* The CPU's back end: the products with a large dense R by any CBLAS, everything else by the
 * library's own kernels.
 *
 * One epoch with zeros that count, dense or sparse (the terms are in cpu_gram.c):
 *
 *     P1 = P0 ((1 - s alpha beta) I - 2 alpha Q0'Q0) + 2 alpha R Q0
 *     Q1 = Q0 ((1 - s alpha beta) I - 2 alpha P0'P1) + 2 alpha R' P1
 *     |P0 Q0' - t R|^2 = t^2 |R|^2 - 2 t <R Q0, P0> + <P0'P0, Q0'Q0>
 *
 * with t = 1 for E, and t = 2 for the notebook's E - R. That difference cancels when the fit is
 * close: below 1e-4 |R|^2 the error is summed up again from E itself (dense) or in double (sparse).
 *
 * Factors live in three rotating pairs of buffers: current, next and best. */
#include "cpu_als.h"
#include "cpu_training.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double cancellation_limit = 1e-4;

static void cpu_close(pqf_training *t)
{
  if (t == NULL)
    return;
  const pqf_host *host = t->host;
  pqf_blas_end(t->blas, host);
  for (int side = 0; side < 2; side++) {
    for (int buffer = 0; buffer < BUFFERS; buffer++)
      host->release(host, t->factors[side][buffer]);
    host->release(host, t->tile_sum[side]);
  }
  for (int n = 0; n < 3; n++)
    host->release(host, t->gram[n]);
  pqf_cpu_als_close(t);
  host->release(host, t->gram_sum);
  host->release(host, t->gram_block);
  host->release(host, t->gram_rows);
  host->release(host, t->step_matrix);
  host->release(host, t->row_scratch);
  host->release(host, t->error_tile);
  host->release(host, t);
}

void *pqf_cpu_take(pqf_training *t, int64_t count, size_t size, int *complete)
{
  if (t->planning) {
    t->planned += (uint64_t)count * size;
    return NULL;
  }
  void *memory = t->host->allocate(t->host, (uint64_t)count, size);
  if (memory != NULL)
    memset(memory, 0, (size_t)count * size);
  else
    *complete = 0;
  return memory;
}

/* Room for one pair of factor matrices. */
static int take_buffer(pqf_training *t, int buffer)
{
  int complete = 1;
  for (int side = 0; side < 2; side++)
    t->factors[side][buffer] =
        pqf_cpu_take(t, t->size[side], (size_t)t->stride * sizeof(float), &complete);
  return complete;
}

/* Alternating least squares works in place: its second buffer is for the best factors, and is taken
 * by the first `keep`. */
static int take_all(pqf_training *t)
{
  const int64_t square = t->k * t->k;
  const int64_t threads = t->host->threads;
  const int als = t->problem.solver == PQF_SOLVER_ALS;
  int complete = 1;
  for (int buffer = 0; buffer < (als ? 1 : BUFFERS); buffer++)
    complete = take_buffer(t, buffer) && complete;
  for (int side = 0; side < 2; side++)
    t->tile_sum[side] = pqf_cpu_take(t, tile_count(t->size[side]), sizeof(double), &complete);
  for (int n = 0; n < 3; n++)
    t->gram[n] = pqf_cpu_take(t, square, sizeof(double), &complete);
  const int64_t chunks =
      t->gram_chunks[0] > t->gram_chunks[1] ? t->gram_chunks[0] : t->gram_chunks[1];
  t->gram_sum = pqf_cpu_take(t, chunks * square, sizeof(double), &complete);
  t->gram_block = pqf_cpu_take(t, threads * t->stride * t->stride, sizeof(float), &complete);
  t->gram_rows =
      pqf_cpu_take(t, threads * 2 * ROWS_PER_EXACT_BLOCK * t->stride, sizeof(double), &complete);
  t->step_matrix = pqf_cpu_take(t, t->k * t->stride, sizeof(float), &complete);
  t->row_scratch = pqf_cpu_take(t, threads * t->stride, sizeof(float), &complete);
  t->error_tile =
      pqf_cpu_take(t, threads * (int64_t)pqf_cpu_dense_scratch(), sizeof(float), &complete);
  return complete && (!als || pqf_cpu_als_open(t));
}

/* Enough chunks for the threads of a large machine, but no more scratch than a fraction of the
 * factors themselves. */
static int64_t gram_chunks(int64_t rows, int64_t k)
{
  const int64_t chunks = rows / (16 * k);
  return chunks < 1 ? 1 : chunks > 64 ? 64 : chunks;
}

/* A training without memory of its own yet. */
static void begin(pqf_training *t, const pqf_host *host, const pqf_problem *problem)
{
  const int notebook = problem->update == PQF_UPDATE_NOTEBOOK;
  memset(t, 0, sizeof *t);
  t->host = host;
  t->problem = *problem;
  t->kernels = pqf_cpu_kernels_chosen();
  t->solver = pqf_cpu_solver_chosen();
  t->double_solver = pqf_cpu_double_solver_chosen();
  t->size[PQF_ROWS] = problem->train->rows;
  t->size[PQF_COLS] = problem->train->cols;
  t->k = problem->factors;
  t->stride = (t->k + PQF_CPU_PADDING - 1) / PQF_CPU_PADDING * PQF_CPU_PADDING;
  t->next = 1;
  t->best = NO_BUFFER;
  t->error_target = notebook ? 2 : 1;
  t->beta_sign = notebook ? -1 : 1;
  for (int side = 0; side < 2; side++)
    t->gram_chunks[side] = gram_chunks(t->size[side], t->k);
}

static int is_too_wide(const pqf_matrix *r)
{
  return r->dense != NULL && r->dense_stride > INT32_MAX;
}

static int cpu_open(pqf_training **out, const pqf_host *host, const pqf_problem *problem)
{
  *out = NULL;
  if (problem->device[0] != '\0')
    return host->fail(host, PQF_EBACKEND, "backend cpu: has no device '%.64s'", problem->device);
  if (problem->solver != PQF_SOLVER_GD && problem->solver != PQF_SOLVER_ALS)
    return host->fail(host, PQF_ENOTSUP, "backend cpu: solver %d is not known", problem->solver);
  if (is_too_wide(problem->train) ||
      (problem->validation != NULL && is_too_wide(problem->validation)))
    return host->fail(host, PQF_ENOTSUP,
                      "backend cpu: rows are further apart than the BLAS can count: have the data "
                      "copied");

  pqf_training *t = host->allocate(host, 1, sizeof *t);
  if (t == NULL)
    return PQF_ENOMEM;
  begin(t, host, problem);
  int status = take_all(t) ? PQF_OK : PQF_ENOMEM;
  if (status == PQF_OK && pqf_cpu_dense_needs_blas(problem))
    status = pqf_blas_begin(&t->blas, host);
  if (status != PQF_OK) {
    cpu_close(t);
    return status;
  }
  *out = t;
  return PQF_OK;
}

static int cpu_plan(const pqf_host *host, const pqf_problem *problem, int32_t keep_best,
                    uint64_t *host_bytes, uint64_t *device_bytes)
{
  pqf_training t;
  begin(&t, host, problem);
  t.planning = 1;
  t.planned = sizeof t;
  take_all(&t);
  if (problem->solver == PQF_SOLVER_ALS && keep_best)
    take_buffer(&t, 1);
  if (pqf_cpu_dense_needs_blas(problem))
    t.planned += (uint64_t)host->threads * pqf_blas_buffer_size();
  *host_bytes = t.planned;
  *device_bytes = 0;
  return PQF_OK;
}

/* Where the current factors are the best ones too, copies them into a buffer of their own, which
 * may then change. */
static void part_from_best(pqf_training *t)
{
  if (t->current != t->best)
    return;
  const int from = t->current;
  t->current = (from + 1) % BUFFERS;
  for (int side = 0; side < 2; side++)
    memcpy(t->factors[side][t->current], t->factors[side][from],
           (size_t)(t->size[side] * t->stride) * sizeof(float));
}

static int cpu_set(pqf_training *t, int32_t side, int64_t first, int64_t count, const float *values)
{
  part_from_best(t);
  float *out = t->factors[side][t->current] + first * t->stride;
  for (int64_t row = 0; row < count; row++)
    memcpy(out + row * t->stride, values + row * t->k, (size_t)t->k * sizeof(float));
  return PQF_OK;
}

static int cpu_get(pqf_training *t, int32_t side, int32_t which, int64_t first, int64_t count,
                   float *values)
{
  const int buffer = which == PQF_BEST ? t->best : t->current;
  if (buffer == NO_BUFFER)
    return t->host->fail(t->host, PQF_EINVAL, "backend cpu: nothing has been kept yet");
  const float *from = t->factors[side][buffer] + first * t->stride;
  for (int64_t row = 0; row < count; row++)
    memcpy(values + row * t->k, from + row * t->stride, (size_t)t->k * sizeof(float));
  return PQF_OK;
}

static int is_observed(const pqf_training *t)
{
  return t->problem.train->dense == NULL && t->problem.objective == PQF_OBJECTIVE_OBSERVED;
}

/* The loss from |E0|^2 (or, for the notebook, |E0 - R|^2), |P0|^2 and |Q0|^2. */
static double loss_of(const pqf_training *t, double error, const double square[2])
{
  const double beta = t->problem.regularization;
  if (t->problem.update == PQF_UPDATE_NOTEBOOK)
    return sqrt(error) / 2 + beta / 2 * sqrt(square[PQF_ROWS]) + sqrt(square[PQF_COLS]);
  return error + beta / 2 * (square[PQF_ROWS] + square[PQF_COLS]);
}

/* The error summed up without cancellation. */
static double direct_error(pqf_training *t)
{
  const pqf_matrix *r = t->problem.train;
  if (r->dense != NULL)
    return pqf_cpu_dense_error(t, r, t->error_target);
  return is_observed(t) ? pqf_cpu_observed_error(t, r, t->error_target)
                        : pqf_cpu_zeros_error(t, t->error_target);
}

/* An epoch in which every cell counts; returns |P0 Q0' - t R|^2. */
static double squared_epoch(pqf_training *t)
{
  const pqf_matrix *r = t->problem.train;
  const double target = t->error_target;
  double error;
  for (int side = 0; side < 2; side++)
    pqf_cpu_gram(t, side, current_row(t, side, 0), current_row(t, side, 0), 0, t->gram[side]);

  pqf_cpu_step_matrix(t, t->gram[PQF_COLS]);
  if (r->dense != NULL) {
    pqf_cpu_dense_pass(t);
    error = target * target * r->square_sum - 2 * target * pqf_cpu_sum_tiles(t, PQF_ROWS);
  } else {
    error = pqf_cpu_zeros_row_pass(t);
  }
  for (int64_t n = 0; n < t->k * t->k; n++)
    error += t->gram[PQF_ROWS][n] * t->gram[PQF_COLS][n];

  pqf_cpu_gram(t, PQF_ROWS, current_row(t, PQF_ROWS, 0), next_row(t, PQF_ROWS, 0), 0, t->gram[2]);
  pqf_cpu_step_matrix(t, t->gram[2]);
  if (r->dense != NULL)
    pqf_cpu_dense_step(t);
  else
    pqf_cpu_zeros_col_pass(t);

  return error < cancellation_limit * r->square_sum ? direct_error(t) : error;
}

static int cpu_gd_epoch(pqf_training *t, double *loss)
{
  t->next = 0;
  while (t->next == t->current || t->next == t->best)
    t->next++;
  double square[2] = {0, 0};
  double error;
  if (is_observed(t)) {
    error = pqf_cpu_observed_epoch(t);
    for (int side = 0; side < 2; side++)
      square[side] = pqf_cpu_square_norm(t, side);
  } else {
    error = squared_epoch(t);
    for (int side = 0; side < 2; side++) /* the trace of the Gram matrix */
      for (int64_t f = 0; f < t->k; f++)
        square[side] += t->gram[side][f * t->k + f];
  }
  *loss = loss_of(t, error, square);
  return PQF_OK;
}

static int cpu_commit(pqf_training *t)
{
  t->current = t->next;
  return PQF_OK;
}

static int cpu_discard(pqf_training *t)
{
  (void)t; /* the next epoch writes over them */
  return PQF_OK;
}

static int cpu_keep(pqf_training *t)
{
  if (t->problem.solver == PQF_SOLVER_GD) {
    t->best = t->current;
    return PQF_OK;
  }
  if (t->best == NO_BUFFER && !take_buffer(t, 1))
    return PQF_ENOMEM;
  t->best = 1;
  for (int side = 0; side < 2; side++) {
    memcpy(t->factors[side][t->best], t->factors[side][t->current],
           (size_t)(t->size[side] * t->stride) * sizeof(float));
    memcpy(t->best_bias[side], t->bias[side], (size_t)t->size[side] * sizeof(float));
  }
  return PQF_OK;
}

static int cpu_set_bias(pqf_training *t, int32_t side, int64_t first, int64_t count,
                        const float *values)
{
  memcpy(t->bias[side] + first, values, (size_t)count * sizeof(float));
  return PQF_OK;
}

static int cpu_get_bias(pqf_training *t, int32_t side, int32_t which, int64_t first, int64_t count,
                        float *values)
{
  const float *bias = which == PQF_BEST ? t->best_bias[side] : t->bias[side];
  memcpy(values, bias + first, (size_t)count * sizeof(float));
  return PQF_OK;
}

static int cpu_validation_loss(pqf_training *t, double *loss)
{
  const pqf_matrix *r = t->problem.validation;
  if (r == NULL)
    return t->host->fail(t->host, PQF_EINVAL, "backend cpu: there is no validation data");
  if (t->problem.solver == PQF_SOLVER_ALS) {
    *loss = pqf_cpu_als_validation(t, r);
    return PQF_OK;
  }
  double weight = (double)r->count;
  if (r->dense == NULL && r->by_row.weight != NULL) {
    weight = 0;
    for (int64_t n = 0; n < r->count; n++)
      weight += (double)r->by_row.weight[n];
  }
  const double error =
      r->dense != NULL ? pqf_cpu_dense_error(t, r, 1) : pqf_cpu_observed_error(t, r, 1);
  *loss = weight > 0 ? error / weight : 0;
  return PQF_OK;
}

static int cpu_loss(pqf_training *t, double *loss)
{
  const double error = direct_error(t);
  const double square[2] = {pqf_cpu_square_norm(t, PQF_ROWS), pqf_cpu_square_norm(t, PQF_COLS)};
  *loss = loss_of(t, error, square);
  return PQF_OK;
}

static int cpu_probe(const char *device, char *words, uint64_t capacity)
{
  if (device[0] != '\0') {
    snprintf(words, capacity, "has no device '%.64s'", device);
    return PQF_EBACKEND;
  }
  char blas[128];
  pqf_blas_describe(blas, sizeof blas);
  snprintf(words, capacity, "%s; kernels for %s", blas, pqf_cpu_kernels_chosen()->name);
  return PQF_OK;
}

static void cpu_multiply(int64_t rows, int64_t cols, int64_t k, const float *p, int64_t p_stride,
                         const float *q, int64_t q_stride, float *out, int64_t out_stride)
{
  pqf_cpu_kernels_chosen()->multiply(rows, cols, k, p, p_stride, q, q_stride, out, out_stride);
}

static void cpu_predict(int64_t count, const int32_t *row, const int32_t *col, int64_t k,
                        const float *p, const float *q, float *out)
{
  pqf_cpu_kernels_chosen()->predict(count, row, col, k, p, q, out);
}

const pqf_backend *pqf_cpu_backend(void); /* as src/backends.h declares it */

const pqf_backend *pqf_cpu_backend(void)
{
  static const pqf_backend table = {
      .abi = PQF_BACKEND_ABI,
      .size = sizeof table,
      .name = "cpu",
      .probe = cpu_probe,
      .open = cpu_open,
      .close = cpu_close,
      .set = cpu_set,
      .get = cpu_get,
      .gd_epoch = cpu_gd_epoch,
      .commit = cpu_commit,
      .discard = cpu_discard,
      .keep = cpu_keep,
      .validation_loss = cpu_validation_loss,
      .loss = cpu_loss,
      .multiply = cpu_multiply,
      .predict = cpu_predict,
      .half_sweep = pqf_cpu_half_sweep,
      .loss_parts = pqf_cpu_loss_parts,
      .set_bias = cpu_set_bias,
      .get_bias = cpu_get_bias,
      .plan = cpu_plan,
  };
  return &table;
}
