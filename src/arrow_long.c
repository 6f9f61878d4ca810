/* A long table: each line is a cell, (id of a row, id of a column, value).
 *
 * Ids are numbered as they are met, 12 bytes are kept per cell, and when all ids are known they are
 * put in ascending order and the cells renumbered. Where a column has a dictionary, each of its
 * entries is looked up once per batch, when it is first used. */
#include "arrow_column.h"
#include "arrow_table.h"
#include "error.h"
#include "id_pool.h"
#include "memory.h"
#include "sparse.h"

#include <inttypes.h>
#include <string.h>

/* One of the two columns of ids. */
typedef struct side {
  pqf_arrow_column column;
  int64_t place; /* in the table */
  pqf_id_pool ids;
  int32_t *number; /* of each cell's id; as many as `capacity` of the cells */
  int32_t *known;  /* numbers of the dictionary's entries, -1: not looked up; of this batch */
  int64_t known_count;
} side;

typedef struct cells {
  int64_t count;
  int64_t capacity;
  side side[2]; /* PQF_ROWS, PQF_COLS */
  pqf_arrow_column value_column;
  int64_t value_place;
  float *value; /* NaN: null */
  const pqf_data_options *options;
} cells;

static int open_side(side *into, const pqf_arrow_table *table, const char *name)
{
  const int status = pqf_arrow_find(table, name, &into->place);
  if (status != PQF_OK)
    return status;
  pqf_arrow_column_open(&into->column, table->schema.children[into->place]);
  into->ids.kind = pqf_arrow_id_kind(&into->column);
  if (into->ids.kind == PQF_IDS_NONE)
    return pqf_fail(PQF_EINVAL,
                    "column \"%.100s\" is neither of integers nor of text (Arrow format "
                    "\"%.20s\"): it cannot be ids",
                    name, into->column.format);
  return PQF_OK;
}

static int open_value(cells *into, const pqf_arrow_table *table, const char *name)
{
  const int status = pqf_arrow_find(table, name, &into->value_place);
  if (status != PQF_OK)
    return status;
  pqf_arrow_column *column = &into->value_column;
  pqf_arrow_column_open(column, table->schema.children[into->value_place]);
  if (!pqf_arrow_is_numeric(column))
    return pqf_fail(PQF_EINVAL, "column \"%.100s\" is not numeric (Arrow format \"%.20s\"%s)", name,
                    column->format, column->has_dictionary ? ", with a dictionary" : "");
  return PQF_OK;
}

/* Makes one array longer. */
static int extend(void **array, int64_t count, int64_t capacity, size_t size)
{
  void *longer = pqf_reallocate(*array, (size_t)count * size, capacity, size);
  if (longer == NULL)
    return PQF_ENOMEM;
  *array = longer;
  return PQF_OK;
}

enum { CELL = 2 * sizeof(int32_t) + sizeof(float) };

/* Bytes that the ids of both sides take while they are collected. */
static uint64_t ids_bytes(const cells *from)
{
  return pqf_id_pool_bytes(&from->side[PQF_ROWS].ids) +
         pqf_id_pool_bytes(&from->side[PQF_COLS].ids);
}

static int make_room(cells *into, int64_t more)
{
  if (into->count + more <= into->capacity)
    return PQF_OK;
  int64_t capacity = 2 * into->capacity;
  if (capacity < into->count + more)
    capacity = into->count + more;
  /* while the last array is copied, its old one is there too */
  int status = pqf_data_check_memory(
      into->options, ids_bytes(into) + (uint64_t)into->count * sizeof(float), capacity, CELL);
  if (status != PQF_OK)
    return status;
  void *row = into->side[PQF_ROWS].number;
  void *col = into->side[PQF_COLS].number;
  void *value = into->value;
  status = extend(&row, into->count, capacity, sizeof(int32_t));
  into->side[PQF_ROWS].number = row;
  if (status == PQF_OK)
    status = extend(&col, into->count, capacity, sizeof(int32_t));
  into->side[PQF_COLS].number = col;
  if (status == PQF_OK)
    status = extend(&value, into->count, capacity, sizeof(float));
  into->value = value;
  if (status == PQF_OK)
    into->capacity = capacity;
  return status;
}

/* Forgets the dictionary of the batch before. */
static int clear_known(side *into)
{
  const int64_t count = into->column.dictionary.length;
  if (count > into->known_count) {
    pqf_release(into->known);
    into->known_count = 0;
    into->known = pqf_allocate(count, sizeof *into->known);
    if (into->known == NULL)
      return PQF_ENOMEM;
    into->known_count = count;
  }
  if (count > 0)
    memset(into->known, -1, (size_t)count * sizeof *into->known);
  return PQF_OK;
}

