/* Data in any unit and settings at their limits: a result that is right, or PQF_EDIVERGED; never
 * PQF_OK with factors that say nothing. */
#include "als_reference.h"
#include "cases.h"
#include "device.h"
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 30, COLS = 24, CELLS = ROWS * COLS, SMALL = 5, FACTORS = 4 };

/* A third of the cells, with values from 1 to 5 times `scale`. */
static pqf_data *some_cells(int32_t rows, int32_t cols, double scale)
{
  int32_t row[CELLS];
  int32_t col[CELLS];
  float value[CELLS];
  pqf_data *data = NULL;
  int64_t count = 0;
  uint64_t state = 3;
  for (int32_t n = 0; n < rows * cols; ++n)
    if (test_uniform(&state) < 0.35) {
      row[count] = n / cols;
      col[count] = n % cols;
      value[count++] = (float)(scale * (1 + (n / cols * 7 + n % cols * 3) % 9 / 2.0));
    }
  CHECK_OK(pqf_data_coo(&data, rows, cols, count, row, col, value, NULL, NULL));
  return data;
}

static double square_sum(const float *values, int64_t count)
{
  double sum = 0;
  for (int64_t n = 0; n < count; ++n)
    sum += (double)values[n] * (double)values[n];
  return sum;
}

/* ---- Factors of 0 or more -------------------------------------------------------------------- */

/* Draws of both signs made the solutions 0 for all columns, and then for ever. */
static void nonnegative_factors_do_not_collapse(void)
{
  static const int32_t objectives[] = {PQF_OBJECTIVE_OBSERVED, PQF_OBJECTIVE_SQUARED,
                                       PQF_OBJECTIVE_IMPLICIT};
  pqf_data *data = some_cells(SMALL, SMALL, 1);
  for (int o = 0; o < 3; ++o)
    for (uint64_t seed = 0; seed < 40; ++seed)
      for (int32_t factors = 1; factors <= 2; ++factors) {
        pqf_options options = PQF_OPTIONS_INIT;
        pqf_model *model = NULL;
        test_use_backend(&options);
        options.solver = PQF_SOLVER_ALS;
        options.objective = objectives[o];
        options.mean = PQF_MEAN_NONE;
        options.biases = PQF_BIASES_NONE;
        options.nonnegative = 1;
        options.factors = factors;
        options.epochs = 3;
        options.seed = seed;
        CHECK_OK(pqf_create(&model, &options));
        CHECK_OK(pqf_fit(model, data, NULL));
        CU_ASSERT(square_sum(pqf_model_borrow_factors(model, PQF_ROWS), SMALL * factors) > 0);
        CU_ASSERT(square_sum(pqf_model_borrow_factors(model, PQF_COLS), SMALL * factors) > 0);
        pqf_free(model);
      }
  pqf_data_free(data);
}

/* ---- Conjugate gradient ---------------------------------------------------------------------- */

/* Cells as the reference of least squares has them; in some rows and columns all weights are 0. */
typedef struct ratings {
  als_problem truth;
  pqf_data *data;
  double value[CELLS];
  double weight[CELLS];
} ratings;

static void create_ratings(ratings *out, const pqf_options *options, double scale)
{
  uint64_t state = 5;
  for (int32_t n = 0; n < CELLS; ++n) {
    out->weight[n] = -1;
    if (test_uniform(&state) > 0.5)
      continue;
    out->value[n] = (double)(float)(scale * (1 + 4 * test_uniform(&state)));
    out->weight[n] = n / COLS % 4 == 1 || n % COLS == 3 ? 0 : 1;
  }
  out->truth = (als_problem){.rows = ROWS,
                             .cols = COLS,
                             .factors = options->factors,
                             .value = out->value,
                             .weight = out->weight,
                             .options = options};
  als_problem_settle(&out->truth);
  out->data = als_problem_data(&out->truth, 1);
}

/* One epoch of more steps than there are unknowns, from draws that are far off: the columns, solved
 * last, are within a part of what exact solutions for the same rows leave, and no row is worse than
 * zeros. */
