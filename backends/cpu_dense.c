/* Dense R: both products of an epoch in one pass.
 *
 * R is read once, in blocks of rows that stay in the last-level cache:
 *
 *     for each block of rows
 *       for each tile of rows in it (in parallel)
 *         P1[tile] = R[tile] Q0                      product
 *         inner   += <P1[tile], P0[tile]>            for the loss
 *         P1[tile] = P0[tile] M + 2 alpha P1[tile]   step
 *       for each tile of columns (in parallel)
 *         Q1[tile] += R[block, tile]' P1[block]      product, of the block still in cache
 *
 * The products are those of a BLAS where the problem is large; a small one takes the library's own
 * kernels, so that it costs neither the time nor the memory of loading a BLAS.
 *
 * Tiles and blocks depend on the shape of R alone, and each element of Q1 takes the blocks in
 * order, so that the result does not depend on the threads. */
#include "cpu_training.h"

enum {
  COLUMNS_PER_TILE = 512,
  BYTES_PER_BLOCK = 8 << 20,
  MOST_TILES_PER_BLOCK = 16,
  ERROR_COLUMNS = 256
};

/* Cells of R times factors up to which the library's own kernels are used: an epoch takes about a
 * millisecond, where to load a BLAS takes some thirty. With few factors a BLAS is up to three times
 * as fast as these kernels, whose vectors are then not full: up to NARROW count as 256. */
static const double small_product = 1 << 24;
enum { NARROW = 8, NARROW_COUNTS_AS = 256 };

typedef struct dense_work {
  pqf_training *t;
  const pqf_matrix *r;
  int64_t first_row; /* of the block */
  int64_t rows;      /* in the block */
  double target;
} dense_work;

static void row_tile(void *argument, int64_t item, int32_t worker)
{
  (void)worker;
  const dense_work *w = argument;
  pqf_training *t = w->t;
  const int64_t tile = w->first_row / ROWS_PER_TILE + item;
  const int64_t first = tile * ROWS_PER_TILE;
  const int64_t rows = tile_rows(t->size[PQF_ROWS], tile);
  const float *r = w->r->dense + first * w->r->dense_stride;
  const float *q = current_row(t, PQF_COLS, 0);
  float *next = next_row(t, PQF_ROWS, first);
  if (t->blas != NULL)
    t->blas->sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, (int)t->k, (int)w->r->cols,
                   1, r, (int)w->r->dense_stride, q, (int)t->stride, 0, next, (int)t->stride);
  else
    t->kernels->product(rows, t->k, w->r->cols, r, w->r->dense_stride, 1, q, t->stride, 0, next,
                        t->stride);
  t->tile_sum[PQF_ROWS][tile] =
      t->kernels->dot(next, current_row(t, PQF_ROWS, first), rows * t->stride);
  pqf_cpu_take_step(t, PQF_ROWS, first, rows);
}

static void column_tile(void *argument, int64_t tile, int32_t worker)
{
  (void)worker;
  const dense_work *w = argument;
  pqf_training *t = w->t;
  const int64_t first = tile * COLUMNS_PER_TILE;
  const int64_t left = w->r->cols - first;
  const int64_t cols = left < COLUMNS_PER_TILE ? left : COLUMNS_PER_TILE;
  const float *r = w->r->dense + w->first_row * w->r->dense_stride + first;
  const float *p = next_row(t, PQF_ROWS, w->first_row);
  const float keep = w->first_row == 0 ? 0 : 1;
  float *next = next_row(t, PQF_COLS, first);
  if (t->blas != NULL)
    t->blas->sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)cols, (int)t->k, (int)w->rows, 1,
                   r, (int)w->r->dense_stride, p, (int)t->stride, keep, next, (int)t->stride);
  else
    t->kernels->product(cols, t->k, w->rows, r, 1, w->r->dense_stride, p, t->stride, keep, next,
                        t->stride);
}

