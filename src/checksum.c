/* XXH64 with seed 0, from its published specification (XXH64 algorithm description, Yann Collet):
 * any xxHash package gives the same digits.
 *
 * All arithmetic is modulo 2^64; <<< rotates. The bytes are taken in stripes of four 64-bit lanes,
 * each lane with an accumulator of its own:
 *     round(a, x) = ((a + x P2) <<< 31) P1
 * At the end the four are folded into one (or P5 stands in where there was no whole stripe), the
 * length is added, the bytes that are left over are mixed in by eight, four and one, and the bits
 * are stirred once more. */
#include "checksum.h"

#include <string.h>

static const uint64_t P1 = 0x9e3779b185ebca87u;
static const uint64_t P2 = 0xc2b2ae3d27d4eb4fu;
static const uint64_t P3 = 0x165667b19e3779f9u;
static const uint64_t P4 = 0x85ebca77c2b2ae63u;
static const uint64_t P5 = 0x27d4eb2f165667c5u;

enum { STRIPE = 32 };

static uint64_t rotate(uint64_t value, int bits)
{
  return value << bits | value >> (64 - bits);
}

static uint64_t mix_round(uint64_t accumulator, uint64_t lane)
{
  return rotate(accumulator + lane * P2, 31) * P1;
}

static uint64_t read_64(const unsigned char *bytes)
{
  uint64_t value;
  memcpy(&value, bytes, sizeof value);
  return value;
}

void pqf_checksum_start(pqf_checksum *sum)
{
  memset(sum, 0, sizeof *sum);
  sum->lane[0] = P1 + P2;
  sum->lane[1] = P2;
  sum->lane[3] = 0 - P1;
}

static void add_stripe(uint64_t lane[4], const unsigned char *bytes)
{
  for (int n = 0; n < 4; ++n)
    lane[n] = mix_round(lane[n], read_64(bytes + 8 * n));
}

void pqf_checksum_add(pqf_checksum *sum, const void *bytes, size_t count)
{
  const unsigned char *at = bytes;
  const size_t waiting = sum->length % STRIPE;
  sum->length += count;
  if (waiting + count < STRIPE) {
    if (count > 0)
      memcpy(sum->pending + waiting, at, count);
    return;
  }
  if (waiting > 0) {
    const size_t missing = STRIPE - waiting;
    memcpy(sum->pending + waiting, at, missing);
    add_stripe(sum->lane, sum->pending);
    at += missing;
    count -= missing;
  }
  for (; count >= STRIPE; at += STRIPE, count -= STRIPE)
    add_stripe(sum->lane, at);
  memcpy(sum->pending, at, count);
}

static uint64_t fold_lanes(const uint64_t lane[4])
{
  uint64_t value =
      rotate(lane[0], 1) + rotate(lane[1], 7) + rotate(lane[2], 12) + rotate(lane[3], 18);
  for (int n = 0; n < 4; ++n)
    value = (value ^ mix_round(0, lane[n])) * P1 + P4;
  return value;
}

static uint64_t finish(const pqf_checksum *sum)
{
  uint64_t value = (sum->length >= STRIPE ? fold_lanes(sum->lane) : P5) + sum->length;
  const unsigned char *at = sum->pending;
  size_t left = sum->length % STRIPE;
  for (; left >= 8; at += 8, left -= 8)
    value = rotate(value ^ mix_round(0, read_64(at)), 27) * P1 + P4;
  if (left >= 4) {
    uint32_t word;
    memcpy(&word, at, sizeof word);
    value = rotate(value ^ word * P1, 23) * P2 + P3;
    at += 4;
    left -= 4;
  }
  for (; left > 0; ++at, --left)
    value = rotate(value ^ *at * P5, 11) * P1;
  value = (value ^ value >> 33) * P2;
  value = (value ^ value >> 29) * P3;
  return value ^ value >> 32;
}

void pqf_checksum_digits(const pqf_checksum *sum, char out[PQF_CHECKSUM_DIGITS])
{
  const uint64_t value = finish(sum);
  for (int n = 0; n < PQF_CHECKSUM_DIGITS; ++n)
    out[n] = "0123456789abcdef"[value >> (60 - 4 * n) & 15];
}