static void check_conjugate_gradient(const pqf_options *options, double scale)
{
  ratings *test = test_allocate(1, sizeof *test);
  pqf_model *model = NULL;
  double parts[3];
  char what[128];
  const int64_t k = options->factors;
  float *p = test_normals(1, ROWS * k, 1);
  float *q = test_normals(2, COLS * k, 1);
  create_ratings(test, options, scale);
  snprintf(what, sizeof what, "objective %d, lambda %g, scale %g, k %d", (int)options->objective,
           options->regularization, scale, (int)k);
  CHECK_OK(pqf_create(&model, options));
  CHECK_OK(pqf_model_set_initial(model, ROWS, COLS, p, q));
  if (CHECK_OK(pqf_fit(model, test->data, NULL))) {
    als_state got = als_state_create(&test->truth);
    for (int side = 0; side < 2; ++side)
      als_state_take(&got, &test->truth, model, side);
    const double loss = als_objective(&test->truth, &got, &parts[0], &parts[1], &parts[2]);
    memset(got.factors[PQF_COLS], 0, (size_t)(COLS * k) * sizeof(double));
    memset(got.bias[PQF_COLS], 0, COLS * sizeof(double));
    const double zeros = als_objective(&test->truth, &got, &parts[0], &parts[1], &parts[2]);
    als_half_sweep(&test->truth, &got, PQF_COLS);
    const double exact = als_objective(&test->truth, &got, &parts[0], &parts[1], &parts[2]);
    CHECK_AT_MOST(loss, zeros, what);
    CHECK_AT_MOST(loss, exact * (1 + 1e-3) + 1e-6 * zeros, what);
    als_state_free(&got);
  }
  pqf_free(model);
  pqf_data_free(test->data);
  free(test);
  free(p);
  free(q);
}

static void conjugate_gradient_ends_near_the_minimum(void)
{
  static const double lambdas[] = {1e-8, 1e-4, 1, 100};
  static const double scales[] = {1e-6, 1, 1e6};
  static const int32_t widths[] = {1, 6, 20};
  for (int o = 0; o < 3; ++o)
    for (int l = 0; l < 4; ++l)
      for (int s = 0; s < 3; ++s)
        for (int w = 0; w < 3; ++w) {
          pqf_options options = PQF_OPTIONS_INIT;
          test_use_backend(&options);
          options.solver = PQF_SOLVER_ALS;
          options.objective = o == 0   ? PQF_OBJECTIVE_OBSERVED
                              : o == 1 ? PQF_OBJECTIVE_SQUARED
                                       : PQF_OBJECTIVE_IMPLICIT;
          options.regularization = lambdas[l];
          options.confidence = 1 / scales[s];
          options.factors = widths[w];
          options.conjugate_gradient = 300;
          options.init = PQF_INIT_GIVEN;
          options.epochs = 1;
          options.patience = 0;
          check_conjugate_gradient(&options, scales[s]);
        }
}

/* ---- Least squares that overflow ------------------------------------------------------------- */

static double largest_of(const float *values, int64_t count)
{
  double largest = 0;
  for (int64_t n = 0; n < count; ++n)
    largest = fmax(largest, fabs((double)values[n]));
  return largest;
}

/* A fit that ends well has factors that explain something; one that does not leaves the model with
 * those that it had. Returns the status. */
