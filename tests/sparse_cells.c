/* The helpers of sparse_cells.h. */
#include "sparse_cells.h"

#include "data.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>

void cell_list_free(cell_list *list)
{
  free(list->row);
  free(list->col);
  free(list->value);
  free(list->weight);
}

/* Room for as many cells. */
static cell_list make_room(int64_t rows, int64_t cols, int64_t count, int weighted)
{
  return (cell_list){
      rows,
      cols,
      count,
      test_allocate(count, sizeof(int32_t)),
      test_allocate(count, sizeof(int32_t)),
      test_allocate(count, sizeof(float)),
      weighted ? test_allocate(count, sizeof(float)) : NULL,
  };
}

static void copy_cell(cell_list *to, int64_t place, const cell_list *from, int64_t n)
{
  to->row[place] = from->row[n];
  to->col[place] = from->col[n];
  to->value[place] = from->value[n];
  if (to->weight != NULL)
    to->weight[place] = from->weight[n];
}

cell_list cell_list_random(int64_t rows, int64_t cols, int64_t count, int weighted, uint64_t seed)
{
  cell_list list = make_room(rows, cols, count, weighted);
  for (int64_t n = 0; n < count; ++n) {
    list.row[n] = (int32_t)(test_bits(&seed) % (uint64_t)rows);
    list.col[n] = (int32_t)(test_bits(&seed) % (uint64_t)cols);
    list.value[n] = (float)test_normal(&seed);
    if (weighted)
      list.weight[n] = (float)test_uniform(&seed);
  }
  return list;
}

/* The list by rows, those of a row in their order, with the rows' offsets. */
static cell_list compress(const cell_list *list, int64_t *offset)
{
  cell_list sorted = make_room(list->rows, list->cols, list->count, list->weight != NULL);
  int64_t *next = test_allocate(list->rows + 1, sizeof *next);
  for (int64_t n = 0; n < list->count; ++n)
    ++offset[list->row[n] + 1];
  for (int64_t row = 0; row < list->rows; ++row)
    offset[row + 1] += offset[row];
  memcpy(next, offset, (size_t)list->rows * sizeof *next);
  for (int64_t n = 0; n < list->count; ++n)
    copy_cell(&sorted, next[list->row[n]]++, list, n);
  free(next);
  return sorted;
}

typedef struct delivery {
  const cell_list *list;
  int64_t delivered;
} delivery;

/* Chunks of growing size, the arrays gone when the next one is asked for. */
static int deliver(pqf_chunk *chunk, void *payload)
{
  delivery *d = payload;
  const cell_list *list = d->list;
  const int64_t left = list->count - d->delivered;
  const int64_t wanted = 1 + d->delivered / 3;
  chunk->count = left < wanted ? left : wanted;
  chunk->row = list->row + d->delivered;
  chunk->col = list->col + d->delivered;
  chunk->value = list->value + d->delivered;
  chunk->weight = list->weight != NULL ? list->weight + d->delivered : NULL;
  d->delivered += chunk->count;
  return 0;
}

static int build_compressed(pqf_data **out, const cell_list *list, const pqf_data_options *options)
{
  int64_t *offset = test_allocate(list->rows + 1, sizeof *offset);
  cell_list sorted = compress(list, offset);
  const int status = pqf_data_csr(out, list->rows, list->cols, offset, sorted.col, sorted.value,
                                  sorted.weight, options);
  cell_list_free(&sorted);
  free(offset);
  return status;
}

pqf_data *cell_list_build(const cell_list *list, int way, const pqf_data_options *options,
                          int *status)
{
  pqf_data *data = NULL;
  delivery d = {list, 0};
  if (way == AS_COMPRESSED_ROWS)
    *status = build_compressed(&data, list, options);
  else if (way == AS_CHUNKS)
    *status = pqf_data_pull(&data, list->rows, list->cols, deliver, &d, options);
  else
    *status = pqf_data_coo(&data, list->rows, list->cols, list->count, list->row, list->col,
                           list->value, list->weight, options);
  CU_ASSERT_EQUAL(data == NULL, *status != PQF_OK);
  return data;
}

static int same_bytes(const void *a, const void *b, int64_t count, size_t size)
{
  return count == 0 || memcmp(a, b, (size_t)count * size) == 0;
}

static int same_cells(const pqf_cells *a, const pqf_cells *b, int64_t groups, int64_t count)
{
  return same_bytes(a->offset, b->offset, groups + 1, sizeof *a->offset) &&
         same_bytes(a->index, b->index, count, sizeof *a->index) &&
         same_bytes(a->value, b->value, count, sizeof *a->value) &&
         (a->weight == NULL) == (b->weight == NULL) &&
         (a->weight == NULL || same_bytes(a->weight, b->weight, count, sizeof *a->weight));
}

int same_sparse_data(const pqf_data *a, const pqf_data *b)
{
  if (a == NULL || b == NULL)
    return 0;
  const pqf_matrix *x = &a->matrix;
  const pqf_matrix *y = &b->matrix;
  return x->rows == y->rows && x->cols == y->cols && x->count == y->count &&
         memcmp(&x->square_sum, &y->square_sum, sizeof x->square_sum) == 0 &&
         same_cells(&x->by_row, &y->by_row, x->rows, x->count) &&
         same_cells(&x->by_col, &y->by_col, x->cols, x->count);
}
