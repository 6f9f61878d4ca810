/* Alternating least squares against the double-precision reference, through the public interface.
 */
#include "als_reference.h"
#include "device.h"
#include "memory.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One random problem, as the reference and as the library see it. */
typedef struct als_case {
  als_problem truth;
  pqf_options options;
  pqf_data *data;
  double *value;
  double *weight;
  float *p;
  float *q;
} als_case;

/* Which cells there are. RANDOM: a share of them, so that some rows and columns are empty and one
 * row is full: longer than any panel of the back end when there are more than 128 columns. GROWING:
 * row r has r cells. */
typedef enum pattern { RANDOM, GROWING } pattern;

static int is_present(pattern cells, int64_t rows, int64_t cols, int64_t n, int drawn)
{
  const int64_t r = n / cols;
  if (cells == GROWING)
    return (7 * (n % cols) + r) % cols < r; /* 7 does not divide the numbers of columns below */
  return r == rows / 2 || (r % 7 != 3 && n % cols != 1 && drawn);
}

static void create_cells(als_case *out, int64_t rows, int64_t cols, const pqf_options *options,
                         pattern cells, double density, int weighted)
{
  const int64_t most = rows * cols;
  const int clicks = options->objective == PQF_OBJECTIVE_IMPLICIT;
  uint64_t state = (uint64_t)(rows * 1000 + cols * 10 + options->factors);
  memset(out, 0, sizeof *out);
  out->value = test_allocate(most, sizeof(double));
  out->weight = test_allocate(most, sizeof(double));
  for (int64_t n = 0; n < most; ++n) {
    const int present = is_present(cells, rows, cols, n, test_uniform(&state) < density);
    const float v = (float)(clicks ? 1 + 3 * test_uniform(&state) : test_normal(&state) + 3);
    const float w = !weighted ? 1 : n % 11 == 5 ? 0 : (float)(0.5 + test_uniform(&state));
    out->value[n] = present ? (double)v : 0;
    out->weight[n] = present ? (double)w : -1;
  }
  out->options = *options;
  out->options.solver = PQF_SOLVER_ALS;
  out->options.init = PQF_INIT_GIVEN;
  out->options.patience = 0;
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

static void create(als_case *out, int64_t rows, int64_t cols, const pqf_options *options,
                   double density, int weighted)
{
  create_cells(out, rows, cols, options, RANDOM, density, weighted);
}

static void clear(als_case *test)
{
  pqf_data_free(test->data);
  free(test->value);
  free(test->weight);
  free(test->p);
  free(test->q);
}

static pqf_model *fitted(const als_case *test)
{
  pqf_model *model = NULL;
  CHECK_OK(pqf_create(&model, &test->options));
  CHECK_OK(pqf_model_set_initial(model, test->truth.rows, test->truth.cols, test->p, test->q));
  CHECK_OK(pqf_fit(model, test->data, NULL));
  return model;
}

static als_state initial_state(const als_case *test)
{
  als_state state = als_state_create(&test->truth);
  for (int64_t n = 0; n < test->truth.rows * test->truth.factors; ++n)
    state.factors[PQF_ROWS][n] = (double)test->p[n];
  for (int64_t n = 0; n < test->truth.cols * test->truth.factors; ++n)
    state.factors[PQF_COLS][n] = (double)test->q[n];
  return state;
}

static void state_of_model(const als_case *test, const pqf_model *model, als_state *state)
{
  for (int side = 0; side < 2; ++side)
    als_state_take(state, &test->truth, model, side);
}

typedef struct variant {
  const char *name;
  int32_t objective;
  int weighted;
  double scaling;
  int32_t biases;
  int32_t zeros;
  double unobserved_weight;
  double bias_regularization;
} variant;

static const variant variants[] = {
    {"observed", PQF_OBJECTIVE_OBSERVED, 0, 0, PQF_BIASES_AUTO, 0, 1, -1},
    {"observed, weights, ALS-WR", PQF_OBJECTIVE_OBSERVED, 1, 1, PQF_BIASES_AUTO, 0, 1, 0.3},
    {"observed, no biases", PQF_OBJECTIVE_OBSERVED, 0, 0.5, PQF_BIASES_NONE, 0, 1, -1},
    {"observed, row biases", PQF_OBJECTIVE_OBSERVED, 1, 0, PQF_BIASES_ROWS, 0, 1, 2},
    {"observed, column biases", PQF_OBJECTIVE_OBSERVED, 0, 0, PQF_BIASES_COLS, 0, 1, 0},
    {"squared", PQF_OBJECTIVE_SQUARED, 0, 0, PQF_BIASES_AUTO, 0, 1, -1},
    {"squared, weights", PQF_OBJECTIVE_SQUARED, 1, 0, PQF_BIASES_AUTO, 0, 1, -1},
    {"squared, scaled", PQF_OBJECTIVE_SQUARED, 0, 0.5, PQF_BIASES_AUTO, 0, 1, -1},
    {"implicit", PQF_OBJECTIVE_IMPLICIT, 0, 0, PQF_BIASES_AUTO, 0, 1, -1},
    {"implicit, weights, nu", PQF_OBJECTIVE_IMPLICIT, 1, 0.7, PQF_BIASES_AUTO, 0, 0.1, -1},
    {"implicit, zeros everywhere", PQF_OBJECTIVE_IMPLICIT, 0, 1, PQF_BIASES_AUTO, 1, 0.2, -1},
};

enum { VARIANTS = sizeof variants / sizeof variants[0] };

static pqf_options options_of(const variant *v, int32_t factors, int64_t epochs)
{
  pqf_options options = PQF_OPTIONS_INIT;
  test_use_backend(&options);
  options.objective = v->objective;
  options.regularization_scaling = v->scaling;
  options.biases = v->biases;
  options.implicit_zeros = v->zeros;
  options.unobserved_weight = v->unobserved_weight;
  options.bias_regularization = v->bias_regularization;
  options.regularization = 0.7;
  options.confidence = 2;
  options.factors = factors;
  options.epochs = epochs;
  options.threads = 2;
  return options;
}

/* float rounding of the systems, whose condition the regularization bounds: a few hundred times
 * 2^-24 of the factors' size after two sweeps. */
static const double tolerance = 5e-5;

static void check_sweeps(const als_case *test, const char *name)
{
  pqf_model *model = fitted(test);
  als_state state = initial_state(test);
  for (int64_t sweep = 0; sweep < test->options.epochs; ++sweep)
    for (int side = 0; side < 2; ++side)
      als_half_sweep(&test->truth, &state, side);
  for (int side = 0; side < 2; ++side) {
    const int64_t size = side == PQF_ROWS ? test->truth.rows : test->truth.cols;
    const float *bias = pqf_model_borrow_biases(model, side);
    CHECK_AT_MOST(test_relative_error(pqf_model_borrow_factors(model, side), state.factors[side],
                                      size * test->truth.factors),
                  tolerance, name);
    CU_ASSERT_EQUAL(bias != NULL, als_has_bias(&test->truth, side));
    if (bias != NULL)
      CHECK_AT_MOST(test_relative_error(bias, state.bias[side], size), tolerance, name);
  }
  CHECK_AT_MOST(fabs(pqf_model_mean(model) - test->truth.mean), 1e-12, name);
  pqf_free(model);
  als_state_free(&state);
}

static void sweeps_are_the_references(void)
{
  static const int64_t shapes[][2] = {{1, 1}, {23, 17}, {40, 130}};
  static const int32_t factors[] = {1, 3, 16, 17, 33, 70};
  for (int v = 0; v < VARIANTS; ++v)
    for (int s = 0; s < 3; ++s)
      for (int f = 0; f < 6; ++f) {
        const pqf_options options = options_of(&variants[v], factors[f], 2);
        als_case test;
        create(&test, shapes[s][0], shapes[s][1], &options, 0.3, variants[v].weighted);
        check_sweeps(&test, variants[v].name);
        clear(&test);
      }
}

/* The columns' factors and biases go from `from` to `to`. */
static void copy_columns(const als_case *test, als_state *to, const als_state *from)
{
  const int64_t cols = test->truth.cols;
  memcpy(to->factors[PQF_COLS], from->factors[PQF_COLS],
         (size_t)(cols * test->truth.factors) * sizeof(double));
  memcpy(to->bias[PQF_COLS], from->bias[PQF_COLS], (size_t)cols * sizeof(double));
}

/* Rows with fewer cells than factors may be solved in another way, very long ones by themselves. */
static void rows_of_any_length_are_the_references(void)
{
  static const int32_t factors[] = {4, 20, 32, 47, 64};
  for (int v = 0; v < VARIANTS; ++v) {
    als_case test;
    for (int f = 0; f < 5; ++f) {
      pqf_options options = options_of(&variants[v], factors[f], 2);
      options.regularization = 3; /* longer rows make for worse conditions */
      create_cells(&test, 80, 90, &options, GROWING, 0, variants[v].weighted);
      check_sweeps(&test, variants[v].name);
      clear(&test);
    }
    const pqf_options options = options_of(&variants[v], 3, 2);
    create(&test, 5, 2300, &options, 0.2, variants[v].weighted);
    check_sweeps(&test, variants[v].name);
    clear(&test);
  }
}

/* After every half-sweep the objective, in double, is no higher than before; the loss that the fit
 * tells is that objective, part by part. In the middle of an epoch the rows are those of its end,
 * the columns those of its beginning. */
static void objective_never_rises(void)
{
  for (int n = 0; n < 2 * VARIANTS; ++n) {
    const int v = n / 2;
    const pqf_options options = options_of(&variants[v], n % 2 == 0 ? 5 : 24, 1);
    als_case test;
    create(&test, 30, 40, &options, 0.3, variants[v].weighted);
    als_state begin = initial_state(&test);
    als_state middle = initial_state(&test);
    als_state end = initial_state(&test);
    double before = INFINITY;
    for (int64_t epochs = 1; epochs <= 8; ++epochs) {
      double parts[3];
      test.options.epochs = epochs;
      pqf_model *model = fitted(&test);
      pqf_epoch last = {.size = sizeof last};
      CHECK_OK(pqf_model_history(model, epochs - 1, &last));
      state_of_model(&test, model, &middle);
      state_of_model(&test, model, &end);
      copy_columns(&test, &middle, &begin);
      copy_columns(&test, &begin, &end);
      const double half = als_objective(&test.truth, &middle, &parts[0], &parts[1], &parts[2]);
      const double loss = als_objective(&test.truth, &end, &parts[0], &parts[1], &parts[2]);
      /* the solver works in float: the optimum is met to about 1e-7 of the objective */
      CHECK_AT_MOST(half, before * (1 + 1e-6), variants[v].name);
      CHECK_AT_MOST(loss, half * (1 + 1e-6), variants[v].name);
      CHECK_AT_MOST(fabs(last.loss - loss), 1e-5 * loss, variants[v].name);
      CHECK_AT_MOST(fabs(last.observed - parts[0]), 1e-5 * loss, variants[v].name);
      CHECK_AT_MOST(fabs(last.unobserved - parts[1]), 1e-5 * loss, variants[v].name);
      CHECK_AT_MOST(fabs(last.regularization - parts[2]), 1e-5 * loss, variants[v].name);
      before = loss;
      pqf_free(model);
    }
    als_state_free(&begin);
    als_state_free(&middle);
    als_state_free(&end);
    clear(&test);
  }
}

static void conjugate_gradient_reaches_the_exact_solution(void)
{
  for (int v = 0; v < VARIANTS; ++v) {
    pqf_options options = options_of(&variants[v], 6, 3);
    als_case test;
    create(&test, 25, 120, &options, 0.4, variants[v].weighted);
    pqf_model *exact = fitted(&test);
    test.options.conjugate_gradient = 40;
    pqf_model *iterated = fitted(&test);
    for (int side = 0; side < 2; ++side) {
      const int count = (side == PQF_ROWS ? 25 : 120) * 6;
      const float *a = pqf_model_borrow_factors(exact, side);
      const float *b = pqf_model_borrow_factors(iterated, side);
      double difference = 0;
      double size = 0;
      for (int64_t n = 0; n < count; ++n) {
        difference += ((double)a[n] - (double)b[n]) * ((double)a[n] - (double)b[n]);
        size += (double)a[n] * (double)a[n];
      }
      /* the iteration ends when the residual is 1e-6 of the right side */
      CHECK_AT_MOST(sqrt(difference / size), 2e-4, variants[v].name);
    }
    pqf_free(exact);
    pqf_free(iterated);
    clear(&test);
  }
}

/* For x >= 0 to be the best, the gradient of each row must be 0 where x > 0, and not negative where
 * x = 0: no small step into the allowed side lowers the objective. */
static void nonnegative_factors_are_the_best_ones(void)
{
  int64_t zeros = 0;
  for (int v = 0; v < VARIANTS; v += 2) {
    pqf_options options = options_of(&variants[v], 4, 2);
    als_case test;
    options.nonnegative = 1;
    create(&test, 20, 30, &options, 0.4, variants[v].weighted);
    pqf_model *model = fitted(&test);
    als_state state = initial_state(&test);
    double parts[3];
    state_of_model(&test, model, &state);
    const double loss = als_objective(&test.truth, &state, &parts[0], &parts[1], &parts[2]);
    for (int64_t n = 0; n < 30 * 4; ++n) { /* the columns were solved last */
      double *x = &state.factors[PQF_COLS][n];
      const double kept = *x;
      CU_ASSERT(kept >= 0);
      zeros += kept == 0;
      *x = kept + 1e-3;
      CHECK_AT_MOST(loss - als_objective(&test.truth, &state, &parts[0], &parts[1], &parts[2]),
                    1e-6 * loss, variants[v].name);
      *x = kept > 1e-3 ? kept - 1e-3 : 0;
      CHECK_AT_MOST(loss - als_objective(&test.truth, &state, &parts[0], &parts[1], &parts[2]),
                    1e-6 * loss, variants[v].name);
      *x = kept;
    }
    als_state_free(&state);
    pqf_free(model);
    clear(&test);
  }
  CU_ASSERT(zeros > 0);
}

static int same_factors(const pqf_model *a, const pqf_model *b)
{
  const size_t row_bytes = (size_t)pqf_model_factors(a) * sizeof(float);
  int same = 1;
  for (int side = 0; side < 2; ++side) {
    const size_t size = (size_t)(side == PQF_ROWS ? pqf_model_rows(a) : pqf_model_cols(a));
    const float *bias = pqf_model_borrow_biases(a, side);
    same = same && memcmp(pqf_model_borrow_factors(a, side), pqf_model_borrow_factors(b, side),
                          size * row_bytes) == 0;
    if (bias != NULL)
      same = same && memcmp(bias, pqf_model_borrow_biases(b, side), size * sizeof(float)) == 0;
  }
  return same;
}

static void bits_do_not_depend_on_threads(void)
{
  static const struct {
    int32_t factors;
    int64_t steps;
  } solved[] = {{20, 0}, {60, 0}, {20, 3}};
  for (int v = 0; v < VARIANTS; ++v)
    for (int s = 0; s < 3; ++s) {
      pqf_options options = options_of(&variants[v], solved[s].factors, 2);
      als_case test;
      options.conjugate_gradient = solved[s].steps;
      create(&test, 150, 200, &options, 0.2, variants[v].weighted);
      pqf_model *model[3];
      for (int n = 0; n < 3; ++n) {
        test.options.threads = (int32_t[]){1, 2, 7}[n];
        model[n] = fitted(&test);
      }
      CU_ASSERT(same_factors(model[0], model[1]));
      CU_ASSERT(same_factors(model[0], model[2]));
      for (int n = 0; n < 3; ++n)
        pqf_free(model[n]);
      clear(&test);
    }
}

/* Without regularization, or nearly, and with more factors than ratings, the systems are singular.
 */
static void singular_systems_give_finite_factors(void)
{
  for (int which = 0; which < 2 * VARIANTS; ++which) {
    const int v = which / 2;
    pqf_options options = options_of(&variants[v], 40, 3);
    als_case test;
    options.regularization = which % 2 == 0 ? 0 : 1e-12;
    options.bias_regularization = options.regularization;
    create(&test, 12, 15, &options, 0.3, variants[v].weighted);
    pqf_model *model = fitted(&test);
    for (int side = 0; side < 2; ++side)
      for (int64_t n = 0; n < (side == PQF_ROWS ? 12 : 15) * 40; ++n)
        CU_ASSERT(isfinite(pqf_model_borrow_factors(model, side)[n]));
    pqf_free(model);
    clear(&test);
  }
}

static void empty_rows_have_zero_factors(void)
{
  for (int v = 0; v < VARIANTS; ++v) {
    const pqf_options options = options_of(&variants[v], 5, 2);
    als_case test;
    create(&test, 30, 20, &options, 0.5, variants[v].weighted);
    pqf_model *model = fitted(&test);
    for (int64_t f = 0; f < 5; ++f)
      CU_ASSERT_EQUAL(pqf_model_borrow_factors(model, PQF_ROWS)[3 * 5 + f], 0);
    if (pqf_model_borrow_biases(model, PQF_ROWS) != NULL)
      CU_ASSERT_EQUAL(pqf_model_borrow_biases(model, PQF_ROWS)[3], 0);
    pqf_free(model);
    clear(&test);
  }
}

static void predictions_have_mean_and_biases(void)
{
  const pqf_options options = options_of(&variants[0], 4, 3);
  als_case test;
  float whole[20 * 30];
  float cell;
  create(&test, 20, 30, &options, 0.5, 0);
  pqf_model *model = fitted(&test);
  pqf_model *loaded = NULL;
  CHECK_OK(pqf_reconstruct(model, 0, 20, whole, 30));
  CHECK_OK(pqf_save(model, test_file("biased")));
  CHECK_OK(pqf_load(&loaded, test_file("biased"), PQF_LOAD_VERIFY));
  CU_ASSERT(same_factors(model, loaded));
  CU_ASSERT_EQUAL(pqf_model_mean(model), pqf_model_mean(loaded));
  for (int32_t row = 0; row < 20; ++row)
    for (int32_t col = 0; col < 30; ++col) {
      double want = pqf_model_mean(model) + (double)pqf_model_borrow_biases(model, PQF_ROWS)[row] +
                    (double)pqf_model_borrow_biases(model, PQF_COLS)[col];
      for (int f = 0; f < 4; ++f)
        want += (double)pqf_model_borrow_factors(model, PQF_ROWS)[row * 4 + f] *
                (double)pqf_model_borrow_factors(model, PQF_COLS)[col * 4 + f];
      CHECK_OK(pqf_predict(loaded, 1, &row, &col, &cell));
      CHECK_AT_MOST(fabs((double)cell - want), 1e-5, "predict");
      CHECK_AT_MOST(fabs((double)whole[row * 30 + col] - want), 1e-5, "reconstruct");
    }
  pqf_epoch before = {.size = sizeof before};
  pqf_epoch after = {.size = sizeof after};
  CHECK_OK(pqf_model_history(model, 2, &before));
  CHECK_OK(pqf_model_history(loaded, 2, &after));
  CU_ASSERT_EQUAL(before.observed, after.observed);
  CU_ASSERT_EQUAL(before.regularization, after.regularization);
  pqf_free(model);
  pqf_free(loaded);
  clear(&test);
}

/* Ratings around 1e7 that differ by 1, which float holds exactly, are predicted exactly. */
static void predictions_keep_small_differences(void)
{
  static const int32_t row[] = {0, 0, 1, 1};
  static const int32_t col[] = {0, 1, 0, 1};
  static const float value[] = {10000000, 10000001, 10000002, 10000003};
  pqf_options options = options_of(&variants[0], 1, 20);
  pqf_data *data = NULL;
  pqf_model *model = NULL;
  float cell[4];
  float whole[4];
  options.solver = PQF_SOLVER_ALS;
  options.regularization = 1e-6;
  CHECK_OK(pqf_data_coo(&data, 2, 2, 4, row, col, value, NULL, NULL));
  CHECK_OK(pqf_create(&model, &options));
  CHECK_OK(pqf_fit(model, data, NULL));
  CHECK_OK(pqf_predict(model, 4, row, col, cell));
  CHECK_OK(pqf_reconstruct(model, 0, 2, whole, 2));
  for (int n = 0; n < 4; ++n) {
    CHECK_AT_MOST(fabs((double)cell[n] - (double)value[n]), 0, "predict");
    CHECK_AT_MOST(fabs((double)whole[n] - (double)value[n]), 0, "reconstruct");
  }
  pqf_free(model);
  pqf_data_free(data);
}

/* Yesterday's factors: a new epoch goes on where the old fit ended, also for rows in another order,
 * which are found by their ids. */
static void warm_start_goes_on_from_the_model(void)
{
  enum { ROWS = 40, COLS = 50 };
  pqf_options options = options_of(&variants[0], 6, 10);
  als_case test;
  int64_t ids[ROWS];
  float before[ROWS * COLS];
  float after[ROWS * COLS];
  pqf_epoch last = {.size = sizeof last};
  pqf_epoch next = {.size = sizeof next};
  pqf_model *model = NULL;
  create(&test, ROWS, COLS, &options, 0.4, 0);
  for (int64_t n = 0; n < ROWS; ++n)
    ids[n] = 1000 + n;
  CHECK_OK(pqf_data_set_ids(test.data, PQF_ROWS, ROWS, ids, NULL));
  model = fitted(&test);
  CHECK_OK(pqf_model_history(model, 9, &last));
  CHECK_OK(pqf_reconstruct(model, 0, ROWS, before, COLS));
  CHECK_OK(pqf_save(model, test_file("yesterday")));
  pqf_free(model);

  int32_t row[ROWS * COLS];
  int32_t col[ROWS * COLS];
  float value[ROWS * COLS];
  int64_t count = 0;
  for (int64_t n = 0; n < ROWS * COLS; ++n)
    if (test.weight[n] >= 0) {
      row[count] = (int32_t)(ROWS - 1 - n / COLS);
      col[count] = (int32_t)(n % COLS);
      value[count++] = (float)test.value[n];
    }
  for (int64_t n = 0; n < ROWS; ++n)
    ids[n] = 1000 + ROWS - 1 - n;
  pqf_data *turned = NULL;
  REQUIRE_OK(pqf_data_coo(&turned, ROWS, COLS, count, row, col, value, NULL, NULL));
  CHECK_OK(pqf_data_set_ids(turned, PQF_ROWS, ROWS, ids, NULL));
  REQUIRE_OK(pqf_load(&model, test_file("yesterday"), 0));
  CHECK_STATUS(pqf_model_set_option(model, "init", "nonsense"), PQF_EINVAL);
  CHECK_OK(pqf_model_set_option(model, "init", "model"));
  CHECK_OK(pqf_model_set_option(model, "backend_path", test_modules()));
  CHECK_OK(pqf_model_set_option(model, "epochs", "1"));
  CHECK_OK(pqf_fit(model, turned, NULL));
  CHECK_OK(pqf_model_history(model, 0, &next));
  CHECK_AT_MOST(next.loss, last.loss * (1 + 1e-6), "the loss after one more epoch");
  CHECK_AT_MOST(last.loss - next.loss, 0.01 * last.loss, "what one more epoch gains");
  CHECK_OK(pqf_reconstruct(model, 0, ROWS, after, COLS));
  double moved = 0;
  for (int64_t n = 0; n < ROWS * COLS; ++n)
    moved = fmax(moved,
                 fabs((double)before[n] - (double)after[(ROWS - 1 - n / COLS) * COLS + n % COLS]));
  CHECK_AT_MOST(moved, 0.5, "how far predictions moved");
  pqf_free(model);
  pqf_data_free(turned);

  test.options.init = PQF_INIT_MODEL;
  CHECK_OK(pqf_create(&model, &test.options));
  CHECK_STATUS(pqf_fit(model, test.data, NULL), PQF_EINVAL);
  CHECK_WORDS("the model has no factors yet");
  pqf_free(model);
  clear(&test);
}

static void what_cannot_be_is_refused(void)
{
  const float dense[4] = {1, 2, 3, 4};
  const int32_t at[2] = {0, 1};
  const float negative[2] = {1, -1};
  pqf_data *matrix = NULL;
  pqf_data *cells = NULL;
  CHECK_OK(pqf_data_dense(&matrix, dense, 2, 2, 2, NULL));
  CHECK_OK(pqf_data_coo(&cells, 2, 2, 2, at, at, negative, NULL, NULL));
  const struct {
    int32_t solver;
    int32_t objective;
    int32_t biases;
    int32_t nonnegative;
    int64_t steps;
    const pqf_data *data;
    int status;
    const char *words;
  } refused[] = {
      {PQF_SOLVER_ALS, PQF_OBJECTIVE_OBSERVED, 0, 0, 0, matrix, PQF_ENOTSUP, "sparse data"},
      {PQF_SOLVER_GD, PQF_OBJECTIVE_IMPLICIT, 0, 0, 0, cells, PQF_ENOTSUP, "needs solver als"},
      {PQF_SOLVER_ALS, PQF_OBJECTIVE_IMPLICIT, 0, 0, 0, cells, PQF_EINVAL,
       "the value of cell (1, 1) is -1"},
      {PQF_SOLVER_ALS, PQF_OBJECTIVE_SQUARED, PQF_BIASES_BOTH, 0, 0, cells, PQF_ENOTSUP,
       "biases need objective observed"},
      {PQF_SOLVER_ALS, PQF_OBJECTIVE_OBSERVED, 0, 1, 3, cells, PQF_ENOTSUP, "nonnegative"},
  };
  for (size_t n = 0; n < sizeof refused / sizeof refused[0]; ++n) {
    pqf_options options = PQF_OPTIONS_INIT;
    pqf_model *model = NULL;
    options.solver = refused[n].solver;
    options.objective = refused[n].objective;
    options.biases = refused[n].biases;
    options.nonnegative = refused[n].nonnegative;
    options.conjugate_gradient = refused[n].steps;
    CHECK_OK(pqf_create(&model, &options));
    CHECK_STATUS(pqf_fit(model, refused[n].data, NULL), refused[n].status);
    CHECK_WORDS(refused[n].words);
    pqf_free(model);
  }
  pqf_data_free(matrix);
  pqf_data_free(cells);
}

static size_t planned_allocations;

static int count_allocation(void)
{
  planned_allocations++;
  return 0;
}

static void plan_and_limit(void)
{
  pqf_options options = options_of(&variants[0], 32, 2);
  als_case test;
  pqf_memory memory = {.size = sizeof memory};
  create(&test, 60, 80, &options, 0.3, 0);
  pqf_model *model = NULL;
  CHECK_OK(pqf_create(&model, &test.options));
  CHECK_OK(pqf_model_set_initial(model, 60, 80, test.p, test.q));
  pqf_allocation_hook = count_allocation;
  planned_allocations = 0;
  CHECK_OK(pqf_plan(model, test.data, NULL, &memory));
  pqf_allocation_hook = NULL;
  CU_ASSERT_EQUAL(planned_allocations, 0);
  CU_ASSERT_EQUAL(memory.model_bytes, (60 + 80) * 33 * sizeof(float));
  CU_ASSERT(memory.fit_bytes > 2 * memory.model_bytes);
  CU_ASSERT(memory.data_bytes >= 16 * (uint64_t)pqf_data_count(test.data));
  CU_ASSERT_EQUAL(memory.device_bytes == 0, strcmp(test_backend(), "cpu") == 0);
  pqf_free(model);
  test.options.memory_limit = memory.fit_bytes - 1;
  CHECK_OK(pqf_create(&model, &test.options));
  CHECK_OK(pqf_model_set_initial(model, 60, 80, test.p, test.q));
  CHECK_STATUS(pqf_fit(model, test.data, NULL), PQF_ENOMEM);
  CHECK_WORDS("memory_limit is");
  pqf_free(model);
  test.options.memory_limit = memory.fit_bytes;
  model = fitted(&test);
  pqf_free(model);
  clear(&test);
}

static int fit_all(void *payload)
{
  als_case *test = payload;
  pqf_model *model = NULL;
  int status = pqf_create(&model, &test->options);
  if (status == PQF_OK)
    status = pqf_model_set_initial(model, test->truth.rows, test->truth.cols, test->p, test->q);
  if (status == PQF_OK)
    status = pqf_fit(model, test->data, test->data);
  pqf_free(model);
  return status;
}

static void every_allocation_may_fail(void)
{
  for (int v = 0; v < VARIANTS; v += 4) {
    pqf_options options = options_of(&variants[v], 3, 2);
    als_case test;
    options.keep_best = 1;
    create(&test, 9, 11, &options, 0.5, 0);
    test_every_allocation(fit_all, &test);
    clear(&test);
  }
}

void suite_als(void)
{
  CU_pSuite suite = test_add_device_suite("als");
  CU_add_test(suite, "sweeps are the reference's", sweeps_are_the_references);
  CU_add_test(suite, "rows of any length are the reference's",
              rows_of_any_length_are_the_references);
  CU_add_test(suite, "the objective never rises, and is the loss told", objective_never_rises);
  CU_add_test(suite, "conjugate gradient reaches the exact solution",
              conjugate_gradient_reaches_the_exact_solution);
  CU_add_test(suite, "nonnegative factors are the best ones",
              nonnegative_factors_are_the_best_ones);
  if (test_device() == NULL) /* for which suite gpu_kernels has the same on less data */
    CU_add_test(suite, "bits do not depend on threads", bits_do_not_depend_on_threads);
  CU_add_test(suite, "singular systems give finite factors", singular_systems_give_finite_factors);
  CU_add_test(suite, "empty rows have zero factors", empty_rows_have_zero_factors);
  CU_add_test(suite, "predictions have mean and biases, saved too",
              predictions_have_mean_and_biases);
  CU_add_test(suite, "predictions keep small differences", predictions_keep_small_differences);
  CU_add_test(suite, "a warm start goes on from the model", warm_start_goes_on_from_the_model);
  CU_add_test(suite, "what cannot be is refused", what_cannot_be_is_refused);
  CU_add_test(suite, "plan and memory limit", plan_and_limit);
  CU_add_test(suite, "every allocation may fail", every_allocation_may_fail);
}
