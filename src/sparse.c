/* Sparse R: from cells in any order to cells by row and by column, each row and column ascending.
 *
 * Cells are moved from one grouping to the other by a stable sort (regroup.c). So a walk over the
 * rows in order leaves each column ascending, and a walk over those columns leaves each row
 * ascending:
 *
 *     as given --> by row, unordered --> by column, ascending --> by row, ascending
 *
 * The last step is left out where the rows were ascending at once, as those of most compressed rows
 * are. Two equal neighbours in a row at the end are a cell given twice, in the order given
 * (duplicates.c).
 *
 * Checks and sums run over pieces of the cells on any number of threads, and what they say does not
 * depend on that: the first fault is the first of all, sums are added up piece by piece.
 *
 * Memory beside the caller's arrays and the result: that of the moves. */
#include "sparse.h"

#include "error.h"
#include "memory.h"
#include "number_text.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

pqf_groups pqf_rows_of(const pqf_data *data)
{
  return (pqf_groups){data->matrix.rows, data->row_offset, data->row_index, data->row_value,
                      data->row_weight};
}

pqf_groups pqf_cols_of(const pqf_data *data)
{
  return (pqf_groups){data->matrix.cols, data->col_offset, data->col_index, data->col_value,
                      data->col_weight};
}

/* Room for `count` cells on one side. Of the offsets the first is set: who fills in the cells
 * writes all the others. */
static int make_room(int64_t groups, int64_t count, int weighted, int64_t **offset, int32_t **index,
                     float **value, float **weight)
{
  *offset = pqf_allocate(groups + 1, sizeof **offset);
  *index = pqf_allocate(count, sizeof **index);
  *value = pqf_allocate(count, sizeof **value);
  *weight = weighted ? pqf_allocate(count, sizeof **weight) : NULL;
  if (*offset != NULL)
    **offset = 0;
  return *offset != NULL && *index != NULL && *value != NULL && (!weighted || *weight != NULL)
             ? PQF_OK
             : PQF_ENOMEM;
}

int pqf_data_row_room(pqf_data *data, int64_t count, int weighted)
{
  return make_room(data->matrix.rows, count, weighted, &data->row_offset, &data->row_index,
                   &data->row_value, &data->row_weight);
}

static int col_room(pqf_data *data, int64_t count, int weighted)
{
  return make_room(data->matrix.cols, count, weighted, &data->col_offset, &data->col_index,
                   &data->col_value, &data->col_weight);
}

/* A cell takes an index, a value and a weight on either side, its key while it moves, and as much
 * again as on one side in the scratch: the workers share out the blocks, so that the largest of
 * each make no more than all cells. Where cells may be joined, one array is copied in the end. */
int pqf_data_check_build(const pqf_data *data, const pqf_data_options *options, uint64_t known,
                         int64_t count, int weighted)
{
  const size_t cell = sizeof(int32_t) + (weighted ? 2 : 1) * sizeof(float);
  const size_t copy = options->duplicates != PQF_DUPLICATES_ERROR ? sizeof(float) : 0;
  const uint64_t offsets =
      ((uint64_t)data->matrix.rows + (uint64_t)data->matrix.cols + 2) * sizeof(int64_t);
  return pqf_data_check_memory(options, known + offsets, count, 3 * cell + sizeof(int32_t) + copy);
}

/* ---- Searches -------------------------------------------------------------------------------- */

/* Keeps the lowest number that any thread finds; INT64_MAX: none. */
static void note_lowest(atomic_llong *lowest, int64_t number)
{
  long long known = atomic_load_explicit(lowest, memory_order_relaxed);
  while (number < known && !atomic_compare_exchange_weak_explicit(
                               lowest, &known, number, memory_order_relaxed, memory_order_relaxed))
    ;
}

typedef struct row_search {
  pqf_groups rows;
  atomic_llong found;
} row_search;

static void search_piece(void *argument, int64_t piece, int32_t worker)
{
  (void)worker;
  row_search *search = argument;
  const pqf_groups *rows = &search->rows;
  const int64_t *offset = rows->offset;
  const pqf_range range = pqf_piece_range(offset[rows->count], piece);
  if (range.first >= atomic_load_explicit(&search->found, memory_order_relaxed))
    return;
  int64_t row = pqf_group_of(offset, rows->count, range.first);
  for (int64_t cell = range.first; cell < range.last; row++) {
    const int64_t end = offset[row + 1] < range.last ? offset[row + 1] : range.last;
    cell += cell == offset[row]; /* the first of a row has no left neighbour */
    for (; cell < end; cell++) {
      if (rows->index[cell] <= rows->index[cell - 1]) {
        note_lowest(&search->found, cell);
        return;
      }
    }
  }
}

