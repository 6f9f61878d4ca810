/* Alternating least squares written down once more: in double, with plain loops over all cells, and
 * each row's system solved by elimination. Apart from src/ and backends/. */
#ifndef PQF_TESTS_ALS_REFERENCE_H
#define PQF_TESTS_ALS_REFERENCE_H

#include "pqf.h"

typedef struct als_problem {
  int64_t rows;
  int64_t cols;
  int64_t factors;
  const double *value;  /* rows x cols */
  const double *weight; /* rows x cols; a weight below 0 marks an absent cell */
  const pqf_options *options;
  double lambda; /* after the rescaling that the exponent nu of clicks asks for */
  double mean;
} als_problem;

typedef struct als_state {
  double *factors[2]; /* rows x factors, cols x factors */
  double *bias[2];    /* zeros where the side has none */
} als_state;

/* Fills in lambda and mean from the options and the cells. */
void als_problem_settle(als_problem *problem);

int als_has_bias(const als_problem *problem, int side);

/* Solves one side for the other, exactly. */
void als_half_sweep(const als_problem *problem, als_state *state, int side);

/* The objective, and its parts. */
double als_objective(const als_problem *problem, const als_state *state, double *observed,
                     double *unobserved, double *regularization);

#endif
