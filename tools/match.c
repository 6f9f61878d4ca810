#include "match.h"

#include "failure.h"
#include "number.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUMBER = 24 };

int pqf_match_id(const pqf_model *model, int32_t side, const pqf_id *id, int32_t *out)
{
  pqf_id wanted = *id;
  char text[NUMBER];
  const bool texts = pqf_model_id_kind(model, side) == PQF_IDS_TEXTS;
  if (texts && id->text == NULL) {
    wanted.length = snprintf(text, sizeof text, "%" PRId64, id->number);
    wanted.text = text;
  } else if (!texts && id->text != NULL) {
    if (!pqf_integer_read(id->text, (size_t)id->length, &wanted.number))
      return PQF_ENOTFOUND;
    wanted.text = NULL;
    wanted.length = 0;
  }
  return pqf_model_find(model, side, &wanted, out);
}

/* place[index in the table] = index in the model, or -1; *unknown counts the latter. */
static int map_side(int32_t *place, const pqf_table *table, const pqf_model *model, int32_t side,
                    const char *path, int64_t *unknown)
{
  const int64_t count = side == PQF_ROWS ? table->rows : table->cols;
  const int64_t there = side == PQF_ROWS ? pqf_model_rows(model) : pqf_model_cols(model);
  const pqf_id_map *ids = &table->ids[side];
  *unknown = 0;
  if (ids->kind == PQF_IDS_NONE && count != there)
    return pqf_say(PQF_EINVAL, "%s: %" PRId64 " %ss without ids where the model has %" PRId64, path,
                   count, side == PQF_ROWS ? "row" : "column", there);
  for (int64_t index = 0; index < count; ++index) {
    place[index] = (int32_t)index;
    if (ids->kind == PQF_IDS_NONE)
      continue;
    pqf_id id;
    pqf_id_map_get(ids, index, &id);
    const int status = pqf_match_id(model, side, &id, &place[index]);
    if (status != PQF_OK && status != PQF_ENOTFOUND)
      return pqf_say(status, "%s", pqf_error_message());
    if (status == PQF_ENOTFOUND) {
      place[index] = -1;
      ++*unknown;
    }
  }
  return PQF_OK;
}

int pqf_match_table(pqf_table *table, const pqf_model *model, int nan_is_absent, const char *path,
                    pqf_unknown *unknown)
{
  int32_t *row_place = NULL, *col_place = NULL;
  *unknown = (pqf_unknown){0};
  int status = pqf_table_list(table, nan_is_absent, path);
  if (status != PQF_OK)
    return status;
  status = PQF_ENOMEM;
  row_place = pqf_resize(NULL, table->rows, sizeof *row_place);
  col_place = pqf_resize(NULL, table->cols, sizeof *col_place);
  if (row_place == NULL || col_place == NULL)
    goto out;
  status = map_side(row_place, table, model, PQF_ROWS, path, &unknown->ids[PQF_ROWS]);
  if (status == PQF_OK)
    status = map_side(col_place, table, model, PQF_COLS, path, &unknown->ids[PQF_COLS]);
  if (status != PQF_OK)
    goto out;
  int64_t kept = 0;
  for (int64_t n = 0; n < table->count; ++n) {
    const int32_t row = row_place[table->row[n]], col = col_place[table->col[n]];
    if (row < 0 || col < 0)
      continue;
    table->row[kept] = row;
    table->col[kept] = col;
    table->cell[kept++] = table->cell[n];
  }
  unknown->cells = table->count - kept;
  table->count = kept;
  table->rows = pqf_model_rows(model);
  table->cols = pqf_model_cols(model);
  pqf_id_map_clear(&table->ids[PQF_ROWS]);
  pqf_id_map_clear(&table->ids[PQF_COLS]);
out:
  free(row_place);
  free(col_place);
  return status;
}
