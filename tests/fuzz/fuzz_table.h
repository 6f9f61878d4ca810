/* Any bytes as a file of one text format: refused with words, or a table that holds what it says,
 * from which R is built or refused. */
#ifndef PQF_TESTS_FUZZ_TABLE_H
#define PQF_TESTS_FUZZ_TABLE_H

#include "../../tools/failure.h"
#include "../../tools/input.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(int condition, const char *what)
{
  if (!condition) {
    fprintf(stderr, "%s: %s\n", what, pqf_said());
    abort();
  }
}

/* The path of a file in memory with these bytes. */
static const char *file_of(const uint8_t *bytes, size_t size)
{
  static char path[64];
  static int file = -1;
  if (file < 0) {
    file = memfd_create("table", 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  }
  require(file >= 0 && ftruncate(file, 0) == 0 && pwrite(file, bytes, size, 0) == (ssize_t)size,
          "writing the input");
  return path;
}

static void build(pqf_table *table, int nan_is_absent)
{
  pqf_data *data = NULL;
  const int64_t rows = table->rows, cols = table->cols;
  const int64_t most = table->values != NULL ? rows * cols : table->count;
  const pqf_input_options options = {.nan_is_absent = nan_is_absent};
  const int built = pqf_table_data(&data, table, &options, "table");
  require((data != NULL) == (built == PQF_OK), "data or a failure");
  if (built == PQF_OK)
    require(pqf_data_rows(data) == rows && pqf_data_cols(data) == cols &&
                pqf_data_count(data) >= 0 && pqf_data_count(data) <= most,
            "the shape of the data");
  pqf_data_free(data);
}

/* What a reader made of the file. R is not built of shapes that are far beyond what the file holds:
 * a sparse matrix may well have two thousand million empty rows, but that takes memory. */
static void check_table(pqf_table *table, int status, int nan_is_absent)
{
  const int64_t large = 1 << 16;
  if (status != PQF_OK) {
    require(pqf_said()[0] != '\0', "words of a failure");
  } else {
    require(table->rows > 0 && table->cols > 0, "a shape");
    for (int64_t n = 0; n < table->count; ++n)
      require(table->row[n] >= 0 && table->row[n] < table->rows && table->col[n] >= 0 &&
                  table->col[n] < table->cols,
              "a cell within the shape");
    if (table->rows <= large && table->cols <= large)
      build(table, nan_is_absent);
  }
  pqf_table_clear(table);
}

#endif
