/* A training on the CPU, shared by the files of this back end. */
#ifndef PQF_BACKENDS_CPU_TRAINING_H
#define PQF_BACKENDS_CPU_TRAINING_H

#include "blas_threads.h"
#include "cpu_kernels.h"
#include "cpu_solver.h"
#include "pqf_backend.h"

#include <stddef.h>

enum { BUFFERS = 3, NO_BUFFER = -1 };

/* The unit of work over the rows of a factor matrix: chosen by the problem, never by the number of
 * threads, so that sums come out the same. */
enum { ROWS_PER_TILE = 64 };

/* Gram matrices in double take this many rows at a time. */
enum { ROWS_PER_EXACT_BLOCK = 32 };

/* The same in double, for rows that float cannot resolve; long rows keep their sums here too. */
typedef struct pqf_cpu_double_worker {
  double *matrix;     /* d x d, or for dual systems as many as cells */
  double *right;      /* panels: CELLS_PER_DOUBLE_PANEL x d */
  double *left;       /* also q of each cell, transposed */
  double *right_side; /* these have d elements, or as many as cells */
  double *vector_sum;
  double *inverse;
  double *x;
  double *magnitude; /* of the terms that make up a diagonal element */
  double *scale;
  double *target;
  int32_t *order; /* d */
} pqf_cpu_double_worker;

/* Alternating least squares: one thread's row at work; d is the stride of the factors. */
typedef struct pqf_cpu_worker {
  float *matrix;     /* d x d */
  float *right;      /* panels: CELLS_PER_PANEL x d */
  float *left;       /* also q of each cell, transposed: see cpu_dual.c */
  float *right_side; /* d */
  float *vector_sum; /* d */
  float *inverse;    /* d */
  float *x;          /* d */
  float *residual;   /* d */
  float *direction;  /* d */
  float *product;    /* d */
  float *scale;      /* as many as cells are taken at a time */
  float *target;
  float *ones; /* CELLS_PER_PANEL of them */
  pqf_cpu_double_worker wide;
} pqf_cpu_worker;

struct pqf_training {
  const pqf_host *host;
  int planning;     /* memory is counted, not taken */
  uint64_t planned; /* bytes counted */
  pqf_problem problem;
  const pqf_cpu_kernels *kernels;
  const pqf_blas *blas; /* NULL: the problem is small, or has no dense R */
  int64_t size[2];      /* rows, cols */
  int64_t k;            /* factors */
  int64_t stride;       /* floats from one row of a factor matrix to the next; pads are zero */
  float *factors[2][BUFFERS];
  int current; /* buffers; P and Q rotate together */
  int next;
  int best;
  double error_target; /* 1: the loss is about E; 2: about E - R */
  double beta_sign;    /* of the regularization in the step */

  double *tile_sum[2]; /* one partial sum per tile of rows, or of columns */
  int64_t gram_chunks[2];
  double *gram_sum;   /* k x k per chunk */
  float *gram_block;  /* stride x stride per worker */
  double *gram_rows;  /* 2 blocks of rows in double per worker */
  double *gram[3];    /* k x k: P0'P0, Q0'Q0, P0'P1 */
  float *step_matrix; /* k x stride, pads are zero */
  float *row_scratch; /* per worker: one row */
  float *error_tile;  /* per worker, dense data only */

  /* Alternating least squares only. */
  const pqf_cpu_solver *solver;
  const pqf_cpu_double_solver *double_solver;
  float *bias[2];
  float *best_bias[2];
  double *tile_taken;    /* one partial sum per tile of rows: see cpu_als_loss.c */
  double *tile_products; /* likewise */
  int32_t *order[2];     /* rows, the longest first */
  int64_t long_rows[2];  /* those at the beginning that are much work each */
  int64_t dual_cells[2]; /* rows of up to this many cells are solved by cpu_dual.c */
  float *base;           /* d x d: what all rows' matrices have in common, or its factor */
  float *base_inverse;   /* d */
  double *base_in_double;
  double *base_inverse_in_double;
  double *base_sum;      /* gram_chunks x d x d */
  double base_diagonal;  /* the largest element of its diagonal */
  int base_is_regular;   /* by its pivots in float */
  int shared;            /* whether all rows have one matrix: see cpu_als_base.c */
  float *square[2];      /* |p|^2 of each row, |q|^2 of each column, as last measured */
  double largest_square; /* of the side that is not being solved */
  double largest_scale;  /* no cell's is larger: see pqf_cpu_cell_terms() */
  pqf_cpu_worker *worker;
};

