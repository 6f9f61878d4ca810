/* pqf_data_arrow() with any stream a producer may hand out. The input is read as choices: types,
 * lengths, offsets, counts, contents. The C interface cannot convey the sizes of buffers, so each
 * is as long as the array says; all else may be wrong. Whatever comes of it, all that was handed
 * out must have been released once. */
#include "pqf.h"

#include "arrow_abi.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_BLOCKS = 1024, MOST_COLUMNS = 5, MOST_BATCHES = 3, MOST_BUFFERS = 6 };

/* The input that is left, and what has been made of it. */
static struct {
  const uint8_t *data;
  size_t size;
  void *blocks[MOST_BLOCKS];
  size_t block_count;
  int64_t handed_out; /* schemas, batches and streams not yet released */
  int64_t batches_left;
  uint8_t types[MOST_COLUMNS];
  uint8_t dictionary_types[MOST_COLUMNS];
  int64_t columns;
} state;

static void require(int holds)
{
  if (!holds)
    abort();
}

/* The next byte; zero when there are none left. */
static uint8_t next(void)
{
  if (state.size == 0)
    return 0;
  state.size--;
  return *state.data++;
}

/* Memory until the end of the run, exactly as long as it is said to be. */
static void *make(size_t size)
{
  require(state.block_count < MOST_BLOCKS);
  void *block = calloc(1, size > 0 ? size : 1);
  require(block != NULL);
  state.blocks[state.block_count++] = block;
  return block;
}

/* The same, filled from the input. */
static void *make_filled(size_t size)
{
  uint8_t *block = make(size);
  for (size_t n = 0; n < size; n++)
    block[n] = next();
  return block;
}

/* A small number, or one of those that no array can have. */
static int64_t number(int64_t most)
{
  static const int64_t wrong[] = {-1, INT64_MIN, INT64_MAX};
  const uint8_t byte = next();
  return byte >= 253 ? wrong[byte - 253] : byte % (most + 1);
}

static int64_t at_least_zero(int64_t n)
{
  return n > 0 && n < 256 ? n : 0;
}

/* ---- Types ----------------------------------------------------------------------------------- */

static const struct {
  const char *format;
  size_t size; /* bytes of a value; 0: bits */
} types[] = {{"f", 4},   {"g", 8}, {"l", 8}, {"i", 4},  {"c", 1},  {"C", 1},  {"s", 2},
             {"S", 2},   {"I", 4}, {"L", 8}, {"e", 2},  {"b", 0},  {"u", 4},  {"U", 8},
             {"vu", 16}, {"n", 1}, {"", 1},  {"+l", 1}, {"vz", 1}, {"tdD", 4}};

enum { TYPES = sizeof types / sizeof types[0], DICTIONARY = 0x80 };

static void release_schema(struct ArrowSchema *schema)
{
  require(schema->release != NULL);
  schema->release = NULL;
  state.handed_out--;
}

static struct ArrowSchema *make_field(uint8_t type)
{
  static const char *const names[] = {"a", "b", "c", "0", "1", "2", "", NULL};
  struct ArrowSchema *field = make(sizeof *field);
  field->format = types[type % DICTIONARY % TYPES].format;
  field->name = names[next() % 8];
  return field;
}

static int get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
  (void)stream;
  if (next() == 255)
    return 5;
  *out = (struct ArrowSchema){.format = next() < 250 ? "+s" : "f", .release = release_schema};
  out->children = make(MOST_COLUMNS * sizeof(struct ArrowSchema *));
  for (int64_t n = 0; n < state.columns; n++) {
    const uint8_t type = state.types[n] = next();
    out->children[n] = make_field(type);
    if (type & DICTIONARY) {
      state.dictionary_types[n] = next();
      out->children[n]->dictionary = make_field(state.dictionary_types[n]);
    }
  }
  out->n_children = next() < 250 ? state.columns : number(MOST_COLUMNS);
  state.handed_out++;
  return 0;
}

/* ---- Arrays ---------------------------------------------------------------------------------- */

static void release_array(struct ArrowArray *array)
{
  require(array->release != NULL);
  array->release = NULL;
  state.handed_out--;
}

/* A part of a batch: never released by itself. */
static void release_part(struct ArrowArray *array)
{
  (void)array;
  abort();
}

