/* `pqf fit`: a file of R in, a model file out.
 *
 * The first SIGINT or SIGTERM ends a fit at a whole epoch; the factors that it has are then saved,
 * and the exit code is 130 or 143, as a shell would tell it. A second one ends the command at
 * once. */
#include "arguments.h"
#include "failure.h"
#include "history.h"
#include "interrupt.h"
#include "output.h"
#include "plot.h"
#include "start.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* What a fit is made of; `clear` releases it, also half-made. */
typedef struct pqf_fitting {
  const pqf_arguments *arguments;
  const char *output;
  pqf_input_options input;
  pqf_training training;
  pqf_model *model;
  pqf_table train_table; /* what the data borrow from */
  pqf_table validation_table;
  pqf_data *train;
  pqf_data *validation;
} pqf_fitting;

static void clear(pqf_fitting *fitting)
{
  pqf_data_free(fitting->train);
  pqf_data_free(fitting->validation);
  pqf_table_clear(&fitting->train_table);
  pqf_table_clear(&fitting->validation_table);
  pqf_free(fitting->model);
}

static int read_inputs(pqf_fitting *fitting)
{
  const char *path = fitting->arguments->operand;
  const char *validation = pqf_argument(fitting->arguments, "validation");
  pqf_table *table = &fitting->validation_table;
  int status = pqf_input_data(&fitting->train, &fitting->train_table, path, &fitting->input,
                              validation != NULL);
  if (status != PQF_OK || validation == NULL)
    return status;
  status = pqf_input_table(table, validation, &fitting->input);
  if (status == PQF_OK)
    status = pqf_table_align(table, &fitting->train_table, validation);
  if (status == PQF_OK)
    status = pqf_table_data(&fitting->validation, table, &fitting->input, validation);
  return status;
}

/* Saves with signals held back, so that none leaves half a file. */
static int save(const pqf_fitting *fitting)
{
  sigset_t set, before;
  const char *history = pqf_argument(fitting->arguments, "history");
  const char *plot = pqf_argument(fitting->arguments, "plot");
  (void)sigemptyset(&set);
  (void)sigaddset(&set, SIGINT);
  (void)sigaddset(&set, SIGTERM);
  (void)sigaddset(&set, SIGHUP);
  (void)sigprocmask(SIG_BLOCK, &set, &before);
  int status = pqf_save(fitting->model, fitting->output);
  if (status != PQF_OK)
    (void)pqf_say(status, "%s", pqf_error_message());
  if (status == PQF_OK && history != NULL)
    status = pqf_write_history(fitting->model, history);
  if (status == PQF_OK && plot != NULL)
    status = pqf_write_plot(fitting->model, plot);
  (void)sigprocmask(SIG_SETMASK, &before, NULL);
  return status;
}

/* The file that checkpoints go to; NULL: there are none. */
static const char *checkpoint_of(const pqf_fitting *fitting)
{
  const char *given = fitting->arguments->options.checkpoint;
  if (given != NULL && *given != '\0')
    return given;
  return pqf_argument(fitting->arguments, "resume");
}

/* Saves what a signal has left, and says how to go on. */
static int end_interrupted(const pqf_fitting *fitting)
{
  pqf_summary summary = {.size = sizeof summary};
  const char *checkpoint = checkpoint_of(fitting);
  if (pqf_model_rows(fitting->model) == 0)
    return pqf_say(pqf_interrupt_code(),
                   "interrupted before the first epoch was over; nothing is saved");
  if (save(fitting) != PQF_OK)
    return PQF_EXIT_FAILED;
  (void)pqf_model_summary(fitting->model, &summary);
  return pqf_say(pqf_interrupt_code(),
                 "interrupted at epoch %" PRId64 "; %s has the factors so far%s%s", summary.epochs,
                 fitting->output,
                 checkpoint != NULL ? "; to go on, give the same command with --resume " : "",
                 checkpoint != NULL ? checkpoint : "");
}

/* Fails early where the end would. */
static int check_outputs(const pqf_fitting *fitting)
{
  static const char *const others[] = {"history", "plot"};
  const char *checkpoint = checkpoint_of(fitting);
  int status = pqf_output_check(fitting->output);
  for (size_t n = 0; n < sizeof others / sizeof others[0] && status == PQF_OK; ++n) {
    const char *path = pqf_argument(fitting->arguments, others[n]);
    status = path != NULL ? pqf_output_check(path) : PQF_OK;
  }
  if (status == PQF_OK && checkpoint != NULL)
    status = pqf_output_check(checkpoint);
  return status;
}

static int run_fit(pqf_fitting *fitting)
{
  pqf_summary summary = {.size = sizeof summary};
  int code = PQF_EXIT_FAILED;
  if (check_outputs(fitting) == PQF_OK)
    code = pqf_start_model(&fitting->model, fitting->arguments, &fitting->training);
  if (code != PQF_EXIT_DONE)
    return code;
  if (read_inputs(fitting) != PQF_OK)
    return PQF_EXIT_FAILED;
  pqf_interrupt_watch();
  const int status =
      pqf_train(&fitting->training, fitting->model, fitting->train, fitting->validation);
  pqf_interrupt_end();
  if (status == PQF_ECANCELED)
    return end_interrupted(fitting);
  if (status != PQF_OK)
    return PQF_EXIT_FAILED;
  (void)pqf_model_summary(fitting->model, &summary);
  if (summary.stop_reason == PQF_STOP_EARLY && fitting->training.lines)
    printf("Early stopping at epoch %" PRId64 " with loss %.4f\n", summary.epochs, summary.loss);
  return save(fitting) == PQF_OK ? PQF_EXIT_DONE : PQF_EXIT_FAILED;
}

static int run(const pqf_arguments *arguments)
{
  const bool quiet = pqf_argument(arguments, "quiet") != NULL;
  pqf_fitting fitting = {.arguments = arguments,
                         .output = pqf_argument(arguments, "output"),
                         .training = {.lines = !quiet, .quiet = quiet, .label = ""}};
  if (fitting.output == NULL)
    return pqf_usage(arguments, "--output FILE is missing");
  int code = pqf_arguments_input(arguments, &fitting.input);
  if (code == PQF_EXIT_DONE)
    code = pqf_start_check(arguments);
  if (code == PQF_EXIT_DONE)
    code = run_fit(&fitting);
  clear(&fitting);
  return code;
}

static const pqf_flag flags[] = {
    {"output", "MODEL", "The model file to write.", PQF_WRITTEN},
    {"validation", "FILE",
     "Cells held out of training that decide when to stop; rows and columns "
     "are matched by id.",
     PQF_READ},
    {"history", "FILE", "Write the loss of each epoch as CSV.", PQF_WRITTEN},
    {"plot", "FILE.svg", "Draw the loss, and that of the validation cells, against time.",
     PQF_WRITTEN},
    {"quiet", NULL, "Print neither losses nor progress.", PQF_PLAIN},
    PQF_PRESET_FLAG,
    PQF_INPUT_FLAGS,
    PQF_START_FLAGS,
};

const pqf_command pqf_command_fit = {
    .name = "fit",
    .operand = "INPUT",
    .takes_options = true,
    .synopsis = "INPUT --output MODEL [--NAME VALUE ...]",
    .summary = "Factorises the matrix in a file: Parquet, CSV, Matrix Market or .npy.",
    .flags = flags,
    .flag_count = sizeof flags / sizeof flags[0],
    .run = run,
};
