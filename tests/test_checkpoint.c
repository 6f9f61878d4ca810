/* Checkpoints: a fit that was stopped after any epoch, and went on from its file, ends with the
 * bits of the one that was not; what does not belong together is refused. */
#include "model_file.h"
#include "model_files.h"
#include "suites.h"
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROWS = 30, COLS = 20, MOST_CELLS = ROWS * COLS };

/* ---- Problems -------------------------------------------------------------------------------- */

typedef struct cells {
  int64_t count;
  int32_t row[MOST_CELLS];
  int32_t col[MOST_CELLS];
  float value[MOST_CELLS];
  float weight[MOST_CELLS];
} cells;

/* Values from 1 to 5 at random places; row 3 and column 4 have none. */
static void draw_cells(cells *out, uint64_t seed, double density)
{
  out->count = 0;
  for (int32_t u = 0; u < ROWS; ++u)
    for (int32_t i = 0; i < COLS; ++i)
      if (u != 3 && i != 4 && test_uniform(&seed) < density) {
        const int64_t n = out->count++;
        out->row[n] = u;
        out->col[n] = i;
        out->value[n] = (float)(1 + (int)(5 * test_uniform(&seed)));
        out->weight[n] = (float)(0.5 + test_uniform(&seed));
      }
}

static pqf_data *sparse_data(const cells *from, int weighted)
{
  pqf_data *data = NULL;
  CHECK_OK(pqf_data_coo(&data, ROWS, COLS, from->count, from->row, from->col, from->value,
                        weighted ? from->weight : NULL, NULL));
  return data;
}

static pqf_data *dense_data(uint64_t seed)
{
  pqf_data *data = NULL;
  float *values = test_normals(seed, MOST_CELLS, 1);
  CHECK_OK(pqf_data_dense(&data, values, ROWS, COLS, COLS, NULL));
  free(values);
  return data;
}

enum { DENSE = 1, WEIGHTED = 2, VALIDATED = 4 };

typedef struct problem {
  const char *options; /* "name=value name=value" */
  int data;            /* of the above */
  int64_t stop_reason; /* how the fit ends when nothing stops it */
} problem;

#define GD "factors=3 epochs=9 learning_rate=0.003 init_scale=0.3 "
#define ALS "solver=als factors=3 epochs=7 regularization=0.5 init_scale=0.1 "
#define SOON "patience=4 min_delta=1000 " /* stops after epoch 5 */

static const problem problems[] = {
    {GD, DENSE, PQF_STOP_EPOCHS},
    {GD "keep_best=1", DENSE | VALIDATED, PQF_STOP_EPOCHS},
    {GD "update=notebook init=torch", DENSE, PQF_STOP_EPOCHS},
    {GD "update=notebook " SOON, DENSE, PQF_STOP_EARLY},
    {GD SOON "keep_best=1", DENSE | VALIDATED, PQF_STOP_EARLY},
    {GD "learning_rate=0.3 init_scale=1", DENSE, PQF_STOP_DIVERGED},
    {GD "update=notebook objective=observed", 0, PQF_STOP_EPOCHS},
    {GD "objective=observed", WEIGHTED | VALIDATED, PQF_STOP_EPOCHS},
    {GD "objective=observed keep_best=1 " SOON, WEIGHTED, PQF_STOP_EARLY},
    {GD, WEIGHTED, PQF_STOP_EPOCHS},
    {GD "keep_best=1", VALIDATED, PQF_STOP_EPOCHS},
    {ALS "objective=observed", 0, PQF_STOP_EPOCHS},
    {ALS "objective=observed keep_best=1 regularization_scaling=0.5", WEIGHTED | VALIDATED,
     PQF_STOP_EPOCHS},
    {ALS "objective=observed keep_best=1 patience=2 regularization=0.01", VALIDATED,
     PQF_STOP_EARLY},
    {ALS "objective=observed biases=rows conjugate_gradient=2", 0, PQF_STOP_EPOCHS},
    {ALS "objective=observed biases=none mean=none nonnegative=1", 0, PQF_STOP_EPOCHS},
    {ALS "objective=squared", 0, PQF_STOP_EPOCHS},
    {ALS "objective=squared keep_best=1 " SOON, WEIGHTED, PQF_STOP_EARLY},
    {ALS "objective=implicit", WEIGHTED, PQF_STOP_EPOCHS},
    {ALS "objective=implicit regularization_scaling=1 unobserved_weight=0.2 keep_best=1", VALIDATED,
     PQF_STOP_EPOCHS},
    {ALS "objective=implicit conjugate_gradient=3 " SOON, VALIDATED, PQF_STOP_EARLY},
    {ALS "objective=observed keep_best=1 " SOON, 0, PQF_STOP_EARLY},
};
enum { PROBLEMS = sizeof problems / sizeof problems[0] };

