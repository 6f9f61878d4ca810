/* `pqf predict`: P Q' as a table, or the cells that a file of pairs names. Either goes by blocks,
 * so that memory does not grow with the output. */
#include "arguments.h"
#include "failure.h"
#include "output.h"
#include "pairs.h"
#include "writer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 1 << 20 }; /* values */

/* What a prediction is made of; `clear` releases it, also half-made. */
typedef struct pqf_predicting {
  pqf_model *model;
  pqf_pairs pairs;
  pqf_sheet sheet;
  pqf_id *names;  /* of the value columns */
  pqf_id *ids[2]; /* of a block's rows; NULL: no such column */
  float *values;  /* of a block */
  int64_t rows;   /* of a block */
  const pqf_writer *writer;
  void *state; /* of the writer */
  pqf_output output;
} pqf_predicting;

static void clear(pqf_predicting *predicting)
{
  if (predicting->writer != NULL)
    predicting->writer->close(predicting->state);
  pqf_output_close(&predicting->output);
  pqf_pairs_clear(&predicting->pairs);
  free(predicting->names);
  free(predicting->ids[0]);
  free(predicting->ids[1]);
  free(predicting->values);
  pqf_free(predicting->model);
}

static int fail_library(int status)
{
  return pqf_say(status, "%s", pqf_error_message());
}

static int32_t printed_kind(const pqf_model *model, int32_t side)
{
  const int32_t kind = pqf_model_id_kind(model, side);
  return kind == PQF_IDS_TEXTS ? PQF_IDS_TEXTS : PQF_IDS_NUMBERS;
}

static int describe_matrix(pqf_predicting *predicting)
{
  const pqf_model *model = predicting->model;
  const int64_t cols = pqf_model_cols(model);
  predicting->sheet = (pqf_sheet){.id_columns = pqf_model_id_kind(model, PQF_ROWS) != PQF_IDS_NONE,
                                  .id_names = {"", ""},
                                  .id_kinds = {printed_kind(model, PQF_ROWS), PQF_IDS_NUMBERS},
                                  .rows = pqf_model_rows(model),
                                  .value_columns = cols,
                                  .header = pqf_model_id_kind(model, PQF_COLS) != PQF_IDS_NONE};
  predicting->names = pqf_resize(NULL, cols, sizeof *predicting->names);
  if (predicting->names == NULL)
    return PQF_ENOMEM;
  for (int64_t col = 0; col < cols; ++col) {
    const int status = pqf_model_id(model, PQF_COLS, col, &predicting->names[col]);
    if (status != PQF_OK)
      return fail_library(status);
  }
  predicting->sheet.value_names = predicting->names;
  predicting->rows = cols < BLOCK ? BLOCK / cols : 1;
  return PQF_OK;
}

static void describe_pairs(pqf_predicting *predicting)
{
  static const pqf_id prediction = {.text = "prediction", .length = 10};
  const pqf_model *model = predicting->model;
  char **names = predicting->pairs.names;
  predicting->sheet =
      (pqf_sheet){.id_columns = 2,
                  .id_names = {names[0] != NULL && *names[0] != '\0' ? names[0] : "row",
                               names[1] != NULL && *names[1] != '\0' ? names[1] : "column"},
                  .id_kinds = {printed_kind(model, PQF_ROWS), printed_kind(model, PQF_COLS)},
                  .rows = predicting->pairs.count,
                  .value_columns = 1,
                  .value_names = &prediction,
                  .header = names[0] != NULL,
                  .pairs = true};
  predicting->rows = BLOCK;
}

/* Memory for the blocks. */
static int reserve_blocks(pqf_predicting *predicting)
{
  const pqf_sheet *sheet = &predicting->sheet;
  if (predicting->rows > sheet->rows && sheet->rows > 0)
    predicting->rows = sheet->rows;
  for (int32_t n = 0; n < sheet->id_columns; ++n) {
    predicting->ids[n] = pqf_resize(NULL, predicting->rows, sizeof *predicting->ids[n]);
    if (predicting->ids[n] == NULL)
      return PQF_ENOMEM;
  }
  predicting->values =
      pqf_resize(NULL, predicting->rows * sheet->value_columns, sizeof *predicting->values);
  return predicting->values != NULL ? PQF_OK : PQF_ENOMEM;
}