/* The first cell that does not lie behind its left neighbour in its row; INT64_MAX: all do. */
static int64_t find_descent(const pqf_mover *mover, const pqf_groups *rows)
{
  row_search search = {*rows, INT64_MAX};
  pqf_for_each_piece(mover, rows->offset[rows->count], search_piece, &search);
  return atomic_load(&search.found);
}

/* ---- The sum of squares ---------------------------------------------------------------------- */

typedef struct summing {
  pqf_groups rows;
  double *sum; /* of each piece */
} summing;

static void sum_piece(void *argument, int64_t piece, int32_t worker)
{
  (void)worker;
  const summing *s = argument;
  const pqf_groups *rows = &s->rows;
  const pqf_range range = pqf_piece_range(rows->offset[rows->count], piece);
  double part[4] = {0};
  for (int64_t cell = range.first; cell < range.last; cell++) {
    const double square = (double)rows->value[cell] * (double)rows->value[cell];
    part[cell & 3] += rows->weight != NULL ? (double)rows->weight[cell] * square : square;
  }
  s->sum[piece] = (part[0] + part[1]) + (part[2] + part[3]);
}

/* Sum of weight value^2. */
static int square_sum(const pqf_mover *mover, const pqf_groups *rows, double *out)
{
  const int64_t count = rows->offset[rows->count];
  const summing s = {*rows, pqf_allocate(pqf_piece_count(count), sizeof(double))};
  if (s.sum == NULL)
    return PQF_ENOMEM;
  pqf_for_each_piece(mover, count, sum_piece, (void *)&s);
  *out = 0;
  for (int64_t piece = 0; piece < pqf_piece_count(count); piece++)
    *out += s.sum[piece];
  pqf_release(s.sum);
  return PQF_OK;
}

/* ---- From rows to both ----------------------------------------------------------------------- */

/* Moves cells from one grouping to the other. */
static int exchange(pqf_mover *mover, const pqf_groups *from, const pqf_groups *to)
{
  const pqf_walk cells = {
      .count = from->offset[from->count],
      .whole = {.key = from->index, .value = from->value, .weight = from->weight},
      .groups = from->count,
      .offset = from->offset,
  };
  return pqf_move(mover, &cells, to);
}

static pqf_cells view(const pqf_groups *cells)
{
  return (pqf_cells){cells->offset, cells->index, cells->value, cells->weight};
}

/* What is left to do when both sides are in order, but for cells that were given twice. */
static int finish(pqf_data *data, const pqf_mover *mover, int64_t twin, int32_t duplicates)
{
  if (twin != INT64_MAX) {
    const int status = pqf_data_join_twins(data, mover->team, twin, duplicates);
    if (status != PQF_OK)
      return status;
  }
  const pqf_groups rows = pqf_rows_of(data);
  const pqf_groups cols = pqf_cols_of(data);
  data->matrix.count = rows.offset[rows.count];
  data->matrix.by_row = view(&rows);
  data->matrix.by_col = view(&cols);
  return square_sum(mover, &rows, &data->matrix.square_sum);
}

/* The rest, once each row has its cells, in any order. */
static int settle(pqf_data *data, pqf_mover *mover, int32_t duplicates)
{
  const pqf_groups rows = pqf_rows_of(data);
  int status = col_room(data, rows.offset[rows.count], rows.weight != NULL);
  if (status != PQF_OK)
    return status;
  const pqf_groups cols = pqf_cols_of(data);
  status = exchange(mover, &rows, &cols);
  int64_t descent = find_descent(mover, &rows);
  if (status == PQF_OK && descent != INT64_MAX) {
    status = exchange(mover, &cols, &rows);
    descent = find_descent(mover, &rows);
  }
  return status == PQF_OK ? finish(data, mover, descent, duplicates) : status;
}

int pqf_data_settle_rows(pqf_data *data, const pqf_data_options *options)
{
  pqf_mover mover;
  int status = pqf_mover_open(&mover, options->threads, data->row_offset[data->matrix.rows]);
  if (status == PQF_OK)
    status = settle(data, &mover, options->duplicates);
  pqf_mover_close(&mover);
  return status;
}

static int take_walk(pqf_data *data, pqf_mover *mover, const pqf_walk *cells, int64_t present,
                     int weighted, int32_t duplicates)
{
  int status = pqf_data_row_room(data, present, weighted);
  if (status == PQF_OK) {
    const pqf_groups rows = pqf_rows_of(data);
    status = pqf_move(mover, cells, &rows);
  }
  return status == PQF_OK ? settle(data, mover, duplicates) : status;
}

