#include "pairs.h"

#include "csv.h"
#include "failure.h"
#include "match.h"
#include "number.h"
#include "parquet.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct pqf_pair_reading {
  pqf_pairs *pairs;
  const pqf_model *model;
  const char *path;
} pqf_pair_reading;

void pqf_pairs_clear(pqf_pairs *pairs)
{
  free(pairs->row);
  free(pairs->col);
  free(pairs->names[0]);
  free(pairs->names[1]);
  *pairs = (pqf_pairs){0};
}

/* Takes one pair; `line` is where it stands in the file. */
static int take(void *payload, int64_t line, const pqf_id *row, const pqf_id *col)
{
  const pqf_pair_reading *reading = payload;
  pqf_pairs *pairs = reading->pairs;
  const pqf_id *const ids[2] = {row, col};
  int32_t index[2];
  for (int32_t side = PQF_ROWS; side <= PQF_COLS; ++side) {
    const int status = pqf_match_id(reading->model, side, ids[side], &index[side]);
    if (status == PQF_ENOTFOUND) {
      char text[256];
      (void)pqf_id_print(ids[side], text, sizeof text);
      return pqf_say(status, "%s:%" PRId64 ": the model has no %s with the id %s", reading->path,
                     line, side == PQF_ROWS ? "row" : "column", text);
    }
    if (status != PQF_OK)
      return pqf_say(status, "%s", pqf_error_message());
  }
  int64_t capacity = pairs->capacity;
  int32_t *rows = pqf_grow(pairs->row, &capacity, pairs->count + 1, sizeof *rows);
  if (rows == NULL)
    return PQF_ENOMEM;
  pairs->row = rows;
  capacity = pairs->capacity;
  int32_t *cols = pqf_grow(pairs->col, &capacity, pairs->count + 1, sizeof *cols);
  if (cols == NULL)
    return PQF_ENOMEM;
  pairs->col = cols;
  pairs->capacity = capacity;
  rows[pairs->count] = index[PQF_ROWS];
  cols[pairs->count++] = index[PQF_COLS];
  return PQF_OK;
}

static pqf_id id_of(const char *text)
{
  return (pqf_id){.text = text, .length = (int64_t)strlen(text)};
}

static bool is_header(const pqf_pair_reading *reading, const pqf_csv *csv,
                      const pqf_input_options *options)
{
  float ignored;
  int32_t index;
  if (options->header != PQF_GUESS)
    return options->header == PQF_YES;
  if (options->row != NULL || options->col != NULL)
    return true;
  for (int32_t side = PQF_ROWS; side <= PQF_COLS; ++side) {
    const pqf_id id = id_of(csv->fields[side]);
    if (pqf_match_id(reading->model, side, &id, &index) == PQF_OK)
      return false;
  }
  for (int64_t field = 0; field < csv->count; ++field)
    if (!pqf_float_read(csv->fields[field], &ignored))
      return true;
  return false;
}

/* Finds the two columns by their names, where these are given, and keeps the names. */
static int read_header(pqf_pair_reading *reading, const pqf_csv *csv,
                       const pqf_input_options *options, int64_t place[2])
{
  const char *const names[2] = {options->row, options->col};
  for (int side = 0; side < 2; ++side) {
    if (names[side] != NULL)
      for (place[side] = 0; place[side] < csv->count; ++place[side])
        if (strcmp(csv->fields[place[side]], names[side]) == 0)
          break;
    if (place[side] == csv->count)
      return pqf_say(PQF_EINVAL, "%s: the header has no column \"%s\"", reading->path, names[side]);
    reading->pairs->names[side] = strdup(csv->fields[place[side]]);
    if (reading->pairs->names[side] == NULL)
      return pqf_say(PQF_ENOMEM, "out of memory");
  }
  return PQF_OK;
}

static int read_csv(pqf_pair_reading *reading, pqf_csv *csv, const pqf_input_options *options)
{
  int64_t place[2] = {0, 1};
  int found = pqf_csv_next(csv);
  int status = PQF_OK;
  if (found == 0)
    return pqf_say(PQF_EFORMAT, "%s: the file is empty", reading->path);
  if (found < 0)
    return found;
  const int64_t width = csv->count;
  if (width < 2)
    return pqf_say(PQF_EFORMAT, "%s: pairs need two columns", reading->path);
  if (is_header(reading, csv, options)) {
    status = read_header(reading, csv, options, place);
    found = status == PQF_OK ? pqf_csv_next(csv) : status;
  }
  for (; found == 1 && status == PQF_OK; found = status == PQF_OK ? pqf_csv_next(csv) : 0) {
    status = pqf_csv_check_count(csv, width);
    if (status != PQF_OK)
      break;
    const pqf_id row = id_of(csv->fields[place[0]]), col = id_of(csv->fields[place[1]]);
    status = take(reading, csv->line, &row, &col);
  }
  return found < 0 ? found : status;
}

int pqf_read_pairs(pqf_pairs *out, const char *path, const pqf_model *model,
                   const pqf_input_options *options)
{
  pqf_pair_reading reading = {out, model, path};
  int format;
  int status = pqf_input_format(&format, path);
  if (status != PQF_OK)
    return status;
  if (format == PQF_FORMAT_PARQUET)
    return pqf_read_parquet_pairs(path, options->row, options->col, take, &reading);
  if (format != PQF_FORMAT_CSV)
    return pqf_say(PQF_EFORMAT, "%s: pairs are read from CSV or Parquet files", path);
  pqf_csv csv;
  status = pqf_csv_open(&csv, path);
  if (status == PQF_OK)
    status = read_csv(&reading, &csv, options);
  pqf_csv_close(&csv);
  return status;
}
