/* Whether the systems of a half-sweep fit into float: the elements of a row's matrix are at most the
 * sum over its cells of w |q|^2 (and alpha0 times the sum over all), here bounded by the largest
 * |q|^2 times the heaviest row's weight. Where that overflows, the side's factors become NaN, and so
 * does the loss. */
#ifndef PQF_BACKENDS_GPU_RANGE_CUH
#define PQF_BACKENDS_GPU_RANGE_CUH

#include "gpu_gather.cuh"

constexpr double LARGEST_SUM = 1e38;

/* part[2 block] = the largest |x|^2 of its rows; a row is a warp's work. */
static __global__ void largest_squares(double *part, const float *x, int64_t rows, int d)
{
  PQF_STATIC_SHARED(double, largest, WARP);
  double own = 0;
  const int64_t step = static_cast<int64_t>(gridDim.x) * warp_count();
  for (int64_t row = static_cast<int64_t>(blockIdx.x) * warp_count() + warp_number(); row < rows;
       row += step)
    own = fmax(own, warp_exact_dot(x + row * d, x + row * d, d));
  if (lane_number() == 0)
    largest[warp_number()] = own;
  __syncthreads();
  if (threadIdx.x != 0)
    return;
  for (int warp = 0; warp < warp_count(); warp++)
    own = fmax(own, largest[warp]);
  part[2 * blockIdx.x] = own;
}

static int largest_square(pqf_training *t, int side, double *largest)
{
  TRY(clear_parts(t));
  TRY(launch(t, "largest_squares", largest_squares, dim3(part_count(t->size[side])), THREADS, 0,
             t->part, current_factors(t, side), t->size[side], static_cast<int>(t->d)));
  TRY(fetch(t, t->part, RESULTS));
  *largest = 0;
  for (int64_t n = 0; n < RESULTS; n += 2)
    *largest = fmax(*largest, t->result[n]);
  return PQF_OK;
}

/* The largest sum over a row's cells of their weight; for clicks of their confidence. */
static double heaviest_row(const pqf_training *t, int side)
{
  const pqf_cells *cells = t->cells[side].host;
  const int clicks = t->problem.objective == PQF_OBJECTIVE_IMPLICIT;
  double heaviest = 0;
  for (int64_t row = 0; row < t->size[side]; row++) {
    double sum = 0;
    for (int64_t n = cells->offset[row]; n < cells->offset[row + 1]; n++)
      sum += (cells->weight != nullptr ? static_cast<double>(cells->weight[n]) : 1) *
             (clicks ? 1 + t->problem.confidence * static_cast<double>(cells->value[n]) : 1);
    heaviest = fmax(heaviest, sum);
  }
  return heaviest;
}

static int check_range(pqf_training *t, int side, int *fits)
{
  const pqf_problem *p = &t->problem;
  const int other = 1 - side;
  double square = 0;
  if (!(t->als.heaviest_row[side] > 0))
    t->als.heaviest_row[side] = heaviest_row(t, side);
  TRY(largest_square(t, other, &square));
  const double all = p->objective == PQF_OBJECTIVE_OBSERVED
                         ? 0
                         : fmax(p->unobserved_weight, 1) * static_cast<double>(t->size[other]);
  *fits = t->als.heaviest_row[side] < LARGEST_SUM &&
          square * (t->als.heaviest_row[side] + all) < LARGEST_SUM;
  return PQF_OK;
}

#endif
