/* Threads: the team, and what fits promise about them: the same bits for any number, none left
 * behind, any number of fits at once. */
#include "cases.h"
#include "memory.h"
#include "suites.h"
#include "test.h"
#include "threads.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { DENSE = 0, SPARSE = 3, WEIGHTED = 5, OBSERVED = 6, OBSERVED_NOTEBOOK = 7 }; /* case_kinds */

/* ---- The team -------------------------------------------------------------------------------- */

enum { MOST_WORKERS = 16, MOST_ITEMS = 5000 };

typedef struct rounds {
  atomic_int done[MOST_ITEMS]; /* times that each item was run */
  int result[MOST_ITEMS];      /* plain: seen by the caller afterwards */
  atomic_int inside[MOST_WORKERS];
  atomic_int clashes; /* two items with one worker at the same time, or a worker out of range */
  int32_t threads;
} rounds;

static void run_item(void *argument, int64_t item, int32_t worker)
{
  rounds *r = argument;
  if (worker < 0 || worker >= r->threads) {
    atomic_fetch_add(&r->clashes, 1);
    return;
  }
  if (atomic_fetch_add(&r->inside[worker], 1) != 0)
    atomic_fetch_add(&r->clashes, 1);
  atomic_fetch_add(&r->done[item], 1);
  r->result[item] += (int)item + 1;
  atomic_fetch_sub(&r->inside[worker], 1);
}

static void check_round(pqf_team *team, int32_t threads, int64_t count, int repeats)
{
  rounds *r = test_allocate(1, sizeof *r);
  int wrong = 0;
  r->threads = threads;
  for (int n = 0; n < repeats; ++n)
    pqf_team_run(team, count, run_item, r);
  for (int64_t item = 0; item < MOST_ITEMS; ++item) {
    const int expected = item < count ? repeats : 0;
    wrong += atomic_load(&r->done[item]) != expected;
    wrong += r->result[item] != expected * (int)(item + 1);
  }
  CU_ASSERT_EQUAL(wrong, 0);
  CU_ASSERT_EQUAL(atomic_load(&r->clashes), 0);
  free(r);
}

static void every_item_is_run_once(void)
{
  static const int32_t threads[] = {1, 2, 3, 7, MOST_WORKERS};
  static const int64_t counts[] = {0, 1, 2, 3, 15, 100, MOST_ITEMS};
  for (size_t t = 0; t < sizeof threads / sizeof threads[0]; ++t) {
    pqf_team *team = NULL;
    REQUIRE_OK(pqf_team_create(&team, threads[t]));
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; ++c)
      check_round(team, threads[t], counts[c], 1);
    pqf_team_free(team);
  }
}

/* Many short rounds, one right after the other: a thread that is late must not run an item of the
 * round before, or miss one. */
static void rounds_follow_each_other(void)
{
  for (int32_t threads = 2; threads <= 4; ++threads) {
    pqf_team *team = NULL;
    REQUIRE_OK(pqf_team_create(&team, threads));
    check_round(team, threads, 3, 2000);
    pqf_team_free(team);
  }
}

static int create_team(void *payload)
{
  pqf_team *team = NULL;
  const int status = pqf_team_create(&team, 3);
  (void)payload;
  CU_ASSERT_EQUAL(team == NULL, status != PQF_OK);
  pqf_team_free(team);
  return status;
}

static void team_without_memory(void)
{
  test_every_allocation(create_team, NULL);
  pqf_team_free(NULL);
}

static void count_of_threads(void)
{
  cpu_set_t set;
  CU_ASSERT_EQUAL(pqf_thread_count(1), 1);
  CU_ASSERT_EQUAL(pqf_thread_count(5), 5);
  CU_ASSERT_EQUAL(sched_getaffinity(0, sizeof set, &set), 0);
  CU_ASSERT_EQUAL(pqf_thread_count(0), CPU_COUNT(&set));
}

/* ---- The same bits --------------------------------------------------------------------------- */

