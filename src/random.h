/* Random draws: the library's own, and torch's. */
#ifndef PQF_SRC_RANDOM_H
#define PQF_SRC_RANDOM_H

#include <stdint.h>

/* Normal draws number first .. first + count of stream `stream`: each depends on (seed, stream,
 * number) alone. */
void pqf_normal_draws(uint64_t seed, uint32_t stream, int64_t first, int64_t count, float *out);

/* Uniform draws in [0, 1), multiples of 2^-53, as above. */
void pqf_uniform_draws(uint64_t seed, uint32_t stream, int64_t first, int64_t count, double *out);

/* The generator behind torch.randn() on a CPU. */
typedef struct pqf_torch_generator {
  uint32_t state[624];
  int32_t used;      /* words of `state` already given out */
  int32_t has_spare; /* the second of a pair of small draws is kept */
  double spare;
} pqf_torch_generator;

/* torch.manual_seed(seed) */
void pqf_torch_seed(pqf_torch_generator *generator, uint64_t seed);

/* torch.randn(count) */
void pqf_torch_randn(pqf_torch_generator *generator, int64_t count, float *out);

#endif
