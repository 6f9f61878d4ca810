/* Alternating least squares on the CPU: see cpu_als.c. */
#ifndef PQF_BACKENDS_CPU_ALS_H
#define PQF_BACKENDS_CPU_ALS_H

#include "cpu_training.h"

#include <float.h>

#define INLINE static inline __attribute__((always_inline))

/* Cells whose factors are gathered at a time: a panel stays in the second-level cache. */
enum { CELLS_PER_PANEL = 128, CELLS_PER_DOUBLE_PANEL = 64 };

/* One row's system as it is put together: names as at the head of cpu_als.c. */
typedef struct pqf_cpu_system {
  pqf_training *t;
  int side;
  int64_t row;
  pqf_cpu_cells cells;
  pqf_cpu_worker *worker;
  double lambda;
  double bias_lambda;
  double bias_pivot; /* h */
  double target_sum; /* t */
  double square_sum; /* S: of w t^2, t the targets of the cells */
  double largest;   /* magnitude of the terms that make up a diagonal element, the largest of all */
  int needs_update; /* the cells' outer products are wanted */
} pqf_cpu_system;

/* How a cell enters the system: scale and target, for one of the objectives. */
INLINE void pqf_cpu_cell_term(const pqf_cpu_system *s, int64_t n, const int objective,
                              const int weighted, double *scale, double *target)
{
  const pqf_problem *problem = &s->t->problem;
  const double value = (double)s->cells.value[n];
  const double weight = weighted ? (double)s->cells.weight[n] : 1;
  if (objective == PQF_OBJECTIVE_OBSERVED) {
    *scale = weight;
    *target = weight * (value - problem->mean - (double)s->t->bias[1 - s->side][s->cells.index[n]]);
  } else if (objective == PQF_OBJECTIVE_SQUARED) {
    *scale = weight - 1;
    *target = weight * value;
  } else {
    *target = weight * (1 + problem->confidence * value);
    *scale =
        problem->implicit_zeros == PQF_ZEROS_ALL ? *target : *target - problem->unobserved_weight;
  }
}

/* How `count` cells from the row's cell `first` on enter the system: the scales of q q' and the
 * targets of q go to the worker, in float and in double. */
void pqf_cpu_cell_terms(const pqf_cpu_system *s, int64_t first, int64_t count);
void pqf_cpu_double_cell_terms(const pqf_cpu_system *s, int64_t first, int64_t count);

/* cpu_conjugate_gradient.c: takes steps from the row's present factors towards the solution. */
void pqf_cpu_conjugate_gradient(pqf_cpu_system *s);

/* cpu_dual.c: rows of up to this many cells are solved there; 0: none. */
int64_t pqf_cpu_dual_cells(const pqf_training *t, int side);

/* Cells that a workspace of dual systems has to hold: the most of both sides, padded; in float, and
 * in double. */
int64_t pqf_cpu_dual_capacity(const pqf_training *t);
int64_t pqf_cpu_double_dual_capacity(const pqf_training *t);

/* Solves the row; 0 if that cannot be done in float. */
int pqf_cpu_solve_dual(const pqf_cpu_system *s);

/* Solves the row in double; 0: it has too many cells, or is singular. */
int pqf_cpu_solve_dual_in_double(const pqf_cpu_system *s);

/* cpu_als_precision.c. What lambda has to be of a matrix's largest diagonal element for float to
 * do, and what a pivot has to be before anybody looks closer. */
#define PQF_CPU_VISIBLE_LAMBDA (1024 * (double)FLT_EPSILON)
#define PQF_CPU_SAFE_PIVOT (4096 * (double)FLT_EPSILON)

/* A bound of the scales of all cells. */
double pqf_cpu_largest_scale(const pqf_problem *problem);

/* square[side] and largest_square, from the current factors. */
void pqf_cpu_measure_squares(pqf_training *t, int side);

/* Whether lambda stands out from what float rounds off the largest element of the diagonal, which
 * is at most the base's and the sum of scale |q|^2 over the cells; or over as many cells as large
 * as any. The second bound is looked at first, since it costs nothing; the element itself last. */
int pqf_cpu_float_sees_lambda(const pqf_cpu_system *s);

/* Of a matrix in float, whose decomposition has these reciprocals of its pivots' roots. */
double pqf_cpu_smallest_pivot(const float *inverse, int64_t k);

/* Whether x is the minimum: after a decomposition, `right_side` being that of before. */
int pqf_cpu_is_minimum(const pqf_cpu_system *s, const float *right_side, const float *x);

/* cpu_als_base.c: the matrix that all rows share, where there is one. */
enum { NOT_SHARED, SHARED_IN_FLOAT, SHARED_IN_DOUBLE };

/* Computes base, base_in_double, base_diagonal, base_is_regular and shared. */
void pqf_cpu_prepare_base(pqf_training *t, int other);

/* cpu_als_double.c: solves the row where float cannot. */
void pqf_cpu_solve_in_double(pqf_cpu_system *s);
void pqf_cpu_solve_nonnegative_row(pqf_cpu_system *s);

/* Decomposes the base with lambda on its diagonal, in the place of base_in_double; 0 and unchanged
 * if that may be singular. */
int pqf_cpu_decompose_base_in_double(pqf_training *t, double lambda);

/* Whether all pivots of a decomposition are above `limit`, given the reciprocals of their roots. */
int pqf_cpu_pivots_are_above(const double *inverse, int64_t k, double limit);

/* Makes room for what a training needs beyond factors; 0 when there is no memory. */
int pqf_cpu_als_open(pqf_training *t);
void pqf_cpu_als_close(pqf_training *t);

/* (n + offset)^s for a row of n cells: what lambda is multiplied by. */
double pqf_cpu_row_scale(const pqf_training *t, int side, int64_t cells);

int pqf_cpu_half_sweep(pqf_training *t, int32_t side, int64_t first, int64_t count);

int pqf_cpu_loss_parts(pqf_training *t, pqf_loss *loss);

/* The validation loss at the current factors: see pqf_backend. */
double pqf_cpu_als_validation(pqf_training *t, const pqf_matrix *r);

/* cpu_small.c: x for the worker's matrix (upper triangle, rows d apart, k x k of it used) and right
 * side, both of which are overwritten. They run when the fast solvers cannot, and the solution can
 * be stored in float without loss.
 *
 * Positive semidefinite: directions without information get 0. What elimination leaves of a
 * diagonal element is rounding when it is no more than 1e-13 of `magnitude`. */
void pqf_cpu_solve_semidefinite(pqf_cpu_double_worker *w, int64_t d, int64_t k);

/* Minimises x'Ax/2 - b'x for x >= 0. */
void pqf_cpu_solve_nonnegative(pqf_cpu_double_worker *w, int64_t d, int64_t k);

#endif
