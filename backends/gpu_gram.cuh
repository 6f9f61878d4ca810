/* Gram matrices of factors, and the step that they allow:
 *
 *     E0 Q0 = P0 (Q0'Q0) - R Q0, so that E is needed nowhere:
 *     P1 = P0 M + 2 alpha R Q0,  M = (1 - sign alpha beta) I - 2 alpha Q0'Q0,
 *
 * and likewise Q1 with P0'P1 for the Gram matrix and R'P1 for the product.
 *
 * X'Y is summed over blocks of 1024 rows: products in float by cuBLAS, sums over the blocks in
 * double, in order. To cuBLAS, which counts down columns, a row-major matrix is its transpose. */
#ifndef PQF_BACKENDS_GPU_GRAM_CUH
#define PQF_BACKENDS_GPU_GRAM_CUH

#include "gpu_memory.cuh"

constexpr int64_t ROWS_PER_GRAM = 1024;
constexpr int64_t GRAM_BYTES = INT64_C(64) << 20; /* of all products at a time */
constexpr int64_t MOST_GRAM_BLOCKS = 65535;       /* products in a batch: a grid's limit */
constexpr int64_t ROWS_PER_STEP = INT64_C(1) << 20;

static int take_gram(pqf_training *t)
{
  const int64_t square = t->k * t->k;
  const int64_t blocks =
      (most(t->size[PQF_ROWS], t->size[PQF_COLS]) + ROWS_PER_GRAM - 1) / ROWS_PER_GRAM;
  const int64_t room = GRAM_BYTES / (square * static_cast<int64_t>(sizeof(float)));
  t->gram_slots = most(2, least(least(blocks, room), MOST_GRAM_BLOCKS));
  TRY(take(t, &t->gram_block, t->gram_slots * square));
  for (int n = 0; n < 3; n++)
    TRY(take(t, &t->gram[n], square));
  return take(t, &t->step, square);
}

/* gram (+)= the sum of the matrices in `block`. */
template <class number>
static __global__ void add_gram_blocks(double *gram, const number *block, int64_t blocks,
                                       int64_t elements, int begins)
{
  const int64_t n = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (n >= elements)
    return;
  double sum = begins ? 0 : gram[n];
  for (int64_t b = 0; b < blocks; b++)
    sum += static_cast<double>(block[b * elements + n]);
  gram[n] = sum;
}

/* One block of the product in double for every chunk of rows, 16 x 16 elements a block. */
static __global__ void exact_gram(double *block, const float *x, const float *y, int64_t rows,
                                  int64_t rows_per_chunk, int64_t k, int64_t d)
{
  constexpr int edge = 16;
  const int64_t tiles = (k + edge - 1) / edge;
  const int64_t f = blockIdx.x / tiles * edge + threadIdx.x / edge;
  const int64_t g = blockIdx.x % tiles * edge + threadIdx.x % edge;
  const int64_t first = blockIdx.y * rows_per_chunk;
  const int64_t end = first + rows_per_chunk < rows ? first + rows_per_chunk : rows;
  if (f >= k || g >= k)
    return;
  double sum = 0;
  for (int64_t row = first; row < end; row++)
    sum += static_cast<double>(x[row * d + f]) * static_cast<double>(y[row * d + g]);
  block[blockIdx.y * k * k + f * k + g] = sum;
}

/* One product of blocks, or of what is left of the rows. */
static int gram_products(pqf_training *t, const float *x, const float *y, int64_t rows,
                         int64_t count)
{
  const float one = 1;
  const float zero = 0;
  const int k = static_cast<int>(t->k);
  const int d = static_cast<int>(t->d);
  BLAS(t, cublasSgemmStridedBatched, t->blas, CUBLAS_OP_N, CUBLAS_OP_T, k, k,
       static_cast<int>(rows), &one, y, d, rows * d, x, d, rows * d, &zero, t->gram_block, k,
       static_cast<int64_t>(k) * k, static_cast<int>(count));
  return PQF_OK;
}

