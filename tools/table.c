#include "table.h"

#include "failure.h"
#include "input.h"
#include "memory_limit.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static const char *const side_names[2] = {"row", "column"};

static void release_values(pqf_table *table)
{
  free(table->owned);
  if (table->mapping != NULL)
    (void)munmap(table->mapping, table->mapping_size);
  table->values = NULL;
  table->owned = NULL;
  table->mapping = NULL;
}

static void release_cells(pqf_table *table)
{
  free(table->row);
  free(table->col);
  free(table->cell);
  free(table->time);
  table->row = NULL;
  table->col = NULL;
  table->cell = NULL;
  table->time = NULL;
  table->count = 0;
  table->capacity = 0;
}

void pqf_table_clear(pqf_table *table)
{
  release_values(table);
  release_cells(table);
  pqf_id_map_clear(&table->ids[PQF_ROWS]);
  pqf_id_map_clear(&table->ids[PQF_COLS]);
  for (int n = 0; n < 4; ++n)
    free(table->names[n]);
  *table = (pqf_table){0};
}

static int reserve_cells(pqf_table *table)
{
  enum { FIRST_CAPACITY = 64 };
  const int64_t capacity = table->capacity > 0 ? 2 * table->capacity : FIRST_CAPACITY;
  int32_t *row = pqf_resize(table->row, capacity, sizeof *row);
  if (row == NULL)
    return PQF_ENOMEM;
  table->row = row;
  int32_t *col = pqf_resize(table->col, capacity, sizeof *col);
  if (col == NULL)
    return PQF_ENOMEM;
  table->col = col;
  float *cell = pqf_resize(table->cell, capacity, sizeof *cell);
  if (cell == NULL)
    return PQF_ENOMEM;
  table->cell = cell;
  if (table->timed) {
    double *time = pqf_resize(table->time, capacity, sizeof *time);
    if (time == NULL)
      return PQF_ENOMEM;
    table->time = time;
  }
  table->capacity = capacity;
  return PQF_OK;
}

int pqf_table_add_cell(pqf_table *table, int32_t row, int32_t col, float value)
{
  if (table->count == table->capacity) {
    const int status = reserve_cells(table);
    if (status != PQF_OK)
      return status;
  }
  table->row[table->count] = row;
  table->col[table->count] = col;
  table->cell[table->count++] = value;
  return PQF_OK;
}

int pqf_table_sort_ids(pqf_table *table)
{
  int32_t *const indices[2] = {table->row, table->col};
  for (int side = 0; side < 2; ++side) {
    int32_t *rank = pqf_resize(NULL, table->ids[side].count, sizeof *rank);
    if (rank == NULL)
      return PQF_ENOMEM;
    const int status = pqf_id_map_sort(&table->ids[side], rank);
    for (int64_t n = 0; n < table->count && status == PQF_OK; ++n)
      indices[side][n] = rank[indices[side][n]];
    free(rank);
    if (status != PQF_OK)
      return status;
  }
  table->rows = table->ids[PQF_ROWS].count;
  table->cols = table->ids[PQF_COLS].count;
  return PQF_OK;
}

int pqf_table_name(pqf_table *table, int column, const char *name)
{
  free(table->names[column]);
  table->names[column] = strdup(name);
  return table->names[column] != NULL ? PQF_OK : pqf_say(PQF_ENOMEM, "out of memory");
}

static int fail_no_value(const char *path, int64_t row, int64_t col)
{
  return pqf_say(PQF_EINVAL,
                 "%s: the cell at row %" PRId64 ", column %" PRId64
                 " has no value; --nan absent takes such cells for absent ones",
                 path, row, col);
}

/* Lists the cells of a dense table. */
static int list_dense(pqf_table *table, int nan_is_absent, const char *path)
{
  for (int64_t row = 0; row < table->rows; ++row)
    for (int64_t col = 0; col < table->cols; ++col) {
      const float value = table->values[row * table->cols + col];
      if (isnan(value) && !nan_is_absent)
        return fail_no_value(path, row, col);
      if (isnan(value))
        continue;
      const int status = pqf_table_add_cell(table, (int32_t)row, (int32_t)col, value);
      if (status != PQF_OK)
        return status;
    }
  release_values(table);
  return PQF_OK;
}

int pqf_table_list(pqf_table *table, int nan_is_absent, const char *path)
{
  int64_t kept = 0;
  if (table->values != NULL)
    return list_dense(table, nan_is_absent, path);
  for (int64_t n = 0; n < table->count; ++n) {
    if (isnan(table->cell[n]) && !nan_is_absent)
      return fail_no_value(path, table->row[n], table->col[n]);
    if (isnan(table->cell[n]))
      continue;
    table->row[kept] = table->row[n];
    table->col[kept] = table->col[n];
    table->cell[kept] = table->cell[n];
    if (table->time != NULL)
      table->time[kept] = table->time[n];
    ++kept;
  }
  table->count = kept;
  return PQF_OK;
}

