/* Random problems; see cases.h. */
#include "cases.h"

#include "device.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>

const case_kind case_kinds[] = {
    {"dense", 0, 0, PQF_OBJECTIVE_SQUARED, PQF_UPDATE_GRADIENT},
    {"dense notebook", 0, 0, PQF_OBJECTIVE_SQUARED, PQF_UPDATE_NOTEBOOK},
    {"dense observed", 0, 0, PQF_OBJECTIVE_OBSERVED, PQF_UPDATE_GRADIENT},
    {"sparse squared", 1, 0, PQF_OBJECTIVE_SQUARED, PQF_UPDATE_GRADIENT},
    {"sparse squared notebook", 1, 0, PQF_OBJECTIVE_SQUARED, PQF_UPDATE_NOTEBOOK},
    {"sparse squared weighted", 1, 1, PQF_OBJECTIVE_SQUARED, PQF_UPDATE_GRADIENT},
    {"observed", 1, 0, PQF_OBJECTIVE_OBSERVED, PQF_UPDATE_GRADIENT},
    {"observed notebook", 1, 0, PQF_OBJECTIVE_OBSERVED, PQF_UPDATE_NOTEBOOK},
    {"observed weighted", 1, 1, PQF_OBJECTIVE_OBSERVED, PQF_UPDATE_GRADIENT},
};
const int case_kind_count = sizeof case_kinds / sizeof case_kinds[0];

const case_shape case_shapes[] = {{1, 1}, {1, 7}, {7, 1}, {5, 4}, {33, 70}, {257, 129}};
const int case_shape_count = sizeof case_shapes / sizeof case_shapes[0];

const int32_t case_factors[] = {1, 2, 3, 8, 16, 17, 31, 64, 100};
const int case_factors_count = sizeof case_factors / sizeof case_factors[0];

/* Whether a row or a column of sparse data stays empty: the first, the last and one between, where
 * that leaves something. */
static int is_empty(int64_t index, int64_t count)
{
  return count > 4 && (index == 0 || index == count / 2 || index == count - 1);
}

static void fill_truth(test_case *test, uint64_t *state)
{
  const reference_matrix *truth = &test->truth;
  const int sparse = test->kind->sparse;
  for (int64_t n = 0; n < truth->rows * truth->cols; ++n) {
    const int empty = is_empty(n / truth->cols, truth->rows) ||
                      is_empty(n % truth->cols, truth->cols) ||
                      test_uniform(state) >= test->density;
    const float value = (float)test_normal(state);
    const float weight = (float)(2 * test_uniform(state));
    if (sparse && empty) {
      truth->value[n] = 0;
      truth->weight[n] = test->kind->objective == PQF_OBJECTIVE_SQUARED ? 1 : 0;
    } else {
      truth->value[n] = (double)value;
      truth->weight[n] = test->kind->weighted ? (double)weight : 1;
    }
  }
}

static pqf_data *dense_data(const reference_matrix *truth)
{
  enum { GAP = 3 }; /* between rows */
  const int64_t stride = truth->cols + GAP;
  float *values = test_allocate(truth->rows * stride, sizeof *values);
  pqf_data *data = NULL;
  for (int64_t n = 0; n < truth->rows * truth->cols; ++n)
    values[n / truth->cols * stride + n % truth->cols] = (float)truth->value[n];
  CHECK_OK(pqf_data_dense(&data, values, truth->rows, truth->cols, stride, NULL));
  free(values);
  return data;
}

/* The cells whose value is not zero, last ones first: the order must not matter. */
static pqf_data *sparse_data(const test_case *test)
{
  const reference_matrix *truth = &test->truth;
  const int64_t cells = truth->rows * truth->cols;
  int32_t *row = test_allocate(cells, sizeof *row);
  int32_t *col = test_allocate(cells, sizeof *col);
  float *value = test_allocate(cells, sizeof *value);
  float *weight = test_allocate(cells, sizeof *weight);
  pqf_data *data = NULL;
  int64_t count = 0;
  for (int64_t n = cells - 1; n >= 0; --n)
    if (truth->value[n] != 0) {
      row[count] = (int32_t)(n / truth->cols);
      col[count] = (int32_t)(n % truth->cols);
      value[count] = (float)truth->value[n];
      weight[count++] = (float)truth->weight[n];
    }
  CHECK_OK(pqf_data_coo(&data, truth->rows, truth->cols, count, row, col, value,
                        test->kind->weighted ? weight : NULL, NULL));
  free(row);
  free(col);
  free(value);
  free(weight);
  return data;
}

void case_renew_data(test_case *test)
{
  pqf_data_free(test->data);
  test->data = test->kind->sparse ? sparse_data(test) : dense_data(&test->truth);
}

/* Where only present cells count, rows and columns without any have zero factors. */
static void clear_unknown(test_case *test)
{
  const reference_matrix *truth = &test->truth;
  if (!test->kind->sparse || test->kind->objective != PQF_OBJECTIVE_OBSERVED)
    return;
  int32_t *row_cells = test_allocate(truth->rows, sizeof *row_cells);
  int32_t *col_cells = test_allocate(truth->cols, sizeof *col_cells);
  memset(row_cells, 0, (size_t)truth->rows * sizeof *row_cells);
  memset(col_cells, 0, (size_t)truth->cols * sizeof *col_cells);
  for (int64_t n = 0; n < truth->rows * truth->cols; ++n)
    if (truth->value[n] != 0) {
      row_cells[n / truth->cols]++;
      col_cells[n % truth->cols]++;
    }
  for (int64_t n = 0; n < truth->rows * test->factors; ++n)
    if (row_cells[n / test->factors] == 0)
      test->p[n] = 0;
  for (int64_t n = 0; n < truth->cols * test->factors; ++n)
    if (col_cells[n / test->factors] == 0)
      test->q[n] = 0;
  free(row_cells);
  free(col_cells);
}

void case_create(test_case *out, const case_kind *kind, case_shape shape, int32_t factors,
                 double density, uint64_t seed)
{
  uint64_t state = seed;
  memset(out, 0, sizeof *out);
  out->kind = kind;
  out->factors = factors;
  out->density = density;
  reference_matrix_create(&out->truth, shape.rows, shape.cols, 1);
  fill_truth(out, &state);
  out->reference = (reference_problem){
      .train = &out->truth,
      .factors = factors,
      .update = kind->update,
      .learning_rate = 0.5 / (double)(shape.rows + shape.cols + factors),
      .regularization = 0.25,
  };
  case_renew_data(out);
  out->p = test_normals(seed + 1, shape.rows * factors, 1);
  out->q = test_normals(seed + 2, shape.cols * factors, 1);
  clear_unknown(out);
}

void case_free(test_case *test)
{
  reference_matrix_free(&test->truth);
  pqf_data_free(test->data);
  free(test->p);
  free(test->q);
}

pqf_options case_options(const test_case *test)
{
  pqf_options options = PQF_OPTIONS_INIT;
  test_use_backend(&options);
  options.factors = test->factors;
  options.objective = test->kind->objective;
  options.update = test->kind->update;
  options.learning_rate = test->reference.learning_rate;
  options.regularization = test->reference.regularization;
  options.epochs = 1;
  options.patience = 0;
  options.init = PQF_INIT_GIVEN;
  options.threads = 2;
  return options;
}
