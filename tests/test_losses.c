/* The losses that alternating least squares reports, against the objective summed up cell by cell
 * in double at the very factors that the fit ended with: in every unit, and however close the fit.
 */
#include "als_reference.h"
#include "device.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 60, COLS = 52, CELLS = ROWS * COLS, MOST_FACTORS = 20 };

/* What R looks like. BLOCKS: rows of one kind have all columns of that kind and no others, which
 * few factors fit exactly, zeros included. NOISE: cells at random, which they do not fit. */
typedef enum pattern { BLOCKS, NOISE } pattern;

typedef struct problem {
  als_problem truth;
  pqf_options options;
  pqf_data *data;
  double value[CELLS];
  double weight[CELLS]; /* below 0: absent */
} problem;

typedef struct variant {
  const char *name;
  int32_t objective;
  int32_t zeros;
  int weighted;
  double confidence;
  double most; /* the largest value, in units of `scale` */
} variant;

static const variant variants[] = {
    {"observed", PQF_OBJECTIVE_OBSERVED, 0, 0, 1, 5},
    {"observed, weights", PQF_OBJECTIVE_OBSERVED, 0, 1, 1, 5},
    {"squared", PQF_OBJECTIVE_SQUARED, 0, 0, 1, 1},
    {"squared, weights", PQF_OBJECTIVE_SQUARED, 0, 1, 1, 1},
    {"implicit", PQF_OBJECTIVE_IMPLICIT, 0, 0, 2, 5},
    {"implicit, weights", PQF_OBJECTIVE_IMPLICIT, 0, 1, 2, 5},
    {"implicit, zeros everywhere", PQF_OBJECTIVE_IMPLICIT, 1, 0, 2, 5},
    {"implicit, counts up to 4e5", PQF_OBJECTIVE_IMPLICIT, 0, 0, 40, 4e5},
    {"implicit, counts up to 4e5, weights", PQF_OBJECTIVE_IMPLICIT, 0, 1, 40, 4e5},
};

enum { VARIANTS = sizeof variants / sizeof variants[0] };

static int is_present(pattern cells, int64_t row, int64_t col, double drawn)
{
  return cells == BLOCKS ? row % 4 == col % 4 : drawn < 0.3;
}

/* Values are multiples of `scale`, and `regularization` goes with it so that the factors do. */
static void problem_create(problem *out, const variant *v, pattern cells, double scale,
                           double regularization)
{
  const int clicks = v->objective == PQF_OBJECTIVE_IMPLICIT;
  const pqf_options defaults = PQF_OPTIONS_INIT;
  uint64_t state = 7;
  for (int64_t n = 0; n < CELLS; ++n) {
    const double drawn = test_uniform(&state);
    const double share = cells == BLOCKS && !clicks ? 1 : pow(test_uniform(&state), 4);
    const double w = test_uniform(&state);
    out->value[n] = 0;
    out->weight[n] = -1;
    if (!is_present(cells, n / COLS, n % COLS, drawn))
      continue;
    out->value[n] = (double)(float)(scale * (1 + (v->most - 1) * share));
    out->weight[n] = !v->weighted ? 1 : w < 0.1 ? 0 : (double)(float)(w + 0.5);
  }
  out->options = defaults;
  test_use_backend(&out->options);
  out->options.solver = PQF_SOLVER_ALS;
  out->options.objective = v->objective;
  out->options.implicit_zeros = v->zeros;
  out->options.confidence = clicks ? v->confidence / scale : 1;
  out->options.factors = 6;
  out->options.epochs = 5;
  out->options.patience = 0;
  out->options.threads = 2;
  out->options.init_scale = clicks ? 0.3 : 0.3 * sqrt(scale);
  out->options.regularization = clicks ? regularization : scale * regularization;
  out->truth = (als_problem){.rows = ROWS,
                             .cols = COLS,
                             .factors = out->options.factors,
                             .value = out->value,
                             .weight = out->weight,
                             .options = &out->options};
  als_problem_settle(&out->truth);
  out->data = als_problem_data(&out->truth, v->weighted);
}

