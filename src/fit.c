/* The training loop.
 *
 *     for epoch = 1, 2, ...
 *       loss = the objective at P, Q; (P', Q') = one step of the solver from P, Q
 *       if loss < best - min_delta: best = loss, counter = 0; else counter += 1
 *       if counter >= patience: stop, keep P, Q
 *       P, Q = P', Q'
 *
 * The back end computes the loss and the step in one call, since one pass over R gives both, and
 * holds the factors meanwhile; what happens between steps is decided here. With a validation set
 * its loss takes the place of the training loss wherever a decision hangs on it. */
#include "backends.h"
#include "data.h"
#include "error.h"
#include "memory.h"
#include "model.h"
#include "number_text.h"
#include "random.h"
#include "threads.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

typedef struct fit {
  const pqf_options *options;
  const pqf_data *train;
  const pqf_data *validation; /* NULL: none */
  pqf_chosen chosen;
  pqf_team *team;
  pqf_host host;
  pqf_problem problem;
  pqf_training *training;
  pqf_fitted fitted; /* initial factors first, the result in the end */
  pqf_course course;
  double lowest; /* loss of the factors that the back end keeps as the best */
  struct timespec begin;
} fit;

static void *host_allocate(const pqf_host *host, uint64_t count, uint64_t element_size)
{
  (void)host;
  if (count > INT64_MAX)
    count = INT64_MAX; /* cannot be had, and pqf_allocate says so */
  return pqf_allocate((int64_t)count, element_size);
}

static void host_release(const pqf_host *host, void *memory)
{
  (void)host;
  pqf_release(memory);
}

__attribute__((format(printf, 3, 4))) static int host_fail(const pqf_host *host, int status,
                                                           const char *format, ...)
{
  (void)host;
  va_list list;
  va_start(list, format);
  pqf_fail_list(status, format, list);
  va_end(list);
  return status;
}

static void host_parallel_for(const pqf_host *host, int64_t count, pqf_work work, void *argument)
{
  pqf_team_run(host->context, count, work, argument);
}

static double seconds_since(const struct timespec *begin)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)(now.tv_sec - begin->tv_sec) + 1e-9 * (double)(now.tv_nsec - begin->tv_nsec);
}

static int check_data(const pqf_model *model, const pqf_data *train, const pqf_data *validation)
{
  if (model == NULL || train == NULL)
    return pqf_fail(PQF_EINVAL, "%s is NULL", model == NULL ? "model" : "train");
  const pqf_matrix *r = &train->matrix;
  if (validation != NULL) {
    const pqf_matrix *held_out = &validation->matrix;
    if (held_out->rows != r->rows || held_out->cols != r->cols)
      return pqf_fail(PQF_EINVAL,
                      "the validation data is %" PRId64 " x %" PRId64 ", the training data %" PRId64
                      " x %" PRId64,
                      held_out->rows, held_out->cols, r->rows, r->cols);
    if (held_out->count == 0)
      return pqf_fail(PQF_EINVAL, "the validation data has no cells");
  }
  if (model->options.init == PQF_INIT_GIVEN) {
    if (model->initial_p == NULL)
      return pqf_fail(PQF_EINVAL, "init is given: call pqf_model_set_initial() first");
    if (model->initial_rows != r->rows || model->initial_cols != r->cols)
      return pqf_fail(PQF_EINVAL,
                      "the initial factors are for %" PRId64 " x %" PRId64
                      ", the training data is %" PRId64 " x %" PRId64,
                      model->initial_rows, model->initial_cols, r->rows, r->cols);
  }
  return PQF_OK;
}

static int check_steps(const fit *f)
{
  const pqf_backend *table = &f->chosen.table;
  const struct {
    const char *name;
    int present;
  } steps[] = {
      {"open", table->open != NULL},
      {"close", table->close != NULL},
      {"set", table->set != NULL},
      {"get", table->get != NULL},
      {"gd_epoch", table->gd_epoch != NULL},
      {"commit", table->commit != NULL},
      {"discard", table->discard != NULL},
      {"keep", table->keep != NULL},
      {"validation_loss", f->validation == NULL || table->validation_loss != NULL},
      {"loss", !f->options->keep_best || table->loss != NULL},
  };
  for (size_t n = 0; n < sizeof steps / sizeof steps[0]; n++)
    if (!steps[n].present)
      return pqf_fail(PQF_ENOTSUP, "backend %s does not support the step %s", table->name,
                      steps[n].name);
  if (f->options->update == PQF_UPDATE_NOTEBOOK && f->train->matrix.by_row.weight != NULL)
    return pqf_fail(PQF_ENOTSUP, "update notebook has no weights: the data must come without");
  return PQF_OK;
}

