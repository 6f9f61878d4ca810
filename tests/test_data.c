/* R: dense values, ids, and what is known of it; sparse data is in test_sparse.c. */
#include "suites.h"
#include "test.h"

#include "data.h"
#include "memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Dense ----------------------------------------------------------------------------------- */

static void dense_values_are_copied(void)
{
  enum { ROWS = 5, COLS = 19, STRIDE = 23 };
  float *values = test_normals(1, ROWS * STRIDE, 1);
  values[COLS] = NAN; /* between the rows: nobody's business */
  double sum = 0;
  float want[ROWS][COLS];
  for (int row = 0; row < ROWS; row++) {
    for (int col = 0; col < COLS; col++) {
      want[row][col] = values[row * STRIDE + col];
      sum += (double)want[row][col] * (double)want[row][col];
    }
  }
  pqf_data *data = NULL;
  CHECK_OK(pqf_data_dense(&data, values, ROWS, COLS, STRIDE, NULL));
  memset(values, 0, ROWS * STRIDE * sizeof *values);
  if (data != NULL) {
    CU_ASSERT_EQUAL(pqf_data_rows(data), ROWS);
    CU_ASSERT_EQUAL(pqf_data_cols(data), COLS);
    CU_ASSERT_EQUAL(pqf_data_count(data), ROWS * COLS);
    CU_ASSERT_EQUAL(data->matrix.dense_stride, COLS);
    CU_ASSERT_EQUAL(memcmp(data->matrix.dense, want, sizeof want), 0);
    CHECK_AT_MOST(fabs(data->matrix.square_sum - sum), 1e-12 * sum, "error of the square sum");
  }
  pqf_data_free(data);
  free(values);
}

static void dense_values_are_borrowed(void)
{
  enum { ROWS = 4, COLS = 3, STRIDE = 8 };
  float values[ROWS * STRIDE];
  for (int n = 0; n < ROWS * STRIDE; n++)
    values[n] = n % STRIDE < COLS ? 2 : INFINITY;
  pqf_data_options options = PQF_DATA_OPTIONS_INIT;
  options.borrow = 1;
  pqf_data *data;
  REQUIRE_OK(pqf_data_dense(&data, values, ROWS, COLS, STRIDE, &options));
  CU_ASSERT_PTR_EQUAL(data->matrix.dense, values);
  CU_ASSERT_EQUAL(data->matrix.dense_stride, STRIDE);
  CU_ASSERT_EQUAL(data->matrix.square_sum, 4.0 * ROWS * COLS);
  pqf_data_free(data);
}

static void dense_values_must_be_finite(void)
{
  enum { ROWS = 5, COLS = 21 };
  float values[ROWS * COLS] = {0};
  pqf_data_options options = PQF_DATA_OPTIONS_INIT;
  pqf_data *data = (pqf_data *)values;
  values[3 * COLS + 17] = NAN;
  CHECK_STATUS(pqf_data_dense(&data, values, ROWS, COLS, COLS, NULL), PQF_EINVAL);
  CHECK_WORDS("value at row 3, column 17 is NaN");
  CU_ASSERT_PTR_NULL(data);
  options.borrow = 1;
  CHECK_STATUS(pqf_data_dense(&data, values, ROWS, COLS, COLS, &options), PQF_EINVAL);
  CHECK_WORDS("value at row 3, column 17 is NaN");
  values[2 * COLS] = -INFINITY;
  CHECK_STATUS(pqf_data_dense(&data, values, ROWS, COLS, COLS, NULL), PQF_EINVAL);
  CHECK_WORDS("value at row 2, column 0 is infinite");
  options.nan_is_absent = 1;
  for (options.borrow = 0; options.borrow <= 1; options.borrow++) {
    values[2 * COLS] = INFINITY; /* before the NaN, then behind it */
    values[4 * COLS] = 0;
    CHECK_STATUS(pqf_data_dense(&data, values, ROWS, COLS, COLS, &options), PQF_EINVAL);
    CHECK_WORDS("value at row 2, column 0 is infinite");
    values[2 * COLS] = 0;
    values[4 * COLS] = INFINITY;
    CHECK_STATUS(pqf_data_dense(&data, values, ROWS, COLS, COLS, &options), PQF_EINVAL);
    CHECK_WORDS("value at row 4, column 0 is infinite");
  }
}

