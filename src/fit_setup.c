/* Before the first epoch: checks, the problem that the back end is given, and the factors that the
 * fit starts from. */
#include "error.h"
#include "fit.h"
#include "memory.h"
#include "number_text.h"
#include "random.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

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

static const char *kind_name(int32_t kind)
{
  return kind == PQF_IDS_TEXTS ? "texts" : kind == PQF_IDS_NUMBERS ? "numbers" : "none (0, 1, ...)";
}

/* Rows that have no ids are 0, 1, 2, ...: they are matched with numbers, never with texts. Without
 * ids on either side, fewer rows than the model's would mean other ones, as when users and items
 * are exchanged. */
static int check_known(const pqf_fit_state *fit, const pqf_fitted *old, int side)
{
  const pqf_matrix *r = &fit->train->matrix;
  const char *name = side == PQF_ROWS ? "rows" : "columns";
  const int32_t kind = pqf_ids_kind(fit->train->ids[side]);
  const int32_t old_kind = pqf_ids_kind(old->ids[side]);
  const int64_t size = side == PQF_ROWS ? r->rows : r->cols;
  const int64_t old_size = side == PQF_ROWS ? old->rows : old->cols;
  if ((kind == PQF_IDS_TEXTS) != (old_kind == PQF_IDS_TEXTS))
    return pqf_fail(PQF_EINVAL, "init is model: the ids of %s are %s in the model, %s in the data",
                    name, kind_name(old_kind), kind_name(kind));
  if (kind == PQF_IDS_NONE && old_kind == PQF_IDS_NONE && size < old_size)
    return pqf_fail(PQF_EINVAL,
                    "init is model: the model has %" PRId64 " %s, the training data %" PRId64
                    " and no ids to go by",
                    old_size, name, size);
  return PQF_OK;
}

static int check_shapes(const pqf_fit_state *fit)
{
  const pqf_matrix *r = &fit->train->matrix;
  if (fit->validation != NULL) {
    const pqf_matrix *held_out = &fit->validation->matrix;
    if (held_out->rows != r->rows || held_out->cols != r->cols)
      return pqf_fail(PQF_EINVAL,
                      "the validation data is %" PRId64 " x %" PRId64 ", the training data %" PRId64
                      " x %" PRId64,
                      held_out->rows, held_out->cols, r->rows, r->cols);
    if (held_out->count == 0)
      return pqf_fail(PQF_EINVAL, "the validation data has no cells");
    return pqf_data_check_ids(fit->validation, "the validation data", fit->train->ids,
                              "the training data", 0);
  }
  return PQF_OK;
}

/* What the option init needs. */
static int check_initial(const pqf_fit_state *fit, const pqf_model *model)
{
  const pqf_matrix *r = &fit->train->matrix;
  if (model->options.init == PQF_INIT_GIVEN) {
    if (model->initial_p == NULL)
      return pqf_fail(PQF_EINVAL, "init is given: call pqf_model_set_initial() first");
    if (model->initial_rows != r->rows || model->initial_cols != r->cols)
      return pqf_fail(PQF_EINVAL,
                      "the initial factors are for %" PRId64 " x %" PRId64
                      ", the training data is %" PRId64 " x %" PRId64,
                      model->initial_rows, model->initial_cols, r->rows, r->cols);
  }
  if (model->options.init == PQF_INIT_MODEL) {
    if (model->fitted.rows == 0)
      return pqf_fail(PQF_EINVAL, "init is model: the model has no factors yet");
    if (model->fitted.factors != model->options.factors)
      return pqf_fail(PQF_EINVAL,
                      "init is model: the model has %" PRId64 " factors, the option says %" PRId32,
                      model->fitted.factors, model->options.factors);
    const int status = check_known(fit, &model->fitted, PQF_ROWS);
    return status == PQF_OK ? check_known(fit, &model->fitted, PQF_COLS) : status;
  }
  return PQF_OK;
}

static int has_weights(const pqf_data *data)
{
  return data->matrix.by_row.weight != NULL;
}

