/* Rows whose systems float cannot hold: where lambda is small beside the matrix, or what all rows
 * share cancels against the row's own cells. They are listed by the kernels that find them, and
 * solved here in double: products of factors, which are floats, are then exact.
 *
 * Cholesky's decomposition A = U'U, eight rows of U at a time: a thread takes columns, sums up what
 * the rows above have of its eight elements, and solves for them. The right side is one column
 * more. A pivot that is nothing but rounding marks a direction about which neither the cells nor
 * lambda say anything: its row of U becomes zero and its unknown 0. */
#ifndef PQF_BACKENDS_GPU_ALS_EXACT_CUH
#define PQF_BACKENDS_GPU_ALS_EXACT_CUH

#include "gpu_als_batch.cuh"

constexpr int EXACT_EDGE = 4;                      /* of the tile of a thread */
constexpr int EXACT_STRIP = 64;                    /* rows and columns that a block sums */
constexpr unsigned EXACT_THREADS = 256;            /* (EXACT_STRIP / EXACT_EDGE)^2 */
constexpr int64_t EXACT_BYTES = INT64_C(64) << 20; /* of matrices at a time */
constexpr double EXACT_ROUNDING = 1e-13;           /* of sums in double */
static_assert(EXACT_THREADS == EDGE * WARP, "a warp takes a row of U");

/* The systems of a batch. */
struct exact_view {
  const int32_t *rows;
  double *matrix; /* d x d each, the upper half */
  double *vector; /* 3 d each: right side, sum of scale q, sum of |scale| q^2 */
  double *scalar; /* 2 each: sums of scales and of targets */
};

/* As cell_terms, but without the rounding of w - 1 and c - alpha0, which may be all that a system
 * consists of. */
struct exact_terms {
  double scale;
  double target;
};

static __device__ __forceinline__ exact_terms exact_terms_of(const sweep_work &work,
                                                             const cells_view &cells, int64_t n,
                                                             int32_t index)
{
  const double value = static_cast<double>(__ldg(cells.value + n));
  const double weight = static_cast<double>(weight_of(cells, n));
  if (work.objective == PQF_OBJECTIVE_OBSERVED)
    return {weight,
            weight * (value - static_cast<double>(work.mean) - static_cast<double>(work.mean_rest) -
                      static_cast<double>(__ldg(work.other_bias + index)))};
  if (work.objective == PQF_OBJECTIVE_SQUARED)
    return {weight - 1, weight * value};
  const double c = weight * (1 + work.confidence * value);
  return {work.all_zeros ? c : c - work.unobserved_weight, c};
}

/* ---- Sums
 * ----------------------------------------------------------------------------------------
 */

/* A panel of a row's cells: terms, and one strip of their factors for the rows and one for the
 * columns of a block. */
struct exact_panel {
  double *scale;  /* CELLS */
  double *target; /* CELLS */
  int32_t *index; /* CELLS */
  float *left;    /* CELLS x EXACT_STRIP */
  float *right;
};

static __device__ __forceinline__ void gather_exact_strip(const sweep_work &work, int64_t index,
                                                          int first, float *to)
{
  const float *from = work.other + index * work.d;
  for (int f = lane_number(); f < EXACT_STRIP; f += WARP)
    to[f] = first + f < work.d ? from[first + f] : 0.0F;
}

static __device__ __forceinline__ void gather_exact(const sweep_work &work, const cells_view &cells,
                                                    int64_t first, int count, int left_strip,
                                                    int right_strip, const exact_panel &panel)
{
  const int thread = static_cast<int>(threadIdx.x);
  if (thread < count) {
    const int32_t index = __ldg(cells.index + first + thread);
    const exact_terms terms = exact_terms_of(work, cells, first + thread, index);
    panel.index[thread] = index;
    panel.scale[thread] = terms.scale;
    panel.target[thread] = terms.target;
  }
  __syncthreads();
  for (int n = warp_number(); n < count; n += warp_count()) {
    gather_exact_strip(work, panel.index[n], EXACT_STRIP * left_strip,
                       panel.left + n * EXACT_STRIP);
    gather_exact_strip(work, panel.index[n], EXACT_STRIP * right_strip,
                       panel.right + n * EXACT_STRIP);
  }
  __syncthreads();
}

/* The sums that a thread keeps beside its tile: of element f of the vectors, or of the terms. */
struct exact_sums {
  double right;
  double vector;
  double magnitude;
};

static __device__ __forceinline__ void add_exact_vectors(const exact_panel &panel, int count, int f,
                                                         exact_sums *sums)
{
  for (int n = 0; n < count; n++) {
    const double q = static_cast<double>(panel.left[n * EXACT_STRIP + f]);
    sums->right += panel.target[n] * q;
    sums->vector += panel.scale[n] * q;
    sums->magnitude += fabs(panel.scale[n]) * q * q;
  }
}

