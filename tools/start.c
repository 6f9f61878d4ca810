#include "start.h"

#include "failure.h"

#include <inttypes.h>
#include <string.h>

enum { OPTION = 4096 };

int pqf_start_check(const pqf_arguments *arguments)
{
  const bool rows = pqf_argument(arguments, "initial-rows") != NULL;
  const bool cols = pqf_argument(arguments, "initial-cols") != NULL;
  const bool from = pqf_argument(arguments, "from") != NULL;
  const bool resume = pqf_argument(arguments, "resume") != NULL;
  const bool has_init = pqf_option_given(arguments, "init");
  const int32_t init = arguments->options.init;
  if (rows != cols)
    return pqf_usage(arguments, "--initial-rows and --initial-cols go together");
  if (has_init && init == PQF_INIT_GIVEN && !rows)
    return pqf_usage(arguments, "--init given needs --initial-rows and --initial-cols");
  if (has_init && init == PQF_INIT_MODEL && !from)
    return pqf_usage(arguments, "--init model needs --from MODEL");
  if (from + resume + rows > 1)
    return pqf_usage(arguments, "a fit starts from one of --from, --resume and --initial-rows");
  if (from && has_init && init != PQF_INIT_MODEL)
    return pqf_usage(arguments, "--from starts from a model's factors: --init is model");
  return PQF_EXIT_DONE;
}

/* The factors to start from: P and Q as matrices in files of their own. */
static int read_initial(pqf_model *model, const pqf_arguments *arguments)
{
  const char *const paths[2] = {pqf_argument(arguments, "initial-rows"),
                                pqf_argument(arguments, "initial-cols")};
  pqf_table tables[2] = {{0}, {0}};
  const pqf_input_options options = {.layout = PQF_WIDE};
  int status = PQF_OK;
  if (paths[PQF_ROWS] == NULL)
    return PQF_OK;
  for (int side = 0; side < 2 && status == PQF_OK; ++side) {
    status = pqf_input_table(&tables[side], paths[side], &options);
    if (status == PQF_OK &&
        (tables[side].values == NULL || tables[side].cols != pqf_model_factors(model)))
      status = pqf_say(PQF_EINVAL, "%s: %" PRId64 " columns where the factors are %" PRId64,
                       paths[side], tables[side].cols, pqf_model_factors(model));
  }
  if (status == PQF_OK) {
    status = pqf_model_set_initial(model, tables[PQF_ROWS].rows, tables[PQF_COLS].rows,
                                   tables[PQF_ROWS].values, tables[PQF_COLS].values);
    if (status != PQF_OK)
      (void)pqf_say(status, "initial factors: %s", pqf_error_message());
  }
  pqf_table_clear(&tables[PQF_ROWS]);
  pqf_table_clear(&tables[PQF_COLS]);
  return status;
}

/* Gives a loaded model the options of the command line, its preset and the defaults included. */
static int take_options(pqf_model *model, const pqf_arguments *arguments)
{
  char text[OPTION];
  pqf_model *source;
  int status = pqf_create(&source, &arguments->options);
  for (int32_t n = 0; n < pqf_option_count() && status == PQF_OK; ++n) {
    pqf_option option = {.size = sizeof option};
    status = pqf_option_info(n, &option);
    if (status == PQF_OK)
      status = pqf_model_option(source, option.name, text, sizeof text);
    if (status == PQF_OK)
      status = pqf_model_set_option(model, option.name, text);
  }
  pqf_free(source);
  return status == PQF_OK ? PQF_EXIT_DONE : pqf_usage(arguments, "%s", pqf_error_message());
}

static int load(pqf_model **out, const pqf_arguments *arguments, const char *path)
{
  if (pqf_load(out, path, PQF_LOAD_VERIFY) != PQF_OK)
    return pqf_say(PQF_EXIT_FAILED, "%s", pqf_error_message());
  return pqf_argument(arguments, "preset") != NULL ? take_options(*out, arguments)
                                                   : pqf_arguments_change(arguments, *out);
}

/* Makes a new model. `init` is "given" if and only if files give the factors. */
static int create(pqf_model **out, const pqf_arguments *arguments, pqf_training *training)
{
  pqf_options options = arguments->options;
  if (pqf_argument(arguments, "initial-rows") != NULL)
    options.init = PQF_INIT_GIVEN;
  options.callback = pqf_training_epoch;
  options.payload = training;
  const int status = pqf_create(out, &options);
  if (status == PQF_EINVAL)
    return pqf_usage(arguments, "%s", pqf_error_message());
  if (status != PQF_OK)
    return pqf_say(PQF_EXIT_FAILED, "%s", pqf_error_message());
  return read_initial(*out, arguments) == PQF_OK ? PQF_EXIT_DONE : PQF_EXIT_FAILED;
}

int pqf_start_model(pqf_model **out, const pqf_arguments *arguments, pqf_training *training)
{
  const char *from = pqf_argument(arguments, "from");
  const char *resume = pqf_argument(arguments, "resume");
  *out = NULL;
  if (from == NULL && resume == NULL)
    return create(out, arguments, training);
  const int code = load(out, arguments, from != NULL ? from : resume);
  if (code != PQF_EXIT_DONE)
    return code;
  int status = pqf_model_set_callback(*out, pqf_training_epoch, training);
  if (status == PQF_OK && from != NULL)
    status = pqf_model_set_option(*out, "init", "model");
  if (status == PQF_OK && resume != NULL && !pqf_option_given(arguments, "checkpoint"))
    status = pqf_model_set_option(*out, "checkpoint", resume);
  training->resume = resume != NULL;
  return status == PQF_OK ? PQF_EXIT_DONE : pqf_say(PQF_EXIT_FAILED, "%s", pqf_error_message());
}
