/* Exact solutions, a block a row: gathers, builds, factors and solves without leaving the
 * multiprocessor. Rows come longest first; the cells of the very long ones are shared out to
 * several blocks, whose sums another kernel adds up in order before it solves. */
#ifndef PQF_BACKENDS_GPU_ALS_ROWS_CUH
#define PQF_BACKENDS_GPU_ALS_ROWS_CUH

#include "gpu_system.cuh"

constexpr int64_t WIDE_CELLS = 2048; /* a power of two: rows of at least as many are split ... */
constexpr int64_t PARTS = 32;        /* ... into as many parts */
constexpr int64_t PART_BYTES = INT64_C(64) << 20; /* of the sums of all rows at a time */

/* Rows whose matrix is not positive definite in float. */
struct failed_rows {
  int32_t *row;
  int32_t *count;
};

static __host__ __device__ __forceinline__ int64_t tile_number(int64_t d)
{
  return (d / EDGE) * (d / EDGE + 1) / 2;
}

static unsigned system_threads(int64_t d)
{
  return static_cast<unsigned>(round_up(tile_number(d), WARP));
}

/* Tiles, right side, vector sum, two doubles. */
static __host__ __device__ __forceinline__ int64_t part_floats(int64_t d)
{
  return EDGE * EDGE * tile_number(d) + 2 * d + 4;
}

static __device__ __forceinline__ void append(const failed_rows &failed, int64_t row)
{
#ifdef PQF_BUG_NO_ATOMIC
  failed.row[(*failed.count)++] = static_cast<int32_t>(row);
#else
  failed.row[atomicAdd(failed.count, 1)] = static_cast<int32_t>(row);
#endif
}

static __device__ __forceinline__ int is_wanted(const sweep_work &work, int64_t row)
{
  return row >= work.first_row && row < work.end_row;
}

/* Completes, solves and writes a row whose sums are there. */
static __device__ __forceinline__ void solve_row(const sweep_work &work, int64_t row,
                                                 const bias_sums &sums, const system_space &space,
                                                 tile &a, int i, int j, int has_tile,
                                                 const failed_rows &failed)
{
  const double pivot = complete_system(work, row, sums, space, a, i, j, has_tile);
  if (solve_system(a, i, j, has_tile, work.d / EDGE, work.d, space))
    finish_row(work, row, space.right_side, space.vector_sum, pivot, sums.target);
  else if (threadIdx.x == 0)
    append(failed, row);
}

static __global__ void __launch_bounds__(MOST_THREADS)
    solve_rows(cells_view cells, sweep_work work, const int32_t *order, failed_rows failed)
{
  PQF_DYNAMIC_SHARED(float, shared);
  const int64_t row = order[blockIdx.x];
  const int64_t begin = cells.offset[row] - cells.base;
  const int64_t end = cells.offset[row + 1] - cells.base;
  if (!is_wanted(work, row))
    return;
  if (begin == end) {
    clear_row(work, row);
    return;
  }
  const system_space space = space_in(shared, work.d);
  const int has_tile = threadIdx.x < tile_number(work.d);
  int i = 0;
  int j = 0;
  tile a = {};
  tile_place(static_cast<int>(threadIdx.x), &i, &j);
  const bias_sums sums = add_cells(work, cells, begin, end, space, a, i, j, has_tile);
  solve_row(work, row, sums, space, a, i, j, has_tile, failed);
}

/* Elements of a tile lie `step` apart, so that threads side by side meet in memory. */
static __device__ __forceinline__ void store_tile(float *to, int64_t step, const tile &a)
{
#pragma unroll
  for (int r = 0; r < EDGE; r++)
#pragma unroll
    for (int c = 0; c < EDGE; c++, to += step)
      *to = a.x[r][c];
}

static __device__ __forceinline__ void add_tile(tile &a, const float *from, int64_t step)
{
#pragma unroll
  for (int r = 0; r < EDGE; r++)
#pragma unroll
    for (int c = 0; c < EDGE; c++, from += step)
      a.x[r][c] += *from;
}

