/* Gradient descent written down once more, to check the library against: in double, with plain
 * loops, from the formulas of include/pqf_backend.h alone. E is formed, cell by cell. */
#ifndef PQF_TESTS_REFERENCE_H
#define PQF_TESTS_REFERENCE_H

#include "pqf.h"

/* R as two dense matrices. A cell of weight 0 does not count. */
typedef struct reference_matrix {
  int64_t rows;
  int64_t cols;
  double *value;  /* rows x cols */
  double *weight; /* rows x cols */
} reference_matrix;

typedef struct reference_problem {
  const reference_matrix *train;
  const reference_matrix *validation; /* NULL: none */
  int64_t factors;
  int32_t update; /* PQF_UPDATE_... */
  double learning_rate;
  double regularization;
} reference_problem;

/* P and Q together: P is rows x factors, Q is cols x factors. */
typedef struct reference_factors {
  double *p;
  double *q;
} reference_factors;

/* When to stop, as the options of those names. */
typedef struct reference_rule {
  int64_t epochs;
  int64_t patience;
  double min_delta;
} reference_rule;

/* All values 0, all weights `weight`. */
void reference_matrix_create(reference_matrix *out, int64_t rows, int64_t cols, double weight);
void reference_matrix_free(reference_matrix *matrix);

void reference_factors_create(reference_factors *out, const reference_problem *problem,
                              const float *p, const float *q);
void reference_factors_free(reference_factors *factors);

/* The loss at `now`, and where `next` is not NULL the factors after one epoch. */
double reference_epoch(const reference_problem *problem, const reference_factors *now,
                       reference_factors *next);

/* The weighted mean of squared errors of the validation cells. */
double reference_validation_loss(const reference_problem *problem, const reference_factors *now);

/* Runs epochs from `factors`, which end as the last ones; `losses` has room for all epochs. Returns
 * the number of losses: the epoch at which it stopped early, or all. */
int64_t reference_fit(const reference_problem *problem, const reference_rule *rule,
                      reference_factors *factors, double *losses);

/* What float arithmetic may cost in one epoch, as absolute bounds: for |P1 - exact| (PQF_ROWS),
 * |Q1 - exact| (PQF_COLS) and the loss. The reasons are in reference.c. */
double reference_step_tolerance(const reference_problem *problem, const reference_factors *now,
                                const reference_factors *next, int32_t side);
double reference_loss_tolerance(const reference_problem *problem, const reference_factors *now);

#endif
