/* What a GPU has beyond the contract's suites. The back end is that of TEST_BACKEND; without it
 * there is nothing here to test. Results are held against the CPU's, which other suites hold
 * against the references.
 *
 *     gpu_kernels  every kernel, on so little data that ThreadSanitizer can watch
 *     gpu          widths of factors around the limits of kernels, devices too small for R, calls
 *                  that fail */
#include "device.h"
#include "suites.h"
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A matrix, and where fits of it begin. */
typedef struct problem {
  int64_t rows;
  int64_t cols;
  pqf_data *data;
  const pqf_data *validation; /* NULL: none */
  pqf_options options;
  float *p;
  float *q;
} problem;

enum { FULL_ROW = 2, EMPTY_ROW = 4, DENSE = -1 };
enum { PLAIN, WEIGHTED };

/* Every `step`-th cell, one row full, one empty; DENSE: all cells, as dense data; 0: the two rows
 * alone. */
static void create(problem *out, int64_t rows, int64_t cols, int32_t factors, int64_t step,
                   int weighted)
{
  const pqf_options defaults = PQF_OPTIONS_INIT;
  float *values = test_normals(3, rows * cols, 1);
  float *weights = test_normals(4, rows * cols, 1);
  int32_t *row = test_allocate(rows * cols, sizeof *row);
  int32_t *col = test_allocate(rows * cols, sizeof *col);
  int64_t count = 0;
  *out = (problem){.rows = rows, .cols = cols, .options = defaults};
  for (int64_t n = 0; n < rows * cols; ++n) {
    const int64_t r = n / cols;
    if (step == DENSE ||
        (r != FULL_ROW && (r == EMPTY_ROW || step == 0 || (7 * n + r) % step != 0)))
      continue;
    row[count] = (int32_t)r;
    col[count] = (int32_t)(n % cols);
    weights[count] = (float)(0.5 + fabs((double)weights[n]));
    values[count++] = (float)(1 + fabs((double)values[n]));
  }
  if (step == DENSE)
    CHECK_OK(pqf_data_dense(&out->data, values, rows, cols, cols, NULL));
  else
    CHECK_OK(pqf_data_coo(&out->data, rows, cols, count, row, col, values,
                          weighted ? weights : NULL, NULL));
  out->options.factors = factors;
  out->options.init = PQF_INIT_GIVEN;
  out->options.epochs = 2;
  out->options.patience = 0;
  out->options.threads = 2;
  out->options.learning_rate = 1e-4;
  out->options.regularization = 1;
  out->p = test_normals(1, rows * factors, 0.3);
  out->q = test_normals(2, cols * factors, 0.3);
  free(values);
  free(weights);
  free(row);
  free(col);
}

static void clear(problem *of)
{
  pqf_data_free(of->data);
  free(of->p);
  free(of->q);
}

static void use_least_squares(problem *of, int32_t objective)
{
  of->options.solver = PQF_SOLVER_ALS;
  of->options.objective = objective;
}

static pqf_model *model_of(const problem *of, const char *backend)
{
  pqf_options options = of->options;
  pqf_model *model = NULL;
  test_use_backend(&options);
  options.backend = backend;
  CHECK_OK(pqf_create(&model, &options));
  CHECK_OK(pqf_model_set_initial(model, of->rows, of->cols, of->p, of->q));
  return model;
}

static pqf_model *fitted(const problem *of, const char *backend)
{
  pqf_model *model = model_of(of, backend);
  CHECK_OK(pqf_fit(model, of->data, of->validation));
  return model;
}

static double difference(const problem *of, const pqf_model *a, const pqf_model *b, int32_t side)
{
  const int64_t count = (side == PQF_ROWS ? of->rows : of->cols) * of->options.factors;
  const float *got = pqf_model_borrow_factors(a, side);
  const float *want = pqf_model_borrow_factors(b, side);
  double squares = 0;
  double scale = 0;
  for (int64_t n = 0; n < count; ++n) {
    squares += pow((double)got[n] - (double)want[n], 2);
    scale += (double)want[n] * (double)want[n];
  }
  return sqrt(squares / scale);
}

