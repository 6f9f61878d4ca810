/* Matrix Market. */
#include "fuzz_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  pqf_table table = {0};
  check_table(&table, pqf_read_matrix_market(&table, file_of(bytes, size)), 0);
  return 0;
}
