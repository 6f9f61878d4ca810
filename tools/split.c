/* `pqf split`: the cells of a file in two files, one to train on and one to test with. */
#include "arguments.h"
#include "cells.h"
#include "failure.h"
#include "output.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int read_method(const pqf_arguments *arguments, int32_t *out)
{
  static const char *const words[] = {
      [PQF_SPLIT_RANDOM] = "random", [PQF_SPLIT_LAST] = "last", [PQF_SPLIT_ROWS] = "rows"};
  const char *method = pqf_argument(arguments, "method");
  for (int32_t n = 0; n < 3 && method != NULL; ++n)
    if (strcmp(method, words[n]) == 0) {
      *out = n;
      return PQF_EXIT_DONE;
    }
  return method == NULL
             ? PQF_EXIT_DONE
             : pqf_usage(arguments, "--method is random, last or rows, not \"%s\"", method);
}

static int read_options(const pqf_arguments *arguments, pqf_split_options *out)
{
  int64_t fold = out->fold, seed = 0;
  int code = read_method(arguments, &out->method);
  if (code == PQF_EXIT_DONE)
    code = pqf_argument_number(arguments, "fraction", &out->fraction);
  if (code == PQF_EXIT_DONE)
    code = pqf_argument_integer(arguments, "last", 1, &out->last);
  if (code == PQF_EXIT_DONE)
    code = pqf_argument_integer(arguments, "fold", 0, &fold);
  if (code == PQF_EXIT_DONE)
    code = pqf_argument_integer(arguments, "seed", 0, &seed);
  if (code != PQF_EXIT_DONE)
    return code;
  out->fold = fold <= INT32_MAX ? (int32_t)fold : INT32_MAX;
  out->seed = (uint64_t)seed;
  if (!(out->fraction >= 0 && out->fraction <= 1))
    return pqf_usage(arguments, "--fraction is from 0 to 1");
  const bool by_time = out->method == PQF_SPLIT_LAST;
  static const char *const drawn[] = {"fraction", "fold", "seed"};
  for (size_t n = 0; n < sizeof drawn / sizeof drawn[0] && by_time; ++n)
    if (pqf_argument(arguments, drawn[n]) != NULL)
      return pqf_usage(arguments, "--%s is for --method random and rows", drawn[n]);
  if (!by_time && pqf_argument(arguments, "last") != NULL)
    return pqf_usage(arguments, "--last is for --method last");
  if (by_time && pqf_argument(arguments, "time") == NULL)
    return pqf_usage(arguments, "--method last needs --time COLUMN");
  return PQF_EXIT_DONE;
}

static int split(const pqf_arguments *arguments, const pqf_input_options *input,
                 const pqf_split_options *options, pqf_table *table, uint8_t **marks)
{
  const char *path = arguments->operand;
  int status = pqf_input_table(table, path, input);
  if (status == PQF_OK)
    status = pqf_table_list(table, input->nan_is_absent, path);
  if (status == PQF_OK && input->time != NULL && !table->timed)
    status = pqf_say(PQF_EINVAL, "%s: there are no times in a file of this format", path);
  if (status != PQF_OK)
    return status;
  *marks = pqf_resize(NULL, table->count, 1);
  if (*marks == NULL)
    return PQF_ENOMEM;
  const double *times = options->method == PQF_SPLIT_LAST ? table->time : NULL;
  if (pqf_split(table->rows, table->count, table->row, times, options, *marks) != PQF_OK)
    return pqf_say(PQF_EINVAL, "%s: %s", path, pqf_error_message());
  return PQF_OK;
}

static int run(const pqf_arguments *arguments)
{
  const char *train = pqf_argument(arguments, "output-train");
  const char *test = pqf_argument(arguments, "output-test");
  pqf_split_options options = PQF_SPLIT_OPTIONS_INIT;
  pqf_input_options input;
  pqf_table table = {0};
  uint8_t *marks = NULL;
  if (train == NULL || test == NULL)
    return pqf_usage(arguments, "--output-%s FILE is missing", train == NULL ? "train" : "test");
  if (read_options(arguments, &options) != PQF_EXIT_DONE ||
      pqf_arguments_input(arguments, &input) != PQF_EXIT_DONE)
    return PQF_EXIT_USAGE;
  if (!pqf_cells_writable(train) || !pqf_cells_writable(test))
    return pqf_usage(arguments, "%s", pqf_said());
  int status = pqf_output_check(train);
  if (status == PQF_OK)
    status = pqf_output_check(test);
  if (status == PQF_OK)
    status = split(arguments, &input, &options, &table, &marks);
  if (status == PQF_OK)
    status = pqf_write_cells(&table, marks, 0, train);
  if (status == PQF_OK)
    status = pqf_write_cells(&table, marks, 1, test);
  int64_t held_out = 0;
  for (int64_t n = 0; n < table.count && status == PQF_OK; ++n)
    held_out += marks[n];
  if (status == PQF_OK && strcmp(train, "-") != 0 && strcmp(test, "-") != 0)
    printf("%" PRId64 " cells to train on, %" PRId64 " to test with\n", table.count - held_out,
           held_out);
  free(marks);
  pqf_table_clear(&table);
  return status == PQF_OK ? PQF_EXIT_DONE : PQF_EXIT_FAILED;
}

static const pqf_flag flags[] = {
    {"output-train", "FILE",
     "Where the cells to train on go: .csv, .csv.gz, .mtx or .parquet; - is standard output.",
     PQF_WRITTEN},
    {"output-test", "FILE", "Where the cells held out go; likewise.", PQF_WRITTEN},
    {"method", "random|last|rows",
     "Which cells are held out: some at random, the last of each row by time, or those of whole "
     "rows. Default: random",
     PQF_PLAIN},
    {"fraction", "X", "The share of the cells, or of the rows, that is held out. Default: 0.1",
     PQF_PLAIN},
    {"fold", "N",
     "Which of the disjoint held-out sets of a seed, from 0 to 1 / fraction - 1. Default: 0",
     PQF_PLAIN},
    {"seed", "N", "The seed of what is drawn. Default: 0", PQF_PLAIN},
    {"last", "N", "Cells held out of each row that has more of them. Default: 1", PQF_PLAIN},
    {"time", "COLUMN",
     "The column of times of a long table, by its name or its place, counted from 1; it is kept.",
     PQF_PLAIN},
    PQF_READING_FLAGS,
    PQF_MEMORY_FLAG,
};

const pqf_command pqf_command_split = {
    .name = "split",
    .operand = "DATA",
    .synopsis = "DATA --output-train FILE --output-test FILE [--NAME VALUE ...]",
    .summary = "Splits the cells of a file into some to train on and some to test with.",
    .flags = flags,
    .flag_count = sizeof flags / sizeof flags[0],
    .run = run,
};