int pqf_cpu_dense_needs_blas(const pqf_problem *problem)
{
  const pqf_matrix *const matrices[] = {problem->train, problem->validation};
  const int64_t factors = problem->factors > NARROW ? problem->factors : NARROW_COUNTS_AS;
  for (int n = 0; n < 2; n++) {
    const pqf_matrix *r = matrices[n];
    if (r != NULL && r->dense != NULL &&
        (double)r->rows * (double)r->cols * (double)factors > small_product)
      return 1;
  }
  return 0;
}

/* As many tiles of rows as the cache holds, within reason. */
static int64_t rows_per_block(const pqf_matrix *r)
{
  int64_t tiles = BYTES_PER_BLOCK / (ROWS_PER_TILE * (int64_t)sizeof(float) * r->cols);
  if (tiles < 1)
    tiles = 1;
  if (tiles > MOST_TILES_PER_BLOCK)
    tiles = MOST_TILES_PER_BLOCK;
  return tiles * ROWS_PER_TILE;
}

void pqf_cpu_dense_pass(pqf_training *t)
{
  dense_work w = {.t = t, .r = t->problem.train};
  const int64_t step = rows_per_block(w.r);
  for (w.first_row = 0; w.first_row < w.r->rows; w.first_row += step) {
    w.rows = w.r->rows - w.first_row < step ? w.r->rows - w.first_row : step;
    t->host->parallel_for(t->host, tile_count(w.rows), row_tile, &w);
    t->host->parallel_for(t->host, (w.r->cols + COLUMNS_PER_TILE - 1) / COLUMNS_PER_TILE,
                          column_tile, &w);
  }
}

static void step_tile(void *argument, int64_t tile, int32_t worker)
{
  (void)worker;
  pqf_training *t = argument;
  pqf_cpu_take_step(t, PQF_COLS, tile * ROWS_PER_TILE, tile_rows(t->size[PQF_COLS], tile));
}

void pqf_cpu_dense_step(pqf_training *t)
{
  t->host->parallel_for(t->host, tile_count(t->size[PQF_COLS]), step_tile, t);
}

uint64_t pqf_cpu_dense_scratch(void)
{
  return (uint64_t)ROWS_PER_TILE * ERROR_COLUMNS;
}

/* Forms P0 Q0' of a tile of rows in pieces that stay in cache. */
static void error_tile(void *argument, int64_t tile, int32_t worker)
{
  const dense_work *w = argument;
  pqf_training *t = w->t;
  const pqf_matrix *r = w->r;
  float *product = t->error_tile + (int64_t)worker * ROWS_PER_TILE * ERROR_COLUMNS;
  const int64_t first = tile * ROWS_PER_TILE;
  const int64_t rows = tile_rows(r->rows, tile);
  const float *p = current_row(t, PQF_ROWS, first);
  double sum = 0;
  for (int64_t col = 0; col < r->cols; col += ERROR_COLUMNS) {
    const int64_t cols = r->cols - col < ERROR_COLUMNS ? r->cols - col : ERROR_COLUMNS;
    if (t->blas != NULL)
      t->blas->sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)cols, (int)t->k, 1, p,
                     (int)t->stride, current_row(t, PQF_COLS, col), (int)t->stride, 0, product,
                     (int)cols);
    else
      t->kernels->multiply(rows, cols, t->k, p, t->stride, current_row(t, PQF_COLS, col), t->stride,
                           product, cols);
    for (int64_t row = 0; row < rows; row++) {
      const float *value = r->dense + (first + row) * r->dense_stride + col;
      for (int64_t c = 0; c < cols; c++) {
        const double miss = (double)product[row * cols + c] - w->target * (double)value[c];
        sum += miss * miss;
      }
    }
  }
  t->tile_sum[PQF_ROWS][tile] = sum;
}

double pqf_cpu_dense_error(pqf_training *t, const pqf_matrix *r, double target)
{
  dense_work w = {.t = t, .r = r, .target = target};
  t->host->parallel_for(t->host, tile_count(r->rows), error_tile, &w);
  return pqf_cpu_sum_tiles(t, PQF_ROWS);
}
