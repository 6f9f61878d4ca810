/* Reading a model file. It is mapped, and its factors and ids are used where they lie, so a file is
 * shared through the page cache by all that load it. Nothing in it is trusted: what is used has
 * been checked against the size of the file and the other parts.
 *
 * A file that libpqf wrote has a checksum of its head and must match it. Other writers' files need
 * the tensors P and Q and nothing else; where a tensor of theirs is not aligned for its type, it is
 * copied. */
#include "load.h"

#include "error.h"
#include "json_text.h"
#include "memory.h"
#include "model_file.h"
#include "number_text.h"
#include "options.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LENGTH_BYTES = sizeof(uint64_t), MOST_FACTORS = 2048 };

int pqf_damaged(const pqf_loading *loading, const char *format, ...)
{
  char words[256];
  va_list list;
  va_start(list, format);
  vsnprintf(words, sizeof words, format, list);
  va_end(list);
  return pqf_fail(PQF_EFORMAT, "%s: %s", pqf_path_words(loading->path), words);
}

/* ---- The file -------------------------------------------------------------------------------- */

static int map_file(pqf_loading *loading)
{
  struct stat found;
  int status = PQF_OK;
  const int descriptor = open(loading->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor < 0)
    return pqf_file_failed(loading->path, "could not be opened", errno);
  if (fstat(descriptor, &found) != 0) {
    status = pqf_file_failed(loading->path, "could not be read", errno);
  } else if (!S_ISREG(found.st_mode)) {
    status = pqf_fail(PQF_EIO, "%s: not a regular file", pqf_path_words(loading->path));
  } else if (found.st_size < LENGTH_BYTES) {
    status = pqf_damaged(loading, "%" PRId64 " bytes are too few for a model file",
                         (int64_t)found.st_size);
  } else {
    loading->size = (size_t)found.st_size;
    void *mapping = mmap(NULL, loading->size, PROT_READ, MAP_SHARED, descriptor, 0);
    if (mapping == MAP_FAILED) {
      status = pqf_file_failed(loading->path, "could not be mapped", errno);
    } else {
      loading->bytes = mapping;
      loading->model->fitted.source.mapping = mapping;
      loading->model->fitted.source.mapping_size = loading->size;
    }
  }
  close(descriptor);
  return status;
}

/* ---- The head -------------------------------------------------------------------------------- */

static int parse_head(pqf_loading *loading)
{
  uint64_t length;
  assert(loading->bytes != NULL && loading->size >= sizeof length);
  memcpy(&length, loading->bytes, sizeof length);
  if (length > PQF_FILE_HEAD_MOST || length > loading->size - LENGTH_BYTES)
    return pqf_damaged(loading,
                       "not a model file, or cut short: it claims a head of %" PRIu64
                       " bytes and has %zu bytes",
                       length, loading->size);
  loading->head_text = loading->bytes + LENGTH_BYTES;
  loading->head_length = (size_t)length;
  loading->data = loading->head_text + length;
  loading->data_size = (int64_t)(loading->size - LENGTH_BYTES - length);

  json_error_t error;
  if (length == 0 || loading->head_text[0] != '{')
    return pqf_damaged(loading, "not a model file: its head does not begin with '{'");
  const int status =
      pqf_json_parse(&loading->head, loading->head_text, loading->head_length, &error);
  if (status == PQF_ENOMEM)
    return pqf_fail(status, "%s: out of memory: its head", pqf_path_words(loading->path));
  if (status != PQF_OK)
    return pqf_damaged(loading, "its head is damaged: %s at byte %d", error.text, error.position);
  loading->metadata = json_object_get(loading->head, PQF_FILE_METADATA);
  return PQF_OK;
}

const char *pqf_metadata_text(const pqf_loading *loading, const char *key)
{
  return json_string_value(json_object_get(loading->metadata, key));
}

static int check_metadata(const pqf_loading *loading)
{
  const char *key;
  json_t *value;
  if (loading->metadata == NULL)
    return PQF_OK;
  if (!json_is_object(loading->metadata))
    return pqf_damaged(loading, "its metadata is no object");
  json_object_foreach(loading->metadata, key, value)
  {
    if (!json_is_string(value))
      return pqf_damaged(loading, "metadata '%.64s' is no text", key);
  }
  return PQF_OK;
}

