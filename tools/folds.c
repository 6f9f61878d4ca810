#include "folds.h"

#include "failure.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail_library(int status)
{
  return pqf_say(status, "%s", pqf_error_message());
}

int pqf_folds_open(pqf_folds *folds, const char *path, const pqf_input_options *input,
                   int64_t count, double fraction, uint64_t seed)
{
  const pqf_evaluate_options evaluate = PQF_EVALUATE_OPTIONS_INIT;
  const pqf_split_options split = PQF_SPLIT_OPTIONS_INIT;
  *folds = (pqf_folds){.path = path, .input = input, .count = count, .built = -1};
  folds->evaluate = evaluate;
  folds->split = split;
  folds->split.seed = seed;
  folds->split.fraction = count == 1 ? fraction : 1.0 / (double)count;
  /* 1 / (1 / 49) is below 49 */
  while (count > 1 && floor(1 / folds->split.fraction) < (double)count)
    folds->split.fraction = nextafter(folds->split.fraction, 0);
  int status = pqf_input_table(&folds->table, path, input);
  if (status == PQF_OK)
    status = pqf_table_list(&folds->table, input->nan_is_absent, path);
  return status;
}

void pqf_folds_close(pqf_folds *folds)
{
  pqf_data_free(folds->train);
  pqf_data_free(folds->held_out);
  pqf_table_clear(&folds->table);
  *folds = (pqf_folds){0};
}

/* Builds R from the cells whose mark is `wanted`; from all of them if there are no marks. */
static int build(pqf_data **out, const pqf_folds *folds, const uint8_t *marks, uint8_t wanted)
{
  const pqf_table *table = &folds->table;
  pqf_table part = {.rows = table->rows, .cols = table->cols};
  int status = PQF_OK;
  *out = NULL;
  for (int64_t n = 0; n < table->count && status == PQF_OK; ++n)
    if (marks == NULL || marks[n] == wanted)
      status = pqf_table_add_cell(&part, table->row[n], table->col[n], table->cell[n]);
  if (status == PQF_OK && part.count == 0)
    status = pqf_say(PQF_EINVAL, "%s: of %" PRId64 " cells none is %s", folds->path, table->count,
                     wanted ? "held out" : "left for training");
  if (status == PQF_OK)
    status = pqf_table_data(out, &part, folds->input, folds->path);
  for (int32_t side = PQF_ROWS; side <= PQF_COLS && status == PQF_OK; ++side)
    status = pqf_id_map_give(&table->ids[side], *out, side);
  pqf_table_clear(&part);
  return status;
}

/* Makes the data of a fold, unless they are there already. */
static int build_fold(pqf_folds *folds, int64_t fold)
{
  const pqf_table *table = &folds->table;
  if (folds->built == fold)
    return PQF_OK;
  pqf_data_free(folds->train);
  pqf_data_free(folds->held_out);
  folds->train = NULL;
  folds->held_out = NULL;
  folds->built = -1;
  folds->split.fold = (int32_t)fold;
  uint8_t *marks = pqf_resize(NULL, table->count, 1);
  if (marks == NULL)
    return PQF_ENOMEM;
  int status = pqf_split(table->rows, table->count, table->row, NULL, &folds->split, marks);
  if (status != PQF_OK)
    (void)fail_library(status);
  if (status == PQF_OK)
    status = build(&folds->held_out, folds, marks, 1);
  if (status == PQF_OK)
    status = build(&folds->train, folds, marks, 0);
  if (status == PQF_OK)
    folds->built = fold;
  free(marks);
  return status;
}

/* Makes a model and fits it. */
static int fit(pqf_model **out, const pqf_options *options, const pqf_data *train,
               const char *label, bool quiet)
{
  pqf_training training = {.quiet = quiet, .label = label};
  pqf_options own = *options;
  own.callback = pqf_training_epoch;
  own.payload = &training;
  int status = pqf_create(out, &own);
  if (status != PQF_OK)
    return fail_library(status);
  return pqf_train(&training, *out, train, NULL);
}

static int measure_fold(pqf_folds *folds, const pqf_options *options, const char *label, bool quiet,
                        pqf_metrics *metrics, pqf_summary *summary, pqf_model **out)
{
  pqf_model *model = NULL;
  *metrics = (pqf_metrics){.size = sizeof *metrics};
  *summary = (pqf_summary){.size = sizeof *summary};
  int status = fit(&model, options, folds->train, label, quiet);
  if (status == PQF_OK &&
      (pqf_model_summary(model, summary) != PQF_OK ||
       pqf_evaluate(model, folds->held_out, folds->train, &folds->evaluate, metrics) != PQF_OK))
    status = pqf_say(PQF_EINVAL, "%s", pqf_error_message());
  if (status == PQF_OK && out != NULL) {
    pqf_free(*out);
    *out = model;
  } else {
    pqf_free(model);
  }
  return status;
}

/* Welford's running mean and sum of squared deviations: `deviation` holds that sum. */
static void add(pqf_measured *out, const pqf_metrics *metrics, int64_t fold)
{
  for (int n = 0; n < PQF_METRICS; ++n) {
    const double value = pqf_metric_value(&pqf_metric_table[n], metrics);
    const double before = value - out->mean[n];
    out->mean[n] += before / (double)(fold + 1);
    out->deviation[n] += before * (value - out->mean[n]);
  }
}

int pqf_folds_measure(pqf_folds *folds, const pqf_options *options, const char *label, bool quiet,
                      pqf_measured *out, pqf_model **model)
{
  const double count = (double)folds->count;
  int status = PQF_OK;
  *out = (pqf_measured){.seconds = 0};
  if (model != NULL)
    *model = NULL;
  for (int64_t fold = 0; fold < folds->count && status == PQF_OK; ++fold) {
    char words[96];
    pqf_metrics metrics;
    pqf_summary summary;
    (void)snprintf(words, sizeof words, "%.40s%sfold %" PRId64 "/%" PRId64, label,
                   *label != '\0' ? ", " : "", fold + 1, folds->count);
    status = build_fold(folds, fold);
    if (status == PQF_OK)
      status = measure_fold(folds, options, folds->count > 1 ? words : label, quiet, &metrics,
                            &summary, model);
    if (status != PQF_OK)
      break;
    add(out, &metrics, fold);
    out->seconds += summary.seconds;
    out->epochs += (double)summary.epochs / count;
  }
  for (int n = 0; n < PQF_METRICS; ++n)
    out->deviation[n] = folds->count > 1 ? sqrt(out->deviation[n] / (count - 1)) : NAN;
  if (status != PQF_OK && model != NULL) {
    pqf_free(*model);
    *model = NULL;
  }
  return status;
}

int pqf_folds_fit_all(pqf_folds *folds, const pqf_options *options, const char *label, bool quiet,
                      pqf_model **model)
{
  pqf_data *all = NULL;
  *model = NULL;
  int status = build(&all, folds, NULL, 0);
  if (status == PQF_OK)
    status = fit(model, options, all, label, quiet);
  pqf_data_free(all);
  if (status != PQF_OK) {
    pqf_free(*model);
    *model = NULL;
  }
  return status;
}
