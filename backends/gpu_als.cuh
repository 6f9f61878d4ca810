/* Alternating least squares: one small system per row of the side that is solved. cpu_als.c has the
 * mathematics; here is who solves which rows:
 *
 *     up to 248 factors   gpu_als_rows.cuh, a block a row
 *     more, or none below 0   gpu_als_batch.cuh
 *     conjugate gradient  gpu_conjugate_gradient.cuh
 *
 * The first two list the rows whose systems need double (none below 0 excepted), which
 * gpu_als_exact.cuh solves. */
#ifndef PQF_BACKENDS_GPU_ALS_CUH
#define PQF_BACKENDS_GPU_ALS_CUH

#include "gpu_als_exact.cuh"
#include "gpu_conjugate_gradient.cuh"
#include "gpu_loss.cuh"
#include "gpu_range.cuh"

/* ---- What a training takes ---------------------------------------------------------------------
 */

constexpr int SIZE_CLASSES = 65;

/* 0 for the longest rows: classes fall by powers of two; the last one is that of empty rows. */
static int size_class(int64_t count)
{
  return count == 0 ? 64 : __builtin_clzll(static_cast<unsigned long long>(count));
}

/* Rows [first, end) by falling number of cells, counted by powers of two, and within one in their
 * own order; returns how many are to be split. */
static int64_t order_rows(const pqf_cells *cells, int64_t first, int64_t end, int32_t *order)
{
  int64_t start[SIZE_CLASSES + 1] = {0};
  for (int64_t row = first; row < end; row++)
    start[size_class(cells->offset[row + 1] - cells->offset[row]) + 1]++;
  for (int n = 0; n < SIZE_CLASSES; n++)
    start[n + 1] += start[n];
  const int64_t wide = start[size_class(WIDE_CELLS) + 1];
  for (int64_t row = first; row < end; row++)
    order[start[size_class(cells->offset[row + 1] - cells->offset[row])]++] =
        static_cast<int32_t>(row);
  return wide;
}

static void fill_order(device_cells *c, int32_t *order)
{
  for (int64_t block = 0; block < c->blocks; block++)
    c->wide[block] =
        order_rows(c->host, c->first[block], c->first[block + 1], order + c->first[block]);
}

/* (n + offset)^s for a row of n cells. */
static void fill_scales(const pqf_training *t, int side, double *scale)
{
  const int64_t *offset = t->cells[side].host->offset;
  for (int64_t row = 0; row < t->size[side]; row++)
    scale[row] =
        pow(static_cast<double>(offset[row + 1] - offset[row]) + t->problem.scaling_offset[side],
            t->problem.scaling_exponent);
}

/* Order and scales of one side go to the device; the host's copies stay until they have left. */
static int send_rows(pqf_training *t, int side, int32_t *order, double *scale)
{
  if (!t->planning) {
    fill_order(&t->cells[side], order);
    fill_scales(t, side, scale);
  }
  TRY(take_copy(t, &t->als.order[side], order, t->size[side]));
  if (t->problem.scaling_exponent != 0)
    TRY(take_copy(t, &t->als.row_scale[side], scale, t->size[side]));
  return t->planning ? PQF_OK : wait(t);
}

static int take_rows(pqf_training *t, int side)
{
  int32_t *order = nullptr;
  double *scale = nullptr;
  int status = PQF_OK;
  if (!t->planning) {
    status = take_host(t, &order, t->size[side]);
    if (status == PQF_OK)
      status = take_host(t, &scale, t->size[side]);
  }
  if (status == PQF_OK)
    status = send_rows(t, side, order, scale);
  if (status != PQF_OK && !t->planning)
    cudaStreamSynchronize(t->stream); /* what was sent may still be under way */
  t->host->release(t->host, order);
  t->host->release(t->host, scale);
  return status;
}

static int has_wide_rows(const pqf_training *t)
{
  return t->cells[PQF_ROWS].longest >= WIDE_CELLS || t->cells[PQF_COLS].longest >= WIDE_CELLS;
}

/* Wide rows of the block that has most of them, if they need room. */
static int64_t wide_rows(const pqf_training *t)
{
  if (uses_batches(t) || t->problem.conjugate_gradient_steps > 0 || !has_wide_rows(t))
    return 0;
  int64_t count[2] = {0, 0};
  for (int side = 0; side < 2; side++) {
    const int64_t *offset = t->cells[side].host->offset;
    for (int64_t row = 0; row < t->size[side]; row++)
      count[side] += offset[row + 1] - offset[row] >= WIDE_CELLS;
  }
  return least(most(count[0], count[1]), wide_rows_at_a_time(t->d));
}

static int take_als(pqf_training *t)
{
  device_als *als = &t->als;
  for (int side = 0; side < 2; side++) {
    TRY(take_zeroed(t, &als->bias[side], t->size[side]));
    TRY(take_zeroed(t, &als->best_bias[side], t->size[side]));
    TRY(take_rows(t, side));
  }
  TRY(take_zeroed(t, &als->base, t->d * t->d));
  TRY(take(t, &als->failed, most(t->size[PQF_ROWS], t->size[PQF_COLS])));
  TRY(take_zeroed(t, &als->failed_count, 1));
  const int64_t wide = wide_rows(t);
  if (wide > 0)
    TRY(take(t, &als->part, wide * PARTS * part_doubles(t->d)));
  TRY(take_batch(t));
  return take_exact(t);
}

/* ---- A half-sweep ------------------------------------------------------------------------------
 */

