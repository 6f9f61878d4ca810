/* Every row that least squares solves is at the minimum of its objective, in every unit and for
 * every regularization: see row_reference.h. The other side is what the fit itself has made, so
 * that systems are as ill as they come. */
#include "als_reference.h"
#include "device.h"
#include "row_reference.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct variant {
  const char *name;
  int32_t objective;
  int weighted; /* 2: many weights are 0 */
  double scaling;
  int32_t biases;
  int32_t zeros;
  double unobserved_weight;
  double bias_regularization;
  double confidence;
} variant;

static const variant variants[] = {
    {"observed, no biases", PQF_OBJECTIVE_OBSERVED, 0, 0, PQF_BIASES_NONE, 0, 1, -1, 1},
    {"observed", PQF_OBJECTIVE_OBSERVED, 0, 0, PQF_BIASES_BOTH, 0, 1, -1, 1},
    {"observed, weights, bias lambda 3", PQF_OBJECTIVE_OBSERVED, 1, 0, PQF_BIASES_BOTH, 0, 1, 3, 1},
    {"observed, free biases", PQF_OBJECTIVE_OBSERVED, 0, 1, PQF_BIASES_BOTH, 0, 1, 0, 1},
    {"observed, weights of 0", PQF_OBJECTIVE_OBSERVED, 2, 1, PQF_BIASES_NONE, 0, 1, -1, 1},
    {"squared", PQF_OBJECTIVE_SQUARED, 0, 0, PQF_BIASES_NONE, 0, 1, -1, 1},
    {"squared, weights", PQF_OBJECTIVE_SQUARED, 1, 0, PQF_BIASES_NONE, 0, 1, -1, 1},
    {"squared, weights of 0", PQF_OBJECTIVE_SQUARED, 2, 0.5, PQF_BIASES_NONE, 0, 1, -1, 1},
    {"implicit", PQF_OBJECTIVE_IMPLICIT, 0, 0, PQF_BIASES_NONE, 0, 1, -1, 2},
    {"implicit, confidence 40, nu", PQF_OBJECTIVE_IMPLICIT, 0, 0.7, PQF_BIASES_NONE, 0, 0.1, -1,
     40},
    {"implicit, weights of 0", PQF_OBJECTIVE_IMPLICIT, 2, 0, PQF_BIASES_NONE, 0, 1, -1, 2},
    {"implicit, zeros everywhere", PQF_OBJECTIVE_IMPLICIT, 0, 1, PQF_BIASES_NONE, 1, 0.2, -1, 2},
    {"implicit, zeros of no weight", PQF_OBJECTIVE_IMPLICIT, 0, 0, PQF_BIASES_NONE, 0, 0, -1, 2},
};

enum { VARIANTS = sizeof variants / sizeof variants[0] };

typedef struct problem {
  als_problem truth;
  pqf_options options;
  pqf_data *data;
  double *value;
  double *weight;
  float *p;
  float *q;
} problem;

static pqf_options options_of(const variant *v, int32_t factors)
{
  pqf_options options = PQF_OPTIONS_INIT;
  test_use_backend(&options);
  options.solver = PQF_SOLVER_ALS;
  options.objective = v->objective;
  options.regularization_scaling = v->scaling;
  options.biases = v->biases;
  options.implicit_zeros = v->zeros;
  options.unobserved_weight = v->unobserved_weight;
  options.bias_regularization = v->bias_regularization;
  options.confidence = v->confidence;
  options.factors = factors;
  options.init = PQF_INIT_GIVEN;
  options.patience = 0;
  options.threads = 2;
  return options;
}

/* Row r of `rows` has about r cols / rows cells: none, fewer than factors, as many, more. */
static int is_present(int64_t rows, int64_t cols, int64_t row, int64_t col)
{
  return (11 * col + 5 * row) % cols < row * cols / rows;
}