/* Buffers of `count` values. Offsets of texts lie within their bytes. */
static void make_buffers(struct ArrowArray *array, uint8_t type, size_t count)
{
  const char format = types[type].format[0];
  const size_t size = types[type].size;
  array->buffers[0] = next() % 2 != 0 ? make_filled((count + 7) / 8) : NULL;
  if (format == 'u' || format == 'U') {
    enum { BYTES = 12 };
    char *offsets = make((count + 1) * size);
    for (size_t n = 0; n <= count; n++) {
      const uint8_t byte = next();
      const int64_t offset = byte >= 250 ? -byte : byte % (BYTES + 1);
      memcpy(offsets + n * size, &offset, size); /* little-endian */
    }
    array->buffers[1] = offsets;
    array->buffers[2] = make_filled(BYTES);
  } else if (size == 16) {
    int64_t *sizes = make(3 * sizeof *sizes);
    array->buffers[1] = make_filled(count * size);
    for (int n = 0; n < 2; n++) {
      sizes[n] = next() % 32;
      array->buffers[2 + n] = make_filled((size_t)sizes[n]);
    }
    array->buffers[4] = sizes;
  } else {
    array->buffers[1] = make_filled(size > 0 ? count * size : (count + 7) / 8);
  }
}

static struct ArrowArray *make_array(uint8_t type, int64_t length)
{
  struct ArrowArray *array = make(sizeof *array);
  type = type % DICTIONARY % TYPES;
  array->release = next() < 253 ? release_part : NULL;
  array->length = length;
  array->offset = next() % 4 == 0 ? number(9) : 0;
  array->null_count = next() % 2 == 0 ? -1 : number(4);
  array->buffers = make(MOST_BUFFERS * sizeof *array->buffers);
  make_buffers(array, type, (size_t)(at_least_zero(length) + at_least_zero(array->offset)));
  array->n_buffers = types[type].size == 16 ? 5 : strchr("uU", types[type].format[0]) ? 3 : 2;
  switch (next()) {
  case 255: /* another number of views' buffers would be one more thing to be taken at its word */
    array->n_buffers = types[type].size == 16 ? number(2) : number(MOST_BUFFERS);
    break;
  case 254:
    array->buffers[next() % MOST_BUFFERS] = NULL;
    break;
  case 253:
    array->n_children = number(3);
    break;
  default:
    break;
  }
  return array;
}

static int get_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
  (void)stream;
  const uint8_t byte = next();
  if (byte >= 250) {
    memset(out, byte, sizeof *out);
    return byte;
  }
  *out = (struct ArrowArray){.release = NULL};
  if (state.batches_left == 0)
    return 0;
  state.batches_left--;
  const int64_t length = byte % 20;
  const void **buffers = make(MOST_BUFFERS * sizeof *buffers);
  buffers[0] = next() >= 240 ? make_filled(8) : NULL;
  out->length = buffers[0] == NULL && next() >= 250 ? number(40) : length;
  out->offset = next() >= 200 ? number(3) : 0;
  out->null_count = next() % 2 == 0 ? -1 : 0;
  out->buffers = buffers;
  out->n_buffers = next() < 250 ? 1 : number(MOST_BUFFERS);
  out->n_children = next() < 250 ? state.columns : number(MOST_COLUMNS);
  out->children = make(MOST_COLUMNS * sizeof(struct ArrowArray *));
  for (int64_t n = 0; n < state.columns; n++) {
    const uint8_t type = state.types[n];
    out->children[n] =
        make_array(type, next() < 250 ? length + at_least_zero(out->offset) : number(40));
    if (type & DICTIONARY && next() < 250)
      out->children[n]->dictionary = make_array(state.dictionary_types[n], number(9));
  }
  out->release = release_array;
  state.handed_out++;
  return 0;
}

static const char *get_last_error(struct ArrowArrayStream *stream)
{
  (void)stream;
  return next() % 2 != 0 ? "an error" : NULL;
}

static void release_stream(struct ArrowArrayStream *stream)
{
  require(stream->release != NULL);
  stream->release = NULL;
  state.handed_out--;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static const char *const names[] = {"a", "b", "c", "0", "1", "2", "", NULL};
  struct ArrowArrayStream stream = {get_schema, get_next, get_last_error, release_stream, NULL};
  pqf_data_options options = PQF_DATA_OPTIONS_INIT;
  pqf_data *taken = NULL;
  state.data = data;
  state.size = size;
  state.block_count = 0;
  state.handed_out = 1;
  state.columns = 1 + next() % MOST_COLUMNS;
  state.batches_left = next() % (MOST_BATCHES + 1);
  const char *row = names[next() % 8];
  const int is_long = next() % 2 != 0;
  const char *col = is_long ? names[next() % 8] : NULL;
  const char *value = is_long ? names[next() % 8] : NULL;
  options.nan_is_absent = next() % 2;
  const int status = pqf_data_arrow(&taken, &stream, row, col, value, &options);
  require(state.handed_out == 0 && stream.release == NULL);
  require((status == PQF_OK) == (taken != NULL));
  if (status == PQF_OK)
    require(pqf_data_count(taken) <= pqf_data_rows(taken) * pqf_data_cols(taken));
  else
    require(pqf_error_message()[0] != '\0');
  pqf_data_free(taken);
  for (size_t n = 0; n < state.block_count; n++)
    free(state.blocks[n]);
  return 0;
}