static int check_head_sum(const pqf_loading *loading)
{
  const char *format = pqf_metadata_text(loading, PQF_KEY_FORMAT);
  const char *given = pqf_metadata_text(loading, PQF_KEY_HEAD_SUM);
  char digits[PQF_CHECKSUM_DIGITS];
  assert(loading->head_text != NULL);
  if (format == NULL && given == NULL)
    return PQF_OK; /* another writer's */
  const size_t place = pqf_head_digits(loading->head_text, loading->head_length);
  if (format == NULL || given == NULL || place == 0)
    return pqf_damaged(loading, "its head is damaged: %s is missing",
                       format == NULL ? PQF_KEY_FORMAT : PQF_KEY_HEAD_SUM);
  pqf_head_checksum(loading->head_text, loading->head_length, place, digits);
  if (memcmp(digits, loading->head_text + place, sizeof digits) != 0)
    return pqf_damaged(loading, "its head is damaged: the checksum is %.16s, should be %.16s",
                       digits, loading->head_text + place);
  if (strcmp(format, PQF_FILE_FORMAT) != 0 && strcmp(format, PQF_FILE_FORMAT_OFFSETS) != 0)
    return pqf_damaged(loading, "a model file of format '%.32s': this library reads formats %s, %s",
                       format, PQF_FILE_FORMAT, PQF_FILE_FORMAT_OFFSETS);
  return PQF_OK;
}

/* ---- The factors ----------------------------------------------------------------------------- */

int pqf_floats_take(const pqf_tensor *tensor, const float **out, float **owned)
{
  *out = (const float *)(const void *)tensor->values;
  if ((uintptr_t)tensor->values % _Alignof(float) == 0)
    return PQF_OK;
  *owned = pqf_allocate(tensor->size, 1);
  *out = *owned;
  if (*owned == NULL)
    return PQF_ENOMEM;
  memcpy(*owned, tensor->values, (size_t)tensor->size);
  return PQF_OK;
}

static int check_matrix(const pqf_loading *loading, const char *name, const pqf_tensor *tensor)
{
  if (!tensor->present)
    return pqf_damaged(loading, "not a model file: it has no tensor %s", name);
  if (strcmp(tensor->type, "F32") != 0 || tensor->dimensions != 2)
    return pqf_damaged(loading, "%s is %.16s of %d dimensions: must be F32 of 2", name,
                       tensor->type, tensor->dimensions);
  const int64_t rows = tensor->shape[0];
  const int64_t factors = tensor->shape[1];
  if (rows < 1 || rows > INT32_MAX || factors < 1 || factors > MOST_FACTORS)
    return pqf_damaged(loading, "%s is %" PRId64 " x %" PRId64 ": must be 1 to %d x 1 to %d", name,
                       rows, factors, INT32_MAX, MOST_FACTORS);
  return PQF_OK;
}

static int take_factors(const pqf_loading *loading)
{
  pqf_fitted *fitted = &loading->model->fitted;
  pqf_tensor p;
  pqf_tensor q;
  int status = pqf_tensor_find(loading, "P", &p);
  if (status == PQF_OK)
    status = pqf_tensor_find(loading, "Q", &q);
  if (status == PQF_OK)
    status = check_matrix(loading, "P", &p);
  if (status == PQF_OK)
    status = check_matrix(loading, "Q", &q);
  if (status != PQF_OK)
    return status;
  if (p.shape[1] != q.shape[1])
    return pqf_damaged(loading, "P has %" PRId64 " factors and Q has %" PRId64, p.shape[1],
                       q.shape[1]);
  fitted->rows = p.shape[0];
  fitted->cols = q.shape[0];
  fitted->factors = p.shape[1];
  status = pqf_floats_take(&p, &fitted->p, &fitted->owned_p);
  if (status == PQF_OK)
    status = pqf_floats_take(&q, &fitted->q, &fitted->owned_q);
  return status;
}

