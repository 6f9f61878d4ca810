/* Steps that fit: what a fit must leave, whatever becomes of it, and the fits that must agree. */
#include "calls_state.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A fit, or the rest of one. */
typedef struct fit {
  const calls_data *train;
  const calls_data *validation; /* NULL: none */
  int is_resumed;
  int64_t cancel_at;
} fit;

static int64_t integer_option(const pqf_model *model, const char *name)
{
  char text[OPTION_TEXT];
  return strtoll(calls_option(model, name, text), NULL, 10);
}

static double number_option(const pqf_model *model, const char *name)
{
  char text[OPTION_TEXT];
  return strtod(calls_option(model, name, text), NULL);
}

static int option_is(const pqf_model *model, const char *name, const char *value)
{
  char text[OPTION_TEXT];
  return strcmp(calls_option(model, name, text), value) == 0;
}

static void set_threads(pqf_model *model, int threads)
{
  calls_set_option(model, "threads", threads == 1 ? "1" : "3");
}

static int on_epoch(const pqf_epoch *epoch, void *payload)
{
  calls_watch *watch = payload;
  HOLDS(epoch->size >= sizeof *epoch, "the size of an epoch is %d", (int)epoch->size);
  HOLDS(watch->seen == 0 || epoch->epoch == watch->last + 1, "epoch %lld after %lld",
        (long long)epoch->epoch, (long long)watch->last);
  HOLDS(isfinite(epoch->loss), "the callback is told a loss of %g", epoch->loss);
  watch->seen++;
  watch->last = epoch->epoch;
  watch->cancelled = epoch->epoch >= watch->cancel_at;
  return watch->cancelled;
}

/* ---- What a fit leaves ----------------------------------------------------------------------- */

/* A scale for rounding: the objective of zero factors, or more. */
static double objective_of_zeros(const pqf_model *model, const calls_data *data)
{
  const int is_implicit = option_is(model, "objective", "implicit");
  const double confidence = number_option(model, "confidence");
  double sum = 0;
  for (int64_t n = 0; n < data->rows * data->cols; n++) {
    const int64_t row = n / data->cols;
    const int64_t col = n % data->cols;
    const double value = data->value[row][col];
    if (data->present[row][col])
      sum += data->weight[row][col] * (is_implicit ? 1 + confidence * value : value * value);
  }
  return sum;
}

/* Exact alternating least squares never raises the loss by more than rounding. */
static void check_rise(const pqf_model *model, const fit *f, int64_t first)
{
  pqf_summary summary = {.size = sizeof summary};
  double before = 0;
  if (!f->train->is_known || !option_is(model, "solver", "als") ||
      !option_is(model, "conjugate_gradient", "0"))
    return;
  const double scale = objective_of_zeros(model, f->train);
  MUST(pqf_model_summary(model, &summary));
  for (int64_t n = first; n < summary.epochs; n++) {
    pqf_epoch epoch = {.size = sizeof epoch};
    MUST(pqf_model_history(model, n, &epoch));
    HOLDS(n == first || !(epoch.loss > before * (1 + 2e-4) + 1e-7 * scale),
          "least squares raised the loss from %.9g to %.9g in epoch %d (zeros have %.9g)", before,
          epoch.loss, (int)epoch.epoch, scale);
    before = epoch.loss;
  }
}

static void check_ids(const pqf_model *model, const calls_data *data)
{
  for (int32_t side = 0; side < 2; side++) {
    const calls_ids *ids = &data->ids[side];
    const int64_t size = side == PQF_ROWS ? pqf_model_rows(model) : pqf_model_cols(model);
    for (int64_t n = 0; n < size && ids->kind >= 0; n++) {
      pqf_id id;
      HOLDS(pqf_model_id(model, side, n, &id) == PQF_OK, "an id");
      if (ids->kind == PQF_IDS_TEXTS)
        HOLDS(id.text != NULL && id.length == (int64_t)strlen(ids->text[n]) &&
                  memcmp(id.text, ids->text[n], (size_t)id.length) == 0,
              "the id of %d on side %d is not \"%s\"", (int)n, (int)side, ids->text[n]);
      else
        HOLDS(id.text == NULL && id.number == (ids->kind == PQF_IDS_NUMBERS ? ids->number[n] : n),
              "the id of %d on side %d", (int)n, (int)side);
    }
  }
}

