/* NumPy's .npy. */
#include "fuzz_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  pqf_table table = {0};
  check_table(&table, pqf_read_npy(&table, file_of(bytes, size)), 1);
  return 0;
}