static pqf_model *create(const char *options)
{
  char text[512];
  char *at = NULL;
  pqf_options o = PQF_OPTIONS_INIT;
  pqf_model *model = NULL;
  snprintf(text, sizeof text, "%s backend=cpu threads=2 seed=5", options);
  CHECK_OK(pqf_create(&model, &o));
  for (char *name = strtok_r(text, " ", &at); name != NULL; name = strtok_r(NULL, " ", &at)) {
    char *value = strchr(name, '=');
    *value++ = '\0';
    CHECK_OK(pqf_model_set_option(model, name, value));
  }
  return model;
}

typedef struct session {
  const problem *problem;
  pqf_data *train;
  pqf_data *validation; /* NULL: none */
  pqf_model *whole;     /* the fit that nothing stopped */
  int status;           /* and how it ended */
} session;

static void begin(session *s, const problem *p)
{
  cells drawn;
  *s = (session){.problem = p};
  draw_cells(&drawn, 21, 0.4);
  s->train = (p->data & DENSE) != 0 ? dense_data(22) : sparse_data(&drawn, p->data & WEIGHTED);
  draw_cells(&drawn, 23, 0.1);
  if ((p->data & VALIDATED) != 0)
    s->validation = sparse_data(&drawn, p->data & WEIGHTED);
  s->whole = create(p->options);
  s->status = pqf_fit(s->whole, s->train, s->validation);
}

static void end(session *s)
{
  pqf_free(s->whole);
  pqf_data_free(s->train);
  pqf_data_free(s->validation);
}

/* ---- Going on -------------------------------------------------------------------------------- */

/* A callback that ends the fit after the epoch that `payload` points to. */
static int stop_at(const pqf_epoch *epoch, void *payload)
{
  const int64_t *last = payload;
  return epoch->epoch == *last;
}

static pqf_model *load(const char *path)
{
  pqf_model *model = NULL;
  pqf_summary summary = {.size = sizeof summary};
  CU_ASSERT_EQUAL_FATAL(CHECK_OK(pqf_load(&model, path, PQF_LOAD_VERIFY)), 1);
  CHECK_OK(pqf_model_summary(model, &summary));
  CU_ASSERT_EQUAL(summary.stop_reason, PQF_STOP_RUNNING);
  return model;
}

/* A fit with checkpoints that is stopped after an epoch. 0: it was over before. */
static int fit_until(const session *s, int64_t epoch, const char *every, const char *path)
{
  pqf_model *model = create(s->problem->options);
  CHECK_OK(pqf_model_set_option(model, "checkpoint", path));
  CHECK_OK(pqf_model_set_option(model, "checkpoint_every", every));
  CHECK_OK(pqf_model_set_callback(model, stop_at, &epoch));
  const int status = pqf_fit(model, s->train, s->validation);
  if (status != PQF_ECANCELED)
    check_same_fit(model, s->whole);
  pqf_free(model);
  return status == PQF_ECANCELED;
}

static void go_on(const session *s, const char *path, const char *threads)
{
  pqf_model *model = load(path);
  CHECK_OK(pqf_model_set_option(model, "threads", threads));
  CHECK_STATUS(pqf_resume(model, s->train, s->validation), s->status);
  check_same_fit(model, s->whole);
  pqf_free(model);
}

