/* Exact solutions, a block a row: gathers, builds, factors and solves without leaving the
 * multiprocessor. Rows come longest first; the cells of the very long ones are shared out to
 * several blocks, whose sums, in double, another kernel adds up in order before it solves. */
#ifndef PQF_BACKENDS_GPU_ALS_ROWS_CUH
#define PQF_BACKENDS_GPU_ALS_ROWS_CUH

#include "gpu_system.cuh"

constexpr int64_t WIDE_CELLS = 2048; /* a power of two: rows of at least as many are split ... */
constexpr int64_t PARTS = 32;        /* ... into as many parts */
constexpr int64_t PART_BYTES = INT64_C(64) << 20; /* of the sums of all rows at a time */

/* Rows that are left to gpu_als_exact.cuh. */
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

/* Tiles, right side, vector sum, sums of scales and of targets. */
static __host__ __device__ __forceinline__ int64_t part_doubles(int64_t d)
{
  return EDGE * EDGE * tile_number(d) + 2 * d + 2;
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

/* Completes, solves and writes a row whose vectors are complete. */
static __device__ __forceinline__ void solve_row(const sweep_work &work, int32_t row,
                                                 const system_space &space, tile &a, int i, int j,
                                                 int has_tile, row_terms *terms,
                                                 const failed_rows &failed)
{
  complete_tiles(work, space, a, i, j, has_tile, terms);
  if (solve_system(a, i, j, has_tile, work.d / EDGE, work.d, &terms->least, space))
    finish_row(work, row, space.right_side, space.vector_total,
               bias_pivot(work, row, space.bias_totals[0]), space.bias_totals[1]);
  else if (threadIdx.x == 0)
    append(failed, row);
}

static __global__ void __launch_bounds__(MOST_THREADS)
    solve_rows(cells_view cells, sweep_work work, const int32_t *order, failed_rows failed)
{
  PQF_DYNAMIC_SHARED(float, shared);
  PQF_STATIC_SHARED(row_terms, terms, 1);
  const int32_t row = order[blockIdx.x];
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
  clear_totals(work, space);
  add_cells(work, cells, begin, end, space, a, i, j, has_tile);
  complete_vectors(work, row, space, terms);
  solve_row(work, row, space, a, i, j, has_tile, terms, failed);
}

/* Elements of a tile lie `step` apart, so that threads side by side meet in memory. */
static __device__ __forceinline__ void put_tile(double *to, int step, const tile &a, int begins)
{
#pragma unroll
  for (int r = 0; r < EDGE; r++)
#pragma unroll
    for (int c = 0; c < EDGE; c++) {
      double *const element = to + (EDGE * r + c) * step;
      *element = (begins ? 0 : *element) + static_cast<double>(a.x[r][c]);
    }
}

/* Part blockIdx.x of row order[blockIdx.y]. */
static __global__ void __launch_bounds__(MOST_THREADS)
    sum_parts_of_rows(cells_view cells, sweep_work work, const int32_t *order, double *part)
{
  PQF_DYNAMIC_SHARED(float, shared);
  const int32_t row = order[blockIdx.y];
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
  tile_place(static_cast<int>(threadIdx.x), &i, &j);
  double *const out = part + (blockIdx.y * PARTS + blockIdx.x) * part_doubles(work.d);
  clear_totals(work, space);
  for (int64_t from = begin; from == begin || from < end; from += SEGMENT) {
    tile a = {};
    add_cells(work, cells, from, from + SEGMENT < end ? from + SEGMENT : end, space, a, i, j,
              has_tile);
    if (has_tile)
      put_tile(out + threadIdx.x, static_cast<int>(tiles), a, from == begin);
  }
  double *const totals = out + EDGE * EDGE * tiles;
  for (int n = static_cast<int>(threadIdx.x); n < 2 * work.d + 2; n += static_cast<int>(blockDim.x))
    totals[n] = space.right_total[n]; /* the others lie behind it */
}

/* Adds the later parts of row number blockIdx.y to its first, `length` elements each. */
static __global__ void add_parts_of_rows(double *part, int64_t length)
{
  const int64_t n = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  double *const own = part + blockIdx.y * PARTS * length + n;
  if (n >= length)
    return;
  double sum = own[0];
  for (int64_t p = 1; p < PARTS; p++)
    sum += own[p * length];
  own[0] = sum;
}

static __device__ __forceinline__ void get_tile(tile &a, const double *from, int64_t step)
{
#pragma unroll
  for (int r = 0; r < EDGE; r++)
#pragma unroll
    for (int c = 0; c < EDGE; c++, from += step)
      a.x[r][c] = static_cast<float>(*from);
}

static __global__ void __launch_bounds__(MOST_THREADS)
    solve_wide_rows(sweep_work work, const int32_t *order, const double *part, failed_rows failed)
{
  PQF_DYNAMIC_SHARED(float, shared);
  PQF_STATIC_SHARED(row_terms, terms, 1);
  const int32_t row = order[blockIdx.x];
  if (!is_wanted(work, row))
    return;
  const system_space space = space_in(shared, work.d);
  const int tiles = static_cast<int>(tile_number(work.d));
  const int has_tile = static_cast<int>(threadIdx.x) < tiles;
  const double *sums = part + blockIdx.x * PARTS * part_doubles(work.d);
  int i = 0;
  int j = 0;
  tile a = {};
  tile_place(static_cast<int>(threadIdx.x), &i, &j);
  for (int n = static_cast<int>(threadIdx.x); n < 2 * work.d + 2; n += static_cast<int>(blockDim.x))
    space.right_total[n] = sums[EDGE * EDGE * tiles + n];
  __syncthreads();
  complete_vectors(work, row, space, terms);
  if (has_tile)
    get_tile(a, sums + threadIdx.x, tiles);
  solve_row(work, row, space, a, i, j, has_tile, terms, failed);
}

/* Wide rows whose parts have room at a time. */
static int64_t wide_rows_at_a_time(int64_t d)
{
  return most(1, PART_BYTES / (PARTS * part_doubles(d) * static_cast<int64_t>(sizeof(double))));
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
    TRY(launch(t, "add_parts_of_rows", add_parts_of_rows,
               dim3(blocks_for(part_doubles(t->d), THREADS), rows), THREADS, 0, t->als.part,
               part_doubles(t->d)));
    TRY(launch(t, "solve_wide_rows", solve_wide_rows, dim3(rows), threads, bytes, work,
               order + first, static_cast<const double *>(t->als.part), failed));
  }
  return launch(t, "solve_rows", solve_rows, dim3(static_cast<unsigned>(cells.rows - wide)),
                threads, bytes, cells, work, order + wide, failed);
}

#endif