static void check_result(const pqf_model *model, const fit *f, int status, const calls_watch *watch,
                         int64_t first)
{
  pqf_summary summary = {.size = sizeof summary};
  MUST(pqf_model_summary(model, &summary));
  const int64_t reason = summary.stop_reason;
  if (status == PQF_OK)
    HOLDS(reason == PQF_STOP_EPOCHS || reason == PQF_STOP_EARLY, "stop reason %d", (int)reason);
  if (status == PQF_ECANCELED)
    HOLDS(reason == PQF_STOP_CANCELED && watch->cancelled, "cancelled: stop reason %d",
          (int)reason);
  if (status == PQF_EDIVERGED)
    HOLDS(reason == PQF_STOP_DIVERGED, "diverged: stop reason %d", (int)reason);
  HOLDS(status == PQF_EDIVERGED || summary.epochs == 0 || isfinite(summary.loss),
        "status %d, and the loss is %g", status, summary.loss);
  if (status == PQF_EDIVERGED)
    return;
  HOLDS(pqf_model_rows(model) == pqf_data_rows(f->train->data) &&
            pqf_model_cols(model) == pqf_data_cols(f->train->data),
        "the shape of the model");
  calls_check_finite(model);
  check_ids(model, f->train);
  check_rise(model, f, first);
}

/* Fits a model, and checks what it leaves. */
static int run(pqf_model *model, calls_watch *watch, const fit *f)
{
  static calls_snapshot before;
  static calls_snapshot after;
  pqf_summary summary = {.size = sizeof summary};
  const pqf_data *validation = f->validation != NULL ? f->validation->data : NULL;
  *watch = (calls_watch){.cancel_at = f->cancel_at};
  calls.fits++;
  MUST(pqf_model_set_callback(model, on_epoch, watch));
  MUST(pqf_model_summary(model, &summary));
  calls_take(&before, model);
  const int status = f->is_resumed ? CALL(pqf_resume(model, f->train->data, validation))
                                   : CALL(pqf_fit(model, f->train->data, validation));
  MUST(pqf_model_set_callback(model, NULL, NULL));
  switch (status) {
  case PQF_OK:
  case PQF_ECANCELED:
  case PQF_EDIVERGED:
    check_result(model, f, status, watch, f->is_resumed ? summary.epochs : 0);
    break;
  case PQF_EIO:
    HOLDS(!option_is(model, "checkpoint", ""), "a fit without a checkpoint: %s",
          pqf_error_message());
    break;
  case PQF_ENOMEM:
    HOLDS(!option_is(model, "memory_limit", "0"), "a small fit: %s", pqf_error_message());
    break;
  default:
    HOLDS(status == PQF_EINVAL || status == PQF_ENOTSUP || status == PQF_EBACKEND,
          "a fit gives the status %d", status);
    break;
  }
  calls_take(&after, model);
  if (status != PQF_OK && status != PQF_ECANCELED && status != PQF_EDIVERGED)
    calls_compare(&before, &after, ALL_PARTS, "a fit that failed");
  else
    calls_compare(&before, &after, 1 << OPTIONS | 1 << RUN_OPTIONS, "options after a fit");
  return status;
}

/* ---- Fits that must agree -------------------------------------------------------------------- */

static void agree(const pqf_model *one, int status, const pqf_model *other, int other_status,
                  const char *what)
{
  static calls_snapshot a;
  static calls_snapshot b;
  HOLDS(status == other_status, "%s: status %d and %d (%s)", what, status, other_status,
        pqf_error_message());
  if (status != PQF_OK && status != PQF_ECANCELED && status != PQF_EDIVERGED)
    return;
  calls_take(&a, one);
  calls_take(&b, other);
  calls_compare(&a, &b, PARTS_OF_A_RUN, what);
}

/* The same fit with another number of threads; consumes the copy. */
static void check_threads(pqf_model *copy, int threads, const fit *f, const pqf_model *model,
                          int status)
{
  calls_watch watch;
  if (copy == NULL)
    return;
  calls_set_option(copy, "checkpoint", "");
  set_threads(copy, threads);
  if (status != PQF_EIO)
    agree(model, status, copy, run(copy, &watch, f), "another number of threads");
  pqf_free(copy);
}

