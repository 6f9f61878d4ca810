/* What can be asked of a model, as bytes that are compared; a copy of a model by way of a file. */
#include "calls_state.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const part_names[PARTS] = {"shape",   "factors", "biases",  "ids",
                                              "history", "summary", "options", "options of the run",
                                              "seconds"};

/* A call that must succeed, and of which calls_trace need not tell. */
#define QUIETLY(expression)                                                                        \
  HOLDS((expression) == PQF_OK, "%s: %s", #expression, pqf_error_message())

static void add(calls_blob *blob, const void *bytes, size_t size)
{
  if (blob->size + size > blob->capacity) {
    blob->capacity = 2 * (blob->size + size);
    blob->bytes = realloc(blob->bytes, blob->capacity);
    HOLDS(blob->bytes != NULL, "no memory");
  }
  if (size > 0)
    memcpy(blob->bytes + blob->size, bytes, size);
  blob->size += size;
}

static void add_integer(calls_blob *blob, int64_t number)
{
  add(blob, &number, sizeof number);
}

/* One NaN is as good as another. */
static void add_number(calls_blob *blob, double number)
{
  const double same = isnan(number) ? (double)NAN : number;
  add(blob, &same, sizeof same);
}

static void add_floats(calls_blob *blob, const float *values, int64_t count)
{
  add_integer(blob, values != NULL);
  if (values != NULL)
    add(blob, values, (size_t)count * sizeof *values);
}

static void add_ids(calls_blob *blob, const pqf_model *model, int32_t side, int64_t count)
{
  add_integer(blob, pqf_model_id_kind(model, side));
  for (int64_t n = 0; n < count; n++) {
    pqf_id id;
    QUIETLY(pqf_model_id(model, side, n, &id));
    add_integer(blob, id.number);
    add_integer(blob, id.text != NULL);
    if (id.text != NULL)
      add(blob, id.text, (size_t)id.length);
  }
}

static void add_history(calls_snapshot *out, const pqf_model *model)
{
  calls_blob *blob = &out->part[HISTORY];
  pqf_summary summary = {.size = sizeof summary};
  QUIETLY(pqf_model_summary(model, &summary));
  add_integer(&out->part[SUMMARY], summary.epochs);
  add_integer(&out->part[SUMMARY], summary.best_epoch);
  add_integer(&out->part[SUMMARY], summary.stop_reason);
  add_number(&out->part[SUMMARY], summary.loss);
  add_number(&out->part[SUMMARY], summary.best_loss);
  add_number(&out->part[TIMES], summary.seconds);
  for (int64_t n = 0; n < summary.epochs; n++) {
    pqf_epoch epoch = {.size = sizeof epoch};
    QUIETLY(pqf_model_history(model, n, &epoch));
    add_integer(blob, epoch.epoch);
    add_number(blob, epoch.loss);
    add_number(blob, epoch.best_loss);
    add_number(blob, epoch.validation_loss);
    add_number(blob, epoch.observed);
    add_number(blob, epoch.unobserved);
    add_number(blob, epoch.regularization);
    add_number(&out->part[TIMES], epoch.seconds);
  }
}

const char *calls_option(const pqf_model *model, const char *name, char *out)
{
  QUIETLY(pqf_model_option(model, name, out, OPTION_TEXT));
  return out;
}

void calls_set_option(pqf_model *model, const char *name, const char *value)
{
  calls_begin();
  const int status = pqf_model_set_option(model, name, value);
  HOLDS(status == PQF_OK, "%s = %s is refused: %s", name, value, pqf_error_message());
}

static const char *option_name(int32_t index)
{
  pqf_option option = {.size = sizeof option};
  QUIETLY(pqf_option_info(index, &option));
  return option.name;
}

/* Options that make no difference to what a fit computes. */
static int is_of_run(const char *name)
{
  return strcmp(name, "threads") == 0 || strcmp(name, "backend_path") == 0 ||
         strcmp(name, "checkpoint") == 0 || strcmp(name, "checkpoint_every") == 0 ||
         strcmp(name, "memory_limit") == 0;
}

static void add_options(calls_snapshot *out, const pqf_model *model)
{
  char text[OPTION_TEXT];
  for (int32_t n = 0; n < pqf_option_count(); n++) {
    const char *name = option_name(n);
    calls_option(model, name, text);
    add(&out->part[is_of_run(name) ? RUN_OPTIONS : OPTIONS], text, strlen(text) + 1);
  }
}

void calls_take(calls_snapshot *out, const pqf_model *model)
{
  const int64_t size[2] = {pqf_model_rows(model), pqf_model_cols(model)};
  for (int n = 0; n < PARTS; n++)
    out->part[n].size = 0;
  add_integer(&out->part[SHAPE], size[PQF_ROWS]);
  add_integer(&out->part[SHAPE], size[PQF_COLS]);
  add_integer(&out->part[SHAPE], pqf_model_factors(model));
  for (int32_t side = 0; side < 2; side++) {
    add_floats(&out->part[FACTORS], pqf_model_borrow_factors(model, side),
               size[side] * pqf_model_factors(model));
    add_floats(&out->part[BIASES], pqf_model_borrow_biases(model, side), size[side]);
    if (size[side] > 0)
      add_ids(&out->part[IDS], model, side, size[side]);
  }
  add_number(&out->part[BIASES], pqf_model_mean(model));
  add_history(out, model);
  add_options(out, model);
}

void calls_compare(const calls_snapshot *before, const calls_snapshot *after, int parts,
                   const char *what)
{
  for (int n = 0; n < PARTS; n++) {
    const calls_blob *a = &before->part[n];
    const calls_blob *b = &after->part[n];
    if ((parts >> n & 1) == 0)
      continue;
    size_t at = 0;
    while (at < a->size && at < b->size && a->bytes[at] == b->bytes[at])
      at++;
    HOLDS(at == a->size && at == b->size,
          "%s: the %s of the model differ, at byte %zu of %zu and %zu", what, part_names[n], at,
          a->size, b->size);
  }
}

void calls_snapshot_clear(calls_snapshot *snapshot)
{
  for (int n = 0; n < PARTS; n++)
    free(snapshot->part[n].bytes);
  memset(snapshot, 0, sizeof *snapshot);
}

pqf_model *calls_copy(const calls_model *of)
{
  static calls_snapshot before;
  static calls_snapshot after;
  const char *path = calls_named_path("copy");
  char text[OPTION_TEXT];
  pqf_model *copy = NULL;
  if (of->model == NULL || of->is_doubtful)
    return NULL;
  const int is_fitted = pqf_model_rows(of->model) > 0;
  if (is_fitted) {
    MUST(pqf_save(of->model, path));
    MUST(pqf_load(&copy, path, PQF_LOAD_VERIFY));
  } else {
    MUST(pqf_create(&copy, NULL));
  }
  for (int32_t n = 0; n < pqf_option_count(); n++)
    calls_set_option(copy, option_name(n), calls_option(of->model, option_name(n), text));
  if (of->given_rows > 0)
    MUST(pqf_model_set_initial(copy, of->given_rows, of->given_cols, of->given[PQF_ROWS],
                               of->given[PQF_COLS]));
  calls_take(&before, of->model);
  calls_take(&after, copy);
  calls_compare(&before, &after,
                is_fitted ? ALL_PARTS
                          : ALL_PARTS & ~(1 << HISTORY) & ~(1 << SUMMARY) & ~(1 << TIMES),
                "a copy by way of a file");
  return copy;
}

void calls_check_finite(const pqf_model *model)
{
  for (int32_t side = 0; side < 2; side++) {
    const int64_t size = side == PQF_ROWS ? pqf_model_rows(model) : pqf_model_cols(model);
    const int64_t count = size * pqf_model_factors(model);
    const float *factors = pqf_model_borrow_factors(model, side);
    const float *biases = pqf_model_borrow_biases(model, side);
    for (int64_t n = 0; size > 0 && n < count; n++)
      HOLDS(isfinite(factors[n]), "factor %d of side %d is %g", (int)n, (int)side,
            (double)factors[n]);
    for (int64_t n = 0; biases != NULL && n < size; n++)
      HOLDS(isfinite(biases[n]), "bias %d of side %d is %g", (int)n, (int)side, (double)biases[n]);
  }
  HOLDS(isfinite(pqf_model_mean(model)), "the mean is %g", pqf_model_mean(model));
}
