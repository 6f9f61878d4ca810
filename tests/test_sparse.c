/* Sparse R against plain loops, and every mistake that a caller can make in giving cells. */
#include "suites.h"
#include "test.h"

#include "data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Plain loops ----------------------------------------------------------------------------- */

/* Cells as a list and as a grid: what sparse data is compared with. */
typedef struct cells {
  int64_t rows, cols, count;
  int32_t *row, *col;    /* count */
  float *value, *weight; /* count */
  int64_t *at;           /* rows x cols: the entry of a cell, -1: absent */
} cells;

static void cells_free(cells *list)
{
  free(list->row);
  free(list->col);
  free(list->value);
  free(list->weight);
  free(list->at);
}

/* `count` different cells in no order. */
static cells random_cells(int64_t rows, int64_t cols, int64_t count, uint64_t seed)
{
  cells list = {rows, cols, count, NULL, NULL, NULL, NULL, NULL};
  list.row = test_allocate(count, sizeof *list.row);
  list.col = test_allocate(count, sizeof *list.col);
  list.value = test_normals(seed, count, 2);
  list.weight = test_allocate(count, sizeof *list.weight);
  list.at = test_allocate(rows * cols, sizeof *list.at);
  memset(list.at, -1, (size_t)(rows * cols) * sizeof *list.at);
  for (int64_t n = 0; n < count; n++) {
    int64_t cell;
    do
      cell = (int64_t)(test_bits(&seed) % (uint64_t)(rows * cols));
    while (list.at[cell] >= 0);
    list.at[cell] = n;
    list.row[n] = (int32_t)(cell / cols);
    list.col[n] = (int32_t)(cell % cols);
    list.weight[n] = (float)test_uniform(&seed);
  }
  return list;
}

/* Drops an entry from the grid. */
static void drop(cells *list, int64_t entry)
{
  list->at[list->row[entry] * list->cols + list->col[entry]] = -1;
}

/* Compares one cell of the data with entry n of the list. */
static int same_cell(const pqf_cells *got, int64_t place, int64_t index, const cells *want,
                     int64_t n, int with_values, int with_weights)
{
  return got->index[place] == index && got->value[place] == (with_values ? want->value[n] : 1) &&
         (!with_weights || got->weight[place] == want->weight[n]);
}

/* The number of cells that differ, by row and by column. */
static int64_t count_faults(const pqf_matrix *got, const cells *want, int with_values,
                            int with_weights)
{
  int64_t faults = (got->by_row.weight != NULL) != with_weights;
  int64_t place = 0;
  for (int64_t row = 0; row < want->rows; row++) {
    faults += got->by_row.offset[row] != place;
    for (int64_t col = 0; col < want->cols; col++) {
      const int64_t n = want->at[row * want->cols + col];
      if (n >= 0)
        faults += !same_cell(&got->by_row, place++, col, want, n, with_values, with_weights);
    }
  }
  faults += got->by_row.offset[want->rows] != place || got->count != place;
  place = 0;
  for (int64_t col = 0; col < want->cols; col++) {
    faults += got->by_col.offset[col] != place;
    for (int64_t row = 0; row < want->rows; row++) {
      const int64_t n = want->at[row * want->cols + col];
      if (n >= 0)
        faults += !same_cell(&got->by_col, place++, row, want, n, with_values, with_weights);
    }
  }
  return faults + (got->by_col.offset[want->cols] != place);
}

static void check_cells(const pqf_data *data, const cells *want, int with_values, int with_weights)
{
  const pqf_matrix *got = &data->matrix;
  CU_ASSERT_EQUAL(got->rows, want->rows);
  CU_ASSERT_EQUAL(got->cols, want->cols);
  CU_ASSERT_PTR_NULL(got->dense);
  CU_ASSERT_EQUAL(count_faults(got, want, with_values, with_weights), 0);
  double sum = 0;
  for (int64_t cell = 0; cell < want->rows * want->cols; cell++) {
    const int64_t n = want->at[cell];
    if (n < 0)
      continue;
    const double value = with_values ? (double)want->value[n] : 1;
    sum += value * value * (with_weights ? (double)want->weight[n] : 1);
  }
  CHECK_AT_MOST(fabs(got->square_sum - sum), 1e-12 * (sum + 1), "error of the square sum");
}

/* ---- Lists, compressed rows, dense values
 * -------------------------------------------------------- */

/* Shapes with one group per block of the sort, with several, with a last block that is short, and
 * with several pieces of work. */
static const int64_t shapes[][3] = {{1, 1, 1},          {1, 50, 20},       {50, 1, 20},
                                    {7, 9, 63},         {256, 257, 900},   {3001, 40, 20000},
                                    {40, 3001, 20000},  {700, 900, 5},     {600, 600, 0},
                                    {513, 511, 100000}, {600, 900, 300000}};