/* Confidence must not be negative. */
static int check_clicks(const pqf_data *data)
{
  const pqf_cells *cells = &data->matrix.by_row;
  for (int64_t row = 0; row < data->matrix.rows; row++)
    for (int64_t n = cells->offset[row]; n < cells->offset[row + 1]; n++)
      if (cells->value[n] < 0) {
        char value[PQF_NUMBER_TEXT];
        char name[PQF_CELL_NAME];
        pqf_number_print((double)cells->value[n], value);
        return pqf_fail(PQF_EINVAL, "objective implicit: the value of cell %s is %s",
                        pqf_data_cell_name(data, row, cells->index[n], name), value);
      }
  return PQF_OK;
}

/* What options say that cannot go together, with each other or with the data. */
static int check_options(const pqf_fit_state *fit)
{
  const pqf_options *o = fit->options;
  if (o->solver == PQF_SOLVER_GD) {
    if (o->objective == PQF_OBJECTIVE_IMPLICIT)
      return pqf_fail(PQF_ENOTSUP, "objective implicit needs solver als");
    if (o->update == PQF_UPDATE_NOTEBOOK && has_weights(fit->train))
      return pqf_fail(PQF_ENOTSUP, "update notebook has no weights: the data must come without");
    return PQF_OK;
  }
  if (fit->train->matrix.dense != NULL ||
      (fit->validation != NULL && fit->validation->matrix.dense != NULL))
    return pqf_fail(PQF_ENOTSUP, "solver als takes sparse data, such as from pqf_data_coo()");
  if (o->objective != PQF_OBJECTIVE_OBSERVED && o->biases != PQF_BIASES_AUTO &&
      o->biases != PQF_BIASES_NONE)
    return pqf_fail(PQF_ENOTSUP, "biases need objective observed");
  if (o->nonnegative && o->conjugate_gradient > 0)
    return pqf_fail(PQF_ENOTSUP, "nonnegative factors are not to be had by conjugate_gradient");
  if (o->objective != PQF_OBJECTIVE_IMPLICIT)
    return PQF_OK;
  const int status = check_clicks(fit->train);
  return status == PQF_OK && fit->validation != NULL ? check_clicks(fit->validation) : status;
}

static int check_steps(const pqf_fit_state *fit)
{
  const pqf_backend *table = &fit->chosen.table;
  const int als = fit->options->solver == PQF_SOLVER_ALS;
  const struct {
    const char *name;
    int present;
  } steps[] = {
      {"open", table->open != NULL},
      {"close", table->close != NULL},
      {"set", table->set != NULL},
      {"get", table->get != NULL},
      {"gd_epoch", als || table->gd_epoch != NULL},
      {"half_sweep", !als || table->half_sweep != NULL},
      {"loss_parts", !als || table->loss_parts != NULL},
      {"set_bias", !als || table->set_bias != NULL},
      {"get_bias", !als || table->get_bias != NULL},
      {"commit", als || table->commit != NULL},
      {"discard", als || table->discard != NULL},
      {"keep", table->keep != NULL},
      {"validation_loss", fit->validation == NULL || table->validation_loss != NULL},
      {"loss", als || !fit->options->keep_best || table->loss != NULL},
  };
  for (size_t n = 0; n < sizeof steps / sizeof steps[0]; n++)
    if (!steps[n].present)
      return pqf_fail(PQF_ENOTSUP, "backend %s does not support the step %s", table->name,
                      steps[n].name);
  return PQF_OK;
}

int pqf_fit_check(pqf_fit_state *fit, const pqf_model *model)
{
  int status = check_shapes(fit);
  if (status == PQF_OK && fit->resumed == NULL)
    status = check_initial(fit, model);
  if (status == PQF_OK)
    status = check_options(fit);
  if (status == PQF_OK)
    status = pqf_backend_choose(&fit->chosen, fit->options->backend, fit->options->backend_path,
                                fit->options->factors, fit->train->matrix.count);
  if (status == PQF_OK)
    status = check_steps(fit);
  return pqf_fit_takes_over(fit, status) ? check_steps(fit) : status;
}

