/* Systems through global memory, many at a time: for more factors than a block holds in registers,
 * by cuSOLVER's batched decomposition; for matrices that are not positive definite in float; and
 * for factors that must not be negative. */
#ifndef PQF_BACKENDS_GPU_ALS_BATCH_CUH
#define PQF_BACKENDS_GPU_ALS_BATCH_CUH

#include "gpu_als_rows.cuh"
#include "gpu_gram.cuh"

constexpr int STRIP = 128;                          /* rows and columns that a block builds */
constexpr unsigned STRIP_THREADS = 256;             /* (STRIP / EDGE)^2 */
constexpr int64_t BATCH_BYTES = INT64_C(256) << 20; /* of matrices at a time */
constexpr int64_t FEW = 128;                        /* where a batch is the exception */
constexpr int MOST_PASSES = 500;

enum batch_method { BY_CUSOLVER, SEMIDEFINITE, NONNEGATIVE };

/* The systems of a batch. */
struct batch_view {
  const int32_t *rows;
  float *matrix;     /* d x d each */
  float *right_side; /* d each; the solution takes its place */
  float *vector_sum; /* d each */
  double *scalar;    /* 2 each: the pivot of the bias, the sum of targets */
};

/* Right side, vector sum and scalars of one row. */
static __global__ void fill_right_sides(cells_view cells, sweep_work work, batch_view batch)
{
  const int64_t slot = blockIdx.x;
  const int64_t row = batch.rows[slot];
  const int64_t end = cells.offset[row + 1] - cells.base;
  if (!is_wanted(work, row))
    return;
  for (int f = static_cast<int>(threadIdx.x); f < work.d; f += static_cast<int>(blockDim.x)) {
    bias_sums sums = {0, 0};
    float right = 0;
    float vector_sum = 0;
    for (int64_t n = cells.offset[row] - cells.base; n < end; n++) {
      const int32_t index = __ldg(cells.index + n);
      const cell_terms terms = terms_of(work, cells, n, index);
      const float q = __ldg(work.other + static_cast<int64_t>(index) * work.d + f);
      right = fmaf(terms.target, q, right);
      vector_sum = fmaf(terms.scale, q, vector_sum);
      sums.scale += static_cast<double>(terms.scale);
      sums.target += static_cast<double>(terms.target);
    }
    const double pivot = bias_pivot(work, row, sums.scale);
    batch.right_side[slot * work.d + f] =
        without_bias(right, vector_sum, sums.target, inverse_pivot(work, pivot));
    batch.vector_sum[slot * work.d + f] = vector_sum;
    if (f == 0) {
      batch.scalar[2 * slot] = pivot;
      batch.scalar[2 * slot + 1] = sums.target;
    }
  }
}

/* One strip of a cell's factors; beyond d there are zeros. */
static __device__ __forceinline__ void gather_strip(const sweep_work &work, int64_t index,
                                                    int first, float *to)
{
  const float *from = work.other + index * work.d;
  for (int f = lane_number(); f < STRIP; f += WARP)
    to[f] = first + f < work.d ? from[first + f] : 0.0F;
}

/* Block blockIdx.y of the lower half of the matrix of one row, and its mirror image. */
static __global__ void __launch_bounds__(STRIP_THREADS)
    fill_matrices(cells_view cells, sweep_work work, batch_view batch)
{
  PQF_STATIC_SHARED(quad, panels, 2 * CELLS * STRIP / 4);
  PQF_STATIC_SHARED(float, scale, CELLS);
  PQF_STATIC_SHARED(int32_t, index, CELLS);
  const int64_t slot = blockIdx.x;
  const int64_t row = batch.rows[slot];
  const int64_t begin = cells.offset[row] - cells.base;
  const int all = static_cast<int>(cells.offset[row + 1] - cells.base - begin);
  if (!is_wanted(work, row))
    return;
  int strip_row = 0;
  int strip_col = 0;
  tile_place(static_cast<int>(blockIdx.y), &strip_row, &strip_col);
  float *const left = panels[0].x;
  float *const right = left + CELLS * STRIP;
  const int i = static_cast<int>(threadIdx.x) / (STRIP / EDGE) * EDGE;
  const int j = static_cast<int>(threadIdx.x) % (STRIP / EDGE) * EDGE;
  tile a = {};
  for (int first = 0; first < all; first += CELLS) {
    const int count = all - first < CELLS ? all - first : CELLS;
    const int64_t own = begin + first + static_cast<int>(threadIdx.x);
    if (static_cast<int>(threadIdx.x) < count) {
      index[threadIdx.x] = __ldg(cells.index + own);
      scale[threadIdx.x] = terms_of(work, cells, own, index[threadIdx.x]).scale;
    }
    __syncthreads();
    for (int n = warp_number(); n < count; n += warp_count()) {
      gather_strip(work, index[n], STRIP * strip_row, left + n * STRIP);
      gather_strip(work, index[n], STRIP * strip_col, right + n * STRIP);
    }
    __syncthreads();
    add_panel(a, left + i, right + j, scale, count, STRIP);
    __syncthreads(); /* the panels are taken */
  }
  const int f = STRIP * strip_row + i;
  const int g = STRIP * strip_col + j;
  if (f >= work.d || g >= work.d)
    return;
  complete_tile(work, a, f, g, static_cast<float>(scale_of(work, row) * work.lambda),
                inverse_pivot(work, batch.scalar[2 * slot]), batch.vector_sum + slot * work.d);
  float *const out = batch.matrix + slot * work.d * work.d;
#pragma unroll
  for (int r = 0; r < EDGE; r++)
#pragma unroll
    for (int c = 0; c < EDGE; c++) {
      out[(f + r) * work.d + g + c] = a.x[r][c];
      if (strip_row != strip_col)
        out[(g + c) * work.d + f + r] = a.x[r][c];
    }
}

