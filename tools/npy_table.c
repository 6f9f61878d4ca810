/* A .npy file as a table. The file is mapped: floats in C order are used where they lie, anything
 * else is converted once. */
#include "failure.h"
#include "input.h"
#include "npy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int map_file(pqf_table *out, const char *path)
{
  struct stat info;
  int status = PQF_OK;
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0 || fstat(file, &info) != 0) {
    status = pqf_say(PQF_EIO, "%s: %s", path, strerror(errno));
    goto out;
  }
  if (!S_ISREG(info.st_mode) || info.st_size == 0) {
    status = pqf_say(PQF_EIO, "%s: a .npy file has to be a file on a disk", path);
    goto out;
  }
  void *mapping = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, file, 0);
  if (mapping == MAP_FAILED) {
    status = pqf_say(PQF_EIO, "%s: %s", path, strerror(errno));
    goto out;
  }
  out->mapping = mapping;
  out->mapping_size = (size_t)info.st_size;
out:
  if (file >= 0)
    (void)close(file);
  return status;
}

static float load(const char *from, const pqf_npy_head *head)
{
  union {
    float f4;
    double f8;
    int32_t i4;
    int64_t i8;
  } value;
  memcpy(&value, from, (size_t)head->size);
  if (head->kind == 'f')
    return head->size == 4 ? value.f4 : (float)value.f8;
  return head->size == 4 ? (float)value.i4 : (float)value.i8;
}

/* Fortran's order is walked by square tiles, so that neither side leaves the cache. */
static int convert(pqf_table *out, const pqf_npy_head *head, const char *data)
{
  enum { TILE = 64 };
  const int64_t rows = head->rows, cols = head->cols;
  float *values = pqf_resize(NULL, rows * cols, sizeof *values);
  if (values == NULL)
    return PQF_ENOMEM;
  for (int64_t top = 0; top < rows; top += TILE)
    for (int64_t left = 0; left < cols; left += TILE)
      for (int64_t row = top; row < rows && row < top + TILE; ++row)
        for (int64_t col = left; col < cols && col < left + TILE; ++col) {
          const int64_t place = head->fortran ? col * rows + row : row * cols + col;
          values[row * cols + col] = load(data + place * head->size, head);
        }
  out->owned = values;
  out->values = values;
  return PQF_OK;
}

int pqf_read_npy(pqf_table *out, const char *path)
{
  pqf_npy_head head;
  int status = map_file(out, path);
  if (status == PQF_OK)
    status = pqf_npy_read_head(&head, out->mapping, out->mapping_size, path);
  if (status != PQF_OK)
    return status;
  const char *data = (const char *)out->mapping + head.data;
  out->rows = head.rows;
  out->cols = head.cols;
  if (head.kind == 'f' && head.size == 4 && !head.fortran && head.data % sizeof(float) == 0)
    out->values = (const float *)(const void *)data;
  else
    status = convert(out, &head, data);
  return status;
}
