/* The loss of alternating least squares, in its parts, and that of validation data.
 *
 *     observed   sum over present cells of w e^2, e = r - mu - b - c - p.q
 *                (implicit: c (1 - p.q)^2)
 *     unobserved a0 times the sum over absent cells of (p.q)^2, which is
 *                a0 (<P'P, Q'Q> - sum over present cells of (p.q)^2);
 *                over all cells with zeros charged to all
 *     regularization  sum of l |p|^2 + l_b b^2 over rows, and likewise over columns
 *
 * The loss of clicks that were held out (V), beside those trained on (T), has the objective's terms
 * in the proportion that they have there: the zeros are not held out, and would drown the few cells
 * that are. A cell of T is neither a zero nor held out.
 *
 *     sum over V of c (1 - p.q)^2 / (sum over V of c)
 *       + a0 (sum over cells in neither of (p.q)^2) / (sum over T of c)
 *
 * The closer the fit, the more of that difference cancels: what is left of it when p.q is near 0
 * wherever cells are absent is far below the rounding of either term in float. Hence the products
 * of these are in double; floats multiply in it without rounding. So are those of other objectives
 * where errors turn out to be much smaller than products. */
#include "cpu_als.h"

/* Errors whose squares have less than this share of those of products are computed in double. */
static const double cancellation_limit = 1e-2;

typedef struct loss_work {
  pqf_training *t;
  const pqf_matrix *r;
  const pqf_matrix *beside; /* cells that are neither of r nor zeros; NULL: none */
  int implicit;             /* confidence in the place of weight, 1 in that of the value */
  int charges_all;          /* cells of r count as zeros too */
  int exact;                /* products are in double */
  int side;
} loss_work;

static loss_work work_of(pqf_training *t, const pqf_matrix *r)
{
  const int implicit = t->problem.objective == PQF_OBJECTIVE_IMPLICIT;
  return (loss_work){.t = t,
                     .r = r,
                     .implicit = implicit,
                     .exact = t->problem.objective != PQF_OBJECTIVE_OBSERVED,
                     .charges_all = implicit && t->problem.implicit_zeros == PQF_ZEROS_ALL};
}

/* The products p.q of up to CELLS_PER_PANEL cells from the row's cell `first` on; returns how many
 * cells that is. */
static int64_t fill_products(const pqf_training *t, int64_t row, const pqf_cpu_cells *cells,
                             int64_t first, double product[CELLS_PER_PANEL])
{
  const int64_t left = cells->count - first;
  const int64_t count = left < CELLS_PER_PANEL ? left : CELLS_PER_PANEL;
  t->kernels->exact_dots(cells, first, count, current_row(t, PQF_ROWS, row),
                         current_row(t, PQF_COLS, 0), t->stride, product);
  return count;
}

/* The same in float, by way of the worker's workspace. */
static int64_t fill_float_products(const pqf_training *t, int64_t row, const pqf_cpu_cells *cells,
                                   int64_t first, float *workspace, double product[CELLS_PER_PANEL])
{
  const int64_t left = cells->count - first;
  const int64_t count = left < CELLS_PER_PANEL ? left : CELLS_PER_PANEL;
  t->solver->dots(current_row(t, PQF_ROWS, row), current_row(t, PQF_COLS, 0), t->stride,
                  cells->index + first, count, left - count, workspace);
  for (int64_t n = 0; n < count; n++)
    product[n] = (double)workspace[n];
  return count;
}

/* The sum of (p.q)^2 over the row's cells that are not also in `others`. */
static double squares_beside(const pqf_training *t, int64_t row, const pqf_cpu_cells *cells,
                             const pqf_cpu_cells *others)
{
  double product[CELLS_PER_PANEL];
  double sum = 0;
  int64_t other = 0;
  int64_t count = 0;
  for (int64_t first = 0; first < cells->count; first += count) {
    count = fill_products(t, row, cells, first, product);
    for (int64_t n = 0; n < count; n++) {
      while (other < others->count && others->index[other] < cells->index[first + n])
        other++;
      if (other == others->count || others->index[other] != cells->index[first + n])
        sum += product[n] * product[n];
    }
  }
  return sum;
}

/* Errors of one tile of rows: the observed part goes to tile_sum[PQF_ROWS], the sum of (p.q)^2 over
 * cells that are no zeros to tile_taken; where there are no zeros that of w (p.q)^2. */