int pqf_fit_takes_over(pqf_fit_state *fit, int status)
{
  const int is_of_backend = status == PQF_EBACKEND || status == PQF_ENOMEM || status == PQF_ENOTSUP;
  return fit->chosen.is_guess && is_of_backend &&
         pqf_backend_choose(&fit->chosen, pqf_cpu_backend()->name, NULL, fit->options->factors,
                            fit->train->matrix.count) == PQF_OK;
}

/* The weighted mean of the present cells. */
static double weighted_mean(const pqf_matrix *r)
{
  double sum = 0;
  double weights = 0;
  for (int64_t n = 0; n < r->count; n++) {
    const double weight = r->by_row.weight != NULL ? (double)r->by_row.weight[n] : 1;
    sum += weight * (double)r->by_row.value[n];
    weights += weight;
  }
  return weights > 0 ? sum / weights : 0;
}

/* l of the option regularization_scaling: what lambda becomes so that it keeps its meaning when nu
 * changes (Rendle et al. 2021): l = lambda (sum of f) / (sum of f^nu), f = n + offset. */
static double scaled_lambda(const pqf_fit_state *fit, const double offset[2])
{
  const pqf_matrix *r = &fit->train->matrix;
  const double nu = fit->options->regularization_scaling;
  double sum = 0;
  double powers = 0;
  for (int side = 0; side < 2; side++) {
    const int64_t *first = side == PQF_ROWS ? r->by_row.offset : r->by_col.offset;
    const int64_t size = side == PQF_ROWS ? r->rows : r->cols;
    for (int64_t n = 0; n < size; n++) {
      const double frequency = (double)(first[n + 1] - first[n]) + offset[side];
      sum += frequency;
      powers += pow(frequency, nu);
    }
  }
  return powers > 0 ? fit->options->regularization * sum / powers : fit->options->regularization;
}

static void fill_als_problem(pqf_fit_state *fit)
{
  const pqf_options *o = fit->options;
  pqf_problem *problem = &fit->problem;
  const pqf_matrix *r = &fit->train->matrix;
  const int observed = o->objective == PQF_OBJECTIVE_OBSERVED;
  const int both = o->biases == PQF_BIASES_BOTH || (o->biases == PQF_BIASES_AUTO && observed);
  problem->has_bias[PQF_ROWS] = both || o->biases == PQF_BIASES_ROWS;
  problem->has_bias[PQF_COLS] = both || o->biases == PQF_BIASES_COLS;
  problem->mean = observed && o->mean == PQF_MEAN_AUTO ? weighted_mean(r) : 0;
  problem->scaling_exponent = o->regularization_scaling;
  problem->confidence = o->confidence;
  problem->unobserved_weight = o->unobserved_weight;
  problem->implicit_zeros = o->implicit_zeros;
  problem->nonnegative = o->nonnegative;
  problem->conjugate_gradient_steps = (int32_t)o->conjugate_gradient;
  if (o->objective == PQF_OBJECTIVE_IMPLICIT && o->regularization_scaling > 0) {
    problem->scaling_offset[PQF_ROWS] = o->unobserved_weight * (double)r->cols;
    problem->scaling_offset[PQF_COLS] = o->unobserved_weight * (double)r->rows;
    problem->regularization = scaled_lambda(fit, problem->scaling_offset);
  }
  problem->bias_regularization =
      o->bias_regularization >= 0 ? o->bias_regularization : problem->regularization;
}

