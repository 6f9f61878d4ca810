/* Serving: R ~ P Q', by single cells, by blocks of rows, or for factors of the caller's. It takes
 * no lock, no thread and no memory of its own, so any number of threads may predict from one model
 * at once. */
#include "backends.h"
#include "error.h"
#include "model.h"

#include <inttypes.h>
#include <string.h>

enum { CHUNK = 256 }; /* cells that are predicted at once; a multiple of what a kernel takes */

static int check_indices(const char *name, const int32_t *index, int64_t count, int64_t size)
{
  for (int64_t n = 0; n < count; n++)
    if (index[n] < 0 || index[n] >= size)
      return pqf_fail(PQF_EINVAL, "%s[%" PRId64 "] is %" PRId32 ": must be from 0 to %" PRId64,
                      name, n, index[n], size - 1);
  return PQF_OK;
}

/* At most CHUNK cells. `out` may lie over `row` or `col`: these are read before it is written. */
static void predict_chunk(const pqf_fitted *fitted, int64_t count, const int32_t *row,
                          const int32_t *col, float *out)
{
  int32_t rows[CHUNK];
  int32_t cols[CHUNK];
  float values[CHUNK];
  memcpy(rows, row, (size_t)count * sizeof *rows);
  memcpy(cols, col, (size_t)count * sizeof *cols);
  pqf_cpu_backend()->predict(count, rows, cols, fitted->factors, fitted->p, fitted->q, values);
  if (pqf_fitted_has_offsets(fitted))
    for (int64_t n = 0; n < count; n++)
      values[n] =
          pqf_fitted_prediction(fitted, pqf_fitted_row_offset(fitted, rows[n]), cols[n], values[n]);
  memcpy(out, values, (size_t)count * sizeof *values);
}

int pqf_predict(const pqf_model *model, int64_t count, const int32_t *row, const int32_t *col,
                float *out)
{
  int status = pqf_check_fitted(model);
  if (status != PQF_OK)
    return status;
  if (count < 0)
    return pqf_fail(PQF_EINVAL, "count is %" PRId64 ": must be 0 or more", count);
  if (count > 0 && (row == NULL || col == NULL || out == NULL))
    return pqf_fail(PQF_EINVAL, "%s is NULL", row == NULL ? "row" : col == NULL ? "col" : "out");
  const pqf_fitted *fitted = &model->fitted;
  status = check_indices("row", row, count, fitted->rows);
  if (status == PQF_OK)
    status = check_indices("col", col, count, fitted->cols);
  for (int64_t n = 0; n < count && status == PQF_OK; n += CHUNK)
    predict_chunk(fitted, count - n < CHUNK ? count - n : CHUNK, row + n, col + n, out + n);
  return status;
}

static int check_stride(const char *name, int64_t stride, int64_t length)
{
  if (stride < length)
    return pqf_fail(PQF_EINVAL, "%s is %" PRId64 ": must be at least %" PRId64, name, stride,
                    length);
  return PQF_OK;
}

int pqf_multiply(int64_t rows, int64_t cols, int64_t factors, const float *p, int64_t p_stride,
                 const float *q, int64_t q_stride, float *out, int64_t out_stride)
{
  if (rows < 0 || cols < 0 || factors < 0)
    return pqf_fail(PQF_EINVAL, "%s is %" PRId64 ": must be 0 or more",
                    rows < 0   ? "rows"
                    : cols < 0 ? "cols"
                               : "factors",
                    rows < 0   ? rows
                    : cols < 0 ? cols
                               : factors);
  int status = check_stride("p_stride", p_stride, factors);
  if (status == PQF_OK)
    status = check_stride("q_stride", q_stride, factors);
  if (status == PQF_OK)
    status = check_stride("out_stride", out_stride, cols);
  if (status != PQF_OK || rows == 0 || cols == 0)
    return status;
  if (out == NULL || (factors > 0 && (p == NULL || q == NULL)))
    return pqf_fail(PQF_EINVAL, "%s is NULL", out == NULL ? "out" : p == NULL ? "p" : "q");
  pqf_cpu_backend()->multiply(rows, cols, factors, p, p_stride, q, q_stride, out, out_stride);
  return PQF_OK;
}

int pqf_reconstruct(const pqf_model *model, int64_t first_row, int64_t row_count, float *out,
                    int64_t out_stride)
{
  const int status = pqf_check_fitted(model);
  if (status != PQF_OK)
    return status;
  const pqf_fitted *fitted = &model->fitted;
  if (first_row < 0 || row_count < 0 || first_row > fitted->rows - row_count)
    return pqf_fail(PQF_EINVAL,
                    "%" PRId64 " rows from %" PRId64 " on: the model has %" PRId64 " rows",
                    row_count, first_row, fitted->rows);
  const int multiplied = pqf_multiply(row_count, fitted->cols, fitted->factors,
                                      fitted->p + first_row * fitted->factors, fitted->factors,
                                      fitted->q, fitted->factors, out, out_stride);
  if (multiplied != PQF_OK || !pqf_fitted_has_offsets(fitted))
    return multiplied;
  for (int64_t row = 0; row < row_count; row++) {
    const double of_row = pqf_fitted_row_offset(fitted, first_row + row);
    for (int64_t col = 0; col < fitted->cols; col++)
      out[row * out_stride + col] =
          pqf_fitted_prediction(fitted, of_row, col, out[row * out_stride + col]);
  }
  return PQF_OK;
}
