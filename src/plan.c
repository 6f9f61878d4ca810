/* What a fit takes: its factors, which the model keeps, and what the back end counts up for itself
 * by the same code that takes it. */
#include "error.h"
#include "fit.h"
#include "options.h"

#include <inttypes.h>

static uint64_t cells_bytes(const pqf_data *data)
{
  const pqf_matrix *r = &data->matrix;
  if (r->dense != NULL)
    return data->dense != NULL ? (uint64_t)r->count * sizeof(float) : 0;
  return 2 * (uint64_t)r->count *
             (sizeof(int32_t) + sizeof(float) +
              (data->matrix.by_row.weight != NULL ? sizeof(float) : 0)) +
         ((uint64_t)r->rows + (uint64_t)r->cols + 2) * sizeof(int64_t);
}

/* Bytes of the factors and biases in a model. */
static uint64_t model_bytes(const pqf_fit_state *fit)
{
  const pqf_matrix *r = &fit->train->matrix;
  const uint64_t size[2] = {(uint64_t)r->rows, (uint64_t)r->cols};
  uint64_t bytes = 0;
  for (int side = 0; side < 2; side++)
    bytes += size[side] * sizeof(float) *
             ((uint64_t)fit->options->factors + (fit->problem.has_bias[side] ? 1 : 0));
  return bytes;
}

static int plan(pqf_fit_state *fit, pqf_memory *out)
{
  *out = (pqf_memory){
      .size = sizeof *out, .data_bytes = cells_bytes(fit->train), .model_bytes = model_bytes(fit)};
  if (fit->validation != NULL && fit->validation != fit->train)
    out->data_bytes += cells_bytes(fit->validation);
  uint64_t host_bytes = 0;
  if (fit->chosen.table.plan != NULL) {
    const int status = fit->chosen.table.plan(&fit->host, &fit->problem, fit->options->keep_best,
                                              &host_bytes, &out->device_bytes);
    if (status != PQF_OK)
      return status;
  }
  out->fit_bytes = out->model_bytes + host_bytes;
  if (fit->options->checkpoint != NULL && pqf_fit_keeps_best(fit))
    out->fit_bytes += out->model_bytes; /* the best factors, on their way to the file */
  return PQF_OK;
}

int pqf_fit_check_memory(pqf_fit_state *fit)
{
  const uint64_t limit = fit->options->memory_limit;
  if (limit == 0)
    return PQF_OK;
  pqf_memory memory;
  const int status = plan(fit, &memory);
  if (status != PQF_OK)
    return status;
  if (memory.fit_bytes > limit)
    return pqf_fail(PQF_ENOMEM, "the fit would take %" PRIu64 " bytes: memory_limit is %" PRIu64,
                    memory.fit_bytes, limit);
  return PQF_OK;
}

int pqf_plan(const pqf_model *model, const pqf_data *train, const pqf_data *validation,
             pqf_memory *out)
{
  if (model == NULL || train == NULL || out == NULL)
    return pqf_fail(PQF_EINVAL, "%s is NULL",
                    model == NULL   ? "model"
                    : train == NULL ? "train"
                                    : "out");
  pqf_fit_state fit = {.options = &model->options, .train = train, .validation = validation};
  pqf_memory memory = {.size = sizeof memory};
  char said[PQF_ERROR_SIZE];
  pqf_error_keep(said);
  int status = pqf_fit_check(&fit, model);
  if (status == PQF_OK)
    status = pqf_fit_problem(&fit);
  if (status == PQF_OK)
    status = plan(&fit, &memory);
  if (pqf_fit_takes_over(&fit, status))
    status = plan(&fit, &memory);
  if (status != PQF_OK)
    return status;
  pqf_error_restore(said); /* of a GPU that cannot be used */
  return pqf_write_sized(out, sizeof memory, sizeof memory, &memory, "pqf_memory");
}