static void largest_floats_are_finite(void)
{
  float values[64];
  for (int n = 0; n < 64; n++)
    values[n] = 3.4028235e38f;
  pqf_data *data;
  REQUIRE_OK(pqf_data_dense(&data, values, 8, 8, 8, NULL));
  CU_ASSERT_EQUAL(data->matrix.square_sum, 64 * (double)values[0] * (double)values[0]);
  pqf_data_free(data);
}

static void all_or_nothing_can_be_absent(void)
{
  float values[6] = {1, 2, 3, 4, 5, 6};
  pqf_data_options options = PQF_DATA_OPTIONS_INIT;
  options.nan_is_absent = 1;
  pqf_data *data;
  REQUIRE_OK(pqf_data_dense(&data, values, 2, 3, 3, &options));
  CU_ASSERT_EQUAL(data->matrix.count, 6);
  CU_ASSERT_PTR_NOT_NULL(data->matrix.dense);
  pqf_data_free(data);
  for (int n = 0; n < 6; n++)
    values[n] = NAN;
  REQUIRE_OK(pqf_data_dense(&data, values, 2, 3, 3, &options));
  CU_ASSERT_EQUAL(pqf_data_count(data), 0);
  CU_ASSERT_EQUAL(data->matrix.by_row.offset[2], 0);
  CU_ASSERT_EQUAL(data->matrix.by_col.offset[3], 0);
  pqf_data_free(data);
}

static void dense_arguments_are_checked(void)
{
  const float value = 1;
  const int64_t most = INT32_MAX;
  pqf_data *data = NULL;
  CHECK_STATUS(pqf_data_dense(NULL, &value, 1, 1, 1, NULL), PQF_EINVAL);
  CHECK_WORDS("out is NULL");
  CHECK_STATUS(pqf_data_dense(&data, NULL, 1, 1, 1, NULL), PQF_EINVAL);
  CHECK_WORDS("values is NULL");
  CHECK_STATUS(pqf_data_dense(&data, &value, 0, 1, 1, NULL), PQF_EINVAL);
  CHECK_WORDS("rows is 0");
  CHECK_STATUS(pqf_data_dense(&data, &value, most + 1, 1, 1, NULL), PQF_EINVAL);
  CHECK_WORDS("rows is 2147483648");
  CHECK_STATUS(pqf_data_dense(&data, &value, 1, -1, 1, NULL), PQF_EINVAL);
  CHECK_WORDS("columns is -1");
  CHECK_STATUS(pqf_data_dense(&data, &value, 1, most + 1, most + 1, NULL), PQF_EINVAL);
  CHECK_WORDS("columns is 2147483648");
  CHECK_STATUS(pqf_data_dense(&data, &value, 1, 3, 2, NULL), PQF_EINVAL);
  CHECK_WORDS("row_stride is 2, below the 3 columns");
  CHECK_STATUS(pqf_data_dense(&data, &value, 9, 3, INT64_MAX / 8 + 1, NULL), PQF_EINVAL);
  CHECK_WORDS("more than memory can hold");
  CHECK_STATUS(pqf_data_dense(&data, &value, 3, 3, INT64_MAX / 8, NULL), PQF_EINVAL);
  CHECK_WORDS("more than memory can hold");
  CU_ASSERT_PTR_NULL(data);
}

static void dense_beyond_memory_is_refused(void)
{
  const float value = 1;
  const int64_t most = INT32_MAX;
  pqf_data_options options = PQF_DATA_OPTIONS_INIT;
  pqf_data *data = NULL;
  for (options.nan_is_absent = 0; options.nan_is_absent <= 1; options.nan_is_absent++) {
    CHECK_STATUS(pqf_data_dense(&data, &value, most, most, most, &options), PQF_ENOMEM);
    CHECK_WORDS("memory");
    CHECK_STATUS(pqf_data_dense(&data, &value, most, most / 4, most / 4, &options), PQF_ENOMEM);
    CHECK_WORDS("out of memory");
  }
  CU_ASSERT_PTR_NULL(data);
}