typedef struct draw {
  const pqf_options *options;
  uint32_t side;
  int64_t count;
  float *out;
} draw;

enum { DRAWS_PER_ITEM = 1 << 16 };

static void draw_normals(void *argument, int64_t item, int32_t worker)
{
  (void)worker;
  const draw *d = argument;
  const int64_t first = item * DRAWS_PER_ITEM;
  const int64_t count =
      d->count - first < DRAWS_PER_ITEM ? d->count - first : (int64_t)DRAWS_PER_ITEM;
  pqf_normal_draws(d->options->seed, d->side, first, count, d->out + first);
}

static void scale(float *values, int64_t count, double factor)
{
  if (factor != 1)
    for (int64_t n = 0; n < count; n++)
      values[n] = (float)(values[n] * factor);
}

/* P first, then Q. */
static void initial_factors(fit *f, const pqf_model *model)
{
  const pqf_options *options = f->options;
  float *out[2] = {f->fitted.owned_p, f->fitted.owned_q};
  const float *given[2] = {model->initial_p, model->initial_q};
  const int64_t count[2] = {f->fitted.rows * f->fitted.factors, f->fitted.cols * f->fitted.factors};
  pqf_torch_generator generator;
  pqf_torch_seed(&generator, options->seed);
  for (uint32_t side = 0; side < 2; side++) {
    if (options->init == PQF_INIT_GIVEN) {
      memcpy(out[side], given[side], (size_t)count[side] * sizeof(float));
      continue;
    }
    if (options->init == PQF_INIT_TORCH) {
      pqf_torch_randn(&generator, count[side], out[side]);
    } else {
      draw d = {options, side, count[side], out[side]};
      pqf_team_run(f->team, (count[side] + DRAWS_PER_ITEM - 1) / DRAWS_PER_ITEM, draw_normals, &d);
    }
    scale(out[side], count[side], options->init_scale);
  }
}

/* Where only present cells count, nothing is known of a row or column without any: it gets zeros
 * and keeps them. */
static void clear_unknown(fit *f)
{
  const pqf_matrix *r = &f->train->matrix;
  const int64_t *offset[2] = {r->by_row.offset, r->by_col.offset};
  const int64_t size[2] = {r->rows, r->cols};
  float *factors[2] = {f->fitted.owned_p, f->fitted.owned_q};
  const int64_t k = f->fitted.factors;
  if (r->dense != NULL || f->options->objective != PQF_OBJECTIVE_OBSERVED)
    return;
  for (int side = 0; side < 2; side++)
    for (int64_t n = 0; n < size[side]; n++)
      if (offset[side][n + 1] == offset[side][n])
        memset(factors[side] + n * k, 0, (size_t)k * sizeof(float));
}

/* Makes room for the factors and draws the initial ones. */
static int prepare_factors(fit *f, const pqf_model *model)
{
  pqf_fitted *fitted = &f->fitted;
  fitted->rows = f->train->matrix.rows;
  fitted->cols = f->train->matrix.cols;
  fitted->factors = f->options->factors;
  fitted->owned_p = pqf_allocate(fitted->rows, (size_t)fitted->factors * sizeof(float));
  fitted->owned_q = pqf_allocate(fitted->cols, (size_t)fitted->factors * sizeof(float));
  if (fitted->owned_p == NULL || fitted->owned_q == NULL)
    return PQF_ENOMEM;
  fitted->p = fitted->owned_p;
  fitted->q = fitted->owned_q;
  fitted->ids[PQF_ROWS] = pqf_ids_share(f->train->ids[PQF_ROWS]);
  fitted->ids[PQF_COLS] = pqf_ids_share(f->train->ids[PQF_COLS]);
  initial_factors(f, model);
  clear_unknown(f);
  return PQF_OK;
}

