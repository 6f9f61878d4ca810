#include "cells.h"

#include "failure.h"
#include "writer.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 1 << 16, LINE = 96 }; /* cells; bytes */

/* What is written at once. */
typedef struct pqf_cell_block {
  pqf_id *ids[2];
  float *values;
  double *times;
  int64_t count;
} pqf_cell_block;

static bool is_market(const char *path)
{
  return pqf_ends_in(path, ".mtx");
}

bool pqf_cells_writable(const char *path)
{
  if (is_market(path))
    return true;
  const pqf_writer *writer = pqf_find_writer(path);
  if (writer != NULL && writer != &pqf_npy_writer)
    return true;
  (void)pqf_say(PQF_EINVAL,
                "%s: the name of a file of cells ends in .csv, .csv.gz, .mtx or .parquet", path);
  return false;
}

static int64_t count_marks(const pqf_table *table, const uint8_t *marks, uint8_t wanted)
{
  int64_t count = 0;
  for (int64_t n = 0; n < table->count; ++n)
    count += marks[n] == wanted;
  return count;
}

/* Cells counted from 1, as a coordinate file has them. */
static int write_market(const pqf_table *table, const uint8_t *marks, uint8_t wanted,
                        pqf_output *output)
{
  char line[LINE];
  int length = snprintf(line, sizeof line,
                        "%%%%MatrixMarket matrix coordinate real general\n%" PRId64 " %" PRId64
                        " %" PRId64 "\n",
                        table->rows, table->cols, count_marks(table, marks, wanted));
  int status = pqf_output_write(output, line, (size_t)length);
  for (int64_t n = 0; n < table->count && status == PQF_OK; ++n) {
    if (marks[n] != wanted)
      continue;
    length =
        snprintf(line, sizeof line, "%" PRId64 " %" PRId64 " %.9g\n", table->row[n] + INT64_C(1),
                 table->col[n] + INT64_C(1), (double)table->cell[n]);
    status = pqf_output_write(output, line, (size_t)length);
  }
  return status;
}

static bool all_whole(const double *times, int64_t count)
{
  const double most = 9007199254740992.0; /* 2^53 */
  for (int64_t n = 0; n < count; ++n)
    if (!(fabs(times[n]) <= most) || times[n] != floor(times[n]))
      return false;
  return true;
}

/* The id of a row or column of the table; its index where that side has none. */
static pqf_id id_of(const pqf_table *table, int side, int32_t index)
{
  pqf_id id = {.number = index};
  if (table->ids[side].kind != PQF_IDS_NONE)
    pqf_id_map_get(&table->ids[side], index, &id);
  return id;
}

static const char *name_of(const pqf_table *table, int column)
{
  static const char *const names[] = {"row", "column", "value", "time"};
  return table->names[column] != NULL ? table->names[column] : names[column];
}

static int32_t kind_of(const pqf_table *table, int side)
{
  return table->ids[side].kind == PQF_IDS_TEXTS ? PQF_IDS_TEXTS : PQF_IDS_NUMBERS;
}

static int reserve(pqf_cell_block *block, bool timed)
{
  for (int side = 0; side < 2; ++side) {
    block->ids[side] = pqf_resize(NULL, BLOCK, sizeof *block->ids[side]);
    if (block->ids[side] == NULL)
      return PQF_ENOMEM;
  }
  block->values = pqf_resize(NULL, BLOCK, sizeof *block->values);
  if (block->values == NULL)
    return PQF_ENOMEM;
  block->times = timed ? pqf_resize(NULL, BLOCK, sizeof *block->times) : NULL;
  return block->times != NULL || !timed ? PQF_OK : PQF_ENOMEM;
}

static int write_block(const pqf_writer *writer, void *state, pqf_cell_block *block)
{
  const pqf_sheet_block part = {.rows = block->count,
                                .ids = {block->ids[0], block->ids[1]},
                                .values = block->values,
                                .times = block->times};
  block->count = 0;
  return part.rows > 0 ? writer->write(state, &part) : PQF_OK;
}

static int write_sheet(const pqf_table *table, const uint8_t *marks, uint8_t wanted,
                       const char *path, pqf_output *output)
{
  const char *value = name_of(table, 2);
  const pqf_id value_name = {.text = value, .length = (int64_t)strlen(value)};
  const pqf_sheet sheet = {.id_columns = 2,
                           .id_names = {name_of(table, 0), name_of(table, 1)},
                           .id_kinds = {kind_of(table, PQF_ROWS), kind_of(table, PQF_COLS)},
                           .rows = count_marks(table, marks, wanted),
                           .value_columns = 1,
                           .value_names = &value_name,
                           .time_name = table->timed ? name_of(table, 3) : NULL,
                           .whole_times = table->timed && all_whole(table->time, table->count),
                           .header = table->names[0] != NULL,
                           .pairs = true};
  const pqf_writer *writer = pqf_find_writer(path);
  pqf_cell_block block = {.count = 0};
  void *state = NULL;
  int status = reserve(&block, table->timed);
  if (status == PQF_OK)
    status = writer->open(&state, output, &sheet);
  for (int64_t n = 0; n < table->count && status == PQF_OK; ++n) {
    if (marks[n] != wanted)
      continue;
    block.ids[0][block.count] = id_of(table, PQF_ROWS, table->row[n]);
    block.ids[1][block.count] = id_of(table, PQF_COLS, table->col[n]);
    block.values[block.count] = table->cell[n];
    if (table->timed)
      block.times[block.count] = table->time[n];
    if (++block.count == BLOCK)
      status = write_block(writer, state, &block);
  }
  if (status == PQF_OK)
    status = write_block(writer, state, &block);
  if (status == PQF_OK)
    status = writer->finish(state);
  writer->close(state);
  free(block.ids[0]);
  free(block.ids[1]);
  free(block.values);
  free(block.times);
  return status;
}

int pqf_write_cells(const pqf_table *table, const uint8_t *marks, uint8_t wanted, const char *path)
{
  pqf_output output;
  if (is_market(path) &&
      (!pqf_id_map_is_plain(&table->ids[PQF_ROWS]) || !pqf_id_map_is_plain(&table->ids[PQF_COLS])))
    return pqf_say(PQF_EINVAL, "%s: a Matrix Market file has no room for ids", path);
  int status = pqf_output_open(&output, path);
  if (status == PQF_OK && is_market(path))
    status = write_market(table, marks, wanted, &output);
  else if (status == PQF_OK)
    status = write_sheet(table, marks, wanted, path, &output);
  if (status == PQF_OK)
    status = pqf_output_finish(&output);
  pqf_output_close(&output);
  return status;
}
