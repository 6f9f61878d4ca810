#include "writer.h"

#include "failure.h"
#include "parquet.h"

#include <string.h>
#include <strings.h>
#include <sys/stat.h>

bool pqf_ends_in(const char *path, const char *suffix)
{
  const size_t length = strlen(path), wanted = strlen(suffix);
  return length >= wanted && strcasecmp(path + length - wanted, suffix) == 0;
}

const pqf_writer *pqf_find_writer(const char *path)
{
  static const struct {
    const char *suffix;
    const pqf_writer *writer;
  } known[] = {
      {".csv", &pqf_csv_writer},
      {".csv.gz", &pqf_csv_writer},
      {".npy", &pqf_npy_writer},
      {".parquet", &pqf_parquet_writer},
      {".parquet.gz", &pqf_parquet_writer},
      {".parquet.gzip", &pqf_parquet_writer},
      {".parquet.snappy", &pqf_parquet_writer},
      {".parquet.zst", &pqf_parquet_writer},
      {".parquet.zstd", &pqf_parquet_writer},
  };
  struct stat info;
  for (size_t n = 0; n < sizeof known / sizeof known[0]; ++n)
    if (pqf_ends_in(path, known[n].suffix))
      return known[n].writer;
  if (strcmp(path, "-") == 0 || (stat(path, &info) == 0 && !S_ISREG(info.st_mode)))
    return &pqf_csv_writer;
  (void)pqf_say(PQF_EINVAL, "%s: the name of an output ends in .csv, .csv.gz, .npy or .parquet",
                path);
  return NULL;
}