static void data_options_are_checked(void)
{
  struct {
    pqf_data_options known;
    uint64_t later;
  } options = {PQF_DATA_OPTIONS_INIT, 0};
  const float value = 1;
  pqf_data *data = NULL;
  options.known.nan_is_absent = 2;
  CHECK_STATUS(pqf_data_dense(&data, &value, 1, 1, 1, &options.known), PQF_EINVAL);
  CHECK_WORDS("nan_is_absent is 2");
  options.known.nan_is_absent = 0;
  options.known.borrow = -1;
  CHECK_STATUS(pqf_data_dense(&data, &value, 1, 1, 1, &options.known), PQF_EINVAL);
  CHECK_WORDS("borrow is -1");
  options.known.borrow = 0;
  options.known.duplicates = 3;
  CHECK_STATUS(pqf_data_dense(&data, &value, 1, 1, 1, &options.known), PQF_EINVAL);
  CHECK_WORDS("duplicates is 3");
  options.known.duplicates = PQF_DUPLICATES_ERROR;
  options.known.threads = 4097;
  CHECK_STATUS(pqf_data_dense(&data, &value, 1, 1, 1, &options.known), PQF_EINVAL);
  CHECK_WORDS("threads is 4097, not from 0 to 4096");
  options.known.threads = -1;
  CHECK_STATUS(pqf_data_coo(&data, 1, 1, 0, NULL, NULL, NULL, NULL, &options.known), PQF_EINVAL);
  CHECK_WORDS("threads is -1");
  options.known.threads = 0;
  options.known.size = 8;
  CHECK_STATUS(pqf_data_coo(&data, 1, 1, 0, NULL, NULL, NULL, NULL, &options.known), PQF_EINVAL);
  options.known.size = sizeof options;
  options.later = 1;
  CHECK_STATUS(pqf_data_dense(&data, &value, 1, 1, 1, &options.known), PQF_EINVAL);
  CU_ASSERT_PTR_NULL(data);
  options.later = 0;
  CHECK_OK(pqf_data_dense(&data, &value, 1, 1, 1, &options.known));
  pqf_data_free(data);
}

/* Builds with every limit that matters: refused below what it says it takes, built from there on.
 */
static uint64_t check_limit(int (*build)(pqf_data **out, const pqf_data_options *options))
{
  pqf_data_options options = PQF_DATA_OPTIONS_INIT;
  pqf_data *data = NULL;
  uint64_t bytes = 0;
  options.memory_limit = 1;
  CHECK_STATUS(build(&data, &options), PQF_ENOMEM);
  CU_ASSERT_PTR_NULL(data);
  for (int tries = 0; tries < 8 && data == NULL; tries++) { /* streams tell step by step */
    CHECK_WORDS("building the data would take ");
    const char *number = strstr(pqf_error_message(), "take ");
    const uint64_t more = number != NULL ? strtoull(number + 5, NULL, 10) : 0;
    CU_ASSERT_TRUE(more > bytes);
    bytes = more;
    options.memory_limit = bytes - 1;
    CHECK_STATUS(build(&data, &options), PQF_ENOMEM);
    options.memory_limit = bytes;
    (void)build(&data, &options);
  }
  CU_ASSERT_PTR_NOT_NULL(data);
  pqf_data_free(data);
  options.memory_limit = 0;
  CHECK_OK(build(&data, &options));
  pqf_data_free(data);
  return bytes;
}

enum { LIMIT_ROWS = 1000, LIMIT_COLS = 50 };

static int build_dense(pqf_data **out, const pqf_data_options *options)
{
  static const float values[LIMIT_ROWS * LIMIT_COLS];
  return pqf_data_dense(out, values, LIMIT_ROWS, LIMIT_COLS, LIMIT_COLS, options);
}

