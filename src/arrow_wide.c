/* A wide table: each line is a row of R, each numeric column a column of R, so that taking it in is
 * a transposition. It goes by small tiles that are filled by column and written out by row:
 * straight into the matrix, the rows of a table of 1024 columns would compete for the same few
 * places of the cache.
 *
 * The matrix grows with the batches; the first allocation is as large as the first batch, so a
 * table that comes in one piece is allocated once. */
#include "arrow_column.h"
#include "arrow_table.h"
#include "data.h"
#include "error.h"
#include "id_pool.h"
#include "memory.h"

#include <inttypes.h>
#include <string.h>

/* A tile: some kilobytes, of which each line is a whole cache line. */
enum { TILE_LINES = 64, TILE_COLS = 16 };

typedef struct wide {
  int64_t rows;
  int64_t cols;
  int64_t capacity; /* rows that `matrix` has room for */
  float *matrix;    /* capacity x cols */
  pqf_arrow_column *column;
  int64_t *place; /* of each column in the table */
  int has_row_ids;
  pqf_arrow_column row_column;
  int64_t row_place;
  pqf_id_pool row_ids;
  const pqf_data_options *options;
} wide;

/* Sorts the table's columns into items and the one of user ids. */
static int open_columns(wide *into, const pqf_arrow_table *table, const char *row)
{
  const int64_t count = table->schema.n_children;
  into->column = pqf_allocate(count, sizeof *into->column);
  into->place = pqf_allocate(count, sizeof *into->place);
  if (into->column == NULL || into->place == NULL)
    return PQF_ENOMEM;
  into->row_place = -1;
  if (row != NULL) {
    const int status = pqf_arrow_find(table, row, &into->row_place);
    if (status != PQF_OK)
      return status;
    into->has_row_ids = 1;
    pqf_arrow_column_open(&into->row_column, table->schema.children[into->row_place]);
    into->row_ids.kind = pqf_arrow_id_kind(&into->row_column);
    if (into->row_ids.kind == PQF_IDS_NONE)
      return pqf_fail(PQF_EINVAL,
                      "column \"%.100s\" is neither of integers nor of text (Arrow format "
                      "\"%.20s\"): it cannot be ids",
                      row, into->row_column.format);
  }
  for (int64_t n = 0; n < count; n++) {
    if (n == into->row_place)
      continue;
    pqf_arrow_column *column = &into->column[into->cols];
    pqf_arrow_column_open(column, table->schema.children[n]);
    if (!pqf_arrow_is_numeric(column))
      return pqf_fail(PQF_EINVAL, "column \"%.100s\" is not numeric (Arrow format \"%.20s\"%s)",
                      column->name, column->format,
                      column->has_dictionary ? ", with a dictionary" : "");
    into->place[into->cols++] = n;
  }
  if (into->cols == 0)
    return pqf_fail(PQF_EINVAL, "the table has no numeric column");
  return PQF_OK;
}

/* Room for `more` rows. */
static int make_room(wide *into, int64_t more)
{
  if (more > INT32_MAX - into->rows)
    return pqf_fail(PQF_EINVAL, "the table has more than %" PRId32 " lines", INT32_MAX);
  if (into->rows + more <= into->capacity)
    return PQF_OK;
  int64_t capacity = 2 * into->capacity;
  if (capacity < into->rows + more)
    capacity = into->rows + more;
  if (capacity > INT32_MAX)
    capacity = INT32_MAX;
  const size_t used = (size_t)into->rows * (size_t)into->cols * sizeof *into->matrix;
  const int status = pqf_data_check_memory(into->options, used + pqf_id_pool_bytes(&into->row_ids),
                                           capacity * into->cols, sizeof *into->matrix);
  if (status != PQF_OK)
    return status;
  float *matrix = pqf_reallocate(into->matrix, used, capacity * into->cols, sizeof *into->matrix);
  if (matrix == NULL)
    return PQF_ENOMEM;
  into->matrix = matrix;
  into->capacity = capacity;
  return PQF_OK;
}

static int add_row_ids(wide *into, int64_t count)
{
  for (int64_t n = 0; n < count; n++) {
    int64_t place = n;
    pqf_id id;
    int status = PQF_OK;
    if (into->row_column.has_dictionary)
      status = pqf_arrow_dictionary_place(&into->row_column, n, &place);
    if (status == PQF_OK)
      status = pqf_arrow_id(&into->row_column, place, &id);
    if (status == PQF_OK)
      status = pqf_id_pool_append(&into->row_ids, &id);
    if (status != PQF_OK)
      return status;
  }
  return PQF_OK;
}

/* Makes the columns ready for a batch, which refuses nulls where these are not allowed. */
static int bind_columns(wide *into, const pqf_arrow_table *table)
{
  const struct ArrowArray *batch = &table->batch;
  for (int64_t col = 0; col < into->cols; col++) {
    pqf_arrow_column *column = &into->column[col];
    const int status = pqf_arrow_bind(column, batch, into->place[col], table->first_line);
    if (status != PQF_OK)
      return status;
    const int64_t null = into->options->nan_is_absent ? -1 : pqf_arrow_first_null(column);
    if (null >= 0)
      return pqf_fail(PQF_EINVAL, "column \"%.100s\", line %" PRId64 " (from 0): the value is null",
                      column->name, table->first_line + null);
  }
  return into->has_row_ids
             ? pqf_arrow_bind(&into->row_column, batch, into->row_place, table->first_line)
             : PQF_OK;
}

