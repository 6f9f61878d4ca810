/* The contract of include/pqf_backend.h, held against every back end that can be used here: the
 * CPU's, and each module of the folder of modules that says it can. Factors and losses are compared
 * with the reference by bounds on rounding, never bit for bit. */
#include "backends.h"
#include "cases.h"
#include "data.h"
#include "device.h"
#include "error.h"
#include "memory.h"
#include "suites.h"
#include "test.h"
#include "threads.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DENSE = 0, SPARSE = 3, OBSERVED = 6, OBSERVED_WEIGHTED = 8 }; /* of case_kinds */

/* ---- A host of the tests' own ---------------------------------------------------------------- */

static int blocks_held; /* allocations less releases */

static void *host_allocate(const pqf_host *host, uint64_t count, uint64_t element_size)
{
  (void)host;
  void *memory = pqf_allocate((int64_t)count, element_size);
  if (memory != NULL) {
    ++blocks_held;
    memset(memory, 0xff, count * element_size); /* NaN: nothing may count on zeros */
  }
  return memory;
}

static void host_release(const pqf_host *host, void *memory)
{
  (void)host;
  blocks_held -= memory != NULL;
  pqf_release(memory);
}

__attribute__((format(printf, 3, 4))) static int host_fail(const pqf_host *host, int status,
                                                           const char *format, ...)
{
  va_list list;
  (void)host;
  va_start(list, format);
  pqf_fail_list(status, format, list);
  va_end(list);
  return status;
}

static void host_parallel_for(const pqf_host *host, int64_t count, pqf_work work, void *argument)
{
  pqf_team_run(host->context, count, work, argument);
}

/* ---- A training ------------------------------------------------------------------------------ */

typedef struct session {
  const pqf_backend *backend;
  const test_case *test;
  pqf_team *team;
  pqf_host host;
  pqf_problem problem;
  pqf_training *training;
} session;

static int session_open(session *out, const pqf_backend *backend, const test_case *test,
                        const pqf_data *validation)
{
  enum { THREADS = 3 };
  memset(out, 0, sizeof *out);
  out->backend = backend;
  out->test = test;
  out->host = (pqf_host){.size = sizeof out->host,
                         .allocate = host_allocate,
                         .release = host_release,
                         .fail = host_fail,
                         .parallel_for = host_parallel_for,
                         .threads = THREADS};
  out->problem = (pqf_problem){.size = sizeof out->problem,
                               .train = &test->data->matrix,
                               .validation = validation != NULL ? &validation->matrix : NULL,
                               .device = "",
                               .factors = test->factors,
                               .update = test->kind->update,
                               .objective = test->kind->objective,
                               .learning_rate = test->reference.learning_rate,
                               .regularization = test->reference.regularization};
  int status = pqf_team_create(&out->team, THREADS);
  if (status == PQF_OK) {
    out->host.context = out->team;
    status = backend->open(&out->training, &out->host, &out->problem);
  }
  return status;
}

static void session_close(session *s)
{
  if (s->backend != NULL)
    s->backend->close(s->training);
  pqf_team_free(s->team);
}

static int64_t side_rows(const session *s, int32_t side)
{
  return side == PQF_ROWS ? s->test->truth.rows : s->test->truth.cols;
}

/* Sets P and Q in two parts each, the second one first. */
static void set_factors(session *s, const float *p, const float *q)
{
  for (int32_t side = 0; side < 2; ++side) {
    const float *values = side == PQF_ROWS ? p : q;
    const int64_t rows = side_rows(s, side);
    const int64_t part = rows / 3;
    CHECK_OK(
        s->backend->set(s->training, side, part, rows - part, values + part * s->test->factors));
    CHECK_OK(s->backend->set(s->training, side, 0, part, values));
  }
}

/* P or Q, had in pieces of at most seven rows; the caller frees it. */
static float *get_factors(session *s, int32_t side, int32_t which)
{
  const int64_t rows = side_rows(s, side);
  const int64_t k = s->test->factors;
  float *values = test_allocate(rows * k, sizeof *values);
  for (int64_t first = 0; first < rows; first += 7) {
    const int64_t count = rows - first < 7 ? rows - first : 7;
    CHECK_OK(s->backend->get(s->training, side, which, first, count, values + first * k));
  }
  return values;
}

static int has_factors(session *s, int32_t which, const float *p, const float *q)
{
  int same = 1;
  for (int32_t side = 0; side < 2; ++side) {
    float *got = get_factors(s, side, which);
    const size_t bytes = (size_t)(side_rows(s, side) * s->test->factors) * sizeof(float);
    same = same && memcmp(got, side == PQF_ROWS ? p : q, bytes) == 0;
    free(got);
  }
  return same;
}

/* ---- Every usable back end ------------------------------------------------------------------- */

