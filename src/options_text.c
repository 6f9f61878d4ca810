/* Options as text: set from it, written as it. What one writes the other reads, to the bit. */
#include "option_table.h"

#include "error.h"
#include "model.h"
#include "number_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST_NAME = 63 }; /* of an unknown option; the rest of a longer one is not compared */

/* The least number of letters to insert, drop or change that makes `a` of `b` (Levenshtein), one
 * row of the table at a time: cost[j] is the distance of the first i letters of `a` from the first
 * j of `b`. */
static size_t edit_distance(const char *a, const char *b)
{
  const size_t a_length = strnlen(a, LONGEST_NAME);
  const size_t b_length = strnlen(b, LONGEST_NAME);
  size_t cost[LONGEST_NAME + 1];
  for (size_t j = 0; j <= b_length; ++j)
    cost[j] = j;
  for (size_t i = 1; i <= a_length; ++i) {
    size_t diagonal = cost[0];
    cost[0] = i;
    for (size_t j = 1; j <= b_length; ++j) {
      const size_t changed = diagonal + (a[i - 1] != b[j - 1]);
      const size_t shorter = (cost[j] < cost[j - 1] ? cost[j] : cost[j - 1]) + 1;
      diagonal = cost[j];
      cost[j] = changed < shorter ? changed : shorter;
    }
  }
  return cost[b_length];
}

static int unknown_option(const char *name)
{
  const char *nearest = NULL;
  size_t least = SIZE_MAX;
  for (int32_t n = 0; n < pqf_option_count(); ++n) {
    const char *known = pqf_option_row_of(n)->name;
    const size_t distance = edit_distance(name, known);
    if (distance < least) {
      least = distance;
      nearest = known;
    }
  }
  return pqf_fail(PQF_EINVAL, "unknown option '%.100s': did you mean '%s'?", name, nearest);
}

/* The place of a word in "one|two|three"; -1: it is none of them. */
static int32_t place_of_word(const char *words, const char *word)
{
  const size_t length = strlen(word);
  int32_t place = 0;
  for (const char *at = words;; ++place) {
    const size_t here = strcspn(at, "|");
    if (here == length && memcmp(at, word, length) == 0)
      return place;
    if (at[here] == '\0')
      return -1;
    at += here + 1;
  }
}

static int read_integer(const pqf_option_row *row, const char *value, void *member)
{
  int64_t integer = 0;
  uint64_t natural = 0;
  const int read = row->member == PQF_MEMBER_UINT64 ? pqf_unsigned_parse(value, &natural)
                                                    : pqf_integer_parse(value, &integer);
  if (!read)
    return pqf_option_refuse(row, value, "'");
  if (row->member == PQF_MEMBER_UINT64) {
    memcpy(member, &natural, sizeof natural);
  } else if (row->member == PQF_MEMBER_INT64) {
    memcpy(member, &integer, sizeof integer);
  } else {
    if (integer < INT32_MIN || integer > INT32_MAX)
      return pqf_option_refuse(row, value, "");
    const int32_t narrow = (int32_t)integer;
    memcpy(member, &narrow, sizeof narrow);
  }
  return PQF_OK;
}

/* Reads `value` into the row's member of `options`, without checking its range. */
static int read_member(const pqf_option_row *row, const char *value, pqf_options *options)
{
  char *member = (char *)options + row->offset;
  switch (row->type) {
  case PQF_TYPE_INTEGER:
    return read_integer(row, value, member);
  case PQF_TYPE_NUMBER: {
    double number;
    if (!pqf_number_parse(value, &number))
      return pqf_option_refuse(row, value, "'");
    memcpy(member, &number, sizeof number);
    return PQF_OK;
  }
  case PQF_TYPE_WORD: {
    const int32_t place = place_of_word(row->words, value);
    if (place < 0)
      return pqf_option_refuse(row, value, "'");
    memcpy(member, &place, sizeof place);
    return PQF_OK;
  }
  default:
    memcpy(member, &value, sizeof value);
    return PQF_OK;
  }
}

int pqf_options_set(pqf_options *options, const char *name, const char *value)
{
  size_t size;
  int status = pqf_sized_check(&size, PQF_OPTIONS_FIRST_SIZE, options, "options");
  if (status != PQF_OK)
    return status;
  if (name == NULL || value == NULL)
    return pqf_fail(PQF_EINVAL, "the %s of an option is NULL", name == NULL ? "name" : "value");
  const int32_t index = pqf_option_find(name);
  if (index < 0)
    return unknown_option(name);
  const pqf_option_row *row = pqf_option_row_of(index);
  const size_t end = pqf_option_end(row);
  if (end > size)
    return pqf_fail(PQF_EINVAL, "%s: not in an options struct of %zu bytes", name, size);

  pqf_options scratch = PQF_OPTIONS_INIT; /* `options` may be shorter, and keeps its old value */
  status = read_member(row, value, &scratch);
  if (status == PQF_OK)
    status = pqf_option_check(row, &scratch);
  if (status == PQF_OK)
    memcpy((char *)options + row->offset, (const char *)&scratch + row->offset, end - row->offset);
  return status;
}

int pqf_option_text(const pqf_options *options, int32_t index, char *out, size_t capacity)
{
  const pqf_option_row *row = pqf_option_row_of(index);
  const char *at = (const char *)options + row->offset;
  switch (row->member) {
  case PQF_MEMBER_INT32: {
    int32_t value;
    memcpy(&value, at, sizeof value);
    if (row->type != PQF_TYPE_WORD)
      return snprintf(out, capacity, "%" PRId32, value);
    const char *word = row->words;
    for (; value > 0; --value)
      word = strchr(word, '|') + 1;
    return snprintf(out, capacity, "%.*s", (int)strcspn(word, "|"), word);
  }
  case PQF_MEMBER_INT64: {
    int64_t value;
    memcpy(&value, at, sizeof value);
    return snprintf(out, capacity, "%" PRId64, value);
  }
  case PQF_MEMBER_UINT64: {
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return snprintf(out, capacity, "%" PRIu64, value);
  }
  case PQF_MEMBER_DOUBLE: {
    char number[PQF_NUMBER_TEXT];
    double value;
    memcpy(&value, at, sizeof value);
    pqf_number_print(value, number);
    return snprintf(out, capacity, "%s", number);
  }
  case PQF_MEMBER_TEXT: {
    const char *text;
    memcpy(&text, at, sizeof text);
    return snprintf(out, capacity, "%s", text != NULL ? text : row->default_value);
  }
  }
  return 0;
}

int pqf_model_option(const pqf_model *model, const char *name, char *out, size_t capacity)
{
  if (model == NULL || name == NULL || out == NULL)
    return pqf_fail(PQF_EINVAL, "pqf_model_option: %s is NULL",
                    model == NULL  ? "the model"
                    : name == NULL ? "the name"
                                   : "the buffer");
  const int32_t index = pqf_option_find(name);
  if (index < 0)
    return unknown_option(name);
  const int length = pqf_option_text(&model->options, index, out, capacity);
  if (length < 0 || (size_t)length >= capacity)
    return pqf_fail(PQF_EINVAL, "%s: a buffer of %zu bytes is too small: %d are needed", name,
                    capacity, length + 1);
  return PQF_OK;
}