static void stopped_after_any_epoch(void)
{
  char path[1024];
  snprintf(path, sizeof path, "%s", test_file("stopped.pqf"));
  for (int n = 0; n < PROBLEMS; ++n) {
    session s;
    pqf_summary summary = {.size = sizeof summary};
    begin(&s, &problems[n]);
    CHECK_OK(pqf_model_summary(s.whole, &summary));
    if (summary.stop_reason != problems[n].stop_reason)
      printf("\n  %s: ends with %d", problems[n].options, (int)summary.stop_reason);
    CU_ASSERT_EQUAL(summary.stop_reason, problems[n].stop_reason);
    CU_ASSERT(summary.epochs > 2);
    for (int64_t epoch = 1; fit_until(&s, epoch, epoch % 2 != 0 ? "1" : "4", path); ++epoch) {
      go_on(&s, path, "1");
      go_on(&s, path, "7");
    }
    go_on(&s, path, "2"); /* the last one that was written, before the fit was over */
    end(&s);
  }
}

/* One epoch at a time, each by a model of its own. */
static void relay(void)
{
  char path[1024];
  snprintf(path, sizeof path, "%s", test_file("relay.pqf"));
  for (int n = 0; n < PROBLEMS; ++n) {
    session s;
    begin(&s, &problems[n]);
    int status = fit_until(&s, 1, "0", path) ? PQF_ECANCELED : PQF_OK;
    for (int64_t epoch = 2; status == PQF_ECANCELED; ++epoch) {
      pqf_model *model = load(path);
      CHECK_OK(pqf_model_set_option(model, "checkpoint", path));
      CHECK_OK(pqf_model_set_callback(model, stop_at, &epoch));
      status = pqf_resume(model, s.train, s.validation);
      if (status != PQF_ECANCELED) {
        CU_ASSERT_EQUAL(status, s.status);
        check_same_fit(model, s.whole);
      }
      pqf_free(model);
    }
    end(&s);
  }
}

static void more_epochs(void)
{
  char path[1024];
  snprintf(path, sizeof path, "%s", test_file("more.pqf"));
  for (int n = 0; n < PROBLEMS; ++n) {
    session s;
    if (problems[n].stop_reason != PQF_STOP_EPOCHS)
      continue;
    begin(&s, &problems[n]);
    CHECK_OK(pqf_model_set_option(s.whole, "epochs", "13"));
    CHECK_OK(pqf_fit(s.whole, s.train, s.validation));
    pqf_model *model = create(problems[n].options);
    CHECK_OK(pqf_model_set_option(model, "checkpoint", path));
    CHECK_OK(pqf_fit(model, s.train, s.validation));
    pqf_free(model);
    model = load(path);
    CHECK_OK(pqf_model_set_option(model, "epochs", "13"));
    CHECK_OK(pqf_resume(model, s.train, s.validation));
    check_same_fit(model, s.whole);
    pqf_free(model);
    end(&s);
  }
}

/* ---- The file -------------------------------------------------------------------------------- */

/* A checkpoint after two epochs of problem `n`. */
static void stop_early(session *s, int n, const char *path)
{
  begin(s, &problems[n]);
  CU_ASSERT(fit_until(s, 2, "1", path));
}

enum { GD_VALIDATED = 1, ALS_PLAIN = 11, ALS_VALIDATED = 12, ALS_SOON = PROBLEMS - 1 };

static void a_model_like_any_other(void)
{
  char path[1024];
  char text[64];
  size_t size[2];
  session s;
  const int32_t index = 1;
  float prediction = NAN;
  snprintf(path, sizeof path, "%s", test_file("model.pqf"));
  stop_early(&s, ALS_VALIDATED, path);
  pqf_model *model = load(path);
  CHECK_OK(pqf_predict(model, 1, &index, &index, &prediction));
  CU_ASSERT(isfinite(prediction));
  CHECK_OK(pqf_model_option(model, "checkpoint", text, sizeof text));
  CU_ASSERT_STRING_EQUAL(text, "");
  CHECK_OK(pqf_save(model, test_file("again.pqf"))); /* still a checkpoint */
  char *a = read_file(path, &size[0]);
  char *b = read_file(test_file("again.pqf"), &size[1]);
  CU_ASSERT(size[0] == size[1] && memcmp(a, b, size[0]) == 0);
  free(a);
  free(b);

  CHECK_OK(pqf_fit(model, s.train, NULL)); /* a fit of its own ends that */
  CHECK_STATUS(pqf_resume(model, s.train, NULL), PQF_EINVAL);
  CHECK_WORDS("a fit that is over");
  pqf_free(model);
  end(&s);
}

