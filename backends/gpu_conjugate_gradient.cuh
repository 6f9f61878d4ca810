/* Conjugate gradient for one row's system, in the place of an exact solution: a block a row. It
 * starts from the row's present factors and never forms the matrix (cpu_conjugate_gradient.c has
 * the formulas):
 *
 *     A v = base v + lambda v + sum over cells of scale q (q . v + v_b)
 *
 * The bias is one more unknown, v_b. */
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

/* An unknown: d factors and a bias, which every thread knows. */
struct unknown {
  float *factors;
  double bias;
};

static __device__ double inner(const unknown &a, const unknown &b, int d)
{
  double sum = 0;
  for (int f = static_cast<int>(threadIdx.x); f < d; f += static_cast<int>(blockDim.x))
    sum += static_cast<double>(a.factors[f]) * static_cast<double>(b.factors[f]);
  return block_sum(sum) + a.bias * b.bias;
}

/* a = shrink a + factor b; each thread has elements of its own. */
static __device__ void combine(unknown *a, double shrink, double factor, const unknown &b, int d)
{
  for (int f = static_cast<int>(threadIdx.x); f < d; f += static_cast<int>(blockDim.x))
    a->factors[f] =
        static_cast<float>(shrink) * a->factors[f] + static_cast<float>(factor) * b.factors[f];
  a->bias = shrink * a->bias + factor * b.bias;
}

/* out = A v */
static __device__ void multiply(const cells_view &cells, const sweep_work &work,
                                const gradient_row &r, const unknown &v, unknown *out)
{
  const int d = work.d;
  const float lambda = static_cast<float>(scale_of(work, r.row) * work.lambda);
  double bias = 0;
  __syncthreads(); /* v is complete */
  gather_shares(cells, r.begin, r.end, work.other, d, r.sums, [&](int64_t n, int32_t index) {
    const float dot = warp_dot(work.other + static_cast<int64_t>(index) * d, v.factors, d);
    const float term = terms_of(work, cells, n, index).scale * (dot + static_cast<float>(v.bias));
    bias += lane_number() == 0 ? static_cast<double>(term) : 0;
    return term;
  });
  __syncthreads();
  for (int f = static_cast<int>(threadIdx.x); f < d; f += static_cast<int>(blockDim.x)) {
    float sum = lambda * v.factors[f];
    if (work.base != nullptr)
      for (int g = 0; g < d; g++)
        sum = fmaf(__ldg(work.base + g * d + f), v.factors[g], sum);
    out->factors[f] = sum + sum_shares(r.sums, d, f);
  }
  bias = block_sum(bias);
  out->bias = work.has_bias ? bias + scale_of(work, r.row) * work.bias_lambda * v.bias : 0;
}

/* out = the right side: sum of target q, and sum of target. */
static __device__ void fill_right_side(const cells_view &cells, const sweep_work &work,
                                       const gradient_row &r, unknown *out)
{
  double bias = 0;
  gather_shares(cells, r.begin, r.end, work.other, work.d, r.sums, [&](int64_t n, int32_t index) {
    const float target = terms_of(work, cells, n, index).target;
    bias += lane_number() == 0 ? static_cast<double>(target) : 0;
    return target;
  });
  __syncthreads();
  for (int f = static_cast<int>(threadIdx.x); f < work.d; f += static_cast<int>(blockDim.x))
    out->factors[f] = sum_shares(r.sums, work.d, f);
  bias = block_sum(bias);
  out->bias = work.has_bias ? bias : 0;
}

static __host__ __device__ __forceinline__ int64_t conjugate_gradient_floats(int64_t d,
                                                                             unsigned threads)
{
  return 3 * d + gather_floats(d, threads);
}

static __global__ void conjugate_gradient(cells_view cells, sweep_work work, const int32_t *order)
{
  PQF_DYNAMIC_SHARED(float, shared);
  const int d = work.d;
  const int64_t row = order[blockIdx.x];
  const gradient_row r = {row, cells.offset[row] - cells.base, cells.offset[row + 1] - cells.base,
                          shared + 3 * d};
  if (!is_wanted(work, row))
    return;
  if (r.begin == r.end) {
    clear_row(work, row);
    return;
  }
  unknown x = {work.own + row * d, work.has_bias ? static_cast<double>(work.own_bias[row]) : 0};
  unknown residual = {shared, 0};
  unknown direction = {shared + d, 0};
  unknown product = {shared + 2 * d, 0};
  fill_right_side(cells, work, r, &residual);
  const double enough = 1e-12 * inner(residual, residual, d);
  multiply(cells, work, r, x, &product);
  combine(&residual, 1, -1, product, d);
  for (int f = static_cast<int>(threadIdx.x); f < d; f += static_cast<int>(blockDim.x))
    direction.factors[f] = 0;
  combine(&direction, 0, 1, residual, d);
  double square = inner(residual, residual, d);
  for (int step = 0; step < work.steps && square > enough; step++) {
    multiply(cells, work, r, direction, &product);
    const double curvature = inner(direction, product, d);
    if (!(curvature > 0))
      break;
    combine(&x, 1, square / curvature, direction, d);
    combine(&residual, 1, -square / curvature, product, d);
    const double next = inner(residual, residual, d);
    combine(&direction, next / square, 1, residual, d);
    square = next;
  }
  if (threadIdx.x == 0)
    work.own_bias[row] = static_cast<float>(x.bias);
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