int pqf_fit_problem(pqf_fit_state *fit)
{
  const pqf_options *o = fit->options;
  fit->problem = (pqf_problem){
      .size = sizeof fit->problem,
      .train = &fit->train->matrix,
      .validation = fit->validation != NULL ? &fit->validation->matrix : NULL,
      .device = fit->chosen.device,
      .factors = o->factors,
      .solver = o->solver,
      .update = o->update,
      .objective = o->objective,
      .learning_rate = o->learning_rate,
      .regularization = o->regularization,
  };
  if (o->solver == PQF_SOLVER_ALS)
    fill_als_problem(fit);
  fit->host = (pqf_host){
      .size = sizeof fit->host,
      .allocate = host_allocate,
      .release = host_release,
      .fail = host_fail,
      .parallel_for = host_parallel_for,
      .threads = pqf_thread_count(o->threads),
  };
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
  const int64_t left = d->count - first;
  pqf_normal_draws(d->options->seed, d->side, first, left < DRAWS_PER_ITEM ? left : DRAWS_PER_ITEM,
                   d->out + first);
}

/* Where factors must not be negative: the signs of draws would make the first systems' solutions
 * zero wherever they point away from the data, and with one factor all of them at once. */
static void drop_signs(float *values, int64_t count)
{
  for (int64_t n = 0; n < count; n++)
    values[n] = fabsf(values[n]);
}

static void scale(float *values, int64_t count, double factor)
{
  if (factor != 1)
    for (int64_t n = 0; n < count; n++)
      values[n] = (float)(values[n] * factor);
}

/* Rows that the model knows take its factors and bias, found by id. */
static int take_from_model(pqf_fit_state *fit, const pqf_model *model, int side, float *factors,
                           float *bias)
{
  const pqf_fitted *old = &model->fitted;
  const pqf_ids *new_ids = fit->train->ids[side];
  const int64_t size = side == PQF_ROWS ? fit->fitted.rows : fit->fitted.cols;
  const int64_t old_size = side == PQF_ROWS ? old->rows : old->cols;
  const float *old_factors = side == PQF_ROWS ? old->p : old->q;
  const int64_t k = fit->fitted.factors;
  for (int64_t row = 0; row < size; row++) {
    int64_t from = row;
    if (new_ids != NULL || old->ids[side] != NULL) {
      pqf_id id;
      int32_t found = 0;
      pqf_ids_get(new_ids, row, &id);
      const int status = pqf_ids_look_up(old->ids[side], old_size, &id, &found);
      if (status == PQF_ENOMEM)
        return status;
      from = status == PQF_OK ? found : old_size;
    }
    if (from >= old_size)
      continue;
    memcpy(factors + row * k, old_factors + from * k, (size_t)k * sizeof(float));
    if (bias != NULL && old->bias[side] != NULL)
      bias[row] = old->bias[side][from];
  }
  return PQF_OK;
}

/* P first, then Q. */
static int fill_initial(pqf_fit_state *fit, const pqf_model *model)
{
  const pqf_options *options = fit->options;
  float *out[2] = {fit->fitted.owned_p, fit->fitted.owned_q};
  const float *given[2] = {model->initial_p, model->initial_q};
  const int64_t count[2] = {fit->fitted.rows * fit->fitted.factors,
                            fit->fitted.cols * fit->fitted.factors};
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
      pqf_team_run(fit->team, (count[side] + DRAWS_PER_ITEM - 1) / DRAWS_PER_ITEM, draw_normals,
                   &d);
    }
    scale(out[side], count[side], options->init_scale);
    if (options->nonnegative)
      drop_signs(out[side], count[side]);
    if (options->init == PQF_INIT_MODEL) {
      const int status =
          take_from_model(fit, model, (int)side, out[side], fit->fitted.owned_bias[side]);
      if (status != PQF_OK)
        return status;
    }
  }
  return PQF_OK;
}

/* Where only present cells count, nothing is known of a row or column without any: it gets zeros
 * and keeps them. */
