/* Hashes for the open-addressing indices of ids: SipHash-1-3 (Aumasson, Bernstein 2012), keyed.
 *
 * Ids come from files that anybody may have written. With a hash that is known beforehand one can
 * write a file whose ids all fall into the same slots, and finding each then takes a walk over all
 * others. So each index draws a key of its own. What is found does not depend on it, nor does any
 * order: an index only ever answers where an id is.
 *
 * This file stands alone: the command includes it too. */
#ifndef PQF_SRC_HASH_H
#define PQF_SRC_HASH_H

#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

typedef struct pqf_hash_key {
  uint64_t low;
  uint64_t high;
} pqf_hash_key;

/* From the kernel. Where it gives none (a sandbox that forbids it, the first moments of a boot) the
 * clock and the place of the stack are what others know least of. */
static inline pqf_hash_key pqf_hash_new_key(void)
{
  pqf_hash_key key = {0, 0};
  if (getrandom(&key, sizeof key, GRND_NONBLOCK) != (ssize_t)sizeof key) {
    struct timespec now = {0, 0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    key.low = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
    key.high = (uint64_t)(uintptr_t)&key;
  }
  return key;
}

typedef struct pqf_hash_state {
  uint64_t v0, v1, v2, v3;
} pqf_hash_state;

static inline uint64_t pqf_hash_rotate(uint64_t x, int bits)
{
  return x << bits | x >> (64 - bits);
}

static inline void pqf_hash_round(pqf_hash_state *s)
{
  s->v0 += s->v1;
  s->v1 = pqf_hash_rotate(s->v1, 13) ^ s->v0;
  s->v0 = pqf_hash_rotate(s->v0, 32);
  s->v2 += s->v3;
  s->v3 = pqf_hash_rotate(s->v3, 16) ^ s->v2;
  s->v0 += s->v3;
  s->v3 = pqf_hash_rotate(s->v3, 21) ^ s->v0;
  s->v2 += s->v1;
  s->v1 = pqf_hash_rotate(s->v1, 17) ^ s->v2;
  s->v2 = pqf_hash_rotate(s->v2, 32);
}

static inline void pqf_hash_absorb(pqf_hash_state *s, uint64_t word)
{
  s->v3 ^= word;
  pqf_hash_round(s);
  s->v0 ^= word;
}

static inline pqf_hash_state pqf_hash_begin(pqf_hash_key key)
{
  const pqf_hash_state s = {
      key.low ^ UINT64_C(0x736f6d6570736575), key.high ^ UINT64_C(0x646f72616e646f6d),
      key.low ^ UINT64_C(0x6c7967656e657261), key.high ^ UINT64_C(0x7465646279746573)};
  return s;
}

/* `last`: the bytes left over, the length of all in the highest byte. */
static inline uint64_t pqf_hash_end(pqf_hash_state *s, uint64_t last)
{
  pqf_hash_absorb(s, last);
  s->v2 ^= 0xff;
  pqf_hash_round(s);
  pqf_hash_round(s);
  pqf_hash_round(s);
  return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/* As the number's eight bytes, lowest first. */
static inline uint64_t pqf_hash_number(pqf_hash_key key, uint64_t number)
{
  pqf_hash_state s = pqf_hash_begin(key);
  pqf_hash_absorb(&s, number);
  return pqf_hash_end(&s, UINT64_C(8) << 56);
}

/* Words are taken as the machine has them, so a big-endian one gets another hash. */
static inline uint64_t pqf_hash_bytes(pqf_hash_key key, const char *bytes, int64_t length)
{
  pqf_hash_state s = pqf_hash_begin(key);
  uint64_t word = 0;
  int64_t n = 0;
  for (; length - n >= 8; n += 8) {
    memcpy(&word, bytes + n, 8);
    pqf_hash_absorb(&s, word);
  }
  word = (uint64_t)length << 56;
  for (int shift = 0; n < length; n++, shift += 8)
    word |= (uint64_t)(unsigned char)bytes[n] << shift;
  return pqf_hash_end(&s, word);
}

/* Slots, a power of two, that keep an index of `count` entries at most two thirds full. */
static inline int64_t pqf_hash_slots(int64_t count)
{
  int64_t slots = 8;
  while (slots < count + count / 2)
    slots *= 2;
  return slots;
}

#endif