static als_state state_of(const problem *of, const pqf_model *model)
{
  als_state state = als_state_create(&of->truth);
  for (int side = 0; side < 2; ++side)
    als_state_take(&state, &of->truth, model, side);
  return state;
}

/* What double rounds off the sum of w r^2, the smallest loss that means anything. */
static double rounding_of(const problem *of)
{
  double sum = 0;
  for (int64_t n = 0; n < CELLS; ++n)
    sum += of->weight[n] > 0 ? of->weight[n] * of->value[n] * of->value[n] : 0;
  return 1e-30 * sum;
}

/* The epochs' last loss, and its parts, are those of the factors. */
static void check_loss(problem *of, const char *name)
{
  pqf_model *model = NULL;
  pqf_epoch last = {.size = sizeof last};
  double parts[3];
  CHECK_OK(pqf_create(&model, &of->options));
  if (CHECK_OK(pqf_fit(model, of->data, NULL))) {
    CHECK_OK(pqf_model_history(model, of->options.epochs - 1, &last));
    als_state state = state_of(of, model);
    const double loss = als_objective(&of->truth, &state, &parts[0], &parts[1], &parts[2]);
    const double tolerance = 1e-6 * loss + rounding_of(of);
    CHECK_AT_MOST(fabs(last.loss - loss), tolerance, name);
    CHECK_AT_MOST(fabs(last.observed - parts[0]), tolerance, name);
    CHECK_AT_MOST(fabs(last.unobserved - parts[1]), tolerance, name);
    CHECK_AT_MOST(fabs(last.regularization - parts[2]), tolerance, name);
    CU_ASSERT(last.observed >= 0 && last.unobserved >= 0 && last.regularization >= 0);
    als_state_free(&state);
  }
  pqf_free(model);
}

static void losses_are_the_objective(void)
{
  static const double scales[] = {1e-6, 1e-3, 1, 1e3, 1e6};
  static const double regularizations[] = {1e-5, 1e-2, 10};
  problem *test = test_allocate(1, sizeof *test);
  for (int v = 0; v < VARIANTS; ++v)
    for (int s = 0; s < 5; ++s)
      for (int r = 0; r < 3; ++r)
        for (int cells = BLOCKS; cells <= NOISE; ++cells) {
          problem_create(test, &variants[v], (pattern)cells, scales[s], regularizations[r]);
          check_loss(test, variants[v].name);
          pqf_data_free(test->data);
        }
  free(test);
}

/* Ratings far from 0 leave residuals that float cannot tell from their mean. */
static void losses_do_not_depend_on_the_mean(void)
{
  problem *test = test_allocate(1, sizeof *test);
  for (int v = 0; v < 2; ++v) {
    problem_create(test, &variants[v], NOISE, 1, 0.1);
    pqf_data_free(test->data);
    for (int64_t n = 0; n < CELLS; ++n)
      test->value[n] = 1e7 + floor(4 * test->value[n]);
    test->data = als_problem_data(&test->truth, variants[v].weighted);
    als_problem_settle(&test->truth);
    check_loss(test, variants[v].name);
    pqf_data_free(test->data);
  }
  free(test);
}

