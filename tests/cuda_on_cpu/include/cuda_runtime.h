/* The part of CUDA's runtime that the CUDA back end uses, for kernels that run on the CPU: with
 * this folder first on the include path g++ compiles backends/gpu_cuda.cu as it stands. Names,
 * values and meaning are NVIDIA's; ../against_nvidia.cu holds the values against NVIDIA's own
 * headers. */
#ifndef CUDA_ON_CPU_CUDA_RUNTIME_H
#define CUDA_ON_CPU_CUDA_RUNTIME_H

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <tuple>
#include <type_traits>

#define CUDA_ON_CPU_API __attribute__((visibility("default")))

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidDevice = 101,
  cudaErrorInvalidResourceHandle = 400,
  cudaErrorIllegalAddress = 700,
  cudaErrorLaunchFailure = 719,
  cudaErrorUnknown = 999
};

enum cudaMemcpyKind {
  cudaMemcpyHostToDevice = 1,
  cudaMemcpyDeviceToHost = 2,
  cudaMemcpyDeviceToDevice = 3
};

enum cudaDeviceAttr { cudaDevAttrL2CacheSize = 38 };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };

constexpr unsigned cudaStreamNonBlocking = 1;
constexpr unsigned cudaEventDisableTiming = 2;

typedef struct CUstream_st *cudaStream_t;
typedef struct CUevent_st *cudaEvent_t;

struct uint3 {
  unsigned x;
  unsigned y;
  unsigned z;
};

struct dim3 {
  unsigned x;
  unsigned y;
  unsigned z;

  constexpr dim3(unsigned x_size = 1, unsigned y_size = 1, unsigned z_size = 1)
      : x(x_size), y(y_size), z(z_size)
  {
  }
};

struct cudaDeviceProp {
  char name[256];
  std::size_t totalGlobalMem;
  int major;
  int minor;
};

struct cudaLaunchConfig_t {
  dim3 gridDim;
  dim3 blockDim;
  std::size_t dynamicSmemBytes;
  cudaStream_t stream;
  void *attrs; /* none are known here */
  unsigned numAttrs;
};

extern "C" {
CUDA_ON_CPU_API cudaError_t cudaGetDeviceCount(int *count);
CUDA_ON_CPU_API cudaError_t cudaSetDevice(int device);
CUDA_ON_CPU_API cudaError_t cudaGetDevice(int *device);
CUDA_ON_CPU_API cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device);
CUDA_ON_CPU_API cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute,
                                                   int device);
CUDA_ON_CPU_API cudaError_t cudaGetLastError(void);
CUDA_ON_CPU_API const char *cudaGetErrorString(cudaError_t error);

CUDA_ON_CPU_API cudaError_t cudaMemGetInfo(std::size_t *free_bytes, std::size_t *all_bytes);
CUDA_ON_CPU_API cudaError_t cudaMalloc(void **out, std::size_t bytes);
CUDA_ON_CPU_API cudaError_t cudaFree(void *memory);
CUDA_ON_CPU_API cudaError_t cudaMallocHost(void **out, std::size_t bytes);
CUDA_ON_CPU_API cudaError_t cudaFreeHost(void *memory);

CUDA_ON_CPU_API cudaError_t cudaMemcpyAsync(void *to, const void *from, std::size_t bytes,
                                            cudaMemcpyKind kind, cudaStream_t stream);
CUDA_ON_CPU_API cudaError_t cudaMemcpy2DAsync(void *to, std::size_t to_step, const void *from,
                                              std::size_t from_step, std::size_t width,
                                              std::size_t height, cudaMemcpyKind kind,
                                              cudaStream_t stream);
CUDA_ON_CPU_API cudaError_t cudaMemsetAsync(void *to, int byte, std::size_t bytes,
                                            cudaStream_t stream);

CUDA_ON_CPU_API cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned flags);
CUDA_ON_CPU_API cudaError_t cudaStreamDestroy(cudaStream_t stream);
CUDA_ON_CPU_API cudaError_t cudaStreamSynchronize(cudaStream_t stream);
CUDA_ON_CPU_API cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event,
                                                unsigned flags);
CUDA_ON_CPU_API cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned flags);
CUDA_ON_CPU_API cudaError_t cudaEventDestroy(cudaEvent_t event);
CUDA_ON_CPU_API cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
CUDA_ON_CPU_API cudaError_t cudaEventSynchronize(cudaEvent_t event);

CUDA_ON_CPU_API cudaError_t cudaFuncSetAttribute(const void *kernel, cudaFuncAttribute attribute,
                                                 int value);
}

/* ---- Launching ---------------------------------------------------------------------------------
 */

/* One argument of a kernel, to be searched for pointers. */
struct cuda_on_cpu_argument {
  const void *bytes;
  std::size_t size;
};

/* `body` calls the kernel for one thread. */
CUDA_ON_CPU_API cudaError_t cuda_on_cpu_launch(const cudaLaunchConfig_t *config, const void *kernel,
                                               std::function<void()> body,
                                               const cuda_on_cpu_argument *arguments,
                                               std::size_t count);

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t *config, void (*kernel)(Parameters...),
                               Arguments &&...arguments)
{
  static_assert((std::is_trivially_copyable_v<Parameters> && ...),
                "arguments of a kernel are copied byte by byte");
  const auto all = std::make_shared<std::tuple<Parameters...>>(arguments...);
  const std::size_t count = sizeof...(Parameters);
  const auto launch = [&](auto &...values) {
#if __has_builtin(__builtin_clear_padding)
    (__builtin_clear_padding(&values), ...); /* what is left there may look like a pointer */
#endif
    const cuda_on_cpu_argument places[count + 1] = {{&values, sizeof values}..., {nullptr, 0}};
    return cuda_on_cpu_launch(
        config, reinterpret_cast<const void *>(kernel), [=] { std::apply(kernel, *all); }, places,
        count);
  };
  return std::apply(launch, *all);
}

#include "device_code.h"

#endif
