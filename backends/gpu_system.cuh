/* One row's system of alternating least squares, in registers.
 *
 * The matrix (cpu_als.c says what it is made of) is symmetric. Its lower half is cut into tiles of
 * 8 x 8, and each thread of a block holds one: 36 threads for 64 factors, 496 for 248. Factors of
 * the row's cells are gathered into shared memory, a panel at a time, and every thread adds the
 * panel's outer products to its tile:
 *
 *     tile(i, j) += sum over cells of scale q_i q_j',   q_i = q[8 i .. 8 i + 8)
 *
 * Cholesky's decomposition leaves the tiles where they are. For each column j of tiles: the thread
 * of (j, j) factors its tile, those of (i, j) below it solve for theirs, and the column passes
 * through shared memory to the others, to whom it is a panel of eight cells with scale -1. The
 * right side is solved along with it, forwards in the same steps, then backwards.
 *
 * All that is float. Sums of vectors over a row are float within a panel and double between them;
 * those of matrices are float over at most SEGMENT cells. Rows whose matrix may lose in float what
 * their solution depends on (see least_pivot) are told apart, and solved in double by
 * gpu_als_exact.cuh. */
#ifndef PQF_BACKENDS_GPU_SYSTEM_CUH
#define PQF_BACKENDS_GPU_SYSTEM_CUH

#include "gpu_gather.cuh"

constexpr int EDGE = 8;                /* of a tile */
constexpr int CELLS = 32;              /* of a panel */
constexpr float OF_PADS = 1e38F;       /* on the diagonal: a pivot above any least one, x = 0 */
constexpr int64_t SEGMENT = 1024;      /* cells whose matrices are summed in float */
constexpr unsigned MOST_THREADS = 512; /* with 128 registers each */
constexpr int MOST_FACTORS = 248;      /* 31 x 32 / 2 tiles */
constexpr int MOST_TILES = MOST_FACTORS / EDGE; /* in a column */

/* What all rows of a half-sweep share. */
struct sweep_work {
  const float *other;      /* factors of the other side */
  const float *other_bias; /* of the other side */
  float *own;
  float *own_bias;
  const double *row_scale; /* NULL: 1 */
  const float *base;       /* d x d: share gram; NULL: nothing */
  const double *gram;      /* k x k */
  double share;
  double lambda;
  double bias_lambda;
  double confidence;
  double unobserved_weight;
  float mean;
  float mean_rest; /* the mean less `mean` */
  int32_t objective;
  int32_t all_zeros; /* zeros are charged to present cells too */
  int32_t has_bias;
  int32_t needs_update; /* 0: every scale is 0 */
  int32_t k;
  int32_t d;
  int32_t steps;         /* of conjugate gradient */
  const int64_t *offset; /* of the rows' cells */
  int64_t other_rows;
  int64_t first_row; /* the range that is asked for */
  int64_t end_row;
};

struct tile {
  float x[EDGE][EDGE];
};

/* How a cell enters the system: the scale of q q' and the target of q. */
struct cell_terms {
  float scale;
  float target;
};

static __device__ __forceinline__ cell_terms terms_of(const sweep_work &work,
                                                      const cells_view &cells, int64_t n,
                                                      int32_t index)
{
  const float value = __ldg(cells.value + n);
  const float weight = weight_of(cells, n);
  if (work.objective == PQF_OBJECTIVE_OBSERVED)
    return {weight,
            weight * ((value - work.mean - work.mean_rest) - __ldg(work.other_bias + index))};
  if (work.objective == PQF_OBJECTIVE_SQUARED)
    return {weight - 1, weight * value};
  const double c = static_cast<double>(weight) * (1 + work.confidence * static_cast<double>(value));
  return {static_cast<float>(work.all_zeros ? c : c - work.unobserved_weight),
          static_cast<float>(c)};
}

static __device__ __forceinline__ double scale_of(const sweep_work &work, int64_t row)
{
  return work.row_scale != nullptr ? work.row_scale[row] : 1;
}

