/* Vectors as wide as the instruction set that a kernel file is compiled for. The compiler's vector
 * types carry the arithmetic, so that one source serves them all. */
#ifndef PQF_BACKENDS_CPU_VECTOR_H
#define PQF_BACKENDS_CPU_VECTOR_H

#include <stdint.h>

#if defined(__AVX512F__)
enum { LANES = 16 };
#elif defined(__AVX2__)
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif

typedef float vector __attribute__((vector_size(LANES * sizeof(float))));
typedef float vector_in_memory
    __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));

#define INLINE static inline __attribute__((always_inline))

INLINE vector load(const float *memory)
{
  return *(const vector_in_memory *)memory;
}

INLINE void store(float *memory, vector value)
{
  *(vector_in_memory *)memory = value;
}

INLINE vector all(float value)
{
  return value - (vector){0};
}

/* Halves are added to each other until one lane is left. */
INLINE float sum_of_lanes(vector value)
{
#if defined(__AVX512F__)
  value +=
      __builtin_shufflevector(value, value, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
  value += __builtin_shufflevector(value, value, 4, 5, 6, 7, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3);
  value += __builtin_shufflevector(value, value, 2, 3, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1);
#elif defined(__AVX2__)
  value += __builtin_shufflevector(value, value, 4, 5, 6, 7, 0, 1, 2, 3);
  value += __builtin_shufflevector(value, value, 2, 3, 0, 1, 0, 1, 0, 1);
#else
  value += __builtin_shufflevector(value, value, 2, 3, 0, 1);
#endif
  return value[0] + value[1];
}

/* pqf_cpu_kernels and avx2 make pqf_cpu_kernels_avx2. */
#define TEXT_OF(name) QUOTE(name)
#define QUOTE(name) #name
#define JOIN_NAMES(left, right) left##_##right
#define TABLE_NAME(left, right) JOIN_NAMES(left, right)

#endif
