/* The allocator: overflow-checked, aligned to 64 bytes for the vector units, huge pages under large
 * blocks (their first touch is many times faster and the sparse kernels miss the TLB less), and a
 * hook that lets a test make any one allocation fail. */
#include "memory.h"

#include "error.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGNMENT = 64, HUGE_PAGE = 2 << 20 };

int (*pqf_allocation_hook)(void) = NULL;

void *pqf_allocate(int64_t count, size_t size)
{
  size_t bytes;
  if (count < 0 || __builtin_mul_overflow((size_t)count, size, &bytes) ||
      bytes > PTRDIFF_MAX - HUGE_PAGE) {
    pqf_fail(PQF_ENOMEM, "out of memory: %" PRId64 " x %zu bytes cannot be addressed", count, size);
    return NULL;
  }
  const int large = bytes >= 2 * (size_t)HUGE_PAGE;
  void *memory = NULL;
  if ((pqf_allocation_hook != NULL && pqf_allocation_hook() != 0) ||
      posix_memalign(&memory, large ? HUGE_PAGE : ALIGNMENT, bytes > 0 ? bytes : 1) != 0) {
    pqf_fail(PQF_ENOMEM, "out of memory: %zu bytes could not be had", bytes);
    return NULL;
  }
  if (large)
    (void)madvise(memory, bytes, MADV_HUGEPAGE);
  return memory;
}

void *pqf_allocate_zeroed(int64_t count, size_t size)
{
  void *memory = pqf_allocate(count, size);
  if (memory != NULL)
    memset(memory, 0, (size_t)count * size);
  return memory;
}

void *pqf_reallocate(void *memory, size_t keep, int64_t count, size_t size)
{
  void *larger = pqf_allocate(count, size);
  if (larger != NULL) {
    if (keep > 0)
      memcpy(larger, memory, keep);
    pqf_release(memory);
  }
  return larger;
}

char *pqf_copy_text(const char *text)
{
  if (text == NULL)
    return NULL;
  const size_t bytes = strlen(text) + 1;
  char *copy = pqf_allocate((int64_t)bytes, 1);
  if (copy != NULL)
    memcpy(copy, text, bytes);
  return copy;
}

void pqf_release(void *memory)
{
  free(memory);
}