/* A block's place in shared memory for one system. */
struct system_space {
  float *panel;         /* CELLS x d; later a column of tiles, turned round: 8 x d */
  float *right_side;    /* d, behind that column; the solution takes its place */
  float *vector_sum;    /* d, behind that */
  double *right_total;  /* d */
  double *vector_total; /* d: sum of scale q */
  double *bias_totals;  /* 2: sums of scales and of targets */
  float *scale;         /* CELLS */
  float *target;        /* CELLS */
  int32_t *index;       /* CELLS */
};

static __host__ __device__ __forceinline__ int64_t system_floats(int64_t d)
{
  return (CELLS + 4) * d + 3 * CELLS + 4;
}

static __device__ __forceinline__ system_space space_in(float *shared, int d)
{
  float *const terms = shared + (CELLS + 4) * d + 4;
  double *const totals = reinterpret_cast<double *>(shared + CELLS * d);
  return {shared, shared + EDGE * d, shared + (EDGE + 1) * d,
          totals, totals + d,        totals + 2 * d,
          terms,  terms + CELLS,     reinterpret_cast<int32_t *>(terms + 2 * CELLS)};
}

/* tile += sign left right', over `rows` rows of a panel with step d. */
static __device__ __forceinline__ void add_panel(tile &a, const float *left, const float *right,
                                                 const float *scale, int rows, int d)
{
  for (int n = 0; n < rows; n++) {
    quad l[2];
    quad r[2];
    for (int part = 0; part < 2; part++) {
      l[part] = *reinterpret_cast<const quad *>(left + n * d + 4 * part);
      r[part] = *reinterpret_cast<const quad *>(right + n * d + 4 * part);
    }
    const float factor = scale != nullptr ? scale[n] : -1.0F;
#pragma unroll
    for (int row = 0; row < EDGE; row++) {
      const float scaled = factor * l[row / 4].x[row % 4];
#pragma unroll
      for (int col = 0; col < EDGE; col++)
        a.x[row][col] = fmaf(scaled, r[col / 4].x[col % 4], a.x[row][col]);
    }
  }
}

/* Gathers up to CELLS cells from `first` on: terms and factors. */
static __device__ __forceinline__ void gather_panel(const sweep_work &work, const cells_view &cells,
                                                    int64_t first, int count,
                                                    const system_space &space)
{
  const int thread = static_cast<int>(threadIdx.x);
  if (thread < count) {
    const int32_t index = __ldg(cells.index + first + thread);
    const cell_terms terms = terms_of(work, cells, first + thread, index);
    space.index[thread] = index;
    space.scale[thread] = terms.scale;
    space.target[thread] = terms.target;
  }
  __syncthreads();
  for (int n = warp_number(); n < count; n += warp_count()) {
    const quad *from =
        reinterpret_cast<const quad *>(work.other + static_cast<int64_t>(space.index[n]) * work.d);
    quad *to = reinterpret_cast<quad *>(space.panel + n * work.d);
    for (int c = lane_number(); c < work.d / 4; c += WARP)
      to[c] = from[c];
  }
  __syncthreads();
}

/* Adds a panel's scales and targets to the totals: a warp's work. */
static __device__ __forceinline__ void add_terms(const system_space &space, int count)
{
  const int n = lane_number();
  const double scale = warp_sum(n < count ? static_cast<double>(space.scale[n]) : 0);
  const double target = warp_sum(n < count ? static_cast<double>(space.target[n]) : 0);
  if (n == 0) {
    space.bias_totals[0] += scale;
    space.bias_totals[1] += target;
  }
}

static __device__ __forceinline__ void clear_totals(const sweep_work &work,
                                                    const system_space &space)
{
  for (int n = static_cast<int>(threadIdx.x); n < 2 * work.d + 2; n += static_cast<int>(blockDim.x))
    space.right_total[n] = 0; /* the others lie behind it */
  __syncthreads();
}

