/* `pqf evaluate`: a model measured on cells held out, or options measured by cross-validation. */
#include "arguments.h"
#include "failure.h"
#include "interrupt.h"
#include "measuring.h"
#include "report.h"

#include <stdlib.h>
#include <string.h>

/* What measuring a model takes; `clear` releases it, also half-made. */
typedef struct pqf_evaluating {
  const pqf_arguments *arguments;
  pqf_input_options input;
  pqf_evaluate_options options;
  pqf_model *model;
  pqf_data *test;
  pqf_data *exclude;
  pqf_unknown unknown[2]; /* of either */
} pqf_evaluating;

static void clear(pqf_evaluating *evaluating)
{
  pqf_data_free(evaluating->test);
  pqf_data_free(evaluating->exclude);
  pqf_free(evaluating->model);
}

/* Reads cells as the model numbers them. */
static int read_cells(const pqf_evaluating *evaluating, const char *path, pqf_data **out,
                      pqf_unknown *unknown)
{
  pqf_table table = {0};
  int status = pqf_input_table(&table, path, &evaluating->input);
  if (status == PQF_OK)
    status =
        pqf_match_table(&table, evaluating->model, evaluating->input.nan_is_absent, path, unknown);
  if (status == PQF_OK && table.count == 0)
    status = pqf_say(PQF_EINVAL, "%s: the model knows the row and the column of none of its cells",
                     path);
  if (status == PQF_OK)
    status = pqf_table_data(out, &table, &evaluating->input, path);
  pqf_table_clear(&table);
  return status;
}

static int evaluate_model(pqf_evaluating *evaluating)
{
  const pqf_arguments *arguments = evaluating->arguments;
  const char *exclude = pqf_argument(arguments, "exclude");
  pqf_metrics metrics = {.size = sizeof metrics};
  int status = pqf_load(&evaluating->model, arguments->operand, PQF_LOAD_VERIFY);
  if (status != PQF_OK)
    return pqf_say(PQF_EXIT_FAILED, "%s", pqf_error_message());
  status = read_cells(evaluating, arguments->second, &evaluating->test, &evaluating->unknown[0]);
  if (status == PQF_OK && exclude != NULL)
    status = read_cells(evaluating, exclude, &evaluating->exclude, &evaluating->unknown[1]);
  if (status != PQF_OK)
    return PQF_EXIT_FAILED;
  if (pqf_evaluate(evaluating->model, evaluating->test, evaluating->exclude, &evaluating->options,
                   &metrics) != PQF_OK)
    return pqf_say(PQF_EXIT_FAILED, "%s", pqf_error_message());
  const pqf_report report = {&metrics, &evaluating->options, &evaluating->unknown[0],
                             &evaluating->unknown[1]};
  if (pqf_argument(arguments, "json") != NULL)
    return pqf_print_json(pqf_report_json(&report));
  pqf_report_print(&report);
  return PQF_EXIT_DONE;
}

static int cross_validate(const pqf_evaluating *evaluating, int64_t count)
{
  const pqf_arguments *arguments = evaluating->arguments;
  const bool quiet = pqf_argument(arguments, "quiet") != NULL;
  pqf_measured measured;
  pqf_folds folds;
  pqf_interrupt_watch();
  int status = pqf_folds_open(&folds, arguments->operand, &evaluating->input, count, 0,
                              arguments->options.seed);
  folds.evaluate = evaluating->options;
  if (status == PQF_OK)
    status = pqf_folds_measure(&folds, &arguments->options, "", quiet, &measured, NULL);
  pqf_folds_close(&folds);
  pqf_interrupt_end();
  if (status == PQF_ECANCELED)
    return pqf_say(pqf_interrupt_code(), "interrupted before all folds were measured");
  if (status != PQF_OK)
    return PQF_EXIT_FAILED;
  if (pqf_argument(arguments, "json") != NULL)
    return pqf_print_json(pqf_measured_json(&measured, &evaluating->options));
  pqf_measured_print(&measured, &evaluating->options);
  return PQF_EXIT_DONE;
}

