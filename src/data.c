/* R: what it owns, how dense values are taken in, and what is known of it.
 *
 * Dense values are checked through their sum of squares, which is needed anyway: the square of a
 * float fits a double, and so does the sum of 2^62 of them, so the sum over a row is finite just
 * when each of its values is. Only a row that fails is looked at value by value. */
#include "data.h"

#include "error.h"
#include "memory.h"
#include "options.h"
#include "sparse.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* sizeof(pqf_data_options) in 0.1.0 */
enum { LEAST_DATA_OPTIONS = 16 };

int pqf_data_options_read(pqf_data_options *out, const pqf_data_options *options)
{
  *out = (pqf_data_options)PQF_DATA_OPTIONS_INIT;
  if (options == NULL)
    return PQF_OK;
  const int status =
      pqf_read_sized(out, sizeof *out, LEAST_DATA_OPTIONS, options, "pqf_data_options");
  if (status != PQF_OK)
    return status;
  if (out->nan_is_absent != 0 && out->nan_is_absent != 1)
    return pqf_fail(PQF_EINVAL, "nan_is_absent is %" PRId32 ", not 0 or 1", out->nan_is_absent);
  if (out->borrow != 0 && out->borrow != 1)
    return pqf_fail(PQF_EINVAL, "borrow is %" PRId32 ", not 0 or 1", out->borrow);
  if (out->duplicates < PQF_DUPLICATES_ERROR || out->duplicates > PQF_DUPLICATES_LAST)
    return pqf_fail(PQF_EINVAL, "duplicates is %" PRId32 ", not one of PQF_DUPLICATES_...",
                    out->duplicates);
  if (out->threads < 0 || out->threads > PQF_MOST_THREADS)
    return pqf_fail(PQF_EINVAL, "threads is %" PRId32 ", not from 0 to %d", out->threads,
                    PQF_MOST_THREADS);
  return PQF_OK;
}

int pqf_data_check_memory(const pqf_data_options *options, uint64_t known, int64_t count,
                          size_t size)
{
  uint64_t bytes;
  if (options->memory_limit == 0)
    return PQF_OK;
  if (__builtin_mul_overflow((uint64_t)count, size, &bytes) ||
      __builtin_add_overflow(bytes, known, &bytes))
    bytes = UINT64_MAX;
  if (bytes > options->memory_limit)
    return pqf_fail(PQF_ENOMEM,
                    "building the data would take %" PRIu64 " bytes: memory_limit is %" PRIu64,
                    bytes, options->memory_limit);
  return PQF_OK;
}

int pqf_check_shape(int64_t rows, int64_t cols)
{
  if (rows < 1 || rows > INT32_MAX)
    return pqf_fail(PQF_EINVAL, "the number of rows is %" PRId64 ", not from 1 to %" PRId32, rows,
                    INT32_MAX);
  if (cols < 1 || cols > INT32_MAX)
    return pqf_fail(PQF_EINVAL, "the number of columns is %" PRId64 ", not from 1 to %" PRId32,
                    cols, INT32_MAX);
  return PQF_OK;
}

pqf_data *pqf_data_new(int64_t rows, int64_t cols)
{
  pqf_data *data = pqf_allocate_zeroed(1, sizeof *data);
  if (data != NULL) {
    data->matrix.rows = rows;
    data->matrix.cols = cols;
  }
  return data;
}

void pqf_data_free(pqf_data *data)
{
  if (data == NULL)
    return;
  pqf_release(data->dense);
  pqf_release(data->row_offset);
  pqf_release(data->col_offset);
  pqf_release(data->row_index);
  pqf_release(data->col_index);
  pqf_release(data->row_value);
  pqf_release(data->col_value);
  pqf_release(data->row_weight);
  pqf_release(data->col_weight);
  pqf_ids_release(data->ids[PQF_ROWS]);
  pqf_ids_release(data->ids[PQF_COLS]);
  pqf_release(data);
}

/* In a fixed order: eight sums side by side, which the vector units can keep. */
static double square_sum(const float *values, int64_t count)
{
  double part[8] = {0};
  int64_t n = 0;
  for (; n + 8 <= count; n += 8) {
    for (int lane = 0; lane < 8; lane++)
      part[lane] += (double)values[n + lane] * (double)values[n + lane];
  }
  for (; n < count; n++)
    part[0] += (double)values[n] * (double)values[n];
  return ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
}