static void clear_unknown(pqf_fit_state *fit)
{
  const pqf_matrix *r = &fit->train->matrix;
  const int64_t *offset[2] = {r->by_row.offset, r->by_col.offset};
  const int64_t size[2] = {r->rows, r->cols};
  float *factors[2] = {fit->fitted.owned_p, fit->fitted.owned_q};
  const int64_t k = fit->fitted.factors;
  if (r->dense != NULL || fit->options->objective != PQF_OBJECTIVE_OBSERVED)
    return;
  for (int side = 0; side < 2; side++)
    for (int64_t n = 0; n < size[side]; n++)
      if (offset[side][n + 1] == offset[side][n])
        memset(factors[side] + n * k, 0, (size_t)k * sizeof(float));
}

int pqf_fit_make_room(pqf_fit_state *fit)
{
  pqf_fitted *fitted = &fit->fitted;
  const pqf_matrix *r = &fit->train->matrix;
  const int64_t size[2] = {r->rows, r->cols};
  fitted->rows = r->rows;
  fitted->cols = r->cols;
  fitted->factors = fit->options->factors;
  fitted->mean = fit->problem.mean;
  fitted->owned_p = pqf_allocate(r->rows, (size_t)fitted->factors * sizeof(float));
  fitted->owned_q = pqf_allocate(r->cols, (size_t)fitted->factors * sizeof(float));
  if (fitted->owned_p == NULL || fitted->owned_q == NULL)
    return PQF_ENOMEM;
  fitted->p = fitted->owned_p;
  fitted->q = fitted->owned_q;
  for (int side = 0; side < 2; side++) {
    fitted->ids[side] = pqf_ids_share(fit->train->ids[side]);
    if (!fit->problem.has_bias[side])
      continue;
    fitted->owned_bias[side] = pqf_allocate_zeroed(size[side], sizeof(float));
    if (fitted->owned_bias[side] == NULL)
      return PQF_ENOMEM;
    fitted->bias[side] = fitted->owned_bias[side];
  }
  return PQF_OK;
}

int pqf_fit_initial(pqf_fit_state *fit, const pqf_model *model)
{
  int status = pqf_fit_make_room(fit);
  if (status == PQF_OK)
    status = fill_initial(fit, model);
  if (status == PQF_OK)
    clear_unknown(fit);
  return status;
}

/* Makes factors and biases the current ones. */
static int hand_over(pqf_fit_state *fit, const float *const factors[2], const float *const bias[2])
{
  const pqf_backend *table = &fit->chosen.table;
  const int64_t size[2] = {fit->fitted.rows, fit->fitted.cols};
  int status = PQF_OK;
  for (int side = 0; status == PQF_OK && side < 2; side++) {
    status = table->set(fit->training, side, 0, size[side], factors[side]);
    if (status == PQF_OK && bias[side] != NULL)
      status = table->set_bias(fit->training, side, 0, size[side], bias[side]);
  }
  return status;
}

int pqf_fit_open(pqf_fit_state *fit)
{
  const pqf_backend *table = &fit->chosen.table;
  const pqf_checkpoint *resumed = fit->resumed;
  const float *factors[2] = {fit->fitted.p, fit->fitted.q};
  fit->host.context = fit->team;
  int status = table->open(&fit->training, &fit->host, &fit->problem);
  if (status == PQF_OK && resumed != NULL && resumed->best[PQF_ROWS] != NULL &&
      pqf_fit_keeps_best(fit)) {
    status = hand_over(fit, resumed->best, resumed->best_bias);
    if (status == PQF_OK)
      status = table->keep(fit->training);
  }
  return status == PQF_OK ? hand_over(fit, factors, fit->fitted.bias) : status;
}

int pqf_fit_fetch(pqf_fit_state *fit, int32_t which, float *p, float *q, float *const bias[2])
{
  const pqf_backend *table = &fit->chosen.table;
  const int64_t size[2] = {fit->fitted.rows, fit->fitted.cols};
  float *factors[2] = {p, q};
  int status = PQF_OK;
  for (int side = 0; status == PQF_OK && side < 2; side++) {
    status = table->get(fit->training, side, which, 0, size[side], factors[side]);
    if (status == PQF_OK && bias[side] != NULL)
      status = table->get_bias(fit->training, side, which, 0, size[side], bias[side]);
  }
  return status;
}
