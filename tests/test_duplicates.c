/* Cells given more than once, added up or replaced, against plain loops: in each way to hand cells
 * over, and for any number of threads the same bits. */
#include "sparse_cells.h"
#include "suites.h"
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* The list with each cell once, row by row, as plain loops have it. */
static cell_list join(const cell_list *list, int32_t duplicates)
{
  const int64_t size = list->rows * list->cols;
  double *value = test_allocate(size, sizeof *value);
  double *weight = test_allocate(size, sizeof *weight);
  char *present = test_allocate(size, 1);
  int64_t count = 0;
  for (int64_t n = 0; n < list->count; ++n) {
    const int64_t cell = list->row[n] * list->cols + list->col[n];
    if (isnan(list->value[n]))
      continue;
    count += !present[cell];
    const double before = duplicates == PQF_DUPLICATES_SUM && present[cell] ? 1 : 0;
    value[cell] = (double)list->value[n] + before * value[cell];
    if (list->weight != NULL)
      weight[cell] = (double)list->weight[n] + before * weight[cell];
    present[cell] = 1;
  }
  cell_list out = cell_list_random(list->rows, list->cols, count, list->weight != NULL, 0);
  int64_t place = 0;
  for (int64_t cell = 0; cell < size; ++cell) {
    if (!present[cell])
      continue;
    out.row[place] = (int32_t)(cell / list->cols);
    out.col[place] = (int32_t)(cell % list->cols);
    out.value[place] = (float)value[cell];
    if (out.weight != NULL)
      out.weight[place] = (float)weight[cell];
    ++place;
  }
  free(value);
  free(weight);
  free(present);
  return out;
}

static void check_joined(const cell_list *list, int32_t duplicates)
{
  static const int32_t threads[] = {1, 2, 7};
  pqf_data_options options = PQF_DATA_OPTIONS_INIT;
  options.nan_is_absent = 1;
  options.threads = 1;
  int status;
  cell_list once = join(list, duplicates);
  pqf_data *want = cell_list_build(&once, AS_LIST, &options, &status);
  CHECK_OK(status);
  CU_ASSERT_EQUAL(pqf_data_count(want), once.count);
  options.duplicates = duplicates;
  for (int way = 0; way < WAYS; ++way)
    for (size_t n = 0; n < sizeof threads / sizeof threads[0]; ++n) {
      options.threads = threads[n];
      pqf_data *data = cell_list_build(list, way, &options, &status);
      CHECK_OK(status);
      CU_ASSERT(same_sparse_data(data, want));
      pqf_data_free(data);
    }
  pqf_data_free(want);
  cell_list_free(&once);
}

/* Shapes with many cells given often, with few, and with several pieces of work. */
static const int64_t shapes[][3] = {{1, 1, 5}, {3, 4, 200}, {60, 700, 9000}, {700, 900, 300000}};

static void cells_are_joined(void)
{
  for (size_t n = 0; n < sizeof shapes / sizeof shapes[0]; ++n)
    for (int weighted = 0; weighted <= 1; ++weighted) {
      cell_list list = cell_list_random(shapes[n][0], shapes[n][1], shapes[n][2], weighted, n + 1);
      check_joined(&list, PQF_DUPLICATES_SUM);
      check_joined(&list, PQF_DUPLICATES_LAST);
      cell_list_free(&list);
    }
}

static void nan_is_left_out_before(void)
{
  cell_list list = cell_list_random(700, 600, 300000, 1, 9);
  for (int64_t n = 0; n < list.count; n += 2)
    list.value[n] = NAN;
  check_joined(&list, PQF_DUPLICATES_SUM);
  check_joined(&list, PQF_DUPLICATES_LAST);
  cell_list_free(&list);
}

/* 1e8 + 1 - 1e8 in float is 0. */
static void sums_are_in_double(void)
{
  const int32_t place[] = {0, 0, 0};
  const float value[] = {1e8f, 1, -1e8f};
  const float one = 1;
  pqf_data_options options = PQF_DATA_OPTIONS_INIT;
  pqf_data *data;
  pqf_data *want;
  options.duplicates = PQF_DUPLICATES_SUM;
  REQUIRE_OK(pqf_data_coo(&data, 1, 1, 3, place, place, value, NULL, &options));
  REQUIRE_OK(pqf_data_coo(&want, 1, 1, 1, place, place, &one, NULL, NULL));
  CU_ASSERT(same_sparse_data(data, want));
  pqf_data_free(data);
  pqf_data_free(want);
}