/* base = share gram; its pads stay 0. */
static __global__ void fill_base(float *base, const double *gram, int64_t k, int64_t d,
                                 double share)
{
  const int64_t n = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (n < k * k)
    base[n / k * d + n % k] = static_cast<float>(share * gram[n]);
}

/* Of Q'Q in every row's matrix. */
static double share_of(const pqf_problem *p)
{
  return p->objective == PQF_OBJECTIVE_IMPLICIT ? p->unobserved_weight : 1;
}

/* What all rows' matrices have in common: share Q'Q, or nothing. */
static int prepare_base(pqf_training *t, int side)
{
  const int other = 1 - side;
  if (t->problem.objective == PQF_OBJECTIVE_OBSERVED)
    return PQF_OK;
  TRY(compute_exact_gram(t, current_factors(t, other), current_factors(t, other), t->size[other],
                         t->gram[other]));
  return launch(t, "fill_base", fill_base, dim3(blocks_for(t->k * t->k, THREADS)), THREADS, 0,
                t->als.base, static_cast<const double *>(t->gram[other]), t->k, t->d,
                share_of(&t->problem));
}

static sweep_work sweep_of(const pqf_training *t, int side, int64_t first, int64_t count)
{
  const pqf_problem *p = &t->problem;
  const int observed = p->objective == PQF_OBJECTIVE_OBSERVED;
  sweep_work work = {};
  work.other = current_factors(t, 1 - side);
  work.other_bias = t->als.bias[1 - side];
  work.own = t->factors[side][t->current];
  work.own_bias = t->als.bias[side];
  work.row_scale = t->als.row_scale[side];
  work.base = observed ? nullptr : t->als.base;
  work.gram = observed ? nullptr : t->gram[1 - side];
  work.share = share_of(p);
  work.lambda = p->regularization;
  work.bias_lambda = p->bias_regularization;
  work.confidence = p->confidence;
  work.unobserved_weight = p->unobserved_weight;
  work.mean = static_cast<float>(p->mean);
  work.mean_rest = static_cast<float>(p->mean - static_cast<double>(work.mean));
  work.objective = p->objective;
  work.all_zeros = p->implicit_zeros == PQF_ZEROS_ALL;
  work.has_bias = p->has_bias[side];
  work.needs_update =
      p->objective != PQF_OBJECTIVE_SQUARED || t->cells[side].host->weight != nullptr;
  work.k = static_cast<int32_t>(t->k);
  work.d = static_cast<int32_t>(t->d);
  work.steps = p->conjugate_gradient_steps;
  work.offset = t->cells[side].offset;
  work.other_rows = t->size[1 - side];
  work.first_row = first;
  work.end_row = first + count;
  return work;
}

/* Solves again, in double, what has been listed. */
static int solve_failed(pqf_training *t, const cells_view &cells, const sweep_work &work)
{
  int32_t *count = reinterpret_cast<int32_t *>(t->result);
  CUDA(t, cudaMemcpyAsync, count, t->als.failed_count, sizeof *count, cudaMemcpyDeviceToHost,
       t->stream);
  TRY(wait(t));
  if (*count == 0)
    return PQF_OK;
  TRY(solve_exactly(t, cells, work, t->als.failed, *count));
  CUDA(t, cudaMemsetAsync, t->als.failed_count, 0, sizeof *count, t->stream);
  return PQF_OK;
}

static int cuda_half_sweep(pqf_training *t, int32_t side, int64_t first, int64_t count)
{
  ON_DEVICE(t);
  const device_cells *c = &t->cells[side];
  const sweep_work work = sweep_of(t, side, first, count);
  const int32_t *order = t->als.order[side];
  const int exact = t->problem.conjugate_gradient_steps == 0;
  const batch_method method = t->problem.nonnegative ? NONNEGATIVE : BY_CUSOLVER;
  int fits = 0;
  TRY(check_range(t, side, &fits));
  if (!fits) { /* NaN, of which the loss will tell */
    CUDA(t, cudaMemsetAsync, t->factors[side][t->current] + first * t->d, 0xff, sizeof(float),
         t->stream);
    return wait(t);
  }
  TRY(prepare_base(t, side));
  TRY(for_each_block(
      t, c,
      [&](const cells_view &cells, int64_t block) {
        const int32_t *rows = order + cells.first;
        if (!exact)
          return conjugate_gradient_block(t, cells, work, rows);
        return uses_batches(t) ? solve_batches(t, cells, work, rows, cells.rows, method)
                               : solve_block(t, cells, work, rows, c->wide[block]);
      },
      [&](const cells_view &cells, int64_t) {
        return exact && !t->problem.nonnegative ? solve_failed(t, cells, work) : PQF_OK;
      }));
  return wait(t);
}

/* ---- Losses ------------------------------------------------------------------------------------
 */

static int cuda_loss_parts(pqf_training *t, pqf_loss *loss)
{
  ON_DEVICE(t);
  const pqf_problem *p = &t->problem;
  const int clicks = p->objective == PQF_OBJECTIVE_IMPLICIT;
  double sum[2];
  TRY(cell_error(t, &t->cells[PQF_ROWS], 1, sum));
  *loss = {sum[0], 0, 0};
  if (p->objective != PQF_OBJECTIVE_OBSERVED) {
    double squares = 0;
    TRY(zero_squares(t, sum[1], &squares));
    loss->unobserved = (clicks ? p->unobserved_weight : 1) * squares;
  }
  for (int side = 0; side < 2; side++) {
    double part = 0;
    TRY(square_sum(t, side, t->als.bias[side], t->als.row_scale[side], p->regularization,
                   p->bias_regularization, &part));
    loss->regularization += part;
  }
  return PQF_OK;
}

#endif
