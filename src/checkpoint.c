/* Checkpoints: a fit writes its state to a file as it goes, and another process goes on from it.
 *
 * A step depends on the current factors and biases, the data and the options alone, never on what
 * was drawn or computed before. So the state after a whole epoch is
 * - the current factors and biases, which are those of the model in the file,
 * - the best ones so far, where the fit keeps them,
 * - the history, which ends with the loss that the next epoch must beat,
 * - the number of epochs in a row that did not beat it,
 * and a fit that takes it up ends with the same bits. A checksum of all cells tells whether the
 * data is the same. */
#include "error.h"
#include "fit.h"
#include "memory.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* ---- The data -------------------------------------------------------------------------------- */

void pqf_fingerprint_take(const pqf_data *data, pqf_fingerprint *out)
{
  const pqf_matrix *r = &data->matrix;
  const pqf_cells *cells = &r->by_row;
  const size_t count = (size_t)r->count;
  const int64_t shape[] = {r->rows, r->cols, r->dense != NULL, cells->weight != NULL};
  pqf_checksum sum;
  pqf_checksum_start(&sum);
  pqf_checksum_add(&sum, shape, sizeof shape);
  for (int64_t row = 0; r->dense != NULL && row < r->rows; row++)
    pqf_checksum_add(&sum, r->dense + row * r->dense_stride, (size_t)r->cols * sizeof(float));
  if (r->dense == NULL) {
    pqf_checksum_add(&sum, cells->offset, ((size_t)r->rows + 1) * sizeof *cells->offset);
    pqf_checksum_add(&sum, cells->index, count * sizeof *cells->index);
    pqf_checksum_add(&sum, cells->value, count * sizeof *cells->value);
    if (cells->weight != NULL)
      pqf_checksum_add(&sum, cells->weight, count * sizeof *cells->weight);
  }
  *out = (pqf_fingerprint){.cells = r->count};
  pqf_checksum_digits(&sum, out->digits);
}

static int check_data(const char *what, const pqf_data *data, const pqf_fingerprint *then,
                      pqf_fingerprint *now)
{
  *now = (pqf_fingerprint){0};
  if (data != NULL)
    pqf_fingerprint_take(data, now);
  if ((data != NULL) != (then->digits[0] != '\0'))
    return pqf_fail(PQF_EINVAL, "there is %s%s data: the fit of the checkpoint had %s",
                    data != NULL ? "" : "no ", what, data != NULL ? "none" : "some");
  if (now->cells != then->cells)
    return pqf_fail(PQF_EINVAL,
                    "the %s data has %" PRId64 " cells, that of the checkpoint has %" PRId64, what,
                    now->cells, then->cells);
  if (strcmp(now->digits, then->digits) != 0)
    return pqf_fail(PQF_EINVAL, "the %s data has other cells than that of the checkpoint", what);
  return PQF_OK;
}

/* ---- Going on -------------------------------------------------------------------------------- */

static int is_other(const char *option)
{
  return pqf_fail(PQF_EINVAL, "%s is not that of the checkpoint's fit", option);
}

/* What shapes the problem must be as it was. */
static int check_problem(const pqf_fit_state *fit, const pqf_fitted *then)
{
  const pqf_options *o = fit->options;
  const pqf_matrix *r = &fit->train->matrix;
  if (r->rows != then->rows || r->cols != then->cols)
    return pqf_fail(PQF_EINVAL,
                    "the training data is %" PRId64 " x %" PRId64
                    ", that of the checkpoint %" PRId64 " x %" PRId64,
                    r->rows, r->cols, then->rows, then->cols);
  if (o->factors != then->factors)
    return is_other("factors");
  if (o->solver != then->checkpoint.solver)
    return is_other("solver");
  if (o->solver == PQF_SOLVER_GD && o->update != then->checkpoint.update)
    return is_other("update");
  if (o->objective != then->checkpoint.objective)
    return is_other("objective");
  for (int side = 0; side < 2; side++)
    if (fit->problem.has_bias[side] != (then->bias[side] != NULL))
      return is_other("biases");
  return PQF_OK;
}

static int take_course(pqf_fit_state *fit, const pqf_course *then)
{
  pqf_course *course = &fit->course;
  const size_t bytes = (size_t)then->count * sizeof *then->epochs;
  *course = *then;
  course->stop_reason = PQF_STOP_NONE;
  course->capacity = then->count;
  course->epochs = pqf_allocate(then->count, sizeof *course->epochs);
  if (course->epochs == NULL)
    return PQF_ENOMEM;
  if (bytes > 0)
    memcpy(course->epochs, then->epochs, bytes);
  for (int64_t n = 0; n < course->count; n++)
    course->epochs[n].epochs = fit->options->epochs;
  if (course->count > 0) {
    fit->done = course->epochs[course->count - 1].epoch;
    fit->best = course->epochs[course->count - 1].best_loss;
  }
  if (course->best_epoch > 0)
    fit->lowest = course->best_loss;
  fit->seconds_before = then->seconds;
  return PQF_OK;
}