const char *pqf_data_cell_name(const pqf_data *data, int64_t row, int64_t col,
                               char out[PQF_CELL_NAME])
{
  pqf_id row_id;
  pqf_id col_id;
  char row_name[PQF_ID_NAME];
  char col_name[PQF_ID_NAME];
  pqf_ids_get(data->ids[PQF_ROWS], row, &row_id);
  pqf_ids_get(data->ids[PQF_COLS], col, &col_id);
  snprintf(out, PQF_CELL_NAME, "(%s, %s)", pqf_id_name(&row_id, row_name),
           pqf_id_name(&col_id, col_name));
  return out;
}

int pqf_data_check_ids(const pqf_data *data, const char *name, pqf_ids *const ids[2],
                       const char *owner, int strictly)
{
  const int64_t size[2] = {data->matrix.rows, data->matrix.cols};
  for (int side = 0; side < 2; side++) {
    if (data->ids[side] == NULL && !data->ids_left_out[side] && !strictly)
      continue;
    const int64_t at = pqf_ids_first_difference(data->ids[side], ids[side], size[side]);
    if (at < 0)
      continue;
    pqf_id here;
    pqf_id there;
    char here_name[PQF_ID_NAME];
    char there_name[PQF_ID_NAME];
    pqf_ids_get(data->ids[side], at, &here);
    pqf_ids_get(ids[side], at, &there);
    return pqf_fail(PQF_EINVAL, "%s has other ids than %s: %s %" PRId64 " is %s here and %s there",
                    name, owner, side == PQF_ROWS ? "row" : "column", at,
                    pqf_id_name(&here, here_name), pqf_id_name(&there, there_name));
  }
  return PQF_OK;
}

static int refuse_value(const pqf_data *data, int64_t row, int64_t col, float value)
{
  pqf_id row_id;
  pqf_id col_id;
  char row_name[PQF_ID_NAME];
  char col_name[PQF_ID_NAME];
  pqf_ids_get(data->ids[PQF_ROWS], row, &row_id);
  pqf_ids_get(data->ids[PQF_COLS], col, &col_id);
  return pqf_fail(PQF_EINVAL, "value at row %s, column %s is %s", pqf_id_name(&row_id, row_name),
                  pqf_id_name(&col_id, col_name), isnan(value) ? "NaN" : "infinite");
}

/* The first value of a row that is not allowed; -1: none. */
static int64_t find_fault(const float *values, int64_t count, int nan_is_absent)
{
  for (int64_t n = 0; n < count; n++) {
    if (isinf(values[n]) || (isnan(values[n]) && !nan_is_absent))
      return n;
  }
  return -1;
}

/* The present ones of dense values as sparse data. */
static int take_present(pqf_data *data, const float *values, int64_t stride,
                        const pqf_data_options *options)
{
  const int64_t rows = data->matrix.rows;
  const int64_t cols = data->matrix.cols;
  int64_t count = 0;
  for (int64_t row = 0; row < rows; row++) {
    const float *line = values + row * stride;
    const int64_t fault = find_fault(line, cols, 1);
    if (fault >= 0)
      return refuse_value(data, row, fault, line[fault]);
    for (int64_t col = 0; col < cols; col++)
      count += !isnan(line[col]);
  }
  const uint64_t dense = data->dense != NULL ? (uint64_t)(rows * cols) * sizeof *data->dense : 0;
  int status = pqf_data_check_build(data, options, dense, count, 0);
  if (status == PQF_OK)
    status = pqf_data_row_room(data, count, 0);
  if (status != PQF_OK)
    return status;
  int64_t cell = 0;
  for (int64_t row = 0; row < rows; row++) {
    const float *line = values + row * stride;
    for (int64_t col = 0; col < cols; col++) {
      if (!isnan(line[col])) {
        data->row_index[cell] = (int32_t)col;
        data->row_value[cell] = line[col];
        cell++;
      }
    }
    data->row_offset[row + 1] = cell;
  }
  return pqf_data_settle_rows(data, options);
}

