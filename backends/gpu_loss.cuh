/* Losses from the factors as they are, with every dot product in double.
 *
 *     error   sum over present cells of w e^2, e = target r - mu - b - c - p.q
 *             (clicks: w (1 + alpha r) (1 - p.q)^2)
 *     squares sum over present cells of (p.q)^2: what absent cells do not have of <P'P, Q'Q> */
#ifndef PQF_BACKENDS_GPU_LOSS_CUH
#define PQF_BACKENDS_GPU_LOSS_CUH

#include "gpu_gather.cuh"
#include "gpu_gram.cuh"

struct error_work {
  const float *p;
  const float *q;
  const float *row_bias; /* NULL: none */
  const float *col_bias;
  double *part;
  double target;
  double mean;
  double confidence;
  int32_t clicks;
  int32_t d;
};

/* part[2 block] += error, part[2 block + 1] += squares; a cell is a warp's work. */
static __global__ void cell_errors(cells_view cells, error_work work)
{
  double error = 0;
  double squares = 0;
  for (int64_t row = cells.first + blockIdx.x; row < cells.first + cells.rows; row += gridDim.x) {
    const float *p = work.p + row * work.d;
    const double known =
        work.mean + (work.row_bias != nullptr ? static_cast<double>(work.row_bias[row]) : 0);
    const int64_t end = cells.offset[row + 1] - cells.base;
    for (int64_t n = cells.offset[row] - cells.base + warp_number(); n < end; n += warp_count()) {
      const int64_t col = __ldg(cells.index + n);
      const double dot = warp_exact_dot(p, work.q + col * work.d, work.d);
      const double value = static_cast<double>(__ldg(cells.value + n));
      const double weight = static_cast<double>(weight_of(cells, n));
      const double miss =
          work.clicks
              ? 1 - dot
              : work.target * value - known -
                    (work.col_bias != nullptr ? static_cast<double>(work.col_bias[col]) : 0) - dot;
      if (lane_number() == 0) {
        error += (work.clicks ? weight * (1 + work.confidence * value) : weight) * miss * miss;
        squares += dot * dot;
      }
    }
  }
  error = block_sum(error);
  squares = block_sum(squares);
  if (threadIdx.x == 0) {
    work.part[2 * blockIdx.x] += error;
    work.part[2 * blockIdx.x + 1] += squares;
  }
}

/* sum[0]: error, sum[1]: squares, over the present cells of some data. */
static int cell_error(pqf_training *t, const device_cells *c, double target, double sum[2])
{
  const int als = is_als(t);
  const error_work work = {current_factors(t, PQF_ROWS),
                           current_factors(t, PQF_COLS),
                           als ? t->als.bias[PQF_ROWS] : nullptr,
                           als ? t->als.bias[PQF_COLS] : nullptr,
                           t->part,
                           target,
                           als ? t->problem.mean : 0,
                           t->problem.confidence,
                           als && t->problem.objective == PQF_OBJECTIVE_IMPLICIT,
                           static_cast<int32_t>(t->d)};
  TRY(clear_parts(t));
  TRY(for_each_block(t, c, [=](const cells_view &cells, int64_t) {
    return launch(t, "cell_errors", cell_errors, dim3(part_count(cells.rows)), THREADS, 0, cells,
                  work);
  }));
  return sum_parts(t, sum);
}

/* Whether sorted `index` has `wanted`. */
static __device__ int has_index(const int32_t *index, int64_t count, int32_t wanted)
{
  int64_t first = 0;
  int64_t end = count;
  while (first < end) {
    const int64_t middle = first + (end - first) / 2;
    if (__ldg(index + middle) < wanted)
      first = middle + 1;
    else
      end = middle;
  }
  return first < count && __ldg(index + first) == wanted;
}

/* part[2 block] += the squares of cells that others (CSR, on the device) do not have. */
static __global__ void squares_beside(cells_view cells, error_work work, const int64_t *offset,
                                      const int32_t *index)
{
  double squares = 0;
  for (int64_t row = cells.first + blockIdx.x; row < cells.first + cells.rows; row += gridDim.x) {
    const int64_t others = offset[row + 1] - offset[row];
    const int64_t end = cells.offset[row + 1] - cells.base;
    for (int64_t n = cells.offset[row] - cells.base + warp_number(); n < end; n += warp_count()) {
      const int32_t col = __ldg(cells.index + n);
      const double dot = warp_exact_dot(work.p + row * work.d,
                                        work.q + static_cast<int64_t>(col) * work.d, work.d);
      if (lane_number() == 0 && !has_index(index + offset[row], others, col))
        squares += dot * dot;
    }
  }
  squares = block_sum(squares);
  if (threadIdx.x == 0)
    work.part[2 * blockIdx.x] += squares;
}

