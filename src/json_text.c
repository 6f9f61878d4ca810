/* JSON by jansson, made safe for want of memory.
 *
 * jansson (2.14) collects each token in a buffer that is kept from token to token and grows when
 * one needs more. Where it cannot grow the byte is dropped without a word: a text then reads as
 * another one, and where the byte was a closing quote, jansson looks for that beyond the buffer. So
 * it is given
 *     ["          ", TEXT]
 * with a first text longer than any token of TEXT: when that has been read, the buffer never needs
 * to grow again. Up to its end the bytes are handed over one by one, and errno tells between two
 * whether memory has run out. Its length is no power of two less one or two, at which a buffer
 * that doubles would have to grow for the closing quote. */
#include "json_text.h"

#include "pqf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What jansson is given, and how far it has read. */
typedef struct feed {
  const char *text;
  size_t length;
  size_t blanks;
  size_t at;
} feed;

enum { BEFORE = 4 /* bytes that come before TEXT beside the blanks: [ " " , */ };

static size_t longest_token(const char *text, size_t length)
{
  size_t longest = 0;
  size_t begin = 0; /* of the token at hand */
  int quoted = 0;
  for (size_t n = 0; n < length; ++n) {
    if (quoted && text[n] == '\\') {
      ++n; /* what follows ends no text */
      continue;
    }
    if (text[n] == '"') {
      begin = quoted ? begin : n;
      quoted = !quoted;
    } else if (!quoted && strchr(" \t\n\r,:[]{}", text[n]) != NULL) {
      begin = n + 1;
    }
    if (n + 1 - begin > longest)
      longest = n + 1 - begin;
  }
  return longest;
}

/* The next byte of those before TEXT. */
static char byte_before(const feed *from)
{
  if (from->at == 0)
    return '[';
  if (from->at == 1 || from->at == from->blanks + 2)
    return '"';
  return from->at == from->blanks + 3 ? ',' : ' ';
}

/* For jansson: some of what is left; 0: nothing. */
static size_t give(void *buffer, size_t capacity, void *payload)
{
  feed *from = payload;
  const size_t before = from->blanks + BEFORE;
  const size_t end = before + from->length;
  char *out = buffer;
  size_t count = 1;
  if (from->at > end || (from->at < before && errno == ENOMEM))
    return 0;
  if (from->at < before) {
    *out = byte_before(from);
  } else if (from->at == end) {
    *out = ']';
  } else {
    count = end - from->at < capacity ? end - from->at : capacity;
    memcpy(out, from->text + (from->at - before), count);
  }
  from->at += count;
  return count;
}

int pqf_json_parse(json_t **out, const char *text, size_t length, json_error_t *error)
{
  feed from = {.text = text, .length = length, .blanks = 16};
  const size_t longest = longest_token(text, length);
  while (from.blanks < longest)
    from.blanks *= 2;
  from.blanks += 8;
  *out = NULL;
  errno = 0;
  json_t *array = json_load_callback(give, &from, JSON_REJECT_DUPLICATES, error);
  if (array == NULL) {
    const enum json_error_code code = json_error_code(error);
    error->position -= (int)(from.blanks + BEFORE);
    /* Not all that fails for want of memory gets a code or a text. */
    return errno == ENOMEM || code == json_error_out_of_memory || error->text[0] == '\0'
               ? PQF_ENOMEM
               : PQF_EFORMAT;
  }
  if (json_array_size(array) == 2)
    *out = json_incref(json_array_get(array, 1));
  else
    snprintf(error->text, sizeof error->text, "there is more than one value");
  json_decref(array);
  return *out != NULL ? PQF_OK : PQF_EFORMAT;
}
