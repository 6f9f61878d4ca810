/* Model files that are damaged, strange or hostile: refused with words, or an equal model. */
#include "model_files.h"
#include "suites.h"
#include "test.h"

#include "model_file.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Files of libpqf's that were changed ----------------------------------------------------- */

static void check_refused(const char *path, uint32_t flags)
{
  pqf_model *loaded = NULL;
  CHECK_STATUS(pqf_load(&loaded, path, flags), PQF_EFORMAT);
  CHECK_WORDS(".pqf: ");
  CU_ASSERT_PTR_NULL(loaded);
  pqf_free(loaded);
}

static void cut_at_every_byte(void)
{
  const char *path = test_file("cut.pqf");
  size_t size;
  pqf_model *model = fitted_model(PQF_IDS_TEXTS, 1);
  CHECK_OK(pqf_save(model, path));
  char *bytes = read_file(path, &size);
  for (size_t length = size; length-- > 0;) {
    CU_ASSERT_EQUAL(truncate(path, (off_t)length), 0);
    check_refused(path, 0);
  }
  memset(bytes + size / 2, 0, 1);
  char *longer = test_allocate((int64_t)size + 1, 1);
  memcpy(longer, bytes, size);
  write_file(path, longer, size + 1); /* and one byte too long */
  check_refused(path, 0);
  free(longer);
  free(bytes);
  pqf_free(model);
}

static void every_byte_of_the_head_changed(void)
{
  static const unsigned char changes[] = {0x01, 0x20, 0x80, 0xff};
  const char *path = test_file("head.pqf");
  size_t size;
  uint64_t length;
  pqf_model *model = fitted_model(PQF_IDS_NUMBERS, 0);
  CHECK_OK(pqf_save(model, path));
  char *bytes = read_file(path, &size);
  memcpy(&length, bytes, sizeof length);
  for (size_t at = 0; at < sizeof length + length; ++at)
    for (size_t n = 0; n < sizeof changes; ++n) {
      const char kept = bytes[at];
      bytes[at] = (char)(kept ^ changes[n]);
      write_file(path, bytes, size);
      check_refused(path, 0);
      bytes[at] = kept;
    }
  free(bytes);
  pqf_free(model);
}

/* What is done with a damaged model that was loaded without a look at its tensors: predictions are
 * made, but nothing puts them under a checksum that is right. */
static void check_not_signed(pqf_model *damaged, const pqf_data *data)
{
  const char *again = test_file("signed.pqf");
  const int32_t index = 1;
  float prediction;
  CHECK_OK(pqf_predict(damaged, 1, &index, &index, &prediction));
  CHECK_STATUS(pqf_save(damaged, again), PQF_EFORMAT);
  CHECK_WORDS("data.pqf: its tensors are damaged");
  CU_ASSERT_NOT_EQUAL(access(again, F_OK), 0);
  CHECK_OK(pqf_model_set_option(damaged, "init", "model"));
  CHECK_STATUS(pqf_fit(damaged, data, NULL), PQF_EFORMAT);
  CHECK_WORDS("data.pqf: its tensors are damaged");
  CHECK_STATUS(pqf_save(damaged, again), PQF_EFORMAT);
}

static void every_byte_of_the_tensors_changed(void)
{
  char path[1024];
  size_t size;
  uint64_t length;
  snprintf(path, sizeof path, "%s", test_file("data.pqf"));
  pqf_model *model = fitted_model(PQF_IDS_TEXTS, 0);
  pqf_data *data = model_data(PQF_IDS_TEXTS);
  CHECK_OK(pqf_save(model, path));
  char *bytes = read_file(path, &size);
  memcpy(&length, bytes, sizeof length);
  for (size_t at = sizeof length + length; at < size; ++at) {
    pqf_model *loaded = NULL;
    bytes[at] ^= 0x40;
    write_file(path, bytes, size);
    check_refused(path, PQF_LOAD_VERIFY);
    const int status = pqf_load(&loaded, path, 0); /* only offsets are looked at */
    CU_ASSERT(status == PQF_OK || status == PQF_EFORMAT);
    if (status == PQF_OK)
      check_not_signed(loaded, data);
    pqf_free(loaded);
    bytes[at] ^= 0x40;
  }
  free(bytes);
  pqf_data_free(data);
  pqf_free(model);
}

