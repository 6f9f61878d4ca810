/* Files that hold R, told apart by their first bytes and their names. */
#ifndef PQF_TOOLS_INPUT_H
#define PQF_TOOLS_INPUT_H

#include "table.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Words of flags; PQF_GUESS: told from the file. */
enum { PQF_GUESS, PQF_YES, PQF_NO };
enum { PQF_WIDE = 1, PQF_LONG };

/* How to read a file. */
typedef struct pqf_input_options {
  int layout; /* PQF_GUESS, PQF_WIDE, PQF_LONG */
  int header; /* of CSV */
  int index;  /* whether a wide table has a column of row ids */
  int nan_is_absent;
  const char *row; /* names of columns; NULL: by position */
  const char *col;
  const char *value;
  const char *time; /* also by its place, counted from 1; NULL: none is read */
  int duplicates;   /* PQF_DUPLICATES_... */
} pqf_input_options;

enum { PQF_FORMAT_CSV, PQF_FORMAT_MATRIX_MARKET, PQF_FORMAT_NPY, PQF_FORMAT_PARQUET };

/* Tells the format of a file. An empty file, a directory, and a file whose name promises what its
 * first bytes are not are refused. */
int pqf_input_format(int *out, const char *path);

/* Reads a file of any format into a table. */
int pqf_input_table(pqf_table *out, const char *path, const pqf_input_options *options);

/* Reads a file as R. `table` keeps what the data borrow and must outlive them; its ids can be asked
 * for only if `keep_ids`. */
int pqf_input_data(pqf_data **out, pqf_table *table, const char *path,
                   const pqf_input_options *options, bool keep_ids);

/* The readers, one for each format. The table is zeroed before; a half-read one is cleared by the
 * caller. */
int pqf_read_csv(pqf_table *out, const char *path, const pqf_input_options *options);
int pqf_read_matrix_market(pqf_table *out, const char *path);
int pqf_read_npy(pqf_table *out, const char *path);

#ifdef __cplusplus
}
#endif

#endif
