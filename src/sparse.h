/* How sparse R is put together. */
#ifndef PQF_SRC_SPARSE_H
#define PQF_SRC_SPARSE_H

#include "data.h"
#include "regroup.h"

/* The cells of a sparse R, as a caller gives them. */
typedef struct pqf_cell_list {
  int64_t count;
  const int64_t *offset; /* compressed rows: rows + 1 offsets, checked; NULL: `row` is given */
  const int32_t *row;
  const int32_t *col;
  const float *value;  /* NULL: all are 1 */
  const float *weight; /* NULL: all are 1, and none are kept */
} pqf_cell_list;

/* Takes cells into new `data` and checks them. On failure `data` is half-built. */
int pqf_data_take_cells(pqf_data *data, const pqf_cell_list *list, const pqf_data_options *options);

/* The same for cells that have been checked, with their rows as keys, none of them absent. */
int pqf_data_take_walk(pqf_data *data, const pqf_walk *cells, int weighted,
                       const pqf_data_options *options);

/* Refuses to build what takes more than the option memory_limit allows: at the peak, for `count`
 * cells and beside `known` bytes. */
int pqf_data_check_build(const pqf_data *data, const pqf_data_options *options, uint64_t known,
                         int64_t count, int weighted);

/* Makes room for `count` cells by row; of the offsets the first is set. */
int pqf_data_row_room(pqf_data *data, int64_t count, int weighted);

/* The rest, once each row has its cells, in any order: sorts them, sees to cells given twice, fills
 * in the columns and the views. */
int pqf_data_settle_rows(pqf_data *data, const pqf_data_options *options);

/* The two sides of sparse `data`. */
pqf_groups pqf_rows_of(const pqf_data *data);
pqf_groups pqf_cols_of(const pqf_data *data);

/* The first entry of a range that is not allowed; INT64_MAX: none. */
int64_t pqf_data_find_fault(const pqf_data *data, const pqf_cell_list *list, pqf_range range,
                            int nan_is_absent);

/* Fails because of such an entry, which is called by its number. */
int pqf_data_refuse_entry(const pqf_data *data, const pqf_cell_list *list, int64_t entry,
                          int64_t number, int nan_is_absent);

/* duplicates.c: joins equal neighbours, of which `twin` is the first in the rows that equals its
 * left neighbour, on both sides, as PQF_DUPLICATES_... says. */
int pqf_data_join_twins(pqf_data *data, pqf_team *team, int64_t twin, int32_t duplicates);

#endif
