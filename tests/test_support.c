/* The helpers of test.h. */
#include "test.h"

#include "memory.h"

#include <ftw.h>
#include <libgen.h>
#include <limits.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Checks ---------------------------------------------------------------------------------- */

enum { MESSAGE = 1024 };

static int report(int passed, const char *message, const char *file, unsigned int line)
{
  CU_assertImplementation(passed ? CU_TRUE : CU_FALSE, line, message, file, "", CU_FALSE);
  return passed;
}

int test_check_status(int status, int expected, const char *expression, const char *file,
                      unsigned int line)
{
  char message[MESSAGE];
  snprintf(message, sizeof message, "%s: %s (%d: %s), expected %s", expression,
           pqf_strerror(status), status, status == PQF_OK ? "" : pqf_error_message(),
           pqf_strerror(expected));
  return report(status == expected, message, file, line);
}

int test_check_words(const char *part, const char *file, unsigned int line)
{
  char message[MESSAGE];
  snprintf(message, sizeof message, "the words \"%s\" lack \"%s\"", pqf_error_message(), part);
  return report(strstr(pqf_error_message(), part) != NULL, message, file, line);
}

int test_check_at_most(double value, double limit, const char *what, const char *file,
                       unsigned int line)
{
  char message[MESSAGE];
  snprintf(message, sizeof message, "%s: %.9g is above %.9g", what, value, limit);
  return report(value <= limit, message, file, line);
}

/* ---- How large ------------------------------------------------------------------------------- */

int test_large(void)
{
  const char *value = getenv("PQF_TEST_LARGE");
  return value != NULL && value[0] != '\0' && strcmp(value, "0") != 0;
}

/* ---- Allocations that fail ------------------------------------------------------------------- */

enum { MOST_ALLOCATIONS = 10000 };

static atomic_int allocations_left; /* the one that takes this to zero fails */

static int fail_one(void)
{
  return atomic_fetch_sub(&allocations_left, 1) == 1;
}

void test_every_allocation(int (*call)(void *payload), void *payload)
{
  for (int n = 1; n <= MOST_ALLOCATIONS; ++n) {
    char message[MESSAGE];
    atomic_store(&allocations_left, n);
    pqf_allocation_hook = fail_one;
    const int result = call(payload);
    pqf_allocation_hook = NULL;
    const int failed = atomic_load(&allocations_left) <= 0;
    const int expected = failed ? PQF_ENOMEM : PQF_OK;
    snprintf(message, sizeof message, "allocation %d %s: %s (%s), expected %s", n,
             failed ? "failed" : "did not come", pqf_strerror(result), pqf_error_message(),
             pqf_strerror(expected));
    report(result == expected, message, __FILE__, __LINE__);
    if (!failed)
      return;
  }
  report(0, "there is no end to the allocations", __FILE__, __LINE__);
}

/* ---- This program once more ------------------------------------------------------------------ */

enum { MOST_ARGUMENTS = 8, COULD_NOT_START = 127 };

int test_run_again(const char *name, const char *value, const char *const *arguments)
{
  char path[PATH_MAX] = ""; /* by readlink(), which valgrind answers with the program's own */
  char *argv[MOST_ARGUMENTS + 2] = {path};
  int status = -1;
  if (readlink("/proc/self/exe", path, sizeof path - 1) < 0)
    return COULD_NOT_START;
  for (int n = 0; n < MOST_ARGUMENTS && arguments[n] != NULL; ++n)
    argv[n + 1] = (char *)(uintptr_t)arguments[n]; /* execv() does not write to them */
  const pid_t child = fork();
  if (child == 0) {
    if (setenv(name, value, 1) == 0 && freopen("/dev/null", "w", stdout) != NULL)
      execv(path, argv);
    _exit(COULD_NOT_START);
  }
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
    return COULD_NOT_START;
  return WEXITSTATUS(status);
}

/* ---- Files ----------------------------------------------------------------------------------- */

static char directory[PATH_MAX];
static pid_t directory_owner;

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
  (void)status;
  (void)kind;
  (void)walk;
  return remove(path);
}