static __device__ __forceinline__ void add_exact_terms(const exact_panel &panel, int count,
                                                       exact_sums *sums)
{
  for (int n = 0; n < count; n++) {
    sums->right += panel.target[n];
    sums->vector += panel.scale[n];
  }
}

static __device__ __forceinline__ void add_exact_panel(double (&a)[EXACT_EDGE][EXACT_EDGE],
                                                       const exact_panel &panel, int count, int i,
                                                       int j)
{
  for (int n = 0; n < count; n++) {
    const quad left = *reinterpret_cast<const quad *>(panel.left + n * EXACT_STRIP + i);
    const quad right = *reinterpret_cast<const quad *>(panel.right + n * EXACT_STRIP + j);
#pragma unroll
    for (int r = 0; r < EXACT_EDGE; r++) {
      const double scaled = panel.scale[n] * static_cast<double>(left.x[r]);
#pragma unroll
      for (int c = 0; c < EXACT_EDGE; c++)
        a[r][c] = fma(scaled, static_cast<double>(right.x[c]), a[r][c]);
    }
  }
}

/* Block blockIdx.y of the upper half of the sums of one row. Blocks on the diagonal sum up their
 * strip of the vectors too, and the first one the scalars. */
static __global__ void __launch_bounds__(EXACT_THREADS)
    sum_exact(cells_view cells, sweep_work work, exact_view batch)
{
  PQF_STATIC_SHARED(quad, factors, 2 * CELLS * EXACT_STRIP / 4);
  PQF_STATIC_SHARED(double, terms, 2 * CELLS);
  PQF_STATIC_SHARED(int32_t, index, CELLS);
  float *const strips = factors[0].x;
  const exact_panel panel = {terms, terms + CELLS, index, strips, strips + CELLS * EXACT_STRIP};
  const int64_t slot = blockIdx.x;
  const int64_t row = batch.rows[slot];
  const int64_t begin = cells.offset[row] - cells.base;
  const int64_t end = cells.offset[row + 1] - cells.base;
  const int thread = static_cast<int>(threadIdx.x);
  const int i = thread / (EXACT_STRIP / EXACT_EDGE) * EXACT_EDGE;
  const int j = thread % (EXACT_STRIP / EXACT_EDGE) * EXACT_EDGE;
  int strip_row = 0;
  int strip_col = 0;
  tile_place(static_cast<int>(blockIdx.y), &strip_col, &strip_row);
  const int first_factor = EXACT_STRIP * strip_row;
  const int sums_vectors =
      strip_row == strip_col && thread < EXACT_STRIP && first_factor + thread < work.d;
  const int sums_terms = blockIdx.y == 0 && thread == EXACT_STRIP;
  double a[EXACT_EDGE][EXACT_EDGE] = {};
  exact_sums sums = {0, 0, 0};
  for (int64_t first = begin; first < end; first += CELLS) {
    const int count = static_cast<int>(end - first < CELLS ? end - first : CELLS);
    gather_exact(work, cells, first, count, strip_row, strip_col, panel);
    if (sums_vectors)
      add_exact_vectors(panel, count, thread, &sums);
    if (sums_terms)
      add_exact_terms(panel, count, &sums);
    if (work.needs_update)
      add_exact_panel(a, panel, count, i, j);
    __syncthreads(); /* the panel is taken */
  }
  double *const vector = batch.vector + slot * 3 * work.d + first_factor + thread;
  if (sums_vectors) {
    vector[0] = sums.right;
    vector[work.d] = sums.vector;
    vector[2 * work.d] = sums.magnitude;
  }
  if (sums_terms) {
    batch.scalar[2 * slot] = sums.vector;
    batch.scalar[2 * slot + 1] = sums.right;
  }
  const int f = first_factor + i;
  const int g = EXACT_STRIP * strip_col + j;
  double *const out = batch.matrix + (slot * work.d + f) * work.d + g;
  if (f >= work.d || g >= work.d) /* d is a multiple of a tile's edge */
    return;
#pragma unroll
  for (int r = 0; r < EXACT_EDGE; r++)
#pragma unroll
    for (int c = 0; c < EXACT_EDGE; c++)
      out[r * work.d + c] = a[r][c];
}

/* ---- Solutions
 * -----------------------------------------------------------------------------------
 */

/* One system in global memory. */
struct exact_system {
  double *matrix;     /* d x d: A, then U */
  double *right_side; /* d: then the solution */
  double *vector_sum; /* d */
  double *magnitude;  /* d: of what was summed up for a diagonal element */
  int d;
};