/* The same fit, cancelled on its way and resumed from its checkpoint; consumes the copy. */
static void check_resume(pqf_model *copy, int threads, int64_t cancel_at, const fit *f,
                         const pqf_model *model, int status)
{
  const char *path = calls_named_path("resume");
  fit cut = *f;
  fit rest = *f;
  calls_watch watch;
  pqf_model *resumed = NULL;
  if (copy == NULL)
    return;
  const int64_t epochs = integer_option(copy, "epochs");
  remove(path);
  cut.cancel_at = cancel_at;
  rest.is_resumed = 1;
  if (option_is(copy, "memory_limit", "0") && status != PQF_EIO) {
    calls_set_option(copy, "checkpoint", path);
    const int cut_status = run(copy, &watch, &cut);
    if (cut_status == PQF_OK || cut_status == PQF_ECANCELED)
      MUST(pqf_load(&resumed, path, PQF_LOAD_VERIFY));
    else
      HOLDS(cut_status == status, "with a checkpoint the status is %d, without %d", cut_status,
            status);
  }
  if (resumed != NULL) { /* the folder of modules is not kept in a file */
    char folder[OPTION_TEXT];
    calls_set_option(resumed, "backend_path", calls_option(copy, "backend_path", folder));
    set_threads(resumed, threads);
    HOLDS(integer_option(resumed, "epochs") == epochs, "the checkpoint has other epochs");
    agree(model, status, resumed, run(resumed, &watch, &rest), "cancelled and resumed");
  }
  pqf_free(resumed);
  pqf_free(copy);
}

/* ---- Steps ----------------------------------------------------------------------------------- */

/* The data of a fit. */
static fit choose_fit(void)
{
  const uint8_t choice = calls_next();
  fit f = {.train = &calls.data[choice % DATA_SLOTS]};
  if (choice / 4 % 2 != 0)
    f.validation = &calls.data[choice / 8 % DATA_SLOTS];
  if (f.validation != NULL && f.validation->data == NULL)
    f.validation = NULL;
  return f;
}

/* Fits of such models would take too long. Coordinate descent makes thousands of passes. */
static int is_too_large(const pqf_model *model)
{
  const int64_t most = option_is(model, "nonnegative", "1") ? 20 : MOST_FACTORS;
  return integer_option(model, "factors") > most || calls.fits > MOST_FITS;
}

/* An epoch to cancel at: none within the epochs of the option, unless these are many. */
static int64_t end_of(const pqf_model *model, int64_t first)
{
  const int64_t end = first < INT64_MAX - MOST_EPOCHS ? first + MOST_EPOCHS : INT64_MAX;
  const int64_t epochs = integer_option(model, "epochs");
  return epochs <= end && epochs < INT64_MAX ? epochs + 1 : end;
}

static int plan(const pqf_model *model, const fit *f, pqf_memory *out)
{
  *out = (pqf_memory){.size = sizeof *out};
  return CALL(
      pqf_plan(model, f->train->data, f->validation != NULL ? f->validation->data : NULL, out));
}

/* A plan says whether the fit is possible. */
static void check_plan(const pqf_model *model, int planned, const pqf_memory *memory, int status)
{
  char text[OPTION_TEXT];
  const uint64_t limit = strtoull(calls_option(model, "memory_limit", text), NULL, 10);
  if (planned != PQF_OK) {
    HOLDS(status == planned, "the plan gives %d, the fit %d (%s)", planned, status,
          pqf_error_message());
    return;
  }
  const int is_above = limit > 0 && memory->fit_bytes > limit;
  HOLDS((status == PQF_ENOMEM) == is_above, "the plan is %d bytes, the limit %d, the status %d",
        (int)memory->fit_bytes, (int)limit, status);
  HOLDS(is_above || status == PQF_OK || status == PQF_EDIVERGED || status == PQF_ECANCELED ||
            status == PQF_EIO,
        "the plan was made, the fit gives %d (%s)", status, pqf_error_message());
}

/* A checkpoint was written to a file of ours, perhaps. */
static void note_checkpoint(const pqf_model *model)
{
  for (int64_t slot = 0; slot < FILE_SLOTS; slot++)
    if (option_is(model, "checkpoint", calls_path(slot)))
      calls_file_replaced(slot);
}

void calls_step_fit(void)
{
  calls_model *slot = &calls.model[calls_choose(MODEL_SLOTS)];
  const uint8_t flags = calls_next();
  fit f = choose_fit();
  if (slot->model == NULL) {
    HOLDS(CALL(pqf_fit(NULL, f.train->data, NULL)) == PQF_EINVAL, "a fit of no model");
    return;
  }
  if (is_too_large(slot->model))
    return;
  const int64_t end = end_of(slot->model, 0);
  const int threads = flags % 2 != 0 ? 3 : 1;
  const int64_t cut = 1 + flags / 16 % 4;
  f.cancel_at = flags / 64 == 3 && cut < end ? cut : end;
  set_threads(slot->model, threads);
  const int from_model = option_is(slot->model, "init", "model");
  pqf_model *twin = flags / 2 % 2 != 0 ? calls_copy(slot) : NULL;
  pqf_model *torn = flags / 4 % 2 != 0 && cut < f.cancel_at ? calls_copy(slot) : NULL;
  pqf_memory memory;
  const int planned = plan(slot->model, &f, &memory);
  const int status = run(slot->model, &slot->watch, &f);
  note_checkpoint(slot->model);
  check_plan(slot->model, planned, &memory, status);
  if (status == PQF_OK || status == PQF_ECANCELED)
    slot->is_doubtful = slot->is_doubtful && from_model;
  check_threads(twin, 4 - threads, &f, slot->model, status);
  check_resume(torn, 4 - threads, cut, &f, slot->model, status);
}