/* A fit that starts from elsewhere leaves nothing of the damage. */
static void a_damaged_model_is_fitted_anew(void)
{
  const char *path = test_file("anew.pqf");
  size_t size;
  pqf_model *model = fitted_model(PQF_IDS_NUMBERS, 0);
  pqf_data *data = model_data(PQF_IDS_NUMBERS);
  CHECK_OK(pqf_save(model, path));
  char *bytes = read_file(path, &size);
  bytes[size - 1] ^= 0x40;
  write_file(path, bytes, size);
  pqf_free(model);
  REQUIRE_OK(pqf_load(&model, path, 0));
  CHECK_STATUS(pqf_save(model, path), PQF_EFORMAT);
  CHECK_OK(pqf_fit(model, data, NULL));
  CHECK_OK(pqf_save(model, path));
  pqf_free(model);
  CHECK_OK(pqf_load(&model, path, PQF_LOAD_VERIFY));
  pqf_free(model);
  pqf_data_free(data);
  free(bytes);
}

/* Whole and with the right checksum, but of a later format. */
static void format_of_a_later_release(void)
{
  static const char key[] = "\"pqf_format\":\"";
  const char *path = test_file("later.pqf");
  size_t size;
  uint64_t length;
  pqf_model *model = fitted_model(PQF_IDS_NONE, 0);
  CHECK_OK(pqf_save(model, path));
  char *bytes = read_file(path, &size);
  memcpy(&length, bytes, sizeof length);
  char *head = bytes + sizeof length;
  char *found = memmem(head, length, key, sizeof key - 1);
  const size_t place = pqf_head_digits(head, length);
  CU_ASSERT_PTR_NOT_NULL(found);
  if (found != NULL && place > 0) {
    found[sizeof key - 1] = '3';
    pqf_head_checksum(head, length, place, head + place);
    write_file(path, bytes, size);
    check_refused(path, 0);
    CHECK_WORDS("format '3': this library reads formats 1, 2");
  }
  free(bytes);
  pqf_free(model);
}

/* ---- Files that others wrote ----------------------------------------------------------------- */

/* The data of a 2 x 2 model: P is {1, 2, 3, 4}, Q is {5, 6, 7, 8}. */
#define P_AT(begin, end)                                                                           \
  "\"P\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[" #begin "," #end "]}"
#define Q_AT(begin, end)                                                                           \
  "\"Q\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[" #begin "," #end "]}"
#define PQ P_AT(0, 16) "," Q_AT(16, 32)
#define TENSOR(name, type, shape, begin, end)                                                      \
  "\"" name "\":{\"dtype\":\"" type "\",\"shape\":[" shape "],\"data_offsets\":[" #begin "," #end  \
  "]}"
#define METADATA(text) "{\"__metadata__\":{" text "}," PQ "}"

static void check_two_by_two(const pqf_model *model)
{
  static const float p[] = {1, 2, 3, 4};
  static const float q[] = {5, 6, 7, 8};
  CU_ASSERT_EQUAL_FATAL(pqf_model_rows(model), 2);
  CU_ASSERT_EQUAL_FATAL(pqf_model_cols(model), 2);
  CU_ASSERT_EQUAL_FATAL(pqf_model_factors(model), 2);
  CU_ASSERT_EQUAL(memcmp(pqf_model_borrow_factors(model, PQF_ROWS), p, sizeof p), 0);
  CU_ASSERT_EQUAL(memcmp(pqf_model_borrow_factors(model, PQF_COLS), q, sizeof q), 0);
}

