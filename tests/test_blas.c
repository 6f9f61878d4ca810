/* The BLAS: loaded by the first large dense product and by nothing else, without threads of its
 * own, the one that the build names (on Debian libblas.so.3 is an alternative, which may resolve to
 * any of several), and refused in words where there is no room for it. */
#include "cases.h"
#include "shell.h"
#include "suites.h"
#include "test.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

/* Set in a process that this suite starts anew, in which no other suite has loaded a BLAS. */
#define FRESH "TEST_BLAS_FRESH"

static int is_openblas(void)
{
  return strcmp(TEST_BLAS, "openblas") == 0;
}

static int starts_with(const char *text, const char *start)
{
  return strncmp(text, start, strlen(start)) == 0;
}

/* Which BLAS the library of that path is; NULL: none. Debian's OpenBLAS and BLIS each have a
 * libblas.so.3 as well, in a folder of their name. */
static const char *blas_of_file(const char *path)
{
  const char *name = strrchr(path, '/');
  if (name == NULL)
    return NULL;
  const char *folder = name;
  while (folder > path && folder[-1] != '/')
    --folder;
  ++name;
  if (starts_with(name, "libopenblas"))
    return "openblas";
  if (starts_with(name, "libblis"))
    return "blis";
  if (!starts_with(name, "libblas.so") && !starts_with(name, "libcblas.so"))
    return NULL;
  if (starts_with(folder, "openblas"))
    return "openblas";
  return starts_with(folder, "blis") ? "blis" : "reference";
}

/* How many mappings of a BLAS this process has; each has to be of the one that the build names. */
static int count_mapped(void)
{
  char line[PATH_MAX + 128];
  char message[PATH_MAX + 256];
  int found = 0;
  FILE *maps = fopen("/proc/self/maps", "r");
  CU_ASSERT_PTR_NOT_NULL_FATAL(maps);
  while (fgets(line, sizeof line, maps) != NULL) {
    const char *path = strchr(line, '/');
    const char *blas = path != NULL ? blas_of_file(path) : NULL;
    if (blas == NULL)
      continue;
    line[strcspn(line, "\n")] = '\0';
    snprintf(message, sizeof message, "built for BLAS=%s, runs with %s", TEST_BLAS, path);
    CU_assertImplementation(strcmp(blas, TEST_BLAS) == 0, __LINE__, message, __FILE__, "",
                            CU_FALSE);
    ++found;
  }
  (void)fclose(maps);
  return found;
}

static int count_threads(void)
{
  DIR *tasks = opendir("/proc/self/task");
  int count = 0;
  CU_ASSERT_PTR_NOT_NULL(tasks);
  while (tasks != NULL && readdir(tasks) != NULL)
    ++count;
  if (tasks != NULL)
    (void)closedir(tasks);
  return count;
}

/* Checks that there are no more threads than before. One that was joined may be listed a moment
 * longer; ThreadSanitizer has one of its own. */
static void check_threads(int before)
{
  const struct timespec millisecond = {.tv_nsec = 1000000};
  if (TEST_UNDER_TSAN)
    return;
  for (int n = 0; n < 2000 && count_threads() != before; ++n)
    nanosleep(&millisecond, NULL);
  CU_ASSERT_EQUAL(count_threads(), before);
}

static const char *words(void)
{
  static pqf_backend_info info;
  info.size = sizeof info;
  CHECK_OK(pqf_backend_describe(NULL, 0, &info));
  return info.words;
}

/* ---- What needs no BLAS ---------------------------------------------------------------------- */

static void fit_and_serve(const pqf_data *data, const pqf_options *options)
{
  static const int32_t row[] = {0, 3};
  static const int32_t col[] = {2, 1};
  float value[2];
  pqf_model *model = NULL;
  pqf_model *loaded = NULL;
  CHECK_OK(pqf_create(&model, options));
  if (CHECK_OK(pqf_fit(model, data, data)) && CHECK_OK(pqf_save(model, test_file("model.pqf"))) &&
      CHECK_OK(pqf_load(&loaded, test_file("model.pqf"), 0)))
    CHECK_OK(pqf_predict(loaded, 2, row, col, value));
  pqf_free(loaded);
  pqf_free(model);
}