static int open_training(fit *f)
{
  f->host = (pqf_host){
      .size = sizeof f->host,
      .context = f->team,
      .allocate = host_allocate,
      .release = host_release,
      .fail = host_fail,
      .parallel_for = host_parallel_for,
      .threads = pqf_thread_count(f->options->threads),
  };
  f->problem = (pqf_problem){
      .size = sizeof f->problem,
      .train = &f->train->matrix,
      .validation = f->validation != NULL ? &f->validation->matrix : NULL,
      .device = f->chosen.device,
      .factors = f->options->factors,
      .solver = f->options->solver,
      .update = f->options->update,
      .objective = f->options->objective,
      .learning_rate = f->options->learning_rate,
      .regularization = f->options->regularization,
  };
  const pqf_backend *table = &f->chosen.table;
  int status = table->open(&f->training, &f->host, &f->problem);
  if (status == PQF_OK)
    status = table->set(f->training, PQF_ROWS, 0, f->fitted.rows, f->fitted.owned_p);
  if (status == PQF_OK)
    status = table->set(f->training, PQF_COLS, 0, f->fitted.cols, f->fitted.owned_q);
  return status;
}

/* Appends an epoch to the history. */
static int record(fit *f, pqf_epoch **out, int64_t epoch, double loss, double validation_loss)
{
  pqf_course *course = &f->course;
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
      .epochs = f->options->epochs,
      .loss = loss,
      .validation_loss = validation_loss,
      .seconds = seconds_since(&f->begin),
  };
  return PQF_OK;
}

/* Has the back end remember the current factors if their loss is the lowest so far. */
static int keep_if_lowest(fit *f, int64_t epoch, double loss)
{
  if (!(loss < f->lowest))
    return PQF_OK;
  f->lowest = loss;
  f->course.best_epoch = epoch;
  f->course.best_loss = loss;
  return f->chosen.table.keep(f->training);
}

static int diverged(fit *f, int64_t epoch, double loss)
{
  char rate[PQF_NUMBER_TEXT];
  pqf_number_print(f->options->learning_rate, rate);
  f->course.stop_reason = PQF_STOP_DIVERGED;
  f->chosen.table.discard(f->training);
  return pqf_fail(PQF_EDIVERGED,
                  "the loss is %s at epoch %" PRId64
                  ": a learning rate below %s or smaller initial factors may help",
                  isnan(loss) ? "NaN"
                  : loss > 0  ? "infinite"
                              : "minus infinity",
                  epoch, rate);
}

static int run_epochs(fit *f)
{
  const pqf_options *options = f->options;
  const pqf_backend *table = &f->chosen.table;
  double best = INFINITY;
  int32_t counter = 0;

  for (int64_t epoch = 1; epoch <= options->epochs; epoch++) {
    double loss = NAN;
    double validation_loss = NAN;
    pqf_epoch *entry = NULL;
    int status = table->gd_epoch(f->training, &loss);
    if (status == PQF_OK && f->validation != NULL)
      status = table->validation_loss(f->training, &validation_loss);
    if (status == PQF_OK)
      status = record(f, &entry, epoch, loss, validation_loss);
    if (status != PQF_OK)
      return status;
    entry->best_loss = best;

    const double watched = f->validation != NULL ? validation_loss : loss;
    if (!isfinite(loss) || !isfinite(watched))
      return diverged(f, epoch, isfinite(loss) ? watched : loss);
    status = keep_if_lowest(f, epoch, watched);
    if (status != PQF_OK)
      return status;

    if (watched < best - options->min_delta) {
      best = watched;
      counter = 0;
    } else {
      counter++;
    }
    entry->best_loss = best;
    if (options->patience > 0 && counter >= options->patience) {
      status = table->discard(f->training);
      if (status == PQF_OK)
        f->course.stop_reason = PQF_STOP_EARLY;
      return status;
    }

    status = table->commit(f->training);
    if (status != PQF_OK)
      return status;
    if (options->callback != NULL && options->callback(entry, options->payload) != 0) {
      f->course.stop_reason = PQF_STOP_CANCELED;
      return pqf_fail(PQF_ECANCELED, "the fit was cancelled after epoch %" PRId64, epoch);
    }
  }
  f->course.stop_reason = PQF_STOP_EPOCHS;
  return PQF_OK;
}

