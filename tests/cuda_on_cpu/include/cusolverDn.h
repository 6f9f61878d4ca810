/* The part of cuSOLVER that the CUDA back end uses; see cuda_runtime.h. */
#ifndef CUDA_ON_CPU_CUSOLVERDN_H
#define CUDA_ON_CPU_CUSOLVERDN_H

#include "cublas_v2.h"

enum cusolverStatus_t {
  CUSOLVER_STATUS_SUCCESS = 0,
  CUSOLVER_STATUS_NOT_INITIALIZED = 1,
  CUSOLVER_STATUS_ALLOC_FAILED = 2,
  CUSOLVER_STATUS_INVALID_VALUE = 3,
  CUSOLVER_STATUS_EXECUTION_FAILED = 6
};

typedef struct cusolverDnContext *cusolverDnHandle_t;

extern "C" {
CUDA_ON_CPU_API cusolverStatus_t cusolverDnCreate(cusolverDnHandle_t *out);
CUDA_ON_CPU_API cusolverStatus_t cusolverDnDestroy(cusolverDnHandle_t handle);
CUDA_ON_CPU_API cusolverStatus_t cusolverDnSetStream(cusolverDnHandle_t handle,
                                                     cudaStream_t stream);
/* `a`, `b`: arrays of `count` pointers; they and `info` are on the device. */
CUDA_ON_CPU_API cusolverStatus_t cusolverDnSpotrfBatched(cusolverDnHandle_t handle,
                                                         cublasFillMode_t fill, int n, float *a[],
                                                         int lda, int *info, int count);
CUDA_ON_CPU_API cusolverStatus_t cusolverDnSpotrsBatched(cusolverDnHandle_t handle,
                                                         cublasFillMode_t fill, int n,
                                                         int right_sides, float *a[], int lda,
                                                         float *b[], int ldb, int *info, int count);
}

#endif
