/* Any bytes as a model file: refused with words, or a model that answers questions. A file that has
 * a head checksum is tried once more with the right digits, or the fuzzer would hardly ever get
 * past them. A small model then trains: a fit starts from it and, where it is a checkpoint, goes
 * on from its counters, history and best factors. */
#include "fit.h"
#include "model_file.h"
#include "pqf.h"

#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(int condition, const char *what)
{
  if (!condition) {
    fprintf(stderr, "%s: %s\n", what, pqf_error_message());
    abort();
  }
}

static void ask(const pqf_model *model)
{
  const int32_t last_row = (int32_t)pqf_model_rows(model) - 1;
  const int32_t last_col = (int32_t)pqf_model_cols(model) - 1;
  pqf_summary summary = {.size = sizeof summary};
  pqf_epoch epoch = {.size = sizeof epoch};
  float prediction;
  require(last_row >= 0 && last_col >= 0, "a loaded model has rows and columns");
  require(pqf_predict(model, 1, &last_row, &last_col, &prediction) == PQF_OK, "predict");
  require(pqf_model_summary(model, &summary) == PQF_OK, "summary");
  if (summary.epochs > 0)
    require(pqf_model_history(model, summary.epochs - 1, &epoch) == PQF_OK, "history");
  for (int32_t side = 0; side < 2; ++side) {
    int32_t found = -1;
    pqf_id id;
    require(pqf_model_id(model, side, side == PQF_ROWS ? last_row : last_col, &id) == PQF_OK, "id");
    require(pqf_model_find(model, side, &id, &found) == PQF_OK && found >= 0, "find");
  }
}

enum { MOST_ROWS = 64, MOST_FACTORS = 8, MOST_CELLS = MOST_ROWS * MOST_ROWS, EPOCHS = 2 };

static int64_t size_of(const pqf_model *model, int32_t side)
{
  return side == PQF_ROWS ? pqf_model_rows(model) : pqf_model_cols(model);
}

/* Gives the data the model's ids, without which it would be other data. Those that a file has
 * twice, or that are no UTF-8, are refused: it then goes without. */
static void give_ids(pqf_data *data, const pqf_model *model, int32_t side)
{
  enum { MOST_BYTES = 1 << 17 }; /* more than all of an input */
  static char bytes[MOST_BYTES];
  int64_t numbers[MOST_ROWS];
  const char *texts[MOST_ROWS];
  char *end = bytes;
  const int32_t kind = pqf_model_id_kind(model, side);
  const int64_t size = size_of(model, side);
  for (int64_t n = 0; n < size && kind != PQF_IDS_NONE; ++n) {
    pqf_id id;
    require(pqf_model_id(model, side, n, &id) == PQF_OK, "an id");
    numbers[n] = id.number;
    texts[n] = end;
    if (kind == PQF_IDS_NUMBERS)
      continue;
    require(id.length < bytes + MOST_BYTES - end, "ids are shorter than the input");
    memcpy(end, id.text, (size_t)id.length);
    end += id.length;
    *end++ = '\0';
  }
  if (kind == PQF_IDS_NUMBERS)
    (void)pqf_data_set_ids(data, side, size, numbers, NULL);
  else if (kind == PQF_IDS_TEXTS)
    (void)pqf_data_set_ids(data, side, size, NULL, texts);
}

/* Data of the model's shape: all cells, or the sparse ones that remain without every fourth. The
 * values are quarters, so that any order of adding them up gives the same mean. */
static pqf_data *data_for(const pqf_model *model, int is_dense, double *mean)
{
  int32_t row[MOST_CELLS];
  int32_t col[MOST_CELLS];
  float value[MOST_CELLS];
  const int64_t rows = pqf_model_rows(model);
  const int64_t cols = pqf_model_cols(model);
  int64_t count = 0;
  pqf_data *data = NULL;
  *mean = 0;
  for (int64_t n = 0; n < rows * cols; ++n) {
    if (!is_dense && n % 4 == 3)
      continue;
    row[count] = (int32_t)(n / cols);
    col[count] = (int32_t)(n % cols);
    value[count] = (float)(1 + 0.25 * (double)(n * n % 17));
    *mean += (double)value[count++];
  }
  *mean /= (double)count;
  const int status = is_dense ? pqf_data_dense(&data, value, rows, cols, cols, NULL)
                              : pqf_data_coo(&data, rows, cols, count, row, col, value, NULL, NULL);
  require(status == PQF_OK, "data");
  give_ids(data, model, PQF_ROWS);
  give_ids(data, model, PQF_COLS);
  return data;
}

