/* What the processor can do at most: chains of fused multiply-adds in registers, as many at a time
 * as its units take, on each of the threads at once. */
#include "bench.h"

#include <pthread.h>

#if defined(__x86_64__)

#include <immintrin.h>

enum { CHAINS = 12, STEPS = 4000000, ROUNDS = 5, MOST_THREADS = 64 };

__attribute__((target("avx512f"))) static float chains_of_16(void)
{
  __m512 x[CHAINS];
  for (int n = 0; n < CHAINS; n++)
    x[n] = _mm512_set1_ps((float)n);
  const __m512 factor = _mm512_set1_ps(0.5F);
  for (int step = 0; step < STEPS; step++)
#pragma GCC unroll 12
    for (int n = 0; n < CHAINS; n++)
      x[n] = _mm512_fmadd_ps(x[n], factor, factor);
  float sum = 0;
  for (int n = 0; n < CHAINS; n++)
    sum += _mm512_cvtss_f32(x[n]);
  return sum;
}

__attribute__((target("avx2,fma"))) static float chains_of_8(void)
{
  __m256 x[CHAINS];
  for (int n = 0; n < CHAINS; n++)
    x[n] = _mm256_set1_ps((float)n);
  const __m256 factor = _mm256_set1_ps(0.5F);
  for (int step = 0; step < STEPS; step++)
#pragma GCC unroll 12
    for (int n = 0; n < CHAINS; n++)
      x[n] = _mm256_fmadd_ps(x[n], factor, factor);
  float sum = 0;
  for (int n = 0; n < CHAINS; n++)
    sum += _mm256_cvtss_f32(x[n]);
  return sum;
}

static void *run_chains(void *payload)
{
  float *sum = payload;
  *sum = __builtin_cpu_supports("avx512f") ? chains_of_16() : chains_of_8();
  return NULL;
}

double pqf_bench_peak(int threads)
{
  pthread_t thread[MOST_THREADS];
  float sum[MOST_THREADS];
  double best = 0;
  if (threads > MOST_THREADS || !__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
    return 0;
  const int lanes = __builtin_cpu_supports("avx512f") ? 16 : 8;
  for (int round = 0; round < ROUNDS; round++) {
    const double begin = pqf_bench_clock();
    for (int n = 0; n < threads; n++)
      if (pthread_create(&thread[n], NULL, run_chains, &sum[n]) != 0)
        pqf_bench_fail("no thread to measure with");
    for (int n = 0; n < threads; n++)
      pthread_join(thread[n], NULL);
    const double rate = 2.0 * threads * lanes * CHAINS * STEPS / (pqf_bench_clock() - begin);
    best = rate > best ? rate : best;
  }
  return best;
}

#else

double pqf_bench_peak(int threads)
{
  (void)threads;
  return 0;
}

#endif
