/* Sparse R: sums over present cells only, by row for the step of P, by column for that of Q.
 *
 * Zeros that count (PQF_OBJECTIVE_SQUARED): E0 Q0 = P0 (Q0'Q0) - R Q0 holds for any R, and R Q0
 * costs only the present cells. With a weight w on a present cell, whose error is d = p.q,
 * the cell stands in R Q0 as (w r - (w - 1) d) q, since the Gram matrix charges it d q already.
 *
 *     sum over all cells of d^2 = <P0'P0, Q0'Q0>
 *
 * Observed cells (PQF_OBJECTIVE_OBSERVED): the errors are computed cell by cell, in both passes
 * from the old factors, so that nothing of the size of R is stored. */
#include "cpu_training.h"

typedef struct sparse_work {
  pqf_training *t;
  const pqf_matrix *r;
  int side;
  double target;
} sparse_work;

/* One tile of P1 (PQF_ROWS) or Q1: the product with R, then the step. For P the tile's sum is
 * 2 target <R Q0, P0> for the loss, and what weights add to it. */
static void zeros_tile(void *argument, int64_t tile, int32_t worker)
{
  (void)worker;
  const sparse_work *w = argument;
  pqf_training *t = w->t;
  const int side = w->side;
  const int other = 1 - side;
  const float *old = current_row(t, other, 0);
  const float *source = side == PQF_ROWS ? old : next_row(t, other, 0); /* Q takes the new P */
  const int64_t first = tile * ROWS_PER_TILE;
  const int64_t rows = tile_rows(t->size[side], tile);
  double weighted = 0;
  for (int64_t row = first; row < first + rows; row++) {
    const pqf_cpu_cells cells = pqf_cpu_cells_of(pqf_cpu_cells_by(w->r, side), row);
    float *out = next_row(t, side, row);
    if (cells.weight == NULL)
      t->kernels->gather(&cells, source, t->stride, out);
    else
      weighted += t->kernels->gather_weighted(&cells, current_row(t, side, row), old, source,
                                              t->stride, out);
  }
  if (side == PQF_ROWS)
    t->tile_sum[side][tile] = 2 * w->target *
                                  t->kernels->dot(next_row(t, side, first),
                                                  current_row(t, side, first), rows * t->stride) +
                              weighted;
  pqf_cpu_take_step(t, side, first, rows);
}

double pqf_cpu_zeros_row_pass(pqf_training *t)
{
  sparse_work w = {t, t->problem.train, PQF_ROWS, t->error_target};
  t->host->parallel_for(t->host, tile_count(t->size[PQF_ROWS]), zeros_tile, &w);
  return t->error_target * t->error_target * w.r->square_sum - pqf_cpu_sum_tiles(t, PQF_ROWS);
}

void pqf_cpu_zeros_col_pass(pqf_training *t)
{
  sparse_work w = {t, t->problem.train, PQF_COLS, t->error_target};
  t->host->parallel_for(t->host, tile_count(t->size[PQF_COLS]), zeros_tile, &w);
}

static double exact_dot(const float *a, const float *b, int64_t k)
{
  double sum = 0;
  for (int64_t f = 0; f < k; f++)
    sum += (double)a[f] * (double)b[f];
  return sum;
}

/* What present cells have beyond d^2, all in double. */
static void zeros_error_tile(void *argument, int64_t tile, int32_t worker)
{
  (void)worker;
  const sparse_work *w = argument;
  pqf_training *t = w->t;
  const int64_t first = tile * ROWS_PER_TILE;
  double sum = 0;
  for (int64_t row = first; row < first + tile_rows(w->r->rows, tile); row++) {
    const pqf_cpu_cells cells = pqf_cpu_cells_of(&w->r->by_row, row);
    for (int64_t n = 0; n < cells.count; n++) {
      const double d =
          exact_dot(current_row(t, PQF_ROWS, row), current_row(t, PQF_COLS, cells.index[n]), t->k);
      const double miss = d - w->target * (double)cells.value[n];
      const double weight = cells.weight != NULL ? (double)cells.weight[n] : 1;
      sum += weight * miss * miss - d * d;
    }
  }
  t->tile_sum[PQF_ROWS][tile] = sum;
}

double pqf_cpu_zeros_error(pqf_training *t, double target)
{
  sparse_work w = {t, t->problem.train, PQF_ROWS, target};
  for (int side = 0; side < 2; side++)
    pqf_cpu_gram(t, side, current_row(t, side, 0), current_row(t, side, 0), 1, t->gram[side]);
  t->host->parallel_for(t->host, tile_count(w.r->rows), zeros_error_tile, &w);
  double sum = pqf_cpu_sum_tiles(t, PQF_ROWS);
  for (int64_t n = 0; n < t->k * t->k; n++)
    sum += t->gram[PQF_ROWS][n] * t->gram[PQF_COLS][n];
  return sum > 0 ? sum : 0;
}

/* One tile of P1 or Q1: the gradient of the observed cells, then the step. */
static void observed_tile(void *argument, int64_t tile, int32_t worker)
{
  (void)worker;
  const sparse_work *w = argument;
  pqf_training *t = w->t;
  const int side = w->side;
  const float *old = current_row(t, 1 - side, 0);
  const float *source = side == PQF_ROWS ? old : next_row(t, 1 - side, 0);
  const double alpha = t->problem.learning_rate;
  const float kept = (float)(1 - t->beta_sign * alpha * t->problem.regularization);
  const float taken = (float)(2 * alpha);
  const int64_t first = tile * ROWS_PER_TILE;
  double sum = 0;
  for (int64_t row = first; row < first + tile_rows(t->size[side], tile); row++) {
    const pqf_cpu_cells cells = pqf_cpu_cells_of(pqf_cpu_cells_by(w->r, side), row);
    const float *own = current_row(t, side, row);
    float *out = next_row(t, side, row);
    sum += t->kernels->gather_error(&cells, own, old, source, t->stride, w->target, out);
    for (int64_t f = 0; f < t->stride; f++)
      out[f] = kept * own[f] - taken * out[f];
  }
  t->tile_sum[side][tile] = sum;
}

double pqf_cpu_observed_epoch(pqf_training *t)
{
  sparse_work w = {t, t->problem.train, PQF_ROWS, t->error_target};
  t->host->parallel_for(t->host, tile_count(t->size[PQF_ROWS]), observed_tile, &w);
  w.side = PQF_COLS;
  t->host->parallel_for(t->host, tile_count(t->size[PQF_COLS]), observed_tile, &w);
  return pqf_cpu_sum_tiles(t, PQF_ROWS);
}

static void observed_error_tile(void *argument, int64_t tile, int32_t worker)
{
  const sparse_work *w = argument;
  pqf_training *t = w->t;
  const float *cols = current_row(t, PQF_COLS, 0);
  const int64_t first = tile * ROWS_PER_TILE;
  double sum = 0;
  for (int64_t row = first; row < first + tile_rows(w->r->rows, tile); row++) {
    const pqf_cpu_cells cells = pqf_cpu_cells_of(&w->r->by_row, row);
    sum += t->kernels->gather_error(&cells, current_row(t, PQF_ROWS, row), cols, cols, t->stride,
                                    w->target, t->row_scratch + worker * t->stride);
  }
  t->tile_sum[PQF_ROWS][tile] = sum;
}

double pqf_cpu_observed_error(pqf_training *t, const pqf_matrix *r, double target)
{
  sparse_work w = {t, r, PQF_ROWS, target};
  t->host->parallel_for(t->host, tile_count(r->rows), observed_error_tile, &w);
  return pqf_cpu_sum_tiles(t, PQF_ROWS);
}