static void the_least_that_is_a_model(void)
{
  static const float p_first[] = {1, 2, 3, 4, 5, 6, 7, 8};
  static const float q_first[] = {5, 6, 7, 8, 1, 2, 3, 4};
  static const struct {
    const char *head;
    const float *data;
  } files[] = {
      {"{" PQ "}", p_first},
      {"{" PQ "}     ", p_first},
      {"{" P_AT(16, 32) "," Q_AT(0, 16) "}", q_first},
      {"{ " PQ ", \"__metadata__\": {\"format\": \"pt\", \"option.unknown\": \"?\"}}", p_first},
      {METADATA("\"fit.stop_reason\":\"a later one\""), p_first},
      {METADATA("\"option.backend_path\":\"/somewhere\""), p_first},
  };
  const char *path = test_file("least.pqf");
  for (size_t n = 0; n < sizeof files / sizeof files[0]; ++n) {
    pqf_model *loaded = NULL;
    pqf_summary summary = {.size = sizeof summary};
    char text[64];
    write_safetensors(path, files[n].head, files[n].data, sizeof p_first);
    REQUIRE_OK(pqf_load(&loaded, path, PQF_LOAD_VERIFY));
    check_two_by_two(loaded);
    CHECK_OK(pqf_model_summary(loaded, &summary));
    CU_ASSERT(summary.epochs == 0 && summary.stop_reason == PQF_STOP_NONE);
    CU_ASSERT(isnan(summary.loss) && isnan(summary.best_loss));
    CHECK_OK(pqf_model_option(loaded, "factors", text, sizeof text));
    CU_ASSERT_STRING_EQUAL(text, "2");
    CHECK_OK(pqf_model_option(loaded, "backend_path", text, sizeof text));
    CU_ASSERT_STRING_EQUAL(text, "");
    CU_ASSERT_EQUAL(pqf_model_id_kind(loaded, PQF_ROWS), PQF_IDS_NONE);
    pqf_free(loaded);
  }
}

/* One byte in front of everything: nothing is aligned for its type, wherever the data starts. */
typedef struct unaligned {
  int32_t kind;
  const char *ids; /* their entries in the head */
  unsigned char data[256];
  size_t size;
} unaligned;

static void append(unaligned *file, const void *bytes, size_t size)
{
  memcpy(file->data + file->size, bytes, size);
  file->size += size;
}

static void fill_unaligned(unaligned *file, int32_t kind)
{
  static const float factors[] = {1, 2, 3, 4, 5, 6, 7, 8};
  static const int64_t numbers[] = {70, 60};
  static const int64_t offsets[] = {0, 1, 3};
  *file = (unaligned){.kind = kind};
  append(file, "?", 1);
  append(file, factors, sizeof factors);
  if (kind == PQF_IDS_NUMBERS) {
    file->ids = "," TENSOR("row_ids", "I64", "2", 33, 49);
    append(file, numbers, sizeof numbers);
  } else {
    file->ids =
        "," TENSOR("row_id_offsets", "I64", "3", 33, 57) "," TENSOR("row_ids", "U8", "3", 57, 60);
    append(file, offsets, sizeof offsets);
    append(file, "abc", 3);
  }
}

static int load_unaligned(void *payload)
{
  const unaligned *file = payload;
  const pqf_id id = {.text = file->kind == PQF_IDS_TEXTS ? "bc" : NULL, .length = 2, .number = 60};
  int32_t row = -1;
  pqf_model *loaded;
  int status = pqf_load(&loaded, test_file("unaligned.pqf"), 0);
  if (status != PQF_OK)
    return status;
  check_two_by_two(loaded);
  CU_ASSERT_EQUAL(pqf_model_id_kind(loaded, PQF_ROWS), file->kind);
  status = pqf_model_find(loaded, PQF_ROWS, &id, &row);
  if (status == PQF_OK)
    CU_ASSERT_EQUAL(row, 1);
  pqf_free(loaded);
  return status;
}

static void tensors_that_are_not_aligned(void)
{
  for (int32_t kind = PQF_IDS_NUMBERS; kind <= PQF_IDS_TEXTS; ++kind)
    for (int spaces = 0; spaces < 8; ++spaces) {
      unaligned file;
      char head[1024];
      fill_unaligned(&file, kind);
      snprintf(head, sizeof head, "{%s,%s,%s%s}%*s", TENSOR("x", "U8", "1", 0, 1), P_AT(1, 17),
               Q_AT(17, 33), file.ids, spaces, "");
      write_safetensors(test_file("unaligned.pqf"), head, file.data, file.size);
      test_every_allocation(load_unaligned, &file);
    }
}

/* ---- Heads that are wrong -------------------------------------------------------------------- */

#define INT64_TEXT "9223372036854775807"

typedef struct wrong_file {
  const char *head;
  size_t size; /* of the data, all ones */
  const char *words;
} wrong_file;

