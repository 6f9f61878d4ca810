/* Whether the systems of a half-sweep fit into float. A row's matrix has elements of up to
 *
 *     sum over its cells of w |q|^2  (+ a0 times the sum over all of |q|^2),
 *
 * w its weight or, for clicks, its confidence. Where that overflows no solver of floats could tell
 * what it had lost, and directions that look as if the cells said nothing about them would become
 * zeros: the side's factors become NaN, and so does the loss.
 *
 * The largest |q|^2 times the heaviest row's weight is nearly always far below the limit; if not,
 * the sums themselves are looked at. */
#include "cpu_als.h"

#include <math.h>

/* FLT_MAX is 3.4e38; the sums of a system have other terms, too. */
static const double largest_sum = 1e38;

typedef struct range_work {
  pqf_training *t;
  int side;
} range_work;

static double weight_of(const pqf_problem *problem, const pqf_cpu_cells *cells, int64_t n)
{
  const double w = cells->weight != NULL ? (double)cells->weight[n] : 1;
  return problem->objective == PQF_OBJECTIVE_IMPLICIT
             ? w * (1 + problem->confidence * (double)cells->value[n])
             : w;
}

static double square_of(const pqf_training *t, int side, int64_t row)
{
  const float *factors = current_row(t, side, row);
  return t->kernels->dot(factors, factors, t->stride);
}

/* tile_sum = the largest |q|^2 of the tile. */
static void square_of_tile(void *argument, int64_t tile, int32_t worker)
{
  (void)worker;
  const range_work *work = argument;
  pqf_training *t = work->t;
  const int64_t first = tile * ROWS_PER_TILE;
  double largest = 0;
  for (int64_t row = first; row < first + tile_rows(t->size[work->side], tile); row++)
    largest = fmax(largest, square_of(t, work->side, row));
  t->tile_sum[work->side][tile] = largest;
}

/* tile_sum = the largest weight of a row of the tile. */
static void weight_of_tile(void *argument, int64_t tile, int32_t worker)
{
  (void)worker;
  const range_work *work = argument;
  pqf_training *t = work->t;
  const int64_t first = tile * ROWS_PER_TILE;
  double heaviest = 0;
  for (int64_t row = first; row < first + tile_rows(t->size[work->side], tile); row++) {
    const pqf_cpu_cells cells =
        pqf_cpu_cells_of(pqf_cpu_cells_by(t->problem.train, work->side), row);
    const int counts = cells.weight == NULL && t->problem.objective != PQF_OBJECTIVE_IMPLICIT;
    double sum = counts ? (double)cells.count : 0;
    for (int64_t n = 0; n < cells.count && !counts; n++)
      sum += weight_of(&t->problem, &cells, n);
    heaviest = fmax(heaviest, sum);
  }
  t->tile_sum[work->side][tile] = heaviest;
}

/* tile_sum = the largest sum of w |q|^2 of the tile's rows. */
static void sum_of_tile(void *argument, int64_t tile, int32_t worker)
{
  (void)worker;
  const range_work *work = argument;
  pqf_training *t = work->t;
  const int64_t first = tile * ROWS_PER_TILE;
  double largest = 0;
  for (int64_t row = first; row < first + tile_rows(t->size[work->side], tile); row++) {
    const pqf_cpu_cells cells =
        pqf_cpu_cells_of(pqf_cpu_cells_by(t->problem.train, work->side), row);
    double sum = 0;
    for (int64_t n = 0; n < cells.count; n++)
      sum += weight_of(&t->problem, &cells, n) * square_of(t, 1 - work->side, cells.index[n]);
    largest = fmax(largest, sum);
  }
  t->tile_sum[work->side][tile] = largest;
}

static double largest_of_tiles(pqf_training *t, int side, pqf_work work_of_tile)
{
  range_work work = {t, side};
  double largest = 0;
  t->host->parallel_for(t->host, tile_count(t->size[side]), work_of_tile, &work);
  for (int64_t tile = 0; tile < tile_count(t->size[side]); tile++)
    largest = fmax(largest, t->tile_sum[side][tile]);
  return largest;
}

static int fits_float(pqf_training *t, int side)
{
  const int other = 1 - side;
  if (!(t->heaviest_row[side] > 0))
    t->heaviest_row[side] = largest_of_tiles(t, side, weight_of_tile);
  const double square = largest_of_tiles(t, other, square_of_tile);
  const double all = t->problem.objective == PQF_OBJECTIVE_OBSERVED
                         ? 0
                         : fmax(t->problem.unobserved_weight, 1) * (double)t->size[other];
  if (t->heaviest_row[side] < largest_sum && square * (t->heaviest_row[side] + all) < largest_sum)
    return 1;
  return t->heaviest_row[side] < largest_sum &&
         square * all + largest_of_tiles(t, side, sum_of_tile) < largest_sum;
}

int pqf_cpu_half_sweep_in_range(pqf_training *t, int32_t side, int64_t first, int64_t count)
{
  if (fits_float(t, side))
    return pqf_cpu_half_sweep(t, side, first, count);
  if (count > 0)
    t->factors[side][t->current][first * t->stride] = NAN;
  return PQF_OK;
}
