/* Vectors as wide as the instruction set that a kernel file is compiled for. The compiler's vector
 * types carry the arithmetic, so that one source serves them all. Numbers are float, or double
 * where PQF_KERNELS_IN_DOUBLE is defined first. */
#ifndef PQF_BACKENDS_CPU_VECTOR_H
#define PQF_BACKENDS_CPU_VECTOR_H

#include <stdint.h>

#if defined(PQF_KERNELS_IN_DOUBLE)
typedef double number;
#define BYTES_PER_NUMBER 8
#else
typedef float number;
#define BYTES_PER_NUMBER 4
#endif

#if defined(__AVX512F__)
#define BYTES_PER_VECTOR 64
#elif defined(__AVX2__)
#define BYTES_PER_VECTOR 32
#else
#define BYTES_PER_VECTOR 16
#endif
#define LANES (BYTES_PER_VECTOR / BYTES_PER_NUMBER)

typedef number vector __attribute__((vector_size(BYTES_PER_VECTOR)));
typedef number vector_in_memory
    __attribute__((vector_size(BYTES_PER_VECTOR), aligned(BYTES_PER_NUMBER), may_alias));

#define INLINE static inline __attribute__((always_inline))

INLINE vector load(const number *memory)
{
  return *(const vector_in_memory *)memory;
}

INLINE void store(number *memory, vector value)
{
  *(vector_in_memory *)memory = value;
}

INLINE vector all(number value)
{
  return value - (vector){0};
}

/* Factors, which are always float. */
INLINE vector load_factors(const float *memory)
{
#if defined(PQF_KERNELS_IN_DOUBLE)
  typedef float factors __attribute__((vector_size(BYTES_PER_VECTOR / 2), aligned(4), may_alias));
  return __builtin_convertvector(*(const factors *)memory, vector);
#else
  return load(memory);
#endif
}

/* Halves are added to each other until one lane is left. */
INLINE number sum_of_lanes(vector value)
{
#if LANES == 16
  value +=
      __builtin_shufflevector(value, value, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
  value += __builtin_shufflevector(value, value, 4, 5, 6, 7, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3);
  value += __builtin_shufflevector(value, value, 2, 3, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1);
#elif LANES == 8
  value += __builtin_shufflevector(value, value, 4, 5, 6, 7, 0, 1, 2, 3);
  value += __builtin_shufflevector(value, value, 2, 3, 0, 1, 0, 1, 0, 1);
#elif LANES == 4
  value += __builtin_shufflevector(value, value, 2, 3, 0, 1);
#endif
  return value[0] + value[1];
}

#if !defined(PQF_KERNELS_IN_DOUBLE)

/* As many doubles as fill a vector of the same size. */
typedef double wide_vector __attribute__((vector_size(BYTES_PER_VECTOR)));
typedef float half_vector_in_memory
    __attribute__((vector_size(BYTES_PER_VECTOR / 2), aligned(4), may_alias));

/* Half a vector of floats, as doubles. */
INLINE wide_vector load_wide(const float *memory)
{
  return __builtin_convertvector(*(const half_vector_in_memory *)memory, wide_vector);
}

typedef double wide_vector_in_memory
    __attribute__((vector_size(BYTES_PER_VECTOR), aligned(8), may_alias));

INLINE wide_vector load_doubles(const double *memory)
{
  return *(const wide_vector_in_memory *)memory;
}

INLINE void store_doubles(double *memory, wide_vector value)
{
  *(wide_vector_in_memory *)memory = value;
}

/* As sum_of_lanes(), for doubles. */
INLINE double sum_of_wide_lanes(wide_vector value)
{
#if LANES == 16
  value += __builtin_shufflevector(value, value, 4, 5, 6, 7, 0, 1, 2, 3);
  value += __builtin_shufflevector(value, value, 2, 3, 0, 1, 0, 1, 0, 1);
#elif LANES == 8
  value += __builtin_shufflevector(value, value, 2, 3, 0, 1);
#endif
  return value[0] + value[1];
}

#endif

/* For vectors a and b: lanes of `a` where the lane's number has no bit `size`, of `b` elsewhere,
 * each from the block of `size` lanes that comes first in them; and likewise that comes second. */
#define FIRST_OF(lane, size) ((lane) & (size) ? (lane) - (size) + LANES : (lane))
#define SECOND_OF(lane, size) ((lane) & (size) ? (lane) + LANES : (lane) + (size))
#define FOUR_LANES(of, lane, size)                                                                 \
  of(lane, size), of((lane) + 1, size), of((lane) + 2, size), of((lane) + 3, size)
#if LANES == 16
#define ALL_LANES(of, size)                                                                        \
  FOUR_LANES(of, 0, size), FOUR_LANES(of, 4, size), FOUR_LANES(of, 8, size),                       \
      FOUR_LANES(of, 12, size)
#elif LANES == 8
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