int pqf_data_take_walk(pqf_data *data, const pqf_walk *cells, int weighted,
                       const pqf_data_options *options)
{
  pqf_mover mover;
  int status = pqf_data_check_build(data, options, 0, cells->count, weighted);
  if (status != PQF_OK)
    return status;
  status = pqf_mover_open(&mover, options->threads, cells->count);
  if (status == PQF_OK)
    status = take_walk(data, &mover, cells, cells->count, weighted, options->duplicates);
  pqf_mover_close(&mover);
  return status;
}

/* ---- Lists ----------------------------------------------------------------------------------- */

int64_t pqf_data_find_fault(const pqf_data *data, const pqf_cell_list *list, pqf_range range,
                            int nan_is_absent)
{
  const uint32_t rows = (uint32_t)data->matrix.rows;
  const uint32_t cols = (uint32_t)data->matrix.cols;
  for (int64_t entry = range.first; entry < range.last; entry++) {
    const float value = list->value != NULL ? list->value[entry] : 1;
    const float weight = list->weight != NULL ? list->weight[entry] : 1;
    if ((list->row != NULL && (uint32_t)list->row[entry] >= rows) ||
        (uint32_t)list->col[entry] >= cols || isinf(value) || (isnan(value) && !nan_is_absent) ||
        !(weight >= 0 && weight <= FLT_MAX))
      return entry;
  }
  return INT64_MAX;
}

int pqf_data_refuse_entry(const pqf_data *data, const pqf_cell_list *list, int64_t entry,
                          int64_t number, int nan_is_absent)
{
  const pqf_matrix *r = &data->matrix;
  const int64_t row =
      list->row != NULL ? list->row[entry] : pqf_group_of(list->offset, r->rows, entry);
  const int64_t col = list->col[entry];
  const float value = list->value != NULL ? list->value[entry] : 1;
  if (row < 0 || row >= r->rows)
    return pqf_fail(PQF_EINVAL, "entry %" PRId64 ": row %" PRId64 " is not from 0 to %" PRId64,
                    number, row, r->rows - 1);
  if (col < 0 || col >= r->cols)
    return pqf_fail(PQF_EINVAL, "entry %" PRId64 ": column %" PRId64 " is not from 0 to %" PRId64,
                    number, col, r->cols - 1);
  char name[PQF_CELL_NAME];
  pqf_data_cell_name(data, row, col, name);
  if (isinf(value) || (isnan(value) && !nan_is_absent))
    return pqf_fail(PQF_EINVAL, "entry %" PRId64 ": value of cell %s is %s", number, name,
                    isnan(value) ? "NaN" : "infinite");
  char weight[PQF_NUMBER_TEXT];
  pqf_number_print((double)list->weight[entry], weight);
  return pqf_fail(PQF_EINVAL,
                  "entry %" PRId64 ": weight of cell %s is %s, not a finite number of 0 or more",
                  number, name, weight);
}

typedef struct check {
  const pqf_data *data;
  const pqf_cell_list *list;
  int nan_is_absent;
  atomic_llong fault;
  atomic_llong absent; /* number of entries */
} check;

static void check_piece(void *argument, int64_t piece, int32_t worker)
{
  (void)worker;
  check *c = argument;
  const pqf_range range = pqf_piece_range(c->list->count, piece);
  const int64_t fault = pqf_data_find_fault(c->data, c->list, range, c->nan_is_absent);
  if (fault != INT64_MAX)
    note_lowest(&c->fault, fault);
  int64_t absent = 0;
  if (c->nan_is_absent && c->list->value != NULL) {
    for (int64_t entry = range.first; entry < range.last; entry++)
      absent += isnan(c->list->value[entry]) != 0;
  }
  atomic_fetch_add_explicit(&c->absent, absent, memory_order_relaxed);
}

/* Checks all entries and counts those that are present. */
static int check_list(const pqf_data *data, const pqf_mover *mover, const pqf_cell_list *list,
                      int nan_is_absent, int64_t *present)
{
  check c = {data, list, nan_is_absent, INT64_MAX, 0};
  pqf_for_each_piece(mover, list->count, check_piece, &c);
  const int64_t fault = atomic_load(&c.fault);
  if (fault != INT64_MAX)
    return pqf_data_refuse_entry(data, list, fault, fault, nan_is_absent);
  *present = list->count - atomic_load(&c.absent);
  return PQF_OK;
}

