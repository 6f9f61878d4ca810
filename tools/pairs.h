/* Pairs of ids to predict, from a file. */
#ifndef PQF_TOOLS_PAIRS_H
#define PQF_TOOLS_PAIRS_H

#include "input.h"

/* A zeroed struct is empty. */
typedef struct pqf_pairs {
  int64_t count;
  int64_t capacity;
  int32_t *row; /* indices of the model */
  int32_t *col;
  char *names[2]; /* of the two columns; NULL: the file has no names */
} pqf_pairs;

/* Reads CSV or Parquet: the first two columns, or those that the options name; further ones are
 * ignored. An id that the model lacks is PQF_ENOTFOUND, and the words name it and its line.
 *
 * The first line of a CSV file is a header if neither of its ids is in the model and one of its
 * fields is no number. */
int pqf_read_pairs(pqf_pairs *out, const char *path, const pqf_model *model,
                   const pqf_input_options *options);

void pqf_pairs_clear(pqf_pairs *pairs);

#endif