/* What all rows share, lambda, and the elimination of the bias. */
static __device__ __forceinline__ void complete_exact(const sweep_work &work, const exact_system &s,
                                                      double lambda, double inverse,
                                                      double target_sum)
{
  for (int f = warp_number(); f < s.d; f += warp_count())
    for (int g = f + lane_number(); g < s.d; g += WARP) {
      double sum = f < work.k ? 0 : f == g; /* pads: x = 0 */
      if (f < work.k && g < work.k) {
        sum = s.matrix[static_cast<int64_t>(f) * s.d + g] + (f == g ? lambda : 0);
        if (work.base != nullptr)
          sum += work.share * work.gram[static_cast<int64_t>(f) * work.k + g];
        sum -= inverse * s.vector_sum[f] * s.vector_sum[g];
      }
      s.matrix[static_cast<int64_t>(f) * s.d + g] = sum;
    }
  for (int f = static_cast<int>(threadIdx.x); f < work.k; f += static_cast<int>(blockDim.x)) {
    s.right_side[f] = without_bias(s.right_side[f], s.vector_sum[f], target_sum, inverse);
    s.magnitude[f] +=
        lambda +
        (work.base != nullptr ? work.share * work.gram[static_cast<int64_t>(f) * (work.k + 1)] : 0);
  }
  __syncthreads();
}

/* Eight elements of a column, row by row; column d is the right side. */
struct exact_column {
  double *first;
  int64_t step;
};

static __device__ __forceinline__ exact_column column_of(const exact_system &s, int row, int col)
{
  if (col < s.d)
    return {s.matrix + static_cast<int64_t>(row) * s.d + col, s.d};
  return {s.right_side + row, 1};
}

/* A[j .. j + 8, j .. d] less what the rows above have of it; of its first eight columns there is a
 * copy in `corner`. */
static __device__ __forceinline__ void update_rows(const exact_system &s, int j, double *corner)
{
  for (int col = j + static_cast<int>(threadIdx.x); col <= s.d;
       col += static_cast<int>(blockDim.x)) {
    const exact_column own = column_of(s, j, col);
    const exact_column above = column_of(s, 0, col);
    double sum[EDGE];
#pragma unroll
    for (int r = 0; r < EDGE; r++)
      sum[r] = own.first[r * own.step];
    for (int n = 0; n < j; n++) {
      const double *left = s.matrix + static_cast<int64_t>(n) * s.d + j;
      const double u = above.first[n * above.step];
#pragma unroll
      for (int r = 0; r < EDGE; r++)
        sum[r] = fma(-left[r], u, sum[r]);
    }
#pragma unroll
    for (int r = 0; r < EDGE; r++) {
      own.first[r * own.step] = sum[r];
      if (col < j + EDGE)
        corner[r * EDGE + col - j] = sum[r];
    }
  }
}

/* The root of a pivot; 0: nothing is known of its direction. What is not finite stays so. */
static __device__ __forceinline__ double root_of(double pivot, double magnitude)
{
  const double least = EXACT_ROUNDING * magnitude;
  return pivot <= least && isfinite(least) ? 0 : sqrt(pivot);
}

/* u: eight columns of U, its upper half; inverse: 1 / the diagonal, or 0. Every thread does the
 * same. */
static __device__ __forceinline__ void factor_corner(const double *corner, const double *magnitude,
                                                     int k, double (&u)[EDGE][EDGE],
                                                     double (&inverse)[EDGE])
{
#pragma unroll
  for (int r = 0; r < EDGE; r++) {
#pragma unroll
    for (int c = r; c < EDGE; c++) {
      double sum = corner[r * EDGE + c];
#pragma unroll
      for (int n = 0; n < r; n++)
        sum = fma(-u[n][r], u[n][c], sum);
      if (c == r) {
        const double root = root_of(sum, r < k ? magnitude[r] : 0);
        inverse[r] = root == 0 ? 0 : 1 / root;
      }
      u[r][c] = sum * inverse[r];
    }
  }
}

/* Rows j .. j + 8 of U, from what update_rows has left. */
static __device__ __forceinline__ void solve_columns(const exact_system &s, int j,
                                                     const double (&u)[EDGE][EDGE],
                                                     const double (&inverse)[EDGE])
{
  for (int col = j + static_cast<int>(threadIdx.x); col <= s.d;
       col += static_cast<int>(blockDim.x)) {
    const exact_column own = column_of(s, j, col);
    double x[EDGE];
#pragma unroll
    for (int r = 0; r < EDGE; r++) {
      x[r] = own.first[r * own.step];
#pragma unroll
      for (int n = 0; n < r; n++)
        x[r] = fma(-u[n][r], x[n], x[r]);
      x[r] *= inverse[r];
      own.first[r * own.step] = x[r];
    }
  }
}

