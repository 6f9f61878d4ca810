/* `pqf fit`: a file of R in, a model file out.
 *
 * The first SIGINT or SIGTERM ends a fit at a whole epoch; the best factors so far are then saved
 * and the exit code is 1. A second one ends the command at once. */
#include "arguments.h"
#include "failure.h"
#include "history.h"
#include "output.h"
#include "progress.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { LINE_EVERY = 100 }; /* epochs, as in the notebook */

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
  (void)number;
  interrupted = 1;
}

/* What a fit is made of; `clear` releases it, also half-made. */
typedef struct pqf_fitting {
  const pqf_arguments *arguments;
  const char *output;
  bool quiet;
  pqf_input_options input;
  pqf_progress progress;
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

/* Tells of an epoch, and whether to go on. */
static int after_epoch(const pqf_epoch *epoch, void *payload)
{
  pqf_fitting *fitting = payload;
  if (!fitting->quiet && epoch->epoch % LINE_EVERY == 0) {
    pqf_progress_clear(&fitting->progress);
    printf("Epoch [%" PRId64 "/%" PRId64 "], Loss: %.4f", epoch->epoch, epoch->epochs, epoch->loss);
    if (epoch->validation_loss == epoch->validation_loss)
      printf(", Validation loss: %.4f", epoch->validation_loss);
    putchar('\n');
    (void)fflush(stdout); /* main() looks for errors in the end */
  }
  pqf_progress_show(&fitting->progress, epoch);
  return interrupted;
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
    status = pqf_table_data(&fitting->validation, table, fitting->input.nan_is_absent, validation);
  return status;
}

/* The factors to start from: P and Q as matrices in files of their own. */
static int read_initial(pqf_fitting *fitting)
{
  const char *const paths[2] = {pqf_argument(fitting->arguments, "initial-rows"),
                                pqf_argument(fitting->arguments, "initial-cols")};
  pqf_table tables[2] = {{0}, {0}};
  const pqf_input_options options = {.layout = PQF_WIDE};
  int status = PQF_OK;
  if (paths[PQF_ROWS] == NULL)
    return PQF_OK;
  for (int side = 0; side < 2 && status == PQF_OK; ++side) {
    status = pqf_input_table(&tables[side], paths[side], &options);
    if (status == PQF_OK &&
        (tables[side].values == NULL || tables[side].cols != pqf_model_factors(fitting->model)))
      status = pqf_say(PQF_EINVAL, "%s: %" PRId64 " columns where the factors are %" PRId64,
                       paths[side], tables[side].cols, pqf_model_factors(fitting->model));
  }
  if (status == PQF_OK) {
    status = pqf_model_set_initial(fitting->model, tables[PQF_ROWS].rows, tables[PQF_COLS].rows,
                                   tables[PQF_ROWS].values, tables[PQF_COLS].values);
    if (status != PQF_OK)
      (void)pqf_say(status, "initial factors: %s", pqf_error_message());
  }
  pqf_table_clear(&tables[PQF_ROWS]);
  pqf_table_clear(&tables[PQF_COLS]);
  return status;
}

/* Takes a signal over, unless it is to be ignored (nohup). */
static void watch(int number, struct sigaction *before)
{
  struct sigaction action = {.sa_handler = interrupt, .sa_flags = (int)SA_RESETHAND};
  (void)sigemptyset(&action.sa_mask);
  (void)sigaction(number, NULL, before);
  if (before->sa_handler != SIG_IGN)
    (void)sigaction(number, &action, NULL);
}

static int fit(pqf_fitting *fitting)
{
  struct sigaction before[2];
  watch(SIGINT, &before[0]);
  watch(SIGTERM, &before[1]);
  pqf_progress_start(&fitting->progress, fitting->quiet);
  const int status = pqf_fit(fitting->model, fitting->train, fitting->validation);
  pqf_progress_clear(&fitting->progress);
  (void)sigaction(SIGINT, &before[0], NULL);
  (void)sigaction(SIGTERM, &before[1], NULL);
  return status;
}

/* Saves with signals held back, so that none leaves half a file. */
static int save(const pqf_fitting *fitting)
{
  sigset_t set, before;
  const char *history = pqf_argument(fitting->arguments, "history");
  (void)sigemptyset(&set);
  (void)sigaddset(&set, SIGINT);
  (void)sigaddset(&set, SIGTERM);
  (void)sigaddset(&set, SIGHUP);
  (void)sigprocmask(SIG_BLOCK, &set, &before);
  int status = pqf_save(fitting->model, fitting->output);
  if (status != PQF_OK)
    (void)pqf_say(status, "%s", pqf_error_message());
  else if (history != NULL)
    status = pqf_write_history(fitting->model, history);
  (void)sigprocmask(SIG_SETMASK, &before, NULL);
  return status;
}

static int tell_canceled(const pqf_fitting *fitting)
{
  pqf_summary summary = {.size = sizeof summary};
  if (pqf_model_rows(fitting->model) == 0)
    return pqf_say(PQF_EXIT_FAILED,
                   "interrupted before the first epoch was over; nothing is saved");
  if (save(fitting) != PQF_OK)
    return PQF_EXIT_FAILED;
  (void)pqf_model_summary(fitting->model, &summary);
  return pqf_say(PQF_EXIT_FAILED,
                 "interrupted at epoch %" PRId64 "; %s has the best factors so far", summary.epochs,
                 fitting->output);
}

static int run_fit(pqf_fitting *fitting)
{
  pqf_summary summary = {.size = sizeof summary};
  const char *history = pqf_argument(fitting->arguments, "history");
  if (pqf_output_check(fitting->output) != PQF_OK ||
      (history != NULL && pqf_output_check(history) != PQF_OK) || read_inputs(fitting) != PQF_OK ||
      read_initial(fitting) != PQF_OK)
    return PQF_EXIT_FAILED;
  const int status = fit(fitting);
  if (status == PQF_ECANCELED)
    return tell_canceled(fitting);
  if (status != PQF_OK)
    return pqf_say(PQF_EXIT_FAILED, "%s", pqf_error_message());
  (void)pqf_model_summary(fitting->model, &summary);
  if (summary.stop_reason == PQF_STOP_EARLY && !fitting->quiet)
    printf("Early stopping at epoch %" PRId64 " with loss %.4f\n", summary.epochs, summary.loss);
  return save(fitting) == PQF_OK ? PQF_EXIT_DONE : PQF_EXIT_FAILED;
}

/* `init` is "given" if and only if files give the factors. */
static int check_initial(const pqf_arguments *arguments, pqf_options *options)
{
  const bool rows = pqf_argument(arguments, "initial-rows") != NULL;
  const bool cols = pqf_argument(arguments, "initial-cols") != NULL;
  if (rows != cols)
    return pqf_usage(arguments, "--initial-rows and --initial-cols go together");
  if (options->init == PQF_INIT_GIVEN && !rows)
    return pqf_usage(arguments, "--init given needs --initial-rows and --initial-cols");
  if (rows)
    options->init = PQF_INIT_GIVEN;
  return PQF_EXIT_DONE;
}

static int run(const pqf_arguments *arguments)
{
  pqf_fitting fitting = {.arguments = arguments,
                         .output = pqf_argument(arguments, "output"),
                         .quiet = pqf_argument(arguments, "quiet") != NULL};
  pqf_options options = arguments->options;
  if (fitting.output == NULL)
    return pqf_usage(arguments, "--output FILE is missing");
  int code = pqf_arguments_input(arguments, &fitting.input);
  if (code == PQF_EXIT_DONE)
    code = check_initial(arguments, &options);
  if (code != PQF_EXIT_DONE)
    return code;
  options.callback = after_epoch;
  options.payload = &fitting;
  const int status = pqf_create(&fitting.model, &options);
  if (status == PQF_OK)
    code = run_fit(&fitting);
  else if (status == PQF_EINVAL)
    code = pqf_usage(arguments, "%s", pqf_error_message());
  else
    code = pqf_say(PQF_EXIT_FAILED, "%s", pqf_error_message());
  clear(&fitting);
  return code;
}

static const pqf_flag flags[] = {
    {"output", "MODEL", "The model file to write."},
    {"validation", "FILE",
     "Cells held out of training that decide when to stop; rows and columns "
     "are matched by id."},
    {"history", "FILE", "Write the loss of each epoch as CSV."},
    {"quiet", NULL, "Print neither losses nor progress."},
    {"layout", "wide|long", "Overrides the guess: exactly three columns are long."},
    {"header", "yes|no", "Overrides the guess: a header has a field that is no number."},
    {"index", "yes|no",
     "Whether the first column of a wide table is the row ids. The guess: if it "
     "has no name or no numbers."},
    {"nan", "error|absent", "What a cell without a value is. Default: error"},
    {"row", "NAME", "The column of row ids, of a long or a wide table."},
    {"col", "NAME", "The column of column ids of a long table."},
    {"value", "NAME", "The column of values of a long table."},
    {"initial-rows", "FILE", "P at the start, as a matrix; with --initial-cols."},
    {"initial-cols", "FILE", "Q at the start, as a matrix."},
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
