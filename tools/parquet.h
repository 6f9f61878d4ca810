/* Parquet files, read and written with Arrow's C++ library where the command was built with it;
 * everything here is C to its callers. Without Arrow each call fails with PQF_ENOTSUP and says
 * what is missing. */
#ifndef PQF_TOOLS_PARQUET_H
#define PQF_TOOLS_PARQUET_H

#include "input.h"
#include "writer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Reads a file as R by way of an Arrow stream, which the library imports. */
int pqf_read_parquet_data(pqf_data **out, const char *path, const pqf_input_options *options);

/* Reads a file as a table, numbered as pqf_read_parquet_data() would number it. */
int pqf_read_parquet(pqf_table *out, const char *path, const pqf_input_options *options);

/* Takes one pair of ids; `line` is counted from 1. A result other than PQF_OK ends the reading. */
typedef int (*pqf_take_pair)(void *payload, int64_t line, const pqf_id *row, const pqf_id *col);

/* Reads the ids of two columns: those named `row` and `col`, or the first two. */
int pqf_read_parquet_pairs(const char *path, const char *row, const char *col, pqf_take_pair take,
                           void *payload);

/* Writes a sheet; see writer.h. */
extern const pqf_writer pqf_parquet_writer;

#ifdef __cplusplus
}
#endif

#endif