static float draw_weight(int weighted, int64_t n, uint64_t *state)
{
  const double drawn = test_uniform(state);
  return weighted == 0 ? 1 : weighted == 2 && n % 3 == 1 ? 0 : (float)(0.5 + drawn);
}

static void create(problem *out, int64_t rows, int64_t cols, const pqf_options *options,
                   int weighted, double scale)
{
  const int clicks = options->objective == PQF_OBJECTIVE_IMPLICIT;
  uint64_t state = (uint64_t)(rows * 1000 + cols * 10 + options->factors);
  memset(out, 0, sizeof *out);
  out->value = test_allocate(rows * cols, sizeof(double));
  out->weight = test_allocate(rows * cols, sizeof(double));
  for (int64_t n = 0; n < rows * cols; ++n) {
    const double drawn = clicks ? 1 + 9 * pow(test_uniform(&state), 8) : test_normal(&state) + 3;
    const double weight = (double)draw_weight(weighted, n, &state);
    const int present = is_present(rows, cols, n / cols, n % cols);
    out->value[n] = present ? (double)(float)(scale * drawn) : 0;
    out->weight[n] = present ? weight : -1;
  }
  out->options = *options;
  out->truth = (als_problem){.rows = rows,
                             .cols = cols,
                             .factors = options->factors,
                             .value = out->value,
                             .weight = out->weight,
                             .options = &out->options};
  als_problem_settle(&out->truth);
  out->data = als_problem_data(&out->truth, weighted);
  out->p = test_normals(state, rows * options->factors, 0.3);
  out->q = test_normals(state + 1, cols * options->factors, 0.3);
}

static void clear(problem *test)
{
  pqf_data_free(test->data);
  free(test->value);
  free(test->weight);
  free(test->p);
  free(test->q);
}

/* The columns' initial factors, and zeros. */
static als_state state_create(const problem *test)
{
  als_state state = als_state_create(&test->truth);
  for (int64_t n = 0; n < test->truth.cols * test->truth.factors; ++n)
    state.factors[PQF_COLS][n] = (double)test->q[n];
  return state;
}

/* The rows of one side that are looked at: every `step`-th. Returns the worst excess. */
static double worst_row(const problem *test, const als_state *state, int side, int64_t step)
{
  const int64_t size = side == PQF_ROWS ? test->truth.rows : test->truth.cols;
  double worst = 0;
  for (int64_t own = step / 2; own < size; own += step) {
    const row_fit fit = row_fit_measure(&test->truth, state, side, own);
    const double excess = fit.cells == 0 ? 0 : row_fit_excess(&test->truth, &fit);
    if (!(excess <= worst))
      worst = excess;
  }
  return worst;
}

/* Two sweeps: the first from factors that know nothing of the unit. */
static void check_sweeps(problem *test, int64_t step, const char *name)
{
  als_state state = state_create(test);
  for (int64_t epochs = 1; epochs <= 2; ++epochs) {
    pqf_model *model = NULL;
    test->options.epochs = epochs;
    CHECK_OK(pqf_create(&model, &test->options));
    CHECK_OK(pqf_model_set_initial(model, test->truth.rows, test->truth.cols, test->p, test->q));
    if (CHECK_OK(pqf_fit(model, test->data, NULL)))
      for (int side = 0; side < 2; ++side) {
        als_state_take(&state, &test->truth, model, side);
        CHECK_AT_MOST(worst_row(test, &state, side, step), 1, name);
      }
    pqf_free(model);
  }
  als_state_free(&state);
}

static void check_setting(const variant *v, int32_t factors, double lambda, double scale)
{
  pqf_options options = options_of(v, factors);
  char name[128];
  problem test;
  options.regularization = lambda;
  if (v->bias_regularization < 0 && v->objective == PQF_OBJECTIVE_OBSERVED)
    options.bias_regularization = v->bias_regularization;
  create(&test, 40, factors > 40 ? factors + 30 : 60, &options, v->weighted, scale);
  snprintf(name, sizeof name, "%s, k = %d, lambda %g, values times %g", v->name, (int)factors,
           lambda, scale);
  check_sweeps(&test, test_large() ? 3 : 5, name);
  clear(&test);
}