/* x of U x = y for rows j .. j + 8, those behind them being known: a warp a row, then one thread.
 */
static __device__ __forceinline__ void solve_rows_backward(const exact_system &s, int j)
{
  const int row = j + warp_number();
  const double *u = s.matrix + static_cast<int64_t>(row) * s.d;
  double sum = 0;
  for (int c = j + EDGE + lane_number(); c < s.d; c += WARP)
    sum = fma(u[c], s.right_side[c], sum);
  sum = warp_sum(sum);
  if (lane_number() == 0)
    s.right_side[row] -= sum;
  __syncthreads();
  for (int r = EDGE - 1; threadIdx.x == 0 && r >= 0; r--) {
    const double *own = s.matrix + static_cast<int64_t>(j + r) * s.d + j;
    double rest = s.right_side[j + r];
    for (int c = r + 1; c < EDGE; c++)
      rest = fma(-own[c], s.right_side[j + c], rest);
    s.right_side[j + r] = own[r] == 0 ? 0 : rest / own[r];
  }
  __syncthreads();
}

/* Solves and writes a row: a block a system. */
static __global__ void __launch_bounds__(EXACT_THREADS)
    solve_exact(sweep_work work, exact_view batch)
{
  PQF_STATIC_SHARED(double, corner, EDGE *EDGE);
  const int64_t slot = blockIdx.x;
  const int64_t row = batch.rows[slot];
  const int d = work.d;
  double *const vector = batch.vector + slot * 3 * d;
  const exact_system s = {batch.matrix + slot * d * d, vector, vector + d, vector + 2 * d, d};
  const double target_sum = batch.scalar[2 * slot + 1];
  const double pivot = bias_pivot(work, row, batch.scalar[2 * slot]);
  complete_exact(work, s, scale_of(work, row) * work.lambda, inverse_pivot(work, pivot),
                 target_sum);
  for (int j = 0; j < d; j += EDGE) {
    double u[EDGE][EDGE];
    double inverse[EDGE];
    update_rows(s, j, corner);
    __syncthreads();
    factor_corner(corner, s.magnitude + j, work.k - j, u, inverse);
    solve_columns(s, j, u, inverse);
    __syncthreads(); /* the rows are complete, and the corner is taken */
  }
  for (int j = d - EDGE; j >= 0; j -= EDGE)
    solve_rows_backward(s, j);
  float *const own = work.own + row * d;
  double inner = 0;
  for (int f = static_cast<int>(threadIdx.x); f < d; f += static_cast<int>(blockDim.x)) {
    const float x = f < work.k ? static_cast<float>(s.right_side[f]) : 0.0F;
    own[f] = x;
    inner += s.vector_sum[f] * static_cast<double>(x); /* the bias makes up for its rounding */
  }
  inner = block_sum(inner);
  if (work.has_bias && threadIdx.x == 0)
    work.own_bias[row] = pivot > 0 ? static_cast<float>((target_sum - inner) / pivot) : 0.0F;
}

/* `count` rows of those listed on the device, a batch at a time. */
static int solve_exactly(pqf_training *t, const cells_view &cells, const sweep_work &work,
                         const int32_t *rows, int64_t count)
{
  const device_als *als = &t->als;
  const unsigned strips = static_cast<unsigned>((t->d + EXACT_STRIP - 1) / EXACT_STRIP);
  for (int64_t first = 0; first < count; first += als->exact_batch) {
    const exact_view batch = {rows + first, als->exact_matrix, als->exact_vector,
                              als->exact_scalar};
    const unsigned systems = static_cast<unsigned>(least(als->exact_batch, count - first));
    TRY(launch(t, "sum_exact", sum_exact, dim3(systems, strips * (strips + 1) / 2), EXACT_THREADS,
               0, cells, work, batch));
    TRY(launch(t, "solve_exact", solve_exact, dim3(systems), EXACT_THREADS, 0, work, batch));
  }
  return PQF_OK;
}

static int take_exact(pqf_training *t)
{
  device_als *als = &t->als;
  const int64_t d = t->d;
  if (t->problem.conjugate_gradient_steps > 0 || t->problem.nonnegative)
    return PQF_OK;
  als->exact_batch = most(1, EXACT_BYTES / (d * d * static_cast<int64_t>(sizeof(double))));
  als->exact_batch = least(als->exact_batch, most(t->size[PQF_ROWS], t->size[PQF_COLS]));
  TRY(take(t, &als->exact_matrix, als->exact_batch * d * d));
  TRY(take(t, &als->exact_vector, als->exact_batch * 3 * d));
  return take(t, &als->exact_scalar, als->exact_batch * 2);
}

#endif
