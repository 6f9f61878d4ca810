/* The insides of pqf_data. */
#ifndef PQF_SRC_DATA_H
#define PQF_SRC_DATA_H

#include "ids.h"
#include "pqf_backend.h"

struct pqf_data {
  pqf_matrix matrix; /* views of what follows */
  float *dense;      /* NULL: borrowed, or sparse */
  int64_t *row_offset;
  int64_t *col_offset;
  int32_t *row_index; /* cells by row: column of each */
  int32_t *col_index; /* cells by column: row of each */
  float *row_value;
  float *col_value;
  float *row_weight;
  float *col_weight;
  pqf_ids *ids[2]; /* PQF_ROWS, PQF_COLS; NULL: none */
  /* 1: a table had ids, which are left out because they are 0, 1, 2, ... in order. 0 and no ids:
   * nothing is known but the order. */
  int32_t ids_left_out[2];
};

/* The options a caller gave, read by the copy rule for sized structs. */
int pqf_data_options_read(pqf_data_options *out, const pqf_data_options *options);

/* Refuses to take more than the option memory_limit allows: `known` bytes, and count x size. */
int pqf_data_check_memory(const pqf_data_options *options, uint64_t known, int64_t count,
                          size_t size);

/* Checks 1 <= rows, cols <= INT32_MAX. */
int pqf_check_shape(int64_t rows, int64_t cols);

/* Both kinds of R start here: zeroed, shape set. */
pqf_data *pqf_data_new(int64_t rows, int64_t cols);

/* A cell for words, by its ids: (3, 17); gives `out`. */
enum { PQF_CELL_NAME = 2 * PQF_ID_NAME + 4 };
const char *pqf_data_cell_name(const pqf_data *data, int64_t row, int64_t col,
                               char out[PQF_CELL_NAME]);

/* Checks that data of a shape goes by the ids of another object, `owner` in the message: PQF_EINVAL
 * names the first that differs. No ids are 0, 1, 2, ...; but a side of `data` that never had any is
 * taken to be in the right order, unless `strictly`. */
int pqf_data_check_ids(const pqf_data *data, const char *name, pqf_ids *const ids[2],
                       const char *owner, int strictly);

/* Takes dense values, rows x cols, into new `data` and checks them. Where `data->dense` is
 * - NULL, `values` are borrowed;
 * - an array of rows x cols that is not `values`, they are copied into it;
 * - `values` itself, they are in their place.
 * With `nan_is_absent` and a NaN among the values, `data` becomes sparse and keeps no dense array.
 * On failure `data` is half-built. */
int pqf_data_take_dense(pqf_data *data, const float *values, int64_t stride,
                        const pqf_data_options *options);

#endif