static int read_metrics(const pqf_arguments *arguments, uint32_t *out)
{
  const char *value = pqf_argument(arguments, "metrics");
  if (value == NULL || strcmp(value, "all") == 0)
    *out = PQF_METRICS_RATING | PQF_METRICS_RANKING;
  else if (strcmp(value, "rating") == 0)
    *out = PQF_METRICS_RATING;
  else if (strcmp(value, "ranking") == 0)
    *out = PQF_METRICS_RANKING;
  else
    return pqf_usage(arguments, "--metrics is rating, ranking or all, not \"%s\"", value);
  return PQF_EXIT_DONE;
}

/* With a model to measure, options of training have nothing to say. */
static int check_options(const pqf_arguments *arguments)
{
  if (pqf_argument(arguments, "preset") != NULL)
    return pqf_usage(arguments, "--preset is for --folds, which fits; a model is fitted already");
  for (int n = 0; n < arguments->given_count; ++n) {
    pqf_option option = {.size = sizeof option};
    const int32_t index = arguments->given[n].option;
    if (index >= 0 && pqf_option_info(index, &option) == PQF_OK &&
        strcmp(option.name, "threads") != 0 && strcmp(option.name, "memory_limit") != 0) {
      char flag[64];
      pqf_option_flag(&option, flag, sizeof flag);
      return pqf_usage(arguments, "--%s is for --folds, which fits; a model is fitted already",
                       flag);
    }
  }
  return PQF_EXIT_DONE;
}

static int run(const pqf_arguments *arguments)
{
  const pqf_evaluate_options defaults = PQF_EVALUATE_OPTIONS_INIT;
  pqf_evaluating evaluating = {.arguments = arguments, .options = defaults};
  int64_t folds = 0;
  int code = pqf_arguments_input(arguments, &evaluating.input);
  if (code == PQF_EXIT_DONE)
    code = pqf_arguments_measuring(arguments, &evaluating.options);
  if (code == PQF_EXIT_DONE)
    code = read_metrics(arguments, &evaluating.options.metrics);
  if (code == PQF_EXIT_DONE)
    code = pqf_argument_integer(arguments, "folds", 2, &folds);
  if (code != PQF_EXIT_DONE)
    return code;
  if (folds == 0 && arguments->second == NULL)
    return pqf_usage(arguments, "TEST is missing, or --folds; usage: pqf evaluate %s",
                     arguments->command->synopsis);
  if (folds > 0 && arguments->second != NULL)
    return pqf_usage(arguments, "--folds takes one file of data, not \"%s\" too",
                     arguments->second);
  if (folds > 0 && pqf_argument(arguments, "exclude") != NULL)
    return pqf_usage(arguments, "--exclude is for a model: --folds excludes what it trains on");
  if (folds > INT32_MAX)
    return pqf_usage(arguments, "--folds is at most %d", INT32_MAX);
  code = folds > 0 ? pqf_arguments_check_trial(arguments) : check_options(arguments);
  if (code != PQF_EXIT_DONE)
    return code;
  code = folds > 0 ? cross_validate(&evaluating, folds) : evaluate_model(&evaluating);
  clear(&evaluating);
  return code;
}

static const pqf_flag flags[] = {
    {"exclude", "FILE",
     "Cells to leave out of the lists that are ranked, such as those that the model was trained "
     "on.",
     PQF_READ},
    {"folds", "N",
     "Cross-validation: fit to all but one share of the cells and measure on that one, once for "
     "each of N shares, by the options below.",
     PQF_PLAIN},
    PQF_MEASURING_FLAGS,
    {"metrics", "rating|ranking|all", "What to measure. Default: all", PQF_PLAIN},
    {"json", NULL, "As JSON.", PQF_PLAIN},
    {"quiet", NULL, "Show no progress.", PQF_PLAIN},
    PQF_PRESET_FLAG,
    PQF_INPUT_FLAGS,
};

const pqf_command pqf_command_evaluate = {
    .name = "evaluate",
    .operand = "MODEL",
    .second = "TEST",
    .takes_options = true,
    .synopsis = "MODEL TEST [--exclude TRAIN] | DATA --folds N ...",
    .summary = "Measures a model on cells held out, or options by cross-validation.",
    .flags = flags,
    .flag_count = sizeof flags / sizeof flags[0],
    .run = run,
};
