/* Alternating least squares on the CPU: see cpu_als.c. */
#ifndef PQF_BACKENDS_CPU_ALS_H
#define PQF_BACKENDS_CPU_ALS_H

#include "cpu_training.h"

/* Cells whose factors are gathered at a time: a panel stays in the second-level cache. */
enum { CELLS_PER_PANEL = 128 };

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
  int needs_update;  /* the cells' outer products are wanted */
} pqf_cpu_system;

/* How `count` cells from the row's cell `first` on enter the system: the scales of q q' and the
 * targets of q go to the worker. */
void pqf_cpu_cell_terms(const pqf_cpu_system *s, int64_t first, int64_t count);

/* cpu_conjugate_gradient.c: takes steps from the row's present factors towards the solution. */
void pqf_cpu_conjugate_gradient(pqf_cpu_system *s);

/* cpu_dual.c: rows of up to this many cells are solved there; 0: none. */
int64_t pqf_cpu_dual_cells(const pqf_training *t, int side);

/* Cells that there must be room for: the most of both sides, with pads. */
int64_t pqf_cpu_dual_room(const pqf_training *t);

/* Solves the row; 0 if that could not be done in float. */
int pqf_cpu_solve_dual(const pqf_cpu_system *s);

/* Makes room for what a training needs beyond factors; 0 when there is no memory. */
int pqf_cpu_als_open(pqf_training *t);
void pqf_cpu_als_close(pqf_training *t);

/* (n + offset)^s for a row of n cells: what lambda is multiplied by. */
double pqf_cpu_row_scale(const pqf_training *t, int side, int64_t cells);

int pqf_cpu_half_sweep(pqf_training *t, int32_t side, int64_t first, int64_t count);

/* cpu_range.c: the same, but NaN for factors whose systems would overflow. */
int pqf_cpu_half_sweep_in_range(pqf_training *t, int32_t side, int64_t first, int64_t count);

int pqf_cpu_loss_parts(pqf_training *t, pqf_loss *loss);

/* The validation loss at the current factors: see pqf_backend. */
double pqf_cpu_als_validation(pqf_training *t, const pqf_matrix *r);

/* cpu_small.c: solvers for d x d systems, upper triangle, of which k x k is used; x has d floats.
 * They run when the fast ones cannot.
 *
 * Positive semidefinite: directions without information get 0. `a` is overwritten. */
void pqf_cpu_solve_semidefinite(float *a, int64_t d, int64_t k, float *b, float *x);

/* Minimises x'Ax/2 - b'x for x >= 0. */
void pqf_cpu_solve_nonnegative(float *a, int64_t d, int64_t k, const float *b, float *x);

#endif