/* The losses of both, of which each is a sum in double from factors that agree. */
static void check_losses(const pqf_model *by_gpu, const pqf_model *by_cpu, const char *what)
{
  pqf_epoch got = {.size = sizeof got};
  pqf_epoch want = {.size = sizeof want};
  CHECK_OK(pqf_model_history(by_gpu, 1, &got));
  CHECK_OK(pqf_model_history(by_cpu, 1, &want));
  CHECK_AT_MOST(fabs(got.loss - want.loss), 1e-4 * fabs(want.loss), what);
  CU_ASSERT_EQUAL(isnan(got.validation_loss), isnan(want.validation_loss));
  if (!isnan(want.validation_loss))
    CHECK_AT_MOST(fabs(got.validation_loss - want.validation_loss), 1e-4 * want.validation_loss,
                  what);
}

/* Both solve systems in float whose condition is bounded by the regularization of 1: a few hundred
 * roundings. */
static void check_agreement(const problem *of, const char *what)
{
  pqf_model *by_cpu = fitted(of, "cpu");
  pqf_model *by_gpu = fitted(of, test_backend());
  char words[160];
  for (int32_t side = 0; side < 2; ++side) {
    snprintf(words, sizeof words, "%s, k = %d, side %d", what, (int)of->options.factors, (int)side);
    CHECK_AT_MOST(difference(of, by_gpu, by_cpu, side), 1e-4, words);
  }
  check_losses(by_gpu, by_cpu, what);
  pqf_free(by_cpu);
  pqf_free(by_gpu);
}

static const struct {
  const char *name;
  int32_t objective;
} objectives[] = {{"observed", PQF_OBJECTIVE_OBSERVED},
                  {"squared", PQF_OBJECTIVE_SQUARED},
                  {"implicit", PQF_OBJECTIVE_IMPLICIT}};

enum { OBJECTIVES = sizeof objectives / sizeof objectives[0] };

/* Around the widths of a warp and of tiles, and where one kernel hands over to another. */
static void every_width_agrees(void)
{
  static const int32_t widths[] = {1, 31, 32, 33, 64, 100, 128, 240, 248, 249, 256};
  for (size_t n = 0; n < sizeof widths / sizeof widths[0]; ++n)
    for (int o = 0; o < OBJECTIVES; ++o) {
      problem small;
      create(&small, 6, 9, widths[n], 2, PLAIN);
      if (objectives[o].objective != PQF_OBJECTIVE_IMPLICIT)
        check_agreement(&small, "gradient descent");
      use_least_squares(&small, objectives[o].objective);
      check_agreement(&small, objectives[o].name);
      clear(&small);
    }
}

/* A lambda of 0, and fewer cells than factors: no row's matrix can be decomposed in float. */
static void create_singular(problem *out, int64_t rows, int64_t cols, int32_t factors, int64_t step)
{
  create(out, rows, cols, factors, step, PLAIN);
  use_least_squares(out, PQF_OBJECTIVE_OBSERVED);
  out->options.regularization = 0;
  out->options.bias_regularization = 0;
}

static void check_finite(const problem *of, const pqf_model *model)
{
  for (int32_t side = 0; side < 2; ++side) {
    const float *factors = pqf_model_borrow_factors(model, side);
    const int64_t count = (side == PQF_ROWS ? of->rows : of->cols) * of->options.factors;
    CU_ASSERT_PTR_NOT_NULL(factors);
    for (int64_t n = 0; factors != NULL && n < count; ++n)
      CU_ASSERT(isfinite(factors[n]));
  }
}

/* Some factors are zero at the start, too. The factors must be finite and fit the cells. */
static void singular_systems_are_solved(void)
{
  problem singular;
  create_singular(&singular, 40, 30, 33, 6);
  for (int64_t n = 0; n < 30 * 33; ++n)
    singular.q[n] *= (float)(n % 33 < 20);
  pqf_model *model = fitted(&singular, test_backend());
  pqf_epoch last = {.size = sizeof last};
  CHECK_OK(pqf_model_history(model, 1, &last));
  CHECK_AT_MOST(last.loss, 1e-6 * (double)pqf_data_count(singular.data), "loss of a perfect fit");
  check_finite(&singular, model);
  pqf_free(model);
  clear(&singular);
}