/* Factors of 1e6 and more whose products cancel: float rounds p.q by a part of |p| |q|. */
static void losses_hold_where_products_cancel(void)
{
  static const float value[9] = {5, 5, 1, 2, 5, 3, 3, 5, 5};
  double values[9];
  double weights[9];
  double parts[3];
  float p[6] = {0};
  float q[6];
  pqf_epoch last = {.size = sizeof last};
  pqf_model *model = NULL;
  pqf_options options = PQF_OPTIONS_INIT;
  als_problem truth = {.rows = 3, .cols = 3, .factors = 2, .value = values, .weight = weights};
  test_use_backend(&options);
  options.solver = PQF_SOLVER_ALS;
  options.objective = PQF_OBJECTIVE_OBSERVED;
  options.biases = PQF_BIASES_NONE;
  options.mean = PQF_MEAN_NONE;
  options.factors = 2;
  options.regularization = 1e-14;
  options.init = PQF_INIT_GIVEN;
  options.epochs = 1;
  options.patience = 0;
  truth.options = &options;
  for (int n = 0; n < 9; ++n) {
    values[n] = (double)value[n];
    weights[n] = 1;
  }
  for (int n = 0; n < 3; ++n) {
    q[2 * n] = 1 + (float)(n == 0 ? 0 : n) * 1e-6F;
    q[2 * n + 1] = 1 + (float)(n == 2 ? 2 : 1) * 1e-6F;
  }
  als_problem_settle(&truth);
  pqf_data *data = als_problem_data(&truth, 0);
  CHECK_OK(pqf_create(&model, &options));
  CHECK_OK(pqf_model_set_initial(model, 3, 3, p, q));
  if (CHECK_OK(pqf_fit(model, data, NULL))) {
    als_state state = als_state_create(&truth);
    for (int side = 0; side < 2; ++side)
      als_state_take(&state, &truth, model, side);
    const double loss = als_objective(&truth, &state, &parts[0], &parts[1], &parts[2]);
    CHECK_OK(pqf_model_history(model, 0, &last));
    CHECK_AT_MOST(fabs(last.loss - loss), 1e-6 * loss + 1e-12, "the loss");
    als_state_free(&state);
  }
  pqf_free(model);
  pqf_data_free(data);
}

/* ---- Validation ------------------------------------------------------------------------------ */

/* Cells held out: of those of the training data every third, and as many others. */
static void hold_out(const problem *of, problem *out)
{
  uint64_t state = 11;
  for (int64_t n = 0; n < CELLS; ++n) {
    const int trained = of->weight[n] >= 0;
    out->value[n] =
        (double)(float)(of->options.objective == PQF_OBJECTIVE_IMPLICIT ? 5 * test_uniform(&state)
                                                                        : test_normal(&state));
    out->weight[n] = (trained ? n % 3 == 0 : test_uniform(&state) < 0.1)
                         ? (double)(float)test_uniform(&state)
                         : -1;
  }
  out->truth = of->truth;
  out->truth.value = out->value;
  out->truth.weight = out->weight;
  out->data = als_problem_data(&out->truth, 1);
}

/* The formulas of pqf_backend.h, cell by cell. */
static double validation_loss(const problem *train, const problem *held_out, const als_state *now)
{
  const pqf_options *o = &train->options;
  const int clicks = o->objective == PQF_OBJECTIVE_IMPLICIT;
  const int64_t k = train->truth.factors;
  double errors = 0;
  double zeros = 0;
  double held_out_weight = 0;
  double trained_weight = 0;
  for (int64_t n = 0; n < CELLS; ++n) {
    const int64_t row = n / COLS;
    const int64_t col = n % COLS;
    const int trained = train->weight[n] >= 0;
    const int present = held_out->weight[n] >= 0;
    double product = 0;
    for (int64_t f = 0; f < k; ++f)
      product += now->factors[PQF_ROWS][row * k + f] * now->factors[PQF_COLS][col * k + f];
    const double known = train->truth.mean + now->bias[PQF_ROWS][row] + now->bias[PQF_COLS][col];
    const double weight =
        held_out->weight[n] * (clicks ? 1 + o->confidence * held_out->value[n] : 1);
    const double error = clicks ? 1 - product : held_out->value[n] - known - product;
    held_out_weight += present ? weight : 0;
    errors += present ? weight * error * error : 0;
    trained_weight += trained ? train->weight[n] * (1 + o->confidence * train->value[n]) : 0;
    zeros += (present ? o->implicit_zeros == PQF_ZEROS_ALL : !trained) ? product * product : 0;
  }
  return errors / held_out_weight + (clicks ? o->unobserved_weight * zeros / trained_weight : 0);
}

static void check_validation(problem *train, const problem *held_out, const char *name)
{
  pqf_model *model = NULL;
  pqf_epoch last = {.size = sizeof last};
  CHECK_OK(pqf_create(&model, &train->options));
  if (CHECK_OK(pqf_fit(model, train->data, held_out->data))) {
    CHECK_OK(pqf_model_history(model, train->options.epochs - 1, &last));
    als_state state = state_of(train, model);
    const double want = validation_loss(train, held_out, &state);
    CHECK_AT_MOST(fabs(last.validation_loss - want), 1e-6 * want, name);
    als_state_free(&state);
  }
  pqf_free(model);
}

