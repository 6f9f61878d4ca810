/* The CUDA back end: gradient descent and alternating least squares on an NVIDIA GPU, by cuBLAS and
 * kernels of its own. A module, `pqf_gpu_cuda.so`, for the contract of include/pqf_backend.h.
 *
 * One epoch with zeros that count, dense or sparse (gpu_gram.cuh says why no E is needed):
 *
 *     P1 = P0 ((1 - s alpha beta) I - 2 alpha Q0'Q0) + 2 alpha R Q0
 *     Q1 = Q0 ((1 - s alpha beta) I - 2 alpha P0'P1) + 2 alpha R' P1
 *     |P0 Q0' - t R|^2 = t^2 |R|^2 - 2 t <R Q0, P0> + <P0'P0, Q0'Q0>
 *
 * with t = 1 for E, and t = 2 for the notebook's E - R. That difference cancels when the fit is
 * close: below 1e-4 |R|^2 the error is summed up again from E itself (dense) or in double (sparse).
 *
 * P, Q, R and all scratch stay on the device from `open` to `close`; where R is larger than the
 * device it passes through in blocks of rows. Everything is asked for in one stream, and a function
 * returns when what it asked for is done. Sums run in a fixed order, without atomics. */
#include "gpu_als.cuh"
#include "gpu_dense.cuh"
#include "gpu_sparse.cuh"

#include <atomic>
#include <unistd.h>

constexpr double CANCELLATION_LIMIT = 1e-4;

/* ---- Devices -----------------------------------------------------------------------------------
 */

/* Reads the number of a device, "" meaning 0; -1: it is no number. */
static int device_number(const char *text)
{
  constexpr std::size_t most_digits = 4;
  int number = 0;
  const std::size_t length = strlen(text);
  if (length > most_digits || strspn(text, "0123456789") != length)
    return -1;
  for (std::size_t n = 0; n < length; n++)
    number = 10 * number + (text[n] - '0');
  return number;
}

/* CUDA does not survive a fork: a process that was made after its start can use no device, and the
 * runtime's own error does not say why. Tells who started it; the first to ask is who does. */
static pid_t started_by()
{
  static std::atomic<pid_t> starter{0};
  pid_t found = 0;
  const pid_t self = getpid();
  return starter.compare_exchange_strong(found, self) ? self : found;
}

/* Says in words whether a device can be used. */
static int examine_device(const char *device, char *words, std::size_t capacity)
{
  constexpr int oldest = 75; /* 10 major + minor */
  int count = 0;
  const pid_t starter = started_by();
  if (starter != getpid()) {
    snprintf(words, capacity,
             "CUDA was started before a fork, by process %" PRId64
             ": a process that is made afterwards cannot use the GPU",
             static_cast<int64_t>(starter));
    return PQF_EBACKEND;
  }
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess) {
    cudaGetLastError();
    snprintf(words, capacity, "no usable GPU: %s", cudaGetErrorString(error));
    return PQF_EBACKEND;
  }
  const int number = device_number(device);
  if (number < 0 || number >= count) {
    snprintf(words, capacity, "there is no device '%.64s': %d found, counted from 0", device,
             count);
    return PQF_EBACKEND;
  }
  cudaDeviceProp properties;
  const cudaError_t asked = cudaGetDeviceProperties(&properties, number);
  if (asked != cudaSuccess) {
    cudaGetLastError();
    snprintf(words, capacity, "device %d: %s", number, cudaGetErrorString(asked));
    return PQF_EBACKEND;
  }
  const int is_too_old = 10 * properties.major + properties.minor < oldest;
  snprintf(words, capacity, "%.100s, %" PRIu64 " MiB, compute capability %d.%d%s", properties.name,
           static_cast<uint64_t>(properties.totalGlobalMem) >> 20, properties.major,
           properties.minor, is_too_old ? ": 7.5 is needed" : "");
  return is_too_old ? PQF_EBACKEND : PQF_OK;
}

static int cuda_probe(const char *device, char *words, uint64_t capacity)
{
  return examine_device(device, words, capacity);
}

/* ---- Giving back -------------------------------------------------------------------------------
 */

static void free_cells(const pqf_host *host, const device_cells *c)
{
  cudaFree(c->offset);
  cudaFree(c->index);
  cudaFree(c->value);
  cudaFree(c->weight);
  host->release(host, c->first);
  host->release(host, c->wide);
}

