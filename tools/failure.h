/* The words of the command's last failure, which main() prints; and memory that fails in words. */
#ifndef PQF_TOOLS_FAILURE_H
#define PQF_TOOLS_FAILURE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Sets the words (printf's format, cut at 1023 bytes) and returns `status`. An argument may be the
 * present words. */
int pqf_say(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints text that comes from a file or the command line to standard output, to the right of a
 * column of `width` bytes; what a terminal would obey is escaped, as it is in the words. */
void pqf_print_shown(const char *text, int width);

/* The words; never NULL. */
const char *pqf_said(void);

/* realloc() of count x size bytes. NULL: the product overflows or there is no memory; the words are
 * set and `memory` is as before. */
void *pqf_resize(void *memory, int64_t count, size_t size);

/* Makes room for `needed` elements: doubles `capacity` until it is enough. NULL as above. */
void *pqf_grow(void *memory, int64_t *capacity, int64_t needed, size_t size);

#ifdef __cplusplus
}
#endif

#endif