/* The last step's factors have no loss yet: gives them their chance to be the best. */
static int judge_last_factors(fit *f)
{
  if (!f->options->keep_best || f->course.stop_reason != PQF_STOP_EPOCHS)
    return PQF_OK;
  double loss = NAN;
  const int status = f->validation != NULL ? f->chosen.table.validation_loss(f->training, &loss)
                                           : f->chosen.table.loss(f->training, &loss);
  return status == PQF_OK ? keep_if_lowest(f, f->options->epochs + 1, loss) : status;
}

static int all_finite(const float *values, int64_t count)
{
  for (int64_t n = 0; n < count; n++)
    if (!isfinite(values[n]))
      return 0;
  return 1;
}

/* Fetches the factors that the fit ends with. Those of the last step, which no loss vouches for,
 * are looked at. */
static int fetch_factors(fit *f, int32_t which)
{
  const pqf_backend *table = &f->chosen.table;
  const pqf_fitted *fitted = &f->fitted;
  int status = table->get(f->training, PQF_ROWS, which, 0, fitted->rows, fitted->owned_p);
  if (status == PQF_OK)
    status = table->get(f->training, PQF_COLS, which, 0, fitted->cols, fitted->owned_q);
  if (status == PQF_OK && which == PQF_CURRENT &&
      (!all_finite(fitted->owned_p, fitted->rows * fitted->factors) ||
       !all_finite(fitted->owned_q, fitted->cols * fitted->factors)))
    status = diverged(f, f->course.count, INFINITY);
  return status;
}

/* Runs the epochs and fetches the result: the last factors, or the best ones for `keep_best` and
 * after a divergence or a cancel. *usable says whether the model may have them. */
static int train(fit *f, int *usable)
{
  int status = run_epochs(f);
  if (status == PQF_OK)
    status = judge_last_factors(f);
  const int has_best = f->course.best_epoch > 0;
  if (status == PQF_OK)
    status = fetch_factors(f, f->options->keep_best && has_best ? PQF_BEST : PQF_CURRENT);
  *usable = status == PQF_OK;
  if ((status == PQF_EDIVERGED || status == PQF_ECANCELED) && has_best) {
    const int fetched = fetch_factors(f, PQF_BEST);
    *usable = fetched == PQF_OK;
    status = *usable ? status : fetched;
  }
  if (!*usable && status != PQF_EDIVERGED)
    f->course.stop_reason = PQF_STOP_NONE; /* the model keeps what it had, course included */
  f->course.seconds = seconds_since(&f->begin);
  return status;
}

int pqf_fit(pqf_model *model, const pqf_data *train_data, const pqf_data *validation)
{
  int status = check_data(model, train_data, validation);
  if (status != PQF_OK)
    return status;
  fit f = {.options = &model->options,
           .train = train_data,
           .validation = validation,
           .lowest = INFINITY};
  int usable = 0;
  clock_gettime(CLOCK_MONOTONIC, &f.begin);

  status = pqf_backend_choose(&f.chosen, f.options->backend, f.options->backend_path);
  if (status == PQF_OK)
    status = check_steps(&f);
  if (status == PQF_OK)
    status = pqf_team_create(&f.team, pqf_thread_count(f.options->threads));
  if (status == PQF_OK)
    status = prepare_factors(&f, model);
  if (status == PQF_OK)
    status = open_training(&f);
  if (status == PQF_OK)
    status = train(&f, &usable);

  if (f.training != NULL)
    f.chosen.table.close(f.training);
  pqf_team_free(f.team);
  if (usable) {
    pqf_fitted_clear(&model->fitted);
    model->fitted = f.fitted;
    f.fitted = (pqf_fitted){0};
  }
  if (f.course.stop_reason != PQF_STOP_NONE) {
    pqf_release(model->course.epochs);
    model->course = f.course;
    f.course.epochs = NULL;
  }
  pqf_fitted_clear(&f.fitted);
  pqf_release(f.course.epochs);
  return status;
}