static void rows_are_at_their_minimum(void)
{
  static const int32_t factors[] = {1, 2, 5, 16, 17, 33, 64, 128};
  static const double lambdas[] = {0, 1e-8, 1e-6, 1e-4, 1e-2, 1, 100};
  static const double scales[] = {1e-6, 1e-3, 1, 1e3, 1e6};
  const int part = test_large() && !TEST_UNDER_SANITIZER ? 4 : 13; /* no divisor of 35 settings */
  int turn = 0;
  for (int v = 0; v < VARIANTS; ++v)
    for (int f = 0; f < (part == 4 ? 8 : 7); ++f)
      for (int l = 0; l < 7; ++l)
        for (int s = 0; s < 5; ++s)
          if (turn++ % part == 0)
            check_setting(&variants[v], factors[f], lambdas[l], scales[s]);
}

/* Two columns with the same factors, rated 1 and 5: the mean of both is the best prediction, since
 * lambda is next to nothing. */
static void equal_columns_are_averaged(void)
{
  static const int32_t row[] = {0, 0};
  static const int32_t col[] = {0, 1};
  static const float value[] = {1, 5};
  float p[16] = {0};
  float q[32];
  float predicted[2] = {0, 0};
  pqf_data *data = NULL;
  pqf_model *model = NULL;
  pqf_options options = options_of(&variants[0], 16);
  for (int f = 0; f < 16; ++f)
    q[f] = q[16 + f] = (float)(f + 1) / 16;
  options.regularization = 1e-6;
  options.mean = PQF_MEAN_NONE;
  options.epochs = 1;
  CHECK_OK(pqf_data_coo(&data, 1, 2, 2, row, col, value, NULL, NULL));
  CHECK_OK(pqf_create(&model, &options));
  CHECK_OK(pqf_model_set_initial(model, 1, 2, p, q));
  CHECK_OK(pqf_fit(model, data, NULL));
  const float *fitted = pqf_model_borrow_factors(model, PQF_ROWS);
  double prediction = 0;
  for (int f = 0; f < 16; ++f)
    prediction += (double)fitted[f] * (double)q[f];
  CHECK_AT_MOST(fabs(prediction - 3), 1e-5, "the row, before the columns are solved for it");
  CHECK_OK(pqf_predict(model, 2, row, col, predicted));
  CHECK_AT_MOST(fabs((double)predicted[0] - 1), 1e-5, "column 0");
  CHECK_AT_MOST(fabs((double)predicted[1] - 5), 1e-5, "column 1");
  pqf_free(model);
  pqf_data_free(data);
}

/* The longest row and column of the data have `cells` cells; the sums of others stay short. */
static void check_long_row(const variant *v, int32_t factors, int64_t cells)
{
  pqf_options options = options_of(v, factors);
  problem test;
  options.regularization = 0.1;
  create(&test, 3, cells, &options, v->weighted, 1);
  options.epochs = test.options.epochs = 1;
  als_state exact = state_create(&test);
  als_state got = state_create(&test);
  pqf_model *model = NULL;
  CHECK_OK(pqf_create(&model, &test.options));
  CHECK_OK(pqf_model_set_initial(model, 3, cells, test.p, test.q));
  if (CHECK_OK(pqf_fit(model, test.data, NULL))) {
    als_half_sweep(&test.truth, &exact, PQF_ROWS);
    als_state_take(&got, &test.truth, model, PQF_ROWS);
    CHECK_AT_MOST(test_relative_error(pqf_model_borrow_factors(model, PQF_ROWS),
                                      exact.factors[PQF_ROWS], 3 * factors),
                  2e-5, v->name);
    if (pqf_model_borrow_biases(model, PQF_ROWS) != NULL)
      CHECK_AT_MOST(
          test_relative_error(pqf_model_borrow_biases(model, PQF_ROWS), exact.bias[PQF_ROWS], 3),
          2e-5, v->name);
  }
  pqf_free(model);
  als_state_free(&exact);
  als_state_free(&got);
  clear(&test);
}

