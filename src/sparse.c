/* Sparse R: from cells in any order to cells by row and by column, each row and column ascending.
 *
 * A counting sort moves cells from one grouping to the other in linear time: count the cells of
 * each destination group, sum up to where each begins, then walk the source and put each cell at
 * its group's next place. It is stable, so a walk over the rows in order leaves each column
 * ascending, and a walk over those columns leaves each row ascending:
 *
 *     as given --> by row, unordered --> by column, ascending --> by row, ascending
 *
 * The last step is left out where the rows were ascending at once, as those of most compressed rows
 * are. Two equal neighbours in a row at the end are a cell given twice.
 *
 * With more groups than the cache has lines, each cell put is a cache miss. So a walk goes in two
 * stages: first into blocks of neighbouring groups, few enough that all their ends stay in the
 * cache, then within each block, which mostly fits the second-level cache. 50 million cells of
 * 1,000,000 x 200,000 take six tenths of the time of the plain sort.
 *
 * Memory beside the caller's arrays and the result: 4 bytes per cell, and 8 (12 with weights) per
 * cell of the largest block. */
#include "data.h"
#include "error.h"
#include "memory.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Blocks of the first stage, at most. */
enum { BLOCKS = 512 };

/* Cells in groups, rows or columns: what `data` keeps of one side. The offset has groups + 2
 * entries, the last one for scratch. */
typedef struct grouped {
  int64_t groups;
  int64_t *offset;
  int32_t *index;
  float *value;
  float *weight; /* NULL: none */
} grouped;

static grouped rows_of(const pqf_data *data)
{
  return (grouped){data->matrix.rows, data->row_offset, data->row_index, data->row_value,
                   data->row_weight};
}

static grouped cols_of(const pqf_data *data)
{
  return (grouped){data->matrix.cols, data->col_offset, data->col_index, data->col_value,
                   data->col_weight};
}

/* Turns the number of cells of group g, in offset[g + 2], into where the group begins, in
 * offset[g + 1]. A walk that then takes its places by offset[g + 1]++ leaves offset as it is to
 * be. */
static void sum_up(const grouped *to)
{
  for (int64_t group = 0; group < to->groups; group++)
    to->offset[group + 2] += to->offset[group + 1];
}

/* Cells on their way into other groups. Cell n belongs into group key[n] and brings along index[n],
 * value[n] and weight[n]. */
typedef struct walk {
  int64_t count;
  const int32_t *key;
  const int32_t *index;  /* NULL: that of the group the cell comes from, by `offset` */
  const int64_t *offset; /* of the groups that the cells come from */
  const float *value;    /* NaN: the cell is left out; NULL: all are 1 */
  const float *weight;   /* NULL: none */
} walk;

static int is_absent(const walk *from, int64_t cell)
{
  return from->value != NULL && isnan(from->value[cell]);
}

/* Groups are in one block where their numbers agree but for this many low bits. */
static int block_shift(int64_t groups)
{
  int shift = 0;
  while ((groups - 1) >> shift >= BLOCKS)
    shift++;
  return shift;
}

/* The first stage: each cell into its block, in the order of the walk, with its key beside it. */
static void spread(const walk *from, const grouped *to, int shift, int32_t *key)
{
  int64_t next[BLOCKS];
  for (int64_t block = 0; block <= (to->groups - 1) >> shift; block++)
    next[block] = to->offset[(block << shift) + 1];
  int64_t group = 0;
  for (int64_t cell = 0; cell < from->count; cell++) {
    if (is_absent(from, cell))
      continue;
    if (from->index == NULL) {
      while (cell >= from->offset[group + 1])
        group++;
    }
    const int64_t place = next[from->key[cell] >> shift]++;
    key[place] = from->key[cell];
    to->index[place] = from->index != NULL ? from->index[cell] : (int32_t)group;
    to->value[place] = from->value != NULL ? from->value[cell] : 1.0f;
    if (to->weight != NULL)
      to->weight[place] = from->weight[cell];
  }
}

/* What the moves of one R share: pages that are new cost more than all else. */
typedef struct scratch {
  int64_t keys;  /* room in `key` */
  int64_t cells; /* room in the others, for the largest block */
  int32_t *key;
  int32_t *index;
  float *value;
  float *weight; /* NULL: there are no weights */
} scratch;

static void clear_scratch(scratch *space)
{
  pqf_release(space->key);
  pqf_release(space->index);
  pqf_release(space->value);
  pqf_release(space->weight);
  *space = (scratch){0};
}

static int make_scratch(scratch *space, int64_t keys, int64_t cells, int weighted)
{
  if (space->key != NULL && keys <= space->keys && cells <= space->cells)
    return PQF_OK;
  clear_scratch(space);
  space->key = pqf_allocate(keys, sizeof *space->key);
  space->index = pqf_allocate(cells, sizeof *space->index);
  space->value = pqf_allocate(cells, sizeof *space->value);
  space->weight = weighted ? pqf_allocate(cells, sizeof *space->weight) : NULL;
  if (space->key == NULL || space->index == NULL || space->value == NULL ||
      (weighted && space->weight == NULL))
    return PQF_ENOMEM;
  space->keys = keys;
  space->cells = cells;
  return PQF_OK;
}

