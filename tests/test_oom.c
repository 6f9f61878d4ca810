/* Every allocation of the public calls fails in turn: PQF_ENOMEM, nothing leaks (the sanitizers'
 * run of this suite tells), and a model is as it was. */
#include "cases.h"
#include "model_files.h"
#include "suites.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DENSE = 0, OBSERVED = 6, OBSERVED_WEIGHTED = 8 }; /* of case_kinds */

static const case_shape shape = {9, 7};

/* ---- Making and freeing ---------------------------------------------------------------------- */

static int create(void *payload)
{
  pqf_model *model = NULL;
  const int status = pqf_create(&model, payload);
  CU_ASSERT_EQUAL(model == NULL, status != PQF_OK);
  pqf_free(model);
  return status;
}

static void create_without_memory(void)
{
  pqf_options options = PQF_OPTIONS_INIT;
  test_every_allocation(create, NULL);
  options.backend = "cpu";
  options.backend_path = "/nowhere";
  test_every_allocation(create, &options);
}

static int make_data(pqf_data **out, int status)
{
  CU_ASSERT_EQUAL(*out == NULL, status != PQF_OK);
  pqf_data_free(*out);
  *out = NULL;
  return status;
}

static const int32_t some_rows[] = {2, 0, 1};
static const int32_t some_cols[] = {0, 1, 1};
static const float some_values[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
static const float with_gaps[] = {1, 0.0f / 0.0f, 3, 4, 5, 6, 7, 8, 9};

static int make_dense(void *payload)
{
  pqf_data *data = NULL;
  return make_data(&data, pqf_data_dense(&data, some_values, 3, 3, 3, payload));
}

static int make_dense_with_gaps(void *payload)
{
  pqf_data *data = NULL;
  return make_data(&data, pqf_data_dense(&data, with_gaps, 3, 3, 3, payload));
}

static int make_coo(void *payload)
{
  pqf_data *data = NULL;
  return make_data(&data,
                   pqf_data_coo(&data, 3, 2, 3, some_rows, some_cols, some_values, payload, NULL));
}

static int make_csr(void *payload)
{
  static const int64_t offset[] = {0, 1, 2, 3};
  pqf_data *data = NULL;
  return make_data(&data, pqf_data_csr(&data, 3, 2, offset, some_cols, some_values, payload, NULL));
}

static void data_without_memory(void)
{
  float weights[] = {1, 2, 3};
  pqf_data_options borrow = PQF_DATA_OPTIONS_INIT;
  pqf_data_options gaps = PQF_DATA_OPTIONS_INIT;
  borrow.borrow = 1;
  gaps.nan_is_absent = 1;
  test_every_allocation(make_dense, NULL);
  test_every_allocation(make_dense, &borrow);
  test_every_allocation(make_dense_with_gaps, &gaps);
  test_every_allocation(make_coo, NULL);
  test_every_allocation(make_coo, weights);
  test_every_allocation(make_csr, NULL);
  test_every_allocation(make_csr, weights);
}

/* ---- Ids ------------------------------------------------------------------------------------- */

static int set_number_ids(void *payload)
{
  static const int64_t ids[] = {5, 3, 9, 1, 0, 2, 8, 7, 6};
  return pqf_data_set_ids(payload, PQF_ROWS, shape.rows, ids, NULL);
}

static int set_text_ids(void *payload)
{
  static const char *const ids[] = {"a", "bb", "ccc", "d", "ee", "f", "g"};
  return pqf_data_set_ids(payload, PQF_COLS, shape.cols, NULL, ids);
}

static void ids_without_memory(void)
{
  test_case test;
  case_create(&test, &case_kinds[DENSE], shape, 3, 1, 91);
  test_every_allocation(set_number_ids, test.data);
  test_every_allocation(set_text_ids, test.data);
  case_free(&test);
}

/* ---- Fits ------------------------------------------------------------------------------------ */

typedef struct refit {
  pqf_model *model;
  const pqf_data *train;
  const pqf_data *validation;
  float *p; /* the factors before the fit */
  float *q;
} refit;

static int has_factors(const pqf_model *model, const float *p, const float *q)
{
  const size_t row_bytes = (size_t)pqf_model_factors(model) * sizeof(float);
  return pqf_model_rows(model) == shape.rows && pqf_model_cols(model) == shape.cols &&
         memcmp(pqf_model_borrow_factors(model, PQF_ROWS), p, (size_t)shape.rows * row_bytes) ==
             0 &&
         memcmp(pqf_model_borrow_factors(model, PQF_COLS), q, (size_t)shape.cols * row_bytes) == 0;
}

/* A fit that fails leaves the factors, the history and what predicts from them. */
static int fit_again(void *payload)
{
  const refit *r = payload;
  const int32_t index = 2;
  float value;
  pqf_summary summary = {.size = sizeof summary};
  const int status = pqf_fit(r->model, r->train, r->validation);
  if (status != PQF_OK) {
    CU_ASSERT(has_factors(r->model, r->p, r->q));
    CHECK_OK(pqf_predict(r->model, 1, &index, &index, &value));
    CHECK_OK(pqf_model_summary(r->model, &summary));
    CU_ASSERT_EQUAL(summary.epochs, 70);
  }
  return status;
}

/* Fits once, then with every allocation failing. The history outgrows its first room. */
static void check_fit(const case_kind *kind, int with_validation, int32_t keep_best, int32_t init)
{
  test_case test;
  refit r = {0};
  case_create(&test, kind, shape, 3, 0.5, 92);
  pqf_options options = case_options(&test);
  options.keep_best = keep_best;
  options.epochs = 70;
  options.init = init;
  options.threads = 3;
  CHECK_OK(pqf_data_set_ids(test.data, PQF_ROWS, shape.rows, NULL, NULL));
  CHECK_OK(set_text_ids(test.data));
  CHECK_OK(pqf_create(&r.model, &options));
  CHECK_OK(pqf_model_set_initial(r.model, shape.rows, shape.cols, test.p, test.q));
  CHECK_OK(pqf_fit(r.model, test.data, NULL));
  r.train = test.data;
  r.validation = with_validation ? test.data : NULL;
  r.p = test_allocate(shape.rows * 3, sizeof *r.p);
  r.q = test_allocate(shape.cols * 3, sizeof *r.q);
  memcpy(r.p, pqf_model_borrow_factors(r.model, PQF_ROWS), (size_t)shape.rows * 3 * sizeof *r.p);
  memcpy(r.q, pqf_model_borrow_factors(r.model, PQF_COLS), (size_t)shape.cols * 3 * sizeof *r.q);
  test_every_allocation(fit_again, &r);
  free(r.p);
  free(r.q);
  pqf_free(r.model);
  case_free(&test);
}

static void fit_without_memory(void)
{
  for (int kind = 0; kind < case_kind_count; ++kind)
    check_fit(&case_kinds[kind], 0, 0, PQF_INIT_GIVEN);
  check_fit(&case_kinds[DENSE], 0, 0, PQF_INIT_TORCH);
}

static void fit_with_validation_without_memory(void)
{
  check_fit(&case_kinds[DENSE], 1, 0, PQF_INIT_NORMAL);
  check_fit(&case_kinds[DENSE], 1, 1, PQF_INIT_NORMAL);
  check_fit(&case_kinds[OBSERVED], 0, 1, PQF_INIT_NORMAL);
  check_fit(&case_kinds[OBSERVED_WEIGHTED], 1, 1, PQF_INIT_NORMAL);
}

typedef struct initial {
  const test_case *test;
  pqf_model *model;
} initial;

static int set_initial(void *payload)
{
  const initial *i = payload;
  return pqf_model_set_initial(i->model, shape.rows, shape.cols, i->test->p, i->test->q);
}

/* Those given before stay when new ones cannot be had. */
static int set_other_initial_and_fit(void *payload)
{
  const initial *i = payload;
  const int status = pqf_model_set_initial(i->model, 2, 2, i->test->p, i->test->q);
  if (status != PQF_OK)
    CHECK_OK(pqf_fit(i->model, i->test->data, NULL));
  return status;
}

static void initial_factors_without_memory(void)
{
  test_case test;
  initial i = {.test = &test};
  case_create(&test, &case_kinds[DENSE], shape, 3, 1, 93);
  const pqf_options options = case_options(&test);
  CHECK_OK(pqf_create(&i.model, &options));
  test_every_allocation(set_initial, &i);
  test_every_allocation(set_other_initial_and_fit, &i);
  pqf_free(i.model);
  case_free(&test);
}

/* ---- Files ----------------------------------------------------------------------------------- */

static int save(void *payload)
{
  return pqf_save(payload, test_file("oom.pqf"));
}

static int load_and_find(void *payload)
{
  static const pqf_id id = {.text = "ccc", .length = 3};
  pqf_model *model = NULL;
  int32_t index = -1;
  int status = pqf_load(&model, payload, 0);
  CU_ASSERT_EQUAL(model == NULL, status != PQF_OK);
  if (status == PQF_OK)
    status = pqf_model_find(model, PQF_COLS, &id, &index); /* builds the index */
  CU_ASSERT(status != PQF_OK || index == 2);
  pqf_free(model);
  return status;
}

static void files_without_memory(void)
{
  char path[1024];
  test_case test;
  pqf_model *model = NULL;
  case_create(&test, &case_kinds[DENSE], shape, 3, 1, 94);
  pqf_options options = case_options(&test);
  options.init = PQF_INIT_NORMAL;
  CHECK_OK(set_number_ids(test.data));
  CHECK_OK(set_text_ids(test.data));
  CHECK_OK(pqf_create(&model, &options));
  CHECK_OK(pqf_fit(model, test.data, NULL));
  test_every_allocation(save, model);
  strncpy(path, test_file("oom.pqf"), sizeof path - 1);
  path[sizeof path - 1] = '\0';
  test_every_allocation(load_and_find, path);
  pqf_free(model);
  case_free(&test);
}

/* ---- Files, when any call of malloc() may fail ----------------------------------------------- */

typedef struct filing {
  const pqf_model *want; /* what is in the file */
  pqf_model *model;      /* what has been loaded */
  const pqf_data *data;
  uint32_t flags;
  char path[1024];
} filing;

static int save_file(void *payload)
{
  const filing *f = payload;
  return pqf_save(f->want, f->path);
}

/* The file is there whole, this time or from before. */
static void check_saved(int status, void *payload)
{
  const filing *f = payload;
  pqf_model *model = NULL;
  if (status == PQF_OK && CHECK_OK(pqf_load(&model, f->path, PQF_LOAD_VERIFY)))
    check_same_model(model, f->want);
  pqf_free(model);
}

static int load_file(void *payload)
{
  filing *f = payload;
  return pqf_load(&f->model, f->path, f->flags);
}

static void check_loaded(int status, void *payload)
{
  filing *f = payload;
  CU_ASSERT_EQUAL(f->model == NULL, status != PQF_OK);
  if (f->model != NULL && f->want != NULL)
    check_same_model(f->model, f->want);
  pqf_free(f->model);
  f->model = NULL;
}

static void models_without_malloc(void)
{
  filing f = {.model = NULL};
  snprintf(f.path, sizeof f.path, "%s", test_file("malloc.pqf"));
  for (int32_t kind = PQF_IDS_NUMBERS; kind <= PQF_IDS_TEXTS; ++kind) {
    pqf_model *model = fitted_model(kind, 1);
    f.want = model;
    test_every_malloc(save_file, check_saved, &f);
    for (f.flags = 0; f.flags <= PQF_LOAD_VERIFY; ++f.flags)
      test_every_malloc(load_file, check_loaded, &f);
    pqf_free(model);
  }
}

/* A head in which a text has any length, so that jansson's buffer may have to grow at any of its
 * bytes, the closing quote among them. */
static void heads_without_malloc(void)
{
  static const float values[2] = {1, 2};
  filing f = {.model = NULL};
  char head[1024];
  char text[301];
  snprintf(f.path, sizeof f.path, "%s", test_file("heads.pqf"));
  for (int length = 0; length <= 300; ++length) {
    memset(text, 'x', (size_t)length);
    text[length] = '\0';
    snprintf(head, sizeof head,
             "{\"__metadata__\":{\"%s\":\"\"},"
             "\"P\":{\"dtype\":\"F32\",\"shape\":[1,1],\"data_offsets\":[0,4]},"
             "\"Q\":{\"dtype\":\"F32\",\"shape\":[1,1],\"data_offsets\":[4,8]}}",
             text);
    write_safetensors(f.path, head, values, sizeof values);
    test_every_malloc(load_file, check_loaded, &f);
  }
}

/* Checkpoints are written before the first epoch and after the second; to flush them takes time. */
static pqf_model *model_of(int64_t epochs, const char *checkpoint)
{
  pqf_options options = PQF_OPTIONS_INIT;
  pqf_model *model = NULL;
  options.backend = "cpu";
  options.epochs = epochs;
  /* a sanitizer ends the process when it cannot allocate for a new thread */
  options.threads = TEST_UNDER_SANITIZER ? 1 : 2;
  options.learning_rate = 1e-3;
  options.keep_best = 1;
  options.checkpoint = checkpoint;
  options.checkpoint_every = 2;
  CHECK_OK(pqf_create(&model, &options));
  return model;
}

static int fit_with_checkpoints(void *payload)
{
  const filing *f = payload;
  return pqf_fit(f->model, f->data, NULL);
}

static void load_checkpoint(filing *f)
{
  CHECK_OK(pqf_load(&f->model, f->path, 0));
  CHECK_OK(pqf_model_set_option(f->model, "epochs", "3"));
}

static int resume(void *payload)
{
  const filing *f = payload;
  return pqf_resume(f->model, f->data, NULL);
}

/* After a failure a checkpoint is one still. */
static void check_resumed(int status, void *payload)
{
  filing *f = payload;
  if (status != PQF_OK)
    return;
  check_same_fit(f->model, f->want);
  pqf_free(f->model);
  load_checkpoint(f);
}

static void checkpoints_without_malloc(void)
{
  pqf_data *data = model_data(PQF_IDS_TEXTS);
  pqf_model *whole = model_of(3, NULL);
  filing f = {.want = whole, .data = data};
  snprintf(f.path, sizeof f.path, "%s", test_file("checkpoint.pqf"));
  CHECK_OK(pqf_fit(whole, data, NULL));
  f.model = model_of(2, f.path);
  test_every_malloc(fit_with_checkpoints, NULL, &f);
  pqf_free(f.model);
  load_checkpoint(&f);
  test_every_malloc(resume, check_resumed, &f);
  pqf_free(f.model);
  pqf_free(whole);
  pqf_data_free(data);
}

void suite_oom(void)
{
  CU_pSuite suite = CU_add_suite("oom", NULL, NULL);
  CU_add_test(suite, "create", create_without_memory);
  CU_add_test(suite, "data", data_without_memory);
  CU_add_test(suite, "ids", ids_without_memory);
  CU_add_test(suite, "fit", fit_without_memory);
  CU_add_test(suite, "fit with validation data", fit_with_validation_without_memory);
  CU_add_test(suite, "initial factors", initial_factors_without_memory);
  CU_add_test(suite, "files", files_without_memory);
  CU_add_test(suite, "every malloc: models", models_without_malloc);
  CU_add_test(suite, "every malloc: heads", heads_without_malloc);
  CU_add_test(suite, "every malloc: checkpoints", checkpoints_without_malloc);
}
