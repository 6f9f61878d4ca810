#include "als_reference.h"

#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int64_t side_size(const als_problem *problem, int side)
{
  return side == PQF_ROWS ? problem->rows : problem->cols;
}

static int64_t place(const als_problem *problem, int side, int64_t own, int64_t other)
{
  return side == PQF_ROWS ? own * problem->cols + other : other * problem->cols + own;
}

static int64_t cells_of(const als_problem *problem, int side, int64_t own)
{
  int64_t count = 0;
  for (int64_t n = 0; n < side_size(problem, 1 - side); ++n)
    count += problem->weight[place(problem, side, own, n)] >= 0;
  return count;
}

static int is_implicit(const als_problem *problem)
{
  return problem->options->objective == PQF_OBJECTIVE_IMPLICIT;
}

double als_row_scale(const als_problem *problem, int side, int64_t own)
{
  const pqf_options *o = problem->options;
  const double offset =
      is_implicit(problem) ? o->unobserved_weight * (double)side_size(problem, 1 - side) : 0;
  if (o->regularization_scaling == 0)
    return 1;
  return pow((double)cells_of(problem, side, own) + offset, o->regularization_scaling);
}

double als_bias_lambda(const als_problem *problem)
{
  const double given = problem->options->bias_regularization;
  return given >= 0 ? given : problem->lambda;
}

int als_has_bias(const als_problem *problem, int side)
{
  const pqf_options *o = problem->options;
  if (o->objective != PQF_OBJECTIVE_OBSERVED)
    return 0;
  return o->biases == PQF_BIASES_AUTO || o->biases == PQF_BIASES_BOTH ||
         o->biases == (side == PQF_ROWS ? PQF_BIASES_ROWS : PQF_BIASES_COLS);
}

void als_problem_settle(als_problem *problem)
{
  const pqf_options *o = problem->options;
  double sum = 0;
  double weights = 0;
  for (int64_t n = 0; n < problem->rows * problem->cols; ++n)
    if (problem->weight[n] >= 0) {
      sum += problem->weight[n] * problem->value[n];
      weights += problem->weight[n];
    }
  problem->mean = o->objective == PQF_OBJECTIVE_OBSERVED && o->mean == PQF_MEAN_AUTO && weights > 0
                      ? sum / weights
                      : 0;
  problem->lambda = o->regularization;
  if (!is_implicit(problem) || o->regularization_scaling == 0)
    return;
  double frequencies = 0;
  double powers = 0;
  for (int side = 0; side < 2; ++side)
    for (int64_t n = 0; n < side_size(problem, side); ++n) {
      frequencies += (double)cells_of(problem, side, n) +
                     o->unobserved_weight * (double)side_size(problem, 1 - side);
      powers += als_row_scale(problem, side, n);
    }
  problem->lambda *= frequencies / powers;
}

int als_terms(const als_problem *problem, int64_t row, int64_t col, als_term out[2])
{
  const pqf_options *o = problem->options;
  const int64_t n = row * problem->cols + col;
  const int present = problem->weight[n] >= 0;
  const int squared = o->objective == PQF_OBJECTIVE_SQUARED;
  out[0].weight = present ? problem->weight[n] : 1;
  out[0].target = present ? problem->value[n] - problem->mean : 0;
  out[1].weight = o->unobserved_weight;
  out[1].target = 0;
  if (!is_implicit(problem))
    return squared || present ? 1 : 0;
  out[0].weight =
      present ? problem->weight[n] * (1 + o->confidence * problem->value[n]) : o->unobserved_weight;
  out[0].target = present;
  return present && o->implicit_zeros == PQF_ZEROS_ALL ? 2 : 1;
}

pqf_data *als_problem_data(const als_problem *problem, int weighted)
{
  const int64_t most = problem->rows * problem->cols;
  int32_t *row = test_allocate(most, sizeof *row);
  int32_t *col = test_allocate(most, sizeof *col);
  float *value = test_allocate(most, sizeof *value);
  float *weight = test_allocate(most, sizeof *weight);
  pqf_data *data = NULL;
  int64_t count = 0;
  for (int64_t n = 0; n < most; ++n)
    if (problem->weight[n] >= 0) {
      row[count] = (int32_t)(n / problem->cols);
      col[count] = (int32_t)(n % problem->cols);
      value[count] = (float)problem->value[n];
      weight[count++] = (float)problem->weight[n];
    }
  CHECK_OK(pqf_data_coo(&data, problem->rows, problem->cols, count, row, col, value,
                        weighted ? weight : NULL, NULL));
  free(row);
  free(col);
  free(value);
  free(weight);
  return data;
}

als_state als_state_create(const als_problem *problem)
{
  als_state state;
  for (int side = 0; side < 2; ++side) {
    const int64_t size = side_size(problem, side);
    state.factors[side] = test_allocate(size * problem->factors, sizeof(double));
    state.bias[side] = test_allocate(size, sizeof(double));
  }
  return state;
}

void als_state_free(als_state *state)
{
  for (int side = 0; side < 2; ++side) {
    free(state->factors[side]);
    free(state->bias[side]);
  }
}

