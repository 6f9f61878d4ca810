#include "utf8.h"

int64_t pqf_utf8_fault(const char *bytes, int64_t length)
{
  for (int64_t n = 0; n < length;) {
    const int64_t step = pqf_utf8_sequence(bytes + n, length - n);
    if (step == 0)
      return n;
    n += step;
  }
  return -1;
}
