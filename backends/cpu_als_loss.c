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
 * wherever cells are absent is far below the rounding of either term in float. Hence Gram matrices
 * are in double, and products p.q too where what they leave turns out to be much smaller than they
 * are; floats multiply in double without rounding. */
#include "cpu_als.h"

#include <math.h>

/* Float rounds p.q by a part of |p| |q|, whatever is left of the terms. Errors whose squares have
 * less than this share of those of |p| |q| are computed in double; so is a loss with less than that
 * of what is taken from <P'P, Q'Q>. */
static const double cancellation_limit = 1e-2;
static const double taken_limit = 0.1;

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

/* Sums over cells: of the errors' squares, of w |p|^2 |q|^2, of (p.q)^2. */
typedef struct error_sums {
  double observed;
  double products;
  double taken;
} error_sums;

/* Adds `count` cells from the row's cell `first` on; `known` is the mean and the row's bias,
 * `square` the row's |p|^2. */
INLINE void add_errors(const loss_work *work, const pqf_cpu_cells *cells, int64_t first,
                       int64_t count, const double *product, double known, double square,
                       const int implicit, const int weighted, error_sums *out)
{
  const float *squares = work->t->square[PQF_COLS];
  const float *bias = work->t->bias[PQF_COLS];
  const double confidence = work->t->problem.confidence;
  error_sums sum = *out;
  for (int64_t n = 0; n < count; n++) {
    const double d = product[n];
    const double r = (double)cells->value[first + n];
    const double w = weighted ? (double)cells->weight[first + n] : 1;
    const double c = implicit ? w * (1 + confidence * r) : w;
    const double e = implicit ? 1 - d : r - known - (double)bias[cells->index[first + n]] - d;
    sum.observed += c * e * e;
    sum.products += c * square * (double)squares[cells->index[first + n]];
    sum.taken += d * d;
  }
  *out = sum;
}

/* Errors of one tile of rows: the observed part goes to tile_sum[PQF_ROWS], the sum of w |p|^2
 * |q|^2 to tile_products, that of (p.q)^2 over cells that are no zeros to tile_taken. */
static void error_of_tile(void *argument, int64_t tile, int32_t worker)
{
  const loss_work *work = argument;
  pqf_training *t = work->t;
  double product[CELLS_PER_PANEL];
  error_sums sum = {0, 0, 0};
  double beside_taken = 0;
  for (int64_t row = tile * ROWS_PER_TILE;
       row < tile * ROWS_PER_TILE + tile_rows(t->size[PQF_ROWS], tile); row++) {
    const pqf_cpu_cells cells = pqf_cpu_cells_of(&work->r->by_row, row);
    const double known = t->problem.mean + (double)t->bias[PQF_ROWS][row];
    const float *p = current_row(t, PQF_ROWS, row);
    const double square = (double)t->solver->dot(p, p, t->stride);
    int64_t count = 0;
    for (int64_t first = 0; first < cells.count; first += count) {
      count = work->exact
                  ? fill_products(t, row, &cells, first, product)
                  : fill_float_products(t, row, &cells, first, t->worker[worker].scale, product);
      if (work->implicit)
        add_errors(work, &cells, first, count, product, known, square, 1, cells.weight != NULL,
                   &sum);
      else if (cells.weight != NULL)
        add_errors(work, &cells, first, count, product, known, square, 0, 1, &sum);
      else
        add_errors(work, &cells, first, count, product, known, square, 0, 0, &sum);
    }
    if (work->beside != NULL) {
      const pqf_cpu_cells beside = pqf_cpu_cells_of(&work->beside->by_row, row);
      beside_taken += squares_beside(t, row, &beside, &cells);
    }
  }
  t->tile_sum[PQF_ROWS][tile] = sum.observed;
  t->tile_products[tile] = sum.products;
  t->tile_taken[tile] = (work->charges_all ? 0 : sum.taken) + beside_taken;
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

/* <P'P, Q'Q>, the sum of (p.q)^2 over all cells. */
static double all_squares(pqf_training *t)
{
  double squares = 0;
  for (int side = 0; side < 2; side++)
    pqf_cpu_gram(t, side, current_row(t, side, 0), current_row(t, side, 0), 1, t->gram[side]);
  for (int64_t n = 0; n < t->k * t->k; n++)
    squares += t->gram[PQF_ROWS][n] * t->gram[PQF_COLS][n];
  return squares;
}

static double sum_of_tiles(const pqf_training *t, const double *tiles)
{
  double sum = 0;
  for (int64_t tile = 0; tile < tile_count(t->size[PQF_ROWS]); tile++)
    sum += tiles[tile];
  return sum;
}

/* The observed part, and where zeros count the sum of (p.q)^2 over them, which rounding never makes
 * negative. */
static void sum_errors(loss_work *work, int has_zeros, double *observed, double *zeros)
{
  pqf_training *t = work->t;
  const double all = has_zeros ? all_squares(t) : 0;
  pqf_cpu_measure_squares(t, PQF_COLS);
  do {
    t->host->parallel_for(t->host, tile_count(t->size[PQF_ROWS]), error_of_tile, work);
    const double taken = has_zeros ? sum_of_tiles(t, t->tile_taken) : 0;
    *observed = pqf_cpu_sum_tiles(t, PQF_ROWS);
    *zeros = fmax(all - taken, 0);
    if (work->exact || (*observed >= cancellation_limit * sum_of_tiles(t, t->tile_products) &&
                        *observed + *zeros >= taken_limit * taken))
      return;
    work->exact = 1;
  } while (1);
}

int pqf_cpu_loss_parts(pqf_training *t, pqf_loss *loss)
{
  const pqf_problem *problem = &t->problem;
  loss_work work = work_of(t, problem->train);
  const int has_zeros =
      problem->objective != PQF_OBJECTIVE_OBSERVED &&
      (work.charges_all || problem->train->count < t->size[PQF_ROWS] * t->size[PQF_COLS]);
  sum_errors(&work, has_zeros, &loss->observed, &loss->unobserved);
  loss->unobserved *= work.implicit ? problem->unobserved_weight : 1;
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
  double observed;
  double zeros;
  sum_errors(&work, work.implicit, &observed, &zeros);
  if (!work.implicit)
    return observed / weight;
  const double trained = weight_sum(t, problem->train, 1);
  return observed / weight + (trained > 0 ? problem->unobserved_weight * zeros / trained : 0);
}
