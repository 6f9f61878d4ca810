/* CSV: the first byte chooses the flags, the rest is the file. */
#include "fuzz_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  if (size == 0)
    return 0;
  const int flags = bytes[0];
  const pqf_input_options options = {.layout = flags % 3,
                                     .header = flags / 3 % 3,
                                     .index = flags / 9 % 3,
                                     .nan_is_absent = flags / 27 % 2,
                                     .row = flags / 54 % 2 ? "user" : NULL,
                                     .time = flags / 108 % 2 ? "4" : NULL};
  pqf_table table = {0};
  const int status = pqf_read_csv(&table, file_of(bytes + 1, size - 1), &options);
  check_table(&table, status, options.nan_is_absent);
  return 0;
}
