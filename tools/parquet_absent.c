/* What parquet.h promises, in a command that was built without Arrow. */
#include "parquet.h"

#ifndef PQF_HAVE_PARQUET

#include "failure.h"

static int fail(const char *path)
{
  return pqf_say(PQF_ENOTSUP,
                 "%s: Parquet files need Arrow's C++ library (arrow and parquet, or the Python "
                 "package pyarrow), which was not there when this command was built",
                 path);
}

int pqf_read_parquet_data(pqf_data **out, const char *path, const pqf_input_options *options)
{
  (void)options;
  *out = NULL;
  return fail(path);
}

int pqf_read_parquet(pqf_table *out, const char *path, const pqf_input_options *options)
{
  (void)out;
  (void)options;
  return fail(path);
}

int pqf_read_parquet_pairs(const char *path, const char *row, const char *col, pqf_take_pair take,
                           void *payload)
{
  (void)row;
  (void)col;
  (void)take;
  (void)payload;
  return fail(path);
}

static int open_absent(void **state, pqf_output *output, const pqf_sheet *sheet)
{
  (void)sheet;
  *state = NULL;
  return fail(output->path);
}

static int write_absent(void *state, const pqf_sheet_block *block)
{
  (void)state;
  (void)block;
  return PQF_ENOTSUP;
}

static int finish_absent(void *state)
{
  (void)state;
  return PQF_ENOTSUP;
}

static void close_absent(void *state)
{
  (void)state;
}

const pqf_writer pqf_parquet_writer = {open_absent, write_absent, finish_absent, close_absent};

#endif