/* Without values each cell counts once for each time that it was given. */
static void clicks_are_counted(void)
{
  const int32_t row[] = {1, 0, 1, 1};
  const int32_t col[] = {2, 0, 2, 2};
  const int32_t row_once[] = {0, 1};
  const int32_t col_once[] = {0, 2};
  const float want_value[] = {1, 3};
  pqf_data_options options = PQF_DATA_OPTIONS_INIT;
  pqf_data *data;
  pqf_data *want;
  options.duplicates = PQF_DUPLICATES_SUM;
  REQUIRE_OK(pqf_data_coo(&data, 2, 3, 4, row, col, NULL, NULL, &options));
  REQUIRE_OK(pqf_data_coo(&want, 2, 3, 2, row_once, col_once, want_value, NULL, NULL));
  CU_ASSERT(same_sparse_data(data, want));
  pqf_data_free(data);
  pqf_data_free(want);
}

static void sums_beyond_float_are_refused(void)
{
  cell_list list = cell_list_random(5, 20, 4, 1, 3);
  pqf_data_options options = PQF_DATA_OPTIONS_INIT;
  options.duplicates = PQF_DUPLICATES_SUM;
  for (int64_t n = 0; n < 4; ++n) {
    list.row[n] = n == 1 ? 4 : 3;
    list.col[n] = 17;
    list.value[n] = -0x1.8p127f;
    list.weight[n] = 1;
  }
  for (int way = 0; way < WAYS; ++way) {
    int status;
    cell_list_build(&list, way, &options, &status);
    CHECK_STATUS(status, PQF_EINVAL);
    CHECK_WORDS("the values of cell (3, 17) add up to -7.6");
    CHECK_WORDS("e+38, beyond the range of float");
  }
  for (int64_t n = 0; n < 4; ++n) {
    list.value[n] = 1;
    list.weight[n] = 0x1.8p127f;
  }
  int status;
  cell_list_build(&list, AS_LIST, &options, &status);
  CHECK_STATUS(status, PQF_EINVAL);
  CHECK_WORDS("the weights of cell (3, 17) add up to 7.6");
  options.duplicates = PQF_DUPLICATES_LAST;
  pqf_data_free(cell_list_build(&list, AS_LIST, &options, &status));
  CHECK_OK(status);
  cell_list_free(&list);
}

static void first_twin_is_named(void)
{
  static const int32_t threads[] = {1, 2, 7};
  pqf_data_options options = PQF_DATA_OPTIONS_INIT;
  cell_list list = cell_list_random(700, 900, 300000, 0, 4);
  cell_list once = join(&list, PQF_DUPLICATES_LAST);
  cell_list twice = cell_list_random(once.rows, once.cols, once.count + 2, 0, 5);
  for (int64_t n = 0; n < once.count; ++n) {
    twice.row[n] = once.row[n];
    twice.col[n] = once.col[n];
  }
  twice.row[once.count] = once.row[once.count - 9]; /* by rows, the second one */
  twice.col[once.count] = once.col[once.count - 9];
  twice.row[once.count + 1] = once.row[once.count / 3];
  twice.col[once.count + 1] = once.col[once.count / 3];
  char words[64];
  snprintf(words, sizeof words, "cell (%d, %d) is given twice", once.row[once.count / 3],
           once.col[once.count / 3]);
  for (int way = 0; way < WAYS; ++way)
    for (size_t n = 0; n < sizeof threads / sizeof threads[0]; ++n) {
      int status;
      options.threads = threads[n];
      cell_list_build(&twice, way, &options, &status);
      CHECK_STATUS(status, PQF_EINVAL);
      CHECK_WORDS(words);
    }
  cell_list_free(&list);
  cell_list_free(&once);
  cell_list_free(&twice);
}

typedef struct attempt {
  const cell_list *list;
  int way;
  pqf_data_options options;
} attempt;

static int build(void *payload)
{
  const attempt *a = payload;
  int status;
  pqf_data_free(cell_list_build(a->list, a->way, &a->options, &status));
  return status;
}

/* With more groups than blocks, so that the scratch of the second stage is wanted too. */
static void joining_without_memory(void)
{
  for (int weighted = 0; weighted <= 1; ++weighted) {
    cell_list list = cell_list_random(1000, 1100, 2000, weighted, 6);
    for (int way = 0; way < WAYS; ++way) {
      attempt a = {&list, way, PQF_DATA_OPTIONS_INIT};
      a.options.duplicates = PQF_DUPLICATES_SUM;
      test_every_allocation(build, &a);
    }
    cell_list_free(&list);
  }
}

void suite_duplicates(void)
{
  CU_pSuite suite = CU_add_suite("duplicates", NULL, NULL);
  CU_add_test(suite, "cells are joined", cells_are_joined);
  CU_add_test(suite, "NaN is left out before", nan_is_left_out_before);
  CU_add_test(suite, "sums are in double", sums_are_in_double);
  CU_add_test(suite, "clicks are counted", clicks_are_counted);
  CU_add_test(suite, "sums beyond float are refused", sums_beyond_float_are_refused);
  CU_add_test(suite, "the first twin is named", first_twin_is_named);
  CU_add_test(suite, "no memory", joining_without_memory);
}
