/* Gradient descent on sparse R: sums over present cells only, by row for the step of P, by column
 * for that of Q; one block a row.
 *
 * Zeros that count (PQF_OBJECTIVE_SQUARED): E0 Q0 = P0 (Q0'Q0) - R Q0, where a present cell of
 * weight w and prediction d stands in R Q0 as (w r - (w - 1) d) q, since the Gram matrix charges it
 * d q already.
 *
 * Observed cells (PQF_OBJECTIVE_OBSERVED): the errors are computed cell by cell, in both passes
 * from the old factors, so that nothing of the size of R is stored. */
#ifndef PQF_BACKENDS_GPU_SPARSE_CUH
#define PQF_BACKENDS_GPU_SPARSE_CUH

#include "gpu_gather.cuh"
#include "gpu_gram.cuh"

enum gradient_rule { ZEROS, WEIGHTED_ZEROS, OBSERVED };

struct gradient_work {
  const float *own;    /* current factors of the rows */
  const float *old;    /* current factors of the other side */
  const float *source; /* what is summed up: `old`, or the other side's next factors */
  float *next;         /* of the rows */
  double *part;        /* NULL: the loss is not wanted */
  int32_t d;
  float kept; /* observed: next = kept own - taken sum */
  float taken;
  double target;
};

/* The row's sum goes to `next`; part[2 block] += <sum, own>, or for observed cells their error,
 * part[2 block + 1] += what weights add to the loss. */
template <int rule> static __global__ void gradient_rows(cells_view cells, gradient_work work)
{
  PQF_DYNAMIC_SHARED(float, sums);
  const int d = work.d;
  double error = 0;
  double weighted = 0;
  for (int64_t row = cells.first + blockIdx.x; row < cells.first + cells.rows; row += gridDim.x) {
    const float *own = work.own + row * d;
    float *next = work.next + row * d;
    gather_shares(cells, cells.offset[row] - cells.base, cells.offset[row + 1] - cells.base,
                  work.source, d, sums, [&](int64_t n, int32_t index) {
                    const float value = __ldg(cells.value + n);
                    if (rule == ZEROS)
                      return value;
                    const float dot = warp_dot(own, work.old + static_cast<int64_t>(index) * d, d);
                    const float weight = weight_of(cells, n);
                    const double first = lane_number() == 0 ? static_cast<double>(weight) : 0;
                    if (rule == WEIGHTED_ZEROS) {
                      weighted += (lane_number() == 0 ? first - 1 : 0) * static_cast<double>(dot) *
                                  static_cast<double>(dot);
                      return weight * value - (weight - 1) * dot;
                    }
                    const double miss =
                        static_cast<double>(dot) - work.target * static_cast<double>(value);
                    error += first * miss * miss;
                    return weight * (dot - value);
                  });
#ifndef PQF_BUG_NO_BARRIER
    __syncthreads();
#endif
    for (int f = static_cast<int>(threadIdx.x); f < d; f += static_cast<int>(blockDim.x)) {
      const float sum = sum_shares(sums, d, f);
      if (rule != OBSERVED)
        error += static_cast<double>(sum) * static_cast<double>(own[f]);
      next[f] = rule == OBSERVED ? work.kept * own[f] - work.taken * sum : sum;
    }
    __syncthreads(); /* the sums are taken */
  }
  error = block_sum(error);
  weighted = block_sum(weighted);
  if (threadIdx.x == 0 && work.part != nullptr) {
    work.part[2 * blockIdx.x] += error;
    work.part[2 * blockIdx.x + 1] += weighted;
  }
}

/* The sums for one side, into its next factors. */
static int gradient_pass(pqf_training *t, int side)
{
  const double alpha = t->problem.learning_rate;
  const float *old = current_factors(t, 1 - side);
  const gradient_work work = {
      current_factors(t, side),
      old,
      side == PQF_ROWS ? old : next_factors(t, 1 - side), /* Q takes the new P */
      next_factors(t, side),
      side == PQF_ROWS ? t->part : nullptr,
      static_cast<int32_t>(t->d),
      static_cast<float>(1 - t->beta_sign * alpha * t->problem.regularization),
      static_cast<float>(2 * alpha),
      t->error_target};
  auto *const kernel = is_observed(t)                           ? gradient_rows<OBSERVED>
                       : t->cells[side].host->weight != nullptr ? gradient_rows<WEIGHTED_ZEROS>
                                                                : gradient_rows<ZEROS>;
#ifdef PQF_BUG_SHARED_MEMORY
  const int64_t bytes = t->d * static_cast<int64_t>(sizeof(float));
#else
  const int64_t bytes = gather_floats(t->d, THREADS) * static_cast<int64_t>(sizeof(float));
#endif
  return for_each_block(t, &t->cells[side], [=](const cells_view &cells, int64_t) {
    return launch(t, "gradient_rows", kernel, dim3(part_count(cells.rows)), THREADS, bytes, cells,
                  work);
  });
}

/* Leaves P1 and returns what the present cells give to the loss: 2 target <R Q0, P0> and what
 * weights add to it; for observed cells their error. */
static int gradient_row_pass(pqf_training *t, double *loss)
{
  double sum[2];
  TRY(clear_parts(t));
  TRY(gradient_pass(t, PQF_ROWS));
  TRY(sum_parts(t, sum));
  *loss = is_observed(t) ? sum[0] : 2 * t->error_target * sum[0] + sum[1];
  return is_observed(t) ? PQF_OK : take_step(t, PQF_ROWS, 0, t->size[PQF_ROWS]);
}

static int gradient_col_pass(pqf_training *t)
{
  TRY(gradient_pass(t, PQF_COLS));
  return is_observed(t) ? PQF_OK : take_step(t, PQF_COLS, 0, t->size[PQF_COLS]);
}

#endif