/* Compressed rows are a grouping already: they go straight to the columns. */
static int take_compressed(pqf_data *data, pqf_mover *mover, const pqf_walk *entries,
                           int64_t present, int weighted, int32_t duplicates)
{
  int status = col_room(data, present, weighted);
  if (status == PQF_OK) {
    const pqf_groups cols = pqf_cols_of(data);
    status = pqf_move(mover, entries, &cols);
  }
  if (status == PQF_OK)
    status = pqf_data_row_room(data, present, weighted);
  if (status != PQF_OK)
    return status;
  const pqf_groups cols = pqf_cols_of(data);
  const pqf_groups rows = pqf_rows_of(data);
  status = exchange(mover, &cols, &rows);
  return status == PQF_OK ? finish(data, mover, find_descent(mover, &rows), duplicates) : status;
}

static int take_list(pqf_data *data, pqf_mover *mover, const pqf_cell_list *list,
                     const pqf_data_options *options)
{
  int64_t present = 0;
  const int status = check_list(data, mover, list, options->nan_is_absent, &present);
  if (status != PQF_OK)
    return status;
  const int weighted = list->weight != NULL;
  pqf_walk entries = {
      .count = list->count,
      .whole = {.key = list->row, .index = list->col, .value = list->value, .weight = list->weight},
  };
  entries.has_gaps = present < list->count;
  if (list->offset == NULL)
    return take_walk(data, mover, &entries, present, weighted, options->duplicates);
  entries.whole.key = list->col;
  entries.whole.index = NULL;
  entries.groups = data->matrix.rows;
  entries.offset = list->offset;
  return take_compressed(data, mover, &entries, present, weighted, options->duplicates);
}

int pqf_data_take_cells(pqf_data *data, const pqf_cell_list *list, const pqf_data_options *options)
{
  pqf_mover mover;
  int status = pqf_data_check_build(data, options, 0, list->count, list->weight != NULL);
  if (status != PQF_OK)
    return status;
  status = pqf_mover_open(&mover, options->threads, list->count);
  if (status == PQF_OK)
    status = take_list(data, &mover, list, options);
  pqf_mover_close(&mover);
  return status;
}

static int build(pqf_data **out, int64_t rows, int64_t cols, const pqf_cell_list *list,
                 const pqf_data_options *options)
{
  pqf_data *data = pqf_data_new(rows, cols);
  if (data == NULL)
    return PQF_ENOMEM;
  const int status = pqf_data_take_cells(data, list, options);
  if (status == PQF_OK)
    *out = data;
  else
    pqf_data_free(data);
  return status;
}

int pqf_data_coo(pqf_data **out, int64_t rows, int64_t cols, int64_t count, const int32_t *row,
                 const int32_t *col, const float *value, const float *weight,
                 const pqf_data_options *options)
{
  if (out == NULL)
    return pqf_fail(PQF_EINVAL, "out is NULL");
  *out = NULL;
  if (count < 0)
    return pqf_fail(PQF_EINVAL, "the number of cells is %" PRId64, count);
  if (count > 0 && (row == NULL || col == NULL))
    return pqf_fail(PQF_EINVAL, "%s is NULL", row == NULL ? "row" : "col");
  pqf_data_options chosen;
  int status = pqf_data_options_read(&chosen, options);
  if (status == PQF_OK)
    status = pqf_check_shape(rows, cols);
  if (status != PQF_OK)
    return status;
  const pqf_cell_list list = {count, NULL, row, col, value, weight};
  return build(out, rows, cols, &list, &chosen);
}

static int check_offsets(const int64_t *offset, int64_t rows)
{
  if (offset[0] != 0)
    return pqf_fail(PQF_EINVAL, "offset 0 is %" PRId64 ", not 0", offset[0]);
  for (int64_t row = 0; row < rows; row++) {
    if (offset[row + 1] < offset[row])
      return pqf_fail(PQF_EINVAL,
                      "offset %" PRId64 " is %" PRId64 ", below the %" PRId64 " before it", row + 1,
                      offset[row + 1], offset[row]);
  }
  return PQF_OK;
}

int pqf_data_csr(pqf_data **out, int64_t rows, int64_t cols, const int64_t *offset,
                 const int32_t *col, const float *value, const float *weight,
                 const pqf_data_options *options)
{
  if (out == NULL)
    return pqf_fail(PQF_EINVAL, "out is NULL");
  *out = NULL;
  if (offset == NULL)
    return pqf_fail(PQF_EINVAL, "offset is NULL");
  pqf_data_options chosen;
  int status = pqf_data_options_read(&chosen, options);
  if (status == PQF_OK)
    status = pqf_check_shape(rows, cols);
  if (status == PQF_OK)
    status = check_offsets(offset, rows);
  if (status != PQF_OK)
    return status;
  const int64_t count = offset[rows];
  if (count > 0 && col == NULL)
    return pqf_fail(PQF_EINVAL, "col is NULL");
  const pqf_cell_list list = {count, offset, NULL, col, value, weight};
  return build(out, rows, cols, &list, &chosen);
}