static void free_passing(const device_stream *s)
{
  for (int n = 0; n < 2; n++) {
    cudaFree(s->device[n]);
    cudaFreeHost(s->staging[n]);
    if (s->copied[n] != nullptr)
      cudaEventDestroy(s->copied[n]);
    if (s->used[n] != nullptr)
      cudaEventDestroy(s->used[n]);
  }
  if (s->copies != nullptr)
    cudaStreamDestroy(s->copies);
}

static void free_als(const device_als *als)
{
  for (int side = 0; side < 2; side++) {
    cudaFree(als->bias[side]);
    cudaFree(als->best_bias[side]);
    cudaFree(als->order[side]);
    cudaFree(als->row_scale[side]);
  }
  cudaFree(als->base);
  cudaFree(als->failed);
  cudaFree(als->failed_count);
  cudaFree(als->part);
  cudaFree(als->exact_matrix);
  cudaFree(als->exact_vector);
  cudaFree(als->exact_scalar);
  cudaFree(als->matrix);
  cudaFree(als->matrix_rest);
  cudaFree(als->largest);
  cudaFree(als->right_side);
  cudaFree(als->vector_sum);
  cudaFree(als->scalar);
  cudaFree(als->matrix_pointer);
  cudaFree(als->right_pointer);
  cudaFree(als->info);
}

static void free_shared(const pqf_training *t)
{
  for (int side = 0; side < 2; side++)
    for (int buffer = 0; buffer < BUFFERS; buffer++)
      cudaFree(t->factors[side][buffer]);
  for (int n = 0; n < 3; n++)
    cudaFree(t->gram[n]);
  cudaFree(t->gram_block);
  cudaFree(t->step);
  cudaFree(t->dense.all);
  cudaFree(t->validation_dense.all);
  cudaFree(t->error_tile);
#ifndef PQF_BUG_LEAK
  cudaFree(t->part);
#endif
  cudaFreeHost(t->result);
}

static void cuda_close(pqf_training *t)
{
  if (t == nullptr)
    return;
  const pqf_host *host = t->host;
  const device_scope scope(t->device);
  if (t->passing.copies != nullptr)
    cudaStreamSynchronize(t->passing.copies);
  if (t->stream != nullptr)
    cudaStreamSynchronize(t->stream);
  for (int side = 0; side < 2; side++)
    free_cells(host, &t->cells[side]);
  free_cells(host, &t->validation_cells);
  cudaFree(t->validation_index);
  free_passing(&t->passing);
  free_als(&t->als);
  free_shared(t);
  if (t->solver != nullptr)
    cusolverDnDestroy(t->solver);
  if (t->blas != nullptr)
    cublasDestroy(t->blas);
  if (t->stream != nullptr)
    cudaStreamDestroy(t->stream);
  host->release(host, t);
}

/* ---- Taking ------------------------------------------------------------------------------------
 */

static int has_dense(const pqf_matrix *r)
{
  return r != nullptr && r->dense != nullptr;
}

static int has_clicks(const pqf_training *t)
{
  return is_als(t) && t->problem.objective == PQF_OBJECTIVE_IMPLICIT;
}

/* Whether zeros count, so that Gram matrices are wanted. */
static int needs_gram(const pqf_training *t)
{
  return has_dense(t->problem.train) || t->problem.objective != PQF_OBJECTIVE_OBSERVED;
}

static int take_data(pqf_training *t)
{
  const pqf_matrix *train = t->problem.train;
  const pqf_matrix *validation = t->problem.validation;
  int cache = 0;
  CUDA(t, cudaDeviceGetAttribute, &cache, cudaDevAttrL2CacheSize, t->device);
  if (has_dense(train)) {
    TRY(take_dense(t, &t->dense, train, cache));
  } else {
    TRY(take_cells(t, &t->cells[PQF_ROWS], &train->by_row, train->rows));
    TRY(take_cells(t, &t->cells[PQF_COLS], &train->by_col, train->cols));
  }
  if (has_dense(train) || has_dense(validation))
    TRY(take(t, &t->error_tile, error_tile_floats(train)));
  if (validation == nullptr || validation == train)
    return PQF_OK;
  if (has_dense(validation))
    return take_dense(t, &t->validation_dense, validation, cache);
  TRY(take_cells(t, &t->validation_cells, &validation->by_row, validation->rows));
  return t->by_blocks && has_clicks(t)
             ? take_copy(t, &t->validation_index, validation->by_row.index, validation->count)
             : PQF_OK;
}

