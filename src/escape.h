/* Text from files as it may be shown. Names of columns, ids and paths may hold anything: sequences
 * that a terminal obeys, bytes that are no UTF-8, characters that turn the direction of what
 * follows. Each of those is shown as a number:
 *
 *     00..1F, 7F                          \x1b
 *     a byte that is no UTF-8             \xff
 *     U+0080..9F                          \u009b      control characters too
 *     U+061C, 200E, 200F, 202A..2E,
 *     2066..69                            \u202e      directions
 *     U+2028, 2029                        \u2028      ends of lines
 *
 * What has been escaped is not changed by escaping it again. This file and utf8.h stand alone: the
 * command includes them too. */
#ifndef PQF_SRC_ESCAPE_H
#define PQF_SRC_ESCAPE_H

#include "utf8.h"

#include <stdio.h>
#include <string.h>

enum { PQF_ESCAPED = 8 }; /* bytes of the longest, with its NUL */

/* The code point of a sequence of two or three bytes; 0 for one of another length. */
static inline unsigned int pqf_escape_point(const char *text, int64_t length)
{
  const unsigned char *bytes = (const unsigned char *)text;
  if (length == 2)
    return (bytes[0] & 0x1fu) << 6 | (bytes[1] & 0x3fu);
  if (length == 3)
    return (bytes[0] & 0x0fu) << 12 | (bytes[1] & 0x3fu) << 6 | (bytes[2] & 0x3fu);
  return 0;
}

/* Writes the first character of `text`, of which there is at least one byte, as it may be shown,
 * and NUL. Gives the bytes written; `*used` is how many it took. */
static inline size_t pqf_escape_next(const char *text, int64_t left, char out[PQF_ESCAPED],
                                     int64_t *used)
{
  const int64_t length = pqf_utf8_sequence(text, left);
  const unsigned int point = pqf_escape_point(text, length);
  const unsigned char first = (unsigned char)*text;
  *used = length > 0 ? length : 1;
  if (length == 0 || first < 0x20 || first == 0x7f)
    return (size_t)snprintf(out, PQF_ESCAPED, "\\x%02x", first);
  if ((point >= 0x80 && point <= 0x9f) || point == 0x61c || point == 0x200e || point == 0x200f ||
      (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069))
    return (size_t)snprintf(out, PQF_ESCAPED, "\\u%04x", point);
  memcpy(out, text, (size_t)length);
  out[length] = '\0';
  return (size_t)length;
}

/* Escapes a text, cut at whole characters where `capacity` bytes do not hold it with its NUL. With
 * `is_cut` it has been cut before, perhaps within its last character, which is then left out. */
static inline void pqf_escape(const char *text, int is_cut, char *out, size_t capacity)
{
  char next[PQF_ESCAPED];
  int64_t left = (int64_t)strlen(text), used;
  size_t filled = 0;
  for (; left > 0; text += used, left -= used) {
    const size_t length = pqf_escape_next(text, left, next, &used);
    const unsigned char first = (unsigned char)*text;
    const int begins = first >= 0xc2 && first <= 0xf4;
    if (filled + length >= capacity || (is_cut && begins && left < 4 && *next == '\\' && used == 1))
      break;
    memcpy(out + filled, next, length);
    filled += length;
  }
  out[filled] = '\0';
}

#endif
