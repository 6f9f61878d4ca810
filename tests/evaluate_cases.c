/* See evaluate_cases.h. */
#include "evaluate_cases.h"

#include "memory.h"
#include "model.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

pqf_model *evaluate_model(int64_t rows, int64_t cols, int64_t factors, const float *p,
                          const float *q)
{
  pqf_model *model = NULL;
  CHECK_OK(pqf_create(&model, NULL));
  pqf_fitted *fitted = &model->fitted;
  fitted->rows = rows;
  fitted->cols = cols;
  fitted->factors = factors;
  fitted->owned_p = pqf_allocate(rows * factors, sizeof(float));
  fitted->owned_q = pqf_allocate_zeroed(cols * factors, sizeof(float));
  memcpy(fitted->owned_p, p, (size_t)(rows * factors) * sizeof(float));
  if (q != NULL)
    memcpy(fitted->owned_q, q, (size_t)(cols * factors) * sizeof(float));
  for (int64_t n = 0; n < cols && q == NULL; ++n)
    fitted->owned_q[n * factors + n] = 1;
  fitted->p = fitted->owned_p;
  fitted->q = fitted->owned_q;
  return model;
}

static void add_biases(pqf_model *model, uint64_t seed)
{
  const int64_t sizes[2] = {model->fitted.rows, model->fitted.cols};
  model->fitted.mean = 3.3;
  for (int side = 0; side < 2; ++side) {
    float *bias = pqf_allocate(sizes[side], sizeof *bias);
    for (int64_t n = 0; n < sizes[side]; ++n)
      bias[n] = (float)test_normal(&seed);
    model->fitted.owned_bias[side] = bias;
    model->fitted.bias[side] = bias;
  }
}

static pqf_data *sparse_data(int64_t rows, int64_t cols, const uint8_t *present, const float *value,
                             const float *weight)
{
  int32_t *row = test_allocate(rows * cols, sizeof *row);
  int32_t *col = test_allocate(rows * cols, sizeof *col);
  float *values = test_allocate(rows * cols, sizeof *values);
  float *weights = test_allocate(rows * cols, sizeof *weights);
  pqf_data *data = NULL;
  int64_t count = 0;
  for (int64_t n = 0; n < rows * cols; ++n)
    if (present[n]) {
      row[count] = (int32_t)(n / cols);
      col[count] = (int32_t)(n % cols);
      values[count] = value != NULL ? value[n] : 1;
      weights[count++] = weight != NULL ? weight[n] : 1;
    }
  CHECK_OK(pqf_data_coo(&data, rows, cols, count, row, col, values, weight != NULL ? weights : NULL,
                        NULL));
  free(row);
  free(col);
  free(values);
  free(weights);
  return data;
}

static uint8_t *random_cells(int64_t rows, int64_t cols, double share, uint64_t *state)
{
  uint8_t *present = test_allocate(rows * cols, sizeof *present);
  for (int64_t row = 0; row < rows; ++row) {
    const double of_row = share < 1 ? 2 * share * test_uniform(state) : 1;
    const int is_empty = share < 1 && test_uniform(state) < 0.1;
    for (int64_t col = 0; col < cols; ++col)
      present[row * cols + col] = test_uniform(state) < of_row && !is_empty;
  }
  return present;
}

static float *random_factors(int64_t count, int coarse, uint64_t seed)
{
  float *factors = test_normals(seed, count, 1);
  for (int64_t n = 0; n < count && coarse; ++n)
    factors[n] = rintf(0.7f * factors[n]);
  return factors;
}

void evaluate_case_create(evaluate_case *out, const evaluate_kind *kind, uint64_t seed)
{
  uint64_t state = seed;
  const int64_t cells = kind->rows * kind->cols;
  float *p = random_factors(kind->rows * kind->factors, kind->coarse, seed + 1);
  float *q = random_factors(kind->cols * kind->factors, kind->coarse, seed + 2);
  memset(out, 0, sizeof *out);
  out->model = evaluate_model(kind->rows, kind->cols, kind->factors, p, q);
  if (kind->biased)
    add_biases(out->model, seed + 3);
  out->score = test_allocate(cells, sizeof *out->score);
  CHECK_OK(pqf_reconstruct(out->model, 0, kind->rows, out->score, kind->cols));
  out->cells.present = random_cells(kind->rows, kind->cols, kind->held, &state);
  out->cells.value = test_allocate(cells, sizeof *out->cells.value);
  out->cells.weight = kind->weighted ? test_allocate(cells, sizeof *out->cells.weight) : NULL;
  for (int64_t n = 0; n < cells; ++n) {
    out->cells.value[n] = (float)(1 + floor(5 * test_uniform(&state)));
    if (kind->weighted)
      out->cells.weight[n] = (float)floor(4 * test_uniform(&state)) / 2;
  }
  if (kind->held < 1)
    out->held_out = sparse_data(kind->rows, kind->cols, out->cells.present, out->cells.value,
                                out->cells.weight);
  else
    CHECK_OK(
        pqf_data_dense(&out->held_out, out->cells.value, kind->rows, kind->cols, kind->cols, NULL));
  if (kind->excluded > 0) {
    out->excluded = random_cells(kind->rows, kind->cols, kind->excluded, &state);
    out->exclude = sparse_data(kind->rows, kind->cols, out->excluded, NULL, NULL);
  }
  free(p);
  free(q);
}

void evaluate_case_free(evaluate_case *it)
{
  pqf_free(it->model);
  pqf_data_free(it->held_out);
  pqf_data_free(it->exclude);
  free(it->cells.present);
  free(it->cells.value);
  free(it->cells.weight);
  free(it->excluded);
  free(it->score);
}
