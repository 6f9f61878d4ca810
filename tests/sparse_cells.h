/* Sparse data from one list of cells in each way that there is, and its comparison to the bit. */
#ifndef PQF_TESTS_SPARSE_CELLS_H
#define PQF_TESTS_SPARSE_CELLS_H

#include "pqf.h"

/* Cells as a caller gives them: owned. */
typedef struct cell_list {
  int64_t rows, cols, count;
  int32_t *row, *col;
  float *value;
  float *weight; /* NULL: none */
} cell_list;

void cell_list_free(cell_list *list);

/* `count` cells, some of them more than once where there are many. */
cell_list cell_list_random(int64_t rows, int64_t cols, int64_t count, int weighted, uint64_t seed);

/* Ways to hand them over. */
enum { AS_LIST, AS_COMPRESSED_ROWS, AS_CHUNKS, WAYS };

/* Builds data; NULL after a failure, whose status goes to `*status`. */
pqf_data *cell_list_build(const cell_list *list, int way, const pqf_data_options *options,
                          int *status);

/* Whether two sparse data are the same to the bit. */
int same_sparse_data(const pqf_data *a, const pqf_data *b);

#endif