static const wrong_file wrong_heads[] = {
    {"", 0, "does not begin with '{'"},
    {" {" PQ "}", 32, "does not begin with '{'"},
    {"[]", 0, "does not begin with '{'"},
    {"{}", 0, "it has no tensor P"},
    {"{" PQ, 32, "its head is damaged"},
    {"{" PQ "}}", 32, "its head is damaged"},
    {"{" PQ "," P_AT(0, 16) "}", 32, "duplicate object key"},
    {"{" P_AT(0, 16) "}", 16, "it has no tensor Q"},
    {"{" PQ ",\"x\":1}", 32, "tensor 'x' has no dtype"},
    {"{" PQ ",\"x\":{\"dtype\":\"U8\"}}", 32, "tensor 'x' has no shape"},
    {"{" PQ ",\"x\":{\"dtype\":\"U8\",\"shape\":[0]}}", 32, "'x' has no data_offsets"},
    {"{" PQ "," TENSOR("x", "U8", "-1", 32, 32) "}", 32, "'x' has an impossible shape"},
    {"{" PQ "," TENSOR("x", "U8", "1.0", 32, 33) "}", 33, "'x' has an impossible shape"},
    {"{" PQ "," TENSOR("x", "U8", INT64_TEXT ",2", 32, 32) "}", 32, "an impossible shape"},
    {"{" PQ "," TENSOR("x", "I64", INT64_TEXT, 32, 32) "}", 32, "in 0 bytes"},
    {"{" PQ "," TENSOR("x", "U8", "1", 33, 32) "}", 33, "'x' has no data_offsets"},
    {"{" PQ "," TENSOR("x", "U8", "1", 32, 34) "}", 34, "1 elements of U8 in 2 bytes"},
    {"{" PQ "," TENSOR("x", "U8", "1", 32, 33) "}", 32, "cut short, or damaged: tensor 'x'"},
    {"{" PQ "," TENSOR("x", "U8", "1", 31, 32) "}", 32, "begins at byte 31"},
    {"{" PQ "," TENSOR("x", "U8", "1", 33, 34) "}", 34, "begins at byte 33"},
    {"{" PQ "," TENSOR("x", "NEW", "1", 32, 99) "}", 98, "ends at byte 99 of 98"},
    {"{" PQ "}", 33, "end at byte 32 of 33"},
    {"{" P_AT(0, 16) "," Q_AT(0, 16) "}", 16, "begins at byte 0"},
    {"{" P_AT(0, 16) "," TENSOR("Q", "F64", "1,2", 16, 32) "}", 32, "Q is F64 of 2"},
    {"{" P_AT(0, 16) "," TENSOR("Q", "F32", "4", 16, 32) "}", 32, "Q is F32 of 1"},
    {"{" P_AT(0, 16) "," TENSOR("Q", "F32", "2,2,1", 16, 32) "}", 32, "Q is F32 of 3"},
    {"{" P_AT(0, 16) "," TENSOR("Q", "F32", "4,1", 16, 32) "}", 32, "2 factors and Q has 1"},
    {"{" P_AT(0, 16) "," TENSOR("Q", "F32", "0,2", 16, 16) "}", 16, "Q is 0 x 2"},
    {"{" P_AT(0, 16) "," TENSOR("Q", "F32", "2,0", 16, 16) "}", 16, "Q is 2 x 0"},
    {"{" P_AT(0, 16) "," TENSOR("Q", "F32", "1,2049", 16, 8212) "}", 8212, "Q is 1 x 2049"},
    {"{" P_AT(0, 16) "," TENSOR("Q", "F32", "3000000000,0", 16, 16) "}", 16, "Q is 3000000000"},
    {"{\"__metadata__\":[]," PQ "}", 32, "its metadata is no object"},
    {METADATA("\"x\":1"), 32, "metadata 'x' is no text"},
    {METADATA("\"pqf_format\":\"1\""), 32, "head_xxh64 is missing"},
    {METADATA("\"head_xxh64\":\"0000000000000000\""), 32, "pqf_format is missing"},
    {METADATA("\"head_xxh64\" : \"0000000000000000\",\"pqf_format\":\"1\""), 32,
     "head_xxh64 is missing"},
    {METADATA("\"head_xxh64\":\"\",\"pqf_format\":\"1\""), 32, "the checksum is"},
    {METADATA("\"head_xxh64\":\"0000000000000000\",\"pqf_format\":\"1\""), 32, "the checksum is"},
    {METADATA("\"option.factors\":\"3\""), 32, "option factors is 3, but P has 2"},
    {METADATA("\"option.solver\":\"newer\""), 32, "option solver is 'newer': must be one of gd"},
    {METADATA("\"option.learning_rate\":\"nan\""), 32, "option learning_rate is nan"},
    {METADATA("\"option.backend\":\"../../evil\""), 32, "option backend is"},
    {METADATA("\"option.backend\":\"\\u001b[31m\\u202e\""), 32,
     "option backend is '\\x1b[31m\\u202e'"},
    {METADATA("\"tensors_xxh64\":\"0\""), 32, "tensors_xxh64 is '0': must be 16 digits"},
    {METADATA("\"fit.best_epoch\":\"-1\""), 32, "fit.best_epoch is '-1'"},
    {METADATA("\"fit.best_loss\":\"low\""), 32, "fit.best_loss is 'low'"},
    {METADATA("\"fit.seconds\":\"\""), 32, "fit.seconds is ''"},
    {METADATA("\"history.loss\":\"\""), 32, "history.loss is no number at epoch 1"},
    {METADATA("\"history.loss\":\"1 2  3\""), 32, "history.loss is no number at epoch 3"},
    {METADATA("\"history.loss\":\"1 2 0.0000000000000000000000000000000000001\""), 32,
     "history.loss is no number at epoch 3"},
    {METADATA("\"history.loss\":\"1 2\",\"history.seconds\":\"1\""), 32, "must have 2"},
    {METADATA("\"history.loss\":\"1\",\"history.first_epoch\":\"0\""), 32, "first_epoch is '0'"},
    {METADATA("\"history.loss\":\"1\",\"history.first_epoch\":\"9007199254740992\""), 32,
     "too large"},
    {METADATA("\"history.loss\":\"1\",\"history.first_epoch\":\"" INT64_TEXT "\""), 32,
     "too large"},
    {"{" PQ "," TENSOR("row_ids", "F32", "2", 32, 40) "}", 40, "row_ids is F32 of 2"},
    {"{" PQ "," TENSOR("row_ids", "I64", "1", 32, 40) "}", 40, "must be I64 of 2"},
    {"{" PQ "," TENSOR("col_ids", "U8", "3", 32, 35) "}", 35, "without col_id_offsets"},
    {"{" PQ "," TENSOR("col_id_offsets", "I64", "3", 32, 56) "}", 56, "no texts, but there are"},
    {"{" PQ "," TENSOR("row_ids", "U8", "1,3", 32, 35) "," TENSOR("row_id_offsets", "I64", "3", 35,
                                                                  59) "}",
     59, "row_ids has 2 dimensions"},
    {"{" PQ
     "," TENSOR("row_id_offsets", "I64", "2", 32, 48) "," TENSOR("row_ids", "U8", "3", 48, 51) "}",
     51, "row_id_offsets is I64 of 2"},
    {"{" PQ
     "," TENSOR("row_id_offsets", "I64", "3", 32, 56) "," TENSOR("row_ids", "U8", "3", 56, 59) "}",
     59, "row_id_offsets run from 72340172838076673"},
};

