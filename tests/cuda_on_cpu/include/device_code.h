/* What a kernel may call and read: indices, shared memory, barriers, exchanges within a warp,
 * arithmetic. A thread of a block is a fibre here (../block.cc). */
#ifndef CUDA_ON_CPU_DEVICE_CODE_H
#define CUDA_ON_CPU_DEVICE_CODE_H

#include <cmath>
#include <cstring>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)

/* The two macros by which kernels declare shared memory. A static array is known by its key. */
/* NOLINTBEGIN(bugprone-macro-parentheses): types and names cannot be in parentheses */
#define PQF_DYNAMIC_SHARED(type, name)                                                             \
  type *const name = static_cast<type *>(cuda_on_cpu_dynamic_shared(alignof(type)))
#define PQF_STATIC_SHARED(type, name, size)                                                        \
  static const char name##_key = 0;                                                                \
  type *const name = static_cast<type *>(                                                          \
      cuda_on_cpu_static_shared(&name##_key, sizeof(type) * (size), alignof(type)))
/* NOLINTEND(bugprone-macro-parentheses) */

CUDA_ON_CPU_API extern uint3 threadIdx;
CUDA_ON_CPU_API extern uint3 blockIdx;
CUDA_ON_CPU_API extern dim3 blockDim;
CUDA_ON_CPU_API extern dim3 gridDim;

CUDA_ON_CPU_API void *cuda_on_cpu_dynamic_shared(std::size_t alignment);
CUDA_ON_CPU_API void *cuda_on_cpu_static_shared(const void *key, std::size_t bytes,
                                                std::size_t alignment);
CUDA_ON_CPU_API void cuda_on_cpu_block_barrier();
CUDA_ON_CPU_API void cuda_on_cpu_warp_barrier(unsigned mask);

/* Offers `value` to the lanes in `mask` and returns what the lane whose number is this one's with
 * `bits` turned over has offered. */
CUDA_ON_CPU_API std::uint64_t cuda_on_cpu_exchange(unsigned mask, std::uint64_t value,
                                                   unsigned bits);

inline void __syncthreads()
{
  cuda_on_cpu_block_barrier();
}

inline void __syncwarp(unsigned mask = 0xffffffffU)
{
  cuda_on_cpu_warp_barrier(mask);
}

template <class number> number __shfl_xor_sync(unsigned mask, number value, int bits)
{
  static_assert(std::is_arithmetic_v<number>, "as CUDA has it");
  std::uint64_t given = 0;
  number got;
  std::memcpy(&given, &value, sizeof value);
  given = cuda_on_cpu_exchange(mask, given, static_cast<unsigned>(bits));
  std::memcpy(&got, &given, sizeof got);
  return got;
}

inline int atomicAdd(int *address, int value) /* NOLINT(readability-non-const-parameter): written */
{
  return __atomic_fetch_add(address, value, __ATOMIC_RELAXED);
}

template <class type> inline type __ldg(const type *address)
{
  return *address;
}

inline float rsqrtf(float x)
{
  return 1 / std::sqrt(x);
}

#endif
