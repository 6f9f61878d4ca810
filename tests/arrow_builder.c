/* The makers of arrow_builder.h. */
#include "arrow_builder.h"

#include "test.h"

#include <stdlib.h>
#include <string.h>

int64_t arrow_live;

static void *copy(const void *from, size_t size)
{
  void *to = test_allocate((int64_t)size, 1);
  if (size > 0)
    memcpy(to, from, size);
  return to;
}

/* ---- Schemas --------------------------------------------------------------------------------- */

/* What a schema owns. */
typedef struct type_parts {
  char *format;
  char *name;
  int64_t count;
  struct ArrowSchema **children;
  struct ArrowSchema **array; /* what n_children counts: a copy that a test may change */
  struct ArrowSchema *dictionary;
} type_parts;

static void release_schema(struct ArrowSchema *schema)
{
  type_parts *own = schema->private_data;
  for (int64_t n = 0; n < own->count; n++) {
    own->children[n]->release(own->children[n]);
    free(own->children[n]);
  }
  if (own->dictionary != NULL) {
    own->dictionary->release(own->dictionary);
    free(own->dictionary);
  }
  free(own->children);
  free(own->array);
  free(own->format);
  free(own->name);
  free(own);
  schema->release = NULL;
  arrow_live--;
}

struct ArrowSchema *arrow_field(const char *name, const char *format)
{
  struct ArrowSchema *schema = test_allocate(1, sizeof *schema);
  type_parts *own = test_allocate(1, sizeof *own);
  own->name = name != NULL ? copy(name, strlen(name) + 1) : NULL;
  own->format = copy(format, strlen(format) + 1);
  schema->name = own->name;
  schema->format = own->format;
  schema->flags = ARROW_FLAG_NULLABLE;
  schema->release = release_schema;
  schema->private_data = own;
  arrow_live++;
  return schema;
}

struct ArrowSchema *arrow_dictionary_field(const char *name, const char *format,
                                           const char *value_format)
{
  struct ArrowSchema *schema = arrow_field(name, format);
  type_parts *own = schema->private_data;
  own->dictionary = arrow_field("", value_format);
  schema->dictionary = own->dictionary;
  return schema;
}

struct ArrowSchema *arrow_table_type(int64_t count, struct ArrowSchema *const *fields)
{
  struct ArrowSchema *schema = arrow_field("", "+s");
  type_parts *own = schema->private_data;
  own->count = count;
  own->children = copy(fields, (size_t)count * sizeof(struct ArrowSchema *));
  own->array = copy(fields, (size_t)count * sizeof(struct ArrowSchema *));
  schema->n_children = count;
  schema->children = own->array;
  return schema;
}

/* ---- Arrays ---------------------------------------------------------------------------------- */

/* What an array owns. */
typedef struct parts {
  int64_t buffer_count;
  void *buffers[5];
  const void *
      *buffer_array; /* what n_buffers and n_children count: copies that a test may change */
  int64_t child_count;
  struct ArrowArray **children;
  struct ArrowArray **child_array;
  struct ArrowArray *dictionary;
} parts;

static void release_array(struct ArrowArray *array)
{
  parts *own = array->private_data;
  for (int64_t n = 0; n < own->child_count; n++) {
    release_array(own->children[n]);
    free(own->children[n]);
  }
  if (own->dictionary != NULL) {
    release_array(own->dictionary);
    free(own->dictionary);
  }
  for (int64_t n = 0; n < own->buffer_count; n++)
    free(own->buffers[n]);
  free(own->buffer_array);
  free(own->children);
  free(own->child_array);
  free(own);
  array->release = NULL;
  arrow_live--;
}

static void *make_bits(const char *bits)
{
  const size_t count = strlen(bits);
  uint8_t *packed = test_allocate((int64_t)(count + 7) / 8, 1);
  for (size_t n = 0; n < count; n++)
    packed[n / 8] = (uint8_t)(packed[n / 8] | (bits[n] == '1') << n % 8);
  return packed;
}

static void set_buffer(struct ArrowArray *array, int64_t place, void *buffer)
{
  parts *own = array->private_data;
  own->buffers[place] = buffer;
  own->buffer_array[place] = buffer;
}

