/* What a model file says of a fit that is not over: how far early stopping has counted, which data
 * it was, and the best factors where the fit keeps them. The factors, the options and the history
 * are those of any model file. A file whose fit is over has none of this. */
#include "load.h"

#include "model_file.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* The history tells which loss is to be beaten, and of how many epochs the lowest one was. */
static int check_history(const pqf_loading *loading, const pqf_course *course)
{
  const pqf_epoch *last = course->count > 0 ? &course->epochs[course->count - 1] : NULL;
  if (last != NULL && !isfinite(last->best_loss))
    return pqf_damaged(loading, "its fit is not over, and has no best loss at epoch %" PRId64,
                       last->epoch);
  const int64_t epochs = last != NULL ? last->epoch : 0;
  if (course->best_epoch > epochs || (course->best_epoch > 0 && !isfinite(course->best_loss)))
    return pqf_damaged(loading,
                       "its fit is not over, and the best epoch is %" PRId64 " of %" PRId64,
                       course->best_epoch, epochs);
  return PQF_OK;
}

static int take_fingerprint(const pqf_loading *loading, const char *cells_key, const char *sum_key,
                            pqf_fingerprint *out)
{
  const char *digits = pqf_metadata_text(loading, sum_key);
  if (digits == NULL)
    return PQF_OK;
  if (strlen(digits) != PQF_CHECKSUM_DIGITS)
    return pqf_damaged(loading, "%s is '%.64s': must be %d digits", sum_key, digits,
                       PQF_CHECKSUM_DIGITS);
  memcpy(out->digits, digits, PQF_CHECKSUM_DIGITS);
  return pqf_metadata_integer(loading, cells_key, 0, INT64_MAX, &out->cells);
}

/* Best factors come for both sides or for none. */
static int take_best(const pqf_loading *loading, pqf_checkpoint *checkpoint)
{
  const pqf_fitted *fitted = &loading->model->fitted;
  const int64_t size[2] = {fitted->rows, fitted->cols};
  pqf_tensor best[2];
  int status = PQF_OK;
  for (int side = 0; side < 2 && status == PQF_OK; ++side)
    status = pqf_tensor_find(loading, pqf_best_names[side], &best[side]);
  if (status != PQF_OK || (!best[PQF_ROWS].present && !best[PQF_COLS].present))
    return status;
  for (int side = 0; side < 2 && status == PQF_OK; ++side) {
    const pqf_tensor *one = &best[side];
    if (!one->present || strcmp(one->type, "F32") != 0 || one->dimensions != 2 ||
        one->shape[0] != size[side] || one->shape[1] != fitted->factors)
      return pqf_damaged(loading, "%s is no F32 of %" PRId64 " x %" PRId64, pqf_best_names[side],
                         size[side], fitted->factors);
    status = pqf_floats_take(one, &checkpoint->best[side], &checkpoint->owned_best[side]);
    if (status == PQF_OK && fitted->bias[side] != NULL)
      status = pqf_vector_take(loading, pqf_best_bias_names[side], size[side],
                               &checkpoint->best_bias[side], &checkpoint->owned_best_bias[side]);
    if (status == PQF_OK && fitted->bias[side] != NULL && checkpoint->best_bias[side] == NULL)
      return pqf_damaged(loading, "it has %s and no %s", pqf_best_names[side],
                         pqf_best_bias_names[side]);
  }
  return status;
}

int pqf_checkpoint_take(const pqf_loading *loading)
{
  const pqf_model *model = loading->model;
  pqf_checkpoint *checkpoint = &loading->model->fitted.checkpoint;
  if (model->course.stop_reason != PQF_STOP_RUNNING)
    return PQF_OK;
  checkpoint->solver = model->options.solver;
  checkpoint->update = model->options.update;
  checkpoint->objective = model->options.objective;
  const pqf_course *course = &model->course;
  const int64_t epochs = course->count > 0 ? course->epochs[course->count - 1].epoch : 0;
  int status = check_history(loading, course);
  if (status == PQF_OK)
    status = pqf_metadata_integer(loading, PQF_KEY_COUNTER, 0, epochs, &checkpoint->counter);
  if (status == PQF_OK)
    status = take_fingerprint(loading, PQF_KEY_TRAIN PQF_KEY_CELLS, PQF_KEY_TRAIN PQF_KEY_SUM,
                              &checkpoint->train);
  if (status == PQF_OK)
    status = take_fingerprint(loading, PQF_KEY_VALIDATION PQF_KEY_CELLS,
                              PQF_KEY_VALIDATION PQF_KEY_SUM, &checkpoint->validation);
  if (status == PQF_OK && checkpoint->train.digits[0] == '\0')
    return pqf_damaged(loading, "its fit is not over, and %s is missing",
                       PQF_KEY_TRAIN PQF_KEY_SUM);
  return status == PQF_OK ? take_best(loading, checkpoint) : status;
}
