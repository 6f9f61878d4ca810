/* Any bytes as a model file: refused with words, or a model that answers questions. A file that has
 * a head checksum is tried once more with the right digits, or the fuzzer would hardly ever get
 * past them. */
#include "model_file.h"
#include "pqf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(int condition, const char *what)
{
  if (!condition) {
    fprintf(stderr, "%s: %s\n", what, pqf_error_message());
    abort();
  }
}

static void ask(const pqf_model *model)
{
  const int32_t last_row = (int32_t)pqf_model_rows(model) - 1;
  const int32_t last_col = (int32_t)pqf_model_cols(model) - 1;
  pqf_summary summary = {.size = sizeof summary};
  pqf_epoch epoch = {.size = sizeof epoch};
  float prediction;
  require(last_row >= 0 && last_col >= 0, "a loaded model has rows and columns");
  require(pqf_predict(model, 1, &last_row, &last_col, &prediction) == PQF_OK, "predict");
  require(pqf_model_summary(model, &summary) == PQF_OK, "summary");
  if (summary.epochs > 0)
    require(pqf_model_history(model, summary.epochs - 1, &epoch) == PQF_OK, "history");
  for (int32_t side = 0; side < 2; ++side) {
    int32_t found = -1;
    pqf_id id;
    require(pqf_model_id(model, side, side == PQF_ROWS ? last_row : last_col, &id) == PQF_OK, "id");
    require(pqf_model_find(model, side, &id, &found) == PQF_OK && found >= 0, "find");
  }
}

static void load(const char *path, uint32_t flags)
{
  pqf_model *model;
  const int status = pqf_load(&model, path, flags);
  require((model != NULL) == (status == PQF_OK), "a model or a failure");
  if (status == PQF_OK)
    ask(model);
  else
    require(status == PQF_EFORMAT && pqf_error_message()[0] != '\0', "words of a failure");
  pqf_free(model);
}

/* Puts the right checksum into the head. 0: it has none, or is no head. */
static int mend(char *bytes, size_t size)
{
  uint64_t length;
  if (size < sizeof length)
    return 0;
  memcpy(&length, bytes, sizeof length);
  char *head = bytes + sizeof length;
  if (length > size - sizeof length)
    return 0;
  const size_t place = pqf_head_digits(head, (size_t)length);
  if (place > 0)
    pqf_head_checksum(head, (size_t)length, place, head + place);
  return place > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  static char path[64];
  static int file = -1;
  if (file < 0) {
    file = memfd_create("model", 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  }
  require(file >= 0 && ftruncate(file, 0) == 0 && pwrite(file, bytes, size, 0) == (ssize_t)size,
          "writing the input");
  load(path, 0);
  load(path, PQF_LOAD_VERIFY);

  char *mended = malloc(size + 1);
  require(mended != NULL, "memory");
  memcpy(mended, bytes, size);
  if (mend(mended, size)) {
    require(pwrite(file, mended, size, 0) == (ssize_t)size, "writing the mended input");
    load(path, 0);
  }
  free(mended);
  return 0;
}
