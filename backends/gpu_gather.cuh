/* Sums over the cells of one row, by a block: each warp takes every so many cells and keeps a sum
 * of its own in shared memory; the sums are added up in the order of the warps.
 *
 *     out = sum over cells of coefficient(cell) factors[index of cell] */
#ifndef PQF_BACKENDS_GPU_GATHER_CUH
#define PQF_BACKENDS_GPU_GATHER_CUH

#include "gpu_blocks.cuh"

/* Floats of shared memory for the sums of the warps. */
static __host__ __device__ __forceinline__ int64_t gather_floats(int64_t d, unsigned threads)
{
  return d * (threads / WARP);
}

static __device__ __forceinline__ float weight_of(const cells_view &cells, int64_t n)
{
  return cells.weight != nullptr ? __ldg(cells.weight + n) : 1.0F;
}

/* a . b over a warp, in every lane. */
static __device__ __forceinline__ float warp_dot(const float *a, const float *b, int d)
{
  float sum = 0;
  for (int f = lane_number(); f < d; f += WARP)
    sum = fmaf(a[f], b[f], sum);
  return warp_sum(sum);
}

template <class number>
static __device__ __forceinline__ double warp_exact_dot(const number *a, const float *b, int d)
{
  double sum = 0;
  for (int f = lane_number(); f < d; f += WARP)
    sum += static_cast<double>(a[f]) * static_cast<double>(b[f]);
  return warp_sum(sum);
}

/* Each warp's sum over its share of the cells [begin, end), in sums[warp][d]. coefficient(n, index)
 * is called by whole warps. */
template <class rule>
static __device__ __forceinline__ void gather_shares(const cells_view &cells, int64_t begin,
                                                     int64_t end, const float *factors, int d,
                                                     float *sums, rule coefficient)
{
  float *own = sums + warp_number() * d;
  for (int f = lane_number(); f < d; f += WARP)
    own[f] = 0;
  for (int64_t n = begin + warp_number(); n < end; n += warp_count()) {
    const int32_t index = __ldg(cells.index + n);
    const float scale = coefficient(n, index);
    const float *row = factors + static_cast<int64_t>(index) * d;
    for (int f = lane_number(); f < d; f += WARP)
      own[f] = fmaf(scale, __ldg(row + f), own[f]);
  }
}

/* Element f of the sum over the warps; behind a barrier. */
static __device__ __forceinline__ float sum_shares(const float *sums, int d, int f)
{
  float sum = 0;
  for (int warp = 0; warp < warp_count(); warp++)
    sum += sums[warp * d + f];
  return sum;
}

#endif