static void error_of_tile(void *argument, int64_t tile, int32_t worker)
{
  const loss_work *work = argument;
  pqf_training *t = work->t;
  const pqf_problem *problem = &t->problem;
  const int zeros = problem->objective != PQF_OBJECTIVE_OBSERVED;
  double product[CELLS_PER_PANEL];
  double observed = 0;
  double taken = 0;
  for (int64_t row = tile * ROWS_PER_TILE;
       row < tile * ROWS_PER_TILE + tile_rows(t->size[PQF_ROWS], tile); row++) {
    const pqf_cpu_cells cells = pqf_cpu_cells_of(&work->r->by_row, row);
    const double known = problem->mean + (double)t->bias[PQF_ROWS][row];
    int64_t count = 0;
    for (int64_t first = 0; first < cells.count; first += count) {
      count = work->exact
                  ? fill_products(t, row, &cells, first, product)
                  : fill_float_products(t, row, &cells, first, t->worker[worker].scale, product);
      for (int64_t n = 0; n < count; n++) {
        const double d = product[n];
        const double r = (double)cells.value[first + n];
        const double w = cells.weight != NULL ? (double)cells.weight[first + n] : 1;
        taken += (zeros ? !work->charges_all : w) * d * d;
        if (work->implicit) {
          observed += w * (1 + problem->confidence * r) * (1 - d) * (1 - d);
        } else {
          const double e = r - known - (double)t->bias[PQF_COLS][cells.index[first + n]] - d;
          observed += w * e * e;
        }
      }
    }
    if (work->beside != NULL) {
      const pqf_cpu_cells beside = pqf_cpu_cells_of(&work->beside->by_row, row);
      taken += squares_beside(t, row, &beside, &cells);
    }
  }
  t->tile_sum[PQF_ROWS][tile] = observed;
  t->tile_taken[tile] = taken;
}

static void regularization_of_tile(void *argument, int64_t tile, int32_t worker)
{
  (void)worker;
  const loss_work *work = argument;
  pqf_training *t = work->t;
  const int side = work->side;
  const int64_t *offset = pqf_cpu_cells_by(t->problem.train, side)->offset;
  double sum = 0;
  for (int64_t row = tile * ROWS_PER_TILE;
       row < tile * ROWS_PER_TILE + tile_rows(t->size[side], tile); row++) {
    const float *p = current_row(t, side, row);
    const double bias = (double)t->bias[side][row];
    const double scale = pqf_cpu_row_scale(t, side, offset[row + 1] - offset[row]);
    sum += scale * (t->problem.regularization * t->kernels->dot(p, p, t->stride) +
                    t->problem.bias_regularization * bias * bias);
  }
  t->tile_sum[side][tile] = sum;
}

/* The observed part; leaves tile_taken. */
static double sum_errors(loss_work *work)
{
  pqf_training *t = work->t;
  const int64_t tiles = tile_count(t->size[PQF_ROWS]);
  double squares = 0;
  t->host->parallel_for(t->host, tiles, error_of_tile, work);
  const double observed = pqf_cpu_sum_tiles(t, PQF_ROWS);
  if (work->exact)
    return observed;
  for (int64_t tile = 0; tile < tiles; tile++)
    squares += t->tile_taken[tile];
  if (observed >= cancellation_limit * squares)
    return observed;
  work->exact = 1;
  t->host->parallel_for(t->host, tiles, error_of_tile, work);
  return pqf_cpu_sum_tiles(t, PQF_ROWS);
}

/* The sum of (p.q)^2 over the cells that count as zeros, after error_of_tile; rounding never makes
 * it negative. */
static double zero_squares(pqf_training *t)
{
  double squares = 0;
  for (int side = 0; side < 2; side++)
    pqf_cpu_gram(t, side, current_row(t, side, 0), current_row(t, side, 0), 1, t->gram[side]);
  for (int64_t n = 0; n < t->k * t->k; n++)
    squares += t->gram[PQF_ROWS][n] * t->gram[PQF_COLS][n];
  for (int64_t tile = 0; tile < tile_count(t->size[PQF_ROWS]); tile++)
    squares -= t->tile_taken[tile];
  return squares > 0 ? squares : 0;
}

int pqf_cpu_loss_parts(pqf_training *t, pqf_loss *loss)
{
  const pqf_problem *problem = &t->problem;
  loss_work work = work_of(t, problem->train);
  const int has_zeros =
      problem->objective != PQF_OBJECTIVE_OBSERVED &&
      (work.charges_all || problem->train->count < t->size[PQF_ROWS] * t->size[PQF_COLS]);
  loss->observed = sum_errors(&work);
  loss->unobserved =
      has_zeros ? (work.implicit ? problem->unobserved_weight : 1) * zero_squares(t) : 0;
  loss->regularization = 0;
  for (work.side = 0; work.side < 2; work.side++) {
    t->host->parallel_for(t->host, tile_count(t->size[work.side]), regularization_of_tile, &work);
    loss->regularization += pqf_cpu_sum_tiles(t, work.side);
  }
  return PQF_OK;
}

/* The weight of all cells: for clicks their confidence. */
static double weight_sum(const pqf_training *t, const pqf_matrix *r, int implicit)
{
  double sum = 0;
  for (int64_t n = 0; n < r->count; n++) {
    const double weight = r->by_row.weight != NULL ? (double)r->by_row.weight[n] : 1;
    sum += implicit ? weight * (1 + t->problem.confidence * (double)r->by_row.value[n]) : weight;
  }
  return sum;
}

double pqf_cpu_als_validation(pqf_training *t, const pqf_matrix *r)
{
  const pqf_problem *problem = &t->problem;
  loss_work work = work_of(t, r);
  const double weight = weight_sum(t, r, work.implicit);
  if (!(weight > 0))
    return 0;
  work.beside = work.implicit ? problem->train : NULL;
  const double observed = sum_errors(&work) / weight;
  if (!work.implicit)
    return observed;
  const double trained = weight_sum(t, problem->train, 1);
  return observed + (trained > 0 ? problem->unobserved_weight * zero_squares(t) / trained : 0);
}
