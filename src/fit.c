/* The training loop.
 *
 *     for epoch = 1, 2, ...
 *       loss = the objective at P, Q; (P', Q') = one step of the solver from P, Q
 *       if loss < best - min_delta: best = loss, counter = 0; else counter += 1
 *       if counter >= patience: stop, keep P, Q
 *       P, Q = P', Q'
 *
 * Gradient descent computes the loss and the step in one call, since one pass over R gives both.
 * Alternating least squares solves P, then Q, and then knows its loss. The back end holds the
 * factors meanwhile; what happens between steps is decided here. With a validation set its loss
 * takes the place of the training loss wherever a decision hangs on it. */
#include "fit.h"

#include "error.h"
#include "memory.h"
#include "number_text.h"

#include <inttypes.h>
#include <math.h>

double pqf_fit_seconds(const pqf_fit_state *fit)
{
  const struct timespec *begin = &fit->begin;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return fit->seconds_before + (double)(now.tv_sec - begin->tv_sec) +
         1e-9 * (double)(now.tv_nsec - begin->tv_nsec);
}

/* Appends an epoch to the history. */
static int record(pqf_fit_state *fit, pqf_epoch **out, int64_t epoch, double loss,
                  double validation_loss)
{
  pqf_course *course = &fit->course;
  if (course->count == course->capacity) {
    const int64_t capacity = course->capacity > 0 ? 2 * course->capacity : 64;
    pqf_epoch *larger = pqf_reallocate(course->epochs, (size_t)course->count * sizeof *larger,
                                       capacity, sizeof *larger);
    if (larger == NULL)
      return PQF_ENOMEM;
    course->epochs = larger;
    course->capacity = capacity;
  }
  *out = &course->epochs[course->count++];
  **out = (pqf_epoch){
      .size = sizeof **out,
      .epoch = epoch,
      .epochs = fit->options->epochs,
      .loss = loss,
      .best_loss = fit->best,
      .validation_loss = validation_loss,
      .seconds = pqf_fit_seconds(fit),
      .observed = NAN,
      .unobserved = NAN,
      .regularization = NAN,
  };
  return PQF_OK;
}

/* The loss that decisions hang on. */
static double watched_loss(const pqf_fit_state *fit, const pqf_epoch *entry)
{
  return fit->validation != NULL ? entry->validation_loss : entry->loss;
}

/* Free for gradient descent, whose buffers rotate; a copy for alternating least squares, whose last
 * factors are rarely worse. */
int pqf_fit_keeps_best(const pqf_fit_state *fit)
{
  return fit->options->keep_best || fit->options->solver == PQF_SOLVER_GD;
}

/* Has the back end remember the current factors if their loss is the lowest so far. */
static int keep_if_lowest(pqf_fit_state *fit, int64_t epoch, double loss)
{
  if (!(loss < fit->lowest))
    return PQF_OK;
  fit->lowest = loss;
  fit->course.best_epoch = epoch;
  fit->course.best_loss = loss;
  return pqf_fit_keeps_best(fit) ? fit->chosen.table.keep(fit->training) : PQF_OK;
}

static int diverged(pqf_fit_state *fit, int64_t epoch, double loss)
{
  const char *value = isnan(loss) ? "NaN" : loss > 0 ? "infinite" : "minus infinity";
  char rate[PQF_NUMBER_TEXT];
  pqf_number_print(fit->options->learning_rate, rate);
  fit->course.stop_reason = PQF_STOP_DIVERGED;
  if (fit->options->solver == PQF_SOLVER_ALS)
    return pqf_fail(PQF_EDIVERGED,
                    "the loss is %s at epoch %" PRId64
                    ": values, weights or initial factors are too large for float: scale them down",
                    value, epoch);
  return pqf_fail(PQF_EDIVERGED,
                  "the loss is %s at epoch %" PRId64
                  ": a learning rate below %s or smaller initial factors may help",
                  value, epoch, rate);
}

/* Gradient descent that ends with a loss far above that of its first epoch has diverged as well,
 * though the numbers are finite still: early stopping may come before they overflow. */