void als_state_take(als_state *state, const als_problem *problem, const pqf_model *model, int side)
{
  const int64_t size = side_size(problem, side);
  const float *factors = pqf_model_borrow_factors(model, side);
  const float *bias = pqf_model_borrow_biases(model, side);
  for (int64_t n = 0; n < size * problem->factors; ++n)
    state->factors[side][n] = (double)factors[n];
  for (int64_t n = 0; n < size; ++n)
    state->bias[side][n] = bias != NULL ? (double)bias[n] : 0;
}

/* Gaussian elimination with pivoting; `a` is n x n, the solution replaces b. */
static void eliminate(double *a, double *b, int64_t n)
{
  for (int64_t col = 0; col < n; ++col) {
    int64_t pivot = col;
    for (int64_t row = col + 1; row < n; ++row)
      if (fabs(a[row * n + col]) > fabs(a[pivot * n + col]))
        pivot = row;
    for (int64_t c = 0; c < n; ++c) {
      const double keep = a[col * n + c];
      a[col * n + c] = a[pivot * n + c];
      a[pivot * n + c] = keep;
    }
    const double keep = b[col];
    b[col] = b[pivot];
    b[pivot] = keep;
    for (int64_t row = col + 1; row < n; ++row) {
      const double factor = a[row * n + col] / a[col * n + col];
      for (int64_t c = col; c < n; ++c)
        a[row * n + c] -= factor * a[col * n + c];
      b[row] -= factor * b[col];
    }
  }
  for (int64_t row = n - 1; row >= 0; --row) {
    for (int64_t c = row + 1; c < n; ++c)
      b[row] -= a[row * n + c] * b[c];
    b[row] /= a[row * n + row];
  }
}

static void solve_row(const als_problem *problem, als_state *state, int side, int64_t own)
{
  const int64_t k = problem->factors;
  const int64_t n = k + als_has_bias(problem, side);
  const double bias_lambda = als_bias_lambda(problem);
  const double scale = als_row_scale(problem, side, own);
  double *a = test_allocate(n * n, sizeof *a);
  double *b = test_allocate(n, sizeof *b);
  double *z = test_allocate(n, sizeof *z);
  for (int64_t f = 0; f < n; ++f)
    a[f * n + f] = scale * (f < k ? problem->lambda : bias_lambda);
  for (int64_t other = 0; other < side_size(problem, 1 - side); ++other) {
    als_term terms[2] = {{0, 0}, {0, 0}};
    const int count = side == PQF_ROWS ? als_terms(problem, own, other, terms)
                                       : als_terms(problem, other, own, terms);
    memcpy(z, state->factors[1 - side] + other * k, (size_t)k * sizeof *z);
    if (n > k)
      z[k] = 1;
    for (int t = 0; t < count; ++t)
      for (int64_t f = 0; f < n; ++f) {
        b[f] += terms[t].weight * (terms[t].target - state->bias[1 - side][other]) * z[f];
        for (int64_t g = 0; g < n; ++g)
          a[f * n + g] += terms[t].weight * z[f] * z[g];
      }
  }
  eliminate(a, b, n);
  memcpy(state->factors[side] + own * k, b, (size_t)k * sizeof *b);
  if (n > k)
    state->bias[side][own] = b[k];
  free(a);
  free(b);
  free(z);
}

void als_half_sweep(const als_problem *problem, als_state *state, int side)
{
  for (int64_t own = 0; own < side_size(problem, side); ++own) {
    if (cells_of(problem, side, own) > 0) {
      solve_row(problem, state, side, own);
      continue;
    }
    memset(state->factors[side] + own * problem->factors, 0,
           (size_t)problem->factors * sizeof(double));
    state->bias[side][own] = 0;
  }
}

double als_objective(const als_problem *problem, const als_state *state, double *observed,
                     double *unobserved, double *regularization)
{
  const int64_t k = problem->factors;
  const double bias_lambda = als_bias_lambda(problem);
  *observed = *unobserved = *regularization = 0;
  for (int64_t row = 0; row < problem->rows; ++row)
    for (int64_t col = 0; col < problem->cols; ++col) {
      als_term terms[2] = {{0, 0}, {0, 0}};
      const int count = als_terms(problem, row, col, terms);
      const int present = problem->weight[row * problem->cols + col] >= 0;
      double prediction = state->bias[PQF_ROWS][row] + state->bias[PQF_COLS][col];
      for (int64_t f = 0; f < k; ++f)
        prediction += state->factors[0][row * k + f] * state->factors[1][col * k + f];
      for (int t = 0; t < count; ++t) {
        const double miss = terms[t].target - prediction;
        *(present && t == 0 ? observed : unobserved) += terms[t].weight * miss * miss;
      }
    }
  for (int side = 0; side < 2; ++side)
    for (int64_t n = 0; n < side_size(problem, side); ++n) {
      const double bias = state->bias[side][n];
      double square = 0;
      for (int64_t f = 0; f < k; ++f)
        square += state->factors[side][n * k + f] * state->factors[side][n * k + f];
      *regularization +=
          als_row_scale(problem, side, n) * (problem->lambda * square + bias_lambda * bias * bias);
    }
  return *observed + *unobserved + *regularization;
}
