/* Random tries are drawn by splitmix64 (Steele, Lea and Flood 2014). A value u from a range is
 * low (high / low)^u for u even in [0, 1), rounded to the four digits that are printed, so that
 * what the table shows is what was tried; of an integer option to the next integer. */
#include "search.h"

#include "failure.h"
#include "number.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double draw(pqf_search *search)
{
  uint64_t bits = search->state += UINT64_C(0x9e3779b97f4a7c15);
  bits = (bits ^ bits >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  bits = (bits ^ bits >> 27) * UINT64_C(0x94d049bb133111eb);
  return (double)((bits ^ bits >> 31) >> 11) * 0x1p-53;
}

void pqf_search_clear(pqf_search *search)
{
  for (int n = 0; n < search->axis_count; ++n) {
    free(search->axes[n].text);
    free(search->axes[n].value);
  }
  *search = (pqf_search){0};
}

/* Whether the library takes a value for the option of an axis. */
static int check_value(const pqf_arguments *arguments, const pqf_search_axis *axis,
                       const char *value)
{
  pqf_options scratch = arguments->options;
  if (strlen(value) >= PQF_VALUE_TEXT)
    return pqf_usage(arguments, "%s: \"%.20s...\" is too long", axis->option.name, value);
  if (pqf_options_set(&scratch, axis->option.name, value) != PQF_OK)
    return pqf_usage(arguments, "%s", pqf_error_message());
  return PQF_EXIT_DONE;
}

/* Cuts the text of an axis at commas. */
static int read_values(pqf_search_axis *axis, const pqf_arguments *arguments)
{
  int64_t count = 1;
  for (const char *at = axis->text; *at != '\0'; ++at)
    count += *at == ',';
  axis->value = pqf_resize(NULL, count, sizeof *axis->value);
  if (axis->value == NULL)
    return PQF_EXIT_FAILED;
  axis->count = count;
  char *at = axis->text;
  int code = PQF_EXIT_DONE;
  for (int64_t n = 0; n < count; ++n) {
    axis->value[n] = at;
    at += strcspn(at, ",");
    *at++ = '\0';
  }
  for (int64_t n = 0; n < count && code == PQF_EXIT_DONE; ++n)
    code = check_value(arguments, axis, axis->value[n]);
  return code;
}

static int read_range(pqf_search_axis *axis, const pqf_arguments *arguments)
{
  char *colon = strchr(axis->text, ':');
  if (axis->option.type != PQF_TYPE_INTEGER && axis->option.type != PQF_TYPE_NUMBER)
    return pqf_usage(arguments, "--range %s: its values are no numbers; --grid lists them",
                     axis->option.name);
  if (colon != NULL)
    *colon = '\0';
  if (colon == NULL || !pqf_double_read(axis->text, &axis->low) ||
      !pqf_double_read(colon + 1, &axis->high))
    return pqf_usage(arguments, "--range is NAME=LOW:HIGH, two numbers");
  if (check_value(arguments, axis, axis->text) != PQF_EXIT_DONE ||
      check_value(arguments, axis, colon + 1) != PQF_EXIT_DONE)
    return PQF_EXIT_USAGE;
  if (!(axis->low > 0 && axis->low <= axis->high && isfinite(axis->high)))
    return pqf_usage(arguments,
                     "--range %s=%s:%s: it is drawn from on a logarithmic scale, and so begins "
                     "above 0 and ends no lower",
                     axis->option.name, axis->text, colon + 1);
  return PQF_EXIT_DONE;
}

/* Reads NAME=VALUES as the next axis. */
static int add_axis(pqf_search *search, const pqf_arguments *arguments, const char *flag,
                    const char *given)
{
  char name[PQF_VALUE_TEXT];
  const char *equals = strchr(given, '=');
  const bool is_range = strcmp(flag, "range") == 0;
  if (equals == NULL || equals[1] == '\0')
    return pqf_usage(arguments, "--%s is NAME=%s, not \"%s\"", flag,
                     is_range ? "LOW:HIGH" : "VALUE,VALUE,...", given);
  if (search->axis_count == PQF_MOST_AXES)
    return pqf_usage(arguments, "more than %d options to try values of", PQF_MOST_AXES);
  pqf_search_axis *axis = &search->axes[search->axis_count];
  (void)snprintf(name, sizeof name, "%.*s", (int)(equals - given), given);
  if (pqf_find_option(name, &axis->option) < 0)
    return pqf_usage(arguments, "--%s %s: there is no option \"%s\"", flag, given, name);
  if (strncmp(axis->option.name, "checkpoint", strlen("checkpoint")) == 0)
    return pqf_usage(arguments, "checkpoints are for \"pqf fit\"");
  for (int n = 0; n < search->axis_count; ++n)
    if (strcmp(search->axes[n].option.name, axis->option.name) == 0)
      return pqf_usage(arguments, "%s is there twice", axis->option.name);
  axis->text = strdup(equals + 1);
  if (axis->text == NULL)
    return pqf_say(PQF_EXIT_FAILED, "out of memory");
  ++search->axis_count; /* from here on pqf_search_clear() frees it */
  return is_range ? read_range(axis, arguments) : read_values(axis, arguments);
}

int pqf_search_read(pqf_search *search, const pqf_arguments *arguments)
{
  static const char *const names[] = {"grid", "range"};
  const char *value;
  int code = PQF_EXIT_DONE;
  *search = (pqf_search){.tries = 1, .state = arguments->options.seed};
  search->random = pqf_argument(arguments, "random") != NULL;
  for (int kind = 0; kind < 2; ++kind)
    for (int n = 0; (value = pqf_argument_at(arguments, names[kind], n)) != NULL; ++n) {
      code = add_axis(search, arguments, names[kind], value);
      if (code != PQF_EXIT_DONE)
        return code;
    }
  if (search->axis_count == 0)
    return pqf_usage(arguments, "--grid NAME=VALUES is missing, or --random N with --range");
  if (search->random)
    return pqf_argument_integer(arguments, "random", 1, &search->tries);
  for (int n = 0; n < search->axis_count; ++n) {
    if (search->axes[n].value == NULL)
      return pqf_usage(arguments, "--range needs --random N, the number of tries");
    if (__builtin_mul_overflow(search->tries, search->axes[n].count, &search->tries))
      return pqf_usage(arguments, "the grid has more than %" PRId64 " points", INT64_MAX);
  }
  return code;
}

static void draw_value(pqf_search *search, const pqf_search_axis *axis, char out[PQF_VALUE_TEXT])
{
  double value = axis->low * pow(axis->high / axis->low, draw(search));
  if (axis->option.type == PQF_TYPE_INTEGER) {
    (void)snprintf(out, PQF_VALUE_TEXT, "%.0f", fmin(round(value), floor(axis->high)));
    return;
  }
  (void)snprintf(out, PQF_VALUE_TEXT, "%.4g", value);
  if (!pqf_double_read(out, &value) || value < axis->low || value > axis->high)
    (void)snprintf(out, PQF_VALUE_TEXT, "%.17g", fmin(fmax(value, axis->low), axis->high));
}

void pqf_search_next(pqf_search *search, int64_t n, pqf_try *out)
{
  for (int at = search->axis_count - 1; at >= 0; --at) {
    const pqf_search_axis *axis = &search->axes[at];
    if (axis->value == NULL) {
      draw_value(search, axis, out->value[at]);
      continue;
    }
    const int64_t place =
        search->random ? (int64_t)(draw(search) * (double)axis->count) : n % axis->count;
    (void)snprintf(out->value[at], PQF_VALUE_TEXT, "%s", axis->value[place]);
    n /= axis->count;
  }
}

int pqf_search_set(const pqf_search *search, const pqf_try *from, pqf_options *options)
{
  for (int n = 0; n < search->axis_count; ++n) {
    const int status = pqf_options_set(options, search->axes[n].option.name, from->value[n]);
    if (status != PQF_OK)
      return pqf_say(status, "%s", pqf_error_message());
  }
  return PQF_OK;
}