/* The values of `count` rows of the sheet, and their ids. */
static int fill_block(pqf_predicting *predicting, int64_t first, int64_t count)
{
  const pqf_model *model = predicting->model;
  const pqf_pairs *pairs = &predicting->pairs;
  const bool is_pairs = predicting->sheet.pairs;
  int status;
  if (is_pairs)
    status = pqf_predict(model, count, pairs->row + first, pairs->col + first, predicting->values);
  else
    status =
        pqf_reconstruct(model, first, count, predicting->values, predicting->sheet.value_columns);
  for (int32_t n = 0; n < predicting->sheet.id_columns; ++n)
    for (int64_t row = 0; row < count && status == PQF_OK; ++row) {
      int64_t index = first + row;
      if (is_pairs)
        index = n == 0 ? pairs->row[index] : pairs->col[index];
      status = pqf_model_id(model, n, index, &predicting->ids[n][row]);
    }
  return status == PQF_OK ? PQF_OK : fail_library(status);
}

static int write_sheet(pqf_predicting *predicting, const char *path)
{
  const pqf_sheet *sheet = &predicting->sheet;
  int status = reserve_blocks(predicting);
  if (status == PQF_OK)
    status = pqf_output_open(&predicting->output, path);
  if (status == PQF_OK)
    status = predicting->writer->open(&predicting->state, &predicting->output, sheet);
  for (int64_t first = 0; first < sheet->rows && status == PQF_OK; first += predicting->rows) {
    const int64_t left = sheet->rows - first;
    const int64_t count = left < predicting->rows ? left : predicting->rows;
    const pqf_sheet_block block = {.rows = count,
                                   .ids = {predicting->ids[0], predicting->ids[1]},
                                   .values = predicting->values};
    status = fill_block(predicting, first, count);
    if (status == PQF_OK)
      status = predicting->writer->write(predicting->state, &block);
  }
  if (status == PQF_OK)
    status = predicting->writer->finish(predicting->state);
  return status == PQF_OK ? pqf_output_finish(&predicting->output) : status;
}

static int run(const pqf_arguments *arguments)
{
  const char *path = pqf_argument(arguments, "output");
  const char *pairs = pqf_argument(arguments, "pairs");
  pqf_predicting predicting = {.output = {.file = -1}};
  pqf_input_options input;
  if (path == NULL)
    return pqf_usage(arguments, "--output FILE is missing");
  if (pqf_arguments_input(arguments, &input) != PQF_EXIT_DONE)
    return PQF_EXIT_USAGE;
  predicting.writer = pqf_find_writer(path);
  if (predicting.writer == NULL)
    return pqf_usage(arguments, "%s", pqf_said());
  int status = pqf_load(&predicting.model, arguments->operand, PQF_LOAD_VERIFY);
  if (status != PQF_OK)
    (void)fail_library(status);
  else if (pairs != NULL)
    status = pqf_read_pairs(&predicting.pairs, pairs, predicting.model, &input);
  if (status == PQF_OK && pairs != NULL)
    describe_pairs(&predicting);
  else if (status == PQF_OK)
    status = describe_matrix(&predicting);
  if (status == PQF_OK)
    status = write_sheet(&predicting, path);
  clear(&predicting);
  return status == PQF_OK ? PQF_EXIT_DONE : PQF_EXIT_FAILED;
}

static const pqf_flag flags[] = {
    {"output", "FILE",
     "Where to write: .csv, .csv.gz, .npy or .parquet; - is standard output, as "
     "CSV.",
     PQF_WRITTEN},
    {"pairs", "FILE",
     "Predict these cells alone: a CSV or Parquet file whose first two columns are "
     "row and column.",
     PQF_READ},
    {"header", "yes|no",
     "Whether the pairs have a header. The guess: if the first line has no id of "
     "the model and a field that is no number.",
     PQF_PLAIN},
    {"row", "NAME", "The column of the pairs that has the row ids.", PQF_PLAIN},
    {"col", "NAME", "The column of the pairs that has the column ids.", PQF_PLAIN},
    PQF_MEMORY_FLAG,
};

const pqf_command pqf_command_predict = {
    .name = "predict",
    .operand = "MODEL",
    .synopsis = "MODEL --output FILE [--pairs FILE]",
    .summary = "Writes the predictions of a model: all of P Q', or for pairs of ids.",
    .flags = flags,
    .flag_count = sizeof flags / sizeof flags[0],
    .run = run,
};
