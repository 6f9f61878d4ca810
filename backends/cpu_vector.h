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

/* As many doubles as fill a vector of the same size. */
typedef double wide_vector __attribute__((vector_size(LANES * sizeof(float))));
typedef float half_vector_in_memory
    __attribute__((vector_size(LANES / 2 * sizeof(float)), aligned(4), may_alias));

#define INLINE static inline __attribute__((always_inline))

INLINE vector load(const float *memory)
{
  return *(const vector_in_memory *)memory;
}

/* Half a vector of floats, as doubles. */
INLINE wide_vector load_wide(const float *memory)
{
  return __builtin_convertvector(*(const half_vector_in_memory *)memory, wide_vector);
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

/* The same for doubles. */
INLINE double sum_of_wide_lanes(wide_vector value)
{
#if defined(__AVX512F__)
  value += __builtin_shufflevector(value, value, 4, 5, 6, 7, 0, 1, 2, 3);
  value += __builtin_shufflevector(value, value, 2, 3, 0, 1, 0, 1, 0, 1);
#elif defined(__AVX2__)
  value += __builtin_shufflevector(value, value, 2, 3, 0, 1);
#endif
  return value[0] + value[1];
}

/* For vectors a and b: lanes of `a` where the lane's number has no bit `size`, of `b` elsewhere,
 * each from the block of `size` lanes that comes first in them; and likewise that comes second. */
#define FIRST_OF(lane, size) ((lane) & (size) ? (lane) - (size) + LANES : (lane))
#define SECOND_OF(lane, size) ((lane) & (size) ? (lane) + LANES : (lane) + (size))
#define FOUR_LANES(of, lane, size)                                                                 \
  of(lane, size), of((lane) + 1, size), of((lane) + 2, size), of((lane) + 3, size)
#if defined(__AVX512F__)
#define ALL_LANES(of, size)                                                                        \
  FOUR_LANES(of, 0, size), FOUR_LANES(of, 4, size), FOUR_LANES(of, 8, size),                       \
      FOUR_LANES(of, 12, size)
#elif defined(__AVX2__)
#define ALL_LANES(of, size) FOUR_LANES(of, 0, size), FOUR_LANES(of, 4, size)
#else
#define ALL_LANES(of, size) FOUR_LANES(of, 0, size)
#endif

/* One step of a transposition: in each 2 x 2 blocks of size x size those off the diagonal change
 * places. */
#define EXCHANGE(row, size)                                                                        \
  for (int n = 0; n < LANES; n++)                                                                  \
    if ((n & (size)) == 0) {                                                                       \
      const vector a = (row)[n];                                                                   \
      const vector b = (row)[n + (size)];                                                          \
      (row)[n] = __builtin_shufflevector(a, b, ALL_LANES(FIRST_OF, size));                         \
      (row)[n + (size)] = __builtin_shufflevector(a, b, ALL_LANES(SECOND_OF, size));               \
    }

/* pqf_cpu_kernels and avx2 make pqf_cpu_kernels_avx2. */
#define TEXT_OF(name) QUOTE(name)
#define QUOTE(name) #name
#define JOIN_NAMES(left, right) left##_##right
#define TABLE_NAME(left, right) JOIN_NAMES(left, right)

#endif
