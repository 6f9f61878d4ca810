/* `pqf info`: what is in a model file. */
#include "arguments.h"
#include "failure.h"

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
  static const char *const names[] = {"none", "epochs", "early", "canceled", "diverged"};
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

static void print_text(const pqf_model *model, const pqf_summary *summary, bool verified)
{
  char text[OPTION];
  printf("rows        %" PRId64 "\n", pqf_model_rows(model));
  printf("columns     %" PRId64 "\n", pqf_model_cols(model));
  printf("factors     %" PRId64 "\n", pqf_model_factors(model));
  printf("row ids     %s\n", id_kind_name(pqf_model_id_kind(model, PQF_ROWS)));
  printf("column ids  %s\n", id_kind_name(pqf_model_id_kind(model, PQF_COLS)));
  if (summary->epochs > 0) {
    printf("training    %" PRId64 " epochs in %.3g s, ended by: %s\n", summary->epochs,
           summary->seconds, stop_name(summary->stop_reason));
    printf("loss        %.6g at the end, %.6g at best (epoch %" PRId64 ")\n", summary->loss,
           summary->best_loss, summary->best_epoch);
  }
  if (verified)
    printf("checksum    right\n");
  printf("options\n");
  for (int32_t n = 0; n < pqf_option_count(); ++n) {
    pqf_option option;
    if (read_option(model, n, &option, text))
      printf("  %-16s  %s\n", option.name, text);
  }
}

/* JSON has no NaN. */
static json_t *real_or_null(double value)
{
  return isfinite(value) ? json_real(value) : json_null();
}

static json_t *option_value(const pqf_option *option, const char *text)
{
  if (option->type == PQF_TYPE_NUMBER)
    return real_or_null(strtod(text, NULL));
  if (option->type != PQF_TYPE_INTEGER)
    return json_string(text);
  const unsigned long long value = strtoull(text, NULL, 10);
  return value <= INT64_MAX ? json_integer((json_int_t)value) : json_string(text);
}

static json_t *make_json(const pqf_model *model, const pqf_summary *summary, bool verified)
{
  char text[OPTION];
  json_t *options = json_object();
  for (int32_t n = 0; n < pqf_option_count(); ++n) {
    pqf_option option;
    if (read_option(model, n, &option, text))
      (void)json_object_set_new(options, option.name, option_value(&option, text));
  }
  json_t *training =
      json_pack("{s:I, s:I, s:s, s:o, s:o, s:o}", "epochs", (json_int_t)summary->epochs,
                "best_epoch", (json_int_t)summary->best_epoch, "ended_by",
                stop_name(summary->stop_reason), "loss", real_or_null(summary->loss), "best_loss",
                real_or_null(summary->best_loss), "seconds", real_or_null(summary->seconds));
  json_t *root = json_pack(
      "{s:I, s:I, s:I, s:s, s:s, s:b, s:o, s:o}", "rows", (json_int_t)pqf_model_rows(model), "cols",
      (json_int_t)pqf_model_cols(model), "factors", (json_int_t)pqf_model_factors(model), "row_ids",
      id_kind_name(pqf_model_id_kind(model, PQF_ROWS)), "col_ids",
      id_kind_name(pqf_model_id_kind(model, PQF_COLS)), "verified", (int)verified, "training",
      training, "options", options);
  return root;
}

static int print_json(const pqf_model *model, const pqf_summary *summary, bool verified)
{
  json_t *root = make_json(model, summary, verified);
  char *text = root != NULL ? json_dumps(root, JSON_INDENT(2)) : NULL;
  json_decref(root);
  if (text == NULL)
    return pqf_say(PQF_EXIT_FAILED, "out of memory");
  puts(text);
  free(text);
  return PQF_EXIT_DONE;
}

static int run(const pqf_arguments *arguments)
{
  const bool verify = pqf_argument(arguments, "verify") != NULL;
  pqf_summary summary = {.size = sizeof summary};
  pqf_model *model;
  int code = PQF_EXIT_DONE;
  if (pqf_load(&model, arguments->operand, verify ? PQF_LOAD_VERIFY : 0) != PQF_OK ||
      pqf_model_summary(model, &summary) != PQF_OK)
    code = pqf_say(PQF_EXIT_FAILED, "%s", pqf_error_message());
  else if (pqf_argument(arguments, "json") != NULL)
    code = print_json(model, &summary, verify);
  else
    print_text(model, &summary, verify);
  pqf_free(model);
  return code;
}

static const pqf_flag flags[] = {
    {"json", NULL, "As JSON."},
    {"verify", NULL, "Read the whole file and check that its factors are as they were written."},
};

const pqf_command pqf_command_info = {
    .name = "info",
    .operand = "MODEL",
    .synopsis = "MODEL [--json] [--verify]",
    .summary = "Tells the shape, the ids, the training and the options of a model.",
    .flags = flags,
    .flag_count = sizeof flags / sizeof flags[0],
    .run = run,
};