void calls_step_resume(void)
{
  calls_model *slot = &calls.model[calls_choose(MODEL_SLOTS)];
  const uint8_t flags = calls_next();
  fit f = choose_fit();
  pqf_summary summary = {.size = sizeof summary};
  pqf_epoch last = {.size = sizeof last};
  f.is_resumed = 1;
  if (slot->model == NULL) {
    HOLDS(CALL(pqf_resume(NULL, f.train->data, NULL)) == PQF_EINVAL, "no model is resumed");
    return;
  }
  if (is_too_large(slot->model))
    return;
  MUST(pqf_model_summary(slot->model, &summary));
  if (summary.epochs > 0)
    MUST(pqf_model_history(slot->model, summary.epochs - 1, &last));
  const int threads = flags % 2 != 0 ? 3 : 1;
  f.cancel_at = end_of(slot->model, last.epoch);
  set_threads(slot->model, threads);
  pqf_model *twin = flags / 2 % 2 != 0 ? calls_copy(slot) : NULL;
  const int status = run(slot->model, &slot->watch, &f);
  note_checkpoint(slot->model);
  HOLDS(summary.stop_reason == PQF_STOP_RUNNING || status == PQF_EINVAL,
        "a model that is no checkpoint is resumed: %d", status);
  check_threads(twin, 4 - threads, &f, slot->model, status);
}

void calls_step_plan(void)
{
  const calls_model *slot = &calls.model[calls_choose(MODEL_SLOTS)];
  const fit f = choose_fit();
  pqf_memory memory;
  const int status = plan(slot->model, &f, &memory);
  HOLDS(status != PQF_OK || (slot->model != NULL && f.train->data != NULL), "a plan of nothing");
  HOLDS(status != PQF_OK || memory.fit_bytes >= memory.model_bytes, "a plan without the model");
}

void calls_step_set_initial(void)
{
  calls_model *slot = &calls.model[calls_choose(MODEL_SLOTS)];
  const calls_data *data = &calls.data[calls_choose(DATA_SLOTS)];
  const int64_t rows = calls_rarely() ? 0 : data->data != NULL ? pqf_data_rows(data->data) : 3;
  const int64_t cols = data->data != NULL ? pqf_data_cols(data->data) : 2;
  float p[SIDE * MOST_FACTORS];
  float q[SIDE * MOST_FACTORS];
  if (slot->model == NULL || is_too_large(slot->model) || rows > SIDE || cols > SIDE)
    return;
  const int64_t factors = integer_option(slot->model, "factors");
  int is_fine = rows > 0;
  for (int64_t n = 0; n < rows * factors; n++)
    p[n] = n < SIDE ? calls_value() : (float)(n % 7) * 0.25F;
  for (int64_t n = 0; n < cols * factors; n++)
    q[n] = n < SIDE ? calls_value() : (float)(n % 5) * 0.5F - 1;
  for (int64_t n = 0; n < rows * factors; n++)
    is_fine = is_fine && isfinite(p[n]);
  for (int64_t n = 0; n < cols * factors; n++)
    is_fine = is_fine && isfinite(q[n]);
  const int status = CALL(pqf_model_set_initial(slot->model, rows, cols, p, q));
  HOLDS(status == (is_fine ? PQF_OK : PQF_EINVAL), "initial factors: %d", status);
  if (status != PQF_OK)
    return;
  slot->given_rows = rows;
  slot->given_cols = cols;
  slot->given_factors = factors;
  memcpy(slot->given[PQF_ROWS], p, (size_t)(rows * factors) * sizeof *p);
  memcpy(slot->given[PQF_COLS], q, (size_t)(cols * factors) * sizeof *q);
}

void calls_step_set_callback(void)
{
  calls_model *slot = &calls.model[calls_choose(MODEL_SLOTS)];
  const int status = CALL(
      pqf_model_set_callback(slot->model, calls_choose(2) == 0 ? on_epoch : NULL, &slot->watch));
  HOLDS(status == (slot->model != NULL ? PQF_OK : PQF_EINVAL), "a callback: %d", status);
}