/* A model after a few epochs from drawn factors. */
static pqf_model *fit_case(const test_case *test, int32_t threads)
{
  pqf_options options = case_options(test);
  pqf_model *model = NULL;
  options.init = PQF_INIT_NORMAL;
  options.init_scale = 0.1;
  options.epochs = 3;
  options.threads = threads;
  if (pqf_create(&model, &options) == PQF_OK && pqf_fit(model, test->data, NULL) == PQF_OK)
    return model;
  pqf_free(model);
  return NULL;
}

/* Whether two models have the same factors and losses, to the bit; callable from any thread. */
static int same_bits(const pqf_model *a, const pqf_model *b)
{
  if (a == NULL || b == NULL)
    return 0;
  for (int64_t n = 0; n < 3; ++n) {
    pqf_epoch left = {.size = sizeof left};
    pqf_epoch right = {.size = sizeof right};
    if (pqf_model_history(a, n, &left) != PQF_OK || pqf_model_history(b, n, &right) != PQF_OK ||
        memcmp(&left.loss, &right.loss, sizeof left.loss) != 0)
      return 0;
  }
  for (int32_t side = 0; side < 2; ++side) {
    const int64_t rows = side == PQF_ROWS ? pqf_model_rows(a) : pqf_model_cols(a);
    const size_t bytes = (size_t)(rows * pqf_model_factors(a)) * sizeof(float);
    if (memcmp(pqf_model_borrow_factors(a, side), pqf_model_borrow_factors(b, side), bytes) != 0)
      return 0;
  }
  return 1;
}

static void check_same_bits(const case_kind *kind, case_shape shape, int32_t factors)
{
  static const int32_t threads[] = {2, 7};
  test_case test;
  case_create(&test, kind, shape, factors, 0.05, 51);
  pqf_model *alone = fit_case(&test, 1);
  CU_ASSERT_PTR_NOT_NULL(alone);
  for (size_t n = 0; n < sizeof threads / sizeof threads[0]; ++n) {
    pqf_model *together = fit_case(&test, threads[n]);
    CU_ASSERT(same_bits(alone, together));
    pqf_free(together);
  }
  pqf_free(alone);
  case_free(&test);
}

static void dense_fits_have_the_same_bits(void)
{
  check_same_bits(&case_kinds[DENSE], (case_shape){700, 900}, 33); /* by the BLAS */
  check_same_bits(&case_kinds[DENSE], (case_shape){700, 900}, 20); /* without */
  check_same_bits(&case_kinds[DENSE], (case_shape){3000, 40}, 8);
  check_same_bits(&case_kinds[DENSE], (case_shape){40, 3000}, 8);
}

static void sparse_fits_have_the_same_bits(void)
{
  static const int kinds[] = {SPARSE, WEIGHTED, OBSERVED, OBSERVED_NOTEBOOK};
  for (size_t n = 0; n < sizeof kinds / sizeof kinds[0]; ++n)
    check_same_bits(&case_kinds[kinds[n]], (case_shape){700, 900}, 33);
}

/* More draws than one thread makes at a time. */
static void many_draws_have_the_same_bits(void)
{
  check_same_bits(&case_kinds[SPARSE], (case_shape){20000, 20}, 10);
}

/* ---- Fits and the process -------------------------------------------------------------------- */

static int count_threads(void)
{
  DIR *tasks = opendir("/proc/self/task");
  int count = 0;
  if (tasks == NULL)
    return -1;
  for (const struct dirent *task = readdir(tasks); task != NULL; task = readdir(tasks))
    count += task->d_name[0] != '.';
  closedir(tasks);
  return count;
}

/* A thread that was joined may be listed a moment longer. */
static int settle_at(int expected)
{
  const struct timespec millisecond = {.tv_nsec = 1000000};
  for (int n = 0; n < 2000 && count_threads() != expected; ++n)
    nanosleep(&millisecond, NULL);
  return count_threads();
}

static int note_threads(const pqf_epoch *epoch, void *payload)
{
  (void)epoch;
  *(int *)payload = count_threads();
  return 0;
}

