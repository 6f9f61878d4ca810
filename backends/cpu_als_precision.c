/* When float is enough for a row of least squares.
 *
 * A matrix A whose elements are summed up in float is wrong by some E, about eps m, m its largest
 * element; the right side y by eps |y|, which is at most eps sqrt(m S), S being the sum of w t^2
 * over the row's cells. With l the smallest eigenvalue of A, lambda or more, the objective of what
 * is solved for exceeds the minimum by about
 *
 *     |E x|^2 / l + eps^2 m S / l.
 *
 * The first is little beside the minimum, which is lambda |x|^2 or more, and the second beside S
 * where lambda is well above eps m. (Systems in the space of cells have no second term: an error
 * there is one of the targets, however small lambda is. A bias adds a matrix of ones to theirs,
 * whose rounding grows with the root of their size.)
 *
 * Terms that are all alike, though (factors of nearly one value, targets likewise), are all rounded
 * alike: the right side is then wrong by some ten eps. A row that is explained nearly wholly is
 * left to double, since what is left of S has to bear that.
 *
 * Below that lambda, x is looked at: the smallest pivot stands for l, and S - y'x is the minimum.
 */
#include "cpu_als.h"

#include <float.h>
#include <math.h>
#include <string.h>

static const double eps = FLT_EPSILON;
static const double visible_lambda_of_dual = 64 * (double)FLT_EPSILON; /* times sqrt(cells) */

/* A row that is explained but for this part of S is solved in double, unless lambda is at least so
 * large a part of m. */
static const double least_residual = 1e-3;
static const double plain_lambda = 0x1p-6;

/* Numbers whose squares and products float can hold. */
static const double smallest = 0x1p-90;
static const double greatest = 0x1p90;

typedef struct square_work {
  pqf_training *t;
  int side;
} square_work;

static void square_tile(void *argument, int64_t tile, int32_t worker)
{
  (void)worker;
  const square_work *work = argument;
  pqf_training *t = work->t;
  const int side = work->side;
  double largest = 0;
  for (int64_t row = tile * ROWS_PER_TILE;
       row < tile * ROWS_PER_TILE + tile_rows(t->size[side], tile); row++) {
    const float *q = current_row(t, side, row);
    t->square[side][row] = t->solver->dot(q, q, t->stride);
    largest = fmax(largest, (double)t->square[side][row]);
  }
  t->tile_sum[side][tile] = largest;
}

void pqf_cpu_measure_squares(pqf_training *t, int side)
{
  square_work work = {t, side};
  const int64_t tiles = tile_count(t->size[side]);
  t->host->parallel_for(t->host, tiles, square_tile, &work);
  t->largest_square = 0;
  for (int64_t tile = 0; tile < tiles; tile++)
    t->largest_square = fmax(t->largest_square, t->tile_sum[side][tile]);
}

/* A bound of the scales of all cells. */
double pqf_cpu_largest_scale(const pqf_problem *problem)
{
  const pqf_matrix *r = problem->train;
  double weight = r->by_row.weight != NULL ? 0 : 1;
  double value = 0;
  for (int64_t n = 0; r->by_row.weight != NULL && n < r->count; n++)
    weight = fmax(weight, (double)r->by_row.weight[n]);
  if (problem->objective != PQF_OBJECTIVE_IMPLICIT)
    return problem->objective == PQF_OBJECTIVE_OBSERVED ? weight : fmax(weight, 1);
  for (int64_t n = 0; n < r->count; n++)
    value = fmax(value, (double)r->by_row.value[n]);
  return weight * (1 + problem->confidence * value) + problem->unobserved_weight;
}

