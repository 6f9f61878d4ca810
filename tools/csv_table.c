/* A CSV file as a table.
 *
 * Long: each record is one cell: row id, column id, value; further fields are ignored. A first line
 * with exactly three fields is taken for one, unless the first is empty: an unnamed column is an
 * index, which only wide tables have. Of its first line the value tells whether it is a header: ids
 * may be words in any line.
 *
 * Wide: each record is a row. A first line in which a field is no number, or empty, is a header:
 * column ids. The first column is an index, row ids, where the header leaves it unnamed or where
 * the first row's field in it is no number. */
#include "csv.h"
#include "failure.h"
#include "input.h"
#include "number.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct pqf_csv_reading {
  pqf_csv csv;
  pqf_table *table;
  const pqf_input_options *options;
  int64_t width; /* fields of every record */
  bool has_header;
  int64_t index;    /* wide: the column of row ids; -1: none */
  int64_t place[4]; /* long: the columns of row ids, column ids, values and times */
  float *values;    /* wide: what has been read, row by row */
  int64_t capacity;
  int64_t filled;
} pqf_csv_reading;

static int fail_here(const pqf_csv *csv, int64_t field, const char *what)
{
  return pqf_say(PQF_EFORMAT, "%s:%" PRId64 ": field %" PRId64 " (\"%.60s\") %s", csv->text.path,
                 csv->line, field + 1, csv->fields[field], what);
}

/* Whether it would be a number with a point for its comma. */
static bool has_decimal_comma(const char *text)
{
  char copy[64];
  float ignored;
  const size_t before = strcspn(text, ",");
  if (text[before] == '\0' || strlen(text) >= sizeof copy)
    return false;
  memcpy(copy, text, strlen(text) + 1);
  copy[before] = '.';
  return pqf_float_read(copy, &ignored);
}

/* One value: an empty field and nan are absent cells. */
static int read_value(const pqf_csv_reading *reading, int64_t field, float *out)
{
  const char *text = reading->csv.fields[field];
  if (*text == '\0')
    *out = NAN;
  else if (!pqf_float_read(text, out))
    return fail_here(&reading->csv, field,
                     has_decimal_comma(text) ? "is no number: the decimal mark is a point"
                                             : "is no number");
  if (isinf(*out))
    return fail_here(&reading->csv, field, "is infinite, or too large for a float");
  if (isnan(*out) && !reading->options->nan_is_absent)
    return fail_here(&reading->csv, field,
                     "has no value; --nan absent takes such cells for absent ones");
  return PQF_OK;
}

static int find_column(const pqf_csv *csv, const char *name, int64_t *out)
{
  for (int64_t field = 0; field < csv->count; ++field)
    if (strcmp(csv->fields[field], name) == 0) {
      *out = field;
      return PQF_OK;
    }
  return pqf_say(PQF_EINVAL, "%s: the header has no column \"%s\"", csv->text.path, name);
}

static bool is_number(const char *text)
{
  float ignored;
  return pqf_float_read(text, &ignored);
}

/* The first record is before the reader: a header or the first row. */
static bool is_header(const pqf_csv_reading *reading, bool is_long)
{
  const pqf_input_options *options = reading->options;
  int64_t ignored;
  if (options->header != PQF_GUESS)
    return options->header == PQF_YES;
  if (options->row != NULL || options->col != NULL || options->value != NULL ||
      (options->time != NULL && !pqf_integer_read(options->time, strlen(options->time), &ignored)))
    return true;
  if (is_long && reading->csv.count >= 3)
    return !is_number(reading->csv.fields[2]) && !has_decimal_comma(reading->csv.fields[2]);
  for (int64_t field = 0; field < reading->csv.count; ++field)
    if (!is_number(reading->csv.fields[field]))
      return true;
  return false;
}

static int add_id(pqf_id_map *ids, const char *text, int32_t *out)
{
  return pqf_id_map_add_text(ids, text, (int64_t)strlen(text), out);
}