/* A file must not name another one to write over. */
static void a_path_in_a_file(void)
{
  static const float values[2] = {1, 2};
  char text[64];
  pqf_model *model = NULL;
  write_safetensors(test_file("path.pqf"),
                    "{\"__metadata__\":{\"option.checkpoint\":\"/tmp/victim\"},"
                    "\"P\":{\"dtype\":\"F32\",\"shape\":[1,1],\"data_offsets\":[0,4]},"
                    "\"Q\":{\"dtype\":\"F32\",\"shape\":[1,1],\"data_offsets\":[4,8]}}",
                    values, sizeof values);
  REQUIRE_OK(pqf_load(&model, test_file("path.pqf"), 0));
  CHECK_OK(pqf_model_option(model, "checkpoint", text, sizeof text));
  CU_ASSERT_STRING_EQUAL(text, "");
  pqf_free(model);
}

/* Replaces a text in the head by one of the same length, and puts the head's checksum right. */
static void change_head(const char *path, const char *from, const char *to)
{
  size_t size;
  uint64_t length;
  char *bytes = read_file(path, &size);
  memcpy(&length, bytes, sizeof length);
  char *head = bytes + sizeof length;
  char *found = memmem(head, length, from, strlen(from));
  CU_ASSERT_PTR_NOT_NULL(found);
  CU_ASSERT_EQUAL(strlen(from), strlen(to));
  if (found != NULL) {
    memcpy(found, to, strlen(from));
    const size_t place = pqf_head_digits(head, length);
    pqf_head_checksum(head, length, place, head + place);
    write_file(path, bytes, size);
  }
  free(bytes);
}

static void damaged_files(void)
{
  static const struct {
    const char *from;
    const char *to;
    const char *words;
  } changes[] = {
      {"checkpoint.counter\":\"1", "checkpoint.counter\":\"x", "checkpoint.counter is 'x'"},
      {"checkpoint.counter\":\"1", "checkpoint.counter\":\"3", "whole number from 0 to 2"},
      {"checkpoint.train_xxh64", "checkpoint.train_xxh00", "checkpoint.train_xxh64 is missing"},
      {"checkpoint.train_xxh64\":\"", "checkpoint.train_xxh64\":\"\",\"\":\"", "must be 16 digits"},
      {"checkpoint.train_cells\":\"", "checkpoint.train_cells\":\"-", "checkpoint.train_cells is"},
      {"best_P", "best_X", "best_P is no F32 of 30 x 3"},
      {"best_Q", "best_X", "best_Q is no F32 of 20 x 3"},
      {"best_row_bias", "best_row_bios", "it has best_P and no best_row_bias"},
      {"best_epoch\":\"2", "best_epoch\":\"7", "the best epoch is 7 of 2"},
      {"best_epoch\":\"2", "best_epoch\":\"-", "fit.best_epoch is '-'"},
      {"history.best_loss", "history.beast_los", "no best loss at epoch 2"},
  };
  char path[1024];
  session s;
  snprintf(path, sizeof path, "%s", test_file("damaged.pqf"));
  stop_early(&s, ALS_SOON, path);
  for (size_t n = 0; n < sizeof changes / sizeof changes[0]; ++n) {
    pqf_model *model = NULL;
    size_t size;
    char *before = read_file(path, &size);
    char from[128];
    char to[128];
    snprintf(from, sizeof from, "%s", changes[n].from);
    snprintf(to, sizeof to, "%s", changes[n].to);
    /* A longer text takes the place of what follows. */
    const size_t longer = strlen(to) - strlen(from);
    if (longer > 0) {
      const char *found = memmem(before, size, from, strlen(from));
      CU_ASSERT_PTR_NOT_NULL_FATAL(found);
      snprintf(from + strlen(from), longer + 1, "%s", found + strlen(from));
    }
    change_head(path, from, to);
    CHECK_STATUS(pqf_load(&model, path, 0), PQF_EFORMAT);
    CHECK_WORDS(changes[n].words);
    write_file(path, before, size);
    free(before);
  }

  size_t size;
  char *bytes = read_file(path, &size);
  pqf_model *model = NULL;
  bytes[size - 4] ^= 1; /* the last tensor is best_col_bias */
  write_file(path, bytes, size);
  CHECK_STATUS(pqf_load(&model, path, PQF_LOAD_VERIFY), PQF_EFORMAT);
  CHECK_WORDS("its tensors are damaged");
  free(bytes);
  end(&s);
}

