/* The part of cuBLAS that the CUDA back end uses; see cuda_runtime.h. */
#ifndef CUDA_ON_CPU_CUBLAS_V2_H
#define CUDA_ON_CPU_CUBLAS_V2_H

#include "cuda_runtime.h"

enum cublasStatus_t {
  CUBLAS_STATUS_SUCCESS = 0,
  CUBLAS_STATUS_NOT_INITIALIZED = 1,
  CUBLAS_STATUS_ALLOC_FAILED = 3,
  CUBLAS_STATUS_INVALID_VALUE = 7,
  CUBLAS_STATUS_EXECUTION_FAILED = 13
};

enum cublasOperation_t { CUBLAS_OP_N = 0, CUBLAS_OP_T = 1 };
enum cublasFillMode_t { CUBLAS_FILL_MODE_LOWER = 0 };

typedef struct cublasContext *cublasHandle_t;

extern "C" {
CUDA_ON_CPU_API cublasStatus_t cublasCreate(cublasHandle_t *out);
CUDA_ON_CPU_API cublasStatus_t cublasDestroy(cublasHandle_t handle);
CUDA_ON_CPU_API cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream);
CUDA_ON_CPU_API cublasStatus_t cublasSgemm(cublasHandle_t handle, cublasOperation_t a_operation,
                                           cublasOperation_t b_operation, int m, int n, int k,
                                           const float *alpha, const float *a, int lda,
                                           const float *b, int ldb, const float *beta, float *c,
                                           int ldc);
CUDA_ON_CPU_API cublasStatus_t cublasSgemmStridedBatched(
    cublasHandle_t handle, cublasOperation_t a_operation, cublasOperation_t b_operation, int m,
    int n, int k, const float *alpha, const float *a, int lda, long long a_stride, const float *b,
    int ldb, long long b_stride, const float *beta, float *c, int ldc, long long c_stride,
    int count);
}

#endif