static void heads_that_are_wrong(void)
{
  const char *path = test_file("wrong.pqf");
  for (size_t n = 0; n < sizeof wrong_heads / sizeof wrong_heads[0]; ++n) {
    const wrong_file *file = &wrong_heads[n];
    char *data = test_allocate((int64_t)file->size, 1);
    memset(data, 1, file->size);
    write_safetensors(path, file->head, data, file->size);
    check_refused(path, 0);
    CHECK_WORDS(file->words);
    free(data);
  }
}

/* A history of one epoch more than is ever written; with one less it is a model. */
static void a_history_that_is_too_long(void)
{
  static const char begin[] = "{\"__metadata__\":{\"history.loss\":\"";
  static const char end[] = "\"}," PQ "}";
  const char *path = test_file("history.pqf");
  const char data[32] = {0};
  char *head = test_allocate(2 * (PQF_FILE_EPOCHS_MOST + 1) + sizeof begin + sizeof end, 1);
  for (int more = 0; more < 2; ++more) {
    const int count = PQF_FILE_EPOCHS_MOST + more;
    pqf_model *loaded = NULL;
    size_t length = sizeof begin - 1;
    memcpy(head, begin, length);
    for (int n = 0; n < count; ++n, length += 2)
      memcpy(head + length, "1 ", 2);
    memcpy(head + length - 1, end, sizeof end); /* over the last space */
    write_safetensors(path, head, data, sizeof data);
    if (more == 0)
      CHECK_OK(pqf_load(&loaded, path, 0));
    pqf_free(loaded);
  }
  check_refused(path, 0);
  CHECK_WORDS("history.loss has 524289 numbers: more than 524288");
  free(head);
}