/* Everything but the best factors of least squares, which the first `keep` takes. */
static int take_all(pqf_training *t)
{
  for (int buffer = 0; buffer < (is_als(t) ? 1 : BUFFERS); buffer++)
    TRY(take_factors(t, buffer));
  if (needs_gram(t))
    TRY(take_gram(t));
  TRY(take(t, &t->part, RESULTS));
  TRY(take_staging(t, &t->result, RESULTS));
  TRY(take_passing(t));
  TRY(take_data(t));
  return is_als(t) ? take_als(t) : PQF_OK;
}

/* Counts what a training takes: t->planned and t->planned_host. */
static int count_all(pqf_training *t, int by_blocks, int keeps_best)
{
  t->by_blocks = by_blocks;
  t->planned = 0;
  t->planned_host = sizeof *t;
  t->planning = 1;
  int status = take_all(t);
  if (status == PQF_OK && is_als(t) && keeps_best)
    status = take_factors(t, 1);
  t->planning = 0;
  return status;
}

static int64_t longest_row_bytes(const device_cells *c)
{
  return c->host != nullptr ? c->longest * cell_bytes(c->host) : 0;
}

/* The smallest buffer that R can pass through: its longest row; and one beyond which nothing is
 * gained. */
static int64_t smallest_block(const pqf_training *t)
{
  const int64_t size = static_cast<int64_t>(sizeof(float));
  int64_t bytes = PADDING * size;
  bytes = most(bytes, most(t->dense.stride, t->validation_dense.stride) * size);
  for (int side = 0; side < 2; side++)
    bytes = most(bytes, longest_row_bytes(&t->cells[side]));
  return most(bytes, longest_row_bytes(&t->validation_cells));
}

/* Decides whether R is on the device as a whole, if it may be, beside all that a fit can want. What
 * the runtime and cuBLAS may yet want stays free. Memory is counted in parts of the device, so that
 * blocks, and with them the bits of sums, do not follow every byte that others take. */
static int fit_to_device(pqf_training *t, int may_be_whole)
{
  constexpr int64_t most_bytes = INT64_C(256) << 20;
  std::size_t free_bytes = 0;
  std::size_t all_bytes = 0;
  CUDA(t, cudaMemGetInfo, &free_bytes, &all_bytes);
  const uint64_t unit = all_bytes / 32 + 1;
  const uint64_t room = free_bytes / unit > 0 ? (free_bytes / unit - 1) * unit : 0;
  TRY(count_all(t, 0, 1));
  const uint64_t whole = t->planned;
  if (whole <= room && may_be_whole)
    return PQF_OK;
  t->passing.bytes = smallest_block(t);
  TRY(count_all(t, 1, 1));
  if (t->planned > room)
    return t->host->fail(t->host, PQF_ENOMEM,
                         "backend cuda: the training takes %" PRIu64
                         " bytes of device %d at least: %" PRIu64 " can be had",
                         t->planned, t->device, room);
  const int64_t share = static_cast<int64_t>((room - t->planned) / 2);
  const int64_t useful = least(static_cast<int64_t>(whole), most_bytes);
  t->passing.bytes += least(share, useful) / 256 * 256;
  return count_all(t, 1, 1);
}

/* Stream and handles, then memory. */
static int start(pqf_training *t, int may_be_whole)
{
  ON_DEVICE(t);
  CUDA(t, cudaStreamCreateWithFlags, &t->stream, cudaStreamNonBlocking);
  BLAS(t, cublasCreate, &t->blas);
  BLAS(t, cublasSetStream, t->blas, t->stream);
  if (is_als(t) && uses_batches(t)) {
    SOLVER(t, cusolverDnCreate, &t->solver);
    SOLVER(t, cusolverDnSetStream, t->solver, t->stream);
  }
  TRY(fit_to_device(t, may_be_whole));
  TRY(take_all(t));
  return wait(t);
}

/* The weight of all cells: for clicks their confidence. */
static double weight_sum(const pqf_training *t, const pqf_matrix *r)
{
  const int clicks = has_clicks(t);
  const float *weight = r->by_row.weight;
  double sum = 0;
  if (r->dense != nullptr || (weight == nullptr && !clicks))
    return static_cast<double>(r->count);
  for (int64_t n = 0; n < r->count; n++)
    sum += (weight != nullptr ? static_cast<double>(weight[n]) : 1) *
           (clicks ? 1 + t->problem.confidence * static_cast<double>(r->by_row.value[n]) : 1);
  return sum;
}

