/* The metrics of docs/metrics.md written down once more, to check the library against: a row's
 * columns are sorted whole, and AUC looks at every pair. */
#ifndef PQF_TESTS_EVALUATE_REFERENCE_H
#define PQF_TESTS_EVALUATE_REFERENCE_H

#include "pqf.h"

/* A matrix of cells, of which some are present. */
typedef struct reference_cells {
  uint8_t *present; /* rows x cols */
  float *value;     /* rows x cols */
  float *weight;    /* rows x cols; NULL: all are 1 */
} reference_cells;

/* `score` is rows x cols: the predictions. `exclude` is rows x cols; NULL: none. */
pqf_metrics reference_evaluate(int64_t rows, int64_t cols, const float *score,
                               const reference_cells *held_out, const uint8_t *exclude, int64_t k,
                               double relevant);

#endif
