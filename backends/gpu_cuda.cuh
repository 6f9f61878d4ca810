/* What every file of the CUDA back end shares: words for failures, launches, sums over a block.
 *
 * The source is built twice: by nvcc, and by g++ against a runtime for tests that runs kernels on
 * the CPU. Hence kernels are launched through cudaLaunchKernelEx, shared memory is declared through
 * the two macros below, and a stream is waited for before anything that it may touch is freed. */
#ifndef PQF_BACKENDS_GPU_CUDA_CUH
#define PQF_BACKENDS_GPU_CUDA_CUH

#include "pqf_backend.h"

#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <cusolverDn.h>

#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <cstring>

#ifdef __CUDACC__
/* An array of the launch's own size, or of a constant one, in the memory that a block shares. */
#define PQF_DYNAMIC_SHARED(type, name)                                                             \
  extern __shared__ __align__(16) unsigned char name##_bytes[];                                    \
  type *const name = reinterpret_cast<type *>(name##_bytes)
#define PQF_STATIC_SHARED(type, name, size) __shared__ type name[size]
#endif

#define TRY(expression)                                                                            \
  do {                                                                                             \
    const int status_ = (expression);                                                              \
    if (status_ != PQF_OK)                                                                         \
      return status_;                                                                              \
  } while (0)

/* Calls a function of the runtime, of cuBLAS or of cuSOLVER for training t; returns on failure. */
#define CUDA(t, function, ...) TRY(check_cuda((t)->host, #function, function(__VA_ARGS__)))
#define BLAS(t, function, ...) TRY(check_blas((t)->host, #function, function(__VA_ARGS__)))
#define SOLVER(t, function, ...) TRY(check_solver((t)->host, #function, function(__VA_ARGS__)))

constexpr int WARP = 32;
constexpr unsigned ALL_LANES = 0xffffffffU;

/* Four floats that are loaded and stored at once. */
struct alignas(16) quad {
  float x[4];
};

static int check_cuda(const pqf_host *host, const char *function, cudaError_t error)
{
  if (error == cudaSuccess)
    return PQF_OK;
  cudaGetLastError(); /* or the next call would report it again */
  return host->fail(host, error == cudaErrorMemoryAllocation ? PQF_ENOMEM : PQF_EBACKEND,
                    "backend cuda: %s: %s", function, cudaGetErrorString(error));
}

static int check_blas(const pqf_host *host, const char *function, cublasStatus_t error)
{
  if (error == CUBLAS_STATUS_SUCCESS)
    return PQF_OK;
  return host->fail(host, error == CUBLAS_STATUS_ALLOC_FAILED ? PQF_ENOMEM : PQF_EBACKEND,
                    "backend cuda: %s: cuBLAS status %d", function, static_cast<int>(error));
}

static int check_solver(const pqf_host *host, const char *function, cusolverStatus_t error)
{
  if (error == CUSOLVER_STATUS_SUCCESS)
    return PQF_OK;
  return host->fail(host, error == CUSOLVER_STATUS_ALLOC_FAILED ? PQF_ENOMEM : PQF_EBACKEND,
                    "backend cuda: %s: cuSOLVER status %d", function, static_cast<int>(error));
}

/* Launches `blocks` blocks; none is no failure. More shared memory than 48 KiB, static arrays
 * included, has to be asked for. Every kernel asks for the same, what the smallest device allows
 * (64 KiB) less room for static arrays: fits that overlap would take larger sizes from each other.
 */
template <class... Parameters, class... Arguments>
static int launch_on(const pqf_host *host, cudaStream_t stream, const char *name,
                     void (*kernel)(Parameters...), dim3 blocks, unsigned threads,
                     std::size_t shared_bytes, Arguments... arguments)
{
  constexpr std::size_t of_static_arrays = 1024;
  constexpr std::size_t without_asking = 48 * 1024 - of_static_arrays;
  constexpr int asked = 64 * 1024 - of_static_arrays;
  if (blocks.x == 0 || blocks.y == 0)
    return PQF_OK;
  if (shared_bytes > without_asking)
    TRY(check_cuda(host, name,
                   cudaFuncSetAttribute(reinterpret_cast<const void *>(kernel),
                                        cudaFuncAttributeMaxDynamicSharedMemorySize, asked)));
  cudaLaunchConfig_t config = {};
  config.gridDim = blocks;
  config.blockDim = dim3(threads);
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  return check_cuda(host, name, cudaLaunchKernelEx(&config, kernel, arguments...));
}

/* Makes a device the calling thread's, and gives back the one that it had. */
struct device_scope {
  int before = 0;
  int device;
  cudaError_t error;

  explicit device_scope(int number) : device(number)
  {
    error = cudaGetDevice(&before);
    if (error == cudaSuccess && before != device)
      error = cudaSetDevice(device);
  }
  ~device_scope()
  {
    if (before != device)
      cudaSetDevice(before);
  }
  device_scope(const device_scope &) = delete;
  device_scope &operator=(const device_scope &) = delete;
};

/* The rest of the calling function runs on the training's device. */
#define ON_DEVICE(t)                                                                               \
  const device_scope scope_((t)->device);                                                          \
  TRY(check_cuda((t)->host, "cudaSetDevice", scope_.error))

static __device__ __forceinline__ int lane_number()
{
  return static_cast<int>(threadIdx.x) % WARP;
}

static __device__ __forceinline__ int warp_number()
{
  return static_cast<int>(threadIdx.x) / WARP;
}

static __device__ __forceinline__ int warp_count()
{
  return static_cast<int>(blockDim.x) / WARP;
}

/* The sum over a warp, in every lane, in an order that never changes. */
template <class number> static __device__ __forceinline__ number warp_sum(number value)
{
  for (int distance = WARP / 2; distance > 0; distance /= 2)
    value += __shfl_xor_sync(ALL_LANES, value, distance);
  return value;
}

/* The sum over a block of whole warps, in every thread; all threads must call it. */
static __device__ double block_sum(double value)
{
  PQF_STATIC_SHARED(double, part, WARP);
  value = warp_sum(value);
  if (lane_number() == 0)
    part[warp_number()] = value;
  __syncthreads();
  double sum = 0;
  for (int warp = 0; warp < warp_count(); warp++)
    sum += part[warp];
  __syncthreads(); /* `part` may be written again */
  return sum;
}

#endif