/* As write_safetensors(), with the data at a multiple of 64. */
static void write_aligned(const char *path, const char *head, const void *data, size_t size)
{
  char padded[1024];
  const size_t length = (8 + strlen(head) + 63) / 64 * 64 - 8;
  CU_ASSERT_FATAL(length < sizeof padded);
  memset(padded, ' ', length);
  memcpy(padded, head, strlen(head));
  padded[length] = '\0';
  write_safetensors(path, padded, data, size);
}

/* What is in the tensors of a model with text ids. */
static void tensors_that_are_wrong(void)
{
  static const struct {
    int64_t offsets[3];
    char ids[4];
    float last;
    uint32_t flags;
    const char *words;
  } cases[] = {
      {{0, 2, 3}, "abc", 8, PQF_LOAD_VERIFY, NULL},
      {{0, 2, 2}, "ab", 8, 0, "row_id_offsets run from 0 to 2: must be 0 to 3"},
      {{1, 2, 3}, "abc", 8, 0, "run from 1 to 3"},
      {{0, 4, 3}, "abc", 8, 0, "row_id_offsets descend after entry 1"},
      {{0, -1, 3}, "abc", 8, 0, "row_id_offsets descend after entry 0"},
      {{0, INT64_MAX, 3}, "abc", 8, 0, "row_id_offsets descend after entry 1"},
      {{0, 1, 3}, "a\xff!", 8, 0, NULL},
      {{0, 1, 3}, "a\xff!", 8, PQF_LOAD_VERIFY, "row_ids: id 1 is not text in UTF-8"},
      {{0, 2, 3}, "\xc3\xa4?", 8, PQF_LOAD_VERIFY, NULL},
      {{0, 1, 3}, "\xc3\xa4?", 8, PQF_LOAD_VERIFY, "row_ids: id 0 is not text in UTF-8"},
      {{0, 1, 3}, "abc", (float)NAN, 0, NULL},
      {{0, 1, 3}, "abc", (float)NAN, PQF_LOAD_VERIFY, "Q is no finite number at row 1, factor 1"},
      {{0, 1, 3}, "abc", (float)INFINITY, PQF_LOAD_VERIFY, "Q is no finite number"},
  };
  const char *path = test_file("tensors.pqf");
  for (size_t n = 0; n < sizeof cases / sizeof cases[0]; ++n) {
    float values[] = {1, 2, 3, 4, 5, 6, 7, 8};
    char data[59];
    pqf_model *loaded = NULL;
    values[7] = cases[n].last;
    memcpy(data, cases[n].offsets, 24);
    memcpy(data + 24, values, 32);
    memcpy(data + 56, cases[n].ids, 3);
    write_aligned(path,
                  "{" P_AT(24, 40) "," Q_AT(40, 56) "," TENSOR("row_id_offsets", "I64", "3", 0,
                                                               24) "," TENSOR("row_ids", "U8", "3",
                                                                              56, 59) "}",
                  data, sizeof data);
    if (cases[n].words == NULL) {
      /* what the next case is refused for with PQF_LOAD_VERIFY is not saved either */
      const int sound = cases[n].flags != 0;
      CHECK_OK(pqf_load(&loaded, path, cases[n].flags));
      CHECK_STATUS(pqf_save(loaded, test_file("saved.pqf")), sound ? PQF_OK : PQF_EFORMAT);
      pqf_free(loaded);
    } else {
      check_refused(path, cases[n].flags);
      CHECK_WORDS(cases[n].words);
    }
  }
}

static void ids_given_twice(void)
{
  static const float factors[] = {1, 2, 3, 4, 5, 6, 7, 8};
  static const int64_t ids[] = {3, 3};
  const char *path = test_file("twice.pqf");
  char data[48];
  pqf_model *loaded = NULL;
  memcpy(data, ids, 16);
  memcpy(data + 16, factors, 32);
  write_aligned(path,
                "{" TENSOR("col_ids", "I64", "2", 0, 16) "," P_AT(16, 32) "," Q_AT(32, 48) "}",
                data, sizeof data);
  CHECK_OK(pqf_load(&loaded, path, 0));
  CHECK_STATUS(pqf_save(loaded, test_file("saved.pqf")), PQF_EFORMAT);
  CHECK_WORDS("twice.pqf: col_ids: id 3 is given twice: at 0 and at 1");
  pqf_free(loaded);
  check_refused(path, PQF_LOAD_VERIFY);
  CHECK_WORDS("col_ids: id 3 is given twice");
}

