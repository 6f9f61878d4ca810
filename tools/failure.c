/* A command fails once and then ends, so one buffer of words is enough. */
#include "failure.h"

#include "../src/escape.h"
#include "memory_limit.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 1024, FIRST_CAPACITY = 64 };

static char words[WORDS];

int pqf_say(int status, const char *format, ...)
{
  char fresh[WORDS];
  va_list list;
  va_start(list, format);
  const int length = vsnprintf(fresh, sizeof fresh, format, list);
  va_end(list);
  pqf_escape(fresh, length >= WORDS, words, sizeof words);
  return status;
}

const char *pqf_said(void)
{
  return words;
}

void pqf_print_shown(const char *text, int width)
{
  char next[PQF_ESCAPED];
  int64_t left = (int64_t)strlen(text), used;
  printf("%*s", width > left ? (int)(width - left) : 0, "");
  for (; left > 0; text += used, left -= used) {
    (void)pqf_escape_next(text, left, next, &used);
    (void)fputs(next, stdout); /* main() looks for errors in the end */
  }
}

void *pqf_resize(void *memory, int64_t count, size_t size)
{
  size_t bytes;
  void *larger = NULL;
  if (count >= 0 && !__builtin_mul_overflow((size_t)count, size, &bytes)) {
    const size_t known = memory != NULL ? malloc_usable_size(memory) : 0;
    if (bytes > known && !pqf_memory_may_grow(bytes - known))
      return NULL;
    larger = realloc(memory, bytes > 0 ? bytes : 1);
  }
  if (larger == NULL)
    (void)pqf_say(0, "out of memory: %" PRId64 " x %zu bytes could not be had", count, size);
  return larger;
}

void *pqf_grow(void *memory, int64_t *capacity, int64_t needed, size_t size)
{
  if (needed <= *capacity && memory != NULL)
    return memory;
  int64_t larger = *capacity > 0 ? *capacity : FIRST_CAPACITY;
  while (larger < needed && larger <= INT64_MAX / 2)
    larger *= 2;
  void *moved = pqf_resize(memory, larger >= needed ? larger : needed, size);
  if (moved != NULL)
    *capacity = larger >= needed ? larger : needed;
  return moved;
}
