/* Writing a model file: the tensors' checksum, then the head that names it, then both to the disk.
 *
 * The tensors lie one behind the other, the widest types first, so that each is aligned for its
 * type; the head ends with as many spaces as put the first of them at a multiple of 64. */
#include "model_file.h"

#include "error.h"
#include "memory.h"
#include "model.h"
#include "new_file.h"
#include "number_text.h"
#include "options.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_TENSORS = 12, OPTION_TEXT = 512 };

typedef struct tensor {
  const char *name;
  const char *type;
  int dimensions;
  int64_t shape[2];
  const void *values;
  size_t bytes;
} tensor;

typedef struct tensor_list {
  tensor of[MOST_TENSORS];
  int count;
} tensor_list;

/* ---- The tensors ----------------------------------------------------------------------------- */

static void add_vector(tensor_list *list, const char *name, const char *type, size_t width,
                       int64_t count, const void *values)
{
  list->of[list->count++] = (tensor){.name = name,
                                     .type = type,
                                     .dimensions = 1,
                                     .shape = {count, 0},
                                     .values = values,
                                     .bytes = (size_t)count * width};
}

static void add_factors(tensor_list *list, const char *name, int64_t rows, int64_t factors,
                        const float *values)
{
  list->of[list->count++] = (tensor){.name = name,
                                     .type = "F32",
                                     .dimensions = 2,
                                     .shape = {rows, factors},
                                     .values = values,
                                     .bytes = (size_t)(rows * factors) * sizeof *values};
}

/* The best factors and biases of a fit in progress. */
static void list_best(tensor_list *list, const pqf_fitted *fitted)
{
  const pqf_checkpoint *checkpoint = &fitted->checkpoint;
  const int64_t size[2] = {fitted->rows, fitted->cols};
  for (int side = 0; side < 2; ++side)
    if (checkpoint->best[side] != NULL)
      add_factors(list, pqf_best_names[side], size[side], fitted->factors, checkpoint->best[side]);
  for (int side = 0; side < 2; ++side)
    if (checkpoint->best_bias[side] != NULL)
      add_vector(list, pqf_best_bias_names[side], "F32", sizeof(float), size[side],
                 checkpoint->best_bias[side]);
}

static void list_tensors(tensor_list *list, const pqf_model *model)
{
  const pqf_fitted *fitted = &model->fitted;
  static const char *const id_names[] = {"row_ids", "col_ids"};
  static const char *const offset_names[] = {"row_id_offsets", "col_id_offsets"};
  list->count = 0;
  for (int side = 0; side < 2; ++side) {
    const pqf_ids *ids = fitted->ids[side];
    const int64_t count = side == PQF_ROWS ? fitted->rows : fitted->cols;
    const int32_t kind = pqf_ids_kind(ids);
    if (kind == PQF_IDS_NUMBERS)
      add_vector(list, id_names[side], "I64", sizeof(int64_t), count, pqf_ids_numbers(ids));
    else if (kind == PQF_IDS_TEXTS)
      add_vector(list, offset_names[side], "I64", sizeof(int64_t), count + 1, pqf_ids_offsets(ids));
  }
  add_factors(list, pqf_factor_names[PQF_ROWS], fitted->rows, fitted->factors, fitted->p);
  add_factors(list, pqf_factor_names[PQF_COLS], fitted->cols, fitted->factors, fitted->q);
  for (int side = 0; side < 2; ++side)
    if (fitted->bias[side] != NULL)
      add_vector(list, pqf_bias_names[side], "F32", sizeof(float),
                 side == PQF_ROWS ? fitted->rows : fitted->cols, fitted->bias[side]);
  if (model->course.stop_reason == PQF_STOP_RUNNING)
    list_best(list, fitted);
  for (int side = 0; side < 2; ++side) {
    const pqf_ids *ids = fitted->ids[side];
    if (pqf_ids_kind(ids) == PQF_IDS_TEXTS)
      add_vector(list, id_names[side], "U8", 1, pqf_ids_offsets(ids)[pqf_ids_count(ids)],
                 pqf_ids_bytes(ids));
  }
}

/* ---- The head -------------------------------------------------------------------------------- */

/* Takes over `value`. */
static int put(json_t *object, const char *key, json_t *value)
{
  return json_object_set_new(object, key, value) == 0
             ? PQF_OK
             : pqf_fail(PQF_ENOMEM, "out of memory: the head of a model file");
}

static int put_text(json_t *object, const char *key, const char *text)
{
  return put(object, key, json_string(text));
}

static int put_integer(json_t *object, const char *key, int64_t value)
{
  char text[PQF_NUMBER_TEXT];
  snprintf(text, sizeof text, "%" PRId64, value);
  return put_text(object, key, text);
}