/* Cholesky's decomposition row by row, sums in double. A pivot that has sunk into the rounding of
 * its diagonal element marks a direction about which nothing is known: its row of U becomes zero
 * and its unknown 0. */
static __global__ void solve_semidefinite(batch_view batch, int d)
{
  float *const a = batch.matrix + static_cast<int64_t>(blockIdx.x) * d * d;
  float *const b = batch.right_side + static_cast<int64_t>(blockIdx.x) * d;
  const int threads = static_cast<int>(blockDim.x);
  const int thread = static_cast<int>(threadIdx.x);
  for (int row = 0; row < d; row++) {
    double pivot = 0;
    for (int n = thread; n < row; n += threads)
      pivot += static_cast<double>(a[n * d + row]) * static_cast<double>(a[n * d + row]);
    const double diagonal = static_cast<double>(a[row * d + row]);
    pivot = diagonal - block_sum(pivot);
    const double root = pivot > 1e-6 * diagonal ? sqrt(pivot) : 0;
    for (int col = row + thread; col <= d; col += threads) {
      float *const element = col < d ? &a[row * d + col] : &b[row];
      double sum = static_cast<double>(*element);
      for (int n = 0; n < row; n++)
        sum -= static_cast<double>(a[n * d + row]) *
               static_cast<double>(col < d ? a[n * d + col] : b[n]);
      *element = col == row ? static_cast<float>(root)
                 : root > 0 ? static_cast<float>(sum / root)
                            : 0.0F;
    }
    __syncthreads();
  }
  for (int row = d - 1; row >= 0; row--) {
    double sum = 0;
    for (int n = row + 1 + thread; n < d; n += threads)
      sum += static_cast<double>(a[row * d + n]) * static_cast<double>(b[n]);
    sum = block_sum(sum);
    if (thread == 0) {
      const double pivot = static_cast<double>(a[row * d + row]);
      b[row] = pivot > 0 ? static_cast<float>((static_cast<double>(b[row]) - sum) / pivot) : 0.0F;
    }
    __syncthreads();
  }
}

/* Minimises x'Ax/2 - b'x for x >= 0 by cyclic coordinate descent: each unknown in turn takes the
 * value that is best for the others, cut at 0, until none moves. A warp a system; lanes share the
 * gradient A x - b. */
static __global__ void solve_nonnegative(batch_view batch, int d)
{
  PQF_DYNAMIC_SHARED(double, gradient);
  const float *const a = batch.matrix + static_cast<int64_t>(blockIdx.x) * d * d;
  float *const x = batch.right_side + static_cast<int64_t>(blockIdx.x) * d;
  for (int f = lane_number(); f < d; f += WARP) {
    gradient[f] = -static_cast<double>(x[f]);
    x[f] = 0;
  }
  double largest = 0;
  for (int pass = 0; pass < MOST_PASSES; pass++) {
    double moved = 0;
    for (int f = 0; f < d; f++) {
      __syncwarp();
      const double diagonal = static_cast<double>(a[f * d + f]);
      const float before = x[f];
      const double wanted = static_cast<double>(before) - gradient[f] / diagonal;
      const float value = !(diagonal > 0) ? before : wanted > 0 ? static_cast<float>(wanted) : 0.0F;
      const double change = static_cast<double>(value) - static_cast<double>(before);
      moved = fabs(change) > moved ? fabs(change) : moved;
      largest = static_cast<double>(value) > largest ? static_cast<double>(value) : largest;
      __syncwarp();
      if (change == 0)
        continue; /* for all lanes alike */
      if (lane_number() == 0)
        x[f] = value;
      for (int g = lane_number(); g < d; g += WARP)
        gradient[g] += change * static_cast<double>(a[f * d + g]);
    }
    if (moved <= 1e-6 * largest)
      break;
  }
}

/* Whether cuSOLVER has solved a system. Its decomposition in batches can leave NaN without saying so
 * in `info` (https://github.com/pytorch/pytorch/issues/53879), so the solution is looked at too. */
static __device__ int is_solved(int info, const float *x, int k)
{
  double bad = 0;
  for (int f = static_cast<int>(threadIdx.x); f < k; f += static_cast<int>(blockDim.x))
    bad += isfinite(x[f]) ? 0 : 1;
  return block_sum(bad) == 0 && info == 0;
}