static int end_descent(pqf_fit_state *fit, int32_t reason)
{
  static const double much = 1e6;
  const pqf_course *course = &fit->course;
  if (course->count > 0) {
    const pqf_epoch *last = &course->epochs[course->count - 1];
    const double first = course->epochs[0].loss;
    if (first > 0 && last->loss > much * first) {
      char rate[PQF_NUMBER_TEXT];
      pqf_number_print(fit->options->learning_rate, rate);
      fit->course.stop_reason = PQF_STOP_DIVERGED;
      return pqf_fail(PQF_EDIVERGED,
                      "the loss has grown from %.6g to %.6g by epoch %" PRId64
                      ": a learning rate below %s or smaller initial factors may help",
                      first, last->loss, last->epoch, rate);
    }
  }
  fit->course.stop_reason = reason;
  return PQF_OK;
}

/* Counts an epoch; returns 1 when it is time to stop. */
static int is_time_to_stop(pqf_fit_state *fit, pqf_epoch *entry)
{
  const double watched = watched_loss(fit, entry);
  if (watched < fit->best - fit->options->min_delta) {
    fit->best = watched;
    fit->counter = 0;
  } else {
    fit->counter++;
  }
  entry->best_loss = fit->best;
  return fit->options->patience > 0 && fit->counter >= fit->options->patience;
}

/* After a whole epoch: the checkpoint, and the caller's word. */
static int end_epoch(pqf_fit_state *fit, const pqf_epoch *entry)
{
  const pqf_options *options = fit->options;
  fit->done = entry->epoch;
  const int due = pqf_checkpoint_is_due(fit);
  int status = due ? pqf_checkpoint_write(fit) : PQF_OK;
  if (status != PQF_OK || options->callback == NULL ||
      options->callback(entry, options->payload) == 0)
    return status;
  status = due ? PQF_OK : pqf_checkpoint_write(fit);
  if (status != PQF_OK)
    return status;
  fit->course.stop_reason = PQF_STOP_CANCELED;
  return pqf_fail(PQF_ECANCELED, "the fit was cancelled after epoch %" PRId64, entry->epoch);
}

/* Gradient descent: the loss and the best factors are those at the start of an epoch. */
static int run_epochs(pqf_fit_state *fit)
{
  const pqf_backend *table = &fit->chosen.table;
  while (fit->done < fit->options->epochs) {
    const int64_t epoch = fit->done + 1;
    double loss = NAN;
    double validation_loss = NAN;
    pqf_epoch *entry = NULL;
    int status = table->gd_epoch(fit->training, &loss);
    if (status == PQF_OK && fit->validation != NULL)
      status = table->validation_loss(fit->training, &validation_loss);
    if (status == PQF_OK)
      status = record(fit, &entry, epoch, loss, validation_loss);
    if (status != PQF_OK)
      return status;

    const double watched = watched_loss(fit, entry);
    if (!isfinite(loss) || !isfinite(watched)) {
      table->discard(fit->training);
      return diverged(fit, epoch, isfinite(loss) ? watched : loss);
    }
    status = keep_if_lowest(fit, epoch, watched);
    if (status != PQF_OK)
      return status;
    if (is_time_to_stop(fit, entry)) {
      status = table->discard(fit->training);
      return status == PQF_OK ? end_descent(fit, PQF_STOP_EARLY) : status;
    }
    status = table->commit(fit->training);
    if (status == PQF_OK)
      status = end_epoch(fit, entry);
    if (status != PQF_OK)
      return status;
  }
  return end_descent(fit, PQF_STOP_EPOCHS);
}