/* A training without anything of the device yet. */
static int begin(pqf_training *t, const pqf_host *host, const pqf_problem *problem)
{
  char words[256];
  memset(static_cast<void *>(t), 0, sizeof *t);
  if (problem->solver != PQF_SOLVER_GD && problem->solver != PQF_SOLVER_ALS)
    return host->fail(host, PQF_ENOTSUP, "backend cuda: solver %d is not known", problem->solver);
  if (problem->train->cols > INT32_MAX - PADDING)
    return host->fail(host, PQF_ENOTSUP, "backend cuda: %" PRId64 " columns are too many",
                      problem->train->cols);
  if (examine_device(problem->device, words, sizeof words) != PQF_OK)
    return host->fail(host, PQF_EBACKEND, "backend cuda: %s", words);
  const int notebook = problem->update == PQF_UPDATE_NOTEBOOK;
  t->host = host;
  memcpy(&t->problem, problem,
         problem->size < sizeof t->problem ? problem->size : sizeof t->problem);
  t->device = device_number(problem->device);
  t->size[PQF_ROWS] = problem->train->rows;
  t->size[PQF_COLS] = problem->train->cols;
  t->k = problem->factors;
  t->d = round_up(t->k, PADDING);
  t->next = 1;
  t->best = NO_BUFFER;
  t->error_target = notebook ? 2 : 1;
  t->beta_sign = notebook ? -1 : 1;
  if (problem->validation != nullptr) {
    t->training_weight = has_clicks(t) ? weight_sum(t, problem->train) : 0;
    t->validation_weight = weight_sum(t, problem->validation);
  }
  return PQF_OK;
}

/* `ran_out`: whether others took the memory that was free when this began. */
static int try_to_open(pqf_training **out, const pqf_host *host, const pqf_problem *problem,
                       int may_be_whole, int *ran_out)
{
  *out = nullptr;
  *ran_out = 0;
  pqf_training *t = static_cast<pqf_training *>(host->allocate(host, 1, sizeof *t));
  if (t == nullptr)
    return PQF_ENOMEM;
  int status = begin(t, host, problem);
  if (status != PQF_OK) {
    host->release(host, t);
    return status;
  }
  status = start(t, may_be_whole);
  *ran_out = t->ran_out;
  if (status == PQF_OK)
    *out = t;
  else
    cuda_close(t);
  return status;
}

/* Fits that begin at the same time may both find room for all of R: the later one passes it through
 * what is left. */
static int cuda_open(pqf_training **out, const pqf_host *host, const pqf_problem *problem)
{
  int ran_out = 0;
  int status = try_to_open(out, host, problem, 1, &ran_out);
  if (ran_out)
    status = try_to_open(out, host, problem, 0, &ran_out);
  return status;
}

static int count_on_device(pqf_training *t, int32_t keep_best)
{
  ON_DEVICE(t);
  TRY(fit_to_device(t, 1));
  return count_all(t, t->by_blocks, keep_best);
}

static int cuda_plan(const pqf_host *host, const pqf_problem *problem, int32_t keep_best,
                     uint64_t *host_bytes, uint64_t *device_bytes)
{
  pqf_training t;
  TRY(begin(&t, host, problem));
  TRY(count_on_device(&t, keep_best));
  *host_bytes = t.planned_host;
  *device_bytes = t.planned;
  return PQF_OK;
}

/* ---- Factors -----------------------------------------------------------------------------------
 */

static int cuda_set(pqf_training *t, int32_t side, int64_t first, int64_t count,
                    const float *values)
{
  ON_DEVICE(t);
  const std::size_t row = static_cast<std::size_t>(t->k) * sizeof(float);
  const std::size_t step = static_cast<std::size_t>(t->d) * sizeof(float);
  const int copied = check_cuda(t->host, "cudaMemcpy2DAsync",
                                cudaMemcpy2DAsync(t->factors[side][t->current] + first * t->d, step,
                                                  values, row, row, static_cast<std::size_t>(count),
                                                  cudaMemcpyHostToDevice, t->stream));
  const int waited = wait(t);
  return copied != PQF_OK ? copied : waited;
}

