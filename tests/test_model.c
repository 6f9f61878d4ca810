/* The life of a model and what can be asked of it. */
#include "cases.h"
#include "suites.h"
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const case_shape shape = {6, 5};

enum { FACTORS = 3 };

static pqf_model *unfitted_model(void)
{
  pqf_options options = PQF_OPTIONS_INIT;
  pqf_model *model = NULL;
  options.factors = FACTORS;
  options.epochs = 3;
  CHECK_OK(pqf_create(&model, &options));
  return model;
}

static pqf_data *some_data(void)
{
  test_case test;
  case_create(&test, &case_kinds[0], shape, FACTORS, 1, 81);
  pqf_data *data = test.data;
  test.data = NULL;
  case_free(&test);
  return data;
}

/* A model that was fitted to data without ids, which is gone. */
static pqf_model *fitted_model(void)
{
  pqf_model *model = unfitted_model();
  pqf_data *data = some_data();
  CHECK_OK(pqf_fit(model, data, NULL));
  pqf_data_free(data);
  return model;
}

/* ---- Life ------------------------------------------------------------------------------------ */

static void create_gives_a_model_or_null(void)
{
  pqf_options options = PQF_OPTIONS_INIT;
  pqf_model *model = NULL;
  CHECK_OK(pqf_create(&model, NULL));
  CU_ASSERT_PTR_NOT_NULL_FATAL(model);
  CU_ASSERT_EQUAL(pqf_model_factors(model), 2);
  pqf_model *kept = model;
  options.factors = 0;
  CHECK_STATUS(pqf_create(&model, &options), PQF_EINVAL);
  CHECK_WORDS("factors");
  CU_ASSERT_PTR_NULL(model);
  pqf_free(kept);
  CHECK_STATUS(pqf_create(NULL, NULL), PQF_EINVAL);
  pqf_free(NULL);
}

/* Texts are the model's own once it has been created. */
static void create_copies_texts(void)
{
  pqf_options options = PQF_OPTIONS_INIT;
  pqf_model *model = NULL;
  pqf_data *data = some_data();
  char name[] = "cpu";
  options.backend = name;
  CHECK_OK(pqf_create(&model, &options));
  memset(name, 'x', sizeof name - 1);
  CHECK_OK(pqf_fit(model, data, NULL));
  pqf_free(model);
  pqf_data_free(data);
}

static void getters_before_a_fit(void)
{
  pqf_model *model = unfitted_model();
  pqf_summary summary = {.size = sizeof summary};
  pqf_epoch epoch = {.size = sizeof epoch};
  const pqf_id wanted = {.number = 0};
  pqf_id id;
  int32_t index;
  CU_ASSERT_EQUAL(pqf_model_rows(model), 0);
  CU_ASSERT_EQUAL(pqf_model_cols(model), 0);
  CU_ASSERT_EQUAL(pqf_model_factors(model), FACTORS);
  CU_ASSERT_PTR_NULL(pqf_model_borrow_factors(model, PQF_ROWS));
  CU_ASSERT_PTR_NULL(pqf_model_borrow_factors(model, PQF_COLS));
  CU_ASSERT_EQUAL(pqf_model_id_kind(model, PQF_ROWS), PQF_IDS_NONE);
  CHECK_STATUS(pqf_model_id(model, PQF_ROWS, 0, &id), PQF_EUNFITTED);
  CHECK_STATUS(pqf_model_find(model, PQF_ROWS, &wanted, &index), PQF_EUNFITTED);
  CHECK_STATUS(pqf_save(model, test_file("unfitted.pqf")), PQF_EUNFITTED);
  CHECK_STATUS(pqf_model_history(model, 0, &epoch), PQF_EINVAL);
  CHECK_OK(pqf_model_summary(model, &summary));
  CU_ASSERT_EQUAL(summary.epochs, 0);
  CU_ASSERT_EQUAL(summary.best_epoch, 0);
  CU_ASSERT_EQUAL(summary.stop_reason, PQF_STOP_NONE);
  pqf_free(model);
}

