/* cuBLAS and cuSOLVER: column-major matrices in memory of the device, plain loops, sums in double.
 * Every shape, leading dimension and pointer is held against the memory that it names. */
#include "machine.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

struct cublasContext {
  cudaStream_t stream;
};

struct cusolverDnContext {
  cudaStream_t stream;
};

namespace cuda_on_cpu
{

/* The handles that are live, of cuBLAS or of cuSOLVER. */
template <class context> static std::set<context *> &handles()
{
  static std::set<context *> &only = *new std::set<context *>;
  return only;
}

int64_t live_handles()
{
  return static_cast<int64_t>(handles<cublasContext>().size() +
                              handles<cusolverDnContext>().size());
}

template <class context> static void create(context **out)
{
  *out = new context{nullptr};
  handles<context>().insert(*out);
}

template <class context> static bool destroy(context *handle, const char *what)
{
  if (handles<context>().erase(handle) == 0) {
    report("%s: this is no handle", what);
    return false;
  }
  delete handle;
  return true;
}

template <class context>
static bool set_stream(context *handle, cudaStream_t stream, const char *what)
{
  if (handles<context>().count(handle) == 0 || !is_usable(stream, what))
    return false;
  handle->stream = stream;
  return true;
}

/* Whether a handle can be used, and work in its stream. */
template <class context> static bool is_handle(context *handle, const char *what)
{
  if (handles<context>().count(handle) == 0) {
    report("%s: this is no handle", what);
    return false;
  }
  return is_usable(handle->stream, what);
}

/* ---- Products ----------------------------------------------------------------------------------
 */

/* op(A), rows x cols as it is stored, `count` of them. */
struct operand {
  const float *values;
  int rows;
  int cols;
  int ld;
  long long stride;
  bool turned;
};

static float element(const operand &a, int item, int row, int col)
{
  const float *values = a.values + item * a.stride;
  const int64_t ld = a.ld;
  return a.turned ? values[row * ld + col] : values[col * ld + row];
}

/* Bytes from the first to the last element. */
static std::size_t extent(const operand &a, int count)
{
  if (a.rows == 0 || a.cols == 0)
    return 0;
  const int64_t last = (count - 1) * a.stride + static_cast<int64_t>(a.cols - 1) * a.ld + a.rows;
  return static_cast<std::size_t>(last) * sizeof(float);
}

static bool is_operand(const operand &a, int count, int device, const char *what)
{
  if (a.rows < 0 || a.cols < 0 || a.ld < std::max(1, a.rows) || a.stride < 0) {
    report("%s: %d x %d with leading dimension %d", what, a.rows, a.cols, a.ld);
    return false;
  }
  return is_on_device(a.values, std::max<std::size_t>(extent(a, count), 1), device, what);
}

struct product {
  operand a;
  operand b;
  operand c;
  int n;
  int m;
  int k;
  float alpha;
  float beta;
  int count;
};

/* C is written over; with beta 0 it is not read. */
static void multiply(const product &p)
{
  for (int item = 0; item < p.count; ++item) {
    float *c = const_cast<float *>(p.c.values) + item * p.c.stride;
    for (int col = 0; col < p.n; ++col)
      for (int row = 0; row < p.m; ++row) {
        double sum = 0;
        for (int n = 0; n < p.k; ++n)
          sum += static_cast<double>(element(p.a, item, row, n)) *
                 static_cast<double>(element(p.b, item, n, col));
        float &out = c[static_cast<int64_t>(col) * p.c.ld + row];
        out = static_cast<float>(p.alpha * sum) + (p.beta != 0 ? p.beta * out : 0);
      }
  }
}

static cublasStatus_t ask_for_product(cublasHandle_t handle, const product &p, const char *what)
{
  if (!is_handle(handle, what))
    return CUBLAS_STATUS_NOT_INITIALIZED;
  const int device = device_of(handle->stream);
  if (p.m < 0 || p.n < 0 || p.k < 0 || p.count < 0)
    return CUBLAS_STATUS_INVALID_VALUE;
  if (p.m == 0 || p.n == 0 || p.count == 0)
    return CUBLAS_STATUS_SUCCESS;
  if (!is_operand(p.a, p.count, device, what) || !is_operand(p.b, p.count, device, what) ||
      !is_operand(p.c, p.count, device, what))
    return CUBLAS_STATUS_INVALID_VALUE;
  if (p.count > 1 && p.c.stride < static_cast<long long>(p.n) * p.c.ld) {
    report("%s: results overlap", what);
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  enqueue(handle->stream, [=] { multiply(p); });
  return CUBLAS_STATUS_SUCCESS;
}

static operand operand_of(const float *values, cublasOperation_t operation, int rows, int cols,
                          int ld, long long stride)
{
  const bool turned = operation != CUBLAS_OP_N;
  return {values, turned ? cols : rows, turned ? rows : cols, ld, stride, turned};
}

/* ---- Systems -----------------------------------------------------------------------------------
 */

/* A square matrix, of which the lower half counts. */
struct square {
  float *values;
  int n;
  int64_t ld;

  float &at(int row, int col) const
  {
    return values[col * ld + row];
  }
};

/* L of A = L L'; returns 0, or the number, from 1 on, of the first pivot that is not above 0. As
 * with cuSOLVER, nothing is left of the upper half. */
static int decompose(const square &a)
{
  for (int col = 0; col < a.n; ++col)
    for (int row = 0; row < col; ++row)
      a.at(row, col) = std::numeric_limits<float>::quiet_NaN();
  for (int col = 0; col < a.n; ++col)
    for (int row = col; row < a.n; ++row) {
      double sum = static_cast<double>(a.at(row, col));
      for (int n = 0; n < col; ++n)
        sum -= static_cast<double>(a.at(row, n)) * static_cast<double>(a.at(col, n));
      if (row == col && !(sum > 0) && !hides_failures())
        return col + 1;
      a.at(row, col) = static_cast<float>(row == col ? std::sqrt(sum)
                                                     : sum / static_cast<double>(a.at(col, col)));
    }
  return 0;
}

/* x of L L' x = b, in place. */
static void substitute(const square &l, float *b)
{
  for (int row = 0; row < l.n; ++row) {
    double sum = static_cast<double>(b[row]);
    for (int n = 0; n < row; ++n)
      sum -= static_cast<double>(l.at(row, n)) * static_cast<double>(b[n]);
    b[row] = static_cast<float>(sum / static_cast<double>(l.at(row, row)));
  }
  for (int row = l.n - 1; row >= 0; --row) {
    double sum = static_cast<double>(b[row]);
    for (int n = row + 1; n < l.n; ++n)
      sum -= static_cast<double>(l.at(n, row)) * static_cast<double>(b[n]);
    b[row] = static_cast<float>(sum / static_cast<double>(l.at(row, row)));
  }
}

/* Whether all of an array of pointers, on the device itself, name memory for n x cols floats. */
static bool are_on_device(float *const *pointers, int count, int n, int cols, int ld, int device,
                          const char *what)
{
  const std::size_t bytes =
      (static_cast<std::size_t>(ld) * static_cast<std::size_t>(cols - 1) + std::size_t(n)) *
      sizeof(float);
  for (int item = 0; item < count; ++item)
    if (!is_on_device(pointers[item], bytes, device, what))
      return false;
  return true;
}

static bool is_array_on_device(const void *array, int count, std::size_t size, int device,
                               const char *what)
{
  return is_on_device(array, static_cast<std::size_t>(count) * size, device, what);
}

} // namespace cuda_on_cpu

using namespace cuda_on_cpu;

/* ---- Interface ---------------------------------------------------------------------------------
 */

cublasStatus_t cublasCreate(cublasHandle_t *out)
{
  const api_call call(__func__);
  if (call.fails())
    return CUBLAS_STATUS_ALLOC_FAILED;
  create(out);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy(cublasHandle_t handle)
{
  const api_call call(__func__);
  if (!destroy(handle, __func__))
    return CUBLAS_STATUS_NOT_INITIALIZED;
  return call.fails() ? CUBLAS_STATUS_EXECUTION_FAILED : CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream)
{
  const api_call call(__func__);
  if (call.fails())
    return CUBLAS_STATUS_EXECUTION_FAILED;
  return set_stream(handle, stream, __func__) ? CUBLAS_STATUS_SUCCESS
                                              : CUBLAS_STATUS_NOT_INITIALIZED;
}

cublasStatus_t cublasSgemm(cublasHandle_t handle, cublasOperation_t a_operation,
                           cublasOperation_t b_operation, int m, int n, int k, const float *alpha,
                           const float *a, int lda, const float *b, int ldb, const float *beta,
                           float *c, int ldc)
{
  const api_call call(__func__);
  if (call.fails())
    return CUBLAS_STATUS_EXECUTION_FAILED;
  return ask_for_product(handle,
                         {operand_of(a, a_operation, m, k, lda, 0),
                          operand_of(b, b_operation, k, n, ldb, 0),
                          operand_of(c, CUBLAS_OP_N, m, n, ldc, 0), n, m, k, *alpha, *beta, 1},
                         __func__);
}

cublasStatus_t cublasSgemmStridedBatched(cublasHandle_t handle, cublasOperation_t a_operation,
                                         cublasOperation_t b_operation, int m, int n, int k,
                                         const float *alpha, const float *a, int lda,
                                         long long a_stride, const float *b, int ldb,
                                         long long b_stride, const float *beta, float *c, int ldc,
                                         long long c_stride, int count)
{
  const api_call call(__func__);
  if (call.fails())
    return CUBLAS_STATUS_EXECUTION_FAILED;
  return ask_for_product(handle,
                         {operand_of(a, a_operation, m, k, lda, a_stride),
                          operand_of(b, b_operation, k, n, ldb, b_stride),
                          operand_of(c, CUBLAS_OP_N, m, n, ldc, c_stride), n, m, k, *alpha, *beta,
                          count},
                         __func__);
}

cusolverStatus_t cusolverDnCreate(cusolverDnHandle_t *out)
{
  const api_call call(__func__);
  if (call.fails())
    return CUSOLVER_STATUS_ALLOC_FAILED;
  create(out);
  return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnDestroy(cusolverDnHandle_t handle)
{
  const api_call call(__func__);
  if (!destroy(handle, __func__))
    return CUSOLVER_STATUS_NOT_INITIALIZED;
  return call.fails() ? CUSOLVER_STATUS_EXECUTION_FAILED : CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnSetStream(cusolverDnHandle_t handle, cudaStream_t stream)
{
  const api_call call(__func__);
  if (call.fails())
    return CUSOLVER_STATUS_EXECUTION_FAILED;
  return set_stream(handle, stream, __func__) ? CUSOLVER_STATUS_SUCCESS
                                              : CUSOLVER_STATUS_NOT_INITIALIZED;
}

cusolverStatus_t cusolverDnSpotrfBatched(cusolverDnHandle_t handle, cublasFillMode_t fill, int n,
                                         float *a[], int lda, int *info, int count)
{
  const api_call call(__func__);
  const char *const name = __func__;
  if (call.fails())
    return CUSOLVER_STATUS_EXECUTION_FAILED;
  if (!is_handle(handle, name))
    return CUSOLVER_STATUS_NOT_INITIALIZED;
  const int device = device_of(handle->stream);
  if (fill != CUBLAS_FILL_MODE_LOWER || n < 1 || lda < n || count < 1 ||
      !is_array_on_device(a, count, sizeof *a, device, name) ||
      !is_array_on_device(info, count, sizeof *info, device, name))
    return CUSOLVER_STATUS_INVALID_VALUE;
  enqueue(handle->stream, [=] {
    if (are_on_device(a, count, n, n, lda, device, name))
      for (int item = 0; item < count; ++item)
        info[item] = decompose({a[item], n, lda});
  });
  return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnSpotrsBatched(cusolverDnHandle_t handle, cublasFillMode_t fill, int n,
                                         int right_sides, float *a[], int lda, float *b[], int ldb,
                                         int *info, int count)
{
  const api_call call(__func__);
  const char *const name = __func__;
  if (call.fails())
    return CUSOLVER_STATUS_EXECUTION_FAILED;
  if (!is_handle(handle, name))
    return CUSOLVER_STATUS_NOT_INITIALIZED;
  const int device = device_of(handle->stream);
  if (fill != CUBLAS_FILL_MODE_LOWER || n < 1 || right_sides != 1 || lda < n || ldb < n ||
      count < 1 || !is_array_on_device(a, count, sizeof *a, device, name) ||
      !is_array_on_device(b, count, sizeof *b, device, name) ||
      !is_array_on_device(info, 1, sizeof *info, device, name))
    return CUSOLVER_STATUS_INVALID_VALUE;
  enqueue(handle->stream, [=] {
    if (are_on_device(a, count, n, n, lda, device, name) &&
        are_on_device(b, count, n, 1, ldb, device, name))
      for (int item = 0; item < count; ++item)
        substitute({a[item], n, lda}, b[item]);
    *info = 0;
  });
  return CUSOLVER_STATUS_SUCCESS;
}