/* Alternating least squares: the loss and the best factors are those at the end of an epoch. */
static int run_sweeps(pqf_fit_state *fit)
{
  const pqf_backend *table = &fit->chosen.table;
  while (fit->done < fit->options->epochs) {
    const int64_t epoch = fit->done + 1;
    pqf_loss parts = {NAN, NAN, NAN};
    double validation_loss = NAN;
    pqf_epoch *entry = NULL;
    int status = table->half_sweep(fit->training, PQF_ROWS, 0, fit->fitted.rows);
    if (status == PQF_OK)
      status = table->half_sweep(fit->training, PQF_COLS, 0, fit->fitted.cols);
    if (status == PQF_OK)
      status = table->loss_parts(fit->training, &parts);
    if (status == PQF_OK && fit->validation != NULL)
      status = table->validation_loss(fit->training, &validation_loss);
    const double loss = parts.observed + parts.unobserved + parts.regularization;
    if (status == PQF_OK)
      status = record(fit, &entry, epoch, loss, validation_loss);
    if (status != PQF_OK)
      return status;
    entry->observed = parts.observed;
    entry->unobserved = parts.unobserved;
    entry->regularization = parts.regularization;

    const double watched = watched_loss(fit, entry);
    if (!isfinite(loss) || !isfinite(watched))
      return diverged(fit, epoch, isfinite(loss) ? watched : loss);
    status = keep_if_lowest(fit, epoch, watched);
    if (status != PQF_OK)
      return status;
    if (is_time_to_stop(fit, entry)) {
      fit->course.stop_reason = PQF_STOP_EARLY;
      return PQF_OK;
    }
    status = end_epoch(fit, entry);
    if (status != PQF_OK)
      return status;
  }
  fit->course.stop_reason = PQF_STOP_EPOCHS;
  return PQF_OK;
}

/* The last step's factors of gradient descent have no loss yet: gives them their chance to be the
 * best. */
static int judge_last_factors(pqf_fit_state *fit)
{
  if (!fit->options->keep_best || fit->options->solver != PQF_SOLVER_GD ||
      fit->course.stop_reason != PQF_STOP_EPOCHS)
    return PQF_OK;
  double loss = NAN;
  const int status = fit->validation != NULL
                         ? fit->chosen.table.validation_loss(fit->training, &loss)
                         : fit->chosen.table.loss(fit->training, &loss);
  return status == PQF_OK ? keep_if_lowest(fit, fit->done + 1, loss) : status;
}

static int all_finite(const float *values, int64_t count)
{
  for (int64_t n = 0; n < count; n++)
    if (!isfinite(values[n]))
      return 0;
  return 1;
}

int pqf_fit_is_finite(const pqf_fit_state *fit)
{
  const pqf_fitted *fitted = &fit->fitted;
  return all_finite(fitted->p, fitted->rows * fitted->factors) &&
         all_finite(fitted->q, fitted->cols * fitted->factors);
}

/* Fetches the factors that the fit ends with. Those of the last step, which no loss vouches for,
 * are looked at. */
static int fetch_factors(pqf_fit_state *fit, int32_t which)
{
  const pqf_fitted *fitted = &fit->fitted;
  const int status =
      pqf_fit_fetch(fit, which, fitted->owned_p, fitted->owned_q, fitted->owned_bias);
  if (status == PQF_OK && which == PQF_CURRENT && !pqf_fit_is_finite(fit))
    return diverged(fit, fit->course.count, INFINITY);
  return status;
}

/* Runs the epochs and fetches the result: the last factors, or where they are kept the best ones
 * for `keep_best` and after a divergence or a cancel. *usable says whether the model may have
 * them. */
static int train(pqf_fit_state *fit, int *usable)
{
  int status = fit->options->solver == PQF_SOLVER_ALS ? run_sweeps(fit) : run_epochs(fit);
  if (status == PQF_OK)
    status = judge_last_factors(fit);
  const int has_best = fit->course.best_epoch > 0;
  if (status == PQF_OK)
    status = fetch_factors(fit, fit->options->keep_best && has_best ? PQF_BEST : PQF_CURRENT);
  *usable = status == PQF_OK;
  if ((status == PQF_EDIVERGED && has_best && pqf_fit_keeps_best(fit)) || status == PQF_ECANCELED) {
    const int fetched = fetch_factors(fit, pqf_fit_keeps_best(fit) ? PQF_BEST : PQF_CURRENT);
    *usable = fetched == PQF_OK;
    status = *usable ? status : fetched;
  }
  if (!*usable && status != PQF_EDIVERGED)
    fit->course.stop_reason = PQF_STOP_NONE; /* the model keeps what it had, course included */
  fit->course.seconds = pqf_fit_seconds(fit);
  return status;
}

