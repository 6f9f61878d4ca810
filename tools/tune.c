/* `pqf tune`: many sets of options, each measured on cells held out of training, and a model of the
 * best one.
 *
 * With a holdout the model that was measured is kept, unless --refit asks for one that is fitted to
 * all cells; with folds there are several, so that the best options are always fitted to all. */
#include "arguments.h"
#include "failure.h"
#include "folds.h"
#include "interrupt.h"
#include "measuring.h"
#include "output.h"
#include "report.h"
#include "search.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What tuning takes; `clear` releases it, also half-made. */
typedef struct pqf_tuning {
  const pqf_arguments *arguments;
  pqf_input_options input;
  pqf_search search;
  pqf_folds folds;
  const pqf_metric *metric;
  const char *output; /* NULL: no model is kept */
  bool refit;
  bool quiet;
  bool json;
  int64_t count;   /* of folds; 1: a holdout */
  double fraction; /* of the holdout */
  json_t *tries;
  int64_t best; /* the number of the best try, from 1; 0: none yet */
  double best_value;
  pqf_try best_try;
  pqf_model *best_model; /* NULL: to be fitted to all cells in the end */
} pqf_tuning;

static void clear(pqf_tuning *tuning)
{
  pqf_free(tuning->best_model);
  pqf_folds_close(&tuning->folds);
  pqf_search_clear(&tuning->search);
  json_decref(tuning->tries);
}

static int index_of(const pqf_metric *metric)
{
  return (int)(metric - pqf_metric_table);
}

/* The width of the column of an axis: its name, or a value that is longer. */
static int width_of(const pqf_search_axis *axis)
{
  size_t width = strlen(axis->option.name);
  for (int64_t n = 0; axis->value != NULL && n < axis->count; ++n)
    if (strlen(axis->value[n]) > width)
      width = strlen(axis->value[n]);
  return width > 9 ? (int)width : 9;
}

static void print_header(const pqf_tuning *tuning)
{
  char label[32];
  printf("%4s", "try");
  for (int n = 0; n < tuning->search.axis_count; ++n)
    printf("  %*s", width_of(&tuning->search.axes[n]), tuning->search.axes[n].option.name);
  pqf_metric_label(tuning->metric, tuning->folds.evaluate.k, label, sizeof label);
  printf("  %14s", label);
  if (tuning->count > 1)
    printf("  %9s", "deviation");
  printf("  %6s  %8s\n", "epochs", "seconds");
}

/* A line of the table, as soon as the try is over; a star marks the best so far. */
static void print_try(const pqf_tuning *tuning, int64_t number, const pqf_try *tried,
                      const pqf_measured *measured, const char *failed)
{
  const int metric = index_of(tuning->metric);
  if (tuning->json)
    return;
  printf("%4" PRId64, number);
  for (int n = 0; n < tuning->search.axis_count; ++n) {
    printf("  ");
    pqf_print_shown(tried->value[n], width_of(&tuning->search.axes[n]));
  }
  if (failed != NULL) {
    printf("  %14s\n", failed);
  } else {
    printf("  %14.6f", measured->mean[metric]);
    if (tuning->count > 1)
      printf("  %9.6f", measured->deviation[metric]);
    printf("  %6.4g  %8.3f%s\n", measured->epochs, measured->seconds,
           tuning->best == number ? "  *" : "");
  }
  (void)fflush(stdout); /* main() looks for errors in the end */
}

static json_t *options_json(const pqf_tuning *tuning, const pqf_try *tried)
{
  json_t *options = json_object();
  for (int n = 0; n < tuning->search.axis_count; ++n)
    (void)json_object_set_new(options, tuning->search.axes[n].option.name,
                              json_string(tried->value[n]));
  return options;
}

static void keep_json(pqf_tuning *tuning, int64_t number, const pqf_try *tried,
                      const pqf_measured *measured, const char *failed)
{
  json_t *entry =
      json_pack("{s:I, s:o}", "try", (json_int_t)number, "options", options_json(tuning, tried));
  if (failed != NULL)
    (void)json_object_set_new(entry, "failed", json_string(failed));
  else
    (void)json_object_set_new(entry, "measured",
                              pqf_measured_json(measured, &tuning->folds.evaluate));
  (void)json_array_append_new(tuning->tries, entry);
}