static void remove_directory(void)
{
  if (getpid() == directory_owner) /* a forked child leaves it alone */
    nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

const char *test_directory(void)
{
  if (directory[0] != '\0')
    return directory;
  const char *parent = getenv("TMPDIR");
  snprintf(directory, sizeof directory, "%s/pqf-tests-XXXXXX", parent != NULL ? parent : "/tmp");
  if (mkdtemp(directory) == NULL) {
    perror(directory);
    exit(EXIT_FAILURE);
  }
  directory_owner = getpid();
  atexit(remove_directory);
  return directory;
}

static const char *join(const char *parent, const char *name)
{
  static char paths[8][PATH_MAX];
  static unsigned int next;
  char *path = paths[next++ % 8];
  if (snprintf(path, PATH_MAX, "%s/%s", parent, name) >= PATH_MAX)
    path[0] = '\0';
  return path;
}

const char *test_file(const char *name)
{
  return join(test_directory(), name);
}

const char *test_data(const char *name)
{
  const char *parent = getenv("TEST_DATA");
  return join(parent != NULL ? parent : "tests/data", name);
}

/* The next number of a file; 0: there is none. */
static int next_number(FILE *file, double *out)
{
  int mark = fgetc(file);
  while (mark == ',' || mark == '\n' || mark == '\r' || mark == ' ')
    mark = fgetc(file);
  if (mark == EOF)
    return 0;
  ungetc(mark, file);
  return fscanf(file, "%63lf", out) == 1;
}

double *test_numbers(const char *name, int64_t *count)
{
  *count = 0;
  const char *path = test_data(name);
  FILE *file = fopen(path, "r");
  if (file == NULL) {
    report(0, path, __FILE__, __LINE__);
    return NULL;
  }
  int mark = fgetc(file);
  if (mark >= 'A')
    while (mark != '\n' && mark != EOF)
      mark = fgetc(file);
  else
    ungetc(mark, file);
  int64_t capacity = 1024;
  double *numbers = test_allocate(capacity, sizeof *numbers);
  double number;
  while (next_number(file, &number)) {
    if (*count == capacity) {
      double *larger = test_allocate(2 * capacity, sizeof *larger);
      memcpy(larger, numbers, (size_t)capacity * sizeof *larger);
      free(numbers);
      numbers = larger;
      capacity *= 2;
    }
    numbers[(*count)++] = number;
  }
  fclose(file);
  return numbers;
}

/* ---- Memory and numbers ---------------------------------------------------------------------- */

void *test_allocate(int64_t count, size_t size)
{
  void *memory = calloc(count > 0 ? (size_t)count : 1, size);
  if (memory == NULL) {
    perror("the tests ran out of memory");
    exit(EXIT_FAILURE);
  }
  return memory;
}

uint64_t test_bits(uint64_t *state)
{
  *state += 0x9e3779b97f4a7c15u;
  uint64_t bits = *state;
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9u;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebu;
  return bits ^ (bits >> 31);
}

/* The inverse of x ^ (x >> shift). */
static uint64_t unshift(uint64_t x, int shift)
{
  uint64_t bits = x;
  for (int done = shift; done < 64; done += shift)
    bits = x ^ (bits >> shift);
  return bits;
}

uint64_t test_unmix(uint64_t hash)
{
  uint64_t bits = unshift(hash, 31);
  bits = unshift(bits * 0x319642b2d24d8ec3u, 27); /* the inverses of the factors modulo 2^64 */
  return unshift(bits * 0x96de1b173f119089u, 30);
}

double test_uniform(uint64_t *state)
{
  return (double)(test_bits(state) >> 11) * 0x1p-53;
}

double test_normal(uint64_t *state)
{
  const double radius = sqrt(-2 * log1p(-test_uniform(state)));
  return radius * cos(6.283185307179586 * test_uniform(state));
}

float *test_normals(uint64_t seed, int64_t count, double scale)
{
  float *numbers = test_allocate(count, sizeof *numbers);
  for (int64_t n = 0; n < count; ++n)
    numbers[n] = (float)(scale * test_normal(&seed));
  return numbers;
}

double test_relative_error(const float *got, const double *want, int64_t count)
{
  double difference = 0;
  double size = 0;
  for (int64_t n = 0; n < count; ++n) {
    difference += ((double)got[n] - want[n]) * ((double)got[n] - want[n]);
    size += want[n] * want[n];
  }
  return sqrt(difference) / (size > 0 ? sqrt(size) : 1);
}

void test_python(const char *script, const char *packages)
{
  enum { SKIPPED = 77 };
  char folder[] = TEST_COMMAND; /* bin/pqf: the library is in lib/ beside bin/ */
  char line[sizeof folder + 2 * sizeof TEST_PYTHON + sizeof TEST_SOURCE + 200];
  if (TEST_UNDER_SANITIZER) {
    printf("\n    skipped: Python cannot load a library with sanitizers\n");
    return;
  }
  snprintf(line, sizeof line, "test -x '%s' || exit %d; '%s' '%s/tests/%s' '%s/../lib/libpqf.so'",
           TEST_PYTHON, SKIPPED, TEST_PYTHON, TEST_SOURCE, script, dirname(folder));
  const int ended = system(line);
  if (WIFEXITED(ended) && WEXITSTATUS(ended) == SKIPPED)
    printf("\n    skipped: no Python with %s in .venv\n", packages);
  else
    CU_ASSERT(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
}
