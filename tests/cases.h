/* Random problems, each both as the reference sees it and as the library does. */
#ifndef PQF_TESTS_CASES_H
#define PQF_TESTS_CASES_H

#include "reference.h"

/* What kind of problem: how R is given, which cells count, and the update. */
typedef struct case_kind {
  const char *name;
  int32_t sparse; /* 1: pqf_data_coo(), with empty rows and columns; 0: pqf_data_dense() */
  int32_t weighted;
  int32_t objective;
  int32_t update;
} case_kind;

/* All kinds that the library supports. */
extern const case_kind case_kinds[];
extern const int case_kind_count;

typedef struct case_shape {
  int64_t rows;
  int64_t cols;
} case_shape;

/* From 1 x 1 to a few blocks. */
extern const case_shape case_shapes[];
extern const int case_shape_count;

/* Numbers of factors around the widths of vectors. */
extern const int32_t case_factors[];
extern const int case_factors_count;

typedef struct test_case {
  const case_kind *kind;
  int32_t factors;
  double density; /* of sparse data; 0: no cell is present */
  reference_matrix truth;
  reference_problem reference; /* of `truth` */
  pqf_data *data;
  float *p; /* where to start: rows x factors */
  float *q;
} test_case;

/* R, P and Q of standard normal numbers; a learning rate with which one epoch changes P by about
 * its size. `density` is the share of cells that sparse data has. */
void case_create(test_case *out, const case_kind *kind, case_shape shape, int32_t factors,
                 double density, uint64_t seed);

/* Gives `data` the cells of `truth`, as the kind says: after a change of `truth`. */
void case_renew_data(test_case *test);

void case_free(test_case *test);

/* The options that match, for one epoch from the factors given. */
pqf_options case_options(const test_case *test);

#endif
