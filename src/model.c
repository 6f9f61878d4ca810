/* The life of a model, and what can be asked of it. */
#include "model.h"

#include "error.h"
#include "memory.h"
#include "options.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>

#define TEXT_OF(number) #number
#define VERSION_TEXT(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

const char *pqf_version(void)
{
  return VERSION_TEXT(PQF_VERSION_MAJOR, PQF_VERSION_MINOR, PQF_VERSION_PATCH);
}

int pqf_create(pqf_model **out, const pqf_options *options)
{
  if (out == NULL)
    return pqf_fail(PQF_EINVAL, "out is NULL");
  *out = NULL;
  pqf_model *model = pqf_allocate_zeroed(1, sizeof *model);
  if (model == NULL)
    return PQF_ENOMEM;
  const pqf_options defaults = PQF_OPTIONS_INIT;
  const int status = pqf_options_copy(&model->options, options != NULL ? options : &defaults);
  if (status != PQF_OK) {
    pqf_release(model);
    return status;
  }
  *out = model;
  return PQF_OK;
}

void pqf_checkpoint_clear(pqf_checkpoint *checkpoint)
{
  for (int side = 0; side < 2; side++) {
    pqf_release(checkpoint->owned_best[side]);
    pqf_release(checkpoint->owned_best_bias[side]);
  }
  memset(checkpoint, 0, sizeof *checkpoint);
}

void pqf_fitted_clear(pqf_fitted *fitted)
{
  pqf_checkpoint_clear(&fitted->checkpoint);
  pqf_release(fitted->owned_p);
  pqf_release(fitted->owned_q);
  pqf_release(fitted->owned_bias[PQF_ROWS]);
  pqf_release(fitted->owned_bias[PQF_COLS]);
  pqf_ids_release(fitted->ids[PQF_ROWS]);
  pqf_ids_release(fitted->ids[PQF_COLS]);
  if (fitted->source.mapping != NULL)
    munmap(fitted->source.mapping, fitted->source.mapping_size);
  pqf_release(fitted->source.path);
  memset(fitted, 0, sizeof *fitted);
}

void pqf_free(pqf_model *model)
{
  if (model == NULL)
    return;
  pqf_fitted_clear(&model->fitted);
  pqf_options_clear(&model->options);
  pqf_release(model->course.epochs);
  pqf_release(model->initial_p);
  pqf_release(model->initial_q);
  pqf_release(model);
}

int64_t pqf_model_rows(const pqf_model *model)
{
  return model != NULL ? model->fitted.rows : 0;
}

int64_t pqf_model_cols(const pqf_model *model)
{
  return model != NULL ? model->fitted.cols : 0;
}

int64_t pqf_model_factors(const pqf_model *model)
{
  if (model == NULL)
    return 0;
  return model->fitted.rows > 0 ? model->fitted.factors : model->options.factors;
}

const float *pqf_model_borrow_factors(const pqf_model *model, int32_t side)
{
  if (model == NULL || (side != PQF_ROWS && side != PQF_COLS))
    return NULL;
  return side == PQF_ROWS ? model->fitted.p : model->fitted.q;
}

const float *pqf_model_borrow_biases(const pqf_model *model, int32_t side)
{
  if (model == NULL || (side != PQF_ROWS && side != PQF_COLS))
    return NULL;
  return model->fitted.bias[side];
}

double pqf_model_mean(const pqf_model *model)
{
  return model != NULL ? model->fitted.mean : 0;
}

int pqf_model_set_option(pqf_model *model, const char *name, const char *value)
{
  if (model == NULL)
    return pqf_fail(PQF_EINVAL, "model is NULL");
  pqf_options wanted = model->options;
  pqf_options changed;
  int status = pqf_options_set(&wanted, name, value);
  if (status == PQF_OK)
    status = pqf_options_copy(&changed, &wanted);
  if (status != PQF_OK)
    return status;
  if (changed.factors != model->options.factors) {
    pqf_release(model->initial_p);
    pqf_release(model->initial_q);
    model->initial_p = NULL;
    model->initial_q = NULL;
  }
  pqf_options_clear(&model->options);
  model->options = changed;
  return PQF_OK;
}

int pqf_model_set_callback(pqf_model *model, pqf_callback callback, void *payload)
{
  if (model == NULL)
    return pqf_fail(PQF_EINVAL, "model is NULL");
  model->options.callback = callback;
  model->options.payload = payload;
  return PQF_OK;
}

static int check_finite(const char *name, const float *values, int64_t rows, int64_t factors)
{
  for (int64_t n = 0; n < rows * factors; n++)
    if (!isfinite(values[n]))
      return pqf_fail(PQF_EINVAL, "%s: the value at row %" PRId64 ", factor %" PRId64 " is %s",
                      name, n / factors, n % factors, isnan(values[n]) ? "NaN" : "infinite");
  return PQF_OK;
}

