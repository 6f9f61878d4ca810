/* Whether bytes are UTF-8. */
#ifndef PQF_SRC_UTF8_H
#define PQF_SRC_UTF8_H

#include <stdint.h>

/* The place of the first byte that is not part of well-formed UTF-8 (RFC 3629), or that is NUL: ids
 * come back as C strings. -1: there is none. */
int64_t pqf_utf8_fault(const char *bytes, int64_t length);

#endif
