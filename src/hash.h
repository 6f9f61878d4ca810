/* Hashes for the open-addressing indices of ids. */
#ifndef PQF_SRC_HASH_H
#define PQF_SRC_HASH_H

#include <stdint.h>
#include <string.h>

/* The finaliser of the splitmix64 generator (Steele, Lea, Flood 2014): a bijection in which every
 * bit of the input reaches every bit of the output. */
static inline uint64_t pqf_hash_number(uint64_t x)
{
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/* Eight bytes at a time; the length keeps texts apart that differ in trailing zeros. */
static inline uint64_t pqf_hash_bytes(const char *bytes, int64_t length)
{
  uint64_t hash = (uint64_t)length * 0x9e3779b97f4a7c15u;
  for (int64_t n = 0; n < length; n += 8) {
    uint64_t word = 0;
    memcpy(&word, bytes + n, length - n < 8 ? (size_t)(length - n) : 8);
    hash = pqf_hash_number(hash ^ word) + 0x9e3779b97f4a7c15u;
  }
  return hash;
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