/* By cuSOLVER, which is looked after where it does not tell of a failure. */
static void hidden_failures_are_found(void)
{
  problem singular;
  create_singular(&singular, 12, 15, 249, 2);
  test_device()->hide_failures(1);
  pqf_model *model = fitted(&singular, test_backend());
  check_finite(&singular, model);
  pqf_free(model);
  clear(&singular);
}

/* Every kernel, by the settings that need it. A row of 2,100 cells is one that is split. */
static const struct {
  const char *name;
  int64_t rows;
  int64_t cols;
  int64_t step;
  int weighted;
  int32_t factors;
  int32_t solver;
  int32_t objective;
  int32_t update;
  int32_t nonnegative;
  int64_t conjugate_gradient;
} kernels[] = {
    {"dense", 6, 9, DENSE, PLAIN, 3, PQF_SOLVER_GD, 0, PQF_UPDATE_GRADIENT, 0, 0},
    {"dense, notebook", 6, 9, DENSE, PLAIN, 3, PQF_SOLVER_GD, 0, PQF_UPDATE_NOTEBOOK, 0, 0},
    {"zeros, weighted", 6, 9, 2, WEIGHTED, 3, PQF_SOLVER_GD, PQF_OBJECTIVE_SQUARED, 0, 0, 0},
    {"zeros", 6, 9, 2, PLAIN, 3, PQF_SOLVER_GD, PQF_OBJECTIVE_SQUARED, 0, 0, 0},
    {"observed", 6, 9, 2, PLAIN, 3, PQF_SOLVER_GD, PQF_OBJECTIVE_OBSERVED, 0, 0, 0},
    {"observed, weighted", 6, 9, 2, WEIGHTED, 3, PQF_SOLVER_GD, PQF_OBJECTIVE_OBSERVED, 0, 0, 0},
    {"squares, weighted", 6, 9, 2, WEIGHTED, 17, PQF_SOLVER_ALS, PQF_OBJECTIVE_SQUARED, 0, 0, 0},
    {"squares", 6, 9, 2, PLAIN, 17, PQF_SOLVER_ALS, PQF_OBJECTIVE_SQUARED, 0, 0, 0},
    {"ratings", 6, 9, 2, PLAIN, 17, PQF_SOLVER_ALS, PQF_OBJECTIVE_OBSERVED, 0, 0, 0},
    {"clicks", 6, 9, 2, PLAIN, 17, PQF_SOLVER_ALS, PQF_OBJECTIVE_IMPLICIT, 0, 0, 0},
    {"ratings, long row", 6, 2100, 0, PLAIN, 9, PQF_SOLVER_ALS, PQF_OBJECTIVE_OBSERVED, 0, 0, 0},
    {"ratings, many factors", 4, 5, 2, PLAIN, 249, PQF_SOLVER_ALS, PQF_OBJECTIVE_OBSERVED, 0, 0, 0},
    {"clicks, many factors", 4, 5, 2, PLAIN, 249, PQF_SOLVER_ALS, PQF_OBJECTIVE_IMPLICIT, 0, 0, 0},
    {"clicks, none below 0", 6, 9, 2, PLAIN, 5, PQF_SOLVER_ALS, PQF_OBJECTIVE_IMPLICIT, 0, 1, 0},
    {"clicks, conjugate gradient", 6, 9, 2, PLAIN, 17, PQF_SOLVER_ALS, PQF_OBJECTIVE_IMPLICIT, 0, 0,
     3},
    {"ratings, conjugate gradient", 6, 9, 2, PLAIN, 17, PQF_SOLVER_ALS, PQF_OBJECTIVE_OBSERVED, 0,
     0, 3},
};

