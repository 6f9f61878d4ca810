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

/* A term w (t - z.x)^2 of the objective; t with the mean taken off, without biases. */
typedef struct als_term {
  double weight;
  double target;
} als_term;

/* The terms that a cell has, present or absent; returns how many, 0 to 2. */
int als_terms(const als_problem *problem, int64_t row, int64_t col, als_term out[2]);

/* What a row's lambda is multiplied by. */
double als_row_scale(const als_problem *problem, int side, int64_t own);

/* lambda_b, without that. */
double als_bias_lambda(const als_problem *problem);

/* The cells that are present, as the library takes them: CHECK_OK on the way. The caller frees. */
pqf_data *als_problem_data(const als_problem *problem, int weighted);

/* Zeros. */
als_state als_state_create(const als_problem *problem);
void als_state_free(als_state *state);

/* Factors and biases of one side of a model. */
void als_state_take(als_state *state, const als_problem *problem, const pqf_model *model, int side);

/* Solves one side for the other, exactly. */
void als_half_sweep(const als_problem *problem, als_state *state, int side);

/* The objective, and its parts. */
double als_objective(const als_problem *problem, const als_state *state, double *observed,
                     double *unobserved, double *regularization);

#endif
