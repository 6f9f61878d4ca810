/* All host memory of the library comes from here. */
#ifndef PQF_SRC_MEMORY_H
#define PQF_SRC_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* count x size bytes, aligned to 64, not zeroed; large blocks ask for huge pages. NULL when the
 * product overflows or there is no memory: pqf_fail has then been called. Zero bytes give a valid
 * pointer. */
void *pqf_allocate(int64_t count, size_t size);

/* The same, zeroed. */
void *pqf_allocate_zeroed(int64_t count, size_t size);

/* Gives a block a new size, keeping its first `keep` bytes; NULL as above, and then `memory` is
 * as before. */
void *pqf_reallocate(void *memory, size_t keep, int64_t count, size_t size);

/* A copy of a text; NULL gives NULL without a failure. */
char *pqf_copy_text(const char *text);

/* NULL is allowed. */
void pqf_release(void *memory);

/* For tests: called before each allocation; a return other than 0 makes it fail. NULL: none. */
extern int (*pqf_allocation_hook)(void);

#endif