/* Bits that flip in any of the tensors: read without a look at them all, the checkpoint serves, but
 * no fit goes on from it and no file is signed. */
static void flipped_bits(void)
{
  static const char *const tensors[] = {"row_ids",       "col_ids",      "P",      "Q",
                                        "row_bias",      "col_bias",     "best_P", "best_Q",
                                        "best_row_bias", "best_col_bias"};
  int64_t ids[ROWS];
  char path[1024];
  session s;
  size_t size;
  uint64_t length;
  snprintf(path, sizeof path, "%s", test_file("flipped.pqf"));
  begin(&s, &problems[ALS_VALIDATED]);
  for (int64_t n = 0; n < ROWS; ++n)
    ids[n] = 1000 - n;
  CHECK_OK(pqf_data_set_ids(s.train, PQF_ROWS, ROWS, ids, NULL));
  CHECK_OK(pqf_data_set_ids(s.train, PQF_COLS, COLS, ids, NULL));
  CU_ASSERT(fit_until(&s, 2, "1", path));
  char *bytes = read_file(path, &size);
  memcpy(&length, bytes, sizeof length);
  for (size_t n = 0; n < sizeof tensors / sizeof tensors[0]; ++n) {
    pqf_model *model = NULL;
    char name[64];
    long offset = 0;
    snprintf(name, sizeof name, "\"%s\":{", tensors[n]);
    const char *entry = memmem(bytes + 8, length, name, strlen(name));
    CU_ASSERT_PTR_NOT_NULL_FATAL(entry);
    CU_ASSERT_EQUAL(sscanf(strstr(entry, "offsets\":["), "offsets\":[%ld", &offset), 1);
    char *byte = bytes + 8 + length + offset;
    *byte ^= 1;
    write_file(path, bytes, size);
    *byte ^= 1;
    REQUIRE_OK(pqf_load(&model, path, 0));
    CHECK_STATUS(pqf_resume(model, s.train, s.validation), PQF_EFORMAT);
    CHECK_WORDS("flipped.pqf: its tensors are damaged");
    CHECK_STATUS(pqf_save(model, test_file("resigned.pqf")), PQF_EFORMAT);
    CU_ASSERT_NOT_EQUAL(access(test_file("resigned.pqf"), F_OK), 0);
    CHECK_OK(pqf_model_set_option(model, "init", "model"));
    CHECK_STATUS(pqf_fit(model, s.train, s.validation), PQF_EFORMAT);
    pqf_free(model);
  }
  write_file(path, bytes, size); /* as it was: goes on without PQF_LOAD_VERIFY */
  pqf_model *whole = NULL;
  REQUIRE_OK(pqf_load(&whole, path, 0));
  CHECK_OK(pqf_resume(whole, s.train, s.validation));
  check_same_fit(whole, s.whole);
  pqf_free(whole);
  free(bytes);
  end(&s);
}

/* ---- Refusals -------------------------------------------------------------------------------- */

static void no_checkpoint(void)
{
  session s;
  pqf_model *unfitted = create(GD);
  begin(&s, &problems[0]);
  CHECK_STATUS(pqf_resume(NULL, s.train, NULL), PQF_EINVAL);
  CHECK_WORDS("model is NULL");
  CHECK_STATUS(pqf_resume(s.whole, NULL, NULL), PQF_EINVAL);
  CHECK_WORDS("train is NULL");
  CHECK_STATUS(pqf_resume(unfitted, s.train, NULL), PQF_EINVAL);
  CHECK_WORDS("the model is no checkpoint: it has not been fitted");
  CHECK_STATUS(pqf_resume(s.whole, s.train, NULL), PQF_EINVAL);
  CHECK_WORDS("the model is no checkpoint: it has a fit that is over");
  CHECK_STATUS(pqf_model_set_callback(NULL, NULL, NULL), PQF_EINVAL);
  pqf_free(unfitted);
  end(&s);
}