static int check_overflow(pqf_options options, double scale, double init_scale)
{
  pqf_data *usual = some_cells(ROWS, COLS, 1);
  pqf_data *data = some_cells(ROWS, COLS, scale);
  pqf_model *model = NULL;
  char what[128];
  snprintf(what, sizeof what, "objective %d, steps %d, values %g, init_scale %g",
           (int)options.objective, (int)options.conjugate_gradient, scale, init_scale);
  CHECK_OK(pqf_create(&model, &options));
  CHECK_OK(pqf_fit(model, usual, NULL));
  const double before = largest_of(pqf_model_borrow_factors(model, PQF_ROWS), ROWS * FACTORS);
  char text[32];
  snprintf(text, sizeof text, "%g", init_scale);
  CHECK_OK(pqf_model_set_option(model, "init_scale", text));
  const int status = pqf_fit(model, data, NULL);
  const float *p = pqf_model_borrow_factors(model, PQF_ROWS);
  const double after = largest_of(p, ROWS * FACTORS);
  if (status == PQF_OK) {
    pqf_epoch first = {.size = sizeof first};
    pqf_epoch last = {.size = sizeof last};
    CHECK_OK(pqf_model_history(model, 0, &first));
    CHECK_OK(pqf_model_history(model, options.epochs - 1, &last));
    CU_ASSERT(isfinite(last.loss) && isfinite(after));
    CHECK_AT_MOST(last.loss, first.loss * (1 + 1e-5), what);
    if (scale >= 1)                      /* smaller values are not worth their regularization */
      CHECK_AT_MOST(1e-30, after, what); /* not zeros */
  } else {
    CHECK_STATUS(status, PQF_EDIVERGED);
    CHECK_WORDS("too large for float: scale them down");
    CHECK_AT_MOST(fabs(after - before), 0, what);
  }
  pqf_free(model);
  pqf_data_free(usual);
  pqf_data_free(data);
  return status;
}

static void overflows_are_told(void)
{
  static const struct {
    double scale;
    double init_scale;
    int fits; /* 1: it must go well; 0: it may overflow, and then says so */
  } sizes[] = {{1e10, 1, 1}, {1e15, 1, 1}, {1e19, 1, 0}, {1e20, 1, 0},   {1e25, 1, 0},
               {1e30, 1, 0}, {5e37, 1, 0}, {1, 1e10, 1}, {1, 1e15, 1},   {1, 1e18, 0},
               {1, 1e20, 0}, {1, 1e30, 0}, {1, 1e38, 0}, {1e-6, 1e20, 0}};
  for (int o = 0; o < 3; ++o)
    for (int64_t steps = 0; steps <= 40; steps += 40)
      for (size_t n = 0; n < sizeof sizes / sizeof sizes[0]; ++n) {
        pqf_options options = PQF_OPTIONS_INIT;
        test_use_backend(&options);
        options.solver = PQF_SOLVER_ALS;
        options.objective = o == 0   ? PQF_OBJECTIVE_OBSERVED
                            : o == 1 ? PQF_OBJECTIVE_SQUARED
                                     : PQF_OBJECTIVE_IMPLICIT;
        options.conjugate_gradient = steps;
        options.regularization = 0.1;
        options.factors = FACTORS;
        options.epochs = 4;
        options.patience = 0;
        const int status = check_overflow(options, sizes[n].scale, sizes[n].init_scale);
        const int weights = o == 2 && sizes[n].scale > 1; /* of clicks, which is another matter */
        if (sizes[n].fits && !weights)
          CU_ASSERT_EQUAL(status, PQF_OK);
      }
}

/* ---- Gradient descent ------------------------------------------------------------------------ */

/* Values times `scale`, the factors times its root, and step and regularization in their units: all
 * products keep their size relative to the values. */
static void rescale(test_case *test, double scale)
{
  for (int64_t n = 0; n < test->truth.rows * test->truth.cols; ++n)
    test->truth.value[n] = (double)(float)(scale * test->truth.value[n]);
  for (int64_t n = 0; n < test->truth.rows * test->factors; ++n)
    test->p[n] = (float)(sqrt(scale) * (double)test->p[n]);
  for (int64_t n = 0; n < test->truth.cols * test->factors; ++n)
    test->q[n] = (float)(sqrt(scale) * (double)test->q[n]);
  test->reference.learning_rate /= scale;
  test->reference.regularization *= scale;
  case_renew_data(test);
}

enum { EPOCHS = 12 };