static void lists_become_cells(void)
{
  for (size_t n = 0; n < sizeof shapes / sizeof shapes[0]; n++) {
    cells want = random_cells(shapes[n][0], shapes[n][1], shapes[n][2], n);
    for (int kind = 0; kind < 4; kind++) {
      const int values = kind & 1;
      const int weights = kind >> 1;
      pqf_data *data;
      if (!CHECK_OK(pqf_data_coo(&data, want.rows, want.cols, want.count, want.row, want.col,
                                 values ? want.value : NULL, weights ? want.weight : NULL, NULL)))
        continue;
      check_cells(data, &want, values, weights);
      pqf_data_free(data);
    }
    cells_free(&want);
  }
}

/* The list as compressed rows: rows in order, the cells of a row as the list has them. */
static int64_t *compress(cells *list)
{
  int64_t *offset = test_allocate(list->rows + 1, sizeof *offset);
  cells from = *list;
  list->row = test_allocate(list->count, sizeof *list->row);
  list->col = test_allocate(list->count, sizeof *list->col);
  list->value = test_allocate(list->count, sizeof *list->value);
  list->weight = test_allocate(list->count, sizeof *list->weight);
  int64_t place = 0;
  for (int64_t row = 0; row < list->rows; row++) {
    for (int64_t n = 0; n < list->count; n++) {
      if (from.row[n] != row)
        continue;
      list->row[place] = from.row[n];
      list->col[place] = from.col[n];
      list->value[place] = from.value[n];
      list->weight[place] = from.weight[n];
      list->at[row * list->cols + from.col[n]] = place++;
    }
    offset[row + 1] = place;
  }
  from.at = NULL;
  cells_free(&from);
  return offset;
}

static void compressed_rows_become_cells(void)
{
  cells want = random_cells(700, 60, 9000, 11);
  int64_t *offset = compress(&want);
  pqf_data *data = NULL;
  if (CHECK_OK(pqf_data_csr(&data, want.rows, want.cols, offset, want.col, want.value, want.weight,
                            NULL)))
    check_cells(data, &want, 1, 1);
  pqf_data_free(data);
  if (CHECK_OK(pqf_data_csr(&data, want.rows, want.cols, offset, want.col, NULL, NULL, NULL)))
    check_cells(data, &want, 0, 0);
  if (data != NULL) { /* now in order, as most are */
    pqf_data *again = NULL;
    const pqf_cells *rows = &data->matrix.by_row;
    CHECK_OK(pqf_data_csr(&again, want.rows, want.cols, rows->offset, rows->index, rows->value,
                          NULL, NULL));
    if (again != NULL)
      check_cells(again, &want, 0, 0);
    pqf_data_free(again);
  }
  pqf_data_free(data);
  cells_free(&want);
  free(offset);
}

static void nan_cells_are_dropped(void)
{
  cells want = random_cells(300, 70, 5000, 3);
  int64_t *offset = compress(&want);
  for (int64_t n = 0; n < want.count; n += 3) {
    want.value[n] = NAN;
    drop(&want, n);
  }
  pqf_data_options options = PQF_DATA_OPTIONS_INIT;
  options.nan_is_absent = 1;
  pqf_data *data = NULL;
  if (CHECK_OK(pqf_data_coo(&data, want.rows, want.cols, want.count, want.row, want.col, want.value,
                            want.weight, &options)))
    check_cells(data, &want, 1, 1);
  pqf_data_free(data);
  if (CHECK_OK(
          pqf_data_csr(&data, want.rows, want.cols, offset, want.col, want.value, NULL, &options)))
    check_cells(data, &want, 1, 0);
  pqf_data_free(data);
  CHECK_STATUS(pqf_data_coo(&data, want.rows, want.cols, want.count, want.row, want.col, want.value,
                            NULL, NULL),
               PQF_EINVAL);
  CHECK_WORDS("entry 0: value of cell (");
  CHECK_WORDS(") is NaN");
  cells_free(&want);
  free(offset);
}

static void no_cells_are_sparse_data(void)
{
  const int64_t offset[4] = {0};
  pqf_data *data;
  REQUIRE_OK(pqf_data_coo(&data, 3, 2, 0, NULL, NULL, NULL, NULL, NULL));
  CU_ASSERT_EQUAL(pqf_data_count(data), 0);
  CU_ASSERT_EQUAL(memcmp(data->matrix.by_row.offset, offset, sizeof offset), 0);
  CU_ASSERT_EQUAL(data->matrix.square_sum, 0);
  pqf_data_free(data);
  REQUIRE_OK(pqf_data_csr(&data, 3, 2, offset, NULL, NULL, NULL, NULL));
  CU_ASSERT_EQUAL(pqf_data_count(data), 0);
  CU_ASSERT_EQUAL(memcmp(data->matrix.by_col.offset, offset, 3 * sizeof offset[0]), 0);
  pqf_data_free(data);
}