/* What the library says of a cell, which knew its indices alone, with the ids that the file has. */
static const char *with_ids(const pqf_table *table, const char *words, char *out, size_t capacity)
{
  static const char start[] = "cell (";
  static const char *const ends[2] = {", ", ")"};
  enum { NAME = 256 };
  char name[2][NAME];
  const char *cell = strstr(words, start);
  const char *rest = cell != NULL ? cell + strlen(start) : NULL;
  if (cell == NULL || table == NULL)
    return words;
  for (int side = 0; side < 2; ++side) {
    char *end;
    const pqf_id_map *ids = &table->ids[side];
    pqf_id id = {.number = strtoll(rest, &end, 10)};
    if (end == rest || strncmp(end, ends[side], strlen(ends[side])) != 0)
      return words;
    if (ids->kind != PQF_IDS_NONE && id.number >= 0 && id.number < ids->count)
      pqf_id_map_get(ids, id.number, &id);
    (void)pqf_id_print(&id, name[side], sizeof name[side]);
    rest = end + strlen(ends[side]);
  }
  (void)snprintf(out, capacity, "%.*s%s%s, %s)%s", (int)(cell - words), words, start,
                 name[PQF_ROWS], name[PQF_COLS], rest);
  return out;
}

int pqf_table_fail(int status, const pqf_table *table, const char *path, int nan_is_absent)
{
  char named[1024];
  const char *words = with_ids(table, pqf_error_message(), named, sizeof named);
  const bool no_value = strstr(words, "NaN") != NULL || strstr(words, "null") != NULL;
  const bool limited = status == PQF_ENOMEM && strstr(words, "memory_limit") != NULL;
  const char *hint = "";
  if (no_value && !nan_is_absent)
    hint = "; --nan absent takes such cells for absent ones";
  else if (limited)
    hint = "; --memory-limit N allows N, --memory-limit 0 any";
  return pqf_say(status, "%s: %s%s", path, words, hint);
}

int pqf_table_data(pqf_data **out, pqf_table *table, const pqf_input_options *input,
                   const char *path)
{
  const int nan_is_absent = input->nan_is_absent;
  pqf_data_options options = PQF_DATA_OPTIONS_INIT;
  int status;
  *out = NULL;
  options.nan_is_absent = nan_is_absent;
  options.borrow = !nan_is_absent;
  options.duplicates = input->duplicates;
  options.memory_limit = pqf_memory_limit();
  if (table->values != NULL)
    status = pqf_data_dense(out, table->values, table->rows, table->cols, table->cols, &options);
  else
    status = pqf_data_coo(out, table->rows, table->cols, table->count, table->row, table->col,
                          table->cell, NULL, &options);
  if (status != PQF_OK)
    return pqf_table_fail(status, table, path, nan_is_absent);
  if (table->values == NULL)
    release_cells(table);
  else if (nan_is_absent)
    release_values(table);
  for (int32_t side = PQF_ROWS; side <= PQF_COLS && status == PQF_OK; ++side)
    status = pqf_id_map_give(&table->ids[side], *out, side);
  if (status != PQF_OK) {
    (void)pqf_say(status, "%s: %s", path, pqf_said());
    pqf_data_free(*out);
    *out = NULL;
  }
  return status;
}

/* place[index in `table`] = index in `training`, one for each row or column. */
static int map_side(int32_t *place, const pqf_table *table, const pqf_table *training, int side,
                    const char *path)
{
  const int64_t count = side == PQF_ROWS ? table->rows : table->cols;
  const int64_t there = side == PQF_ROWS ? training->rows : training->cols;
  const pqf_id_map *ids = &table->ids[side];
  if (ids->kind == PQF_IDS_NONE && count != there)
    return pqf_say(PQF_EINVAL,
                   "%s: %" PRId64 " %ss without ids where the training data have %" PRId64, path,
                   count, side_names[side], there);
  for (int64_t index = 0; index < count; ++index) {
    pqf_id id = {.number = index};
    if (ids->kind != PQF_IDS_NONE)
      pqf_id_map_get(ids, index, &id);
    if (ids->kind == PQF_IDS_NONE)
      place[index] = (int32_t)index;
    else if (training->ids[side].kind != PQF_IDS_NONE)
      place[index] = pqf_id_map_find(&training->ids[side], &id);
    else
      place[index] =
          id.text == NULL && id.number >= 0 && id.number < there ? (int32_t)id.number : -1;
    if (place[index] < 0) {
      char text[256];
      (void)pqf_id_print(&id, text, sizeof text);
      return pqf_say(PQF_EINVAL, "%s: the training data have no %s with the id %s", path,
                     side_names[side], text);
    }
  }
  return PQF_OK;
}

static bool is_identity(const int32_t *place, int64_t count, int64_t there)
{
  for (int64_t index = 0; index < count; ++index)
    if (place[index] != index)
      return false;
  return count == there;
}

int pqf_table_align(pqf_table *table, const pqf_table *training, const char *path)
{
  int32_t *row_place = pqf_resize(NULL, table->rows, sizeof *row_place);
  int32_t *col_place = pqf_resize(NULL, table->cols, sizeof *col_place);
  int status = PQF_ENOMEM;
  if (row_place == NULL || col_place == NULL)
    goto out;
  status = map_side(row_place, table, training, PQF_ROWS, path);
  if (status == PQF_OK)
    status = map_side(col_place, table, training, PQF_COLS, path);
  if (status != PQF_OK)
    goto out;
  const bool in_place = is_identity(row_place, table->rows, training->rows) &&
                        is_identity(col_place, table->cols, training->cols);
  if (!in_place && table->values != NULL)
    status = pqf_table_list(table, 1, path);
  for (int64_t n = 0; n < table->count && !in_place && status == PQF_OK; ++n) {
    table->row[n] = row_place[table->row[n]];
    table->col[n] = col_place[table->col[n]];
  }
  table->rows = training->rows;
  table->cols = training->cols;
  pqf_id_map_clear(&table->ids[PQF_ROWS]);
  pqf_id_map_clear(&table->ids[PQF_COLS]);
out:
  free(row_place);
  free(col_place);
  return status;
}
