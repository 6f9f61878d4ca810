/* What the matrices of all rows have in common where absent cells count: a0 Q'Q, in double and in
 * float. For `squared` without weights and with one lambda for all rows that and lambda are the
 * whole matrix, which is then decomposed once. */
#include "cpu_als.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* What a pivot of the shared matrix has to be of its largest element for float to do: the errors of
 * cpu_als_precision.c are then below 1e-10 of the rows' square sums. */
static const double shared_pivot = 0x1p-6;

typedef struct base_work {
  pqf_training *t;
  int other; /* the side whose factors are multiplied */
} base_work;

/* Q'Q of a chunk of rows, in double. */
static void sum_base(void *argument, int64_t chunk, int32_t worker)
{
  const base_work *work = argument;
  pqf_training *t = work->t;
  const int other = work->other;
  const int64_t d = t->stride;
  const int64_t first = t->size[other] * chunk / t->gram_chunks[other];
  const int64_t end = t->size[other] * (chunk + 1) / t->gram_chunks[other];
  double *panel = t->worker[worker].wide.right;
  double *sum = t->base_sum + chunk * d * d;
  memset(sum, 0, (size_t)(d * d) * sizeof *sum);
  for (int64_t row = first; row < end; row += CELLS_PER_DOUBLE_PANEL) {
    const int64_t rows = end - row < CELLS_PER_DOUBLE_PANEL ? end - row : CELLS_PER_DOUBLE_PANEL;
    const float *factors = current_row(t, other, row);
    for (int64_t n = 0; n < rows * d; n++)
      panel[n] = (double)factors[n];
    t->double_solver->rank_update(sum, sum, d, panel, panel, rows);
  }
}

/* What all rows' matrices have in common, a0 Q'Q. */
static void compute_base(pqf_training *t, int other)
{
  base_work work = {t, other};
  const int64_t d = t->stride;
  const int64_t chunks = t->gram_chunks[other];
  const double share =
      t->problem.objective == PQF_OBJECTIVE_IMPLICIT ? t->problem.unobserved_weight : 1;
  t->host->parallel_for(t->host, chunks, sum_base, &work);
  t->base_diagonal = 0;
  for (int64_t row = 0; row < d; row++)
    for (int64_t col = row; col < d; col++) {
      double sum = 0;
      for (int64_t chunk = 0; chunk < chunks; chunk++)
        sum += t->base_sum[(chunk * d + row) * d + col];
      t->base_in_double[row * d + col] = t->base_in_double[col * d + row] = share * sum;
      t->base[row * d + col] = t->base[col * d + row] = (float)(share * sum);
      if (col == row)
        t->base_diagonal = fmax(t->base_diagonal, share * sum);
    }
}

/* Decomposes the base in float, with lambda on its diagonal, into the first worker's matrix.
 * Returns its smallest pivot as a part of the largest element, 1 where float sees lambda, 0 where
 * neither can be relied on. */
static double decompose_base(pqf_training *t, double lambda)
{
  pqf_cpu_worker *w = &t->worker[0];
  const int64_t d = t->stride;
  const double largest = t->base_diagonal + lambda;
  memcpy(w->matrix, t->base, (size_t)(d * d) * sizeof *w->matrix);
  for (int64_t f = 0; f < d; f++)
    w->matrix[f * d + f] += f < t->k ? (float)lambda : 1;
  if (!(t->base_diagonal > 0 && largest < FLT_MAX) ||
      !t->solver->factor(w->matrix, d, t->base_inverse, w->right_side))
    return 0;
  return lambda > PQF_CPU_VISIBLE_LAMBDA * largest
             ? 1
             : pqf_cpu_smallest_pivot(t->base_inverse, t->k) / largest;
}

/* For `squared` without weights and with one lambda for all rows the base and lambda are the whole
 * matrix. */
static int shares_matrix(const pqf_problem *problem)
{
  return problem->objective == PQF_OBJECTIVE_SQUARED && problem->train->by_row.weight == NULL &&
         problem->scaling_exponent == 0 && !problem->nonnegative &&
         problem->conjugate_gradient_steps == 0;
}

void pqf_cpu_prepare_base(pqf_training *t, int other)
{
  const int64_t d = t->stride;
  t->shared = NOT_SHARED;
  t->base_is_regular = 0;
  if (t->problem.objective == PQF_OBJECTIVE_OBSERVED)
    return;
  compute_base(t, other);
  const double lambda = t->problem.regularization;
  const double pivot = decompose_base(t, lambda);
  t->base_is_regular = pivot > PQF_CPU_SAFE_PIVOT;
  if (!shares_matrix(&t->problem))
    return;
  if (pivot > shared_pivot) {
    memcpy(t->base, t->worker[0].matrix, (size_t)(d * d) * sizeof *t->base);
    t->shared = SHARED_IN_FLOAT;
  } else if (pqf_cpu_decompose_base_in_double(t, lambda)) {
    t->shared = SHARED_IN_DOUBLE;
  }
}
