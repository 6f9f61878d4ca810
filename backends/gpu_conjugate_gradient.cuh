/* Conjugate gradient for one row's system, in the place of an exact solution: a block a row. It
 * starts from the row's present factors and never forms the matrix (cpu_conjugate_gradient.c has
 * the formulas):
 *
 *     A x = base x + lambda x + sum over cells of scale q (q.x + b), b the best bias for x */
#ifndef PQF_BACKENDS_GPU_CONJUGATE_GRADIENT_CUH
#define PQF_BACKENDS_GPU_CONJUGATE_GRADIENT_CUH

#include "gpu_als_rows.cuh"

/* The row at work. Sums of the warps: see gpu_gather.cuh. */
struct gradient_row {
  int64_t row;
  int64_t begin;
  int64_t end;
  float *sums;
};

/* What the best bias for x is had from: (target_sum - vector_sum.x) / pivot. */
struct gradient_bias {
  const float *vector_sum;
  double target_sum;
  double pivot; /* 0: there is none */
};

static __device__ double inner(const float *a, const float *b, int d)
{
  double sum = 0;
  for (int f = static_cast<int>(threadIdx.x); f < d; f += static_cast<int>(blockDim.x))
    sum += static_cast<double>(a[f]) * static_cast<double>(b[f]);
  return block_sum(sum);
}

/* a = shrink a + factor b; each thread has elements of its own. */
static __device__ void combine(float *a, double shrink, double factor, const float *b, int d)
{
  for (int f = static_cast<int>(threadIdx.x); f < d; f += static_cast<int>(blockDim.x))
    a[f] = static_cast<float>(shrink) * a[f] + static_cast<float>(factor) * b[f];
}

static __device__ void fill(float *a, float value, int d)
{
  for (int f = static_cast<int>(threadIdx.x); f < d; f += static_cast<int>(blockDim.x))
    a[f] = value;
}

/* out = A x */
static __device__ void multiply(const cells_view &cells, const sweep_work &work,
                                const gradient_row &r, const gradient_bias &eliminated,
                                const float *x, float *out)
{
  const int d = work.d;
  const float lambda = static_cast<float>(scale_of(work, r.row) * work.lambda);
  __syncthreads(); /* x is complete */
  const float bias =
      eliminated.pivot > 0
          ? static_cast<float>(-inner(eliminated.vector_sum, x, d) / eliminated.pivot)
          : 0;
  gather_shares(cells, r.begin, r.end, work.other, d, r.sums, [&](int64_t n, int32_t index) {
    const float dot = warp_dot(work.other + static_cast<int64_t>(index) * d, x, d);
    return terms_of(work, cells, n, index).scale * (dot + bias);
  });
  __syncthreads();
  for (int f = static_cast<int>(threadIdx.x); f < d; f += static_cast<int>(blockDim.x)) {
    float sum = lambda * x[f];
    if (work.base != nullptr)
      for (int g = 0; g < d; g++)
        sum = fmaf(__ldg(work.base + g * d + f), x[g], sum);
    out[f] = sum + sum_shares(r.sums, d, f);
  }
}

/* out = the sum over cells of coefficient q; returns that of the coefficients. */
template <class rule>
static __device__ double sum_cells(const cells_view &cells, const sweep_work &work,
                                   const gradient_row &r, float *out, rule coefficient)
{
  double sum = 0;
  gather_shares(cells, r.begin, r.end, work.other, work.d, r.sums, [&](int64_t n, int32_t index) {
    const float value = coefficient(terms_of(work, cells, n, index));
    sum += lane_number() == 0 ? static_cast<double>(value) : 0;
    return value;
  });
  __syncthreads();
  for (int f = static_cast<int>(threadIdx.x); f < work.d; f += static_cast<int>(blockDim.x))
    out[f] = sum_shares(r.sums, work.d, f);
  return block_sum(sum);
}

