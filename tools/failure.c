/* A command fails once and then ends, so one buffer of words is enough. */
#include "failure.h"

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
  (void)vsnprintf(fresh, sizeof fresh, format, list);
  va_end(list);
  memcpy(words, fresh, sizeof words);
  return status;
}

const char *pqf_said(void)
{
  return words;
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