/* Writes the rows of a batch. Where `info` is not NULL those that have not been solved are listed
 * instead. */
static __global__ void finish_rows(cells_view cells, sweep_work work, batch_view batch,
                                   const int *info, failed_rows failed)
{
  const int64_t slot = blockIdx.x;
  const int64_t row = batch.rows[slot];
  const float *x = batch.right_side + slot * work.d;
  if (!is_wanted(work, row))
    return;
  if (cells.offset[row] == cells.offset[row + 1])
    clear_row(work, row);
  else if (info == nullptr || is_solved(info[slot], x, work.k))
    finish_row(work, row, x, batch.vector_sum + slot * work.d, batch.scalar[2 * slot],
               batch.scalar[2 * slot + 1]);
  else if (threadIdx.x == 0)
    append(failed, row);
}

static __global__ void fill_pointers(float **matrix, float **right_side, batch_view batch,
                                     int64_t count, int64_t d)
{
  const int64_t slot = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (slot >= count)
    return;
  matrix[slot] = batch.matrix + slot * d * d;
  right_side[slot] = batch.right_side + slot * d;
}

static batch_view batch_of(const pqf_training *t, const int32_t *rows)
{
  return {rows, t->als.matrix, t->als.right_side, t->als.vector_sum, t->als.scalar};
}

static int solve_by_cusolver(pqf_training *t, int count)
{
  const int d = static_cast<int>(t->d);
  device_als *als = &t->als;
  SOLVER(t, cusolverDnSpotrfBatched, t->solver, CUBLAS_FILL_MODE_LOWER, d, als->matrix_pointer, d,
         als->info, count);
  SOLVER(t, cusolverDnSpotrsBatched, t->solver, CUBLAS_FILL_MODE_LOWER, d, 1, als->matrix_pointer,
         d, als->right_pointer, d, als->info + als->batch, count);
  return PQF_OK;
}

/* `count` rows of those listed on the device, a batch at a time. */
static int solve_batches(pqf_training *t, const cells_view &cells, const sweep_work &work,
                         const int32_t *rows, int64_t count, batch_method method)
{
  const int d = static_cast<int>(t->d);
  const unsigned strips = static_cast<unsigned>((t->d + STRIP - 1) / STRIP);
  const int *info = method == BY_CUSOLVER ? t->als.info : nullptr;
  const failed_rows failed = {t->als.failed, t->als.failed_count};
  for (int64_t first = 0; first < count; first += t->als.batch) {
    const batch_view batch = batch_of(t, rows + first);
    const unsigned systems = static_cast<unsigned>(least(t->als.batch, count - first));
    TRY(launch(t, "fill_right_sides", fill_right_sides, dim3(systems), THREADS, 0, cells, work,
               batch));
    TRY(launch(t, "fill_matrices", fill_matrices, dim3(systems, strips * (strips + 1) / 2),
               STRIP_THREADS, 0, cells, work, batch));
    if (method == BY_CUSOLVER)
      TRY(solve_by_cusolver(t, static_cast<int>(systems)));
    else if (method == SEMIDEFINITE)
      TRY(launch(t, "solve_semidefinite", solve_semidefinite, dim3(systems), 256, 0, batch, d));
    else
      TRY(launch(t, "solve_nonnegative", solve_nonnegative, dim3(systems), WARP,
                 t->d * static_cast<int64_t>(sizeof(double)), batch, d));
    TRY(launch(t, "finish_rows", finish_rows, dim3(systems), THREADS, 0, cells, work, batch, info,
               failed));
  }
  return PQF_OK;
}

/* Whether all rows go through batches, not only those that fail otherwise. */
static int uses_batches(const pqf_training *t)
{
  return t->problem.conjugate_gradient_steps == 0 &&
         (t->k > MOST_FACTORS || t->problem.nonnegative);
}

static int take_batch(pqf_training *t)
{
  device_als *als = &t->als;
  const int64_t d = t->d;
  const int64_t rows = most(t->size[PQF_ROWS], t->size[PQF_COLS]);
  if (t->problem.conjugate_gradient_steps > 0)
    return PQF_OK;
  als->batch = most(1, BATCH_BYTES / (d * d * static_cast<int64_t>(sizeof(float))));
  als->batch = least(rows, uses_batches(t) ? als->batch : least(als->batch, FEW));
  TRY(take(t, &als->matrix, als->batch * d * d));
  TRY(take(t, &als->right_side, als->batch * d));
  TRY(take(t, &als->vector_sum, als->batch * d));
  TRY(take(t, &als->scalar, als->batch * 2));
  if (!uses_batches(t) || t->problem.nonnegative)
    return PQF_OK;
  TRY(take(t, &als->matrix_pointer, als->batch));
  TRY(take(t, &als->right_pointer, als->batch));
  TRY(take(t, &als->info, als->batch + 1));
  return t->planning
             ? PQF_OK
             : launch(t, "fill_pointers", fill_pointers, dim3(blocks_for(als->batch, THREADS)),
                      THREADS, 0, als->matrix_pointer, als->right_pointer, batch_of(t, nullptr),
                      als->batch, d);
}

#endif