static void getters_after_a_fit(void)
{
  pqf_model *model = fitted_model();
  CU_ASSERT_EQUAL(pqf_model_rows(model), shape.rows);
  CU_ASSERT_EQUAL(pqf_model_cols(model), shape.cols);
  CU_ASSERT_EQUAL(pqf_model_factors(model), FACTORS);
  CU_ASSERT_PTR_NOT_NULL(pqf_model_borrow_factors(model, PQF_ROWS));
  CU_ASSERT_PTR_NOT_NULL(pqf_model_borrow_factors(model, PQF_COLS));
  CU_ASSERT_PTR_NULL(pqf_model_borrow_factors(model, 2));
  CU_ASSERT_PTR_NULL(pqf_model_borrow_factors(model, -1));
  pqf_free(model);
}

static void null_model_is_no_crash(void)
{
  pqf_summary summary = {.size = sizeof summary};
  pqf_epoch epoch = {.size = sizeof epoch};
  const pqf_id wanted = {.number = 0};
  pqf_id id;
  int32_t index;
  char text[64];
  const float value = 0;
  CU_ASSERT_EQUAL(pqf_model_rows(NULL), 0);
  CU_ASSERT_EQUAL(pqf_model_cols(NULL), 0);
  CU_ASSERT_EQUAL(pqf_model_factors(NULL), 0);
  CU_ASSERT_PTR_NULL(pqf_model_borrow_factors(NULL, PQF_ROWS));
  CU_ASSERT_EQUAL(pqf_model_id_kind(NULL, PQF_ROWS), PQF_IDS_NONE);
  CHECK_STATUS(pqf_model_summary(NULL, &summary), PQF_EINVAL);
  CHECK_STATUS(pqf_model_history(NULL, 0, &epoch), PQF_EINVAL);
  CHECK_STATUS(pqf_model_id(NULL, PQF_ROWS, 0, &id), PQF_EINVAL);
  CHECK_STATUS(pqf_model_find(NULL, PQF_ROWS, &wanted, &index), PQF_EINVAL);
  CHECK_STATUS(pqf_model_option(NULL, "factors", text, sizeof text), PQF_EINVAL);
  CHECK_STATUS(pqf_model_set_initial(NULL, 1, 1, &value, &value), PQF_EINVAL);
}

/* ---- Structs of other sizes ------------------------------------------------------------------ */

/* A caller that was compiled with a longer struct finds zeros behind what is known. */
static void results_fit_the_callers_struct(void)
{
  pqf_model *model = fitted_model();
  struct {
    pqf_summary known;
    int64_t later;
  } summary = {.known.size = sizeof summary, .later = 7};
  struct {
    pqf_epoch known;
    int64_t later;
  } epoch = {.known.size = sizeof epoch, .later = 7};
  CHECK_OK(pqf_model_summary(model, &summary.known));
  CU_ASSERT_EQUAL(summary.known.epochs, 3);
  CU_ASSERT_EQUAL(summary.later, 0);
  CHECK_OK(pqf_model_history(model, 2, &epoch.known));
  CU_ASSERT_EQUAL(epoch.known.epoch, 3);
  CU_ASSERT_EQUAL(epoch.later, 0);
  summary.known.size = sizeof(pqf_summary) - 8;
  epoch.known.size = 0;
  CHECK_STATUS(pqf_model_summary(model, &summary.known), PQF_EINVAL);
  CHECK_STATUS(pqf_model_history(model, 0, &epoch.known), PQF_EINVAL);
  CHECK_STATUS(pqf_model_summary(model, NULL), PQF_EINVAL);
  CHECK_STATUS(pqf_model_history(model, 0, NULL), PQF_EINVAL);
  pqf_free(model);
}