/* The number of the id of line n of the batch. */
static int number_line(side *into, int64_t n, int32_t *out)
{
  const pqf_arrow_column *column = &into->column;
  int64_t place = n;
  int status = PQF_OK;
  if (column->has_dictionary) {
    status = pqf_arrow_dictionary_place(column, n, &place);
    if (status == PQF_OK && into->known[place] >= 0) {
      *out = into->known[place];
      return PQF_OK;
    }
  }
  pqf_id id;
  if (status == PQF_OK)
    status = pqf_arrow_id(column, place, &id);
  if (status == PQF_OK)
    status = pqf_id_pool_place(&into->ids, &id, out);
  if (status == PQF_OK && column->has_dictionary)
    into->known[place] = *out;
  return status;
}

static int add_ids(side *into, const pqf_arrow_table *table, int64_t count)
{
  int status = PQF_OK;
  if (into->column.has_dictionary)
    status = clear_known(into);
  for (int64_t n = 0; n < table->batch.length && status == PQF_OK; n++)
    status = number_line(into, n, &into->number[count + n]);
  return status;
}

static int add_batch(cells *into, const pqf_arrow_table *table)
{
  const struct ArrowArray *batch = &table->batch;
  pqf_arrow_column *value = &into->value_column;
  int status = pqf_arrow_bind(value, batch, into->value_place, table->first_line);
  for (int n = PQF_ROWS; n <= PQF_COLS && status == PQF_OK; n++)
    status = pqf_arrow_bind(&into->side[n].column, batch, into->side[n].place, table->first_line);
  if (status != PQF_OK || batch->length == 0)
    return status;
  const int64_t null = into->options->nan_is_absent ? -1 : pqf_arrow_first_null(value);
  if (null >= 0)
    return pqf_fail(PQF_EINVAL, "column \"%.100s\", line %" PRId64 " (from 0): the value is null",
                    value->name, table->first_line + null);
  status = make_room(into, batch->length);
  if (status == PQF_OK)
    status = pqf_arrow_floats(value, 0, batch->length, into->value + into->count, 1);
  for (int n = PQF_ROWS; n <= PQF_COLS && status == PQF_OK; n++)
    status = add_ids(&into->side[n], table, into->count);
  if (status == PQF_OK)
    into->count += batch->length;
  return status;
}

/* Puts the ids of a side in order and renumbers its cells. */
static int sort_side(side *from, int64_t count, pqf_ids **ids)
{
  int32_t *rank;
  const int status = pqf_id_pool_sort(&from->ids, &rank);
  if (status != PQF_OK)
    return status;
  for (int64_t n = 0; n < count; n++)
    from->number[n] = rank[from->number[n]];
  pqf_release(rank);
  return pqf_id_pool_ids(&from->ids, ids);
}

static int make_data(pqf_data **out, cells *from)
{
  side *rows = &from->side[PQF_ROWS];
  side *cols = &from->side[PQF_COLS];
  if (from->count == 0)
    return pqf_fail(PQF_EINVAL, "the table has no lines");
  pqf_data *data = pqf_data_new(rows->ids.count, cols->ids.count);
  if (data == NULL)
    return PQF_ENOMEM;
  /* The cells as they were read, and the ids twice: the data keep a copy. */
  const uint64_t known = (uint64_t)from->capacity * CELL + 2 * ids_bytes(from);
  int status = pqf_data_check_build(data, from->options, known, from->count, 0);
  if (status == PQF_OK)
    status = sort_side(rows, from->count, &data->ids[PQF_ROWS]);
  if (status == PQF_OK)
    status = sort_side(cols, from->count, &data->ids[PQF_COLS]);
  if (status == PQF_OK) {
    for (int n = PQF_ROWS; n <= PQF_COLS; n++)
      data->ids_left_out[n] = data->ids[n] == NULL;
    const pqf_cell_list list = {from->count, NULL, rows->number, cols->number, from->value, NULL};
    status = pqf_data_take_cells(data, &list, from->options);
  }
  if (status == PQF_OK)
    *out = data;
  else
    pqf_data_free(data);
  return status;
}

static int read_all(cells *into, pqf_arrow_table *table)
{
  for (;;) {
    int more;
    int status = pqf_arrow_next(table, &more);
    if (status == PQF_OK && more)
      status = add_batch(into, table);
    if (status != PQF_OK || !more)
      return status;
  }
}

int pqf_arrow_long(pqf_data **out, pqf_arrow_table *table, const char *row, const char *col,
                   const char *value, const pqf_data_options *options)
{
  cells into = {.options = options};
  int status = open_side(&into.side[PQF_ROWS], table, row);
  if (status == PQF_OK)
    status = open_side(&into.side[PQF_COLS], table, col);
  if (status == PQF_OK)
    status = open_value(&into, table, value);
  if (status == PQF_OK)
    status = read_all(&into, table);
  if (status == PQF_OK)
    status = make_data(out, &into);
  for (int n = PQF_ROWS; n <= PQF_COLS; n++) {
    pqf_id_pool_clear(&into.side[n].ids);
    pqf_release(into.side[n].number);
    pqf_release(into.side[n].known);
  }
  pqf_release(into.value);
  return status;
}