static int read_cell(pqf_csv_reading *reading)
{
  pqf_table *table = reading->table;
  char **fields = reading->csv.fields;
  int32_t index[2];
  float value;
  for (int side = 0; side < 2; ++side) {
    if (*fields[reading->place[side]] == '\0')
      return fail_here(&reading->csv, reading->place[side], "should be an id");
    const int status = add_id(&table->ids[side], fields[reading->place[side]], &index[side]);
    if (status != PQF_OK)
      return status;
  }
  double time = 0;
  int status = read_value(reading, reading->place[2], &value);
  if (status == PQF_OK && table->timed && !pqf_double_read(fields[reading->place[3]], &time))
    status = fail_here(&reading->csv, reading->place[3],
                       "is no number, as a time has to be: seconds, for example");
  if (status != PQF_OK || isnan(value))
    return status;
  status = pqf_table_add_cell(table, index[PQF_ROWS], index[PQF_COLS], value);
  if (status == PQF_OK && table->timed)
    table->time[table->count - 1] = time;
  return status;
}

/* Finds the columns of a long table: by name, the time also by its place, or else in order. */
static int find_columns(pqf_csv_reading *reading)
{
  const pqf_csv *csv = &reading->csv;
  const pqf_input_options *options = reading->options;
  const char *const names[4] = {options->row, options->col, options->value, options->time};
  int64_t place;
  int status = PQF_OK;
  for (int n = 0; n < 4 && status == PQF_OK; ++n) {
    reading->place[n] = n;
    if (n == 3 && names[n] != NULL && pqf_integer_read(names[n], strlen(names[n]), &place)) {
      reading->place[n] = place - 1;
      if (place < 1 || place > csv->count)
        status = pqf_say(PQF_EINVAL, "%s: column %" PRId64 " is not from 1 to %" PRId64,
                         csv->text.path, place, csv->count);
    } else if (names[n] != NULL) {
      status = find_column(csv, names[n], &reading->place[n]);
    }
    if (status == PQF_OK && reading->has_header && (n < 3 || names[n] != NULL))
      status = pqf_table_name(reading->table, n, csv->fields[reading->place[n]]);
  }
  reading->table->timed = options->time != NULL;
  return status;
}

static int read_long(pqf_csv_reading *reading)
{
  pqf_csv *csv = &reading->csv;
  if (csv->count < 3)
    return pqf_say(PQF_EFORMAT, "%s: a long table has three columns, this file has %" PRId64,
                   csv->text.path, csv->count);
  int status = find_columns(reading);
  if (status != PQF_OK)
    return status;
  int found = reading->has_header ? pqf_csv_next(csv) : 1;
  for (; found == 1; found = pqf_csv_next(csv)) {
    status = pqf_csv_check_count(csv, reading->width);
    if (status == PQF_OK)
      status = read_cell(reading);
    if (status != PQF_OK)
      return status;
  }
  if (found < 0)
    return found;
  if (reading->table->ids[PQF_ROWS].count == 0)
    return pqf_say(PQF_EFORMAT, "%s: a header and nothing else", csv->text.path);
  return pqf_table_sort_ids(reading->table);
}

static int add_new_id(const pqf_csv_reading *reading, int side, int64_t field)
{
  pqf_id_map *ids = &reading->table->ids[side];
  const int64_t before = ids->count;
  int32_t ignored;
  if (*reading->csv.fields[field] == '\0')
    return fail_here(&reading->csv, field, "should be an id");
  const int status = add_id(ids, reading->csv.fields[field], &ignored);
  if (status == PQF_OK && ids->count == before)
    return fail_here(&reading->csv, field, "is an id that was there before");
  return status;
}

/* Takes the present record of a wide table as its header. */
static int read_header(pqf_csv_reading *reading)
{
  const pqf_input_options *options = reading->options;
  int status = PQF_OK;
  if (options->row != NULL)
    status = find_column(&reading->csv, options->row, &reading->index);
  else if (options->index == PQF_GUESS && *reading->csv.fields[0] == '\0')
    reading->index = 0;
  for (int64_t field = 0; field < reading->width && status == PQF_OK; ++field)
    if (field != reading->index)
      status = add_new_id(reading, PQF_COLS, field);
  return status;
}