static void cells_given_twice_are_named(void)
{
  const int32_t row[] = {3, 0, 3, 1, 3};
  const int32_t col[] = {17, 2, 4, 17, 17};
  pqf_data *data = NULL;
  CHECK_STATUS(pqf_data_coo(&data, 5, 20, 5, row, col, NULL, NULL, NULL), PQF_EINVAL);
  CHECK_WORDS("cell (3, 17) is given twice");
  CU_ASSERT_PTR_NULL(data);
  const int64_t offset[] = {0, 0, 3, 5};
  const int32_t in_rows[] = {5, 7, 5, 0, 1};
  CHECK_STATUS(pqf_data_csr(&data, 3, 8, offset, in_rows, NULL, NULL, NULL), PQF_EINVAL);
  CHECK_WORDS("cell (1, 5) is given twice");
  CU_ASSERT_PTR_NULL(data);
  cells many = random_cells(2000, 1000, 20000, 8);
  many.row[19999] = many.row[77];
  many.col[19999] = many.col[77];
  char words[64];
  snprintf(words, sizeof words, "cell (%d, %d) is given twice", many.row[77], many.col[77]);
  CHECK_STATUS(
      pqf_data_coo(&data, many.rows, many.cols, many.count, many.row, many.col, NULL, NULL, NULL),
      PQF_EINVAL);
  CHECK_WORDS(words);
  pqf_data_options options = PQF_DATA_OPTIONS_INIT;
  options.nan_is_absent = 1;
  many.value[77] = NAN; /* then the other one is the only one */
  CHECK_OK(pqf_data_coo(&data, many.rows, many.cols, many.count, many.row, many.col, many.value,
                        NULL, &options));
  CU_ASSERT_EQUAL(pqf_data_count(data), 19999);
  pqf_data_free(data);
  cells_free(&many);
}

/* A list of two cells of 4 x 3, of which the second one is as given. */
static int second_entry(int32_t row, int32_t col, float value, float weight, int nan_is_absent)
{
  const int32_t rows[] = {0, row};
  const int32_t cols[] = {0, col};
  const float values[] = {1, value};
  const float weights[] = {1, weight};
  pqf_data_options options = PQF_DATA_OPTIONS_INIT;
  options.nan_is_absent = nan_is_absent;
  pqf_data *data = NULL;
  const int status = pqf_data_coo(&data, 4, 3, 2, rows, cols, values, weights, &options);
  CU_ASSERT_EQUAL(status == PQF_OK, data != NULL);
  pqf_data_free(data);
  return status;
}

static void entries_are_checked(void)
{
  CHECK_OK(second_entry(3, 2, 1, 0, 0));
  CHECK_STATUS(second_entry(4, 2, 1, 1, 0), PQF_EINVAL);
  CHECK_WORDS("entry 1: row 4 is not from 0 to 3");
  CHECK_STATUS(second_entry(-1, 2, 1, 1, 0), PQF_EINVAL);
  CHECK_WORDS("entry 1: row -1 is not from 0 to 3");
  CHECK_STATUS(second_entry(1, 3, NAN, 1, 1), PQF_EINVAL);
  CHECK_WORDS("entry 1: column 3 is not from 0 to 2");
  CHECK_STATUS(second_entry(1, INT32_MIN, 1, 1, 0), PQF_EINVAL);
  CHECK_WORDS("entry 1: column -2147483648 is not from 0 to 2");
  CHECK_STATUS(second_entry(1, 2, NAN, 1, 0), PQF_EINVAL);
  CHECK_WORDS("entry 1: value of cell (1, 2) is NaN");
  CHECK_OK(second_entry(1, 2, NAN, 1, 1));
  CHECK_STATUS(second_entry(1, 2, -INFINITY, 1, 1), PQF_EINVAL);
  CHECK_WORDS("entry 1: value of cell (1, 2) is infinite");
  CHECK_STATUS(second_entry(1, 2, 1, -0.5f, 0), PQF_EINVAL);
  CHECK_WORDS("entry 1: weight of cell (1, 2) is -0.5");
  CHECK_STATUS(second_entry(1, 2, 1, NAN, 1), PQF_EINVAL);
  CHECK_WORDS("weight of cell (1, 2) is");
  CHECK_STATUS(second_entry(1, 2, 1, INFINITY, 0), PQF_EINVAL);
  CHECK_WORDS("weight of cell (1, 2) is inf");
}