static void refuse(const session *s, const char *path, const pqf_data *train,
                   const pqf_data *validation, const char *words)
{
  pqf_model *model = load(path);
  CHECK_STATUS(pqf_resume(model, train, validation), PQF_EINVAL);
  CHECK_WORDS(words);
  CHECK_OK(pqf_resume(model, s->train, s->validation)); /* it is as it was */
  check_same_fit(model, s->whole);
  pqf_free(model);
}

static void other_data(void)
{
  char path[1024];
  session s;
  cells drawn;
  pqf_data *other[4] = {NULL};
  snprintf(path, sizeof path, "%s", test_file("other.pqf"));
  stop_early(&s, ALS_VALIDATED, path);
  draw_cells(&drawn, 21, 0.4);
  other[0] = sparse_data(&drawn, 0); /* without weights */
  drawn.value[17] += 1;
  other[1] = sparse_data(&drawn, 1);
  drawn.count -= 1;
  other[2] = sparse_data(&drawn, 1);
  CHECK_OK(pqf_data_coo(&other[3], ROWS + 1, COLS, drawn.count, drawn.row, drawn.col, drawn.value,
                        NULL, NULL));
  refuse(&s, path, other[0], s.validation, "the training data has other cells");
  refuse(&s, path, other[1], s.validation, "the training data has other cells");
  refuse(&s, path, other[2], s.validation, "cells, that of the checkpoint has");
  refuse(&s, path, other[3], NULL, "the training data is 31 x 20, that of the checkpoint 30 x 20");
  refuse(&s, path, s.train, NULL,
         "there is no validation data: the fit of the checkpoint had some");
  refuse(&s, path, s.train, other[2], "the validation data has");
  for (int n = 0; n < 4; ++n)
    pqf_data_free(other[n]);
  end(&s);

  stop_early(&s, ALS_PLAIN, path);
  refuse(&s, path, s.train, s.train,
         "there is validation data: the fit of the checkpoint had none");
  end(&s);
}

static void other_problems(void)
{
  static const struct {
    int problem;
    const char *name;
    const char *value;
    const char *words;
  } changes[] = {
      {ALS_PLAIN, "factors", "4", "factors is not that"},
      {ALS_PLAIN, "solver", "gd", "solver is not that"},
      {ALS_PLAIN, "objective", "implicit", "objective is not that"},
      {ALS_PLAIN, "biases", "none", "biases is not that"},
      {ALS_PLAIN, "mean", "none", "mean is not that"},
      {ALS_PLAIN, "keep_best", "1", "the checkpoint does not have the best factors"},
      {GD_VALIDATED, "update", "notebook", "update is not that"},
  };
  char path[1024];
  snprintf(path, sizeof path, "%s", test_file("problems.pqf"));
  for (size_t n = 0; n < sizeof changes / sizeof changes[0]; ++n) {
    session s;
    stop_early(&s, changes[n].problem, path);
    pqf_model *model = load(path);
    CHECK_OK(pqf_model_set_option(model, changes[n].name, changes[n].value));
    CHECK_STATUS(pqf_resume(model, s.train, s.validation), PQF_EINVAL);
    CHECK_WORDS(changes[n].words);
    pqf_free(model);
    end(&s);
  }
}

/* ---- What cannot be written ------------------------------------------------------------------ */

static int count_epochs(const pqf_epoch *epoch, void *payload)
{
  int64_t *count = payload;
  (void)epoch;
  ++*count;
  return 0;
}

static int remove_folder(const pqf_epoch *epoch, void *payload)
{
  char path[1024];
  snprintf(path, sizeof path, "%s/in.pqf", (const char *)payload);
  if (epoch->epoch == 3) {
    CU_ASSERT_EQUAL(unlink(path), 0);
    CU_ASSERT_EQUAL(rmdir(payload), 0);
  }
  return 0;
}