/* Part blockIdx.x of row order[blockIdx.y]. */
static __global__ void __launch_bounds__(MOST_THREADS)
    sum_parts_of_rows(cells_view cells, sweep_work work, const int32_t *order, float *part)
{
  PQF_DYNAMIC_SHARED(float, shared);
  const int64_t row = order[blockIdx.y];
  const int64_t first = cells.offset[row] - cells.base;
  const int64_t last = cells.offset[row + 1] - cells.base;
  const int64_t length = ((last - first) / PARTS / CELLS + 1) * CELLS;
  const int64_t begin = first + blockIdx.x * length < last ? first + blockIdx.x * length : last;
  const int64_t end = begin + length < last ? begin + length : last;
  if (!is_wanted(work, row))
    return;
  const system_space space = space_in(shared, work.d);
  const int64_t tiles = tile_number(work.d);
  const int has_tile = threadIdx.x < tiles;
  int i = 0;
  int j = 0;
  tile a = {};
  tile_place(static_cast<int>(threadIdx.x), &i, &j);
  const bias_sums sums = add_cells(work, cells, begin, end, space, a, i, j, has_tile);
  __syncthreads();
  float *out = part + (blockIdx.y * PARTS + blockIdx.x) * part_floats(work.d);
  if (has_tile)
    store_tile(out + threadIdx.x, tiles, a);
  float *const vectors = out + EDGE * EDGE * tiles;
  for (int f = static_cast<int>(threadIdx.x); f < 2 * work.d; f += static_cast<int>(blockDim.x))
    vectors[f] = f < work.d ? space.right_side[f] : space.vector_sum[f - work.d];
  double *const scalars = reinterpret_cast<double *>(vectors + 2 * work.d);
  if (threadIdx.x == 0) {
    scalars[0] = sums.scale;
    scalars[1] = sums.target;
  }
}

static __global__ void __launch_bounds__(MOST_THREADS)
    solve_wide_rows(sweep_work work, const int32_t *order, const float *part, failed_rows failed)
{
  PQF_DYNAMIC_SHARED(float, shared);
  const int64_t row = order[blockIdx.x];
  if (!is_wanted(work, row))
    return;
  const system_space space = space_in(shared, work.d);
  const int64_t tiles = tile_number(work.d);
  const int has_tile = threadIdx.x < tiles;
  const int threads = static_cast<int>(blockDim.x);
  int i = 0;
  int j = 0;
  tile a = {};
  bias_sums sums = {0, 0};
  tile_place(static_cast<int>(threadIdx.x), &i, &j);
  for (int f = static_cast<int>(threadIdx.x); f < work.d; f += threads)
    space.right_side[f] = space.vector_sum[f] = 0;
  for (int64_t p = 0; p < PARTS; p++) {
    const float *from = part + (blockIdx.x * PARTS + p) * part_floats(work.d);
    const float *vectors = from + EDGE * EDGE * tiles;
    const double *scalars = reinterpret_cast<const double *>(vectors + 2 * work.d);
    if (has_tile)
      add_tile(a, from + threadIdx.x, tiles);
    for (int f = static_cast<int>(threadIdx.x); f < work.d; f += threads) {
      space.right_side[f] += vectors[f];
      space.vector_sum[f] += vectors[work.d + f];
    }
    sums.scale += scalars[0];
    sums.target += scalars[1];
  }
  __syncthreads();
  solve_row(work, row, sums, space, a, i, j, has_tile, failed);
}

/* Wide rows whose parts have room at a time. */
static int64_t wide_rows_at_a_time(int64_t d)
{
  return most(1, PART_BYTES / (PARTS * part_floats(d) * static_cast<int64_t>(sizeof(float))));
}

/* The rows of a block, of which the first `wide` in `order` are split. */
static int solve_block(pqf_training *t, const cells_view &cells, const sweep_work &work,
                       const int32_t *order, int64_t wide)
{
  const failed_rows failed = {t->als.failed, t->als.failed_count};
  const unsigned threads = system_threads(t->d);
  const int64_t bytes = system_floats(t->d) * static_cast<int64_t>(sizeof(float));
  const int64_t most_rows = wide_rows_at_a_time(t->d);
  for (int64_t first = 0; first < wide; first += most_rows) {
    const unsigned rows = static_cast<unsigned>(least(most_rows, wide - first));
    TRY(launch(t, "sum_parts_of_rows", sum_parts_of_rows, dim3(PARTS, rows), threads, bytes, cells,
               work, order + first, t->als.part));
    TRY(launch(t, "solve_wide_rows", solve_wide_rows, dim3(rows), threads, bytes, work,
               order + first, static_cast<const float *>(t->als.part), failed));
  }
  return launch(t, "solve_rows", solve_rows, dim3(static_cast<unsigned>(cells.rows - wide)),
                threads, bytes, cells, work, order + wide, failed);
}

#endif
