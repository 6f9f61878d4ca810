/* The row type of the table of options; the table itself is in options.c. */
#ifndef PQF_SRC_OPTION_TABLE_H
#define PQF_SRC_OPTION_TABLE_H

#include "options.h"

/* The C type of an option's member. */
typedef enum pqf_member {
  PQF_MEMBER_INT32,
  PQF_MEMBER_INT64,
  PQF_MEMBER_UINT64,
  PQF_MEMBER_DOUBLE,
  PQF_MEMBER_TEXT /* const char *; NULL means the default */
} pqf_member;

typedef struct pqf_option_row {
  const char *name;
  const char *help;
  const char *default_value;
  const char *words; /* "normal|torch|given": a word's place is its number; NULL: no word option */
  size_t offset;     /* of the member in pqf_options */
  double minimum;    /* of a number; those of 64 bits may be their type's own bounds, rounded */
  double maximum;
  pqf_member member;
  int32_t type; /* PQF_TYPE_... */
  int32_t minimum_excluded;
} pqf_option_row;

/* The row of an option; `index` must be in range. */
const pqf_option_row *pqf_option_row_of(int32_t index);

/* The bytes from the start of pqf_options to the end of the row's member. */
size_t pqf_option_end(const pqf_option_row *row);

/* Checks the member of `options` against the row; PQF_EINVAL with words. */
int pqf_option_check(const pqf_option_row *row, const pqf_options *options);

/* PQF_EINVAL with "NAME is VALUE: must be ...". `quote` is "'" for a value that could not be read
 * as one of the option's type, else "". */
int pqf_option_refuse(const pqf_option_row *row, const char *value, const char *quote);

/* Checks the `size` that a caller's struct starts with, and gives it. */
int pqf_sized_check(size_t *size, size_t least, const void *given, const char *what);

/* The size of pqf_options in release 0.1.0. */
enum { PQF_OPTIONS_FIRST_SIZE = offsetof(pqf_options, payload) + sizeof(void *) };

#endif
