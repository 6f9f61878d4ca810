/* Chooses the kernels once: the widest instruction set that the processor and the system have, no
 * wider than the environment variable PQF_INSTRUCTIONS says. Every thread that comes here first
 * finds the same answer, so that the race to store it is harmless. */
#include "cpu_solver.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const pqf_cpu_kernels *choose(void)
{
#if defined(__x86_64__)
  const char *most = secure_getenv("PQF_INSTRUCTIONS");
  if (most != NULL && strcmp(most, "baseline") == 0)
    return &pqf_cpu_kernels_baseline;
  __builtin_cpu_init();
  if (!(most != NULL && strcmp(most, "avx2") == 0) && __builtin_cpu_supports("avx512f") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw"))
    return &pqf_cpu_kernels_avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return &pqf_cpu_kernels_avx2;
#endif
  return &pqf_cpu_kernels_baseline;
}

const pqf_cpu_kernels *pqf_cpu_kernels_chosen(void)
{
  static _Atomic(const pqf_cpu_kernels *) chosen;
  const pqf_cpu_kernels *kernels = atomic_load_explicit(&chosen, memory_order_acquire);
  if (kernels == NULL) {
    kernels = choose();
    atomic_store_explicit(&chosen, kernels, memory_order_release);
  }
  return kernels;
}

const pqf_cpu_solver *pqf_cpu_solver_chosen(void)
{
#if defined(__x86_64__)
  if (pqf_cpu_kernels_chosen() == &pqf_cpu_kernels_avx512)
    return &pqf_cpu_solver_avx512;
  if (pqf_cpu_kernels_chosen() == &pqf_cpu_kernels_avx2)
    return &pqf_cpu_solver_avx2;
#endif
  return &pqf_cpu_solver_baseline;
}

const pqf_cpu_double_solver *pqf_cpu_double_solver_chosen(void)
{
#if defined(__x86_64__)
  if (pqf_cpu_kernels_chosen() == &pqf_cpu_kernels_avx512)
    return &pqf_cpu_double_solver_avx512;
  if (pqf_cpu_kernels_chosen() == &pqf_cpu_kernels_avx2)
    return &pqf_cpu_double_solver_avx2;
#endif
  return &pqf_cpu_double_solver_baseline;
}
