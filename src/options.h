/* The one table of options, and what is done with it. */
#ifndef PQF_SRC_OPTIONS_H
#define PQF_SRC_OPTIONS_H

#include "pqf.h"

/* Reads a caller's sized struct (`size` comes first) into `out`, which holds the defaults and is
 * `known` bytes long. Refuses a size below that of the first release, `least`, and bytes beyond
 * `known` that are not zero. */
int pqf_read_sized(void *out, size_t known, size_t least, const void *given, const char *what);

/* Fills a caller's sized struct from `value`, which is `known` bytes long and whose `size` is
 * ignored: copies what the caller has room for and zeroes what is beyond. */
int pqf_write_sized(void *out, size_t known, size_t least, const void *value, const char *what);

/* Reads, checks every member and copies the texts. On failure `out` owns nothing. */
int pqf_options_copy(pqf_options *out, const pqf_options *given);

/* Releases the texts of a copy. */
void pqf_options_clear(pqf_options *options);

/* The text form of option `index`; cut like snprintf, whose result it returns. */
int pqf_option_text(const pqf_options *options, int32_t index, char *out, size_t capacity);

/* The index of a name; -1: unknown. */
int32_t pqf_option_find(const char *name);

#endif