/* Also with OMP_NUM_THREADS in the environment: see threads_of_openmp_are_ignored(). */
static void fit_has_its_threads_and_leaves_none(void)
{
  test_case test;
  const int before = count_threads(); /* with a BLAS: it starts none */
  case_create(&test, &case_kinds[DENSE], (case_shape){700, 600}, 40, 1, 52);
  for (int32_t threads = 1; threads <= 5; threads += 2) {
    int during = 0;
    pqf_model *model = NULL;
    pqf_options options = case_options(&test);
    options.init = PQF_INIT_NORMAL;
    options.threads = threads;
    options.callback = note_threads;
    options.payload = &during;
    CHECK_OK(pqf_create(&model, &options));
    CHECK_OK(pqf_fit(model, test.data, NULL));
    CU_ASSERT_EQUAL(during, before + threads - 1);
    CU_ASSERT_EQUAL(settle_at(before), before);
    pqf_free(model);
  }
  case_free(&test);
}

typedef struct overlapping {
  const test_case *test;
  pqf_model *model;
  int32_t threads;
} overlapping;

static void *fit_overlapping(void *payload)
{
  overlapping *o = payload;
  o->model = fit_case(o->test, o->threads);
  return NULL;
}

static void check_overlapping(const case_kind *kind)
{
  enum { FITS = 3 };
  test_case test;
  pthread_t threads[FITS];
  overlapping fits[FITS];
  case_create(&test, kind, (case_shape){600, 700}, 41, 0.1, 53);
  pqf_model *alone = fit_case(&test, 2);
  for (int n = 0; n < FITS; ++n) {
    fits[n] = (overlapping){&test, NULL, n + 1};
    CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[n], NULL, fit_overlapping, &fits[n]), 0);
  }
  for (int n = 0; n < FITS; ++n) {
    pthread_join(threads[n], NULL);
    CU_ASSERT(same_bits(alone, fits[n].model));
    pqf_free(fits[n].model);
  }
  pqf_free(alone);
  case_free(&test);
}

static void fits_share_their_data(void)
{
  check_overlapping(&case_kinds[DENSE]);
  check_overlapping(&case_kinds[OBSERVED]);
}

/* The child frees its copies too: a memory checker looks at both processes. ThreadSanitizer forbids
 * threads after a fork of a process that has some. */
static void fork_after_a_fit_is_safe(void)
{
  test_case test;
  int status = -1;
  int same = 0;
  case_create(&test, &case_kinds[DENSE], (case_shape){700, 600}, 40, 1, 54);
  pqf_model *model = fit_case(&test, 2);
  const pid_t child = fork();
  if (child == 0) {
    pqf_model *again = fit_case(&test, TEST_UNDER_TSAN ? 1 : 2);
    same = same_bits(again, model);
    pqf_free(again);
  }
  pqf_free(model);
  case_free(&test);
  if (child == 0)
    _exit(same ? 0 : 3);
  CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
  CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* This suite once more with OMP_NUM_THREADS=5, which a BLAS reads when it is loaded. */
static void threads_of_openmp_are_ignored(void)
{
  static const char name[] = "OMP_NUM_THREADS";
  static const char *const suites[] = {"threads", NULL};
  const char *present = getenv(name);
  if (present == NULL || strcmp(present, "5") != 0)
    CU_ASSERT_EQUAL(test_run_again(name, "5", suites), 0);
}

void suite_threads(void)
{
  CU_pSuite suite = CU_add_suite("threads", NULL, NULL);
  CU_add_test(suite, "every item is run once", every_item_is_run_once);
  CU_add_test(suite, "rounds follow each other", rounds_follow_each_other);
  CU_add_test(suite, "a team without memory", team_without_memory);
  CU_add_test(suite, "the number of threads", count_of_threads);
  CU_add_test(suite, "dense fits: the same bits", dense_fits_have_the_same_bits);
  CU_add_test(suite, "sparse fits: the same bits", sparse_fits_have_the_same_bits);
  CU_add_test(suite, "many draws: the same bits", many_draws_have_the_same_bits);
  CU_add_test(suite, "a fit leaves no thread", fit_has_its_threads_and_leaves_none);
  CU_add_test(suite, "fits share their data", fits_share_their_data);
  CU_add_test(suite, "a fork after a fit", fork_after_a_fit_is_safe);
  CU_add_test(suite, "OMP_NUM_THREADS", threads_of_openmp_are_ignored);
}