static int cuda_get(pqf_training *t, int32_t side, int32_t which, int64_t first, int64_t count,
                    float *values)
{
  ON_DEVICE(t);
  const int buffer = which == PQF_BEST ? t->best : t->current;
  if (buffer == NO_BUFFER)
    return t->host->fail(t->host, PQF_EINVAL, "backend cuda: nothing has been kept yet");
  const std::size_t row = static_cast<std::size_t>(t->k) * sizeof(float);
  const std::size_t step = static_cast<std::size_t>(t->d) * sizeof(float);
  const int copied = check_cuda(
      t->host, "cudaMemcpy2DAsync",
      cudaMemcpy2DAsync(values, row, t->factors[side][buffer] + first * t->d, step, row,
                        static_cast<std::size_t>(count), cudaMemcpyDeviceToHost, t->stream));
#ifdef PQF_BUG_NO_SYNCHRONISATION
  return copied;
#endif
  const int waited = wait(t);
  return copied != PQF_OK ? copied : waited;
}

static int copy_bias(pqf_training *t, float *to, const float *from, int64_t count,
                     cudaMemcpyKind kind)
{
  ON_DEVICE(t);
  const int copied = check_cuda(
      t->host, "cudaMemcpyAsync",
      cudaMemcpyAsync(to, from, static_cast<std::size_t>(count) * sizeof(float), kind, t->stream));
  const int waited = wait(t);
  return copied != PQF_OK ? copied : waited;
}

static int cuda_set_bias(pqf_training *t, int32_t side, int64_t first, int64_t count,
                         const float *values)
{
  return copy_bias(t, t->als.bias[side] + first, values, count, cudaMemcpyHostToDevice);
}

static int cuda_get_bias(pqf_training *t, int32_t side, int32_t which, int64_t first, int64_t count,
                         float *values)
{
  const float *bias = which == PQF_BEST ? t->als.best_bias[side] : t->als.bias[side];
  return copy_bias(t, values, bias + first, count, cudaMemcpyDeviceToHost);
}

static int cuda_commit(pqf_training *t)
{
  t->current = t->next;
  return PQF_OK;
}

static int cuda_discard(pqf_training *t)
{
  (void)t; /* the next epoch writes over them */
  return PQF_OK;
}

/* Least squares works in place, and keeps a copy; the buffers of gradient descent rotate. */
static int cuda_keep(pqf_training *t)
{
  if (!is_als(t)) {
    t->best = t->current;
    return PQF_OK;
  }
  ON_DEVICE(t);
  for (int side = 0; side < 2; side++) {
    const std::size_t size = static_cast<std::size_t>(t->size[side]) * sizeof(float);
    if (t->factors[side][1] == nullptr)
      TRY(take_zeroed(t, &t->factors[side][1], t->size[side] * t->d));
    CUDA(t, cudaMemcpyAsync, t->factors[side][1], current_factors(t, side),
         size * static_cast<std::size_t>(t->d), cudaMemcpyDeviceToDevice, t->stream);
    CUDA(t, cudaMemcpyAsync, t->als.best_bias[side], t->als.bias[side], size,
         cudaMemcpyDeviceToDevice, t->stream);
  }
  t->best = 1;
  return wait(t);
}

/* ---- Gradient descent --------------------------------------------------------------------------
 */

/* The loss from |E0|^2 (or, for the notebook, |E0 - R|^2), |P0|^2 and |Q0|^2. */
static double loss_of(const pqf_training *t, double error, const double square[2])
{
  const double beta = t->problem.regularization;
  if (t->problem.update == PQF_UPDATE_NOTEBOOK)
    return sqrt(error) / 2 + beta / 2 * sqrt(square[PQF_ROWS]) + sqrt(square[PQF_COLS]);
  return error + beta / 2 * (square[PQF_ROWS] + square[PQF_COLS]);
}

/* The error summed up without cancellation. */
static int direct_error(pqf_training *t, double *error)
{
  double sum[2];
  if (t->dense.host != nullptr)
    return dense_error(t, &t->dense, t->error_target, error);
  if (!is_observed(t))
    return zeros_error(t, t->error_target, error);
  TRY(cell_error(t, &t->cells[PQF_ROWS], t->error_target, sum));
  *error = sum[0];
  return PQF_OK;
}

/* |P|^2 and |Q|^2. */
static int square_norms(pqf_training *t, double square[2])
{
  for (int side = 0; side < 2; side++)
    TRY(square_sum(t, side, nullptr, nullptr, 1, 0, &square[side]));
  return PQF_OK;
}