/* Runs `check` with the table of each back end that is usable and has all steps of training; with
 * that of TEST_BACKEND alone, where the environment names one. */
static void for_each_backend(void (*check)(const pqf_backend *backend))
{
  const char *folder = test_modules();
  const char *only = getenv("TEST_BACKEND");
  const int32_t count = pqf_backend_count(folder);
  int checked = 0;
  for (int32_t n = 0; n < count; ++n) {
    pqf_backend_info info = {.size = sizeof info};
    pqf_chosen chosen;
    CHECK_OK(pqf_backend_describe(folder, n, &info));
    if (!info.usable || strcmp(info.name, "failing") == 0)
      continue; /* "failing" breaks the contract on purpose */
    if (only != NULL && strcmp(info.name, only) != 0)
      continue;
    CHECK_OK(pqf_backend_choose(&chosen, info.name, folder, 1, 1));
    if (chosen.table.gd_epoch == NULL || chosen.table.loss == NULL ||
        chosen.table.validation_loss == NULL)
      continue;
    check(&chosen.table);
    ++checked;
    CU_ASSERT_EQUAL(blocks_held, 0);
  }
  CU_ASSERT(checked >= (only != NULL ? 1 : 2)); /* the CPU's and a module */
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static double distance(const float *got, const double *want, int64_t count)
{
  double sum = 0;
  for (int64_t n = 0; n < count; ++n)
    sum += ((double)got[n] - want[n]) * ((double)got[n] - want[n]);
  return sqrt(sum);
}

/* One epoch from the present factors of the session, against the reference; then commits. */
static void check_step(session *s)
{
  const test_case *test = s->test;
  const reference_problem *problem = &test->reference;
  reference_factors now;
  reference_factors next;
  char what[128];
  double loss = NAN;
  double alone = NAN;
  float *p = get_factors(s, PQF_ROWS, PQF_CURRENT);
  float *q = get_factors(s, PQF_COLS, PQF_CURRENT);
  snprintf(what, sizeof what, "%s: %s %dx%d k=%d", s->backend->name, test->kind->name,
           (int)test->truth.rows, (int)test->truth.cols, (int)test->factors);
  reference_factors_create(&now, problem, p, q);
  reference_factors_create(&next, problem, NULL, NULL);
  const double want = reference_epoch(problem, &now, &next);
  const double tolerance = reference_loss_tolerance(problem, &now);
  CHECK_OK(s->backend->loss(s->training, &alone));
  CHECK_AT_MOST(fabs(alone - want), tolerance, what);
  CHECK_OK(s->backend->gd_epoch(s->training, &loss));
  CHECK_AT_MOST(fabs(loss - want), tolerance, what);
  CU_ASSERT(has_factors(s, PQF_CURRENT, p, q)); /* nothing moves before the commit */
  CHECK_OK(s->backend->commit(s->training));
  for (int32_t side = 0; side < 2; ++side) {
    float *got = get_factors(s, side, PQF_CURRENT);
    CHECK_AT_MOST(
        distance(got, side == PQF_ROWS ? next.p : next.q, side_rows(s, side) * test->factors),
        reference_step_tolerance(problem, &now, &next, side), what);
    free(got);
  }
  reference_factors_free(&now);
  reference_factors_free(&next);
  free(p);
  free(q);
}

static void check_all_cases(const pqf_backend *backend)
{
  uint64_t seed = 100;
  for (int kind = 0; kind < case_kind_count; ++kind)
    for (int shape = 0; shape < case_shape_count; ++shape)
      for (int n = 0; n < case_factors_count; n += shape + 1 < case_shape_count ? 1 : 3) {
        test_case test;
        session s;
        case_create(&test, &case_kinds[kind], case_shapes[shape], case_factors[n], 0.2, ++seed);
        if (CHECK_OK(session_open(&s, backend, &test, NULL))) {
          set_factors(&s, test.p, test.q);
          check_step(&s);
          check_step(&s);
        }
        session_close(&s);
        case_free(&test);
      }
}

/* Around what a block of threads of a GPU takes. */
static void check_many_factors(const pqf_backend *backend)
{
  static const int32_t factors[] = {32, 33, 128, 240, 256};
  for (int kind = 0; kind < case_kind_count; ++kind)
    for (size_t n = 0; n < sizeof factors / sizeof factors[0]; ++n) {
      test_case test;
      session s;
      case_create(&test, &case_kinds[kind], (case_shape){21, 30}, factors[n], 0.3, 90 + n);
      if (CHECK_OK(session_open(&s, backend, &test, NULL))) {
        set_factors(&s, test.p, test.q);
        check_step(&s);
      }
      session_close(&s);
      case_free(&test);
    }
}

static void many_factors_agree_with_the_reference(void)
{
  for_each_backend(check_many_factors);
}

static void steps_agree_with_the_reference(void)
{
  for_each_backend(check_all_cases);
}

/* ---- Buffers --------------------------------------------------------------------------------- */

static void step(session *s)
{
  double loss;
  CHECK_OK(s->backend->gd_epoch(s->training, &loss));
  CHECK_OK(s->backend->commit(s->training));
}

/* The best ones stay while the current ones move on, and follow when they are kept again. */
static void check_rotation(const pqf_backend *backend)
{
  test_case test;
  session s;
  double loss;
  case_create(&test, &case_kinds[DENSE], (case_shape){20, 11}, 5, 1, 61);
  CHECK_OK(session_open(&s, backend, &test, NULL));
  set_factors(&s, test.p, test.q);
  CHECK_OK(backend->keep(s.training));
  CU_ASSERT(has_factors(&s, PQF_BEST, test.p, test.q));
  for (int round = 0; round < 4; ++round) {
    float *best_p = get_factors(&s, PQF_ROWS, PQF_CURRENT);
    float *best_q = get_factors(&s, PQF_COLS, PQF_CURRENT);
    CHECK_OK(backend->keep(s.training));
    for (int n = 0; n <= round; ++n) {
      step(&s);
      CU_ASSERT(has_factors(&s, PQF_BEST, best_p, best_q));
      CU_ASSERT(!has_factors(&s, PQF_CURRENT, best_p, best_q));
    }
    float *p = get_factors(&s, PQF_ROWS, PQF_CURRENT);
    float *q = get_factors(&s, PQF_COLS, PQF_CURRENT);
    CHECK_OK(backend->gd_epoch(s.training, &loss));
    CHECK_OK(backend->discard(s.training));
    CU_ASSERT(has_factors(&s, PQF_CURRENT, p, q));
    CU_ASSERT(has_factors(&s, PQF_BEST, best_p, best_q));
    free(best_p);
    free(best_q);
    free(p);
    free(q);
  }
  session_close(&s);
  case_free(&test);
}

static void best_factors_stay_while_others_rotate(void)
{
  for_each_backend(check_rotation);
}

/* As a fit that is resumed begins: the best ones are set and kept, then the current ones set. */
static void check_set_after_keep(const pqf_backend *backend)
{
  test_case test;
  session s;
  case_create(&test, &case_kinds[DENSE], (case_shape){20, 11}, 5, 1, 64);
  float *p = test_normals(65, 20 * 5, 1);
  float *q = test_normals(66, 11 * 5, 1);
  CHECK_OK(session_open(&s, backend, &test, NULL));
  set_factors(&s, p, q);
  CHECK_OK(backend->keep(s.training));
  set_factors(&s, test.p, test.q);
  CU_ASSERT(has_factors(&s, PQF_BEST, p, q));
  CU_ASSERT(has_factors(&s, PQF_CURRENT, test.p, test.q));
  check_step(&s);
  CU_ASSERT(has_factors(&s, PQF_BEST, p, q));
  session_close(&s);
  free(p);
  free(q);
  case_free(&test);
}

static void best_factors_stay_when_others_are_set(void)
{
  for_each_backend(check_set_after_keep);
}

/* An epoch that was dropped leaves no trace: the next one from the same factors has the same bits.
 */
static void check_discard(const pqf_backend *backend)
{
  test_case test;
  session s;
  double first = NAN;
  double second = NAN;
  case_create(&test, &case_kinds[OBSERVED], (case_shape){33, 70}, 17, 0.3, 62);
  CHECK_OK(session_open(&s, backend, &test, NULL));
  set_factors(&s, test.p, test.q);
  CHECK_OK(backend->gd_epoch(s.training, &first));
  CHECK_OK(backend->commit(s.training));
  float *p = get_factors(&s, PQF_ROWS, PQF_CURRENT);
  float *q = get_factors(&s, PQF_COLS, PQF_CURRENT);
  set_factors(&s, test.p, test.q);
  CHECK_OK(backend->gd_epoch(s.training, &second));
  CHECK_OK(backend->discard(s.training));
  CU_ASSERT_EQUAL(first, second);
  CHECK_OK(backend->gd_epoch(s.training, &second));
  CHECK_OK(backend->commit(s.training));
  CU_ASSERT_EQUAL(first, second);
  CU_ASSERT(has_factors(&s, PQF_CURRENT, p, q));
  free(p);
  free(q);
  session_close(&s);
  case_free(&test);
}

static void dropped_epoch_leaves_no_trace(void)
{
  for_each_backend(check_discard);
}

/* ---- Validation ------------------------------------------------------------------------------ */

/* A mean of squares that are summed in double; each error is a float dot product of k terms. */
static void check_validation(const pqf_backend *backend)
{
  static const int held_out_kinds[] = {DENSE, OBSERVED, OBSERVED_WEIGHTED};
  for (size_t n = 0; n < sizeof held_out_kinds / sizeof held_out_kinds[0]; ++n)
    for (int kind = DENSE; kind <= OBSERVED; kind += SPARSE) {
      const case_shape shape = {40, 30};
      test_case test;
      test_case held_out;
      session s;
      double loss = NAN;
      reference_factors now;
      case_create(&test, &case_kinds[kind], shape, 17, 0.3, 63);
      case_create(&held_out, &case_kinds[held_out_kinds[n]], shape, 17, 0.1, 64);
      test.reference.validation = &held_out.truth;
      CHECK_OK(session_open(&s, backend, &test, held_out.data));
      set_factors(&s, test.p, test.q);
      step(&s);
      float *p = get_factors(&s, PQF_ROWS, PQF_CURRENT);
      float *q = get_factors(&s, PQF_COLS, PQF_CURRENT);
      reference_factors_create(&now, &test.reference, p, q);
      const double want = reference_validation_loss(&test.reference, &now);
      CHECK_OK(backend->validation_loss(s.training, &loss));
      CHECK_AT_MOST(fabs(loss - want), 2e-6 * want, backend->name);
      CU_ASSERT(has_factors(&s, PQF_CURRENT, p, q));
      reference_factors_free(&now);
      free(p);
      free(q);
      session_close(&s);
      case_free(&held_out);
      case_free(&test);
    }
}

static void validation_loss_agrees_with_the_reference(void)
{
  for_each_backend(check_validation);
}

/* ---- Failures -------------------------------------------------------------------------------- */

static const pqf_backend *opened_backend;

static int open_and_close(void *payload)
{
  session s;
  const int status = session_open(&s, opened_backend, payload, NULL);
  CU_ASSERT_EQUAL(s.training == NULL, status != PQF_OK);
  session_close(&s);
  CU_ASSERT_EQUAL(blocks_held, 0);
  return status;
}

static void check_allocations(const pqf_backend *backend)
{
  static const int kinds[] = {DENSE, SPARSE, OBSERVED};
  opened_backend = backend;
  for (size_t n = 0; n < sizeof kinds / sizeof kinds[0]; ++n) {
    test_case test;
    case_create(&test, &case_kinds[kinds[n]], (case_shape){9, 8}, 3, 0.5, 65);
    test_every_allocation(open_and_close, &test);
    case_free(&test);
  }
  backend->close(NULL);
}

static void open_without_memory_leaves_nothing(void)
{
  for_each_backend(check_allocations);
}

static void cpu_has_no_devices(void)
{
  const pqf_backend *cpu = pqf_cpu_backend();
  test_case test;
  session s;
  char words[64];
  case_create(&test, &case_kinds[DENSE], (case_shape){9, 8}, 3, 0.5, 66);
  CHECK_OK(session_open(&s, cpu, &test, NULL));
  s.problem.device = "3";
  pqf_training *second = s.training;
  CHECK_STATUS(cpu->open(&second, &s.host, &s.problem), PQF_EBACKEND);
  CU_ASSERT_PTR_NULL(second);
  CU_ASSERT_NOT_EQUAL(cpu->probe("3", words, sizeof words), PQF_OK);
  CU_ASSERT_PTR_NOT_NULL(strstr(words, "3"));
  session_close(&s);
  case_free(&test);
}

/* ---- Instruction sets ------------------------------------------------------------------------ */

/* The suites that compute, once more with narrower instructions, whose choice is made once. */
static void narrower_instructions_agree_too(void)
{
  static const char name[] = "PQF_INSTRUCTIONS";
  static const char *const computing[] = {"backend_contract", "gradient", "predict", "golden",
                                          NULL};
  if (getenv(name) != NULL || TEST_UNDER_TSAN) /* kernels have no threads of their own */
    return;
  if (strcmp(test_backend(), "cpu") != 0)
    return;
  CU_ASSERT_EQUAL(test_run_again(name, "baseline", computing), 0);
  CU_ASSERT_EQUAL(test_run_again(name, "avx2", computing), 0);
}

void suite_backend_contract(void)
{
  CU_pSuite suite = test_add_device_suite("backend_contract");
  CU_add_test(suite, "steps agree with the reference", steps_agree_with_the_reference);
  CU_add_test(suite, "steps with many factors", many_factors_agree_with_the_reference);
  CU_add_test(suite, "the best factors stay", best_factors_stay_while_others_rotate);
  CU_add_test(suite, "set after keep", best_factors_stay_when_others_are_set);
  CU_add_test(suite, "a dropped epoch", dropped_epoch_leaves_no_trace);
  CU_add_test(suite, "validation losses", validation_loss_agrees_with_the_reference);
  CU_add_test(suite, "no memory", open_without_memory_leaves_nothing);
  CU_add_test(suite, "the CPU has no devices", cpu_has_no_devices);
  CU_add_test(suite, "narrower instructions", narrower_instructions_agree_too);
}
