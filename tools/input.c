#include "input.h"

#include "failure.h"
#include "memory_limit.h"
#include "parquet.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <zlib.h>

/* What a file of each format begins with, and is called. */
static const struct {
  int format;
  const char *name;
  const char *magic;
  const char *suffix;
  bool gzip; /* may be compressed as a whole */
} formats[] = {
    {PQF_FORMAT_PARQUET, "Parquet", "PAR1", ".parquet", false},
    {PQF_FORMAT_NPY, "NumPy", "\x93NUMPY", ".npy", false},
    {PQF_FORMAT_MATRIX_MARKET, "Matrix Market", "%%MatrixMarket", ".mtx", true},
};

enum { FORMATS = sizeof formats / sizeof formats[0], FIRST_BYTES = 16 };

/* Whether a name ends in a suffix, or has it before another: "matrix.parquet.gzip". */
static bool has_suffix(const char *path, const char *suffix)
{
  const char *name = strrchr(path, '/');
  name = name != NULL ? name + 1 : path;
  const size_t length = strlen(suffix);
  for (const char *at = strcasestr(name, suffix); at != NULL; at = strcasestr(at + 1, suffix))
    if (at[length] == '\0' || at[length] == '.')
      return true;
  return false;
}

/* Reads the first bytes, of what a compressed file holds. */
static int read_first(const char *path, char first[FIRST_BYTES], int *count, bool *compressed)
{
  gzFile file = gzopen(path, "rb");
  if (file == NULL)
    return pqf_say(PQF_EIO, "%s: %s", path, strerror(errno != 0 ? errno : ENOMEM));
  *count = gzread(file, first, FIRST_BYTES);
  *compressed = gzdirect(file) == 0;
  (void)gzclose(file);
  if (*count < 0)
    return pqf_say(PQF_EFORMAT, "%s: damaged gzip data", path);
  if (*count == 0)
    return pqf_say(PQF_EFORMAT, "%s: the file is empty", path);
  return PQF_OK;
}

int pqf_input_format(int *out, const char *path)
{
  struct stat info;
  char first[FIRST_BYTES];
  int count = 0;
  bool compressed = false;
  *out = PQF_FORMAT_CSV;
  if (stat(path, &info) != 0)
    return pqf_say(PQF_EIO, "%s: %s", path, strerror(errno));
  if (S_ISDIR(info.st_mode))
    return pqf_say(PQF_EIO, "%s: %s", path, strerror(EISDIR));
  pqf_memory_limit_input(S_ISREG(info.st_mode) ? (uint64_t)info.st_size : UINT64_MAX);
  if (!S_ISREG(info.st_mode))
    return PQF_OK; /* a pipe can be read but once: it has to be CSV */
  const int status = read_first(path, first, &count, &compressed);
  if (status != PQF_OK)
    return status;
  for (int n = 0; n < FORMATS; ++n) {
    const size_t length = strlen(formats[n].magic);
    const bool is_this = (size_t)count >= length && memcmp(first, formats[n].magic, length) == 0;
    if (is_this && compressed && !formats[n].gzip)
      return pqf_say(PQF_EFORMAT, "%s: a %s file compressed as a whole; gunzip it first", path,
                     formats[n].name);
    if (!is_this && has_suffix(path, formats[n].suffix))
      return pqf_say(PQF_EFORMAT, "%s: not a %s file, by its first bytes", path, formats[n].name);
    if (is_this) {
      *out = formats[n].format;
      return PQF_OK;
    }
  }
  return PQF_OK;
}

int pqf_input_table(pqf_table *out, const char *path, const pqf_input_options *options)
{
  int format;
  const int status = pqf_input_format(&format, path);
  if (status != PQF_OK)
    return status;
  switch (format) {
  case PQF_FORMAT_PARQUET:
    return pqf_read_parquet(out, path, options);
  case PQF_FORMAT_NPY:
    return pqf_read_npy(out, path);
  case PQF_FORMAT_MATRIX_MARKET:
    return pqf_read_matrix_market(out, path);
  default:
    return pqf_read_csv(out, path, options);
  }
}

int pqf_input_data(pqf_data **out, pqf_table *table, const char *path,
                   const pqf_input_options *options, bool keep_ids)
{
  int format;
  *out = NULL;
  int status = pqf_input_format(&format, path);
  if (status != PQF_OK)
    return status;
  if (format == PQF_FORMAT_PARQUET && !keep_ids)
    return pqf_read_parquet_data(out, path, options);
  status = pqf_input_table(table, path, options);
  return status == PQF_OK ? pqf_table_data(out, table, options, path) : status;
}