static void every_kernel_agrees(void)
{
  for (size_t n = 0; n < sizeof kernels / sizeof kernels[0]; ++n) {
    problem small;
    problem held_out; /* some of its cells are trained on */
    create(&small, kernels[n].rows, kernels[n].cols, kernels[n].factors, kernels[n].step,
           kernels[n].weighted);
    create(&held_out, kernels[n].rows, kernels[n].cols, 1, kernels[n].step == DENSE ? DENSE : 3,
           kernels[n].weighted);
    small.validation = kernels[n].step == DENSE ? small.data : held_out.data;
    small.options.solver = kernels[n].solver;
    small.options.objective = kernels[n].objective;
    small.options.update = kernels[n].update;
    small.options.nonnegative = kernels[n].nonnegative;
    small.options.conjugate_gradient = kernels[n].conjugate_gradient;
    check_agreement(&small, kernels[n].name);
    clear(&held_out);
    clear(&small);
  }
}

/* R = P Q' from the start: the loss is 0, not what cancellation would leave of sums of 216. */
static void perfect_fits_have_no_loss(void)
{
  enum { ROWS = 6, COLS = 9, CELLS = ROWS * COLS };
  problem perfect;
  float values[CELLS];
  int32_t row[CELLS];
  int32_t col[CELLS];
  create(&perfect, ROWS, COLS, 1, DENSE, PLAIN);
  for (int n = 0; n < CELLS; ++n) {
    values[n] = 2;
    row[n] = n / COLS;
    col[n] = n % COLS;
    perfect.p[n / COLS] = 1;
    perfect.q[n % COLS] = 2;
  }
  perfect.options.regularization = 0;
  for (int sparse = 0; sparse < 2; ++sparse) {
    pqf_data_free(perfect.data);
    if (sparse)
      CHECK_OK(pqf_data_coo(&perfect.data, ROWS, COLS, CELLS, row, col, values, NULL, NULL));
    else
      CHECK_OK(pqf_data_dense(&perfect.data, values, ROWS, COLS, COLS, NULL));
    pqf_model *model = fitted(&perfect, test_backend());
    pqf_epoch first = {.size = sizeof first};
    CHECK_OK(pqf_model_history(model, 1, &first));
    CHECK_AT_MOST(first.loss, 1e-12, sparse ? "loss of sparse data" : "loss of dense data");
    pqf_free(model);
  }
  clear(&perfect);
}

/* With its static arrays the kernel takes a little more than 48 KiB of shared memory. */
static void shared_memory_is_asked_for(void)
{
  problem small;
  create(&small, 3, 4, 1750, 2, PLAIN);
  use_least_squares(&small, PQF_OBJECTIVE_IMPLICIT);
  small.options.conjugate_gradient = 3;
  check_agreement(&small, "conjugate gradient");
  clear(&small);
}

static void bits_stay(void)
{
  for (int o = 0; o < OBJECTIVES; ++o) {
    problem small;
    create(&small, 50, 40, 20, 3, PLAIN);
    use_least_squares(&small, objectives[o].objective);
    pqf_model *first = fitted(&small, test_backend());
    small.options.threads = 7;
    pqf_model *second = fitted(&small, test_backend());
    for (int32_t side = 0; side < 2; ++side)
      CU_ASSERT_EQUAL(memcmp(pqf_model_borrow_factors(first, side),
                             pqf_model_borrow_factors(second, side),
                             (size_t)(side == PQF_ROWS ? 50 : 40) * 20 * sizeof(float)),
                      0);
    pqf_free(first);
    pqf_free(second);
    clear(&small);
  }
}

/* ---- Played devices ----------------------------------------------------------------------------
 */

static void set_memory(uint64_t bytes)
{
  const cuda_on_cpu_device kind = {90, 227 * 1024, bytes};
  test_device()->set_devices(1, &kind);
}

static uint64_t bytes_planned(const problem *of)
{
  pqf_model *model = model_of(of, test_backend());
  pqf_memory memory = {.size = sizeof memory};
  CHECK_OK(pqf_plan(model, of->data, NULL, &memory));
  pqf_free(model);
  return memory.device_bytes;
}

/* R passes through in blocks where it does not fit, and the result is the same but for rounding. */
static void check_small_device(const problem *of, const char *what)
{
  const uint64_t whole = bytes_planned(of);
  set_memory(whole / 4 * 3);
  CU_ASSERT(bytes_planned(of) < whole);
  check_agreement(of, what);
  test_device()->reset();
}