/* Fits and measures one try; one that diverges is told and passed over. */
static int run_try(pqf_tuning *tuning, int64_t number, const pqf_try *tried)
{
  char label[48];
  pqf_options options = tuning->arguments->options;
  pqf_measured measured;
  pqf_model *model = NULL;
  const bool keep = tuning->output != NULL && tuning->count == 1 && !tuning->refit;
  (void)snprintf(label, sizeof label, "try %" PRId64 "/%" PRId64, number, tuning->search.tries);
  int status = pqf_search_set(&tuning->search, tried, &options);
  if (status == PQF_OK)
    status = pqf_folds_measure(&tuning->folds, &options, label, tuning->quiet, &measured,
                               keep ? &model : NULL);
  const char *failed = status == PQF_EDIVERGED ? "diverged" : NULL;
  if (status != PQF_OK && failed == NULL)
    return status;
  const double value = failed == NULL ? measured.mean[index_of(tuning->metric)] : NAN;
  const bool is_best =
      !isnan(value) &&
      (tuning->best == 0 || pqf_metric_better(tuning->metric, value, tuning->best_value));
  if (is_best) {
    tuning->best = number;
    tuning->best_value = value;
    tuning->best_try = *tried;
    pqf_free(tuning->best_model);
    tuning->best_model = model;
  } else {
    pqf_free(model);
  }
  print_try(tuning, number, tried, &measured, failed);
  keep_json(tuning, number, tried, &measured, failed);
  return PQF_OK;
}

/* Fits the best options to all cells, where that has been asked for or nothing else is there. */
static int finish_model(pqf_tuning *tuning)
{
  pqf_options options = tuning->arguments->options;
  int status = PQF_OK;
  if (tuning->output == NULL)
    return PQF_OK;
  if (tuning->best_model == NULL) {
    status = pqf_search_set(&tuning->search, &tuning->best_try, &options);
    if (status == PQF_OK)
      status =
          pqf_folds_fit_all(&tuning->folds, &options, "best", tuning->quiet, &tuning->best_model);
  }
  if (status == PQF_OK && pqf_save(tuning->best_model, tuning->output) != PQF_OK)
    status = pqf_say(PQF_EIO, "%s", pqf_error_message());
  return status;
}

static void print_best(const pqf_tuning *tuning, bool is_refitted)
{
  char label[32];
  pqf_metric_label(tuning->metric, tuning->folds.evaluate.k, label, sizeof label);
  printf("best: try %" PRId64 ", %s %.6f:", tuning->best, label, tuning->best_value);
  for (int n = 0; n < tuning->search.axis_count; ++n) {
    char flag[64];
    pqf_option_flag(&tuning->search.axes[n].option, flag, sizeof flag);
    printf(" --%s ", flag);
    pqf_print_shown(tuning->best_try.value[n], 0);
  }
  putchar('\n');
  if (tuning->output != NULL) {
    pqf_print_shown(tuning->output, 0);
    printf(": %s\n",
           is_refitted ? "the best options, fitted to all cells" : "the model that was measured");
  }
}

static int print_best_json(pqf_tuning *tuning, bool is_refitted)
{
  json_t *best =
      json_pack("{s:I, s:s, s:o, s:o, s:b}", "try", (json_int_t)tuning->best, "metric",
                tuning->metric->name, "value", pqf_json_real(tuning->best_value), "options",
                options_json(tuning, &tuning->best_try), "refitted", (int)is_refitted);
  return pqf_print_json(json_pack("{s:O, s:o}", "tries", tuning->tries, "best", best));
}

/* What a signal has left: the best model so far where one is at hand. */
static int end_interrupted(pqf_tuning *tuning, int64_t over)
{
  const bool has_model = tuning->best_model != NULL;
  if (has_model && finish_model(tuning) != PQF_OK)
    return PQF_EXIT_FAILED;
  return pqf_say(pqf_interrupt_code(), "interrupted after %" PRId64 " of %" PRId64 " tries%s%s",
                 over, tuning->search.tries, has_model ? "; the best one so far is in " : "",
                 has_model ? tuning->output : "");
}

static int tune(pqf_tuning *tuning)
{
  int status = PQF_OK;
  int64_t over = 0;
  if (!tuning->json)
    print_header(tuning);
  for (; over < tuning->search.tries && status == PQF_OK; ++over) {
    pqf_try tried;
    pqf_search_next(&tuning->search, over, &tried);
    status = run_try(tuning, over + 1, &tried);
    if (status != PQF_OK)
      break;
  }
  if (status == PQF_ECANCELED)
    return end_interrupted(tuning, over);
  if (status == PQF_OK && tuning->best == 0)
    status = pqf_say(PQF_EDIVERGED, "no try could be measured: %s of each is no number",
                     tuning->metric->name);
  const bool is_refitted = tuning->best_model == NULL;
  if (status == PQF_OK)
    status = finish_model(tuning);
  if (status == PQF_ECANCELED)
    return end_interrupted(tuning, over);
  if (status != PQF_OK)
    return PQF_EXIT_FAILED;
  if (tuning->json)
    return print_best_json(tuning, is_refitted && tuning->output != NULL);
  print_best(tuning, is_refitted);
  return PQF_EXIT_DONE;
}