/* The largest element of the diagonal without the base. */
static double largest_sum_of_squares(const pqf_cpu_system *s)
{
  const pqf_training *t = s->t;
  pqf_cpu_worker *w = s->worker;
  double largest = 0;
  memset(w->x, 0, (size_t)t->stride * sizeof *w->x);
  for (int64_t first = 0; first < s->cells.count; first += CELLS_PER_PANEL) {
    const int64_t left = s->cells.count - first;
    const int64_t count = left < CELLS_PER_PANEL ? left : CELLS_PER_PANEL;
    pqf_cpu_cell_terms(s, first, count);
    for (int64_t n = 0; n < count; n++)
      w->scale[n] = fabsf(w->scale[n]);
    t->solver->add_squares(t->factors[1 - s->side][t->current], t->stride, s->cells.index + first,
                           w->scale, count, left - count, w->x);
  }
  for (int64_t f = 0; f < t->k; f++)
    largest = fmax(largest, (double)w->x[f]);
  return largest;
}

int pqf_cpu_float_sees_lambda(const pqf_cpu_system *s)
{
  const pqf_training *t = s->t;
  const float *square = t->square[1 - s->side];
  const int is_dual = s->cells.count <= t->dual_cells[s->side];
  const double count = (double)s->cells.count;
  const double limit = s->lambda / (is_dual ? visible_lambda_of_dual * sqrt(fmax(count, 16))
                                            : PQF_CPU_VISIBLE_LAMBDA);
  const double bound = count * t->largest_scale * t->largest_square;
  const double ratio = is_dual && t->problem.has_bias[s->side] ? s->lambda / s->bias_lambda : 0;
  double sum = 0;
  double most = 0;
  if (!(s->lambda > smallest) || !(t->base_diagonal < limit))
    return 0;
  if (bound + ratio * t->largest_scale + t->base_diagonal < limit && bound < greatest)
    return 1;
  for (int64_t first = 0; first < s->cells.count; first += CELLS_PER_PANEL) {
    const int64_t left = s->cells.count - first;
    const int64_t panel = left < CELLS_PER_PANEL ? left : CELLS_PER_PANEL;
    pqf_cpu_cell_terms(s, first, panel);
    for (int64_t n = 0; n < panel; n++) {
      const double scale = fabs((double)s->worker->scale[n]);
      const double term = scale * ((double)square[s->cells.index[first + n]] + ratio);
      most = fmax(most, term);
      sum += term;
    }
  }
  if (!(sum < greatest))
    return 0;
  if (is_dual)
    return most < limit;
  if (!(sum / (double)t->k + t->base_diagonal < limit))
    return 0;
  return sum + t->base_diagonal < limit || largest_sum_of_squares(s) + t->base_diagonal < limit;
}

double pqf_cpu_smallest_pivot(const float *inverse, int64_t k)
{
  double most = 0;
  for (int64_t f = 0; f < k; f++)
    most = fmax(most, (double)inverse[f]);
  return 1 / (most * most);
}

int pqf_cpu_is_minimum(const pqf_cpu_system *s, const float *right_side, const float *x)
{
  const pqf_training *t = s->t;
  const double sum = s->square_sum;
  double minimum = sum - (double)t->solver->dot(right_side, x, t->stride);
  if (t->problem.has_bias[s->side] && s->bias_pivot > 0)
    minimum -= s->target_sum * s->target_sum / s->bias_pivot;
  if (!(s->largest < greatest))
    return 0;
  if (s->lambda > smallest && s->lambda > PQF_CPU_VISIBLE_LAMBDA * s->largest)
    return minimum >= least_residual * sum || s->lambda >= plain_lambda * s->largest || sum == 0;
  const double pivot = pqf_cpu_smallest_pivot(s->worker->inverse, t->k);
  const double error = eps * s->largest;
  const double square = (double)t->solver->dot(x, x, t->stride);
  const double cost = 16 * (double)t->k * error * error * square + eps * error * sum;
  minimum = fmax(minimum - 1e-6 * sum, 0); /* what float has rounded off */
  return pivot > PQF_CPU_SAFE_PIVOT * s->largest && cost <= pivot * (1e-4 * minimum + 1e-10 * sum);
}