/* Least squares for every objective, gradient descent on sparse data, and on a small matrix. */
static void least_squares_and_serving_load_none(void)
{
  static const int32_t objectives[] = {PQF_OBJECTIVE_OBSERVED, PQF_OBJECTIVE_SQUARED,
                                       PQF_OBJECTIVE_IMPLICIT};
  test_case test;
  const int before = count_threads();
  CU_ASSERT_PTR_NOT_NULL(strstr(words(), "(loaded when it is needed)"));
  case_create(&test, &case_kinds[3], (case_shape){300, 200}, 40, 0.2, 1);
  for (int64_t n = 0; n < 300 * 200; ++n)
    test.truth.value[n] = test.truth.value[n] * test.truth.value[n]; /* clicks are not negative */
  case_renew_data(&test);
  for (int n = 0; n < 3; ++n) {
    pqf_options options = PQF_OPTIONS_INIT;
    options.backend = "cpu";
    options.solver = PQF_SOLVER_ALS;
    options.objective = objectives[n];
    options.factors = 40;
    options.epochs = 2;
    options.threads = 2;
    fit_and_serve(test.data, &options);
  }
  case_free(&test);
  for (int kind = 0; kind < case_kind_count; ++kind) {
    case_create(&test, &case_kinds[kind], (case_shape){300, 200}, 40, 0.2, 1);
    pqf_options options = case_options(&test);
    options.backend = "cpu";
    options.init = PQF_INIT_NORMAL;
    options.threads = 2;
    fit_and_serve(test.data, &options);
    case_free(&test);
  }
  CU_ASSERT_EQUAL(count_mapped(), 0);
  check_threads(before);
  CU_ASSERT_PTR_NOT_NULL(strstr(words(), "(loaded when it is needed)"));
}

/* ---- What does ------------------------------------------------------------------------------- */

/* Just more than small_product of backends/cpu_dense.c. */
static void create_large(test_case *out)
{
  case_create(out, &case_kinds[0], (case_shape){700, 600}, 40, 1, 2);
}

static pqf_model *create_model(const test_case *test, int32_t threads, uint64_t memory_limit)
{
  pqf_options options = case_options(test);
  pqf_model *model = NULL;
  options.backend = "cpu";
  options.init = PQF_INIT_NORMAL;
  options.threads = threads;
  options.memory_limit = memory_limit;
  CHECK_OK(pqf_create(&model, &options));
  return model;
}

static int fit_large(const test_case *test, int32_t threads, uint64_t memory_limit)
{
  pqf_model *model = create_model(test, threads, memory_limit);
  const int status = pqf_fit(model, test->data, NULL);
  pqf_free(model);
  return status;
}

static uint64_t mapped_bytes(void)
{
  unsigned long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  CU_ASSERT_PTR_NOT_NULL_FATAL(file);
  CU_ASSERT_EQUAL(fscanf(file, "%lu", &pages), 1);
  (void)fclose(file);
  return (uint64_t)pages * 4096;
}

/* The status of a fit in a process that may map so many bytes more. */
static int fit_within(const test_case *test, int32_t threads, uint64_t bytes)
{
  struct rlimit before;
  CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_AS, &before), 0);
  const struct rlimit limit = {.rlim_cur = mapped_bytes() + bytes, .rlim_max = before.rlim_max};
  CU_ASSERT_EQUAL(setrlimit(RLIMIT_AS, &limit), 0);
  const int status = fit_large(test, threads, 0);
  CU_ASSERT_EQUAL(setrlimit(RLIMIT_AS, &before), 0);
  return status;
}

/* Neither an endless search for memory nor a crash; afterwards all is as before. */
static void short_address_space_is_told(void)
{
  enum { MEGABYTE = 1 << 20 };
  test_case test;
  const int before = count_threads();
  create_large(&test);
  if (!TEST_UNDER_SANITIZER) {
    CU_ASSERT_EQUAL(fit_within(&test, 1, 40 * MEGABYTE), PQF_ENOMEM);
    CHECK_WORDS("no memory to load ");
    CU_ASSERT_EQUAL(count_mapped(), 0);
  }
  CHECK_OK(fit_large(&test, 1, 0));
  CU_ASSERT(count_mapped() > 0);
  check_threads(before);
  CU_ASSERT_PTR_NULL(strstr(words(), "(loaded when it is needed)"));
  if (is_openblas() && !TEST_UNDER_SANITIZER) {
    CU_ASSERT_EQUAL(fit_within(&test, 4, 200 * MEGABYTE), PQF_ENOMEM);
    CHECK_WORDS("no address space for the BLAS");
    CU_ASSERT_EQUAL(fit_within(&test, 1, 100 * MEGABYTE), PQF_OK); /* its buffer is there */
  }
  CHECK_OK(fit_large(&test, 4, 0));
  case_free(&test);
}