/* The losses of all epochs are the reference's, or infinite where those leave what float holds. */
static void check_descent(test_case *test, const char *what)
{
  reference_factors now;
  double losses[EPOCHS];
  const reference_rule rule = {EPOCHS, 0, 0};
  pqf_options options = case_options(test);
  pqf_model *model = NULL;
  double worst = 0;
  reference_factors_create(&now, &test->reference, test->p, test->q);
  const double whole = reference_epoch(&test->reference, &now, NULL);
  reference_fit(&test->reference, &rule, &now, losses);
  options.epochs = EPOCHS;
  options.patience = 0;
  CHECK_OK(pqf_create(&model, &options));
  CHECK_OK(pqf_model_set_initial(model, test->truth.rows, test->truth.cols, test->p, test->q));
  const int status = pqf_fit(model, test->data, NULL);
  for (int64_t n = 0; n < EPOCHS; ++n) {
    pqf_epoch epoch = {.size = sizeof epoch};
    if (!(losses[n] < 1e60)) /* factors of 1e15 and more: the next step may overflow */
      break;
    if (!CHECK_OK(pqf_model_history(model, n, &epoch)))
      break;
    worst = fmax(worst, fabs(epoch.loss - losses[n]) / fmax(losses[n], 1e-6 * whole));
  }
  CHECK_AT_MOST(worst, 1e-3, what);
  if (status != PQF_OK) {
    CHECK_STATUS(status, PQF_EDIVERGED);
    CU_ASSERT(!(losses[EPOCHS - 1] < 0.9e6 * losses[0]));
    CHECK_WORDS("a learning rate below");
  } else {
    CU_ASSERT(losses[EPOCHS - 1] < 1.1e6 * losses[0]);
  }
  pqf_free(model);
  reference_factors_free(&now);
}

static void descent_is_the_same_in_every_unit(void)
{
  static const double scales[] = {1e-6, 1e-3, 1, 1e3, 1e6, 1e12};
  static const double rates[] = {0.01, 0.1, 30}; /* of the one that moves P by its size */
  for (int kind = 0; kind < case_kind_count; ++kind)
    for (int s = 0; s < 6; ++s)
      for (int r = 0; r < 3; ++r) {
        test_case test;
        char what[128];
        const int notebook = case_kinds[kind].update == PQF_UPDATE_NOTEBOOK;
        case_create(&test, &case_kinds[kind], (case_shape){23, 17}, 3, 0.5, 5);
        test.reference.learning_rate *= rates[r];
        rescale(&test, scales[s]);
        snprintf(what, sizeof what, "%s, scale %g, rate %g", test.kind->name, scales[s], rates[r]);
        if (!notebook || scales[s] == 1) /* its loss mixes units */
          check_descent(&test, what);
        case_free(&test);
      }
}

/* Early stopping comes before the numbers overflow: still no model to be content with. */
static void descent_that_runs_away_is_told(void)
{
  pqf_data *data = some_cells(ROWS, COLS, 1);
  pqf_model *model = NULL;
  pqf_options options = PQF_OPTIONS_INIT;
  pqf_epoch first = {.size = sizeof first};
  test_use_backend(&options);
  options.objective = PQF_OBJECTIVE_OBSERVED;
  options.factors = FACTORS;
  options.learning_rate = 0.2;
  options.epochs = 100;
  options.patience = 2;
  CHECK_OK(pqf_create(&model, &options));
  CHECK_STATUS(pqf_fit(model, data, NULL), PQF_EDIVERGED);
  CHECK_WORDS("the loss has grown from");
  CHECK_WORDS("a learning rate below 0.2");
  CHECK_OK(pqf_model_history(model, 0, &first));
  pqf_free(model);
  pqf_data_free(data);
}

void suite_extremes(void)
{
  CU_pSuite suite = test_add_device_suite("extremes");
  CU_add_test(suite, "nonnegative factors do not collapse", nonnegative_factors_do_not_collapse);
  CU_add_test(suite, "many steps of conjugate gradient end near the minimum",
              conjugate_gradient_ends_near_the_minimum);
  CU_add_test(suite, "least squares that overflow say so", overflows_are_told);
  CU_add_test(suite, "gradient descent that runs away says so", descent_that_runs_away_is_told);
  CU_add_test(suite, "gradient descent is the same in every unit",
              descent_is_the_same_in_every_unit);
}
