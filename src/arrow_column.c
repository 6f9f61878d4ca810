/* One column of an Arrow table: its type, the checks that its arrays keep the rules of the C data
 * interface, and its values as floats or as ids.
 *
 * The interface tells the number of buffers but not their sizes, so lengths have to be taken at
 * their word; whatever else can be checked is. Buffers need not be aligned, so values are loaded
 * with memcpy, which costs nothing. */
#include "arrow_column.h"

#include "error.h"
#include "number_text.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* The letter of a format; see pqf_arrow_values. */
static char type_of(const char *format)
{
  if (strcmp(format, "vu") == 0)
    return 'v';
  if (format[0] != '\0' && format[1] == '\0' && strchr("bcCsSiIlLefguU", format[0]) != NULL)
    return format[0];
  return 0;
}

static int is_integer(char type)
{
  return type != 0 && strchr("cCsSiIlL", type) != NULL;
}

static int is_text(char type)
{
  return type == 'u' || type == 'U' || type == 'v';
}

void pqf_arrow_column_open(pqf_arrow_column *column, const struct ArrowSchema *schema)
{
  const struct ArrowSchema *dictionary = schema->dictionary;
  *column = (pqf_arrow_column){.name = schema->name != NULL ? schema->name : "",
                               .format = schema->format,
                               .has_dictionary = dictionary != NULL};
  column->values.type = type_of(schema->format);
  if (dictionary != NULL && dictionary->dictionary == NULL && dictionary->format != NULL)
    column->dictionary.type = type_of(dictionary->format);
}

int pqf_arrow_is_numeric(const pqf_arrow_column *column)
{
  const char type = column->values.type;
  return !column->has_dictionary && type != 0 && !is_text(type);
}

int32_t pqf_arrow_id_kind(const pqf_arrow_column *column)
{
  if (column->has_dictionary && !is_integer(column->values.type))
    return PQF_IDS_NONE;
  const char type = column->has_dictionary ? column->dictionary.type : column->values.type;
  if (is_integer(type))
    return PQF_IDS_NUMBERS;
  return is_text(type) ? PQF_IDS_TEXTS : PQF_IDS_NONE;
}

/* Words for a column that breaks the interface's rules. */
static int broken(const pqf_arrow_column *column, const char *what, int64_t number)
{
  return pqf_fail(PQF_EFORMAT, "Arrow stream, column \"%.100s\": %s %" PRId64, column->name, what,
                  number);
}

/* Checks the parts of an array that are numbers; `first` and `length`: what is to be read of it. */
static int check_numbers(const pqf_arrow_column *column, const struct ArrowArray *array,
                         int64_t first, int64_t length)
{
  if (array->length < 0)
    return broken(column, "the length of an array is", array->length);
  if (array->offset < 0)
    return broken(column, "the offset of an array is", array->offset);
  if (array->null_count < -1 || array->null_count > array->length)
    return broken(column, "the null count of an array is", array->null_count);
  if (array->n_children != 0)
    return broken(column, "the number of an array's children is", array->n_children);
  int64_t end;
  if (__builtin_add_overflow(array->offset, array->length, &end) || end > INT64_MAX / 16)
    return broken(column, "an array cannot have the offset", array->offset);
  if (__builtin_add_overflow(first, length, &end) || end > array->length)
    return broken(column, "the table is longer than this column's array of length", array->length);
  return PQF_OK;
}

/* Checks the number of buffers, and that those which must be there are. */
static int check_buffers(const pqf_arrow_column *column, const struct ArrowArray *array, char type,
                         int64_t length)
{
  const int64_t count = array->n_buffers;
  if (type == 'v' ? count < 3 || count > INT32_MAX : count != (is_text(type) ? 3 : 2))
    return broken(column, "the number of an array's buffers is", count);
  if (array->buffers == NULL)
    return broken(column, "an array has no buffers but says that there are", count);
  if (array->null_count > 0 && array->buffers[0] == NULL)
    return broken(column, "an array has no validity buffer but says that its nulls are",
                  array->null_count);
  if (length > 0 && array->buffers[1] == NULL)
    return broken(column, "an array has no data buffer but is of length", array->length);
  if (type == 'v' && count > 3 && array->buffers[count - 1] == NULL)
    return broken(column, "an array of views has no buffer of sizes; its buffers are", count);
  return PQF_OK;
}

static int bind_values(pqf_arrow_values *values, const pqf_arrow_column *column,
                       const struct ArrowArray *array, int64_t first, int64_t length)
{
  if (array == NULL || array->release == NULL)
    return pqf_fail(PQF_EFORMAT, "Arrow stream, column \"%.100s\": an array is missing",
                    column->name);
  int status = check_numbers(column, array, first, length);
  if (status == PQF_OK)
    status = check_buffers(column, array, values->type, length);
  if (status != PQF_OK)
    return status;
  values->first = array->offset + first;
  values->length = length;
  values->buffers = array->buffers;
  values->buffer_count = array->n_buffers;
  values->validity = array->null_count == 0 ? NULL : array->buffers[0];
  return PQF_OK;
}