/* Adds the cells [begin, end) of a row to the tile and to the totals. */
static __device__ __forceinline__ void add_cells(const sweep_work &work, const cells_view &cells,
                                                 int64_t begin, int64_t end,
                                                 const system_space &space, tile &a, int i, int j,
                                                 int has_tile)
{
  const int threads = static_cast<int>(blockDim.x);
  const int all = static_cast<int>(end - begin);
  for (int first = 0; first < all; first += CELLS) {
    const int count = all - first < CELLS ? all - first : CELLS;
    gather_panel(work, cells, begin + first, count, space);
    for (int f = static_cast<int>(threadIdx.x); f < work.d; f += threads) {
      float right = 0;
      float sum = 0;
      for (int n = 0; n < count; n++) {
        const float q = space.panel[n * work.d + f];
        right = fmaf(space.target[n], q, right);
        sum = fmaf(space.scale[n], q, sum);
      }
      space.right_total[f] += static_cast<double>(right);
      space.vector_total[f] += static_cast<double>(sum);
    }
    if (work.has_bias && warp_number() == 0)
      add_terms(space, count);
    if (work.needs_update && has_tile)
      add_panel(a, space.panel + EDGE * i, space.panel + EDGE * j, space.scale, count, work.d);
    __syncthreads(); /* the panel is taken */
  }
}

static __device__ __forceinline__ double bias_pivot(const sweep_work &work, int64_t row,
                                                    double scale_sum)
{
  return scale_sum + scale_of(work, row) * work.bias_lambda;
}

static __device__ __forceinline__ double inverse_pivot(const sweep_work &work, double pivot)
{
  return work.has_bias && pivot > 0 ? 1 / pivot : 0;
}

/* Whether a decomposition in float is good enough: every pivot must be above `least_pivot`.
 * `largest` is the largest diagonal element of the matrix, before the bias is eliminated and
 * without what cancels in it: rounding leaves errors of a few times eps `largest`. Where lambda is
 * far above them they move the solution by a small part of what lambda does. Where it is not, the
 * row itself must determine every direction. Good pivots, of `pivot_share` of `largest`, show that
 * if it has many more terms than unknowns; with about as many the matrix can be close to singular,
 * and no pivot tell of it. */
constexpr float FLOAT_ROUNDING = 1.1920929e-7F;

static __device__ __forceinline__ float pivot_share(const sweep_work &work, int64_t row)
{
  const int64_t terms = work.objective == PQF_OBJECTIVE_OBSERVED
                            ? work.offset[row + 1] - work.offset[row]
                            : work.other_rows;
  return terms > 4 * work.k ? 65536 * FLOAT_ROUNDING : INFINITY;
}

static __device__ __forceinline__ float least_pivot(float lambda, float largest, float share)
{
  return lambda > 256 * FLOAT_ROUNDING * largest ? 0.0F : share * largest;
}

/* The largest element of a tile on the diagonal, before it is completed. */
static __device__ __forceinline__ float largest_in(const sweep_work &work, const tile &a, int f)
{
  float largest = 0;
#pragma unroll
  for (int r = 0; r < EDGE; r++)
    if (f + r < work.k)
      largest = fmaxf(largest, fabsf(a.x[r][r]) + (work.base != nullptr
                                                       ? __ldg(work.base + (f + r) * (work.d + 1))
                                                       : 0.0F));
  return largest;
}

/* Completes the tile of elements (f + r, g + c): what all rows share, lambda, and the elimination
 * of the bias. */
static __device__ __forceinline__ void complete_tile(const sweep_work &work, tile &a, int f, int g,
                                                     float lambda, float inverse,
                                                     const float *vector_sum)
{
  if (work.base != nullptr)
#pragma unroll
    for (int r = 0; r < EDGE; r++)
#pragma unroll
      for (int c = 0; c < EDGE; c++)
        a.x[r][c] += __ldg(work.base + (f + r) * work.d + g + c);
  if (f == g)
#pragma unroll
    for (int r = 0; r < EDGE; r++)
      a.x[r][r] += f + r < work.k ? lambda : OF_PADS;
  if (work.has_bias)
#pragma unroll
    for (int r = 0; r < EDGE; r++) {
      const float scaled = inverse * vector_sum[f + r];
#pragma unroll
      for (int c = 0; c < EDGE; c++)
        a.x[r][c] -= scaled * vector_sum[g + c];
    }
}

/* Element f of the right side when the bias has been eliminated. */
static __device__ __forceinline__ double without_bias(double right, double vector_sum,
                                                      double target_sum, double inverse)
{
  return right - vector_sum * target_sum * inverse;
}

/* What all threads need of a row when its sums are there. One of them finds it, for the others have
 * no registers left. */
struct row_terms {
  double inverse; /* of the bias's pivot, or 0 */
  float lambda;
  float least; /* pivot_share, then least_pivot */
};

