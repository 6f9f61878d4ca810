/* Models that predict what a test wants, and random problems for evaluate_reference.c. */
#ifndef PQF_TESTS_EVALUATE_CASES_H
#define PQF_TESTS_EVALUATE_CASES_H

#include "evaluate_reference.h"

/* A fitted model of factors that are copied; Q is the identity where `q` is NULL (so `p` is what it
 * predicts), which takes factors = cols. */
pqf_model *evaluate_model(int64_t rows, int64_t cols, int64_t factors, const float *p,
                          const float *q);

typedef struct evaluate_kind {
  int64_t rows;
  int64_t cols;
  int64_t factors;
  double held;     /* share of the cells; 1: dense data */
  double excluded; /* share of the cells; 0: no data; 1: dense data */
  int64_t k;
  double relevant; /* of values 1 to 5 */
  int32_t weighted;
  int32_t biased;
  int32_t coarse; /* factors are -1, 0 or 1: ties everywhere */
} evaluate_kind;

typedef struct evaluate_case {
  pqf_model *model;
  pqf_data *held_out;
  pqf_data *exclude;
  reference_cells cells;
  uint8_t *excluded;
  float *score;
} evaluate_case;

void evaluate_case_create(evaluate_case *out, const evaluate_kind *kind, uint64_t seed);
void evaluate_case_free(evaluate_case *it);

#endif
