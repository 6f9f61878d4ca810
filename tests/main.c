/* Runs the suites: all, or those named as arguments. -v tells of every test, -l lists the suites.
 * At the end the suites that took a second or more are listed, the slowest first. The exit status
 * is 1 when a check failed, and 2 when a suite of that name does not exist. */
#include "suites.h"
#include "test.h"

#include <CUnit/Basic.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* clang-format off */
static const struct {
  const char *name;
  void (*add)(void);
} suites[] = {
    {"als", suite_als},
    {"least_squares", suite_least_squares},
    {"losses", suite_losses},
    {"extremes", suite_extremes},
    {"checkpoint", suite_checkpoint},
    {"killed", suite_killed},
    {"calls", suite_calls},
    {"presets", suite_presets},
    {"evaluate", suite_evaluate},
    {"split", suite_split},
    {"promises", suite_promises},
    {"insteval", suite_insteval},
    {"gpu_kernels", suite_gpu_kernels},
    {"gpu", suite_gpu},
    {"gpu_rows", suite_gpu_rows},
    {"random", suite_random},
    {"golden", suite_golden},
    {"gradient", suite_gradient},
    {"fit", suite_fit},
    {"threads", suite_threads},
    {"model", suite_model},
    {"predict", suite_predict},
    {"backend_contract", suite_backend_contract},
    {"modules", suite_modules},
    {"start_up", suite_start_up},
    {"oom", suite_oom},
    {"blas", suite_blas},
    {"options", suite_options},
    {"file", suite_file},
    {"file_damage", suite_file_damage},
    {"docs", suite_docs},
    {"data", suite_data},
    {"sparse", suite_sparse},
    {"duplicates", suite_duplicates},
    {"pull", suite_pull},
    {"large", suite_large},
    {"shapes", suite_shapes},
    {"ids", suite_ids},
    {"match", suite_match},
    {"arrow", suite_arrow},
    {"arrow_refused", suite_arrow_refused},
    {"formats", suite_formats},
    {"command", suite_command},
    {"command_train", suite_command_train},
    {"command_measure", suite_command_measure},
    {"command_tune", suite_command_tune},
    {"command_hostile", suite_command_hostile},
};
/* clang-format on */

enum { SUITES = sizeof suites / sizeof suites[0] };

static int list_suites(void)
{
  for (int n = 0; n < SUITES; ++n)
    puts(suites[n].name);
  return EXIT_SUCCESS;
}

static int add_suite(const char *name)
{
  for (int n = 0; n < SUITES; ++n)
    if (strcmp(suites[n].name, name) == 0) {
      suites[n].add();
      return 0;
    }
  fprintf(stderr, "there is no suite \"%s\"; -l lists them\n", name);
  return -1;
}

/* How long each suite took. */
typedef struct {
  const char *name;
  double seconds;
} suite_time;

static suite_time times[SUITES];
static int timed;

static double now(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void suite_starts(const CU_pSuite suite)
{
  if (timed < SUITES) /* a suite may be named twice */
    times[timed] = (suite_time){suite->pName, -now()};
}

static void suite_ends(const CU_pSuite suite, const CU_pFailureRecord failures)
{
  (void)suite;
  (void)failures;
  if (timed < SUITES)
    times[timed++].seconds += now();
}

static int compare_times(const void *a, const void *b)
{
  const double first = ((const suite_time *)a)->seconds;
  const double second = ((const suite_time *)b)->seconds;
  return (first < second) - (first > second);
}

static void print_slow_suites(void)
{
  qsort(times, (size_t)timed, sizeof *times, compare_times);
  for (int n = 0; n < timed && times[n].seconds >= 1; ++n)
    printf("%s%s %.1f s", n == 0 ? "slowest suites: " : ", ", times[n].name, times[n].seconds);
  puts("");
}

int main(int argc, char **argv)
{
  CU_BasicRunMode mode = CU_BRM_NORMAL;
  int named = 0;
  if (CU_initialize_registry() != CUE_SUCCESS)
    return EXIT_FAILURE;
  for (int n = 1; n < argc; ++n) {
    if (strcmp(argv[n], "-v") == 0)
      mode = CU_BRM_VERBOSE;
    else if (strcmp(argv[n], "-l") == 0)
      return list_suites();
    else if (add_suite(argv[n]) == 0)
      ++named;
    else
      return 2;
  }
  for (int n = 0; n < SUITES && named == 0; ++n)
    suites[n].add();
  if (CU_get_error() != CUE_SUCCESS) {
    fprintf(stderr, "the suites could not be registered: %s\n", CU_get_error_msg());
    return EXIT_FAILURE;
  }
  CU_basic_set_mode(mode);
  CU_set_suite_start_handler(suite_starts);
  CU_set_suite_complete_handler(suite_ends);
  const int passed = CU_basic_run_tests() == CUE_SUCCESS && CU_get_number_of_failures() == 0 &&
                     CU_get_number_of_tests_run() > 0;
  print_slow_suites();
  CU_cleanup_registry();
  return passed ? EXIT_SUCCESS : EXIT_FAILURE;
}