static void options_have_a_text_form(void)
{
  pqf_options options = PQF_OPTIONS_INIT;
  pqf_model *model = NULL;
  char text[64];
  options.factors = 17;
  options.update = PQF_UPDATE_NOTEBOOK;
  options.learning_rate = 0.1;
  options.seed = UINT64_MAX;
  CHECK_OK(pqf_create(&model, &options));
  CHECK_OK(pqf_model_option(model, "factors", text, sizeof text));
  CU_ASSERT_STRING_EQUAL(text, "17");
  CHECK_OK(pqf_model_option(model, "update", text, sizeof text));
  CU_ASSERT_STRING_EQUAL(text, "notebook");
  CHECK_OK(pqf_model_option(model, "learning_rate", text, sizeof text));
  CU_ASSERT_STRING_EQUAL(text, "0.1");
  CHECK_OK(pqf_model_option(model, "seed", text, sizeof text));
  CU_ASSERT_STRING_EQUAL(text, "18446744073709551615");
  for (int32_t n = 0; n < pqf_option_count(); ++n) {
    pqf_option option = {.size = sizeof option};
    CHECK_OK(pqf_option_info(n, &option));
    CHECK_OK(pqf_model_option(model, option.name, text, sizeof text));
  }
  CHECK_OK(pqf_model_option(model, "update", text, sizeof "notebook"));
  CHECK_STATUS(pqf_model_option(model, "update", text, sizeof "notebook" - 1), PQF_EINVAL);
  CHECK_STATUS(pqf_model_option(model, "updat", text, sizeof text), PQF_EINVAL);
  CHECK_STATUS(pqf_model_option(model, NULL, text, sizeof text), PQF_EINVAL);
  CHECK_STATUS(pqf_model_option(model, "update", NULL, sizeof text), PQF_EINVAL);
  CHECK_STATUS(pqf_model_option(model, "update", text, 0), PQF_EINVAL);
  pqf_free(model);
}

/* ---- Initial factors ------------------------------------------------------------------------- */

static void initial_factors_are_checked(void)
{
  pqf_model *model = unfitted_model();
  float p[6 * FACTORS] = {0};
  float q[5 * FACTORS] = {0};
  CHECK_STATUS(pqf_model_set_initial(model, 6, 5, NULL, q), PQF_EINVAL);
  CHECK_STATUS(pqf_model_set_initial(model, 6, 5, p, NULL), PQF_EINVAL);
  CHECK_STATUS(pqf_model_set_initial(model, 0, 5, p, q), PQF_EINVAL);
  CHECK_STATUS(pqf_model_set_initial(model, 6, -1, p, q), PQF_EINVAL);
  CHECK_STATUS(pqf_model_set_initial(model, INT64_C(1) << 31, 5, p, q), PQF_EINVAL);
  CHECK_WORDS("2147483648");
  p[2 * FACTORS + 1] = NAN;
  CHECK_STATUS(pqf_model_set_initial(model, 6, 5, p, q), PQF_EINVAL);
  CHECK_WORDS("p: the value at row 2, factor 1 is NaN");
  p[2 * FACTORS + 1] = 0;
  q[4 * FACTORS + 2] = -INFINITY;
  CHECK_STATUS(pqf_model_set_initial(model, 6, 5, p, q), PQF_EINVAL);
  CHECK_WORDS("q: the value at row 4, factor 2 is infinite");
  q[4 * FACTORS + 2] = 0;
  CHECK_OK(pqf_model_set_initial(model, 6, 5, p, q));
  pqf_free(model);
}

/* A step of length 1e-30 leaves them as they were, to the bit. */
static void initial_factors_are_copied_and_replaced(void)
{
  pqf_options options = PQF_OPTIONS_INIT;
  pqf_model *model = NULL;
  pqf_data *data = some_data();
  float *p = test_normals(1, shape.rows * FACTORS, 1);
  float *q = test_normals(2, shape.cols * FACTORS, 1);
  float *copy = test_normals(1, shape.rows * FACTORS, 1);
  options.factors = FACTORS;
  options.init = PQF_INIT_GIVEN;
  options.init_scale = 3; /* for drawn factors only */
  options.learning_rate = 1e-30;
  options.epochs = 1;
  CHECK_OK(pqf_create(&model, &options));
  CHECK_OK(pqf_model_set_initial(model, shape.cols, shape.rows, q, p));
  CHECK_OK(pqf_model_set_initial(model, shape.rows, shape.cols, p, q));
  memset(p, 0, (size_t)(shape.rows * FACTORS) * sizeof *p);
  for (int fit = 0; fit < 2; ++fit) { /* a fit does not use them up */
    CHECK_OK(pqf_fit(model, data, NULL));
    CU_ASSERT_EQUAL(memcmp(pqf_model_borrow_factors(model, PQF_ROWS), copy,
                           (size_t)(shape.rows * FACTORS) * sizeof *copy),
                    0);
  }
  free(p);
  free(q);
  free(copy);
  pqf_data_free(data);
  pqf_free(model);
}

/* ---- Ids ------------------------------------------------------------------------------------- */