int pqf_checkpoint_restore(pqf_fit_state *fit, const pqf_model *model)
{
  const pqf_fitted *then = &model->fitted;
  const int64_t size[2] = {then->rows, then->cols};
  const float *from[2] = {then->p, then->q};
  float *to[2];
  pqf_checkpoint *now = &fit->fitted.checkpoint;
  int status = check_problem(fit, then);
  if (status == PQF_OK)
    status = check_data("training", fit->train, &then->checkpoint.train, &now->train);
  if (status == PQF_OK)
    status =
        check_data("validation", fit->validation, &then->checkpoint.validation, &now->validation);
  if (status == PQF_OK)
    status =
        pqf_data_check_ids(fit->train, "the training data", then->ids, "that of the checkpoint", 1);
  if (status == PQF_OK && fit->problem.mean != then->mean)
    status = is_other("mean");
  if (status == PQF_OK && pqf_fit_keeps_best(fit) && model->course.best_epoch > 0 &&
      then->checkpoint.best[PQF_ROWS] == NULL)
    status = pqf_fail(PQF_EINVAL, "keep_best is 1: the checkpoint does not have the best factors");
  if (status == PQF_OK)
    status = pqf_fit_make_room(fit);
  if (status == PQF_OK)
    status = take_course(fit, &model->course);
  if (status != PQF_OK)
    return status;

  to[PQF_ROWS] = fit->fitted.owned_p;
  to[PQF_COLS] = fit->fitted.owned_q;
  for (int side = 0; side < 2; side++) {
    memcpy(to[side], from[side], (size_t)(size[side] * then->factors) * sizeof(float));
    if (then->bias[side] != NULL)
      memcpy(fit->fitted.owned_bias[side], then->bias[side], (size_t)size[side] * sizeof(float));
  }
  fit->counter = then->checkpoint.counter;
  return PQF_OK;
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* Room for the best factors on their way to the file. */
static int make_room(pqf_fit_state *fit)
{
  const pqf_fitted *fitted = &fit->fitted;
  const int64_t size[2] = {fitted->rows, fitted->cols};
  pqf_checkpoint *checkpoint = &fit->fitted.checkpoint;
  for (int side = 0; side < 2; side++) {
    checkpoint->owned_best[side] =
        pqf_allocate(size[side], (size_t)fitted->factors * sizeof(float));
    if (checkpoint->owned_best[side] == NULL)
      return PQF_ENOMEM;
    if (fitted->bias[side] == NULL)
      continue;
    checkpoint->owned_best_bias[side] = pqf_allocate(size[side], sizeof(float));
    if (checkpoint->owned_best_bias[side] == NULL)
      return PQF_ENOMEM;
  }
  return PQF_OK;
}

int pqf_checkpoint_begin(pqf_fit_state *fit)
{
  pqf_checkpoint *checkpoint = &fit->fitted.checkpoint;
  if (fit->options->checkpoint == NULL)
    return PQF_OK;
  if (fit->resumed == NULL) { /* else they have been taken already, and compared */
    pqf_fingerprint_take(fit->train, &checkpoint->train);
    if (fit->validation != NULL)
      pqf_fingerprint_take(fit->validation, &checkpoint->validation);
  }
  const int status = pqf_fit_keeps_best(fit) ? make_room(fit) : PQF_OK;
  return status == PQF_OK ? pqf_checkpoint_write(fit) : status;
}

int pqf_checkpoint_is_due(const pqf_fit_state *fit)
{
  const pqf_options *o = fit->options;
  const int64_t every = o->checkpoint_every > 0 ? o->checkpoint_every : 1;
  return fit->done % every == 0 || fit->done == o->epochs;
}

int pqf_checkpoint_write(pqf_fit_state *fit)
{
  pqf_fitted *fitted = &fit->fitted;
  pqf_checkpoint *checkpoint = &fitted->checkpoint;
  if (fit->options->checkpoint == NULL)
    return PQF_OK;
  checkpoint->counter = fit->counter;
  int status =
      pqf_fit_fetch(fit, PQF_CURRENT, fitted->owned_p, fitted->owned_q, fitted->owned_bias);
  if (status == PQF_OK && pqf_fit_keeps_best(fit) && fit->course.best_epoch > 0) {
    status = pqf_fit_fetch(fit, PQF_BEST, checkpoint->owned_best[PQF_ROWS],
                           checkpoint->owned_best[PQF_COLS], checkpoint->owned_best_bias);
    for (int side = 0; side < 2; side++) {
      checkpoint->best[side] = checkpoint->owned_best[side];
      checkpoint->best_bias[side] = checkpoint->owned_best_bias[side];
    }
  }
  if (status != PQF_OK || !pqf_fit_is_finite(fit))
    return status;
  pqf_model view = {.options = *fit->options, .fitted = *fitted, .course = fit->course};
  view.course.stop_reason = PQF_STOP_RUNNING;
  view.course.seconds = pqf_fit_seconds(fit);
  return pqf_save(&view, fit->options->checkpoint);
}