static void set_option(pqf_model *model, const char *name, int64_t value)
{
  char text[32];
  snprintf(text, sizeof text, "%" PRId64, value);
  require(pqf_model_set_option(model, name, text) == PQF_OK, name);
}

/* What every end of a fit promises: the model answers, with what it had or with finite factors. */
static void check_end(const pqf_model *model, int status)
{
  require(status == PQF_OK || pqf_error_message()[0] != '\0', "words of a failure");
  require(status == PQF_OK || status == PQF_EINVAL || status == PQF_EFORMAT ||
              status == PQF_EDIVERGED || status == PQF_ENOTSUP,
          "the status of a fit");
  for (int32_t side = 0; side < 2 && status == PQF_OK; ++side) {
    const float *factors = pqf_model_borrow_factors(model, side);
    for (int64_t n = 0; n < size_of(model, side) * pqf_model_factors(model); ++n)
      require(isfinite(factors[n]) != 0, "factors are finite");
  }
  ask(model);
}

/* Trains on from the file at `path`: anew from its factors, or where it left off. */
static void train(const char *path, int resumes)
{
  pqf_model *model;
  pqf_data *data;
  double mean;
  if (pqf_load(&model, path, 0) != PQF_OK)
    return;
  const pqf_options *options = &model->options;
  const int is_checkpoint = model->course.stop_reason == PQF_STOP_RUNNING;
  if (pqf_model_rows(model) > MOST_ROWS || pqf_model_cols(model) > MOST_ROWS ||
      pqf_model_factors(model) > MOST_FACTORS || (resumes && !is_checkpoint)) {
    pqf_free(model);
    return;
  }
  data = data_for(model, options->solver == PQF_SOLVER_GD, &mean);
  require(pqf_model_set_option(model, "backend", "cpu") == PQF_OK, "backend");
  set_option(model, "threads", 1);
  set_option(model, "memory_limit", 0);
  set_option(model, "factors", pqf_model_factors(model));
  if (options->conjugate_gradient > EPOCHS)
    set_option(model, "conjugate_gradient", EPOCHS);
  if (!resumes) {
    set_option(model, "epochs", EPOCHS);
    require(pqf_model_set_option(model, "init", "model") == PQF_OK, "init");
    check_end(model, pqf_fit(model, data, data));
  } else {
    pqf_checkpoint *then = &model->fitted.checkpoint;
    const pqf_course *course = &model->course;
    const int64_t done = course->count > 0 ? course->epochs[course->count - 1].epoch : 0;
    const int validates = then->validation.digits[0] != '\0';
    set_option(model, "epochs", done < INT64_MAX - EPOCHS ? done + EPOCHS : INT64_MAX);
    pqf_fingerprint_take(data, &then->train); /* the fuzzer will not find cells of that checksum */
    if (validates)
      then->validation = then->train;
    if (model->fitted.mean != 0)
      model->fitted.mean = mean;
    check_end(model, pqf_resume(model, data, validates ? data : NULL));
  }
  pqf_data_free(data);
  pqf_free(model);
}

static void load(const char *path, uint32_t flags)
{
  pqf_model *model;
  const int status = pqf_load(&model, path, flags);
  require((model != NULL) == (status == PQF_OK), "a model or a failure");
  if (status == PQF_OK)
    ask(model);
  else
    require(status == PQF_EFORMAT && pqf_error_message()[0] != '\0', "words of a failure");
  pqf_free(model);
}

/* Puts the right checksum into the head. 0: it has none, or is no head. */
static int mend(char *bytes, size_t size)
{
  uint64_t length;
  if (size < sizeof length)
    return 0;
  memcpy(&length, bytes, sizeof length);
  char *head = bytes + sizeof length;
  if (length > size - sizeof length)
    return 0;
  const size_t place = pqf_head_digits(head, (size_t)length);
  if (place > 0)
    pqf_head_checksum(head, (size_t)length, place, head + place);
  return place > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  static char path[64];
  static int file = -1;
  if (file < 0) {
    file = memfd_create("model", 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  }
  require(file >= 0 && ftruncate(file, 0) == 0 && pwrite(file, bytes, size, 0) == (ssize_t)size,
          "writing the input");
  load(path, 0);
  load(path, PQF_LOAD_VERIFY);
  train(path, 0);
  train(path, 1);

  char *mended = malloc(size + 1);
  require(mended != NULL, "memory");
  memcpy(mended, bytes, size);
  if (mend(mended, size)) {
    require(pwrite(file, mended, size, 0) == (ssize_t)size, "writing the mended input");
    load(path, 0);
    train(path, 0);
    train(path, 1);
  }
  free(mended);
  return 0;
}
