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

#endif
