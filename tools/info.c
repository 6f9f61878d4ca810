/* `pqf info`: what is in a model file. */
#include "arguments.h"
#include "failure.h"
#include "plot.h"
#include "report.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION = 4096 };

static const char *id_kind_name(int32_t kind)
{
  if (kind == PQF_IDS_NONE)
    return "none";
  return kind == PQF_IDS_NUMBERS ? "numbers" : "texts";
}

static const char *stop_name(int64_t reason)
{
  static const char *const names[] = {"none", "epochs", "early", "canceled", "diverged", "running"};
  const bool known = reason >= 0 && reason < (int64_t)(sizeof names / sizeof names[0]);
  return known ? names[reason] : "unknown";
}

/* The text of option `index` of a model; false: it has none. */
static bool read_option(const pqf_model *model, int32_t index, pqf_option *option, char *text)
{
  *option = (pqf_option){.size = sizeof *option};
  return pqf_option_info(index, option) == PQF_OK &&
         pqf_model_option(model, option->name, text, OPTION) == PQF_OK;
}

/* The biases that a model has: "none", "rows", "cols", "both". */
static const char *bias_name(const pqf_model *model)
{
  const bool rows = pqf_model_borrow_biases(model, PQF_ROWS) != NULL;
  const bool cols = pqf_model_borrow_biases(model, PQF_COLS) != NULL;
  if (rows)
    return cols ? "both" : "rows";
  return cols ? "cols" : "none";
}

/* The last epoch of the history; its parts are NaN where the fit had none. */
static pqf_epoch last_epoch(const pqf_model *model, const pqf_summary *summary)
{
  pqf_epoch epoch = {.size = sizeof epoch,
                     .validation_loss = NAN,
                     .observed = NAN,
                     .unobserved = NAN,
                     .regularization = NAN};
  if (summary->epochs > 0)
    (void)pqf_model_history(model, summary->epochs - 1, &epoch);
  return epoch;
}

static void print_training(const pqf_model *model, const pqf_summary *summary)
{
  const pqf_epoch last = last_epoch(model, summary);
  printf("training    %" PRId64 " epochs in %.3g s, ended by: %s\n", summary->epochs,
         summary->seconds, stop_name(summary->stop_reason));
  if (summary->stop_reason == PQF_STOP_RUNNING)
    printf("checkpoint  of epoch %" PRId64 "; pqf fit --resume goes on with it\n", summary->epochs);
  printf("loss        %.6g at the end, %.6g at best (%sepoch %" PRId64 ")\n", summary->loss,
         summary->best_loss, isfinite(last.validation_loss) ? "of validation, " : "",
         summary->best_epoch);
  if (isfinite(last.observed))
    printf("parts       observed %.6g, unobserved %.6g, regularization %.6g\n", last.observed,
           isfinite(last.unobserved) ? last.unobserved : 0, last.regularization);
  if (isfinite(last.validation_loss))
    printf("validation  %.6g at the end\n", last.validation_loss);
}

static void print_text(const pqf_model *model, const pqf_summary *summary, bool verified)
{
  char text[OPTION];
  printf("rows        %" PRId64 "\n", pqf_model_rows(model));
  printf("columns     %" PRId64 "\n", pqf_model_cols(model));
  printf("factors     %" PRId64 "\n", pqf_model_factors(model));
  printf("row ids     %s\n", id_kind_name(pqf_model_id_kind(model, PQF_ROWS)));
  printf("column ids  %s\n", id_kind_name(pqf_model_id_kind(model, PQF_COLS)));
  printf("mean        %.6g\n", pqf_model_mean(model));
  printf("biases      %s\n", bias_name(model));
  if (summary->epochs > 0)
    print_training(model, summary);
  if (verified)
    printf("checksum    right\n");
  printf("options\n");
  for (int32_t n = 0; n < pqf_option_count(); ++n) {
    pqf_option option;
    if (read_option(model, n, &option, text)) {
      printf("  %-22s  ", option.name);
      pqf_print_shown(text, 0);
      putchar('\n');
    }
  }
}