static const int64_t row_ids[] = {100, -7, INT64_MAX, 0, 5, INT64_MIN};
static const char *const col_ids[] = {"apple", "", "apples", "\xc3\xa9t\xc3\xa9", "fig"};

/* Numbers on the rows, texts on the columns; the data that had them is gone. */
static pqf_model *model_with_ids(void)
{
  pqf_model *model = unfitted_model();
  pqf_data *data = some_data();
  CHECK_OK(pqf_data_set_ids(data, PQF_ROWS, shape.rows, row_ids, NULL));
  CHECK_OK(pqf_data_set_ids(data, PQF_COLS, shape.cols, NULL, col_ids));
  CHECK_OK(pqf_fit(model, data, NULL));
  pqf_data_free(data);
  return model;
}

static pqf_id text_id(const char *text)
{
  return (pqf_id){.text = text, .length = (int64_t)strlen(text)};
}

static void ids_go_both_ways(void)
{
  pqf_model *model = model_with_ids();
  CU_ASSERT_EQUAL(pqf_model_id_kind(model, PQF_ROWS), PQF_IDS_NUMBERS);
  CU_ASSERT_EQUAL(pqf_model_id_kind(model, PQF_COLS), PQF_IDS_TEXTS);
  for (int64_t n = 0; n < shape.rows; ++n) {
    pqf_id id;
    int32_t index = -1;
    CHECK_OK(pqf_model_id(model, PQF_ROWS, n, &id));
    CU_ASSERT_PTR_NULL(id.text);
    CU_ASSERT_EQUAL(id.number, row_ids[n]);
    CHECK_OK(pqf_model_find(model, PQF_ROWS, &id, &index));
    CU_ASSERT_EQUAL(index, n);
  }
  for (int64_t n = 0; n < shape.cols; ++n) {
    pqf_id id;
    int32_t index = -1;
    CHECK_OK(pqf_model_id(model, PQF_COLS, n, &id));
    CU_ASSERT_PTR_NOT_NULL_FATAL(id.text);
    CU_ASSERT_EQUAL(id.length, (int64_t)strlen(col_ids[n]));
    CU_ASSERT_EQUAL(memcmp(id.text, col_ids[n], (size_t)id.length), 0);
    CHECK_OK(pqf_model_find(model, PQF_COLS, &id, &index));
    CU_ASSERT_EQUAL(index, n);
  }
  pqf_free(model);
}

static void unknown_ids_are_not_found(void)
{
  pqf_model *model = model_with_ids();
  const pqf_id number = {.number = 6};
  const pqf_id known_number = {.number = 5};
  const pqf_id text = text_id("app");
  const pqf_id known_text = text_id("apple");
  const pqf_id negative = {.text = "apple", .length = -1};
  int32_t index;
  CHECK_STATUS(pqf_model_find(model, PQF_ROWS, &number, &index), PQF_ENOTFOUND);
  CHECK_WORDS("6");
  CHECK_STATUS(pqf_model_find(model, PQF_COLS, &text, &index), PQF_ENOTFOUND);
  CHECK_WORDS("app");
  CHECK_STATUS(pqf_model_find(model, PQF_ROWS, &known_text, &index), PQF_ENOTFOUND);
  CHECK_STATUS(pqf_model_find(model, PQF_COLS, &known_number, &index), PQF_ENOTFOUND);
  CHECK_STATUS(pqf_model_find(model, PQF_COLS, &negative, &index), PQF_EINVAL);
  CHECK_STATUS(pqf_model_find(model, PQF_COLS, NULL, &index), PQF_EINVAL);
  CHECK_STATUS(pqf_model_find(model, PQF_COLS, &known_text, NULL), PQF_EINVAL);
  CHECK_STATUS(pqf_model_find(model, 2, &known_text, &index), PQF_EINVAL);
  pqf_free(model);
}

static void ids_have_bounds(void)
{
  pqf_model *model = model_with_ids();
  pqf_id id;
  CHECK_STATUS(pqf_model_id(model, PQF_ROWS, -1, &id), PQF_EINVAL);
  CHECK_STATUS(pqf_model_id(model, PQF_ROWS, shape.rows, &id), PQF_EINVAL);
  CHECK_STATUS(pqf_model_id(model, PQF_COLS, shape.cols, &id), PQF_EINVAL);
  CHECK_STATUS(pqf_model_id(model, 2, 0, &id), PQF_EINVAL);
  CHECK_STATUS(pqf_model_id(model, PQF_ROWS, 0, NULL), PQF_EINVAL);
  CU_ASSERT_EQUAL(pqf_model_id_kind(model, 2), PQF_IDS_NONE);
  pqf_free(model);
}