static int put_number(json_t *object, const char *key, double value)
{
  char text[PQF_NUMBER_TEXT];
  pqf_number_print(value, text);
  return put_text(object, key, text);
}

static int put_options(json_t *metadata, const pqf_options *options)
{
  int status = PQF_OK;
  for (int32_t n = 0; n < pqf_option_count() && status == PQF_OK; ++n) {
    char key[64];
    char text[OPTION_TEXT];
    pqf_option option = {.size = sizeof option};
    status = pqf_option_info(n, &option);
    if (status != PQF_OK || pqf_option_stays(option.name))
      continue;
    snprintf(key, sizeof key, PQF_KEY_OPTION "%s", option.name);
    pqf_option_text(options, n, text, sizeof text);
    status = put_text(metadata, key, text);
  }
  return status;
}

/* The values of the epochs from `first` on, as text; `text` has room for them. */
static int put_list(json_t *metadata, const pqf_history_list *list, const pqf_course *course,
                    int64_t first, char *text)
{
  size_t length = 0;
  for (int64_t n = first; n < course->count; ++n) {
    double value;
    memcpy(&value, (const char *)&course->epochs[n] + list->offset, sizeof value);
    pqf_number_print(value, text + length);
    length += strlen(text + length);
    text[length++] = ' ';
  }
  return put(metadata, list->key, json_stringn(text, length - 1));
}

static int put_course(json_t *metadata, const pqf_course *course)
{
  int status = put_text(metadata, PQF_KEY_STOP, pqf_stop_word(course->stop_reason));
  if (status == PQF_OK)
    status = put_integer(metadata, PQF_KEY_BEST_EPOCH, course->best_epoch);
  if (status == PQF_OK)
    status = put_number(metadata, PQF_KEY_BEST_LOSS, course->best_loss);
  if (status == PQF_OK)
    status = put_number(metadata, PQF_KEY_SECONDS, course->seconds);
  if (status != PQF_OK || course->count == 0)
    return status;

  const int64_t kept = course->count < PQF_FILE_EPOCHS_MOST ? course->count : PQF_FILE_EPOCHS_MOST;
  const int64_t first = course->count - kept;
  char *text = pqf_allocate(kept, PQF_NUMBER_TEXT);
  if (text == NULL)
    return PQF_ENOMEM;
  status = put_integer(metadata, PQF_KEY_FIRST_EPOCH, course->epochs[first].epoch);
  for (int n = 0; n < PQF_HISTORY_LISTS && status == PQF_OK; ++n)
    if (n < PQF_HISTORY_ALWAYS || !isnan(course->epochs[first].observed))
      status = put_list(metadata, &pqf_history_lists[n], course, first, text);
  pqf_release(text);
  return status;
}

static int put_fingerprint(json_t *metadata, const char *cells_key, const char *sum_key,
                           const pqf_fingerprint *fingerprint)
{
  if (fingerprint->digits[0] == '\0')
    return PQF_OK;
  const int status = put_integer(metadata, cells_key, fingerprint->cells);
  return status == PQF_OK ? put_text(metadata, sum_key, fingerprint->digits) : status;
}

static int put_checkpoint(json_t *metadata, const pqf_checkpoint *checkpoint)
{
  int status = put_integer(metadata, PQF_KEY_COUNTER, checkpoint->counter);
  if (status == PQF_OK)
    status = put_fingerprint(metadata, PQF_KEY_TRAIN PQF_KEY_CELLS, PQF_KEY_TRAIN PQF_KEY_SUM,
                             &checkpoint->train);
  if (status == PQF_OK)
    status = put_fingerprint(metadata, PQF_KEY_VALIDATION PQF_KEY_CELLS,
                             PQF_KEY_VALIDATION PQF_KEY_SUM, &checkpoint->validation);
  return status;
}

/* Whether predictions are more than P Q': what a reader of the plain format would not know. */
static int has_offsets(const pqf_fitted *fitted)
{
  return fitted->mean != 0 || fitted->bias[PQF_ROWS] != NULL || fitted->bias[PQF_COLS] != NULL;
}