static json_t *option_value(const pqf_option *option, const char *text)
{
  if (option->type == PQF_TYPE_NUMBER)
    return pqf_json_real(strtod(text, NULL));
  if (option->type != PQF_TYPE_INTEGER)
    return json_string(text);
  const unsigned long long value = strtoull(text, NULL, 10);
  return value <= INT64_MAX ? json_integer((json_int_t)value) : json_string(text);
}

static json_t *make_json(const pqf_model *model, const pqf_summary *summary, bool verified)
{
  char text[OPTION];
  const pqf_epoch last = last_epoch(model, summary);
  json_t *options = json_object();
  for (int32_t n = 0; n < pqf_option_count(); ++n) {
    pqf_option option;
    if (read_option(model, n, &option, text))
      (void)json_object_set_new(options, option.name, option_value(&option, text));
  }
  json_t *training = json_pack(
      "{s:I, s:I, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "epochs", (json_int_t)summary->epochs,
      "best_epoch", (json_int_t)summary->best_epoch, "ended_by", stop_name(summary->stop_reason),
      "loss", pqf_json_real(summary->loss), "best_loss", pqf_json_real(summary->best_loss),
      "seconds", pqf_json_real(summary->seconds), "validation_loss",
      pqf_json_real(last.validation_loss), "observed", pqf_json_real(last.observed), "unobserved",
      pqf_json_real(last.unobserved), "regularization", pqf_json_real(last.regularization));
  json_t *root =
      json_pack("{s:I, s:I, s:I, s:s, s:s, s:o, s:s, s:b, s:o, s:o}", "rows",
                (json_int_t)pqf_model_rows(model), "cols", (json_int_t)pqf_model_cols(model),
                "factors", (json_int_t)pqf_model_factors(model), "row_ids",
                id_kind_name(pqf_model_id_kind(model, PQF_ROWS)), "col_ids",
                id_kind_name(pqf_model_id_kind(model, PQF_COLS)), "mean",
                pqf_json_real(pqf_model_mean(model)), "biases", bias_name(model), "verified",
                (int)verified, "training", training, "options", options);
  return root;
}

static int run(const pqf_arguments *arguments)
{
  const bool verify = pqf_argument(arguments, "verify") != NULL;
  const char *plot = pqf_argument(arguments, "plot");
  pqf_summary summary = {.size = sizeof summary};
  pqf_model *model;
  int code = PQF_EXIT_DONE;
  if (pqf_load(&model, arguments->operand, verify ? PQF_LOAD_VERIFY : 0) != PQF_OK ||
      pqf_model_summary(model, &summary) != PQF_OK)
    code = pqf_say(PQF_EXIT_FAILED, "%s", pqf_error_message());
  else if (pqf_argument(arguments, "json") != NULL)
    code = pqf_print_json(make_json(model, &summary, verify));
  else
    print_text(model, &summary, verify);
  if (code == PQF_EXIT_DONE && plot != NULL && pqf_write_plot(model, plot) != PQF_OK)
    code = PQF_EXIT_FAILED;
  pqf_free(model);
  return code;
}

static const pqf_flag flags[] = {
    {"json", NULL, "As JSON.", PQF_PLAIN},
    {"plot", "FILE.svg", "Draw the loss, and that of the validation cells, against time.",
     PQF_WRITTEN},
    {"verify", NULL, "Read the whole file and check that its factors are as they were written.",
     PQF_PLAIN},
};

const pqf_command pqf_command_info = {
    .name = "info",
    .operand = "MODEL",
    .synopsis = "MODEL [--json] [--verify] [--plot FILE.svg]",
    .summary = "Tells the shape, the ids, the training and the options of a model.",
    .flags = flags,
    .flag_count = sizeof flags / sizeof flags[0],
    .run = run,
};