static int build_coo(pqf_data **out, const pqf_data_options *options)
{
  static const int32_t index[3] = {1, 2, 3};
  return pqf_data_coo(out, LIMIT_ROWS, LIMIT_COLS, 3, index, index, NULL, NULL, options);
}

static int build_csr(pqf_data **out, const pqf_data_options *options)
{
  static const int32_t index[3] = {1, 2, 3};
  static const int64_t offset[LIMIT_ROWS + 1]; /* no cells */
  return pqf_data_csr(out, LIMIT_ROWS, LIMIT_COLS, offset, index, NULL, NULL, options);
}

static int pull_two(pqf_chunk *chunk, void *payload)
{
  static const int32_t index[3] = {1, 2, 3};
  int *left = payload;
  if (--*left < 0)
    return 0;
  chunk->count = 3;
  chunk->row = index;
  chunk->col = index;
  return 0;
}

static int build_pull(pqf_data **out, const pqf_data_options *options)
{
  int chunks = 1;
  return pqf_data_pull(out, LIMIT_ROWS, LIMIT_COLS, pull_two, &chunks, options);
}

static void a_limit_is_kept(void)
{
  const uint64_t offsets = (LIMIT_ROWS + LIMIT_COLS + 2) * sizeof(int64_t);
  CU_ASSERT_EQUAL(check_limit(build_dense), LIMIT_ROWS * LIMIT_COLS * sizeof(float));
  CU_ASSERT_EQUAL(check_limit(build_coo), offsets + 3 * 28);
  CU_ASSERT_EQUAL(check_limit(build_csr), offsets);
  CU_ASSERT_EQUAL(check_limit(build_pull), offsets + 3 * 28);
}

/* The largest shape with a single cell: refused before anything is taken. */
static void a_huge_shape_is_refused(void)
{
  const int32_t zero = 0;
  pqf_data_options options = PQF_DATA_OPTIONS_INIT;
  pqf_data *data;
  options.memory_limit = 1 << 30;
  CHECK_STATUS(pqf_data_coo(&data, INT32_MAX, INT32_MAX, 1, &zero, &zero, NULL, NULL, &options),
               PQF_ENOMEM);
  CHECK_WORDS("building the data would take 34359738396 bytes: memory_limit is 1073741824");
  options.nan_is_absent = 1;
  options.memory_limit = 100;
  const float values[4] = {1, NAN, 2, 3};
  CHECK_STATUS(pqf_data_dense(&data, values, 2, 2, 2, &options), PQF_ENOMEM);
  CHECK_WORDS("building the data would take 132 bytes");
}

/* ---- Ids and the rest ------------------------------------------------------------------------ */

static void ids_are_set_and_replaced(void)
{
  const float values[6] = {0};
  const int64_t numbers[] = {30, 10};
  const char *const texts[] = {"a", "b", "c"};
  const char *const twice[] = {"a", "b", "a"};
  pqf_data *data;
  REQUIRE_OK(pqf_data_dense(&data, values, 2, 3, 3, NULL));
  CHECK_OK(pqf_data_set_ids(data, PQF_ROWS, 2, numbers, NULL));
  CHECK_OK(pqf_data_set_ids(data, PQF_COLS, 3, NULL, texts));
  CU_ASSERT_EQUAL(pqf_ids_numbers(data->ids[PQF_ROWS])[1], 10);
  CU_ASSERT_EQUAL(pqf_ids_kind(data->ids[PQF_COLS]), PQF_IDS_TEXTS);
  CHECK_STATUS(pqf_data_set_ids(data, PQF_COLS, 3, NULL, twice), PQF_EINVAL);
  CHECK_WORDS("id \"a\" is given twice: at 0 and at 2");
  CU_ASSERT_EQUAL(pqf_ids_kind(data->ids[PQF_COLS]), PQF_IDS_TEXTS); /* those of before */
  CHECK_STATUS(pqf_data_set_ids(data, PQF_COLS, 2, numbers, NULL), PQF_EINVAL);
  CHECK_WORDS("2 ids are given for 3 columns");
  CHECK_STATUS(pqf_data_set_ids(data, PQF_ROWS, 3, NULL, texts), PQF_EINVAL);
  CHECK_WORDS("3 ids are given for 2 rows");
  CHECK_STATUS(pqf_data_set_ids(data, 2, 2, numbers, NULL), PQF_EINVAL);
  CHECK_WORDS("side is 2");
  CHECK_STATUS(pqf_data_set_ids(data, PQF_ROWS, 2, numbers, texts), PQF_EINVAL);
  CHECK_WORDS("both");
  CHECK_STATUS(pqf_data_set_ids(NULL, PQF_ROWS, 2, numbers, NULL), PQF_EINVAL);
  CHECK_OK(pqf_data_set_ids(data, PQF_COLS, 3, NULL, NULL));
  CU_ASSERT_PTR_NULL(data->ids[PQF_COLS]);
  pqf_data_free(data);
}