/* gram = X'Y for two matrices of `rows` rows. */
static int compute_gram(pqf_training *t, const float *x, const float *y, int64_t rows, double *gram)
{
  const int64_t elements = t->k * t->k;
  for (int64_t first = 0; first < rows;) {
    const int64_t left = rows - first;
    const int64_t length = least(left, ROWS_PER_GRAM);
    const int64_t count = least(left / length, t->gram_slots);
    TRY(gram_products(t, x + first * t->d, y + first * t->d, length, count));
    TRY(launch(t, "add_gram_blocks", add_gram_blocks<float>, dim3(blocks_for(elements, THREADS)),
               THREADS, 0, gram, static_cast<const float *>(t->gram_block), count, elements,
               first == 0 ? 1 : 0));
    first += count * length;
  }
  return PQF_OK;
}

/* The same, every product in double. */
static int compute_exact_gram(pqf_training *t, const float *x, const float *y, int64_t rows,
                              double *gram)
{
  const int64_t elements = t->k * t->k;
  const int64_t tiles = (t->k + 15) / 16;
  const int64_t chunks = t->gram_slots / 2; /* of doubles, where floats were counted */
  double *block = reinterpret_cast<double *>(t->gram_block);
  TRY(launch(t, "exact_gram", exact_gram,
             dim3(static_cast<unsigned>(tiles * tiles), static_cast<unsigned>(least(chunks, 64))),
             256, 0, block, x, y, rows, (rows + least(chunks, 64) - 1) / least(chunks, 64), t->k,
             t->d));
  return launch(t, "add_gram_blocks", add_gram_blocks<double>, dim3(blocks_for(elements, THREADS)),
                THREADS, 0, gram, static_cast<const double *>(block), least(chunks, 64), elements,
                1);
}

/* part[0] = <A, B>, part[1] = trace A, part[2] = trace B: one block. */
static __global__ void gram_numbers(double *part, const double *a, const double *b, int64_t k)
{
  double sum[3] = {0, 0, 0};
  for (int64_t n = threadIdx.x; n < k * k; n += blockDim.x)
    sum[0] += a[n] * b[n];
  for (int64_t n = threadIdx.x; n < k; n += blockDim.x) {
    sum[1] += a[n * k + n];
    sum[2] += b[n * k + n];
  }
  for (int n = 0; n < 3; n++) {
    const double whole = block_sum(sum[n]);
    if (threadIdx.x == 0)
      part[n] = whole;
  }
}

/* <P'P, Q'Q>, |P|^2 and |Q|^2 from the Gram matrices. */
static int fetch_gram_numbers(pqf_training *t, double numbers[3])
{
  TRY(launch(t, "gram_numbers", gram_numbers, dim3(1), 256, 0, t->part,
             static_cast<const double *>(t->gram[PQF_ROWS]),
             static_cast<const double *>(t->gram[PQF_COLS]), t->k));
  TRY(fetch(t, t->part, 3));
  memcpy(numbers, t->result, 3 * sizeof(double));
  return PQF_OK;
}

/* step = kept I - 2 alpha gram */
static __global__ void fill_step(float *step, const double *gram, int64_t k, double kept,
                                 double alpha)
{
  const int64_t n = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (n < k * k)
    step[n] = static_cast<float>((n / k == n % k ? kept : 0) - 2 * alpha * gram[n]);
}

static int make_step(pqf_training *t, const double *gram)
{
  const double alpha = t->problem.learning_rate;
  return launch(t, "fill_step", fill_step, dim3(blocks_for(t->k * t->k, THREADS)), THREADS, 0,
                t->step, gram, t->k, 1 - t->beta_sign * alpha * t->problem.regularization, alpha);
}

/* Rows [first, first + rows) of the next factors, which hold a product with R, become
 * current step + 2 alpha next. */
static int take_step(pqf_training *t, int side, int64_t first, int64_t rows)
{
  const float one = 1;
  const float taken = static_cast<float>(2 * t->problem.learning_rate);
  const int k = static_cast<int>(t->k);
  const int d = static_cast<int>(t->d);
  for (int64_t done = 0; done < rows; done += ROWS_PER_STEP) {
    const int64_t from = (first + done) * d;
    BLAS(t, cublasSgemm, t->blas, CUBLAS_OP_N, CUBLAS_OP_N, k,
         static_cast<int>(least(rows - done, ROWS_PER_STEP)), k, &one, t->step, k,
         current_factors(t, side) + from, d, &taken, next_factors(t, side) + from, d);
  }
  return PQF_OK;
}

#endif