/* The epochs by the chosen back end, from the start or where `resumed` left off; *usable: the model
 * may have the result. */
static int attempt(pqf_fit_state *fit, const pqf_model *model, int *usable)
{
  *usable = 0;
  fit->lowest = INFINITY;
  fit->best = INFINITY;
  fit->counter = 0;
  fit->done = 0;
  int status = pqf_fit_problem(fit);
  if (status == PQF_OK)
    status = pqf_fit_check_memory(fit);
  if (status == PQF_OK)
    status = pqf_team_create(&fit->team, pqf_thread_count(fit->options->threads));
  if (status == PQF_OK)
    status =
        fit->resumed != NULL ? pqf_checkpoint_restore(fit, model) : pqf_fit_initial(fit, model);
  if (status == PQF_OK)
    status = pqf_fit_open(fit);
  if (status == PQF_OK)
    status = pqf_checkpoint_begin(fit);
  if (status == PQF_OK)
    status = train(fit, usable);

  if (fit->training != NULL)
    fit->chosen.table.close(fit->training);
  pqf_team_free(fit->team);
  pqf_checkpoint_clear(&fit->fitted.checkpoint);
  fit->training = NULL;
  fit->team = NULL;
  return status;
}

/* Forgets an attempt that has failed. */
static void forget_attempt(pqf_fit_state *fit)
{
  pqf_fitted_clear(&fit->fitted);
  pqf_release(fit->course.epochs);
  fit->fitted = (pqf_fitted){0};
  fit->course = (pqf_course){0};
}

/* A new fit, or where `resumed` is not NULL the rest of one. */
static int run(pqf_model *model, const pqf_data *train_data, const pqf_data *validation,
               const pqf_checkpoint *resumed)
{
  pqf_fit_state fit = {.options = &model->options,
                       .train = train_data,
                       .validation = validation,
                       .resumed = resumed};
  int usable = 0;
  char said[PQF_ERROR_SIZE];
  pqf_error_keep(said);
  clock_gettime(CLOCK_MONOTONIC, &fit.begin);

  int status = pqf_fit_check(&fit, model);
  if (status == PQF_OK && (resumed != NULL || model->options.init == PQF_INIT_MODEL)) {
    status = pqf_source_verify(&model->fitted);
    model->fitted.source.is_verified = status == PQF_OK;
  }
  if (status == PQF_OK)
    status = attempt(&fit, model, &usable);
  if (!usable && pqf_fit_takes_over(&fit, status)) {
    forget_attempt(&fit);
    status = attempt(&fit, model, &usable);
  }
  if (usable) {
    pqf_fitted_clear(&model->fitted);
    model->fitted = fit.fitted;
    fit.fitted = (pqf_fitted){0};
  }
  if (fit.course.stop_reason != PQF_STOP_NONE) {
    pqf_release(model->course.epochs);
    model->course = fit.course;
    fit.course.epochs = NULL;
  }
  pqf_fitted_clear(&fit.fitted);
  pqf_release(fit.course.epochs);
  if (status == PQF_OK)
    pqf_error_restore(said); /* of a GPU that failed, or an id that is new */
  return status;
}

int pqf_fit(pqf_model *model, const pqf_data *train_data, const pqf_data *validation)
{
  if (model == NULL || train_data == NULL)
    return pqf_fail(PQF_EINVAL, "%s is NULL", model == NULL ? "model" : "train");
  return run(model, train_data, validation, NULL);
}

int pqf_resume(pqf_model *model, const pqf_data *train_data, const pqf_data *validation)
{
  if (model == NULL || train_data == NULL)
    return pqf_fail(PQF_EINVAL, "%s is NULL", model == NULL ? "model" : "train");
  if (model->course.stop_reason != PQF_STOP_RUNNING)
    return pqf_fail(PQF_EINVAL, "the model is no checkpoint: it has %s",
                    model->fitted.rows == 0 ? "not been fitted" : "a fit that is over");
  return run(model, train_data, validation, &model->fitted.checkpoint);
}