int pqf_vector_take(const pqf_loading *loading, const char *name, int64_t size, const float **out,
                    float **owned)
{
  pqf_tensor tensor;
  const int status = pqf_tensor_find(loading, name, &tensor);
  if (status != PQF_OK || !tensor.present)
    return status;
  if (strcmp(tensor.type, "F32") != 0 || tensor.dimensions != 1 || tensor.shape[0] != size)
    return pqf_damaged(loading, "%s is no F32 of one dimension and %" PRId64 " elements", name,
                       size);
  return pqf_floats_take(&tensor, out, owned);
}

static int take_offsets(const pqf_loading *loading)
{
  pqf_fitted *fitted = &loading->model->fitted;
  const char *mean = pqf_metadata_text(loading, PQF_KEY_MEAN);
  if (mean != NULL && (!pqf_number_parse(mean, &fitted->mean) || !isfinite(fitted->mean)))
    return pqf_damaged(loading, "%s is '%.64s': must be a finite number", PQF_KEY_MEAN, mean);
  int status = PQF_OK;
  for (int side = 0; side < 2 && status == PQF_OK; ++side)
    status = pqf_vector_take(loading, pqf_bias_names[side],
                             side == PQF_ROWS ? fitted->rows : fitted->cols, &fitted->bias[side],
                             &fitted->owned_bias[side]);
  return status;
}

/* What a later verification goes by. */
static int take_source(const pqf_loading *loading)
{
  pqf_source *source = &loading->model->fitted.source;
  const char *digits = pqf_metadata_text(loading, PQF_KEY_TENSORS_SUM);
  if (digits != NULL && strlen(digits) != PQF_CHECKSUM_DIGITS)
    return pqf_damaged(loading, "%s is '%.64s': must be %d digits", PQF_KEY_TENSORS_SUM, digits,
                       PQF_CHECKSUM_DIGITS);
  if (digits != NULL)
    memcpy(source->digits, digits, PQF_CHECKSUM_DIGITS);
  source->data = loading->data;
  source->data_size = (size_t)loading->data_size;
  source->path = pqf_copy_text(loading->path);
  return source->path != NULL ? PQF_OK : PQF_ENOMEM;
}

/* ---- All ------------------------------------------------------------------------------------- */

int pqf_load(pqf_model **out, const char *path, uint32_t flags)
{
  if (out == NULL)
    return pqf_fail(PQF_EINVAL, "out is NULL");
  *out = NULL;
  if (path == NULL)
    return pqf_fail(PQF_EINVAL, "path is NULL");
  if ((flags & ~PQF_LOAD_VERIFY) != 0)
    return pqf_fail(PQF_EINVAL, "flags are 0x%" PRIx32 ": must be 0 or PQF_LOAD_VERIFY", flags);

  pqf_loading loading = {.path = path};
  loading.model = pqf_allocate_zeroed(1, sizeof *loading.model);
  int status = loading.model != NULL ? map_file(&loading) : PQF_ENOMEM;
  if (status == PQF_OK)
    status = parse_head(&loading);
  if (status == PQF_OK)
    status = check_metadata(&loading);
  if (status == PQF_OK)
    status = check_head_sum(&loading);
  if (status == PQF_OK)
    status = pqf_tensors_check(&loading);
  if (status == PQF_OK)
    status = take_factors(&loading);
  if (status == PQF_OK)
    status = take_offsets(&loading);
  for (int32_t side = 0; side < 2 && status == PQF_OK; ++side)
    status = pqf_ids_take(&loading, side);
  if (status == PQF_OK)
    status = pqf_options_take(&loading);
  if (status == PQF_OK)
    status = pqf_course_take(&loading);
  if (status == PQF_OK)
    status = pqf_checkpoint_take(&loading);
  if (status == PQF_OK)
    status = take_source(&loading);
  if (status == PQF_OK && (flags & PQF_LOAD_VERIFY) != 0) {
    status = pqf_source_verify(&loading.model->fitted);
    loading.model->fitted.source.is_verified = status == PQF_OK;
  }
  json_decref(loading.head);
  if (status == PQF_OK)
    *out = loading.model;
  else
    pqf_free(loading.model);
  return status;
}
