/* A table as a file gives it: dense values or a list of cells, and the ids of its two sides. */
#ifndef PQF_TOOLS_TABLE_H
#define PQF_TOOLS_TABLE_H

#include "id_map.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A zeroed struct is an empty table. A side without ids (PQF_IDS_NONE) is told by position alone:
 * that is not the same as the ids 0, 1, 2, ... of a long table. */
typedef struct pqf_table {
  int64_t rows;
  int64_t cols;
  const float *values; /* rows x cols, row-major; NULL: cells */
  float *owned;        /* `values`, or NULL where they lie in the mapped file */
  void *mapping;
  size_t mapping_size;
  int64_t count; /* of cells */
  int64_t capacity;
  int32_t *row;
  int32_t *col;
  float *cell;
  bool timed;        /* set by its reader: cells have times */
  double *time;      /* of each cell */
  pqf_id_map ids[2]; /* PQF_ROWS, PQF_COLS */
  char *names[4];    /* of the columns of a long table: row, column, value, time; NULL: none */
} pqf_table;

struct pqf_input_options;

void pqf_table_clear(pqf_table *table);

/* Appends a cell; its indices are those of the ids, or final. */
int pqf_table_add_cell(pqf_table *table, int32_t row, int32_t col, float value);

/* Ends a long table: numbers rows and columns by ascending ids and sets the shape. */
int pqf_table_sort_ids(pqf_table *table);

/* Keeps the name of one of the columns of a long table, 0 to 3. */
int pqf_table_name(pqf_table *table, int column, const char *name);

/* Makes a list of cells of it, none without a value: those are left out if `nan_is_absent`, else
 * refused. */
int pqf_table_list(pqf_table *table, int nan_is_absent, const char *path);

/* Makes R of it. Dense values are borrowed unless `nan_is_absent`: the table must outlive the data.
 * Cells are copied and then released. `path` is for words. */
int pqf_table_data(pqf_data **out, pqf_table *table, const struct pqf_input_options *input,
                   const char *path);

/* Sets the words of a pqf_data_...() call that failed: the library's, with the file, the ids of the
 * cell that they name and, where a cell had no value, the flag that allows it. `table` is NULL
 * where the library knew the ids. */
int pqf_table_fail(int status, const pqf_table *table, const char *path, int nan_is_absent);

/* Renumbers a validation table as `training` is numbered, by id where there are ids, and gives it
 * that shape. An id that `training` lacks is PQF_EINVAL. */
int pqf_table_align(pqf_table *table, const pqf_table *training, const char *path);

#ifdef __cplusplus
}
#endif

#endif
