/* Whether bytes are UTF-8, after RFC 3629, section 4. A sequence is well formed when its second
 * byte lies in a range that its first byte sets and any further byte in 80..BF:
 *
 *     first    second   bytes   keeps out
 *     01..7F            1       NUL
 *     C2..DF   80..BF   2       C0, C1: overlong forms
 *     E0       A0..BF   3       overlong forms
 *     E1..EF   80..BF   3
 *     ED       80..9F   3       the surrogates D800..DFFF
 *     F0       90..BF   4       overlong forms
 *     F1..F3   80..BF   4
 *     F4       80..8F   4       what is above 10FFFF
 */
#ifndef PQF_SRC_UTF8_H
#define PQF_SRC_UTF8_H

#include <stdint.h>

/* Bytes of the well-formed sequence at the start of `text`, of which there is at least one byte; 0:
 * it is not well formed. */
static inline int64_t pqf_utf8_sequence(const char *text, int64_t left)
{
  const unsigned char *bytes = (const unsigned char *)text;
  const unsigned char first = bytes[0];
  if (first >= 0x01 && first <= 0x7f)
    return 1;
  if (first < 0xc2 || first > 0xf4)
    return 0;
  const int64_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  const unsigned char least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const unsigned char most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (length > left || bytes[1] < least || bytes[1] > most)
    return 0;
  for (int64_t n = 2; n < length; n++) {
    if (bytes[n] < 0x80 || bytes[n] > 0xbf)
      return 0;
  }
  return length;
}

/* The place of the first byte that is not part of well-formed UTF-8, or that is NUL: ids come back
 * as C strings. -1: there is none. */
int64_t pqf_utf8_fault(const char *bytes, int64_t length);

#endif