/* Zeroed memory from the host for what `complete` stays 1 for; counted alone when planning. */
void *pqf_cpu_take(pqf_training *t, int64_t count, size_t size, int *complete);

static inline const float *current_row(const pqf_training *t, int side, int64_t row)
{
  return t->factors[side][t->current] + row * t->stride;
}

static inline float *next_row(const pqf_training *t, int side, int64_t row)
{
  return t->factors[side][t->next] + row * t->stride;
}

static inline int64_t tile_count(int64_t rows)
{
  return (rows + ROWS_PER_TILE - 1) / ROWS_PER_TILE;
}

static inline int64_t tile_rows(int64_t rows, int64_t tile)
{
  const int64_t left = rows - tile * ROWS_PER_TILE;
  return left < ROWS_PER_TILE ? left : ROWS_PER_TILE;
}

static inline pqf_cpu_cells pqf_cpu_cells_of(const pqf_cells *cells, int64_t row)
{
  const int64_t first = cells->offset[row];
  return (pqf_cpu_cells){
      .count = cells->offset[row + 1] - first,
      .index = cells->index + first,
      .value = cells->value + first,
      .weight = cells->weight != NULL ? cells->weight + first : NULL,
  };
}

static inline const pqf_cells *pqf_cpu_cells_by(const pqf_matrix *r, int side)
{
  return side == PQF_ROWS ? &r->by_row : &r->by_col;
}

/* cpu_gram.c: gram = X'Y for two matrices of `rows` rows; `exact` multiplies in double. */
void pqf_cpu_gram(pqf_training *t, int side, const float *x, const float *y, int exact,
                  double *gram);

/* The sum of tile_sum[side] in the order of the tiles. */
double pqf_cpu_sum_tiles(const pqf_training *t, int side);

/* The sum of squares of the current P or Q; leaves tile_sum[side] changed. */
double pqf_cpu_square_norm(pqf_training *t, int side);

/* step_matrix = (1 - sign alpha beta) I - 2 alpha gram */
void pqf_cpu_step_matrix(pqf_training *t, const double *gram);

/* Rows [first, first + rows) of the next factors, which hold a product with R, become
 * current step_matrix + 2 alpha next. */
void pqf_cpu_take_step(pqf_training *t, int side, int64_t first, int64_t rows);

/* cpu_dense.c: whether this problem's products go to a BLAS; the shape alone decides. */
int pqf_cpu_dense_needs_blas(const pqf_problem *problem);

/* cpu_dense.c. The first pass leaves P1, R'P1 in the place of Q1, and the sum of <R Q0, P0> in
 * tile_sum[PQF_ROWS]. */
uint64_t pqf_cpu_dense_scratch(void); /* floats per worker of error_tile */
void pqf_cpu_dense_pass(pqf_training *t);
void pqf_cpu_dense_step(pqf_training *t); /* Q1 from R'P1 */
double pqf_cpu_dense_error(pqf_training *t, const pqf_matrix *r, double target);

/* cpu_sparse.c: zeros that count. The first pass leaves P1 and returns what the loss takes from
 * the present cells; the second leaves Q1. */
double pqf_cpu_zeros_row_pass(pqf_training *t);
void pqf_cpu_zeros_col_pass(pqf_training *t);
double pqf_cpu_zeros_error(pqf_training *t, double target);

/* cpu_sparse.c: observed cells. One epoch; returns |E0|^2, or |E0 - R|^2 for target 2. */
double pqf_cpu_observed_epoch(pqf_training *t);
double pqf_cpu_observed_error(pqf_training *t, const pqf_matrix *r, double target);

#endif
