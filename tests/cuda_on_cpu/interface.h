/* What the runtime on the CPU and NVIDIA's have in common, for the compiler to check against
 * either: machine.cc includes this behind our headers, against_nvidia.cu behind NVIDIA's.
 * (cudaMalloc and others that NVIDIA overloads have no one type.) */
#ifndef CUDA_ON_CPU_INTERFACE_H
#define CUDA_ON_CPU_INTERFACE_H

#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <cusolverDn.h>

#include <cstddef>
#include <type_traits>

static_assert(cudaSuccess == 0 && cudaErrorInvalidValue == 1 && cudaErrorMemoryAllocation == 2 &&
                  cudaErrorInvalidConfiguration == 9 && cudaErrorNoDevice == 100 &&
                  cudaErrorInvalidDevice == 101 && cudaErrorInvalidResourceHandle == 400 &&
                  cudaErrorIllegalAddress == 700 && cudaErrorLaunchFailure == 719 &&
                  cudaErrorUnknown == 999,
              "cudaError_t");
static_assert(cudaMemcpyHostToDevice == 1 && cudaMemcpyDeviceToHost == 2 &&
                  cudaMemcpyDeviceToDevice == 3,
              "cudaMemcpyKind");
static_assert(cudaDevAttrL2CacheSize == 38 && cudaFuncAttributeMaxDynamicSharedMemorySize == 8 &&
                  cudaStreamNonBlocking == 1 && cudaEventDisableTiming == 2,
              "attributes and flags");
static_assert(CUBLAS_STATUS_SUCCESS == 0 && CUBLAS_STATUS_NOT_INITIALIZED == 1 &&
                  CUBLAS_STATUS_ALLOC_FAILED == 3 && CUBLAS_STATUS_INVALID_VALUE == 7 &&
                  CUBLAS_STATUS_EXECUTION_FAILED == 13,
              "cublasStatus_t");
static_assert(CUBLAS_OP_N == 0 && CUBLAS_OP_T == 1 && CUBLAS_FILL_MODE_LOWER == 0,
              "how cuBLAS takes its operands");
static_assert(CUSOLVER_STATUS_SUCCESS == 0 && CUSOLVER_STATUS_NOT_INITIALIZED == 1 &&
                  CUSOLVER_STATUS_ALLOC_FAILED == 2 && CUSOLVER_STATUS_INVALID_VALUE == 3 &&
                  CUSOLVER_STATUS_EXECUTION_FAILED == 6,
              "cusolverStatus_t");
static_assert(sizeof(cudaDeviceProp::name) == 256 && sizeof(uint3) == 12 && sizeof(dim3) == 12,
              "structs");

#define HAS_TYPE(function, ...)                                                                    \
  static_assert(std::is_same_v<decltype(&function), __VA_ARGS__>, #function)

HAS_TYPE(cudaGetDeviceCount, cudaError_t (*)(int *));
HAS_TYPE(cudaSetDevice, cudaError_t (*)(int));
HAS_TYPE(cudaGetDevice, cudaError_t (*)(int *));
HAS_TYPE(cudaGetDeviceProperties, cudaError_t (*)(cudaDeviceProp *, int));
HAS_TYPE(cudaDeviceGetAttribute, cudaError_t (*)(int *, cudaDeviceAttr, int));
HAS_TYPE(cudaGetLastError, cudaError_t (*)());
HAS_TYPE(cudaGetErrorString, const char *(*)(cudaError_t));
HAS_TYPE(cudaMemGetInfo, cudaError_t (*)(std::size_t *, std::size_t *));
HAS_TYPE(cudaFree, cudaError_t (*)(void *));
HAS_TYPE(cudaFreeHost, cudaError_t (*)(void *));
HAS_TYPE(cudaMemcpyAsync,
         cudaError_t (*)(void *, const void *, std::size_t, cudaMemcpyKind, cudaStream_t));
HAS_TYPE(cudaMemcpy2DAsync,
         cudaError_t (*)(void *, std::size_t, const void *, std::size_t, std::size_t, std::size_t,
                         cudaMemcpyKind, cudaStream_t));
HAS_TYPE(cudaMemsetAsync, cudaError_t (*)(void *, int, std::size_t, cudaStream_t));
HAS_TYPE(cudaStreamCreateWithFlags, cudaError_t (*)(cudaStream_t *, unsigned));
HAS_TYPE(cudaStreamDestroy, cudaError_t (*)(cudaStream_t));
HAS_TYPE(cudaStreamSynchronize, cudaError_t (*)(cudaStream_t));
HAS_TYPE(cudaStreamWaitEvent, cudaError_t (*)(cudaStream_t, cudaEvent_t, unsigned));
HAS_TYPE(cudaEventCreateWithFlags, cudaError_t (*)(cudaEvent_t *, unsigned));
HAS_TYPE(cudaEventDestroy, cudaError_t (*)(cudaEvent_t));
HAS_TYPE(cudaEventRecord, cudaError_t (*)(cudaEvent_t, cudaStream_t));
HAS_TYPE(cudaEventSynchronize, cudaError_t (*)(cudaEvent_t));
HAS_TYPE(cublasCreate, cublasStatus_t (*)(cublasHandle_t *));
HAS_TYPE(cublasDestroy, cublasStatus_t (*)(cublasHandle_t));
HAS_TYPE(cublasSetStream, cublasStatus_t (*)(cublasHandle_t, cudaStream_t));
HAS_TYPE(cublasSgemm, cublasStatus_t (*)(cublasHandle_t, cublasOperation_t, cublasOperation_t, int,
                                         int, int, const float *, const float *, int, const float *,
                                         int, const float *, float *, int));
HAS_TYPE(cublasSgemmStridedBatched,
         cublasStatus_t (*)(cublasHandle_t, cublasOperation_t, cublasOperation_t, int, int, int,
                            const float *, const float *, int, long long, const float *, int,
                            long long, const float *, float *, int, long long, int));
HAS_TYPE(cusolverDnCreate, cusolverStatus_t (*)(cusolverDnHandle_t *));
HAS_TYPE(cusolverDnDestroy, cusolverStatus_t (*)(cusolverDnHandle_t));
HAS_TYPE(cusolverDnSetStream, cusolverStatus_t (*)(cusolverDnHandle_t, cudaStream_t));
HAS_TYPE(cusolverDnSpotrfBatched, cusolverStatus_t (*)(cusolverDnHandle_t, cublasFillMode_t, int,
                                                       float *[], int, int *, int));
HAS_TYPE(cusolverDnSpotrsBatched,
         cusolverStatus_t (*)(cusolverDnHandle_t, cublasFillMode_t, int, int, float *[], int,
                              float *[], int, int *, int));

#endif