static void long_rows_lose_no_digits(void)
{
  const int64_t cells = test_large() ? 1000000 : 200000;
  for (int v = 0; v < VARIANTS; ++v) {
    check_long_row(&variants[v], 3, cells);
    if (test_large())
      check_long_row(&variants[v], 32, cells);
  }
}

/* A fit in another unit: values and lambda times 4^m, the factors to start from times 2^m. */
static pqf_model *fit_in_unit(const variant *v, int32_t factors, double lambda, int m)
{
  pqf_options options = options_of(v, factors);
  pqf_model *model = NULL;
  problem test;
  options.regularization = ldexp(lambda, 2 * m);
  options.bias_regularization = 0.5;
  options.epochs = 3;
  create(&test, 40, 60, &options, v->weighted, ldexp(1, 2 * m));
  for (int64_t n = 0; n < 40 * factors; ++n)
    test.p[n] = ldexpf(test.p[n], m);
  for (int64_t n = 0; n < 60 * factors; ++n)
    test.q[n] = ldexpf(test.q[n], m);
  CHECK_OK(pqf_create(&model, &test.options));
  CHECK_OK(pqf_model_set_initial(model, 40, 60, test.p, test.q));
  CHECK_OK(pqf_fit(model, test.data, NULL));
  clear(&test);
  return model;
}

/* Elements that differ, b being a times 2^m. */
static int64_t count_differences(const float *a, const float *b, int64_t count, int m)
{
  int64_t differences = 0;
  for (int64_t n = 0; a != NULL && n < count; ++n)
    differences += ldexpf(a[n], m) != b[n];
  return differences;
}

/* Nothing in a fit of ratings depends on the unit of the values: to the bit, when units differ by a
 * power of 4. */
static void units_change_exponents_alone(void)
{
  static const double lambdas[] = {1e-9, 1e-4, 0.5};
  static const int32_t factors[] = {3, 16, 40};
  static const int32_t kinds[] = {0, 1, 2, 4, 5, 6, 7};
  static const int units[] = {-10, -3, 7};
  for (int v = 0; v < 7; ++v)
    for (int f = 0; f < 3; ++f)
      for (int l = 0; l < 3; ++l) {
        const variant *kind = &variants[kinds[v]];
        pqf_model *model = fit_in_unit(kind, factors[f], lambdas[l], 0);
        for (int u = 0; u < 3; ++u) {
          const int m = units[u];
          pqf_model *other = fit_in_unit(kind, factors[f], lambdas[l], m);
          int64_t differences = 0;
          for (int side = 0; side < 2; ++side) {
            const int64_t size = side == PQF_ROWS ? 40 : 60;
            differences +=
                count_differences(pqf_model_borrow_factors(model, side),
                                  pqf_model_borrow_factors(other, side), size * factors[f], m);
            differences += count_differences(pqf_model_borrow_biases(model, side),
                                             pqf_model_borrow_biases(other, side), size, 2 * m);
          }
          CHECK_AT_MOST((double)differences, 0, kind->name);
          pqf_free(other);
        }
        pqf_free(model);
      }
}

/* Each instruction set that this machine has. */
static void instruction_sets_agree(void)
{
  static const char name[] = "PQF_INSTRUCTIONS";
  static const char *const again[] = {"least_squares", NULL};
  if (getenv(name) != NULL || strcmp(test_backend(), "cpu") != 0)
    return;
  CU_ASSERT_EQUAL(test_run_again(name, "avx2", again), 0);
  CU_ASSERT_EQUAL(test_run_again(name, "baseline", again), 0);
}