static struct ArrowArray *make_array(int64_t length, int64_t buffers, const char *validity)
{
  struct ArrowArray *array = test_allocate(1, sizeof *array);
  parts *own = test_allocate(1, sizeof *own);
  own->buffer_count = buffers;
  own->buffer_array = test_allocate(buffers, sizeof *own->buffer_array);
  array->length = length;
  array->null_count = validity != NULL ? -1 : 0;
  array->n_buffers = buffers;
  array->buffers = own->buffer_array;
  array->release = release_array;
  array->private_data = own;
  set_buffer(array, 0, validity != NULL ? make_bits(validity) : NULL);
  arrow_live++;
  return array;
}

struct ArrowArray *arrow_values(const void *values, size_t size, int64_t count,
                                const char *validity)
{
  struct ArrowArray *array = make_array(count, 2, validity);
  set_buffer(array, 1, copy(values, size * (size_t)count));
  return array;
}

struct ArrowArray *arrow_floats(const float *values, int64_t count, const char *validity)
{
  return arrow_values(values, sizeof *values, count, validity);
}

struct ArrowArray *arrow_integers(const int64_t *values, int64_t count, const char *validity)
{
  return arrow_values(values, sizeof *values, count, validity);
}

struct ArrowArray *arrow_bits(const char *bits)
{
  struct ArrowArray *array = make_array((int64_t)strlen(bits), 2, NULL);
  set_buffer(array, 1, make_bits(bits));
  return array;
}

/* Views, with every text that does not fit one in the second of two buffers. */
static struct ArrowArray *make_views(const char *const *texts, int64_t count, const char *validity)
{
  struct ArrowArray *array = make_array(count, 5, validity);
  char *views = test_allocate(16 * count, 1);
  int64_t sizes[2] = {0, 0};
  for (int64_t n = 0; n < count; n++)
    sizes[1] += (int64_t)strlen(texts[n]);
  char *bytes = test_allocate(sizes[1], 1);
  int32_t used = 0;
  for (int64_t n = 0; n < count; n++) {
    const int32_t length = (int32_t)strlen(texts[n]);
    const int32_t where[2] = {1, used};
    memcpy(views + 16 * n, &length, sizeof length);
    memcpy(views + 16 * n + 4, texts[n], length <= 12 ? (size_t)length : 4);
    if (length <= 12)
      continue;
    memcpy(views + 16 * n + 8, where, sizeof where);
    memcpy(bytes + used, texts[n], (size_t)length);
    used += length;
  }
  set_buffer(array, 1, views);
  set_buffer(array, 2, copy("", 0));
  set_buffer(array, 3, bytes);
  set_buffer(array, 4, copy(sizes, sizeof sizes));
  return array;
}

struct ArrowArray *arrow_texts(const char *format, const char *const *texts, int64_t count,
                               const char *validity)
{
  if (format[0] == 'v')
    return make_views(texts, count, validity);
  struct ArrowArray *array = make_array(count, 3, validity);
  int64_t *wide = test_allocate(count + 1, sizeof *wide);
  int32_t *narrow = test_allocate(count + 1, sizeof *narrow);
  for (int64_t n = 0; n < count; n++) {
    wide[n + 1] = wide[n] + (int64_t)strlen(texts[n]);
    narrow[n + 1] = (int32_t)wide[n + 1];
  }
  char *bytes = test_allocate(wide[count], 1);
  for (int64_t n = 0; n < count; n++)
    memcpy(bytes + wide[n], texts[n], strlen(texts[n]));
  set_buffer(array, 1, format[0] == 'u' ? (void *)narrow : (void *)wide);
  set_buffer(array, 2, bytes);
  free(format[0] == 'u' ? (void *)wide : (void *)narrow);
  return array;
}

struct ArrowArray *arrow_encoded(struct ArrowArray *places, struct ArrowArray *dictionary)
{
  parts *own = places->private_data;
  own->dictionary = dictionary;
  places->dictionary = dictionary;
  return places;
}

struct ArrowArray *arrow_slice(struct ArrowArray *array, int64_t offset, int64_t length)
{
  array->offset = offset;
  array->length = length;
  return array;
}

struct ArrowArray *arrow_batch(int64_t count, struct ArrowArray *const *columns)
{
  struct ArrowArray *array = make_array(columns[0]->length, 1, NULL);
  parts *own = array->private_data;
  own->child_count = count;
  own->children = copy(columns, (size_t)count * sizeof(struct ArrowArray *));
  own->child_array = copy(columns, (size_t)count * sizeof(struct ArrowArray *));
  array->n_children = count;
  array->children = own->child_array;
  return array;
}