int pqf_arrow_bind(pqf_arrow_column *column, const struct ArrowArray *batch, int64_t place,
                   int64_t first_line)
{
  const struct ArrowArray *array = batch->children[place];
  column->first_line = first_line;
  int status = bind_values(&column->values, column, array, batch->offset, batch->length);
  if (status != PQF_OK || !column->has_dictionary)
    return status;
  if (array->dictionary == NULL)
    return pqf_fail(PQF_EFORMAT, "Arrow stream, column \"%.100s\": an array has no dictionary",
                    column->name);
  return bind_values(&column->dictionary, column, array->dictionary, 0, array->dictionary->length);
}

static int bit(const uint8_t *bits, int64_t n)
{
  return bits[n >> 3] >> (n & 7) & 1;
}

static int is_null(const pqf_arrow_values *values, int64_t n)
{
  return values->validity != NULL && !bit(values->validity, values->first + n);
}

int64_t pqf_arrow_first_null(const pqf_arrow_column *column)
{
  if (column->values.validity == NULL)
    return -1;
  for (int64_t n = 0; n < column->values.length; n++) {
    if (is_null(&column->values, n))
      return n;
  }
  return -1;
}

/* IEEE 754 binary16: 1 bit sign, 5 bits exponent with bias 15, 10 bits fraction. */
static float half_to_float(uint16_t half)
{
  const int exponent = half >> 10 & 31;
  const int fraction = half & 1023;
  float magnitude;
  if (exponent == 31)
    magnitude = fraction != 0 ? NAN : INFINITY;
  else if (exponent == 0)
    magnitude = ldexpf((float)fraction, -24);
  else
    magnitude = ldexpf((float)(fraction + 1024), exponent - 25);
  return half >> 15 != 0 ? -magnitude : magnitude;
}

/* A case of the switch below: loads `count` values of a C type as floats. */
#define CONVERT(letter, ctype, expression)                                                         \
  case letter:                                                                                     \
    for (int64_t n = 0; n < count; n++) {                                                          \
      ctype loaded;                                                                                \
      memcpy(&loaded, bytes + (place + n) * (int64_t)sizeof loaded, sizeof loaded);                \
      out[n * stride] = (float)(expression);                                                       \
    }                                                                                              \
    break

static void convert(const pqf_arrow_values *values, int64_t first, int64_t count, float *out,
                    int64_t stride)
{
  const char *bytes = values->buffers[1];
  const int64_t place = values->first + first;
  switch (values->type) {
    CONVERT('c', int8_t, loaded);
    CONVERT('C', uint8_t, loaded);
    CONVERT('s', int16_t, loaded);
    CONVERT('S', uint16_t, loaded);
    CONVERT('i', int32_t, loaded);
    CONVERT('I', uint32_t, loaded);
    CONVERT('l', int64_t, loaded);
    CONVERT('L', uint64_t, loaded);
    CONVERT('e', uint16_t, half_to_float(loaded));
    CONVERT('f', float, loaded);
    CONVERT('g', double, loaded);
  default: /* 'b' */
    for (int64_t n = 0; n < count; n++)
      out[n * stride] = (float)bit((const uint8_t *)bytes, place + n);
  }
}

/* Doubles that became infinite and were not so before, nulls excepted. */
static int check_range(const pqf_arrow_column *column, int64_t first, int64_t count,
                       const float *out, int64_t stride)
{
  const pqf_arrow_values *values = &column->values;
  const char *bytes = values->buffers[1];
  for (int64_t n = 0; n < count; n++) {
    if (!isinf(out[n * stride]) || is_null(values, first + n))
      continue;
    double x;
    memcpy(&x, bytes + (values->first + first + n) * (int64_t)sizeof x, sizeof x);
    if (isfinite(x)) {
      char number[PQF_NUMBER_TEXT];
      pqf_number_print(x, number);
      return pqf_fail(PQF_EINVAL,
                      "column \"%.100s\", line %" PRId64 " (from 0): %s is beyond the range of "
                      "float",
                      column->name, column->first_line + first + n, number);
    }
  }
  return PQF_OK;
}

int pqf_arrow_floats(const pqf_arrow_column *column, int64_t first, int64_t count, float *out,
                     int64_t stride)
{
  const pqf_arrow_values *values = &column->values;
  if (count == 0)
    return PQF_OK;
  convert(values, first, count, out, stride);
  if (values->type == 'g') {
    const int status = check_range(column, first, count, out, stride);
    if (status != PQF_OK)
      return status;
  }
  if (values->validity != NULL) {
    for (int64_t n = 0; n < count; n++) {
      if (is_null(values, first + n))
        out[n * stride] = NAN;
    }
  }
  return PQF_OK;
}

/* A case of the switch below: loads one integer. */
#define LOAD(letter, ctype)                                                                        \
  case letter: {                                                                                   \
    ctype loaded;                                                                                  \
    memcpy(&loaded, bytes + place * (int64_t)sizeof loaded, sizeof loaded);                        \
    *out = (int64_t)loaded;                                                                        \
    return PQF_OK;                                                                                 \
  }

