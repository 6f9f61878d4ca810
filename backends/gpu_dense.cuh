/* Dense R: both products of an epoch, block of rows by block of rows.
 *
 *     for each block of rows
 *       P1[block]  = R[block] Q0                       product
 *       inner     += <P1[block], P0[block]>            for the loss
 *       P1[block]  = P0[block] M + 2 alpha P1[block]   step
 *       Q1        += R[block]' P1[block]               product, of the block still in the cache
 *
 * Blocks depend on the shape of R, on the device's cache and, where R is larger than the device, on
 * its free memory; each element of Q1 takes them in order. */
#ifndef PQF_BACKENDS_GPU_DENSE_CUH
#define PQF_BACKENDS_GPU_DENSE_CUH

#include "gpu_blocks.cuh"
#include "gpu_gram.cuh"

/* The piece of P Q' that is formed at a time for the error. */
constexpr int64_t TILE_ROWS = 1024;
constexpr int64_t TILE_COLS = 8192;

static int64_t error_tile_floats(const pqf_matrix *r)
{
  return least(r->rows, TILE_ROWS) * least(r->cols, TILE_COLS);
}

/* part[2 block] += <a, b> over the block's share of the elements. */
static __global__ void inner_product(double *part, const float *a, const float *b, int64_t elements)
{
  double sum = 0;
  for (int64_t n = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; n < elements;
       n += static_cast<int64_t>(gridDim.x) * blockDim.x)
    sum += static_cast<double>(a[n]) * static_cast<double>(b[n]);
  sum = block_sum(sum);
  if (threadIdx.x == 0)
    part[2 * blockIdx.x] += sum;
}

static int dense_block(pqf_training *t, const dense_view &r)
{
  const float one = 1;
  const float zero = 0;
  const float before = r.first == 0 ? 0.0F : 1.0F;
  const int k = static_cast<int>(t->k);
  const int d = static_cast<int>(t->d);
  const int cols = static_cast<int>(t->size[PQF_COLS]);
  const int rows = static_cast<int>(r.rows);
#ifdef PQF_BUG_LEADING_DIMENSION
  const int stride = cols;
#else
  const int stride = static_cast<int>(r.stride);
#endif
  float *next = next_factors(t, PQF_ROWS) + r.first * d;
  BLAS(t, cublasSgemm, t->blas, CUBLAS_OP_N, CUBLAS_OP_N, k, rows, cols, &one,
       current_factors(t, PQF_COLS), d, r.values, stride, &zero, next, d);
  TRY(launch(t, "inner_product", inner_product, dim3(part_count(r.rows)), THREADS, 0, t->part,
             static_cast<const float *>(next), current_factors(t, PQF_ROWS) + r.first * d,
             r.rows * d));
  TRY(take_step(t, PQF_ROWS, r.first, r.rows));
  BLAS(t, cublasSgemm, t->blas, CUBLAS_OP_N, CUBLAS_OP_T, k, cols, rows, &one, next, d, r.values,
       stride, &before, next_factors(t, PQF_COLS), d);
  return PQF_OK;
}

/* Leaves P1, R'P1 in the place of Q1, and <R Q0, P0>. */
static int dense_pass(pqf_training *t, double *inner)
{
  double sum[2];
  TRY(clear_parts(t));
  TRY(for_each_block(t, &t->dense,
                     [t](const dense_view &r, int64_t) { return dense_block(t, r); }));
  TRY(sum_parts(t, sum));
  *inner = sum[0];
  return PQF_OK;
}

/* part[2 block] += the sum of (product - target r)^2 over the block's rows of a tile. */
static __global__ void tile_error(double *part, const float *product, const float *r,
                                  int64_t stride, int64_t rows, int64_t cols, double target)
{
  double sum = 0;
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x)
    for (int64_t col = threadIdx.x; col < cols; col += blockDim.x) {
      const double miss = static_cast<double>(product[row * cols + col]) -
                          target * static_cast<double>(r[row * stride + col]);
      sum += miss * miss;
    }
  sum = block_sum(sum);
  if (threadIdx.x == 0)
    part[2 * blockIdx.x] += sum;
}

static int dense_block_error(pqf_training *t, const dense_view &r, double target)
{
  const float one = 1;
  const float zero = 0;
  const int k = static_cast<int>(t->k);
  const int d = static_cast<int>(t->d);
  const int64_t all_cols = t->size[PQF_COLS];
  for (int64_t row = 0; row < r.rows; row += TILE_ROWS)
    for (int64_t col = 0; col < all_cols; col += TILE_COLS) {
      const int64_t rows = least(r.rows - row, TILE_ROWS);
      const int64_t cols = least(all_cols - col, TILE_COLS);
      BLAS(t, cublasSgemm, t->blas, CUBLAS_OP_T, CUBLAS_OP_N, static_cast<int>(cols),
           static_cast<int>(rows), k, &one, current_factors(t, PQF_COLS) + col * d, d,
           current_factors(t, PQF_ROWS) + (r.first + row) * d, d, &zero, t->error_tile,
           static_cast<int>(cols));
      TRY(launch(t, "tile_error", tile_error, dim3(part_count(rows)), THREADS, 0, t->part,
                 static_cast<const float *>(t->error_tile), r.values + row * r.stride + col,
                 r.stride, rows, cols, target));
    }
  return PQF_OK;
}

/* |P Q' - target R|^2 */
static int dense_error(pqf_training *t, const device_dense *r, double target, double *error)
{
  double sum[2];
  TRY(clear_parts(t));
  TRY(for_each_block(
      t, r, [=](const dense_view &view, int64_t) { return dense_block_error(t, view, target); }));
  TRY(sum_parts(t, sum));
  *error = sum[0];
  return PQF_OK;
}

#endif
