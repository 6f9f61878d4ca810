/* What every suite shares: checks that quote the library's own words, a failing allocator, files,
 * and numbers that are the same in each run. Checks belong to the thread that runs the suites. */
#ifndef PQF_TESTS_TEST_H
#define PQF_TESTS_TEST_H

#include "pqf.h"

#include <CUnit/CUnit.h>

#include <stddef.h>
#include <stdint.h>

/* Checks a call's status; a mismatch is reported with pqf_error_message(). 1: it matched. */
#define CHECK_STATUS(expression, expected)                                                         \
  test_check_status((expression), (expected), #expression, __FILE__, __LINE__)
#define CHECK_OK(expression) CHECK_STATUS(expression, PQF_OK)

/* Checks that the words of the last failure contain a part. */
#define CHECK_WORDS(part) test_check_words((part), __FILE__, __LINE__)

/* Checks value <= limit and reports both; a NaN fails. `what` names the value. */
#define CHECK_AT_MOST(value, limit, what)                                                          \
  test_check_at_most((value), (limit), (what), __FILE__, __LINE__)

/* Stops the test: for what its remainder cannot do without. */
#define REQUIRE_OK(expression)                                                                     \
  do {                                                                                             \
    if (!CHECK_OK(expression))                                                                     \
      return;                                                                                      \
  } while (0)

int test_check_status(int status, int expected, const char *expression, const char *file,
                      unsigned int line);
int test_check_words(const char *part, const char *file, unsigned int line);
int test_check_at_most(double value, double limit, const char *what, const char *file,
                       unsigned int line);

/* 1 in a build with ThreadSanitizer, which is slow and forbids some things. */
#if defined(__SANITIZE_THREAD__)
#define TEST_UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TEST_UNDER_TSAN 1
#endif
#endif
#ifndef TEST_UNDER_TSAN
#define TEST_UNDER_TSAN 0
#endif

/* 1 in any build with a sanitizer that other programs would have to be linked with. */
#if defined(__SANITIZE_ADDRESS__) || TEST_UNDER_TSAN
#define TEST_UNDER_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TEST_UNDER_SANITIZER 1
#endif
#endif
#ifndef TEST_UNDER_SANITIZER
#define TEST_UNDER_SANITIZER 0
#endif

/* 1 where tests may take minutes: PQF_TEST_LARGE=1 in the environment, which `make LARGE=1` sets
 * and .ci/full does. 0: a suite ends within seconds, so a grid runs over a part that still reaches
 * every branch. Bounds and tolerances do not depend on it. */
int test_large(void);

/* Runs `call` with its 1st, 2nd, ... allocation failing, and expects PQF_ENOMEM each time; ends
 * with the run that makes fewer allocations than that, which must return PQF_OK. */
void test_every_allocation(int (*call)(void *payload), void *payload);

/* The same with every call of malloc() and its kin in the whole process: jansson's and the C
 * library's too, which may do without, so that PQF_OK is right as well. After each call, when all
 * succeed again, `check` looks at what it has left; NULL: nothing does. */
void test_every_malloc(int (*call)(void *payload), void (*check)(int status, void *payload),
                       void *payload);

/* Runs this program once more with NAME=value in its environment, its output unseen, and gives the
 * exit status. `arguments` are suites, ended by NULL. */
int test_run_again(const char *name, const char *value, const char *const *arguments);

/* A directory for this run's files, removed when the process ends. */
const char *test_directory(void);

/* Runs tests/`script` with the Python of .venv on the library that was built, and checks that it
 * ends well. Says so and goes on where there is no such Python, where the script exits with 77 (it
 * lacks `packages`), and in builds with sanitizers, whose library Python cannot load. */
void test_python(const char *script, const char *packages);

/* The path of `name` in test_directory(), or of tests/data/`name` (the environment's TEST_DATA
 * stands in for tests/data). Valid until the eighth call after it. */
const char *test_file(const char *name);
const char *test_data(const char *name);

/* Every number of a text file in test_data(), separated by commas and line ends; a first line that
 * begins with a letter is skipped. The caller frees it. NULL: it could not be read, which has been
 * reported. */
double *test_numbers(const char *name, int64_t *count);

/* calloc() that ends the run when there is no memory; free() it. */
void *test_allocate(int64_t count, size_t size);

/* A small generator (splitmix64), apart from the library's: `state` may start anywhere. */
uint64_t test_bits(uint64_t *state);
/* The number whose splitmix64 finaliser is `hash`: what ids that collide on purpose are made of. */
uint64_t test_unmix(uint64_t hash);
double test_uniform(uint64_t *state); /* in [0, 1) */
double test_normal(uint64_t *state);

/* `count` standard normal numbers times `scale`; the caller frees them. */
float *test_normals(uint64_t seed, int64_t count, double scale);

/* |got - want| / |want| (Frobenius), in double; the plain |got| where want is zero. */
double test_relative_error(const float *got, const double *want, int64_t count);

#endif