/* Value n of integers. */
static int get_integer(const pqf_arrow_column *column, const pqf_arrow_values *values, int64_t n,
                       int64_t *out)
{
  const char *bytes = values->buffers[1];
  const int64_t place = values->first + n;
  switch (values->type) {
    LOAD('c', int8_t)
    LOAD('C', uint8_t)
    LOAD('s', int16_t)
    LOAD('S', uint16_t)
    LOAD('i', int32_t)
    LOAD('I', uint32_t)
    LOAD('l', int64_t)
  default: { /* 'L' */
    uint64_t loaded;
    memcpy(&loaded, bytes + place * (int64_t)sizeof loaded, sizeof loaded);
    if (loaded > INT64_MAX)
      return pqf_fail(PQF_EINVAL, "column \"%.100s\": id %" PRIu64 " is above %" PRId64,
                      column->name, loaded, INT64_MAX);
    *out = (int64_t)loaded;
    return PQF_OK;
  }
  }
}

/* A view, 16 bytes: the length, then up to 12 bytes of text, or the first 4 bytes of the text, the
 * number of a buffer and a place in it. */
static int get_view(const pqf_arrow_column *column, const pqf_arrow_values *values, int64_t n,
                    pqf_id *out)
{
  const char *bytes = values->buffers[1];
  const char *at = bytes + 16 * (values->first + n);
  int32_t length;
  memcpy(&length, at, sizeof length);
  if (length < 0)
    return broken(column, "the length of a text is", length);
  if (length <= 12) {
    *out = (pqf_id){at + 4, length, 0};
    return PQF_OK;
  }
  int32_t where[2]; /* buffer, place */
  memcpy(where, at + 8, sizeof where);
  const int64_t buffers = values->buffer_count - 3;
  if (where[0] < 0 || where[0] >= buffers)
    return broken(column, "a text lies in buffer", where[0]);
  const char *sizes = values->buffers[values->buffer_count - 1];
  int64_t size;
  memcpy(&size, sizes + where[0] * (int64_t)sizeof size, sizeof size);
  const char *text = values->buffers[2 + where[0]];
  if (where[1] < 0 || (int64_t)where[1] + length > size || text == NULL)
    return broken(column, "a text lies beyond its buffer, at", where[1]);
  *out = (pqf_id){text + where[1], length, 0};
  return PQF_OK;
}

/* Value n of texts. */
static int get_text(const pqf_arrow_column *column, const pqf_arrow_values *values, int64_t n,
                    pqf_id *out)
{
  if (values->type == 'v')
    return get_view(column, values, n, out);
  const char *offsets = values->buffers[1];
  const int64_t place = values->first + n;
  int64_t range[2];
  if (values->type == 'u') {
    int32_t narrow[2];
    memcpy(narrow, offsets + place * (int64_t)sizeof narrow[0], sizeof narrow);
    range[0] = narrow[0];
    range[1] = narrow[1];
  } else {
    memcpy(range, offsets + place * (int64_t)sizeof range[0], sizeof range);
  }
  if (range[0] < 0)
    return broken(column, "a text begins at offset", range[0]);
  if (range[1] < range[0])
    return broken(column, "offsets descend to", range[1]);
  const int64_t length = range[1] - range[0];
  if (length > INT32_MAX)
    return pqf_fail(PQF_EINVAL, "column \"%.100s\": an id has %" PRId64 " bytes", column->name,
                    length);
  const char *text = values->buffers[2];
  if (length > 0 && text == NULL)
    return broken(column, "an array without text has a text of length", length);
  *out = (pqf_id){length > 0 ? text + range[0] : "", length, 0};
  return PQF_OK;
}

static int refuse_null(const pqf_arrow_column *column, const char *what, int64_t n)
{
  return pqf_fail(PQF_EINVAL, "column \"%.100s\", %s %" PRId64 " (from 0): the id is null",
                  column->name, what, n);
}

int pqf_arrow_id(const pqf_arrow_column *column, int64_t n, pqf_id *out)
{
  const pqf_arrow_values *values = column->has_dictionary ? &column->dictionary : &column->values;
  if (is_null(values, n))
    return column->has_dictionary ? refuse_null(column, "dictionary entry", n)
                                  : refuse_null(column, "line", column->first_line + n);
  if (is_text(values->type))
    return get_text(column, values, n, out);
  *out = (pqf_id){NULL, 0, 0};
  return get_integer(column, values, n, &out->number);
}

int pqf_arrow_dictionary_place(const pqf_arrow_column *column, int64_t n, int64_t *out)
{
  if (is_null(&column->values, n))
    return refuse_null(column, "line", column->first_line + n);
  const int status = get_integer(column, &column->values, n, out);
  if (status != PQF_OK)
    return status;
  if (*out < 0 || *out >= column->dictionary.length)
    return broken(column, "a value lies outside of its dictionary, at", *out);
  return PQF_OK;
}