/* Columns nearly alike and values nearly constant: sums whose terms are all rounded the same way,
 * and rows of which next to nothing is left to explain. */
static void check_alike(const variant *v, int32_t factors, int64_t cells, double spread,
                        double lambda)
{
  pqf_options options = options_of(v, factors);
  char name[128];
  problem test;
  options.regularization = lambda;
  options.mean = PQF_MEAN_NONE;
  options.epochs = 1;
  create(&test, 2, 2 * cells, &options, v->weighted, 1);
  pqf_data_free(test.data);
  for (int64_t n = 0; n < 4 * cells; ++n)
    test.value[n] = test.weight[n] >= 0 ? (double)(float)(1000 + cos((double)n)) : 0;
  for (int64_t n = 0; n < 2 * cells * factors; ++n)
    test.q[n] = (float)(0.7 + spread * (double)test.q[n]);
  als_problem_settle(&test.truth);
  test.data = als_problem_data(&test.truth, v->weighted);
  snprintf(name, sizeof name, "%s, k = %d, %d cells alike but for %g, lambda %g", v->name,
           (int)factors, (int)cells, spread, lambda);
  als_state state = state_create(&test);
  pqf_model *model = NULL;
  CHECK_OK(pqf_create(&model, &test.options));
  CHECK_OK(pqf_model_set_initial(model, 2, 2 * cells, test.p, test.q));
  if (CHECK_OK(pqf_fit(model, test.data, NULL))) {
    als_state_take(&state, &test.truth, model, PQF_ROWS);
    CHECK_AT_MOST(worst_row(&test, &state, PQF_ROWS, 1), 1, name);
  }
  pqf_free(model);
  als_state_free(&state);
  clear(&test);
}

static void alike_columns_are_told_apart(void)
{
  static const int kinds[] = {0, 1, 2, 3, 5, 8};
  static const double spreads[] = {0, 3e-5, 0.03};
  static const double lambdas[] = {1e-3, 0.05, 0.15, 5, 500};
  const int cpu = strcmp(test_backend(), "cpu") == 0;
  for (int k = 0; k < (cpu ? 6 : 1); ++k)
    for (int s = 0; s < 3; ++s)
      for (int l = 0; l < 5; ++l) {
        check_alike(&variants[kinds[k]], 1, 1024, spreads[s], lambdas[l]);
        check_alike(&variants[kinds[k]], 16, 500, spreads[s], lambdas[l]);
      }
}

/* Values whose squares, and the systems they make, float cannot hold. */
static void huge_and_tiny_values_are_fitted(void)
{
  static const double scales[] = {1e-15, 1e15, 1e25};
  static const int kinds[] = {0, 1, 4, 5};
  if (strcmp(test_backend(), "cpu") != 0)
    return; /* others say that it overflows: see the suite extremes */
  for (int k = 0; k < 4; ++k)
    for (int s = 0; s < 3; ++s) {
      check_setting(&variants[kinds[k]], 5, scales[s] * 0.01, scales[s]);
      check_setting(&variants[kinds[k]], 20, scales[s] * 0.01, scales[s]);
    }
}

void suite_least_squares(void)
{
  CU_pSuite suite = test_add_device_suite("least_squares");
  CU_add_test(suite, "every row is at its minimum, in any unit and at any lambda",
              rows_are_at_their_minimum);
  CU_add_test(suite, "columns that are nearly alike", alike_columns_are_told_apart);
  CU_add_test(suite, "huge and tiny values", huge_and_tiny_values_are_fitted);
  CU_add_test(suite, "equal columns are averaged", equal_columns_are_averaged);
  CU_add_test(suite, "long rows lose no digits", long_rows_lose_no_digits);
  CU_add_test(suite, "units change exponents alone", units_change_exponents_alone);
  CU_add_test(suite, "the same under each instruction set", instruction_sets_agree);
}