static int put_metadata(json_t *head, const pqf_model *model, const tensor_list *list)
{
  char digits[PQF_CHECKSUM_DIGITS + 1] = {0};
  pqf_checksum sum;
  pqf_checksum_start(&sum);
  for (int n = 0; n < list->count; ++n)
    pqf_checksum_add(&sum, list->of[n].values, list->of[n].bytes);
  pqf_checksum_digits(&sum, digits);

  json_t *metadata = json_object();
  int status = put(head, PQF_FILE_METADATA, metadata); /* `head` owns it from here on */
  if (status == PQF_OK)
    status = put_text(metadata, PQF_KEY_FORMAT,
                      has_offsets(&model->fitted) ? PQF_FILE_FORMAT_OFFSETS : PQF_FILE_FORMAT);
  if (status == PQF_OK)
    status = put_text(metadata, PQF_KEY_VERSION, pqf_version());
  if (status == PQF_OK)
    status = put_text(metadata, PQF_KEY_HEAD_SUM, PQF_NO_DIGITS);
  if (status == PQF_OK)
    status = put_text(metadata, PQF_KEY_TENSORS_SUM, digits);
  if (status == PQF_OK && model->fitted.mean != 0)
    status = put_number(metadata, PQF_KEY_MEAN, model->fitted.mean);
  if (status == PQF_OK)
    status = put_options(metadata, &model->options);
  if (status == PQF_OK)
    status = put_course(metadata, &model->course);
  if (status == PQF_OK && model->course.stop_reason == PQF_STOP_RUNNING)
    status = put_checkpoint(metadata, &model->fitted.checkpoint);
  return status;
}

static int put_tensors(json_t *head, const tensor_list *list)
{
  int status = PQF_OK;
  int64_t begin = 0;
  for (int n = 0; n < list->count && status == PQF_OK; ++n) {
    const tensor *one = &list->of[n];
    const int64_t end = begin + (int64_t)one->bytes;
    json_t *shape = one->dimensions == 2
                        ? json_pack("[I,I]", (json_int_t)one->shape[0], (json_int_t)one->shape[1])
                        : json_pack("[I]", (json_int_t)one->shape[0]);
    status = put(head, one->name,
                 json_pack("{s:s,s:o,s:[I,I]}", "dtype", one->type, "shape", shape, "data_offsets",
                           (json_int_t)begin, (json_int_t)end));
    begin = end;
  }
  return status;
}

/* The length, the JSON and the spaces behind it: `size` bytes that the caller releases. */
static int print_head(const json_t *head, char **out, size_t *size)
{
  const size_t json = json_dumpb(head, NULL, 0, JSON_COMPACT);
  const uint64_t rounded =
      (sizeof(uint64_t) + json + PQF_FILE_ALIGNMENT - 1) / PQF_FILE_ALIGNMENT * PQF_FILE_ALIGNMENT;
  const uint64_t length = rounded - sizeof length;
  char *bytes = pqf_allocate((int64_t)rounded, 1);
  if (bytes == NULL)
    return PQF_ENOMEM;
  char *text = bytes + sizeof length;
  memcpy(bytes, &length, sizeof length);
  memset(text, ' ', length);
  const size_t place = json_dumpb(head, text, json, JSON_COMPACT) == json && json > 0
                           ? pqf_head_digits(text, length)
                           : 0;
  if (place == 0) {
    pqf_release(bytes);
    return pqf_fail(PQF_ENOMEM, "out of memory: the text of the head of a model file");
  }
  pqf_head_checksum(text, length, place, text + place);
  *out = bytes;
  *size = rounded;
  return PQF_OK;
}

static int make_head(const pqf_model *model, const tensor_list *list, char **out, size_t *size)
{
  json_t *head = json_object();
  if (head == NULL)
    return pqf_fail(PQF_ENOMEM, "out of memory: the head of a model file");
  int status = put_metadata(head, model, list);
  if (status == PQF_OK)
    status = put_tensors(head, list);
  if (status == PQF_OK)
    status = print_head(head, out, size);
  json_decref(head);
  return status;
}

/* ---- The file -------------------------------------------------------------------------------- */

int pqf_save(const pqf_model *model, const char *path)
{
  if (model == NULL || path == NULL)
    return pqf_fail(PQF_EINVAL, "%s is NULL", model == NULL ? "model" : "path");
  if (model->fitted.rows == 0)
    return pqf_fail(PQF_EUNFITTED, "the model has no factors to save: fit it first");

  tensor_list list;
  pqf_new_file file;
  char *head = NULL;
  size_t head_size = 0;
  list_tensors(&list, model);
  int status = pqf_source_verify(&model->fitted); /* what is damaged must not be signed again */
  if (status != PQF_OK)
    return status;
  status = pqf_new_file_open(&file, path);
  if (status != PQF_OK)
    return status;
  status = make_head(model, &list, &head, &head_size);
  if (status == PQF_OK)
    status = pqf_new_file_write(&file, head, head_size);
  for (int n = 0; n < list.count && status == PQF_OK; ++n)
    status = pqf_new_file_write(&file, list.of[n].values, list.of[n].bytes);
  if (status == PQF_OK)
    status = pqf_new_file_finish(&file);
  pqf_new_file_close(&file);
  pqf_release(head);
  return status;
}