static void files_that_cannot_be_written(void)
{
  char folder[1024];
  char path[1100];
  session s;
  int64_t epochs = 0;
  begin(&s, &problems[ALS_PLAIN]);
  pqf_model *model = create(s.problem->options);
  snprintf(folder, sizeof folder, "%s", test_file("vanishing"));
  snprintf(path, sizeof path, "%s/in.pqf", folder);
  CHECK_OK(pqf_fit(model, s.train, NULL));
  CHECK_OK(pqf_model_set_option(model, "checkpoint", path));
  CHECK_OK(pqf_model_set_callback(model, count_epochs, &epochs));
  CHECK_STATUS(pqf_fit(model, s.train, NULL), PQF_EIO); /* there is no such folder yet */
  CHECK_WORDS("vanishing/in.pqf");
  CU_ASSERT_EQUAL(epochs, 0);
  check_same_fit(model, s.whole);

  CU_ASSERT_EQUAL(mkdir(folder, 0777), 0);
  CHECK_OK(pqf_model_set_callback(model, remove_folder, folder));
  CHECK_STATUS(pqf_fit(model, s.train, NULL), PQF_EIO);
  check_same_fit(model, s.whole);
  pqf_free(model);
  end(&s);
}

static void memory_is_planned(void)
{
  session s;
  pqf_memory without = {.size = sizeof without};
  pqf_memory with = {.size = sizeof with};
  begin(&s, &problems[GD_VALIDATED]);
  CHECK_OK(pqf_plan(s.whole, s.train, s.validation, &without));
  CHECK_OK(pqf_model_set_option(s.whole, "checkpoint", "anywhere"));
  CHECK_OK(pqf_plan(s.whole, s.train, s.validation, &with));
  CU_ASSERT_EQUAL(with.fit_bytes, without.fit_bytes + (ROWS + COLS) * 3 * sizeof(float));
  end(&s);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

typedef struct attempt {
  const session *s;
  pqf_model *model;
} attempt;

static int fit(void *payload)
{
  const attempt *a = payload;
  return pqf_fit(a->model, a->s->train, a->s->validation);
}

static int resume(void *payload)
{
  const attempt *a = payload;
  return pqf_resume(a->model, a->s->train, a->s->validation);
}

static void every_allocation(void)
{
  char path[1024];
  snprintf(path, sizeof path, "%s", test_file("memory.pqf"));
  for (int n = 0; n < PROBLEMS; n += 4) {
    session s;
    attempt a = {.s = &s};
    stop_early(&s, n, path);
    a.model = load(path);
    CHECK_OK(pqf_model_set_option(a.model, "checkpoint", path));
    test_every_allocation(resume, &a); /* after each failure the model is a checkpoint still */
    check_same_fit(a.model, s.whole);
    pqf_free(a.model);

    a.model = create(s.problem->options);
    CHECK_OK(pqf_model_set_option(a.model, "checkpoint", path));
    test_every_allocation(fit, &a);
    check_same_fit(a.model, s.whole);
    pqf_free(a.model);
    end(&s);
  }
}

void suite_checkpoint(void)
{
  CU_pSuite suite = CU_add_suite("checkpoint", NULL, NULL);
  CU_add_test(suite, "stopped after any epoch", stopped_after_any_epoch);
  CU_add_test(suite, "one epoch at a time", relay);
  CU_add_test(suite, "more epochs", more_epochs);
  CU_add_test(suite, "a model like any other", a_model_like_any_other);
  CU_add_test(suite, "a path in a file", a_path_in_a_file);
  CU_add_test(suite, "damaged files", damaged_files);
  CU_add_test(suite, "flipped bits", flipped_bits);
  CU_add_test(suite, "no checkpoint", no_checkpoint);
  CU_add_test(suite, "other data", other_data);
  CU_add_test(suite, "other problems", other_problems);
  CU_add_test(suite, "files that cannot be written", files_that_cannot_be_written);
  CU_add_test(suite, "memory is planned", memory_is_planned);
  CU_add_test(suite, "every allocation", every_allocation);
}