/* 128 MiB of address space for each thread, of OpenBLAS, in problems that need it. */
static void the_plan_counts_its_buffers(void)
{
  const uint64_t buffer = is_openblas() ? (uint64_t)128 << 20 : 0;
  pqf_memory memory = {.size = sizeof memory};
  test_case test;
  create_large(&test);
  pqf_model *model = create_model(&test, 3, 0);
  CHECK_OK(pqf_plan(model, test.data, NULL, &memory));
  CU_ASSERT(memory.fit_bytes > 3 * buffer);
  CHECK_STATUS(fit_large(&test, 3, memory.fit_bytes - 1), PQF_ENOMEM);
  CHECK_OK(fit_large(&test, 3, memory.fit_bytes));
  pqf_free(model);
  case_free(&test);

  case_create(&test, &case_kinds[0], (case_shape){300, 200}, 40, 1, 2);
  model = create_model(&test, 3, 0);
  CHECK_OK(pqf_plan(model, test.data, NULL, &memory));
  CU_ASSERT(memory.fit_bytes < (uint64_t)16 << 20);
  pqf_free(model);
  case_free(&test);
}

static void what_a_fresh_process_loads(void)
{
  static const char *const suites[] = {"blas", NULL};
  CU_ASSERT_EQUAL(test_run_again(FRESH, "1", suites), 0);
}

static void products_come_from_that_of_the_build(void)
{
  test_case test;
  create_large(&test);
  CHECK_OK(fit_large(&test, 2, 0));
  CU_ASSERT(count_mapped() > 0);
  case_free(&test);
}

/* ---- The command, short of address space ------------------------------------------------------
 */

/* A matrix of the size of create_large(), as .npy. */
static void write_large(void)
{
  enum { ROWS = 700, COLS = 600, HEAD = 128 };
  static const char magic[] = "\x93NUMPY\x01\0\x76";
  const size_t size = HEAD + ROWS * COLS * sizeof(float);
  char *bytes = test_allocate((int64_t)size, 1);
  float *values = test_normals(1, ROWS * COLS, 1);
  memset(bytes, ' ', HEAD);
  memcpy(bytes, magic, sizeof magic);
  snprintf(bytes + 10, HEAD - 10, "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }",
           ROWS, COLS);
  bytes[strlen(bytes + 10) + 10] = ' ';
  bytes[HEAD - 1] = '\n';
  memcpy(bytes + HEAD, values, size - HEAD);
  shell_bytes("large.npy", bytes, size);
  free(values);
  free(bytes);
}

/* Each ends at once: well, or with words of memory (124 and 137 are timeout's codes). */
#define ENDS(kilobytes, command)                                                                   \
  "(ulimit -v " kilobytes "; timeout -k 1 60 " command " > $T/out 2> $T/words); code=$?; "         \
  "test $code = 0 || { test $code = 1 && grep -Eq 'memory|address space' $T/words; } || "          \
  "{ echo " kilobytes ": $code; cat $T/words; }; "

#define AT_EVERY_LIMIT(command)                                                                    \
  ENDS("120000", command)                                                                          \
  ENDS("160000", command)                                                                          \
  ENDS("200000", command)                                                                          \
  ENDS("250000", command) ENDS("320000", command) ENDS("400000", command)

static void commands_end_whatever_the_limit(void)
{
  if (TEST_UNDER_SANITIZER) /* which map terabytes */
    return;
  shell_file("three.csv", "1,2\n3,4\n");
  write_large();
  EXPECT(0, AT_EVERY_LIMIT("$PQF --version"));
  PRINTED("");
  EXPECT(0, AT_EVERY_LIMIT("$PQF backends"));
  PRINTED("");
  EXPECT(0, AT_EVERY_LIMIT("$PQF fit $T/three.csv --output $T/m.pqf --epochs 3 --quiet"));
  PRINTED("");
#define LARGE                                                                                      \
  "$PQF fit $T/large.npy --output $T/m.pqf --factors 40 --epochs 2 --learning-rate 1e-6 "          \
  "--quiet --threads 2"
  EXPECT(0, AT_EVERY_LIMIT(LARGE));
  PRINTED("");
  EXPECT(0, "ulimit -v 4000000; " LARGE);
  if (is_openblas())
    REFUSED(1, "ulimit -v 250000; exec " LARGE, "pqf: backend cpu: no ");
#undef LARGE
}

void suite_blas(void)
{
  CU_pSuite suite = CU_add_suite("blas", NULL, NULL);
  if (getenv(FRESH) != NULL) {
    CU_add_test(suite, "least squares and serving load no BLAS",
                least_squares_and_serving_load_none);
    CU_add_test(suite, "short address space is told", short_address_space_is_told);
    return;
  }
  CU_add_test(suite, "what a fresh process loads", what_a_fresh_process_loads);
  CU_add_test(suite, "products come from the BLAS of the build",
              products_come_from_that_of_the_build);
  CU_add_test(suite, "the plan counts the BLAS's buffers", the_plan_counts_its_buffers);
  CU_add_test(suite, "commands end whatever the limit", commands_end_whatever_the_limit);
}