static void sparse_arguments_are_checked(void)
{
  const int32_t index[2] = {0, 1};
  const int64_t offset[] = {0, 1, 2};
  pqf_data *data = NULL;
  CHECK_STATUS(pqf_data_coo(NULL, 2, 2, 2, index, index, NULL, NULL, NULL), PQF_EINVAL);
  CHECK_WORDS("out is NULL");
  CHECK_STATUS(pqf_data_coo(&data, 2, 2, 2, NULL, index, NULL, NULL, NULL), PQF_EINVAL);
  CHECK_WORDS("row is NULL");
  CHECK_STATUS(pqf_data_coo(&data, 2, 2, 2, index, NULL, NULL, NULL, NULL), PQF_EINVAL);
  CHECK_WORDS("col is NULL");
  CHECK_STATUS(pqf_data_coo(&data, 2, 2, -1, index, index, NULL, NULL, NULL), PQF_EINVAL);
  CHECK_WORDS("number of cells is -1");
  CHECK_STATUS(pqf_data_coo(&data, 0, 2, 2, index, index, NULL, NULL, NULL), PQF_EINVAL);
  CHECK_WORDS("rows is 0");
  CHECK_STATUS(pqf_data_csr(NULL, 2, 2, offset, index, NULL, NULL, NULL), PQF_EINVAL);
  CHECK_WORDS("out is NULL");
  CHECK_STATUS(pqf_data_csr(&data, 2, 2, NULL, index, NULL, NULL, NULL), PQF_EINVAL);
  CHECK_WORDS("offset is NULL");
  CHECK_STATUS(pqf_data_csr(&data, 2, 2, offset, NULL, NULL, NULL, NULL), PQF_EINVAL);
  CHECK_WORDS("col is NULL");
  CHECK_STATUS(pqf_data_csr(&data, 2, (int64_t)INT32_MAX + 1, offset, index, NULL, NULL, NULL),
               PQF_EINVAL);
  CHECK_WORDS("columns is 2147483648");
  CHECK_STATUS(pqf_data_csr(&data, 2, 1, offset, index, NULL, NULL, NULL), PQF_EINVAL);
  CHECK_WORDS("entry 1: column 1 is not from 0 to 0");
  CU_ASSERT_PTR_NULL(data);
}

static void offsets_are_checked(void)
{
  const int32_t index[2] = {0, 1};
  const int64_t late[] = {1, 1, 2};
  const int64_t descending[] = {0, 3000000000, 2};
  pqf_data *data = NULL;
  CHECK_STATUS(pqf_data_csr(&data, 2, 2, late, index, NULL, NULL, NULL), PQF_EINVAL);
  CHECK_WORDS("offset 0 is 1, not 0");
  CHECK_STATUS(pqf_data_csr(&data, 2, 2, descending, index, NULL, NULL, NULL), PQF_EINVAL);
  CHECK_WORDS("offset 2 is 2, below the 3000000000 before it");
  CU_ASSERT_PTR_NULL(data);
}

static void dense_nan_can_be_absent(void)
{
  enum { ROWS = 300, COLS = 40, STRIDE = 41 };
  cells want = random_cells(ROWS, COLS, 2000, 5);
  float *values = test_allocate((int64_t)ROWS * STRIDE, sizeof *values);
  for (int row = 0; row < ROWS; row++) {
    for (int col = 0; col < COLS; col++) {
      const int64_t n = want.at[row * COLS + col];
      values[row * STRIDE + col] = n >= 0 ? want.value[n] : NAN;
    }
  }
  pqf_data_options options = PQF_DATA_OPTIONS_INIT;
  options.nan_is_absent = 1;
  for (options.borrow = 0; options.borrow <= 1; options.borrow++) {
    pqf_data *data;
    if (!CHECK_OK(pqf_data_dense(&data, values, ROWS, COLS, STRIDE, &options)))
      continue;
    check_cells(data, &want, 1, 0);
    CU_ASSERT_PTR_NULL(data->dense);
    pqf_data_free(data);
  }
  cells_free(&want);
  free(values);
}

void suite_sparse(void)
{
  CU_pSuite suite = CU_add_suite("sparse", NULL, NULL);
  CU_add_test(suite, "lists become cells by row and column", lists_become_cells);
  CU_add_test(suite, "compressed rows become cells", compressed_rows_become_cells);
  CU_add_test(suite, "NaN cells are dropped", nan_cells_are_dropped);
  CU_add_test(suite, "no cells are sparse data", no_cells_are_sparse_data);
  CU_add_test(suite, "cells given twice are named", cells_given_twice_are_named);
  CU_add_test(suite, "entries are checked", entries_are_checked);
  CU_add_test(suite, "sparse: arguments are checked", sparse_arguments_are_checked);
  CU_add_test(suite, "compressed rows: offsets are checked", offsets_are_checked);
  CU_add_test(suite, "a dense NaN can be an absent cell", dense_nan_can_be_absent);
}
