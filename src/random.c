/* Random draws.
 *
 * The library's own come from Philox 4x32-10, a counter-based generator (Salmon, Moraes, Dror and
 * Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011): block b of a stream is a keyed
 * bijection of (b, stream), so that any draw can be made without those before it. The four words of
 * a block become two pairs of normals by Box and Muller:
 *
 *     u = (word + 1/2) 2^-32;  r = sqrt(-2 ln u1);  t = 2 pi u2;  r cos t, r sin t
 *
 * or two uniforms, each from the high 53 bits of a pair.
 *
 * Torch's come from the Mersenne twister mt19937 (Matsumoto and Nishimura, 1998), seeded with the
 * low 32 bits of the seed, in the two ways in which torch uses it on a CPU: see
 * pqf_torch_randn(). */
#include "random.h"

#include <math.h>

static const double two_pi = 6.283185307179586476925286766559;

static void philox_block(uint64_t seed, uint32_t stream, uint64_t block, uint32_t out[4])
{
  uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), stream, 0};
  uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
  for (int round = 0; round < 10; round++) {
    const uint64_t product0 = (uint64_t)0xD2511F53u * counter[0];
    const uint64_t product1 = (uint64_t)0xCD9E8D57u * counter[2];
    const uint32_t next0 = (uint32_t)(product1 >> 32) ^ counter[1] ^ key[0];
    const uint32_t next2 = (uint32_t)(product0 >> 32) ^ counter[3] ^ key[1];
    counter[0] = next0;
    counter[1] = (uint32_t)product1;
    counter[2] = next2;
    counter[3] = (uint32_t)product0;
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  for (int n = 0; n < 4; n++)
    out[n] = counter[n];
}

void pqf_normal_draws(uint64_t seed, uint32_t stream, int64_t first, int64_t count, float *out)
{
  const int64_t end = first + count;
  for (int64_t block = first / 4; block * 4 < end; block++) {
    uint32_t word[4];
    double normal[4];
    philox_block(seed, stream, (uint64_t)block, word);
    for (int pair = 0; pair < 4; pair += 2) {
      const double radius = sqrt(-2 * log(((double)word[pair] + 0.5) * 0x1p-32));
      const double angle = two_pi * (((double)word[pair + 1] + 0.5) * 0x1p-32);
      normal[pair] = radius * cos(angle);
      normal[pair + 1] = radius * sin(angle);
    }
    for (int64_t n = 0; n < 4; n++)
      if (block * 4 + n >= first && block * 4 + n < end)
        out[block * 4 + n - first] = (float)normal[n];
  }
}

void pqf_uniform_draws(uint64_t seed, uint32_t stream, int64_t first, int64_t count, double *out)
{
  const int64_t end = first + count;
  for (int64_t block = first / 2; block * 2 < end; block++) {
    uint32_t word[4];
    philox_block(seed, stream, (uint64_t)block, word);
    for (int64_t n = 0; n < 2; n++) {
      const uint64_t bits = (uint64_t)word[2 * n] << 32 | word[2 * n + 1];
      if (block * 2 + n >= first && block * 2 + n < end)
        out[block * 2 + n - first] = (double)(bits >> 11) * 0x1p-53;
    }
  }
}

void pqf_torch_seed(pqf_torch_generator *generator, uint64_t seed)
{
  uint32_t *state = generator->state;
  state[0] = (uint32_t)seed;
  for (uint32_t n = 1; n < 624; n++)
    state[n] = 1812433253u * (state[n - 1] ^ (state[n - 1] >> 30)) + n;
  generator->used = 624;
  generator->has_spare = 0;
  generator->spare = 0;
}

static uint32_t next_word(pqf_torch_generator *generator)
{
  uint32_t *state = generator->state;
  if (generator->used == 624) {
    for (int n = 0; n < 624; n++) {
      const uint32_t mixed = (state[n] & 0x80000000u) | (state[(n + 1) % 624] & 0x7fffffffu);
      state[n] = state[(n + 397) % 624] ^ (mixed >> 1) ^ ((mixed & 1u) ? 0x9908b0dfu : 0u);
    }
    generator->used = 0;
  }
  uint32_t word = state[generator->used++];
  word ^= word >> 11;
  word ^= (word << 7) & 0x9d2c5680u;
  word ^= (word << 15) & 0xefc60000u;
  return word ^ (word >> 18);
}

static float uniform_float(pqf_torch_generator *generator)
{
  return (float)(next_word(generator) & 0xffffffu) * 0x1p-24f;
}

static double uniform_double(pqf_torch_generator *generator)
{
  const uint64_t high = next_word(generator);
  const uint64_t low = next_word(generator);
  return (double)((high << 32 | low) & ((UINT64_C(1) << 53) - 1)) * 0x1p-53;
}

/* Sixteen uniforms become sixteen normals, in float as torch computes them. */
static void transform_block(float *value)
{
  for (int n = 0; n < 8; n++) {
    const float radius = sqrtf(-2.0f * logf(1.0f - value[n]));
    const float angle = (float)two_pi * value[n + 8];
    value[n] = radius * cosf(angle);
    value[n + 8] = radius * sinf(angle);
  }
}

/* From 16 values on: all uniforms first, then whole blocks of 16 in turn; if some are left over,
 * the last 16 elements are drawn again and transformed as one block. */
static void block_draws(pqf_torch_generator *generator, int64_t count, float *out)
{
  for (int64_t n = 0; n < count; n++)
    out[n] = uniform_float(generator);
  for (int64_t n = 0; n + 16 <= count; n += 16)
    transform_block(out + n);
  if (count % 16 != 0) {
    for (int64_t n = count - 16; n < count; n++)
      out[n] = uniform_float(generator);
    transform_block(out + count - 16);
  }
}

/* Fewer than 16: one by one in double; the second of each pair is kept for the next small draw,
 * also in a later call. */
static float small_draw(pqf_torch_generator *generator)
{
  if (generator->has_spare) {
    generator->has_spare = 0;
    return (float)generator->spare;
  }
  const double angle = two_pi * uniform_double(generator);
  const double radius = sqrt(-2 * log1p(-uniform_double(generator)));
  generator->spare = radius * sin(angle);
  generator->has_spare = 1;
  return (float)(radius * cos(angle));
}

void pqf_torch_randn(pqf_torch_generator *generator, int64_t count, float *out)
{
  if (count >= 16) {
    block_draws(generator, count, out);
    return;
  }
  for (int64_t n = 0; n < count; n++)
    out[n] = small_draw(generator);
}
