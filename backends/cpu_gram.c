/* Gram matrices of factors, and the step that they allow.
 *
 * E0 Q0 = P0 (Q0'Q0) - R Q0, so that a step of gradient descent needs E nowhere:
 *
 *     P1 = P0 - alpha (2 E0 Q0 + sign beta P0) = P0 M + 2 alpha R Q0,
 *     M  = (1 - sign alpha beta) I - 2 alpha Q0'Q0,
 *
 * and likewise Q1 with P0'P1 for the Gram matrix and R'P1 for the product.
 *
 * X'Y is summed over a fixed number of chunks of rows: inside a chunk blocks of rows are multiplied
 * in float and added up in double. The products are the library's own: least squares needs X'X, and
 * must not load a BLAS for it. */
#include "cpu_training.h"

#include <string.h>

/* As few as keep the sums in double a small part of the work. */
enum { ROWS_PER_BLOCK = 256 };

typedef struct gram_work {
  pqf_training *t;
  int side;
  const float *x;
  const float *y;
  int exact;
} gram_work;

/* sum += X'Y for a block of rows, the product in float; of X'X the upper triangle alone. */
static void add_block(pqf_training *t, int32_t worker, const float *x, const float *y, int64_t rows,
                      double *sum)
{
  const int64_t k = t->k;
  const int64_t d = t->stride;
  float *block = t->gram_block + worker * d * d;
  if (x == y)
    t->solver->rank_update(block, NULL, d, x, x, rows);
  else
    t->kernels->product(k, k, rows, x, 1, d, y, d, 0, block, d);
  for (int64_t row = 0; row < k; row++)
    for (int64_t col = x == y ? row : 0; col < k; col++)
      sum[row * k + col] += (double)block[row * d + col];
}

/* The same, the product in double. */
static void add_exact_block(pqf_training *t, int32_t worker, const float *x, const float *y,
                            int64_t rows, double *sum)
{
  const int64_t d = t->stride;
  double *wide_x = t->gram_rows + worker * 2 * ROWS_PER_EXACT_BLOCK * d;
  double *wide_y = x == y ? wide_x : wide_x + ROWS_PER_EXACT_BLOCK * d;
  for (int64_t n = 0; n < rows * d; n++)
    wide_x[n] = (double)x[n];
  if (x != y)
    for (int64_t n = 0; n < rows * d; n++)
      wide_y[n] = (double)y[n];
  t->kernels->exact_gram(rows, t->k, wide_x, wide_y, d, sum);
}

static void gram_chunk(void *argument, int64_t chunk, int32_t worker)
{
  const gram_work *w = argument;
  pqf_training *t = w->t;
  const int64_t rows = t->size[w->side];
  const int64_t chunks = t->gram_chunks[w->side];
  const int64_t first = rows / chunks * chunk + (chunk < rows % chunks ? chunk : rows % chunks);
  const int64_t end = first + rows / chunks + (chunk < rows % chunks ? 1 : 0);
  const int64_t step = w->exact ? ROWS_PER_EXACT_BLOCK : ROWS_PER_BLOCK;
  double *sum = t->gram_sum + chunk * t->k * t->k;
  memset(sum, 0, (size_t)(t->k * t->k) * sizeof *sum);
  for (int64_t row = first; row < end; row += step) {
    const int64_t count = end - row < step ? end - row : step;
    (w->exact ? add_exact_block : add_block)(t, worker, w->x + row * t->stride,
                                             w->y + row * t->stride, count, sum);
  }
}

void pqf_cpu_gram(pqf_training *t, int side, const float *x, const float *y, int exact,
                  double *gram)
{
  gram_work work = {t, side, x, y, exact};
  const int64_t elements = t->k * t->k;
  t->host->parallel_for(t->host, t->gram_chunks[side], gram_chunk, &work);
  memcpy(gram, t->gram_sum, (size_t)elements * sizeof *gram);
  for (int64_t chunk = 1; chunk < t->gram_chunks[side]; chunk++)
    for (int64_t n = 0; n < elements; n++)
      gram[n] += t->gram_sum[chunk * elements + n];
  if (x == y)
    for (int64_t row = 1; row < t->k; row++)
      for (int64_t col = 0; col < row; col++)
        gram[row * t->k + col] = gram[col * t->k + row];
}

double pqf_cpu_sum_tiles(const pqf_training *t, int side)
{
  double sum = 0;
  for (int64_t tile = 0; tile < tile_count(t->size[side]); tile++)
    sum += t->tile_sum[side][tile];
  return sum;
}

static void square_tile(void *argument, int64_t tile, int32_t worker)
{
  (void)worker;
  const gram_work *w = argument;
  pqf_training *t = w->t;
  const float *rows = current_row(t, w->side, tile * ROWS_PER_TILE);
  t->tile_sum[w->side][tile] =
      t->kernels->dot(rows, rows, tile_rows(t->size[w->side], tile) * t->stride);
}

double pqf_cpu_square_norm(pqf_training *t, int side)
{
  gram_work work = {.t = t, .side = side};
  t->host->parallel_for(t->host, tile_count(t->size[side]), square_tile, &work);
  return pqf_cpu_sum_tiles(t, side);
}

void pqf_cpu_step_matrix(pqf_training *t, const double *gram)
{
  const double alpha = t->problem.learning_rate;
  const double kept = 1 - t->beta_sign * alpha * t->problem.regularization;
  for (int64_t row = 0; row < t->k; row++)
    for (int64_t col = 0; col < t->k; col++)
      t->step_matrix[row * t->stride + col] =
          (float)((row == col ? kept : 0) - 2 * alpha * gram[row * t->k + col]);
}

void pqf_cpu_take_step(pqf_training *t, int side, int64_t first, int64_t rows)
{
  t->kernels->product(rows, t->k, t->k, current_row(t, side, first), t->stride, 1, t->step_matrix,
                      t->stride, (float)(2 * t->problem.learning_rate), next_row(t, side, first),
                      t->stride);
}