/* ---- Streams --------------------------------------------------------------------------------- */

typedef struct produced {
  struct ArrowSchema *type;
  struct ArrowArray **batches;
  int64_t count;
  int64_t next;
  int64_t fail_at;
  int error;
  const char *words;
} produced;

static int get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
  produced *own = stream->private_data;
  if (own->fail_at == -1)
    return own->error;
  *out = *own->type;
  free(own->type);
  own->type = NULL;
  return 0;
}

static int get_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
  produced *own = stream->private_data;
  if (own->fail_at == own->next) {
    memset(out, 0x5a, sizeof *out); /* what a failed call leaves is worth nothing */
    return own->error;
  }
  if (own->next == own->count) {
    out->release = NULL;
    return 0;
  }
  *out = *own->batches[own->next];
  free(own->batches[own->next]);
  own->batches[own->next++] = NULL;
  return 0;
}

static const char *get_last_error(struct ArrowArrayStream *stream)
{
  return ((produced *)stream->private_data)->words;
}

static void release_stream(struct ArrowArrayStream *stream)
{
  produced *own = stream->private_data;
  if (own->type != NULL) {
    own->type->release(own->type);
    free(own->type);
  }
  for (int64_t n = own->next; n < own->count; n++) {
    own->batches[n]->release(own->batches[n]);
    free(own->batches[n]);
  }
  free(own->batches);
  free(own);
  stream->release = NULL;
  arrow_live--;
}

struct ArrowArrayStream arrow_stream(struct ArrowSchema *type, int64_t count,
                                     struct ArrowArray *const *batches)
{
  produced *own = test_allocate(1, sizeof *own);
  *own = (produced){.type = type, .count = count, .fail_at = -2};
  own->batches = copy(batches, (size_t)count * sizeof(struct ArrowArray *));
  arrow_live++;
  return (struct ArrowArrayStream){get_schema, get_next, get_last_error, release_stream, own};
}

void arrow_fail_at(struct ArrowArrayStream *stream, int64_t call, int error, const char *words)
{
  produced *own = stream->private_data;
  own->fail_at = call;
  own->error = error;
  own->words = words;
}

struct ArrowArrayStream arrow_one_batch(int64_t count, struct ArrowSchema *const *fields,
                                        struct ArrowArray *const *columns)
{
  struct ArrowArray *batch = arrow_batch(count, columns);
  return arrow_stream(arrow_table_type(count, fields), 1, &batch);
}

struct ArrowArrayStream arrow_with_ids(struct ArrowSchema *field, struct ArrowArray *ids)
{
  float *values = test_allocate(ids->length, sizeof *values);
  for (int64_t n = 0; n < ids->length; n++)
    values[n] = (float)(n + 1);
  struct ArrowSchema *fields[] = {field, arrow_field("x", "f")};
  struct ArrowArray *columns[] = {ids, arrow_floats(values, ids->length, NULL)};
  free(values);
  return arrow_one_batch(2, fields, columns);
}

struct ArrowArrayStream arrow_long(struct ArrowSchema *user, struct ArrowArray *users,
                                   struct ArrowSchema *item, struct ArrowArray *items,
                                   struct ArrowArray *values)
{
  struct ArrowSchema *fields[] = {user, arrow_field("date", "tdD"), item, arrow_field("v", "f")};
  struct ArrowArray *columns[] = {users, arrow_values("", 4, 0, NULL), items, values};
  return arrow_one_batch(4, fields, columns);
}

/* ---- Imports --------------------------------------------------------------------------------- */

int arrow_take(pqf_data **out, struct ArrowArrayStream *stream, const char *row, const char *col,
               const char *value, int nan_is_absent)
{
  pqf_data_options options = PQF_DATA_OPTIONS_INIT;
  options.nan_is_absent = nan_is_absent;
  *out = (pqf_data *)stream;
  const int status = pqf_data_arrow(out, stream, row, col, value, &options);
  CU_ASSERT_PTR_NULL(stream->release);
  CU_ASSERT_EQUAL(arrow_live, 0);
  CU_ASSERT_EQUAL(status == PQF_OK, *out != NULL);
  return status;
}

int arrow_refuse(struct ArrowArrayStream stream, const char *row, const char *col,
                 const char *value)
{
  pqf_data *data;
  const int status = arrow_take(&data, &stream, row, col, value, 0);
  pqf_data_free(data);
  return status;
}