/* Right side and vector sum in float from the totals, and what of *terms comes from those. */
static __device__ __forceinline__ void complete_vectors(const sweep_work &work, int64_t row,
                                                        const system_space &space, row_terms *terms)
{
  if (threadIdx.x == 0) {
    terms->inverse = inverse_pivot(work, bias_pivot(work, row, space.bias_totals[0]));
    terms->lambda = static_cast<float>(scale_of(work, row) * work.lambda);
    terms->least = pivot_share(work, row);
  }
  __syncthreads();
  for (int f = static_cast<int>(threadIdx.x); f < work.d; f += static_cast<int>(blockDim.x)) {
    space.right_side[f] = static_cast<float>(without_bias(
        space.right_total[f], space.vector_total[f], space.bias_totals[1], terms->inverse));
    space.vector_sum[f] = static_cast<float>(space.vector_total[f]);
  }
}

/* Completes the tiles behind that. `least` is found by thread 0, which is the first to use it. */
static __device__ __forceinline__ void complete_tiles(const sweep_work &work,
                                                      const system_space &space, tile &a, int i,
                                                      int j, int has_tile, row_terms *terms)
{
  PQF_STATIC_SHARED(float, largest, MOST_TILES);
  if (has_tile && i == j)
    largest[i] = largest_in(work, a, EDGE * i);
  __syncthreads();
  if (threadIdx.x == 0) {
    float most = 0;
    for (int n = 0; n < work.d / EDGE; n++)
      most = fmaxf(most, largest[n]);
    terms->least = least_pivot(terms->lambda, most, terms->least);
  }
  if (has_tile)
    complete_tile(work, a, EDGE * i, EDGE * j, terms->lambda, static_cast<float>(terms->inverse),
                  space.vector_sum);
}

/* L of a tile on the diagonal; the elements of the diagonal become inverse. 0: a pivot is not above
 * `least`. */
static __device__ __forceinline__ int factor_tile(tile &a, float least)
{
  int is_good = 1;
#pragma unroll
  for (int c = 0; c < EDGE; c++) {
    is_good = is_good && a.x[c][c] > least;
    const float inverse = rsqrtf(a.x[c][c]);
    a.x[c][c] = inverse;
#pragma unroll
    for (int r = c + 1; r < EDGE; r++)
      a.x[r][c] *= inverse;
#pragma unroll
    for (int below = c + 1; below < EDGE; below++)
#pragma unroll
      for (int r = below; r < EDGE; r++)
        a.x[r][below] = fmaf(-a.x[r][c], a.x[below][c], a.x[r][below]);
  }
  return is_good;
}

/* X of X L' = A for a tile below the diagonal, L in `diagonal` as factor_tile leaves it. */
static __device__ __forceinline__ void solve_tile(tile &a, const float *diagonal)
{
#pragma unroll
  for (int c = 0; c < EDGE; c++) {
#pragma unroll
    for (int n = 0; n < c; n++) {
      const float l = diagonal[c * EDGE + n];
#pragma unroll
      for (int r = 0; r < EDGE; r++)
        a.x[r][c] = fmaf(-a.x[r][n], l, a.x[r][c]);
    }
    const float inverse = diagonal[c * EDGE + c];
#pragma unroll
    for (int r = 0; r < EDGE; r++)
      a.x[r][c] *= inverse;
  }
}

/* y of L y = b for the tile on the diagonal, in place. */
static __device__ __forceinline__ void solve_forward(const tile &a, float *b)
{
  float y[EDGE];
#pragma unroll
  for (int r = 0; r < EDGE; r++) {
    float sum = b[r];
#pragma unroll
    for (int c = 0; c < r; c++)
      sum = fmaf(-a.x[r][c], y[c], sum);
    y[r] = sum * a.x[r][r];
    b[r] = y[r];
  }
}

/* x of L' x = y, in place. */
static __device__ __forceinline__ void solve_backward(const tile &a, float *y)
{
  float x[EDGE];
#pragma unroll
  for (int r = EDGE - 1; r >= 0; r--) {
    float sum = y[r];
#pragma unroll
    for (int c = r + 1; c < EDGE; c++)
      sum = fmaf(-a.x[c][r], x[c], sum);
    x[r] = sum * a.x[r][r];
    y[r] = x[r];
  }
}