static void small_devices_suffice(void)
{
  problem large;
  problem held_out;
  create(&held_out, 1500, 1200, 1, 40, PLAIN);
  create(&large, 1500, 1200, 8, DENSE, PLAIN);
  check_small_device(&large, "dense");
  clear(&large);
  create(&large, 1500, 1200, 8, 3, PLAIN);
  check_small_device(&large, "sparse");
  large.options.regularization =
      100; /* the sums of 400 cells a row: for the condition told above */
  for (int o = 0; o < OBJECTIVES; ++o) {
    use_least_squares(&large, objectives[o].objective);
    large.validation = held_out.data;
    check_small_device(&large, objectives[o].name);
  }
  clear(&large);
  clear(&held_out);
}

static void too_small_devices_are_refused(void)
{
  problem small;
  create(&small, 300, 200, 64, 3, PLAIN);
  use_least_squares(&small, PQF_OBJECTIVE_OBSERVED);
  pqf_model *model = model_of(&small, test_backend());
  set_memory(UINT64_C(100) << 10);
  CHECK_STATUS(pqf_fit(model, small.data, NULL), PQF_ENOMEM);
  CHECK_WORDS("bytes");
  CHECK_OK(pqf_model_set_option(model, "backend", "cpu"));
  CHECK_OK(pqf_fit(model, small.data, NULL));
  pqf_free(model);
  clear(&small);
}

static void devices_have_numbers(void)
{
  static const struct {
    const char *name;
    int status;
    const char *words;
  } devices[] = {{"cuda:0", PQF_OK, ""},
                 {"cuda:1", PQF_OK, ""},
                 {"cuda:2", PQF_EBACKEND, "there is no device '2': 2 found"},
                 {"cuda:x", PQF_EBACKEND, "there is no device 'x'"}};
  problem small;
  create(&small, 6, 9, 3, 2, PLAIN);
  for (size_t n = 0; n < sizeof devices / sizeof devices[0]; ++n) {
    pqf_model *model = model_of(&small, devices[n].name);
    if (CHECK_STATUS(pqf_fit(model, small.data, NULL), devices[n].status) &&
        devices[n].status != PQF_OK)
      CHECK_WORDS(devices[n].words);
    pqf_free(model);
  }
  clear(&small);
}

/* Whether closing makes such a call, for when the result is there it is not worth an error; or it
 * takes memory, without which R passes through in blocks. */
static int may_be_survived(const char *call)
{
  static const char *const calls[] = {"Free", "Destroy", "Synchronize", "GetDevice"};
  int found = strcmp(call, "cudaMalloc") == 0;
  for (size_t n = 0; n < sizeof calls / sizeof calls[0]; ++n)
    found |= strstr(call, calls[n]) != NULL;
  return found;
}

/* A fit whose n-th call to CUDA, cuBLAS or cuSOLVER fails, for every n, and if `lost` every later
 * one: an error in words, nothing left on the device, and the model as it was. */
static void check_failing_calls(const problem *of, int32_t lost, const char *what)
{
  enum { MOST_CALLS = 5000 };
  pqf_model *model = fitted(of, "cpu");
  const size_t bytes = (size_t)(of->rows * of->options.factors) * sizeof(float);
  float *before = test_allocate(1, bytes);
  memcpy(before, pqf_model_borrow_factors(model, PQF_ROWS), bytes);
  CHECK_OK(pqf_model_set_option(model, "backend", test_backend()));
  int64_t call = 1;
  for (const char *failed = ""; failed != NULL && call < MOST_CALLS; ++call) {
    test_device()->fail(call, lost);
    const int status = pqf_fit(model, of->data, NULL);
    failed = test_device()->failed();
    CU_ASSERT(failed == NULL || status != PQF_OK || may_be_survived(failed));
    if (failed == NULL)
      CHECK_STATUS(status, PQF_OK);
    const float *now = pqf_model_borrow_factors(model, PQF_ROWS);
    CU_ASSERT(status == PQF_OK || memcmp(before, now, bytes) == 0);
    memcpy(before, now, bytes);
    test_check_device();
  }
  test_device()->fail(0, 0);
  CHECK_AT_MOST((double)call, MOST_CALLS - 1, what);
  free(before);
  pqf_free(model);
}

