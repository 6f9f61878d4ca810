/* Records of a CSV file (RFC 4180), plain or gzip-compressed. */
#ifndef PQF_TOOLS_CSV_H
#define PQF_TOOLS_CSV_H

#include "text_file.h"

typedef struct pqf_csv {
  pqf_text_file text;
  char separator; /* '\0' before the first record */
  char **fields;  /* of the present record; each ends with NUL */
  int64_t count;
  int64_t capacity;
  int64_t line; /* where the present record begins, from 1 */
} pqf_csv;

/* A zeroed struct is closed; `path` must outlive it. */
int pqf_csv_open(pqf_csv *csv, const char *path);
void pqf_csv_close(pqf_csv *csv);

/* Goes to the next record, past blank lines. 1: there is one, 0: the file has ended, negative: it
 * failed. */
int pqf_csv_next(pqf_csv *csv);

/* Refuses a record of another length than the first had. */
int pqf_csv_check_count(const pqf_csv *csv, int64_t count);

#endif