/* One step of the decomposition, column j of tiles: the thread's own tile is (i, m). */
static __device__ __forceinline__ void factor_column(tile &a, int i, int m, int has_tile, int j,
                                                     int d, float *diagonal,
                                                     const system_space &space)
{
  if (has_tile && m == j && i > j) {
    solve_tile(a, diagonal);
    float *const right = space.right_side + EDGE * i;
#pragma unroll
    for (int r = 0; r < EDGE; r++) {
      float sum = right[r];
#pragma unroll
      for (int c = 0; c < EDGE; c++) {
        space.panel[c * d + EDGE * i + r] = a.x[r][c];
        sum = fmaf(-a.x[r][c], space.right_side[EDGE * j + c], sum);
      }
      right[r] = sum;
    }
  }
  __syncthreads();
  if (has_tile && m > j)
    add_panel(a, space.panel + EDGE * i, space.panel + EDGE * m, nullptr, EDGE, d);
  __syncthreads();
}

/* Solves the system in place of right_side; 0, for every thread, if a pivot is not above `least`.
 * (i, m): the thread's own tile. */
static __device__ __forceinline__ int solve_system(tile &a, int i, int m, int has_tile, int tiles,
                                                   int d, const float *least,
                                                   const system_space &space)
{
  PQF_STATIC_SHARED(float, diagonal, EDGE *EDGE);
  PQF_STATIC_SHARED(int, is_good, 1);
  for (int j = 0; j < tiles; j++) {
    if (has_tile && i == j && m == j) {
      is_good[0] = factor_tile(a, *least);
#pragma unroll
      for (int r = 0; r < EDGE; r++)
#pragma unroll
        for (int c = 0; c <= r; c++)
          diagonal[r * EDGE + c] = a.x[r][c];
      solve_forward(a, space.right_side + EDGE * j);
    }
    __syncthreads();
    if (!is_good[0])
      return 0;
    factor_column(a, i, m, has_tile, j, d, diagonal, space);
  }
  for (int j = tiles - 1; j >= 0; j--) {
    if (has_tile && i == j && m == j)
      solve_backward(a, space.right_side + EDGE * j);
    __syncthreads();
    if (has_tile && i == j && m < j) {
      const float *const x = space.right_side + EDGE * j;
#pragma unroll
      for (int c = 0; c < EDGE; c++) {
        float sum = space.right_side[EDGE * m + c];
#pragma unroll
        for (int r = 0; r < EDGE; r++)
          sum = fmaf(-a.x[r][c], x[r], sum);
        space.right_side[EDGE * m + c] = sum;
      }
    }
    __syncthreads();
  }
  return 1;
}

/* Writes x and the bias of a row. */
template <class number>
static __device__ __forceinline__ void finish_row(const sweep_work &work, int64_t row,
                                                  const float *x, const number *vector_sum,
                                                  double pivot, double target_sum)
{
  for (int f = static_cast<int>(threadIdx.x); f < work.d; f += static_cast<int>(blockDim.x))
    work.own[row * work.d + f] = f < work.k ? x[f] : 0.0F;
  if (!work.has_bias || warp_number() != 0)
    return;
  const double inner = warp_exact_dot(vector_sum, x, work.d);
  if (lane_number() == 0)
    work.own_bias[row] = pivot > 0 ? static_cast<float>((target_sum - inner) / pivot) : 0.0F;
}

static __device__ __forceinline__ void clear_row(const sweep_work &work, int64_t row)
{
  for (int f = static_cast<int>(threadIdx.x); f < work.d; f += static_cast<int>(blockDim.x))
    work.own[row * work.d + f] = 0;
  if (threadIdx.x == 0)
    work.own_bias[row] = 0;
}

/* The tile of a thread: number i (i + 1) / 2 + j of the lower half. */
static __device__ __forceinline__ void tile_place(int number, int *i, int *j)
{
  int row = static_cast<int>((sqrtf(8.0F * static_cast<float>(number) + 1.0F) - 1.0F) / 2.0F);
  while (row * (row + 1) / 2 > number)
    row--;
  while ((row + 1) * (row + 2) / 2 <= number)
    row++;
  *i = row;
  *j = number - row * (row + 1) / 2;
}

#endif