/* The second stage for the `count` cells of one block, which begin at `first`. */
static void order_block(const grouped *to, int64_t first, int64_t count, const scratch *space)
{
  memcpy(space->index, to->index + first, (size_t)count * sizeof *to->index);
  memcpy(space->value, to->value + first, (size_t)count * sizeof *to->value);
  if (to->weight != NULL)
    memcpy(space->weight, to->weight + first, (size_t)count * sizeof *to->weight);
  for (int64_t cell = 0; cell < count; cell++) {
    const int64_t place = to->offset[space->key[first + cell] + 1]++;
    to->index[place] = space->index[cell];
    to->value[place] = space->value[cell];
    if (to->weight != NULL)
      to->weight[place] = space->weight[cell];
  }
}

/* Where the block behind `block` begins; before the second stage has come there. */
static int64_t block_end(const grouped *to, int shift, int64_t block)
{
  const int64_t behind = (block + 1) << shift;
  return to->offset[(behind < to->groups ? behind : to->groups) + 1];
}

/* Moves cells into their groups. */
static int regroup(const walk *from, const grouped *to, scratch *space)
{
  const int shift = block_shift(to->groups);
  const int64_t blocks = ((to->groups - 1) >> shift) + 1;
  memset(to->offset, 0, (size_t)(to->groups + 2) * sizeof *to->offset);
  for (int64_t cell = 0; cell < from->count; cell++)
    to->offset[from->key[cell] + 2] += !is_absent(from, cell);
  sum_up(to);
  int64_t largest = 0;
  int64_t begin = 0;
  for (int64_t block = 0; block < blocks; block++) {
    const int64_t end = block_end(to, shift, block);
    largest = end - begin > largest ? end - begin : largest;
    begin = end;
  }
  const int status = make_scratch(space, begin, largest, to->weight != NULL);
  if (status != PQF_OK)
    return status;
  spread(from, to, shift, space->key);
  begin = 0;
  for (int64_t block = 0; block < blocks; block++) {
    const int64_t end = block_end(to, shift, block);
    order_block(to, begin, end - begin, space);
    begin = end;
  }
  return PQF_OK;
}

/* Moves cells from one grouping to the other. */
static int exchange(const grouped *from, const grouped *to, scratch *space)
{
  const walk cells = {
      from->offset[from->groups], from->index, NULL, from->offset, from->value, from->weight};
  return regroup(&cells, to, space);
}

/* The first cell that does not lie behind its left neighbour in its row; -1: all do. */
static int64_t find_descent(const grouped *rows, int64_t *row)
{
  for (*row = 0; *row < rows->groups; ++*row) {
    for (int64_t cell = rows->offset[*row] + 1; cell < rows->offset[*row + 1]; cell++) {
      if (rows->index[cell] <= rows->index[cell - 1])
        return cell;
    }
  }
  return -1;
}

/* Sum of weight value^2, row by row. */
static double square_sum(const grouped *rows)
{
  double sum = 0;
  for (int64_t row = 0; row < rows->groups; row++) {
    double row_sum = 0;
    for (int64_t cell = rows->offset[row]; cell < rows->offset[row + 1]; cell++) {
      const double square = (double)rows->value[cell] * (double)rows->value[cell];
      row_sum += rows->weight != NULL ? (double)rows->weight[cell] * square : square;
    }
    sum += row_sum;
  }
  return sum;
}

static pqf_cells view(const grouped *cells)
{
  return (pqf_cells){cells->offset, cells->index, cells->value, cells->weight};
}

static int settle(pqf_data *data, scratch *space)
{
  const grouped rows = rows_of(data);
  const grouped cols = cols_of(data);
  int64_t row;
  int status = exchange(&rows, &cols, space);
  if (status == PQF_OK && find_descent(&rows, &row) >= 0)
    status = exchange(&cols, &rows, space);
  if (status != PQF_OK)
    return status;
  const int64_t twice = find_descent(&rows, &row);
  if (twice >= 0) {
    char name[PQF_CELL_NAME];
    return pqf_fail(PQF_EINVAL, "cell %s is given twice",
                    pqf_data_cell_name(data, row, rows.index[twice], name));
  }
  data->matrix.count = rows.offset[rows.groups];
  data->matrix.square_sum = square_sum(&rows);
  data->matrix.by_row = view(&rows);
  data->matrix.by_col = view(&cols);
  return PQF_OK;
}

int pqf_data_settle_cells(pqf_data *data)
{
  scratch space = {0};
  const int status = settle(data, &space);
  clear_scratch(&space);
  return status;
}