/* What <R Q0, P0> and weights take from the error, with P1 and, for dense R, R'P1. */
static int first_pass(pqf_training *t, double *taken)
{
  if (t->dense.host == nullptr)
    return gradient_row_pass(t, taken);
  TRY(dense_pass(t, taken));
  *taken *= 2 * t->error_target;
  return PQF_OK;
}

/* An epoch in which every cell counts; |P0 Q0' - t R|^2, |P0|^2 and |Q0|^2. */
static int squared_epoch(pqf_training *t, double *error, double square[2])
{
  const double target = t->error_target;
  const double whole = t->problem.train->square_sum;
  double numbers[3];
  double taken = 0;
  for (int side = 0; side < 2; side++)
    TRY(compute_gram(t, current_factors(t, side), current_factors(t, side), t->size[side],
                     t->gram[side]));
  TRY(fetch_gram_numbers(t, numbers));
  TRY(make_step(t, t->gram[PQF_COLS]));
  TRY(first_pass(t, &taken));
  *error = target * target * whole - taken + numbers[0];
  square[PQF_ROWS] = numbers[1];
  square[PQF_COLS] = numbers[2];

  TRY(compute_gram(t, current_factors(t, PQF_ROWS), next_factors(t, PQF_ROWS), t->size[PQF_ROWS],
                   t->gram[2]));
  TRY(make_step(t, t->gram[2]));
  if (t->dense.host != nullptr)
    TRY(take_step(t, PQF_COLS, 0, t->size[PQF_COLS]));
  else
    TRY(gradient_col_pass(t));
  if (*error >= CANCELLATION_LIMIT * whole)
    return PQF_OK;
  TRY(direct_error(t, error));
  return square_norms(t, square); /* in double too: now they are no longer beside a large error */
}

static int cuda_gd_epoch(pqf_training *t, double *loss)
{
  ON_DEVICE(t);
  double square[2] = {0, 0};
  double error = 0;
  t->next = 0;
  while (t->next == t->current || t->next == t->best)
    t->next++;
  if (is_observed(t)) {
    TRY(gradient_row_pass(t, &error));
    TRY(gradient_col_pass(t));
    TRY(square_norms(t, square));
  } else {
    TRY(squared_epoch(t, &error, square));
  }
  TRY(wait(t));
  *loss = loss_of(t, error, square);
  return PQF_OK;
}

static int cuda_loss(pqf_training *t, double *loss)
{
  ON_DEVICE(t);
  double square[2];
  double error = 0;
  TRY(direct_error(t, &error));
  TRY(square_norms(t, square));
  *loss = loss_of(t, error, square);
  return PQF_OK;
}

static int cuda_validation_loss(pqf_training *t, double *loss)
{
  ON_DEVICE(t);
  const pqf_matrix *r = t->problem.validation;
  const int shared = r == t->problem.train;
  double sum[2] = {0, 0};
  double zeros = 0;
  if (r == nullptr)
    return t->host->fail(t->host, PQF_EINVAL, "backend cuda: there is no validation data");
  if (r->dense != nullptr)
    TRY(dense_error(t, shared ? &t->dense : &t->validation_dense, 1, &sum[0]));
  else
    TRY(cell_error(t, shared ? &t->cells[PQF_ROWS] : &t->validation_cells, 1, sum));
  if (has_clicks(t))
    TRY(validation_zeros(t, sum[1], &zeros));
  *loss = t->validation_weight > 0 ? sum[0] / t->validation_weight + zeros : 0;
  return PQF_OK;
}

/* ---- The table ---------------------------------------------------------------------------------
 */

extern "C" __attribute__((visibility("default"))) const pqf_backend *pqf_backend_entry(void);

const pqf_backend *pqf_backend_entry(void)
{
  static const pqf_backend table = {
      PQF_BACKEND_ABI,
      sizeof(pqf_backend),
      "cuda",
      cuda_probe,
      cuda_open,
      cuda_close,
      cuda_set,
      cuda_get,
      cuda_gd_epoch,
      cuda_commit,
      cuda_discard,
      cuda_keep,
      cuda_validation_loss,
      cuda_loss,
      nullptr, /* multiply and predict serve from the host's memory: the CPU's are used */
      nullptr,
      cuda_half_sweep,
      cuda_loss_parts,
      cuda_set_bias,
      cuda_get_bias,
      cuda_plan,
  };
  return &table;
}