static void null_data_is_empty(void)
{
  CU_ASSERT_EQUAL(pqf_data_rows(NULL), 0);
  CU_ASSERT_EQUAL(pqf_data_cols(NULL), 0);
  CU_ASSERT_EQUAL(pqf_data_count(NULL), 0);
  pqf_data_free(NULL);
}

static int build_everything(void *payload)
{
  const int32_t row[] = {1, 0, 1};
  const int32_t col[] = {1, 2, 0};
  const float value[] = {1, 2, 3};
  const int64_t offset[] = {0, 1, 3};
  const int64_t numbers[] = {5, 6};
  const char *const texts[] = {"x", "y", "z"};
  const float dense[] = {1, 2, NAN, 4, 5, 6};
  pqf_data_options options = PQF_DATA_OPTIONS_INIT;
  options.nan_is_absent = 1;
  (void)payload;
  pqf_data *data[4] = {NULL};
  int status = pqf_data_coo(&data[0], 2, 3, 3, row, col, value, value, NULL);
  if (status == PQF_OK)
    status = pqf_data_csr(&data[1], 2, 3, offset, col, value, NULL, NULL);
  if (status == PQF_OK)
    status = pqf_data_dense(&data[2], dense, 2, 3, 3, &options);
  if (status == PQF_OK)
    status = pqf_data_dense(&data[3], dense + 3, 1, 3, 3, NULL);
  if (status == PQF_OK)
    status = pqf_data_set_ids(data[0], PQF_ROWS, 2, numbers, NULL);
  if (status == PQF_OK)
    status = pqf_data_set_ids(data[0], PQF_COLS, 3, NULL, texts);
  for (int n = 0; n < 4; n++)
    pqf_data_free(data[n]);
  return status;
}

static void every_allocation_may_fail(void)
{
  test_every_allocation(build_everything, NULL);
}

void suite_data(void)
{
  CU_pSuite suite = CU_add_suite("data", NULL, NULL);
  CU_add_test(suite, "dense values are copied without gaps", dense_values_are_copied);
  CU_add_test(suite, "dense values are borrowed with their stride", dense_values_are_borrowed);
  CU_add_test(suite, "dense values must be finite", dense_values_must_be_finite);
  CU_add_test(suite, "the largest floats are finite", largest_floats_are_finite);
  CU_add_test(suite, "all or no cells can be absent", all_or_nothing_can_be_absent);
  CU_add_test(suite, "dense: arguments are checked", dense_arguments_are_checked);
  CU_add_test(suite, "dense: more than memory is refused", dense_beyond_memory_is_refused);
  CU_add_test(suite, "data options are checked", data_options_are_checked);
  CU_add_test(suite, "a limit on memory is kept", a_limit_is_kept);
  CU_add_test(suite, "a huge shape is refused", a_huge_shape_is_refused);
  CU_add_test(suite, "ids are set and replaced", ids_are_set_and_replaced);
  CU_add_test(suite, "NULL is empty data", null_data_is_empty);
  CU_add_test(suite, "every allocation may fail", every_allocation_may_fail);
}