static void lengths_that_lie(void)
{
  static const uint64_t lengths[] = {(uint64_t)1 << 40, UINT64_MAX, UINT64_MAX - 8, 100000001, 57};
  const char *path = test_file("lies.pqf");
  char bytes[64] = {0};
  memset(bytes, '{', sizeof bytes);
  for (size_t n = 0; n < sizeof lengths / sizeof lengths[0]; ++n) {
    memcpy(bytes, &lengths[n], sizeof lengths[n]);
    write_file(path, bytes, sizeof bytes);
    check_refused(path, 0);
    CHECK_WORDS("it claims a head of");
  }
  for (size_t size = 0; size < 8; ++size) {
    write_file(path, bytes, size);
    check_refused(path, 0);
    CHECK_WORDS("bytes are too few");
  }
}

/* As deep as a parser can be led. */
static void nested_without_end(void)
{
  enum { DEPTH = 100000 };
  const char *path = test_file("deep.pqf");
  char *head = test_allocate(DEPTH + 8, 1);
  const int before = snprintf(head, DEPTH, "{\"x\":");
  memset(head + before, '[', DEPTH);
  write_safetensors(path, head, NULL, 0);
  check_refused(path, 0);
  free(head);
}

static void what_is_no_file(void)
{
  pqf_model *loaded = NULL;
  char name[3000];
  CHECK_STATUS(pqf_load(&loaded, test_file("missing.pqf"), 0), PQF_EIO);
  CHECK_WORDS("missing.pqf: could not be opened: No such file or directory");
  CHECK_STATUS(pqf_load(&loaded, test_directory(), 0), PQF_EIO);
  CHECK_WORDS("not a regular file");
  CHECK_STATUS(pqf_load(&loaded, "/dev/zero", 0), PQF_EIO);
  CU_ASSERT_EQUAL(mkfifo(test_file("pipe"), 0600), 0);
  CHECK_STATUS(pqf_load(&loaded, test_file("pipe"), 0), PQF_EIO); /* and does not wait */
  memset(name, 'n', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  CHECK_STATUS(pqf_load(&loaded, name, 0), PQF_EIO);
  CHECK_WORDS("could not be opened: File name too long");
  CHECK_STATUS(pqf_load(NULL, name, 0), PQF_EINVAL);
  CHECK_STATUS(pqf_load(&loaded, NULL, 0), PQF_EINVAL);
  CHECK_STATUS(pqf_load(&loaded, test_file("missing.pqf"), 2), PQF_EINVAL);
  CHECK_WORDS("flags are 0x2");
  CU_ASSERT_PTR_NULL(loaded);
}

void suite_file_damage(void)
{
  CU_pSuite suite = CU_add_suite("file_damage", NULL, NULL);
  CU_add_test(suite, "cut at every byte", cut_at_every_byte);
  CU_add_test(suite, "every byte of the head changed", every_byte_of_the_head_changed);
  CU_add_test(suite, "every byte of the tensors changed", every_byte_of_the_tensors_changed);
  CU_add_test(suite, "a damaged model is fitted anew", a_damaged_model_is_fitted_anew);
  CU_add_test(suite, "a format of a later release", format_of_a_later_release);
  CU_add_test(suite, "the least that is a model", the_least_that_is_a_model);
  CU_add_test(suite, "tensors that are not aligned", tensors_that_are_not_aligned);
  CU_add_test(suite, "heads that are wrong", heads_that_are_wrong);
  CU_add_test(suite, "a history that is too long", a_history_that_is_too_long);
  CU_add_test(suite, "tensors that are wrong", tensors_that_are_wrong);
  CU_add_test(suite, "ids given twice", ids_given_twice);
  CU_add_test(suite, "lengths that lie", lengths_that_lie);
  CU_add_test(suite, "a head nested without end", nested_without_end);
  CU_add_test(suite, "what is no file", what_is_no_file);
}