int pqf_data_make_room(pqf_data *data, int64_t count, int weighted)
{
  data->row_offset = pqf_allocate_zeroed(data->matrix.rows + 2, sizeof *data->row_offset);
  data->col_offset = pqf_allocate_zeroed(data->matrix.cols + 2, sizeof *data->col_offset);
  data->row_index = pqf_allocate(count, sizeof *data->row_index);
  data->col_index = pqf_allocate(count, sizeof *data->col_index);
  data->row_value = pqf_allocate(count, sizeof *data->row_value);
  data->col_value = pqf_allocate(count, sizeof *data->col_value);
  if (data->row_offset == NULL || data->col_offset == NULL || data->row_index == NULL ||
      data->col_index == NULL || data->row_value == NULL || data->col_value == NULL)
    return PQF_ENOMEM;
  if (weighted) {
    data->row_weight = pqf_allocate(count, sizeof *data->row_weight);
    data->col_weight = pqf_allocate(count, sizeof *data->col_weight);
    if (data->row_weight == NULL || data->col_weight == NULL)
      return PQF_ENOMEM;
  }
  return PQF_OK;
}

/* Checks entries [first, last), of row `row` or, where the list has them, of its own rows. */
static int check_entries(const pqf_data *data, const pqf_cell_list *list, int64_t first,
                         int64_t last, int64_t row, int nan_is_absent)
{
  char name[PQF_CELL_NAME];
  for (int64_t entry = first; entry < last; entry++) {
    if (list->row != NULL)
      row = list->row[entry];
    const int64_t col = list->col[entry];
    if (row < 0 || row >= data->matrix.rows)
      return pqf_fail(PQF_EINVAL, "entry %" PRId64 ": row %" PRId64 " is not from 0 to %" PRId64,
                      entry, row, data->matrix.rows - 1);
    if (col < 0 || col >= data->matrix.cols)
      return pqf_fail(PQF_EINVAL, "entry %" PRId64 ": column %" PRId64 " is not from 0 to %" PRId64,
                      entry, col, data->matrix.cols - 1);
    const float value = list->value != NULL ? list->value[entry] : 1;
    const float weight = list->weight != NULL ? list->weight[entry] : 1;
    if (!isfinite(value) && !(nan_is_absent && isnan(value)))
      return pqf_fail(PQF_EINVAL, "entry %" PRId64 ": value of cell %s is %s", entry,
                      pqf_data_cell_name(data, row, col, name), isnan(value) ? "NaN" : "infinite");
    if (!isfinite(weight) || weight < 0)
      return pqf_fail(PQF_EINVAL,
                      "entry %" PRId64
                      ": weight of cell %s is %g, not a finite number of 0 or more",
                      entry, pqf_data_cell_name(data, row, col, name), (double)weight);
  }
  return PQF_OK;
}

static int check_list(const pqf_data *data, const pqf_cell_list *list, int nan_is_absent)
{
  if (list->offset == NULL)
    return check_entries(data, list, 0, list->count, 0, nan_is_absent);
  for (int64_t row = 0; row < data->matrix.rows; row++) {
    const int status =
        check_entries(data, list, list->offset[row], list->offset[row + 1], row, nan_is_absent);
    if (status != PQF_OK)
      return status;
  }
  return PQF_OK;
}

/* The present entries of compressed rows, in their order. */
static void copy_rows(const grouped *rows, const pqf_cell_list *list, const walk *entries)
{
  int64_t place = 0;
  for (int64_t row = 0; row < rows->groups; row++) {
    for (int64_t entry = list->offset[row]; entry < list->offset[row + 1]; entry++) {
      if (is_absent(entries, entry))
        continue;
      rows->index[place] = list->col[entry];
      rows->value[place] = list->value != NULL ? list->value[entry] : 1.0f;
      if (list->weight != NULL)
        rows->weight[place] = list->weight[entry];
      place++;
    }
    rows->offset[row + 1] = place;
  }
}

int pqf_data_take_cells(pqf_data *data, const pqf_cell_list *list, int nan_is_absent)
{
  int status = check_list(data, list, nan_is_absent);
  if (status != PQF_OK)
    return status;
  const walk entries = {list->count, list->row, list->col, NULL, list->value, list->weight};
  int64_t present = list->count;
  if (nan_is_absent && list->value != NULL) {
    for (int64_t entry = 0; entry < list->count; entry++)
      present -= is_absent(&entries, entry);
  }
  status = pqf_data_make_room(data, present, list->weight != NULL);
  if (status != PQF_OK)
    return status;
  const grouped rows = rows_of(data);
  scratch space = {0};
  if (list->offset != NULL)
    copy_rows(&rows, list, &entries);
  else
    status = regroup(&entries, &rows, &space);
  if (status == PQF_OK)
    status = settle(data, &space);
  clear_scratch(&space);
  return status;
}

static int take_list(pqf_data **out, int64_t rows, int64_t cols, const pqf_cell_list *list,
                     int nan_is_absent)
{
  pqf_data *data = pqf_data_new(rows, cols);
  if (data == NULL)
    return PQF_ENOMEM;
  const int status = pqf_data_take_cells(data, list, nan_is_absent);
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
  return take_list(out, rows, cols, &list, chosen.nan_is_absent);
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
  return take_list(out, rows, cols, &list, chosen.nan_is_absent);
}