/* RMSE, or NDCG where clicks are trained on. */
static int read_metric(const pqf_arguments *arguments, const pqf_metric **out)
{
  const char *name = pqf_argument(arguments, "metric");
  if (name == NULL)
    name = arguments->options.objective == PQF_OBJECTIVE_IMPLICIT ? "ndcg" : "rmse";
  *out = pqf_find_metric(name);
  return *out != NULL ? PQF_EXIT_DONE : pqf_usage(arguments, "%s", pqf_said());
}

static int read_arguments(pqf_tuning *tuning)
{
  const pqf_arguments *arguments = tuning->arguments;
  int code = pqf_arguments_input(arguments, &tuning->input);
  if (code == PQF_EXIT_DONE)
    code = pqf_arguments_check_trial(arguments);
  if (code == PQF_EXIT_DONE)
    code = read_metric(arguments, &tuning->metric);
  if (code == PQF_EXIT_DONE)
    code = pqf_argument_integer(arguments, "folds", 2, &tuning->count);
  if (code == PQF_EXIT_DONE)
    code = pqf_argument_number(arguments, "fraction", &tuning->fraction);
  if (code != PQF_EXIT_DONE)
    return code;
  if (tuning->count > 1 && pqf_argument(arguments, "fraction") != NULL)
    return pqf_usage(arguments, "--folds and --fraction do not go together");
  if (tuning->count > INT32_MAX)
    return pqf_usage(arguments, "--folds is at most %d", INT32_MAX);
  if (!(tuning->fraction > 0 && tuning->fraction < 1))
    return pqf_usage(arguments, "--fraction is above 0 and below 1");
  if (tuning->refit && tuning->output == NULL)
    return pqf_usage(arguments, "--refit needs --output MODEL");
  return pqf_search_read(&tuning->search, arguments);
}

static int run(const pqf_arguments *arguments)
{
  pqf_tuning tuning = {.arguments = arguments,
                       .output = pqf_argument(arguments, "output"),
                       .refit = pqf_argument(arguments, "refit") != NULL,
                       .quiet = pqf_argument(arguments, "quiet") != NULL,
                       .json = pqf_argument(arguments, "json") != NULL,
                       .count = 1,
                       .fraction = 0.1};
  pqf_evaluate_options evaluate = PQF_EVALUATE_OPTIONS_INIT;
  int code = read_arguments(&tuning);
  if (code == PQF_EXIT_DONE)
    code = pqf_arguments_measuring(arguments, &evaluate);
  if (code == PQF_EXIT_DONE &&
      ((tuning.output != NULL && pqf_output_check(tuning.output) != PQF_OK) ||
       pqf_folds_open(&tuning.folds, arguments->operand, &tuning.input, tuning.count,
                      tuning.fraction, arguments->options.seed) != PQF_OK))
    code = PQF_EXIT_FAILED;
  if (code == PQF_EXIT_DONE) {
    evaluate.metrics = tuning.metric->group;
    tuning.folds.evaluate = evaluate;
    tuning.tries = json_array();
    pqf_interrupt_watch();
    code = tune(&tuning);
    pqf_interrupt_end();
  }
  clear(&tuning);
  return code;
}

static const pqf_flag flags[] = {
    {"grid", "NAME=X,Y,...",
     "Values to try of an option; may be given for several options, whose values are all "
     "combined.",
     PQF_PLAIN},
    {"random", "N",
     "Try N random combinations instead: one of the values of each --grid, and a number from each "
     "--range. The seed decides.",
     PQF_PLAIN},
    {"range", "NAME=LOW:HIGH",
     "Draw an option evenly on a logarithmic scale, as an integer where it is one.", PQF_PLAIN},
    {"metric", "NAME",
     "What decides: rmse, mae, precision, recall, ndcg, map, mrr, auc or coverage. Default: rmse, "
     "or ndcg with objective implicit",
     PQF_PLAIN},
    PQF_MEASURING_FLAGS,
    {"fraction", "X", "The share of the cells, drawn by the seed, to measure on. Default: 0.1",
     PQF_PLAIN},
    {"folds", "N", "Measure by cross-validation instead: the mean of N folds decides.", PQF_PLAIN},
    {"output", "MODEL",
     "Keep the best model: the one that was measured; with --folds its options fitted to all "
     "cells.",
     PQF_WRITTEN},
    {"refit", NULL, "Keep the best options fitted to all cells.", PQF_PLAIN},
    {"json", NULL, "As JSON.", PQF_PLAIN},
    {"quiet", NULL, "Show no progress.", PQF_PLAIN},
    PQF_PRESET_FLAG,
    PQF_INPUT_FLAGS,
};

const pqf_command pqf_command_tune = {
    .name = "tune",
    .operand = "DATA",
    .takes_options = true,
    .synopsis = "DATA --grid NAME=X,Y,... [--random N --range NAME=LOW:HIGH] ...",
    .summary = "Tries sets of options, measures each on cells held out, keeps the best.",
    .flags = flags,
    .flag_count = sizeof flags / sizeof flags[0],
    .run = run,
};