/* For cells apart from the training data and among it, and for the training data itself. */
static void validation_losses_have_the_zeros_of_clicks(void)
{
  problem *train = test_allocate(1, sizeof *train);
  problem *held_out = test_allocate(1, sizeof *held_out);
  for (int v = 0; v < VARIANTS; ++v)
    for (int cells = BLOCKS; cells <= NOISE; ++cells) {
      problem_create(train, &variants[v], (pattern)cells, 1, 0.1);
      train->options.unobserved_weight =
          train->options.objective == PQF_OBJECTIVE_IMPLICIT ? 0.4 : 1;
      hold_out(train, held_out);
      check_validation(train, held_out, variants[v].name);
      check_validation(train, train, variants[v].name);
      pqf_data_free(held_out->data);
      pqf_data_free(train->data);
    }
  free(train);
  free(held_out);
}

/* The unit of the loss: what a model that predicts 0 has. */
static void zero_factors_have_validation_loss_one(void)
{
  problem *train = test_allocate(1, sizeof *train);
  problem *held_out = test_allocate(1, sizeof *held_out);
  problem_create(train, &variants[4], NOISE, 1, 1e9);
  hold_out(train, held_out);
  pqf_model *model = NULL;
  pqf_epoch last = {.size = sizeof last};
  CHECK_OK(pqf_create(&model, &train->options));
  CHECK_OK(pqf_fit(model, train->data, held_out->data));
  CHECK_OK(pqf_model_history(model, train->options.epochs - 1, &last));
  CHECK_AT_MOST(fabs(last.validation_loss - 1), 1e-6, "the loss of nothing");
  pqf_free(model);
  pqf_data_free(held_out->data);
  pqf_data_free(train->data);
  free(train);
  free(held_out);
}

static void negative_clicks_are_refused(void)
{
  const int32_t at[2] = {0, 1};
  const float good[2] = {1, 1};
  const float negative[2] = {1, -1};
  pqf_options options = PQF_OPTIONS_INIT;
  pqf_data *data[2] = {NULL, NULL};
  pqf_model *model = NULL;
  options.solver = PQF_SOLVER_ALS;
  options.objective = PQF_OBJECTIVE_IMPLICIT;
  CHECK_OK(pqf_data_coo(&data[0], 2, 2, 2, at, at, good, NULL, NULL));
  CHECK_OK(pqf_data_coo(&data[1], 2, 2, 2, at, at, negative, NULL, NULL));
  CHECK_OK(pqf_create(&model, &options));
  CHECK_STATUS(pqf_fit(model, data[1], data[0]), PQF_EINVAL);
  CHECK_WORDS("objective implicit: the value of cell (1, 1) is -1");
  CHECK_STATUS(pqf_fit(model, data[0], data[1]), PQF_EINVAL);
  CHECK_WORDS("objective implicit: the value of cell (1, 1) is -1");
  pqf_free(model);
  pqf_data_free(data[0]);
  pqf_data_free(data[1]);
}

void suite_losses(void)
{
  CU_pSuite suite = test_add_device_suite("losses");
  CU_add_test(suite, "the loss is the objective, however close the fit", losses_are_the_objective);
  if (strcmp(test_backend(), "cpu") == 0)
    CU_add_test(suite, "products that cancel take nothing from the loss",
                losses_hold_where_products_cancel);
  CU_add_test(suite, "a large mean takes nothing from the loss", losses_do_not_depend_on_the_mean);
  CU_add_test(suite, "the validation loss of clicks weighs zeros as the objective does",
              validation_losses_have_the_zeros_of_clicks);
  CU_add_test(suite, "factors of zero have a validation loss of 1",
              zero_factors_have_validation_loss_one);
  CU_add_test(suite, "negative clicks are refused in validation data too",
              negative_clicks_are_refused);
}
