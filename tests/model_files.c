/* Models and files for the suites about model files. */
#include "model_files.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set_ids(pqf_data *data, int32_t kind)
{
  static const int64_t row_numbers[MODEL_ROWS] = {100, -3, INT64_MAX, INT64_MIN, 0, 7, 8};
  static const int64_t col_numbers[MODEL_COLS] = {5, 4, 3, 2, 1};
  static const char *const row_texts[MODEL_ROWS] = {"anna", "",  "b\"\\", "dörte",
                                                    "eve",  "f", "日本"};
  static const char *const col_texts[MODEL_COLS] = {"0", "1", "2", "3", "four"};
  if (kind == PQF_IDS_NUMBERS) {
    CHECK_OK(pqf_data_set_ids(data, PQF_ROWS, MODEL_ROWS, row_numbers, NULL));
    CHECK_OK(pqf_data_set_ids(data, PQF_COLS, MODEL_COLS, col_numbers, NULL));
  } else if (kind == PQF_IDS_TEXTS) {
    CHECK_OK(pqf_data_set_ids(data, PQF_ROWS, MODEL_ROWS, NULL, row_texts));
    CHECK_OK(pqf_data_set_ids(data, PQF_COLS, MODEL_COLS, NULL, col_texts));
  }
}

pqf_data *model_data(int32_t kind)
{
  pqf_data *data = NULL;
  float *values = test_normals(5, MODEL_ROWS * MODEL_COLS, 1);
  CHECK_OK(pqf_data_dense(&data, values, MODEL_ROWS, MODEL_COLS, MODEL_COLS, NULL));
  set_ids(data, kind);
  free(values);
  return data;
}

pqf_model *fitted_model(int32_t kind, int validated)
{
  pqf_options options = PQF_OPTIONS_INIT;
  pqf_data *train = model_data(kind);
  pqf_data *validation = validated ? model_data(PQF_IDS_NONE) : NULL;
  pqf_model *model = NULL;
  options.factors = MODEL_FACTORS;
  options.epochs = 12;
  options.backend = "cpu";
  options.threads = 1;
  options.init = PQF_INIT_TORCH;
  options.learning_rate = 1.0 / 300;
  options.seed = UINT64_MAX;
  options.keep_best = 1;
  CHECK_OK(pqf_create(&model, &options));
  if (!CHECK_OK(pqf_fit(model, train, validation))) {
    pqf_free(model);
    model = NULL;
  }
  pqf_data_free(train);
  pqf_data_free(validation);
  return model;
}

/* ---- Comparing ------------------------------------------------------------------------------- */

static void check_same_ids(const pqf_model *got, const pqf_model *want, int32_t side)
{
  const int64_t count = side == PQF_ROWS ? pqf_model_rows(want) : pqf_model_cols(want);
  CU_ASSERT_EQUAL(pqf_model_id_kind(got, side), pqf_model_id_kind(want, side));
  for (int64_t n = 0; n < count; ++n) {
    pqf_id a;
    pqf_id b;
    int32_t found = -1;
    REQUIRE_OK(pqf_model_id(got, side, n, &a));
    REQUIRE_OK(pqf_model_id(want, side, n, &b));
    CU_ASSERT_EQUAL(a.number, b.number);
    CU_ASSERT_EQUAL_FATAL(a.length, b.length);
    CU_ASSERT_EQUAL_FATAL(a.text == NULL, b.text == NULL);
    if (a.text != NULL && b.text != NULL)
      CU_ASSERT_EQUAL(memcmp(a.text, b.text, (size_t)a.length), 0);
    CHECK_OK(pqf_model_find(got, side, &b, &found));
    CU_ASSERT_EQUAL(found, n);
  }
}

static void check_same_options(const pqf_model *got, const pqf_model *want)
{
  for (int32_t n = 0; n < pqf_option_count(); ++n) {
    char a[64];
    char b[64];
    pqf_option option = {.size = sizeof option};
    REQUIRE_OK(pqf_option_info(n, &option));
    REQUIRE_OK(pqf_model_option(got, option.name, a, sizeof a));
    REQUIRE_OK(pqf_model_option(want, option.name, b, sizeof b));
    CU_ASSERT_STRING_EQUAL(a, b);
  }
}

static void check_same_course(const pqf_model *got, const pqf_model *want)
{
  pqf_summary a = {.size = sizeof a};
  pqf_summary b = {.size = sizeof b};
  REQUIRE_OK(pqf_model_summary(got, &a));
  REQUIRE_OK(pqf_model_summary(want, &b));
  CU_ASSERT_EQUAL(memcmp(&a, &b, sizeof a), 0);
  for (int64_t n = 0; n < b.epochs; ++n) {
    pqf_epoch x = {.size = sizeof x};
    pqf_epoch y = {.size = sizeof y};
    REQUIRE_OK(pqf_model_history(got, n, &x));
    REQUIRE_OK(pqf_model_history(want, n, &y));
    /* NaN has many bit patterns, and text keeps none of them. */
    CU_ASSERT_EQUAL(x.validation_loss != x.validation_loss, y.validation_loss != y.validation_loss);
    if (x.validation_loss != x.validation_loss)
      x.validation_loss = y.validation_loss = 0;
    CU_ASSERT_EQUAL(memcmp(&x, &y, sizeof x), 0);
  }
}