/* right_side = the sum of target q, less vector_sum target_sum / pivot. */
static __device__ gradient_bias fill_right_side(const cells_view &cells, const sweep_work &work,
                                                const gradient_row &r, float *vector_sum,
                                                float *right_side)
{
  gradient_bias eliminated = {vector_sum, 0, 0};
  eliminated.target_sum =
      sum_cells(cells, work, r, right_side, [](const cell_terms &terms) { return terms.target; });
  if (!work.has_bias)
    return eliminated;
  eliminated.pivot =
      sum_cells(cells, work, r, vector_sum, [](const cell_terms &terms) { return terms.scale; }) +
      scale_of(work, r.row) * work.bias_lambda;
  if (eliminated.pivot > 0)
    combine(right_side, 1, -eliminated.target_sum / eliminated.pivot, vector_sum, work.d);
  return eliminated;
}

/* A power of 2 that brings a vector of this square length near 1. */
static __device__ double scale_for(double square)
{
  int exponent = 0;
  frexp(square, &exponent);
  exponent /= 2;
  return ldexp(1.0, exponent > 120 ? -120 : exponent < -120 ? 120 : -exponent);
}

static __host__ __device__ __forceinline__ int64_t conjugate_gradient_floats(int64_t d,
                                                                             unsigned threads)
{
  return 4 * d + gather_floats(d, threads);
}

static __global__ void conjugate_gradient(cells_view cells, sweep_work work, const int32_t *order)
{
  PQF_DYNAMIC_SHARED(float, shared);
  const int d = work.d;
  const int64_t row = order[blockIdx.x];
  const gradient_row r = {row, cells.offset[row] - cells.base, cells.offset[row + 1] - cells.base,
                          shared + 4 * d};
  if (!is_wanted(work, row))
    return;
  if (r.begin == r.end) {
    clear_row(work, row);
    return;
  }
  float *const x = work.own + row * d;
  float *const residual = shared;
  float *const direction = shared + d;
  float *const product = shared + 2 * d;
  const gradient_bias eliminated = fill_right_side(cells, work, r, shared + 3 * d, residual);
  const double enough = 1e-12 * inner(residual, residual, d);
  multiply(cells, work, r, eliminated, x, product);
  if (inner(x, product, d) < 2 * inner(x, residual, d))
    combine(residual, 1, -1, product, d);
  else
    fill(x, 0, d); /* worse than none */
  fill(direction, 0, d);
  combine(direction, 0, 1, residual, d);
  double square = inner(residual, residual, d);
  for (int step = 0; step < work.steps && square > enough; step++) {
    const double last = square;
    const double unit = scale_for(square);
    combine(direction, unit, 0, direction, d);
    multiply(cells, work, r, eliminated, direction, product);
    const double curvature = inner(direction, product, d);
    if (curvature <= 0)
      break;
    combine(x, 1, square * unit / curvature, direction, d);
    combine(residual, 1, -square * unit / curvature, product, d);
    square = inner(residual, residual, d);
    combine(direction, square / last / unit, 1, residual, d);
  }
  if (threadIdx.x == 0 && !(isfinite(square) && isfinite(enough)))
    x[0] = NAN; /* an overflow, of which the loss will tell */
  const double known = eliminated.pivot > 0 ? inner(eliminated.vector_sum, x, d) : 0;
  if (threadIdx.x == 0)
    work.own_bias[row] =
        eliminated.pivot > 0
            ? static_cast<float>((eliminated.target_sum - known) / eliminated.pivot)
            : 0;
}

static int conjugate_gradient_block(pqf_training *t, const cells_view &cells,
                                    const sweep_work &work, const int32_t *order)
{
  return launch(t, "conjugate_gradient", conjugate_gradient,
                dim3(static_cast<unsigned>(cells.rows)), THREADS,
                conjugate_gradient_floats(t->d, THREADS) * static_cast<int64_t>(sizeof(float)),
                cells, work, order);
}

#endif
