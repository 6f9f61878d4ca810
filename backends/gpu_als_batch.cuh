/* Systems through global memory, many at a time: for more factors than a block holds in registers,
 * by cuSOLVER's batched decomposition; and for factors that must not be negative. */
#ifndef PQF_BACKENDS_GPU_ALS_BATCH_CUH
#define PQF_BACKENDS_GPU_ALS_BATCH_CUH

#include "gpu_als_rows.cuh"
#include "gpu_gram.cuh"

constexpr int STRIP = 128;                          /* rows and columns that a block builds */
constexpr unsigned STRIP_THREADS = 256;             /* (STRIP / EDGE)^2 */
constexpr int64_t BATCH_BYTES = INT64_C(256) << 20; /* of matrices at a time */
constexpr int MOST_PASSES = 500;

enum batch_method { BY_CUSOLVER, NONNEGATIVE };

/* The systems of a batch. */
struct batch_view {
  const int32_t *rows;
  float *matrix;     /* d x d each */
  float *rest;       /* d x d each: what `matrix` is too short for; NULL: no row is long */
  float *largest;    /* d / 8 each: the largest diagonal elements, see largest_in */
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
    double scale_sum = 0;
    double target_sum = 0;
    double right_total = 0;
    double vector_total = 0;
    for (int64_t n = cells.offset[row] - cells.base; n < end;) {
      const int64_t stop = n + CELLS < end ? n + CELLS : end;
      float right = 0;
      float vector_sum = 0;
      for (; n < stop; n++) {
        const int32_t index = __ldg(cells.index + n);
        const cell_terms terms = terms_of(work, cells, n, index);
        const float q = __ldg(work.other + static_cast<int64_t>(index) * work.d + f);
        right = fmaf(terms.target, q, right);
        vector_sum = fmaf(terms.scale, q, vector_sum);
        scale_sum += static_cast<double>(terms.scale);
        target_sum += static_cast<double>(terms.target);
      }
      right_total += static_cast<double>(right);
      vector_total += static_cast<double>(vector_sum);
    }
    const double pivot = bias_pivot(work, row, scale_sum);
    batch.right_side[slot * work.d + f] = static_cast<float>(
        without_bias(right_total, vector_total, target_sum, inverse_pivot(work, pivot)));
    batch.vector_sum[slot * work.d + f] = static_cast<float>(vector_total);
    if (f == 0) {
      batch.scalar[2 * slot] = pivot;
      batch.scalar[2 * slot + 1] = target_sum;
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

/* Adds a tile to what `out` and `rest` hold together, or leaves that in it and them as they are. */
static __device__ __forceinline__ void carry_tile(tile &a, float *out, float *rest, int64_t step,
                                                  int begins, int ends)
{
#pragma unroll
  for (int r = 0; r < EDGE; r++)
#pragma unroll
    for (int c = 0; c < EDGE; c++) {
      const int64_t n = r * step + c;
      double sum = static_cast<double>(a.x[r][c]);
      if (!begins)
        sum += static_cast<double>(out[n]) + static_cast<double>(rest[n]);
      a.x[r][c] = static_cast<float>(sum);
      if (ends)
        continue;
      out[n] = a.x[r][c];
      rest[n] = static_cast<float>(sum - static_cast<double>(a.x[r][c]));
      a.x[r][c] = 0;
    }
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
  const int f = STRIP * strip_row + i;
  const int g = STRIP * strip_col + j;
  const int has_tile = f < work.d && g < work.d;
  const int64_t first_element = slot * work.d * work.d + f * work.d + g;
  float *const out = batch.matrix + first_element;
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
    if (all > SEGMENT && has_tile && ((first + CELLS) % SEGMENT == 0 || first + CELLS >= all))
      carry_tile(a, out, batch.rest + first_element, work.d, first < SEGMENT, first + CELLS >= all);
    __syncthreads(); /* the panels are taken */
  }
  if (!has_tile)
    return;
  if (f == g)
    batch.largest[slot * (work.d / EDGE) + f / EDGE] = largest_in(work, a, f);
  complete_tile(work, a, f, g, static_cast<float>(scale_of(work, row) * work.lambda),
                static_cast<float>(inverse_pivot(work, batch.scalar[2 * slot])),
                batch.vector_sum + slot * work.d);
  float *const mirror = batch.matrix + slot * work.d * work.d + g * work.d + f;
#pragma unroll
  for (int r = 0; r < EDGE; r++)
#pragma unroll
    for (int c = 0; c < EDGE; c++) {
      out[r * work.d + c] = a.x[r][c];
      if (strip_row != strip_col)
        mirror[c * work.d + r] = a.x[r][c];
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

/* Whether cuSOLVER has solved a system, and well enough. Its decomposition in batches can leave NaN
 * without saying so in `info` (https://github.com/pytorch/pytorch/issues/53879), so the solution is
 * looked at too. */
static __device__ int is_solved(const sweep_work &work, int64_t row, int64_t slot,
                                const batch_view &batch, int info)
{
  PQF_STATIC_SHARED(float, least, 1);
  const int tiles = work.d / EDGE;
  const float *factor = batch.matrix + slot * work.d * work.d;
  double bad = info == 0 ? 0 : 1;
  if (threadIdx.x == 0) {
    float largest = 0;
    for (int n = 0; n < tiles; n++)
      largest = fmaxf(largest, batch.largest[slot * tiles + n]);
    least[0] = least_pivot(static_cast<float>(scale_of(work, row) * work.lambda), largest,
                           pivot_share(work, row));
  }
  __syncthreads();
  for (int f = static_cast<int>(threadIdx.x); f < work.k; f += static_cast<int>(blockDim.x)) {
    const float root = factor[f * (work.d + 1)];
    bad += isfinite(batch.right_side[slot * work.d + f]) && root * root > least[0] ? 0 : 1;
  }
  return block_sum(bad) == 0;
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
  else if (info == nullptr || is_solved(work, row, slot, batch, info[slot]))
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
  const device_als *als = &t->als;
  return {rows,       als->matrix, als->matrix_rest, als->largest, als->right_side, als->vector_sum,
          als->scalar};
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
    else
      TRY(launch(t, "solve_nonnegative", solve_nonnegative, dim3(systems), WARP,
                 t->d * static_cast<int64_t>(sizeof(double)), batch, d));
    TRY(launch(t, "finish_rows", finish_rows, dim3(systems), THREADS, 0, cells, work, batch, info,
               failed));
  }
  return PQF_OK;
}

/* Whether rows go through batches. */
static int uses_batches(const pqf_training *t)
{
  return t->problem.conjugate_gradient_steps == 0 &&
         (t->k > MOST_FACTORS || t->problem.nonnegative);
}

static int has_long_rows(const pqf_training *t)
{
  return t->cells[PQF_ROWS].longest > SEGMENT || t->cells[PQF_COLS].longest > SEGMENT;
}

static int take_batch(pqf_training *t)
{
  device_als *als = &t->als;
  const int64_t d = t->d;
  const int64_t matrices = has_long_rows(t) ? 2 : 1;
  if (!uses_batches(t))
    return PQF_OK;
  als->batch = most(1, BATCH_BYTES / (matrices * d * d * static_cast<int64_t>(sizeof(float))));
  als->batch = least(als->batch, most(t->size[PQF_ROWS], t->size[PQF_COLS]));
  TRY(take(t, &als->matrix, als->batch * d * d));
  if (matrices > 1)
    TRY(take(t, &als->matrix_rest, als->batch * d * d));
  TRY(take(t, &als->largest, als->batch * d / EDGE));
  TRY(take(t, &als->right_side, als->batch * d));
  TRY(take(t, &als->vector_sum, als->batch * d));
  TRY(take(t, &als->scalar, als->batch * 2));
  if (t->problem.nonnegative)
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