void check_same_model(const pqf_model *got, const pqf_model *want)
{
  CU_ASSERT_PTR_NOT_NULL_FATAL(got);
  CU_ASSERT_PTR_NOT_NULL_FATAL(want);
  for (int32_t side = 0; side < 2; ++side) {
    const int64_t rows = side == PQF_ROWS ? pqf_model_rows(want) : pqf_model_cols(want);
    CU_ASSERT_EQUAL_FATAL(side == PQF_ROWS ? pqf_model_rows(got) : pqf_model_cols(got), rows);
    CU_ASSERT_EQUAL_FATAL(pqf_model_factors(got), pqf_model_factors(want));
    CU_ASSERT_EQUAL(memcmp(pqf_model_borrow_factors(got, side),
                           pqf_model_borrow_factors(want, side),
                           (size_t)(rows * pqf_model_factors(want)) * sizeof(float)),
                    0);
    check_same_ids(got, want, side);
  }
  check_same_options(got, want);
  check_same_course(got, want);
}

static int same_bits(const float *a, const float *b, int64_t count)
{
  if (a == NULL || b == NULL)
    return a == b;
  return memcmp(a, b, (size_t)count * sizeof *a) == 0;
}

static void check_same_course_of_fits(const pqf_model *got, const pqf_model *want)
{
  pqf_summary a = {.size = sizeof a};
  pqf_summary b = {.size = sizeof b};
  REQUIRE_OK(pqf_model_summary(got, &a));
  REQUIRE_OK(pqf_model_summary(want, &b));
  a.seconds = b.seconds = 0;
  CU_ASSERT_EQUAL(memcmp(&a, &b, sizeof a), 0);
  for (int64_t n = 0; n < a.epochs && a.epochs == b.epochs; ++n) {
    pqf_epoch x = {.size = sizeof x};
    pqf_epoch y = {.size = sizeof y};
    double *parts[] = {&x.validation_loss, &x.observed, &x.unobserved, &x.regularization,
                       &y.validation_loss, &y.observed, &y.unobserved, &y.regularization};
    REQUIRE_OK(pqf_model_history(got, n, &x));
    REQUIRE_OK(pqf_model_history(want, n, &y));
    x.seconds = y.seconds = 0;
    for (size_t part = 0; part < sizeof parts / sizeof parts[0]; ++part)
      if (isnan(*parts[part]))
        *parts[part] = -1; /* NaN has many bit patterns */
    CU_ASSERT_EQUAL(memcmp(&x, &y, sizeof x), 0);
  }
}

void check_same_fit(const pqf_model *got, const pqf_model *want)
{
  const int64_t k = pqf_model_factors(want);
  const int64_t size[2] = {pqf_model_rows(want), pqf_model_cols(want)};
  CU_ASSERT_EQUAL_FATAL(pqf_model_rows(got), size[PQF_ROWS]);
  CU_ASSERT_EQUAL_FATAL(pqf_model_cols(got), size[PQF_COLS]);
  CU_ASSERT_EQUAL_FATAL(pqf_model_factors(got), k);
  CU_ASSERT_EQUAL(pqf_model_mean(got), pqf_model_mean(want));
  for (int32_t side = 0; side < 2; ++side) {
    CU_ASSERT(same_bits(pqf_model_borrow_factors(got, side), pqf_model_borrow_factors(want, side),
                        size[side] * k));
    CU_ASSERT(same_bits(pqf_model_borrow_biases(got, side), pqf_model_borrow_biases(want, side),
                        size[side]));
  }
  check_same_course_of_fits(got, want);
}

/* ---- Files ----------------------------------------------------------------------------------- */

char *read_file(const char *path, size_t *size)
{
  FILE *file = fopen(path, "rb");
  CU_ASSERT_PTR_NOT_NULL_FATAL(file);
  fseek(file, 0, SEEK_END);
  *size = (size_t)ftell(file);
  rewind(file);
  char *bytes = test_allocate((int64_t)*size, 1);
  CU_ASSERT_EQUAL(fread(bytes, 1, *size, file), *size);
  fclose(file);
  return bytes;
}

void write_file(const char *path, const void *bytes, size_t size)
{
  FILE *file = fopen(path, "wb");
  CU_ASSERT_PTR_NOT_NULL_FATAL(file);
  CU_ASSERT_EQUAL(size == 0 ? 0 : fwrite(bytes, 1, size, file), size);
  CU_ASSERT_EQUAL(fclose(file), 0);
}

void write_safetensors(const char *path, const char *head, const void *data, size_t size)
{
  const uint64_t length = strlen(head);
  char *bytes = test_allocate((int64_t)(sizeof length + length + size + 1), 1);
  memcpy(bytes, &length, sizeof length);
  memcpy(bytes + sizeof length, head, length + 1); /* its NUL is overwritten or left out */
  if (size > 0)
    memcpy(bytes + sizeof length + length, data, size);
  write_file(path, bytes, sizeof length + length + size);
  free(bytes);
}
