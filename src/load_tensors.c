/* The table of tensors in the head of a safetensors file:
 *     "NAME": {"dtype": "F32", "shape": [rows, factors], "data_offsets": [begin, end]}
 * begin and end count bytes from the end of the head. For every type whose width is known,
 * end - begin is the width times the product of the shape; together the tensors fill the data
 * without overlaps or gaps. */
#include "load.h"

#include "memory.h"
#include "model_file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct range {
  int64_t begin;
  int64_t end;
} range;

/* Bytes per element; 0: a type that this library knows nothing of. */
static int64_t width_of(const char *type)
{
  static const struct {
    const char *type;
    int64_t width;
  } known[] = {
      {"F32", 4}, {"I64", 8},  {"U8", 1},  {"BOOL", 1}, {"I8", 1},  {"I16", 2}, {"U16", 2},
      {"F16", 2}, {"BF16", 2}, {"I32", 4}, {"U32", 4},  {"U64", 8}, {"F64", 8},
  };
  for (size_t n = 0; n < sizeof known / sizeof known[0]; ++n)
    if (strcmp(known[n].type, type) == 0)
      return known[n].width;
  return 0;
}

/* Element `n` of an array, as a number that is not negative; -1: it is none. */
static int64_t natural_at(const json_t *array, size_t n)
{
  const json_t *value = json_array_get(array, n);
  const json_int_t number = json_is_integer(value) ? json_integer_value(value) : -1;
  return number >= 0 ? (int64_t)number : -1;
}

/* Fills in dimensions and shape, and gives the number of elements. */
static int read_shape(const pqf_loading *loading, const char *name, const json_t *shape,
                      pqf_tensor *out, int64_t *elements)
{
  const size_t dimensions = json_array_size(shape);
  if (!json_is_array(shape) || dimensions > INT32_MAX)
    return pqf_damaged(loading, "tensor '%.64s' has no shape", name);
  out->dimensions = (int)dimensions;
  *elements = 1;
  for (size_t n = 0; n < dimensions; ++n) {
    const int64_t extent = natural_at(shape, n);
    if (extent < 0 || __builtin_mul_overflow(*elements, extent, elements))
      return pqf_damaged(loading, "tensor '%.64s' has an impossible shape", name);
    if (n < 2)
      out->shape[n] = extent;
  }
  return PQF_OK;
}

static int read_tensor(const pqf_loading *loading, const char *name, const json_t *entry,
                       pqf_tensor *out)
{
  *out = (pqf_tensor){.present = 1, .shape = {1, 1}};
  const json_t *offsets = json_object_get(entry, "data_offsets");
  int64_t elements = 0;
  out->type = json_string_value(json_object_get(entry, "dtype"));
  if (out->type == NULL)
    return pqf_damaged(loading, "tensor '%.64s' has no dtype", name);
  const int status = read_shape(loading, name, json_object_get(entry, "shape"), out, &elements);
  if (status != PQF_OK)
    return status;

  const int64_t begin = natural_at(offsets, 0);
  const int64_t end = natural_at(offsets, 1);
  if (json_array_size(offsets) != 2 || begin < 0 || end < begin)
    return pqf_damaged(loading, "tensor '%.64s' has no data_offsets", name);
  if (end > loading->data_size)
    return pqf_damaged(loading,
                       "cut short, or damaged: tensor '%.64s' ends at byte %" PRId64 " of %" PRId64,
                       name, end, loading->data_size);
  const int64_t width = width_of(out->type);
  int64_t size;
  if (width > 0 && (__builtin_mul_overflow(elements, width, &size) || size != end - begin))
    return pqf_damaged(loading,
                       "tensor '%.64s' has %" PRId64 " elements of %.16s in %" PRId64 " bytes",
                       name, elements, out->type, end - begin);
  out->begin = begin;
  out->size = end - begin;
  out->values = loading->data + begin;
  return PQF_OK;
}

static int compare_ranges(const void *left, const void *right)
{
  const range *a = left;
  const range *b = right;
  if (a->begin != b->begin)
    return a->begin < b->begin ? -1 : 1;
  return (a->end > b->end) - (a->end < b->end);
}

static int check_ranges(const pqf_loading *loading, range *ranges, int64_t count)
{
  qsort(ranges, (size_t)count, sizeof *ranges, compare_ranges);
  int64_t end = 0;
  for (int64_t n = 0; n < count; ++n) {
    if (ranges[n].begin != end)
      return pqf_damaged(loading,
                         "damaged: a tensor begins at byte %" PRId64 ", the one before it ends at "
                         "%" PRId64,
                         ranges[n].begin, end);
    end = ranges[n].end;
  }
  if (end != loading->data_size)
    return pqf_damaged(loading, "damaged: its tensors end at byte %" PRId64 " of %" PRId64, end,
                       loading->data_size);
  return PQF_OK;
}

int pqf_tensors_check(const pqf_loading *loading)
{
  const char *name;
  json_t *entry;
  int status = PQF_OK;
  int64_t count = 0;
  range *ranges = pqf_allocate((int64_t)json_object_size(loading->head), sizeof *ranges);
  if (ranges == NULL)
    return PQF_ENOMEM;
  json_object_foreach(loading->head, name, entry)
  {
    pqf_tensor one;
    if (strcmp(name, PQF_FILE_METADATA) == 0)
      continue;
    status = read_tensor(loading, name, entry, &one);
    if (status != PQF_OK)
      goto out;
    ranges[count++] = (range){one.begin, one.begin + one.size};
  }
  status = check_ranges(loading, ranges, count);
out:
  pqf_release(ranges);
  return status;
}

int pqf_tensor_find(const pqf_loading *loading, const char *name, pqf_tensor *out)
{
  const json_t *entry = json_object_get(loading->head, name);
  *out = (pqf_tensor){.present = 0};
  return entry != NULL ? read_tensor(loading, name, entry, out) : PQF_OK;
}