static void indices_stand_in_for_ids(void)
{
  pqf_model *model = fitted_model();
  const pqf_id inside = {.number = 4};
  const pqf_id outside = {.number = 5};
  const pqf_id negative = {.number = -1};
  const pqf_id beyond = {.number = INT64_C(1) << 32};
  pqf_id id;
  int32_t index = -1;
  CU_ASSERT_EQUAL(pqf_model_id_kind(model, PQF_COLS), PQF_IDS_NONE);
  CHECK_OK(pqf_model_id(model, PQF_COLS, 3, &id));
  CU_ASSERT_PTR_NULL(id.text);
  CU_ASSERT_EQUAL(id.number, 3);
  CHECK_OK(pqf_model_find(model, PQF_COLS, &inside, &index));
  CU_ASSERT_EQUAL(index, 4);
  CHECK_STATUS(pqf_model_find(model, PQF_COLS, &outside, &index), PQF_ENOTFOUND);
  CHECK_STATUS(pqf_model_find(model, PQF_COLS, &negative, &index), PQF_ENOTFOUND);
  CHECK_STATUS(pqf_model_find(model, PQF_COLS, &beyond, &index), PQF_ENOTFOUND);
  pqf_free(model);
}

static void ids_are_those_of_the_last_fit(void)
{
  pqf_model *model = model_with_ids();
  pqf_data *data = some_data();
  CHECK_OK(pqf_fit(model, data, NULL));
  CU_ASSERT_EQUAL(pqf_model_id_kind(model, PQF_ROWS), PQF_IDS_NONE);
  CU_ASSERT_EQUAL(pqf_model_id_kind(model, PQF_COLS), PQF_IDS_NONE);
  pqf_data_free(data);
  pqf_free(model);
}

/* ---- Words ----------------------------------------------------------------------------------- */

static void every_status_has_a_sentence(void)
{
  for (int status = PQF_OK; status >= PQF_ENOTFOUND; --status) {
    CU_ASSERT(strlen(pqf_strerror(status)) > 0);
    CU_ASSERT_STRING_NOT_EQUAL(pqf_strerror(status), pqf_strerror(1));
    for (int other = PQF_OK; other > status; --other)
      CU_ASSERT_STRING_NOT_EQUAL(pqf_strerror(status), pqf_strerror(other));
  }
  CU_ASSERT(strlen(pqf_strerror(-1000)) > 0);
}

static void version_is_that_of_the_header(void)
{
  char version[32];
  snprintf(version, sizeof version, "%d.%d.%d", PQF_VERSION_MAJOR, PQF_VERSION_MINOR,
           PQF_VERSION_PATCH);
  CU_ASSERT_STRING_EQUAL(pqf_version(), version);
}

void suite_model(void)
{
  CU_pSuite suite = CU_add_suite("model", NULL, NULL);
  CU_add_test(suite, "create", create_gives_a_model_or_null);
  CU_add_test(suite, "texts are copied", create_copies_texts);
  CU_add_test(suite, "getters before a fit", getters_before_a_fit);
  CU_add_test(suite, "getters after a fit", getters_after_a_fit);
  CU_add_test(suite, "no model", null_model_is_no_crash);
  CU_add_test(suite, "structs of other sizes", results_fit_the_callers_struct);
  CU_add_test(suite, "options as text", options_have_a_text_form);
  CU_add_test(suite, "initial factors are checked", initial_factors_are_checked);
  CU_add_test(suite, "initial factors are copied", initial_factors_are_copied_and_replaced);
  CU_add_test(suite, "ids go both ways", ids_go_both_ways);
  CU_add_test(suite, "unknown ids", unknown_ids_are_not_found);
  CU_add_test(suite, "bounds of ids", ids_have_bounds);
  CU_add_test(suite, "no ids", indices_stand_in_for_ids);
  CU_add_test(suite, "ids of the last fit", ids_are_those_of_the_last_fit);
  CU_add_test(suite, "statuses", every_status_has_a_sentence);
  CU_add_test(suite, "the version", version_is_that_of_the_header);
}
