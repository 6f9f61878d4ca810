/* R from chunks that a callback delivers.
 *
 * Chunks are checked as they come and their present cells kept in pieces, 12 bytes a cell (16 with
 * weights). The first move of the cells (regroup.c) releases each piece once its cells have
 * arrived, before there is room for the other side; so at the peak there are 24 bytes (32) per
 * cell, of which 16 (24) stay. */
#include "error.h"
#include "memory.h"
#include "sparse.h"

#include <inttypes.h>
#include <math.h>

/* What has been delivered so far. */
typedef struct intake {
  const pqf_data *data; /* for its shape */
  const pqf_data_options *options;
  int weighted; /* as the first chunk is */
  int64_t chunks;
  int64_t entries;
  int64_t cells; /* those that are present */
  pqf_piece *piece;
  int64_t pieces;
  int64_t capacity;
  /* Of the last piece, to be written. */
  int32_t *row;
  int32_t *col;
  float *value;
  float *weight;
} intake;

static int add_piece(intake *into)
{
  if (into->pieces == into->capacity) {
    const int64_t capacity = 2 * into->capacity + 16;
    pqf_piece *longer = pqf_reallocate(into->piece, (size_t)into->pieces * sizeof *longer, capacity,
                                       sizeof *longer);
    if (longer == NULL)
      return PQF_ENOMEM;
    into->piece = longer;
    into->capacity = capacity;
  }
  const int status =
      pqf_data_check_build(into->data, into->options, 0, into->cells + 1, into->weighted);
  if (status != PQF_OK)
    return status;
  const size_t cell_bytes = 2 * sizeof(int32_t) + (into->weighted ? 2 : 1) * sizeof(float);
  void *memory = pqf_allocate(PQF_CELLS_PER_PIECE, cell_bytes);
  if (memory == NULL)
    return PQF_ENOMEM;
  into->row = memory;
  into->col = into->row + PQF_CELLS_PER_PIECE;
  into->value = (void *)(into->col + PQF_CELLS_PER_PIECE);
  into->weight = into->weighted ? into->value + PQF_CELLS_PER_PIECE : NULL;
  into->piece[into->pieces++] =
      (pqf_piece){0, into->row, into->col, into->value, into->weight, memory};
  return PQF_OK;
}

/* Keeps the present entries of a chunk that has been checked. */
static int keep(intake *into, const pqf_cell_list *list)
{
  for (int64_t entry = 0; entry < list->count; entry++) {
    const float value = list->value != NULL ? list->value[entry] : 1;
    if (isnan(value))
      continue;
    const int64_t place = into->cells % PQF_CELLS_PER_PIECE;
    if (place == 0) {
      const int status = add_piece(into);
      if (status != PQF_OK)
        return status;
    }
    into->row[place] = list->row[entry];
    into->col[place] = list->col[entry];
    into->value[place] = value;
    if (list->weight != NULL)
      into->weight[place] = list->weight[entry];
    into->piece[into->pieces - 1].count = place + 1;
    into->cells++;
  }
  return PQF_OK;
}

static int take_chunk(intake *into, const pqf_chunk *chunk)
{
  const int weighted = chunk->weight != NULL;
  if (chunk->count < 0)
    return pqf_fail(PQF_EINVAL, "chunk %" PRId64 ": the number of cells is %" PRId64, into->chunks,
                    chunk->count);
  if (chunk->row == NULL || chunk->col == NULL)
    return pqf_fail(PQF_EINVAL, "chunk %" PRId64 ": %s is NULL", into->chunks,
                    chunk->row == NULL ? "row" : "col");
  if (into->chunks == 0)
    into->weighted = weighted;
  if (weighted != into->weighted)
    return pqf_fail(PQF_EINVAL, "chunk %" PRId64 " %s weights, those before it %s", into->chunks,
                    weighted ? "has" : "has no", weighted ? "have none" : "have");
  const pqf_cell_list list = {chunk->count, NULL,         chunk->row,
                              chunk->col,   chunk->value, chunk->weight};
  const pqf_range all = {0, chunk->count};
  const int64_t fault = pqf_data_find_fault(into->data, &list, all, into->options->nan_is_absent);
  if (fault != INT64_MAX)
    return pqf_data_refuse_entry(into->data, &list, fault, into->entries + fault,
                                 into->options->nan_is_absent);
  into->chunks++;
  into->entries += chunk->count;
  return keep(into, &list);
}

static int take_all(intake *into, pqf_pull pull, void *payload)
{
  for (;;) {
    pqf_chunk chunk = {.size = sizeof chunk};
    if (pull(&chunk, payload) != 0)
      return pqf_fail(PQF_ECANCELED, "the callback ended the building after %" PRId64 " chunks",
                      into->chunks);
    if (chunk.count == 0)
      return PQF_OK;
    const int status = take_chunk(into, &chunk);
    if (status != PQF_OK)
      return status;
  }
}

static int build(pqf_data *data, pqf_pull pull, void *payload, const pqf_data_options *options)
{
  intake into = {.data = data, .options = options};
  int status = pqf_data_check_build(data, options, 0, 0, 0);
  if (status == PQF_OK)
    status = take_all(&into, pull, payload);
  if (status == PQF_OK) {
    const pqf_walk cells = {.count = into.cells, .piece = into.piece};
    status = pqf_data_take_walk(data, &cells, into.weighted, options);
  }
  for (int64_t n = 0; n < into.pieces; n++)
    pqf_release(into.piece[n].memory);
  pqf_release(into.piece);
  return status;
}

int pqf_data_pull(pqf_data **out, int64_t rows, int64_t cols, pqf_pull pull, void *payload,
                  const pqf_data_options *options)
{
  if (out == NULL)
    return pqf_fail(PQF_EINVAL, "out is NULL");
  *out = NULL;
  if (pull == NULL)
    return pqf_fail(PQF_EINVAL, "pull is NULL");
  pqf_data_options chosen;
  int status = pqf_data_options_read(&chosen, options);
  if (status == PQF_OK)
    status = pqf_check_shape(rows, cols);
  if (status != PQF_OK)
    return status;
  pqf_data *data = pqf_data_new(rows, cols);
  if (data == NULL)
    return PQF_ENOMEM;
  status = build(data, pull, payload, &chosen);
  if (status == PQF_OK)
    *out = data;
  else
    pqf_data_free(data);
  return status;
}