/* The squares of the cells of the training data that the validation data does not have. */
static int squares_trained_alone(pqf_training *t, double *squares)
{
  double sum[2];
  error_work work = {};
  const int64_t *offset = t->validation_cells.offset;
  const int32_t *index =
      t->validation_index != nullptr ? t->validation_index : t->validation_cells.index;
  work.p = current_factors(t, PQF_ROWS);
  work.q = current_factors(t, PQF_COLS);
  work.part = t->part;
  work.d = static_cast<int32_t>(t->d);
  TRY(clear_parts(t));
  TRY(for_each_block(t, &t->cells[PQF_ROWS], [=](const cells_view &cells, int64_t) {
    return launch(t, "squares_beside", squares_beside, dim3(part_count(cells.rows)), THREADS, 0,
                  cells, work, offset, index);
  }));
  TRY(sum_parts(t, sum));
  *squares = sum[0];
  return PQF_OK;
}

/* part[2 block] += the sum over rows of scale (lambda |x|^2 + bias_lambda b^2); a row is a warp's
 * work. */
static __global__ void weighted_squares(double *part, const float *x, const float *bias,
                                        const double *scale, int64_t rows, int d, double lambda,
                                        double bias_lambda)
{
  double sum = 0;
  const int64_t step = static_cast<int64_t>(gridDim.x) * warp_count();
  for (int64_t row = static_cast<int64_t>(blockIdx.x) * warp_count() + warp_number(); row < rows;
       row += step) {
    const double square = warp_exact_dot(x + row * d, x + row * d, d);
    const double b = bias != nullptr ? static_cast<double>(bias[row]) : 0;
    if (lane_number() == 0)
      sum += (scale != nullptr ? scale[row] : 1) * (lambda * square + bias_lambda * b * b);
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0)
    part[2 * blockIdx.x] += sum;
}

/* Of one side; lambda 1 and no biases give the square of its norm. */
static int square_sum(pqf_training *t, int side, const float *bias, const double *scale,
                      double lambda, double bias_lambda, double *out)
{
  double sum[2];
#ifdef PQF_BUG_HOST_POINTER
  double *const part = sum;
#else
  double *const part = t->part;
#endif
  TRY(clear_parts(t));
  TRY(launch(t, "weighted_squares", weighted_squares, dim3(part_count(t->size[side])), THREADS, 0,
             part, current_factors(t, side), bias, scale, t->size[side], static_cast<int>(t->d),
             lambda, bias_lambda));
  TRY(sum_parts(t, sum));
  *out = sum[0];
  return PQF_OK;
}

/* <P'P, Q'Q>, which is the sum over all cells of (p.q)^2, every product in double: what cells that
 * count take from it cancels nearly all of it where the fit is close. */
static int all_squares(pqf_training *t, double *squares)
{
  double numbers[3];
  for (int side = 0; side < 2; side++)
    TRY(compute_exact_gram(t, current_factors(t, side), current_factors(t, side), t->size[side],
                           t->gram[side]));
  TRY(fetch_gram_numbers(t, numbers));
  *squares = numbers[0];
  return PQF_OK;
}

/* Whether present cells count as zeros too. */
static int charges_all(const pqf_problem *p)
{
  return p->objective == PQF_OBJECTIVE_IMPLICIT && p->implicit_zeros == PQF_ZEROS_ALL;
}

/* Least squares: the sum of (p.q)^2 over the cells that count as zeros, `present` being that over
 * the present ones; rounding never makes it negative. */
static int zero_squares(pqf_training *t, double present, double *squares)
{
  const pqf_problem *p = &t->problem;
  *squares = 0;
  if (!charges_all(p) && p->train->count == t->size[PQF_ROWS] * t->size[PQF_COLS])
    return PQF_OK; /* no cell is absent */
  TRY(all_squares(t, squares));
  *squares -= charges_all(p) ? 0 : present;
  *squares = *squares > 0 ? *squares : 0;
  return PQF_OK;
}

/* What the zeros add to the validation loss of clicks, `held_out` being the squares of the
 * validation data's cells. */
static int validation_zeros(pqf_training *t, double held_out, double *loss)
{
  const pqf_problem *p = &t->problem;
  double squares = 0;
  double alone = 0;
  *loss = 0;
  if (!(t->training_weight > 0))
    return PQF_OK;
  if (p->validation != p->train)
    TRY(squares_trained_alone(t, &alone));
  TRY(all_squares(t, &squares));
  squares -= alone + (charges_all(p) ? 0 : held_out);
  *loss = squares > 0 ? p->unobserved_weight * squares / t->training_weight : 0;
  return PQF_OK;
}

/* The error over all cells of sparse data, absent ones counting as zeros; never negative. */
static int zeros_error(pqf_training *t, double target, double *error)
{
  double sum[2];
  double all = 0;
  TRY(all_squares(t, &all));
  TRY(cell_error(t, &t->cells[PQF_ROWS], target, sum));
  const double whole = sum[0] - sum[1] + all;
  *error = whole > 0 ? whole : 0;
  return PQF_OK;
}

#endif