/* Lines first .. first + count of the batch, at most TILE_LINES of them. */
static int add_lines(wide *into, int64_t first, int64_t count)
{
  float tile[TILE_LINES * TILE_COLS];
  float *rows = into->matrix + (into->rows + first) * into->cols;
  for (int64_t begin = 0; begin < into->cols; begin += TILE_COLS) {
    const int64_t width = into->cols - begin < TILE_COLS ? into->cols - begin : TILE_COLS;
    for (int64_t col = 0; col < width; col++) {
      const int status =
          pqf_arrow_floats(&into->column[begin + col], first, count, tile + col, TILE_COLS);
      if (status != PQF_OK)
        return status;
    }
    for (int64_t line = 0; line < count; line++)
      memcpy(rows + line * into->cols + begin, tile + line * TILE_COLS,
             (size_t)width * sizeof *tile);
  }
  return PQF_OK;
}

static int add_batch(wide *into, const pqf_arrow_table *table)
{
  const int64_t count = table->batch.length;
  int status = bind_columns(into, table);
  if (status == PQF_OK)
    status = make_room(into, count);
  if (status == PQF_OK && into->has_row_ids)
    status = add_row_ids(into, count);
  if (status != PQF_OK)
    return status;
  for (int64_t first = 0; first < count && status == PQF_OK; first += TILE_LINES)
    status = add_lines(into, first, count - first < TILE_LINES ? count - first : TILE_LINES);
  if (status != PQF_OK)
    return status;
  into->rows += count;
  return PQF_OK;
}

/* Reads a decimal integer that is written in the one usual way: no plus, no leading zeros, no
 * minus zero. Returns whether `text` is one that fits. */
static int read_integer(const char *text, int64_t *out)
{
  const char *digits = text + (text[0] == '-');
  const size_t length = strlen(digits);
  if (length == 0 || length > 19 || strspn(digits, "0123456789") != length)
    return 0;
  if (digits[0] == '0' && (length > 1 || digits != text))
    return 0;
  uint64_t magnitude = 0; /* 19 digits fit */
  for (size_t n = 0; n < length; n++)
    magnitude = 10 * magnitude + (uint64_t)(digits[n] - '0');
  const int negative = digits != text;
  if (magnitude > (uint64_t)INT64_MAX + (uint64_t)negative)
    return 0;
  *out = negative ? -(int64_t)(magnitude - 1) - 1 : (int64_t)magnitude;
  return 1;
}

/* Column names as ids: numbers where all of them are, else texts. */
static int name_columns(const wide *from, pqf_ids **out)
{
  pqf_id_pool pool = {.kind = PQF_IDS_NUMBERS};
  int64_t number;
  for (int64_t col = 0; col < from->cols; col++) {
    if (!read_integer(from->column[col].name, &number))
      pool.kind = PQF_IDS_TEXTS;
  }
  int status = PQF_OK;
  for (int64_t col = 0; col < from->cols && status == PQF_OK; col++) {
    const char *name = from->column[col].name;
    pqf_id id = {NULL, 0, 0};
    if (pool.kind == PQF_IDS_TEXTS)
      id = (pqf_id){name, (int64_t)strlen(name), 0};
    else
      read_integer(name, &id.number);
    status = pqf_id_pool_append(&pool, &id);
  }
  if (status == PQF_OK)
    status = pqf_id_pool_ids(&pool, out);
  pqf_id_pool_clear(&pool);
  return status;
}

/* R of all that has been read; takes the matrix over. */
static int make_data(pqf_data **out, wide *from)
{
  int status = pqf_check_shape(from->rows, from->cols);
  if (status != PQF_OK)
    return status;
  pqf_data *data = pqf_data_new(from->rows, from->cols);
  if (data == NULL)
    return PQF_ENOMEM;
  status = name_columns(from, &data->ids[PQF_COLS]);
  if (status == PQF_OK && from->has_row_ids)
    status = pqf_id_pool_ids(&from->row_ids, &data->ids[PQF_ROWS]);
  if (status == PQF_OK) {
    data->ids_left_out[PQF_COLS] = data->ids[PQF_COLS] == NULL;
    data->ids_left_out[PQF_ROWS] = from->has_row_ids && data->ids[PQF_ROWS] == NULL;
    data->dense = from->matrix;
    from->matrix = NULL;
    status = pqf_data_take_dense(data, data->dense, from->cols, from->options);
  }
  if (status == PQF_OK)
    *out = data;
  else
    pqf_data_free(data);
  return status;
}

int pqf_arrow_wide(pqf_data **out, pqf_arrow_table *table, const char *row,
                   const pqf_data_options *options)
{
  wide into = {.options = options};
  int status = open_columns(&into, table, row);
  int more = status == PQF_OK;
  while (more) {
    status = pqf_arrow_next(table, &more);
    if (status == PQF_OK && more)
      status = add_batch(&into, table);
    if (status != PQF_OK)
      goto out;
  }
  if (status == PQF_OK)
    status = make_data(out, &into);
out:
  pqf_id_pool_clear(&into.row_ids);
  pqf_release(into.column);
  pqf_release(into.place);
  pqf_release(into.matrix);
  return status;
}
