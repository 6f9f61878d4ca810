/* The steps by their bytes, and what all of them use; calls.h says what it is for. */
#include "calls_state.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *calls_folder;
void (*calls_failed)(const char *message);
int calls_trace;
calls_state calls;

/* The place of a step in this table is its byte in the corpus: a new one takes a free place. */
enum { STEPS = 64 };
static const struct step {
  const char *name;
  void (*make)(void);
} steps[STEPS] = {
    [0] = {"cells", calls_step_cells},
    [1] = {"dense", calls_step_dense},
    [2] = {"arrow, long", calls_step_arrow_long},
    [3] = {"arrow, wide", calls_step_arrow_wide},
    [4] = {"set ids", calls_step_set_ids},
    [5] = {"split", calls_step_split},
    [6] = {"free data", calls_step_free_data},
    [7] = {"options: init", calls_step_options_init},
    [8] = {"options: set", calls_step_options_set},
    [9] = {"options: preset", calls_step_options_preset},
    [10] = {"options: raw", calls_step_options_raw},
    [11] = {"option info", calls_step_option_info},
    [12] = {"create", calls_step_create},
    [13] = {"create as usual", calls_step_create_usual},
    [14] = {"set option", calls_step_set_option},
    [15] = {"fit", calls_step_fit},
    [16] = {"resume", calls_step_resume},
    [17] = {"plan", calls_step_plan},
    [18] = {"set initial", calls_step_set_initial},
    [19] = {"set callback", calls_step_set_callback},
    [20] = {"predict", calls_step_predict},
    [21] = {"evaluate", calls_step_evaluate},
    [22] = {"ids", calls_step_ids},
    [23] = {"ask", calls_step_ask},
    [24] = {"multiply", calls_step_multiply},
    [25] = {"backends", calls_step_backends},
    [26] = {"free model", calls_step_free_model},
    [27] = {"save", calls_step_save},
    [28] = {"load", calls_step_load},
    [29] = {"copy", calls_step_copy},
    [30] = {"damage", calls_step_damage},
    [31] = {"forge", calls_step_forge},
    [32] = {"remove", calls_step_remove},
    [37] = {"tall", calls_step_tall},
    /* The most useful ones once more, so that random bytes have them more often. */
    [33] = {"cells", calls_step_cells},
    [34] = {"create as usual", calls_step_create_usual},
    [35] = {"fit", calls_step_fit},
    [36] = {"set option", calls_step_set_option},
};

/* ---- Choices --------------------------------------------------------------------------------- */

uint8_t calls_next(void)
{
  if (calls.size == 0)
    return 0;
  calls.size--;
  return *calls.bytes++;
}

int64_t calls_choose(int64_t count)
{
  return calls_next() % count;
}

int calls_rarely(void)
{
  return calls_next() >= 248;
}

float calls_value(void)
{
  static const float rare[] = {NAN,       INFINITY, -INFINITY, 3.4028235e38F, -3.4028235e38F,
                               1e-45F,    1e-40F,   -1e-39F,   1e20F,         -1e20F,
                               1e-20F,    1e10F,    1e-6F,     -0.0F,         1.17549435e-38F,
                               1048576.5F};
  const uint8_t choice = calls_next();
  return choice >= 240
             ? rare[choice - 240]
             : (float)(choice % 16) * (choice >= 128 ? 0.5F : 1.0F) - (choice >= 208 ? 4.0F : 0.0F);
}

double calls_number(void)
{
  static const double rare[] = {
      0,     1,    -1,  0.5,    1e-3,     1e-8,      1e-300, 1e300,
      1e-12, 1e12, 100, 5e-324, INFINITY, -INFINITY, NAN,    1.7976931348623157e308};
  const uint8_t choice = calls_next();
  return choice < 16 ? rare[choice] : choice / 64.0;
}

/* ---- Checks ---------------------------------------------------------------------------------- */

void calls_fail(const char *file, int line, const char *format, ...)
{
  char message[2048];
  const int length = snprintf(message, sizeof message, "%s:%d: ", file, line);
  va_list list;
  va_start(list, format);
  vsnprintf(message + length, sizeof message - (size_t)length, format, list);
  va_end(list);
  calls_failed(message);
  abort();
}

/* An error message that no call gives but this one. */
static const char mark[] = "rows is -987654321: must be 0 or more";

void calls_begin(void)
{
  pqf_multiply(-987654321, 0, 0, NULL, 0, NULL, 0, NULL, 0);
}

int calls_end(int status, const char *what, const char *file, int line)
{
  const char *message = pqf_error_message();
  const int is_marked = strcmp(message, mark) == 0;
  if (calls_trace)
    fprintf(stderr, "    %s: %d%s%s\n", what, status, status == PQF_OK ? "" : ", ",
            status == PQF_OK ? "" : message);
  if (status > PQF_OK || status < PQF_ENOTFOUND)
    calls_fail(file, line, "%s: the status is %d", what, status);
  if (strcmp(pqf_strerror(status), pqf_strerror(1)) == 0)
    calls_fail(file, line, "%s: pqf_strerror() does not know the status %d", what, status);
  if (status == PQF_OK && !is_marked && message[0] != '\0')
    calls_fail(file, line, "%s succeeded, and left the error message \"%s\"", what, message);
  if (status != PQF_OK && (is_marked || message[0] == '\0'))
    calls_fail(file, line, "%s failed with %d and without an error message", what, status);
  return status;
}

void calls_tell(const char *format, ...)
{
  if (!calls_trace)
    return;
  va_list list;
  va_start(list, format);
  fputs("    ", stderr);
  vfprintf(stderr, format, list);
  fputs("\n", stderr);
  va_end(list);
}

/* ---- Sequences ------------------------------------------------------------------------------- */

void calls_drop_data(calls_data *slot)
{
  pqf_data_free(slot->data);
  free(slot->borrowed);
  memset(slot, 0, sizeof *slot);
}

void calls_drop_model(calls_model *slot)
{
  pqf_free(slot->model);
  memset(slot, 0, sizeof *slot);
}

void calls_clear(void)
{
  for (int n = 0; n < MODEL_SLOTS; n++)
    calls_drop_model(&calls.model[n]);
  for (int n = 0; n < DATA_SLOTS; n++)
    calls_drop_data(&calls.data[n]);
  for (int n = 0; n < FILE_SLOTS; n++) {
    calls_file_replaced(n);
    remove(calls_path(n));
  }
  remove(calls_named_path("copy"));
  remove(calls_named_path("resume"));
}

void calls_run(const uint8_t *bytes, size_t size)
{
  enum { MOST_STEPS = 60 };
  const pqf_options defaults = PQF_OPTIONS_INIT;
  memset(&calls, 0, sizeof calls);
  calls.bytes = bytes;
  calls.size = size;
  calls.options.options = defaults;
  for (int n = 0; n < MOST_STEPS && calls.size > 0; n++) {
    const struct step *step = &steps[calls_next() % STEPS];
    if (step->make == NULL)
      continue;
    if (calls_trace)
      fprintf(stderr, "%s\n", step->name);
    step->make();
  }
  calls_clear();
}