/* The first row shows that the first column is an index: its name is no item's. */
static int turn_first_into_index(pqf_csv_reading *reading)
{
  pqf_id_map *ids = &reading->table->ids[PQF_COLS];
  pqf_id_map rest = {0};
  int status = PQF_OK;
  reading->index = 0;
  for (int64_t n = 1; n < ids->count && status == PQF_OK; ++n) {
    pqf_id id;
    int32_t ignored;
    pqf_id_map_get(ids, n, &id);
    status = pqf_id_map_add(&rest, &id, &ignored);
  }
  pqf_id_map_clear(ids);
  *ids = rest;
  return status;
}

static int read_row(pqf_csv_reading *reading)
{
  const int64_t needed = reading->filled + reading->width;
  if (reading->table->rows == INT32_MAX)
    return pqf_say(PQF_EINVAL, "%s: more than %d rows", reading->csv.text.path, INT32_MAX);
  float *values = pqf_grow(reading->values, &reading->capacity, needed, sizeof *values);
  if (values == NULL)
    return PQF_ENOMEM;
  reading->values = values;
  for (int64_t field = 0; field < reading->width; ++field) {
    int status;
    if (field == reading->index)
      status = add_new_id(reading, PQF_ROWS, field);
    else
      status = read_value(reading, field, &values[reading->filled]);
    if (status != PQF_OK)
      return status;
    reading->filled += field != reading->index;
  }
  ++reading->table->rows;
  return PQF_OK;
}

static int read_wide(pqf_csv_reading *reading)
{
  pqf_csv *csv = &reading->csv;
  const pqf_input_options *options = reading->options;
  int status = PQF_OK, found = 1;
  reading->index = options->index == PQF_YES && options->row == NULL ? 0 : -1;
  if (reading->has_header) {
    status = read_header(reading);
    found = status == PQF_OK ? pqf_csv_next(csv) : status;
  }
  if (found == 1 && options->index == PQF_GUESS && reading->index < 0 && *csv->fields[0] != '\0' &&
      !is_number(csv->fields[0]) && !has_decimal_comma(csv->fields[0]))
    status = turn_first_into_index(reading);
  for (; found == 1 && status == PQF_OK; found = pqf_csv_next(csv)) {
    status = pqf_csv_check_count(csv, reading->width);
    if (status == PQF_OK)
      status = read_row(reading);
    if (status != PQF_OK)
      return status;
  }
  if (status != PQF_OK || found < 0)
    return status != PQF_OK ? status : found;
  pqf_table *table = reading->table;
  table->cols = reading->width - (reading->index >= 0);
  if (table->rows == 0 || table->cols == 0)
    return pqf_say(PQF_EFORMAT, "%s: a table without any %s", csv->text.path,
                   table->rows == 0 ? "row of numbers" : "column of numbers");
  table->owned = reading->values;
  table->values = reading->values;
  reading->values = NULL;
  return PQF_OK;
}

int pqf_read_csv(pqf_table *out, const char *path, const pqf_input_options *options)
{
  pqf_csv_reading reading = {.table = out, .options = options};
  pqf_csv *csv = &reading.csv;
  int status = pqf_csv_open(csv, path);
  if (status != PQF_OK)
    return status;
  const int found = pqf_csv_next(csv);
  if (found == 1) {
    reading.width = csv->count;
    const bool is_long =
        options->layout == PQF_LONG || options->col != NULL || options->value != NULL ||
        options->time != NULL ||
        (options->layout == PQF_GUESS && csv->count == 3 && *csv->fields[0] != '\0');
    reading.has_header = is_header(&reading, is_long);
    status = is_long ? read_long(&reading) : read_wide(&reading);
  } else {
    status = found < 0 ? found : pqf_say(PQF_EFORMAT, "%s: the file is empty", path);
  }
  free(reading.values);
  pqf_csv_close(csv);
  return status;
}