static void every_call_may_fail(void)
{
  problem small;
  create(&small, 6, 9, 3, DENSE, PLAIN);
  check_failing_calls(&small, 0, "calls of a dense fit");
  clear(&small);
  create(&small, 6, 9, 3, 2, PLAIN);
  check_failing_calls(&small, 0, "calls of a sparse fit");
  for (int o = 0; o < OBJECTIVES; ++o) {
    use_least_squares(&small, objectives[o].objective);
    check_failing_calls(&small, 0, objectives[o].name);
  }
  clear(&small);
  create(&small, 3, 4, 249, 2, PLAIN);
  use_least_squares(&small, PQF_OBJECTIVE_IMPLICIT);
  check_failing_calls(&small, 0, "calls of a wide fit");
  clear(&small);
}

static void device_may_be_lost(void)
{
  problem small;
  create(&small, 6, 9, 3, DENSE, PLAIN);
  check_failing_calls(&small, 1, "calls of a dense fit");
  clear(&small);
  create(&small, 6, 9, 3, 2, PLAIN);
  use_least_squares(&small, PQF_OBJECTIVE_IMPLICIT);
  check_failing_calls(&small, 1, "calls of a fit to clicks");
  clear(&small);
}

/* CUDA does not survive a fork: the child is told so, and has the CPU. */
static int ask_after_a_fork(const problem *of)
{
  pqf_backend_info info = {.size = sizeof info};
  pqf_model *model = model_of(of, test_backend());
  const int refused = pqf_fit(model, of->data, NULL) == PQF_EBACKEND &&
                      strstr(pqf_error_message(), "started before a fork") != NULL;
  const int described = pqf_backend_describe(test_modules(), 1, &info) == PQF_OK && !info.usable &&
                        strstr(info.words, "started before a fork") != NULL;
  const int has_cpu = pqf_model_set_option(model, "backend", "cpu") == PQF_OK &&
                      pqf_fit(model, of->data, NULL) == PQF_OK;
  pqf_free(model);
  return refused && described && has_cpu;
}

static void fork_leaves_the_cpu(void)
{
  int status = -1;
  problem small;
  create(&small, 6, 9, 3, 2, PLAIN);
  small.options.threads = 1; /* ThreadSanitizer forbids threads after a fork */
  pqf_model *model = model_of(&small, test_backend());
  CHECK_OK(pqf_fit(model, small.data, NULL));
  const pid_t child = fork();
  if (child == 0)
    _exit(ask_after_a_fork(&small) ? 0 : 3);
  CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
  CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  CHECK_OK(pqf_fit(model, small.data, NULL));
  pqf_free(model);
  clear(&small);
}

void suite_gpu(void)
{
  if (strcmp(test_backend(), "cpu") == 0)
    return;
  CU_pSuite suite = test_add_device_suite("gpu");
  CU_add_test(suite, "every width agrees", every_width_agrees);
  CU_add_test(suite, "shared memory is asked for", shared_memory_is_asked_for);
  CU_add_test(suite, "a fork leaves the CPU", fork_leaves_the_cpu);
  if (test_device() == NULL)
    return;
  CU_add_test(suite, "small devices suffice", small_devices_suffice);
  CU_add_test(suite, "too small devices are refused", too_small_devices_are_refused);
  CU_add_test(suite, "hidden failures are found", hidden_failures_are_found);
  CU_add_test(suite, "devices have numbers", devices_have_numbers);
  CU_add_test(suite, "every call may fail", every_call_may_fail);
  CU_add_test(suite, "the device may be lost at every call", device_may_be_lost);
}

void suite_gpu_kernels(void)
{
  if (strcmp(test_backend(), "cpu") == 0)
    return;
  CU_pSuite suite = test_add_device_suite("gpu_kernels");
  CU_add_test(suite, "every kernel agrees", every_kernel_agrees);
  CU_add_test(suite, "singular systems are solved", singular_systems_are_solved);
  CU_add_test(suite, "perfect fits have no loss", perfect_fits_have_no_loss);
  CU_add_test(suite, "bits stay", bits_stay);
}
