/* The words of this thread's last failure. */
#ifndef PQF_SRC_ERROR_H
#define PQF_SRC_ERROR_H

#include "pqf.h"

#include <stdarg.h>

/* Sets the words (printf's format, cut at 511 bytes) and returns `status`. An argument may be the
 * present words themselves. */
int pqf_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
int pqf_fail_list(int status, const char *format, va_list list)
    __attribute__((format(printf, 2, 0)));

/* The same, so that compilers and checkers see in every file that `status` is what comes back: a
 * caller that goes on only after PQF_OK then reads nothing that was not set. */
static inline int pqf_after(int nothing, int status)
{
  (void)nothing;
  return status;
}
#define pqf_fail(status, ...) pqf_after((pqf_fail)((status), __VA_ARGS__), (status))

/* For a call that tries, fails at it and succeeds another way: puts back the error message from
 * before it, since one that succeeds must not leave one. */
enum { PQF_ERROR_SIZE = 512 };
void pqf_error_keep(char out[PQF_ERROR_SIZE]);
void pqf_error_restore(const char kept[PQF_ERROR_SIZE]);

#endif