int pqf_model_set_initial(pqf_model *model, int64_t rows, int64_t cols, const float *p,
                          const float *q)
{
  if (model == NULL || p == NULL || q == NULL)
    return pqf_fail(PQF_EINVAL, "%s is NULL", model == NULL ? "model" : p == NULL ? "p" : "q");
  if (rows < 1 || rows > INT32_MAX || cols < 1 || cols > INT32_MAX)
    return pqf_fail(PQF_EINVAL,
                    "%" PRId64 " x %" PRId64 ": rows and cols must be from 1 to %" PRId32, rows,
                    cols, INT32_MAX);
  const int64_t factors = model->options.factors;
  int status = check_finite("p", p, rows, factors);
  if (status == PQF_OK)
    status = check_finite("q", q, cols, factors);
  if (status != PQF_OK)
    return status;

  const size_t row_bytes = (size_t)factors * sizeof(float);
  float *new_p = pqf_allocate(rows, row_bytes);
  float *new_q = pqf_allocate(cols, row_bytes);
  if (new_p == NULL || new_q == NULL) {
    pqf_release(new_p);
    pqf_release(new_q);
    return PQF_ENOMEM;
  }
  memcpy(new_p, p, (size_t)rows * row_bytes);
  memcpy(new_q, q, (size_t)cols * row_bytes);
  pqf_release(model->initial_p);
  pqf_release(model->initial_q);
  model->initial_p = new_p;
  model->initial_q = new_q;
  model->initial_rows = rows;
  model->initial_cols = cols;
  return PQF_OK;
}

int pqf_model_summary(const pqf_model *model, pqf_summary *out)
{
  if (model == NULL || out == NULL)
    return pqf_fail(PQF_EINVAL, "%s is NULL", model == NULL ? "model" : "out");
  const pqf_course *course = &model->course;
  const pqf_summary summary = {
      .size = sizeof summary,
      .epochs = course->count,
      .best_epoch = course->best_epoch,
      .stop_reason = course->stop_reason,
      .loss = course->count > 0 ? course->epochs[course->count - 1].loss : NAN,
      .best_loss = course->best_epoch > 0 ? course->best_loss : NAN,
      .seconds = course->seconds,
  };
  return pqf_write_sized(out, sizeof summary, sizeof summary, &summary, "pqf_summary");
}

int pqf_model_history(const pqf_model *model, int64_t index, pqf_epoch *out)
{
  if (model == NULL || out == NULL)
    return pqf_fail(PQF_EINVAL, "%s is NULL", model == NULL ? "model" : "out");
  if (index < 0 || index >= model->course.count)
    return pqf_fail(PQF_EINVAL, "index is %" PRId64 ": the history has %" PRId64 " epochs", index,
                    model->course.count);
  const pqf_epoch *epoch = &model->course.epochs[index];
  const size_t first_release = offsetof(pqf_epoch, observed); /* members of 0.1.0 */
  return pqf_write_sized(out, sizeof *epoch, first_release, epoch, "pqf_epoch");
}

int pqf_check_fitted(const pqf_model *model)
{
  if (model == NULL)
    return pqf_fail(PQF_EINVAL, "model is NULL");
  if (model->fitted.rows == 0)
    return pqf_fail(PQF_EUNFITTED, "the model has no factors yet: fit it first");
  return PQF_OK;
}

static int check_side(int32_t side)
{
  if (side != PQF_ROWS && side != PQF_COLS)
    return pqf_fail(PQF_EINVAL, "side is %" PRId32 ": must be PQF_ROWS or PQF_COLS", side);
  return PQF_OK;
}

static int64_t side_size(const pqf_model *model, int32_t side)
{
  return side == PQF_ROWS ? model->fitted.rows : model->fitted.cols;
}

int pqf_model_id(const pqf_model *model, int32_t side, int64_t index, pqf_id *out)
{
  int status = pqf_check_fitted(model);
  if (status == PQF_OK)
    status = check_side(side);
  if (status != PQF_OK)
    return status;
  if (out == NULL)
    return pqf_fail(PQF_EINVAL, "out is NULL");
  if (index < 0 || index >= side_size(model, side))
    return pqf_fail(PQF_EINVAL, "index is %" PRId64 ": must be from 0 to %" PRId64, index,
                    side_size(model, side) - 1);
  pqf_ids_get(model->fitted.ids[side], index, out);
  return PQF_OK;
}

int pqf_model_find(const pqf_model *model, int32_t side, const pqf_id *id, int32_t *out)
{
  int status = pqf_check_fitted(model);
  if (status == PQF_OK)
    status = check_side(side);
  if (status != PQF_OK)
    return status;
  if (id == NULL || out == NULL || (id->text != NULL && id->length < 0))
    return pqf_fail(PQF_EINVAL, "%s",
                    id == NULL    ? "id is NULL"
                    : out == NULL ? "out is NULL"
                                  : "the length of the id is negative");
  return pqf_ids_find(model->fitted.ids[side], side_size(model, side), id, out);
}

int32_t pqf_model_id_kind(const pqf_model *model, int32_t side)
{
  if (model == NULL || (side != PQF_ROWS && side != PQF_COLS))
    return PQF_IDS_NONE; /* no status, so no error message either */
  return pqf_ids_kind(model->fitted.ids[side]);
}
