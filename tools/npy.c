/* NumPy's format: "\x93NUMPY", a version (1 to 3), the length of the head in 2 (version 1) or 4
 * bytes, and the head, a Python dictionary such as
 *     {'descr': '<f4', 'fortran_order': False, 'shape': (5, 4), }
 * padded with blanks and ended by a line feed. The values follow. Of a dictionary no more is
 * understood than the three entries that the format has, in any order. */
#include "npy.h"

#include "failure.h"
#include "pqf.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAGIC = 6, LONGEST_HEAD = 65536 };

static int fail(const char *path, const char *what)
{
  return pqf_say(PQF_EFORMAT, "%s: %s", path, what);
}

/* The text behind 'name': in the dictionary; NULL if it is not there. */
static const char *find_entry(const char *head, const char *name)
{
  char key[32];
  (void)snprintf(key, sizeof key, "'%s'", name);
  const char *at = strstr(head, key);
  if (at == NULL)
    return NULL;
  at += strlen(key);
  at += strspn(at, " ");
  if (*at != ':')
    return NULL;
  return at + 1 + strspn(at + 1, " ");
}

static int read_type(pqf_npy_head *out, const char *text, const char *path)
{
  static const char *const known[] = {"'<f4'", "'<f8'", "'<i4'", "'<i8'"};
  for (size_t n = 0; text != NULL && n < sizeof known / sizeof known[0]; ++n)
    if (strncmp(text, known[n], strlen(known[n])) == 0) {
      out->kind = known[n][2];
      out->size = known[n][3] - '0';
      return PQF_OK;
    }
  const int length = text != NULL ? (int)strcspn(text, ",}") : 0;
  return pqf_say(PQF_EFORMAT, "%s: values of the type %.*s; only <f4, <f8, <i4 and <i8 can be read",
                 path, length < 40 ? length : 40, text != NULL ? text : "");
}

static bool read_extent(const char **at, int64_t *out)
{
  char *end;
  if (**at < '0' || **at > '9')
    return false;
  const unsigned long long value = strtoull(*at, &end, 10);
  *at = end + strspn(end, " ");
  *out = (int64_t)value;
  return value <= INT32_MAX;
}

static int read_shape(pqf_npy_head *out, const char *text, const char *path)
{
  const char *at = text;
  if (at == NULL || *at++ != '(')
    return fail(path, "the head has no shape");
  at += strspn(at, " ");
  if (!read_extent(&at, &out->rows) || *at++ != ',')
    return fail(path, "the shape in the head is not that of a matrix of at most 2147483647 rows");
  at += strspn(at, " ");
  if (*at == ')')
    return fail(path, "this is a vector, not a matrix");
  if (!read_extent(&at, &out->cols) || (*at != ')' && *at != ','))
    return fail(path, "the shape in the head is not that of a matrix");
  at += *at == ',';
  at += strspn(at, " ");
  if (*at != ')')
    return fail(path, "the array has more than two dimensions");
  if (out->rows == 0 || out->cols == 0)
    return fail(path, "a matrix without rows or columns");
  return PQF_OK;
}

static int read_dictionary(pqf_npy_head *out, const char *head, const char *path)
{
  const char *order = find_entry(head, "fortran_order");
  int status = read_type(out, find_entry(head, "descr"), path);
  if (status == PQF_OK)
    status = read_shape(out, find_entry(head, "shape"), path);
  if (status != PQF_OK)
    return status;
  if (order == NULL || (strncmp(order, "True", 4) != 0 && strncmp(order, "False", 5) != 0))
    return fail(path, "the head does not say whether the order is Fortran's");
  out->fortran = *order == 'T';
  return PQF_OK;
}

int pqf_npy_read_head(pqf_npy_head *out, const char *file, size_t size, const char *path)
{
  *out = (pqf_npy_head){0};
  if (size < MAGIC + 4 || memcmp(file, "\x93NUMPY", MAGIC) != 0)
    return fail(path, "not a .npy file");
  const unsigned char *bytes = (const unsigned char *)file;
  const unsigned int version = bytes[MAGIC];
  if (version < 1 || version > 3)
    return pqf_say(PQF_EFORMAT, "%s: version %u of the .npy format", path, version);
  const size_t prefix = MAGIC + 2 + (version == 1 ? 2 : 4);
  size_t length = bytes[MAGIC + 2] | (size_t)bytes[MAGIC + 3] << 8;
  if (version > 1 && size >= prefix)
    length |= (size_t)bytes[MAGIC + 4] << 16 | (size_t)bytes[MAGIC + 5] << 24;
  if (size < prefix || length > size - prefix || length > LONGEST_HEAD)
    return pqf_say(PQF_EFORMAT, "%s: a head of %zu bytes in a file of %zu", path, length, size);
  char *head = pqf_resize(NULL, (int64_t)length + 1, 1);
  if (head == NULL)
    return PQF_ENOMEM;
  memcpy(head, file + prefix, length);
  head[length] = '\0';
  int status = read_dictionary(out, head, path);
  free(head);
  out->data = prefix + length;
  const size_t have = size - out->data;
  if (status == PQF_OK && (uint64_t)(out->rows * out->cols) > have / (size_t)out->size)
    status = pqf_say(PQF_EFORMAT,
                     "%s: %" PRId64 " x %" PRId64
                     " values of %d bytes are promised, %zu bytes are there",
                     path, out->rows, out->cols, out->size, have);
  return status;
}

void pqf_npy_write_head(char out[PQF_NPY_HEAD], int64_t rows, int64_t cols)
{
  enum { PREFIX = 10 };
  const int length = PQF_NPY_HEAD - PREFIX;
  char shape[64];
  if (cols < 0)
    (void)snprintf(shape, sizeof shape, "(%" PRId64 ",)", rows);
  else
    (void)snprintf(shape, sizeof shape, "(%" PRId64 ", %" PRId64 ")", rows, cols);
  memcpy(out, "\x93NUMPY\x01\x00", PREFIX - 2);
  out[PREFIX - 2] = (char)length;
  out[PREFIX - 1] = 0;
  memset(out + PREFIX, ' ', (size_t)length);
  const int used = snprintf(out + PREFIX, (size_t)length,
                            "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }", shape);
  out[PREFIX + used] = ' ';
  out[PQF_NPY_HEAD - 1] = '\n';
}
