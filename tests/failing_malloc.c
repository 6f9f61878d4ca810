/* malloc() and its kin of the whole process, so that a test can have the n-th call fail, whoever
 * makes it: the library, jansson, the C library itself. A definition in the program stands before
 * those of the shared libraries; what it defines is found behind it, be it the C library's or a
 * sanitizer's. Memory is freed by the same library, so free() needs none. */
#include "test.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CALLS = 20000, NEVER = -1 };

static atomic_int calls_left = NEVER; /* the call that takes this to zero fails */

/* Not with ThreadSanitizer, which itself calls malloc() before it is ready to be called: none
 * fails. */
#if !TEST_UNDER_TSAN

/* Whether this is the call that fails. */
static int fails(void)
{
  if (atomic_load_explicit(&calls_left, memory_order_relaxed) <= 0 ||
      atomic_fetch_sub(&calls_left, 1) != 1)
    return 0;
  errno = ENOMEM;
  return 1;
}

/* NOLINTBEGIN(bugprone-macro-parentheses, readability-inconsistent-declaration-parameter-name) */

/* Defines TYPE NAME PARAMETERS as a call of the next definition, which is found before main(): a
 * first call may come from within dlerror(), whose message dlsym() frees. */
#define PASS_ON(type, name, parameters, arguments, failure)                                        \
  __attribute__((visibility("default"))) type name parameters;                                     \
  static _Atomic(void *) next_##name;                                                              \
  __attribute__((constructor)) static void find_##name(void)                                       \
  {                                                                                                \
    atomic_store_explicit(&next_##name, dlsym(RTLD_NEXT, #name), memory_order_relaxed);            \
  }                                                                                                \
  __attribute__((visibility("default"))) type name parameters                                      \
  {                                                                                                \
    union {                                                                                        \
      void *object;                                                                                \
      type(*function) parameters;                                                                  \
    } found = {.object = atomic_load_explicit(&next_##name, memory_order_relaxed)};                \
    if (found.object == NULL) {                                                                    \
      find_##name();                                                                               \
      found.object = atomic_load_explicit(&next_##name, memory_order_relaxed);                     \
    }                                                                                              \
    return fails() ? (failure) : found.function arguments;                                         \
  }

PASS_ON(void *, malloc, (size_t size), (size), NULL)
PASS_ON(void *, calloc, (size_t count, size_t size), (count, size), NULL)
PASS_ON(void *, realloc, (void *memory, size_t size), (memory, size), NULL)
PASS_ON(void *, aligned_alloc, (size_t alignment, size_t size), (alignment, size), NULL)
PASS_ON(int, posix_memalign, (void **out, size_t alignment, size_t size), (out, alignment, size),
        ENOMEM)

/* NOLINTEND(bugprone-macro-parentheses, readability-inconsistent-declaration-parameter-name) */

#endif

void test_every_malloc(int (*call)(void *payload), void (*check)(int status, void *payload),
                       void *payload)
{
  for (int n = 1; n <= MOST_CALLS; ++n) {
    char message[1024];
    char before[1024];
    snprintf(before, sizeof before, "%s", pqf_error_message());
    atomic_store(&calls_left, n);
    const int result = call(payload);
    const int failed = atomic_exchange(&calls_left, NEVER) == 0;
    const char *after = pqf_error_message();
    snprintf(message, sizeof message, "malloc %d failed and the call did not, which left \"%s\"", n,
             after);
    CU_assertImplementation(result != PQF_OK || after[0] == '\0' || strcmp(after, before) == 0,
                            __LINE__, message, __FILE__, "", CU_FALSE);
    snprintf(message, sizeof message, "malloc %d %s: %s (%s)", n,
             failed ? "failed" : "did not come", pqf_strerror(result), pqf_error_message());
    CU_assertImplementation(result == PQF_OK || (failed && result == PQF_ENOMEM), __LINE__, message,
                            __FILE__, "", CU_FALSE);
    if (check != NULL)
      check(result, payload);
    if (!failed)
      return;
  }
  CU_FAIL("there is no end to the calls of malloc()");
}
