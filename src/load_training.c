/* What a model file's metadata says of the training: options, how the fit ended, its history. Each
 * part may be missing; one that is there must be sound. Options that this library does not know are
 * a later release's, and are ignored. */
#include "load.h"

#include "error.h"
#include "memory.h"
#include "model_file.h"
#include "number_text.h"
#include "options.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* No fit gets that far, and a fit that goes on from there can count further. */
#define MOST_EPOCHS ((int64_t)1 << 53)

/* ---- Options --------------------------------------------------------------------------------- */

int pqf_options_take(const pqf_loading *loading)
{
  pqf_options options = PQF_OPTIONS_INIT;
  const int64_t factors = loading->model->fitted.factors;
  options.factors = (int32_t)factors;
  for (int32_t n = 0; n < pqf_option_count(); ++n) {
    char key[64];
    pqf_option option = {.size = sizeof option};
    (void)pqf_option_info(n, &option); /* fails for an index out of range alone */
    snprintf(key, sizeof key, PQF_KEY_OPTION "%s", option.name);
    const char *text = pqf_metadata_text(loading, key);
    if (text == NULL || pqf_option_stays(option.name))
      continue;
    if (pqf_options_set(&options, option.name, text) != PQF_OK)
      return pqf_damaged(loading, "option %.200s", pqf_error_message());
  }
  if (options.factors != factors)
    return pqf_damaged(loading, "option factors is %" PRId32 ", but P has %" PRId64,
                       options.factors, factors);
  return pqf_options_copy(&loading->model->options, &options);
}

/* ---- The course of the fit ------------------------------------------------------------------- */

int pqf_metadata_integer(const pqf_loading *loading, const char *key, int64_t least, int64_t most,
                         int64_t *out)
{
  const char *text = pqf_metadata_text(loading, key);
  int64_t value;
  if (text == NULL)
    return PQF_OK;
  if (!pqf_integer_parse(text, &value) || value < least || value > most)
    return pqf_damaged(loading,
                       "%s is '%.64s': must be a whole number from %" PRId64 " to %" PRId64, key,
                       text, least, most);
  *out = value;
  return PQF_OK;
}

static int take_number(const pqf_loading *loading, const char *key, double *out)
{
  const char *text = pqf_metadata_text(loading, key);
  if (text != NULL && !pqf_number_parse(text, out))
    return pqf_damaged(loading, "%s is '%.64s': must be a number", key, text);
  return PQF_OK;
}

/* A word that a later release added reads as no reason. */
static int64_t read_stop_reason(const pqf_loading *loading)
{
  const char *text = pqf_metadata_text(loading, PQF_KEY_STOP);
  for (int64_t reason = 0; text != NULL && pqf_stop_word(reason) != NULL; ++reason)
    if (strcmp(pqf_stop_word(reason), text) == 0)
      return reason;
  return PQF_STOP_NONE;
}

/* Numbers with one space between two: the number of them. */
static int64_t count_numbers(const char *text)
{
  int64_t count = 1;
  for (const char *at = strchr(text, ' '); at != NULL; at = strchr(at + 1, ' '))
    ++count;
  return count;
}

/* Writes number n to the member at `offset` of epochs[n]. */
static int take_list(const pqf_loading *loading, const pqf_history_list *list, const char *text,
                     const pqf_course *course)
{
  if (count_numbers(text) != course->count)
    return pqf_damaged(loading, "%s has %" PRId64 " numbers: must have %" PRId64, list->key,
                       count_numbers(text), course->count);
  const char *at = text;
  for (int64_t n = 0; n < course->count; ++n) {
    char number[PQF_NUMBER_TEXT] = {0};
    double value;
    const size_t length = strcspn(at, " ");
    if (length < sizeof number)
      memcpy(number, at, length);
    if (!pqf_number_parse(number, &value))
      return pqf_damaged(loading, "%s is no number at epoch %" PRId64, list->key,
                         course->epochs[n].epoch);
    memcpy((char *)&course->epochs[n] + list->offset, &value, sizeof value);
    at += length + 1;
  }
  return PQF_OK;
}

static int take_history(const pqf_loading *loading, pqf_course *course)
{
  const char *losses = pqf_metadata_text(loading, pqf_history_lists[0].key);
  int64_t first = 1;
  int status = pqf_metadata_integer(loading, PQF_KEY_FIRST_EPOCH, 1, INT64_MAX, &first);
  if (status != PQF_OK || losses == NULL)
    return status;
  const int64_t count = count_numbers(losses);
  if (count > PQF_FILE_EPOCHS_MOST)
    return pqf_damaged(loading, "%s has %" PRId64 " numbers: more than %d",
                       pqf_history_lists[0].key, count, PQF_FILE_EPOCHS_MOST);
  if (first > MOST_EPOCHS - count)
    return pqf_damaged(loading, "%s is %" PRId64 ": too large", PQF_KEY_FIRST_EPOCH, first);
  course->epochs = pqf_allocate(count, sizeof *course->epochs);
  if (course->epochs == NULL)
    return PQF_ENOMEM;
  course->count = count;
  course->capacity = count;
  for (int64_t n = 0; n < count; ++n)
    course->epochs[n] = (pqf_epoch){.size = sizeof(pqf_epoch),
                                    .epoch = first + n,
                                    .epochs = loading->model->options.epochs,
                                    .best_loss = (double)NAN,
                                    .validation_loss = (double)NAN,
                                    .seconds = (double)NAN,
                                    .observed = (double)NAN,
                                    .unobserved = (double)NAN,
                                    .regularization = (double)NAN};
  for (int n = 0; n < PQF_HISTORY_LISTS && status == PQF_OK; ++n) {
    const char *text = pqf_metadata_text(loading, pqf_history_lists[n].key);
    if (text != NULL)
      status = take_list(loading, &pqf_history_lists[n], text, course);
  }
  return status;
}

int pqf_course_take(const pqf_loading *loading)
{
  pqf_course *course = &loading->model->course;
  int status = take_history(loading, course);
  course->stop_reason = read_stop_reason(loading);
  if (status == PQF_OK)
    status = pqf_metadata_integer(loading, PQF_KEY_BEST_EPOCH, 0, INT64_MAX, &course->best_epoch);
  if (status == PQF_OK)
    status = take_number(loading, PQF_KEY_BEST_LOSS, &course->best_loss);
  if (status == PQF_OK)
    status = take_number(loading, PQF_KEY_SECONDS, &course->seconds);
  return status;
}