int pqf_data_take_dense(pqf_data *data, const float *values, int64_t stride,
                        const pqf_data_options *options)
{
  const int64_t rows = data->matrix.rows;
  const int64_t cols = data->matrix.cols;
  const int copy = data->dense != NULL && data->dense != values;
  double sum = 0;
  int64_t row = 0;
  for (; row < rows; row++) {
    const float *line = values + row * stride;
    if (copy) {
      float *place = data->dense + row * cols;
      memcpy(place, line, (size_t)cols * sizeof *place);
      line = place;
    }
    const double row_sum = square_sum(line, cols);
    if (!isfinite(row_sum)) {
      const int64_t fault = find_fault(line, cols, options->nan_is_absent);
      if (fault >= 0)
        return refuse_value(data, row, fault, line[fault]);
      break; /* the row has an absent cell */
    }
    sum += row_sum;
  }
  if (row < rows) {
    if (copy) { /* of no use any more: its memory first, then that of the cells */
      pqf_release(data->dense);
      data->dense = NULL;
    }
    const int status = take_present(data, values, stride, options);
    pqf_release(data->dense);
    data->dense = NULL;
    return status;
  }
  data->matrix.count = rows * cols;
  data->matrix.square_sum = sum;
  data->matrix.dense = data->dense != NULL ? data->dense : values;
  data->matrix.dense_stride = data->dense != NULL ? cols : stride;
  return PQF_OK;
}

/* A row_stride that is short, or so long that no memory can hold the rows, is a mistake. */
static int check_stride(int64_t rows, int64_t cols, int64_t stride)
{
  if (stride < cols)
    return pqf_fail(PQF_EINVAL, "row_stride is %" PRId64 ", below the %" PRId64 " columns", stride,
                    cols);
  int64_t extent;
  if (__builtin_mul_overflow(rows - 1, stride, &extent) ||
      extent > PTRDIFF_MAX / (int64_t)sizeof(float) - cols)
    return pqf_fail(stride == cols ? PQF_ENOMEM : PQF_EINVAL,
                    "%" PRId64 " rows at row_stride %" PRId64 " are more than memory can hold",
                    rows, stride);
  return PQF_OK;
}

int pqf_data_dense(pqf_data **out, const float *values, int64_t rows, int64_t cols,
                   int64_t row_stride, const pqf_data_options *options)
{
  if (out == NULL)
    return pqf_fail(PQF_EINVAL, "out is NULL");
  *out = NULL;
  if (values == NULL)
    return pqf_fail(PQF_EINVAL, "values is NULL");
  pqf_data_options chosen;
  int status = pqf_data_options_read(&chosen, options);
  if (status == PQF_OK)
    status = pqf_check_shape(rows, cols);
  if (status == PQF_OK)
    status = check_stride(rows, cols, row_stride);
  if (status != PQF_OK)
    return status;
  pqf_data *data = pqf_data_new(rows, cols);
  if (data == NULL)
    return PQF_ENOMEM;
  if (!chosen.borrow) {
    status = pqf_data_check_memory(&chosen, 0, rows * cols, sizeof *data->dense);
    if (status != PQF_OK)
      goto out;
    data->dense = pqf_allocate(rows * cols, sizeof *data->dense);
    if (data->dense == NULL) {
      status = PQF_ENOMEM;
      goto out;
    }
  }
  status = pqf_data_take_dense(data, values, row_stride, &chosen);
out:
  if (status == PQF_OK)
    *out = data;
  else
    pqf_data_free(data);
  return status;
}

int pqf_data_set_ids(pqf_data *data, int32_t side, int64_t count, const int64_t *numbers,
                     const char *const *texts)
{
  if (data == NULL)
    return pqf_fail(PQF_EINVAL, "data is NULL");
  if (side != PQF_ROWS && side != PQF_COLS)
    return pqf_fail(PQF_EINVAL, "side is %" PRId32 ", not PQF_ROWS or PQF_COLS", side);
  if (numbers != NULL && texts != NULL)
    return pqf_fail(PQF_EINVAL, "both numbers and texts are given as ids");
  const int64_t length = side == PQF_ROWS ? data->matrix.rows : data->matrix.cols;
  if (count != length)
    return pqf_fail(PQF_EINVAL, "%" PRId64 " ids are given for %" PRId64 " %s", count, length,
                    side == PQF_ROWS ? "rows" : "columns");
  pqf_ids *ids = NULL;
  int status = PQF_OK;
  if (numbers != NULL)
    status = pqf_ids_from_numbers(&ids, numbers, count);
  else if (texts != NULL)
    status = pqf_ids_from_texts(&ids, texts, count);
  if (status != PQF_OK)
    return status;
  pqf_ids_release(data->ids[side]);
  data->ids[side] = ids;
  data->ids_left_out[side] = 0;
  return PQF_OK;
}

int64_t pqf_data_rows(const pqf_data *data)
{
  return data != NULL ? data->matrix.rows : 0;
}

int64_t pqf_data_cols(const pqf_data *data)
{
  return data != NULL ? data->matrix.cols : 0;
}

int64_t pqf_data_count(const pqf_data *data)
{
  return data != NULL ? data->matrix.count : 0;
}
