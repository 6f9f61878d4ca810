/* A flag is --name VALUE or --name=VALUE; of two the last one counts, unless the command asks for
 * all of them. "--" ends the flags. A preset comes before all options, wherever it stands. Who
 * mistypes a name is told the nearest one, by the number of letters to change. */
#include "arguments.h"

#include "failure.h"
#include "memory_limit.h"
#include "number.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NAME = 64 };

/* Levenshtein's distance between two names, cut at NAME letters. */
static int distance(const char *a, const char *b)
{
  int row[NAME + 1];
  const int width = (int)strnlen(b, NAME), height = (int)strnlen(a, NAME);
  for (int n = 0; n <= width; ++n)
    row[n] = n;
  for (int y = 1; y <= height; ++y) {
    int diagonal = row[0];
    row[0] = y;
    for (int x = 1; x <= width; ++x) {
      int least = diagonal + (a[y - 1] != b[x - 1]);
      if (row[x] + 1 < least)
        least = row[x] + 1;
      if (row[x - 1] + 1 < least)
        least = row[x - 1] + 1;
      diagonal = row[x];
      row[x] = least;
    }
  }
  return row[width];
}

/* Keeps the nearer of the nearest name so far and another one. */
static void keep_nearer(const char *wanted, const char *name, char nearest[NAME], int *best)
{
  const int far = distance(wanted, name);
  if (far < *best) {
    *best = far;
    (void)snprintf(nearest, NAME, "%s", name);
  }
}

void pqf_option_flag(const pqf_option *option, char *out, size_t capacity)
{
  (void)snprintf(out, capacity, "%s", option->name);
  for (char *at = out; *at != '\0'; ++at)
    if (*at == '_')
      *at = '-';
}

const pqf_command *pqf_find_command(const char *name)
{
  char nearest[NAME] = "";
  int best = 4;
  for (int n = 0; n < pqf_command_count; ++n) {
    if (strcmp(pqf_commands[n]->name, name) == 0)
      return pqf_commands[n];
    keep_nearer(name, pqf_commands[n]->name, nearest, &best);
  }
  if (*nearest != '\0')
    (void)pqf_say(0, "unknown command \"%s\"; did you mean \"%s\"?", name, nearest);
  else
    (void)pqf_say(0, "unknown command \"%s\"; \"pqf help\" lists them", name);
  return NULL;
}

int pqf_usage(const pqf_arguments *arguments, const char *format, ...)
{
  char text[512];
  va_list list;
  va_start(list, format);
  (void)vsnprintf(text, sizeof text, format, list);
  va_end(list);
  return pqf_say(PQF_EXIT_USAGE, "%s: %s", arguments->command->name, text);
}

static int find_flag(const pqf_command *command, const char *name)
{
  for (int n = 0; n < command->flag_count; ++n)
    if (strcmp(command->flags[n].name, name) == 0)
      return n;
  return -1;
}

int32_t pqf_find_option(const char *name, pqf_option *out)
{
  char flag[NAME];
  for (int32_t n = 0; n < pqf_option_count(); ++n) {
    *out = (pqf_option){.size = sizeof *out};
    if (pqf_option_info(n, out) != PQF_OK)
      continue;
    pqf_option_flag(out, flag, sizeof flag);
    if (strcmp(flag, name) == 0 || strcmp(out->name, name) == 0)
      return n;
  }
  return -1;
}

/* The library's option behind a flag, which has no underscores. */
static int32_t find_option_flag(const pqf_command *command, const char *name, pqf_option *out)
{
  return command->takes_options && strchr(name, '_') == NULL ? pqf_find_option(name, out) : -1;
}

static int fail_unknown(const pqf_arguments *arguments, const char *name)
{
  const pqf_command *command = arguments->command;
  char nearest[NAME] = "", flag[NAME];
  int best = 4;
  for (int n = 0; n < command->flag_count; ++n)
    keep_nearer(name, command->flags[n].name, nearest, &best);
  for (int32_t n = 0; n < pqf_option_count() && command->takes_options; ++n) {
    pqf_option option = {.size = sizeof option};
    if (pqf_option_info(n, &option) != PQF_OK)
      continue;
    pqf_option_flag(&option, flag, sizeof flag);
    keep_nearer(name, flag, nearest, &best);
  }
  if (*nearest != '\0')
    return pqf_usage(arguments, "unknown flag --%s; did you mean --%s?", name, nearest);
  return pqf_usage(arguments, "unknown flag --%s; \"pqf help %s\" lists them", name, command->name);
}

static int keep(pqf_arguments *out, int flag, int32_t option, const char *value)
{
  if (out->given_count == PQF_MOST_GIVEN)
    return pqf_usage(out, "more than %d flags", PQF_MOST_GIVEN);
  out->given[out->given_count++] = (pqf_given){flag, option, value};
  return PQF_EXIT_DONE;
}

/* Reads the flag at `argument`; *used is 2 if its value is the argument behind it. */
static int read_flag(pqf_arguments *out, int count, char *const *argument, int *used)
{
  char name[NAME];
  const char *given = argument[0] + 2;
  const char *equals = strchr(given, '=');
  const int length = (int)(equals != NULL ? equals - given : (ptrdiff_t)strlen(given));
  pqf_option option;
  (void)snprintf(name, sizeof name, "%.*s", length, given);
  *used = 1;
  const int flag = find_flag(out->command, name);
  if (flag < 0 && strcmp(name, "help") == 0) {
    out->help = true;
    return PQF_EXIT_DONE;
  }
  const int32_t index = flag < 0 ? find_option_flag(out->command, name, &option) : -1;
  if (flag < 0 && index < 0)
    return fail_unknown(out, name);
  if (flag >= 0 && out->command->flags[flag].value == NULL) {
    if (equals != NULL)
      return pqf_usage(out, "--%s takes no value", name);
    return keep(out, flag, -1, "");
  }
  if (equals == NULL && count < 2)
    return pqf_usage(out, "--%s needs a value", name);
  const char *value = equals != NULL ? equals + 1 : argument[1];
  *used = equals != NULL ? 1 : 2;
  if (index >= 0 && pqf_options_set(&out->options, option.name, value) != PQF_OK)
    return pqf_usage(out, "--%s %s: %s", name, value, pqf_error_message());
  return keep(out, flag, index, value);
}

/* Starts anew from the preset, if there is one, and sets again what was given. */
static int apply_preset(pqf_arguments *out)
{
  const pqf_options defaults = PQF_OPTIONS_INIT;
  const char *preset = pqf_argument(out, "preset");
  if (preset == NULL)
    return PQF_EXIT_DONE;
  out->options = defaults;
  if (pqf_options_preset(&out->options, preset) != PQF_OK)
    return pqf_usage(out, "--preset %s: %s", preset, pqf_error_message());
  for (int n = 0; n < out->given_count; ++n) {
    pqf_option option = {.size = sizeof option};
    if (out->given[n].option >= 0 &&
        (pqf_option_info(out->given[n].option, &option) != PQF_OK ||
         pqf_options_set(&out->options, option.name, out->given[n].value) != PQF_OK))
      return pqf_usage(out, "%s", pqf_error_message());
  }
  return PQF_EXIT_DONE;
}

/* The limit is an option of commands that train, and a flag of others that read files. */
static int set_memory_limit(const pqf_arguments *arguments)
{
  int64_t bytes = 0;
  if (pqf_option_given(arguments, "memory_limit")) {
    pqf_memory_limit_set(arguments->options.memory_limit);
  } else if (pqf_argument(arguments, "memory-limit") != NULL) {
    if (pqf_argument_integer(arguments, "memory-limit", 0, &bytes) != PQF_EXIT_DONE)
      return PQF_EXIT_USAGE;
    pqf_memory_limit_set((uint64_t)bytes);
  }
  return PQF_EXIT_DONE;
}

int pqf_arguments_read(pqf_arguments *out, const pqf_command *command, int count,
                       char *const *argument)
{
  *out = (pqf_arguments){.command = command, .options = PQF_OPTIONS_INIT};
  bool flags = true;
  for (int n = 0; n < count;) {
    int used = 1;
    if (flags && strcmp(argument[n], "--") == 0) {
      flags = false;
    } else if (flags && strncmp(argument[n], "--", 2) == 0) {
      const int status = read_flag(out, count - n, argument + n, &used);
      if (status != PQF_EXIT_DONE)
        return status;
    } else if (flags && argument[n][0] == '-' && argument[n][1] != '\0') {
      if (strcmp(argument[n], "-h") != 0)
        return pqf_usage(out, "unknown flag %s; flags start with --", argument[n]);
      out->help = true;
    } else if (command->operand != NULL && out->operand == NULL) {
      out->operand = argument[n];
    } else if (command->second != NULL && out->second == NULL) {
      out->second = argument[n];
    } else {
      return pqf_usage(out, "unexpected argument \"%s\"", argument[n]);
    }
    n += used;
  }
  if (out->operand == NULL && command->operand != NULL && !command->operand_optional && !out->help)
    return pqf_usage(out, "%s is missing; usage: pqf %s %s", command->operand, command->name,
                     command->synopsis);
  const int status = apply_preset(out);
  return status == PQF_EXIT_DONE ? set_memory_limit(out) : status;
}

const char *pqf_argument_at(const pqf_arguments *arguments, const char *flag, int n)
{
  const int wanted = find_flag(arguments->command, flag);
  for (int place = 0; place < arguments->given_count; ++place)
    if (wanted >= 0 && arguments->given[place].flag == wanted && n-- == 0)
      return arguments->given[place].value;
  return NULL;
}

const char *pqf_argument(const pqf_arguments *arguments, const char *flag)
{
  const char *last = NULL, *next;
  for (int n = 0; (next = pqf_argument_at(arguments, flag, n)) != NULL; ++n)
    last = next;
  return last;
}

int pqf_argument_integer(const pqf_arguments *arguments, const char *flag, int64_t least,
                         int64_t *out)
{
  const char *text = pqf_argument(arguments, flag);
  if (text == NULL)
    return PQF_EXIT_DONE;
  if (!pqf_integer_read(text, strlen(text), out) || *out < least)
    return pqf_usage(arguments, "--%s is a whole number from %" PRId64 " on, not \"%s\"", flag,
                     least, text);
  return PQF_EXIT_DONE;
}

int pqf_argument_number(const pqf_arguments *arguments, const char *flag, double *out)
{
  const char *text = pqf_argument(arguments, flag);
  if (text == NULL)
    return PQF_EXIT_DONE;
  if (!pqf_double_read(text, out) || !isfinite(*out))
    return pqf_usage(arguments, "--%s is a number, not \"%s\"", flag, text);
  return PQF_EXIT_DONE;
}

bool pqf_option_given(const pqf_arguments *arguments, const char *name)
{
  pqf_option option;
  const int32_t wanted = pqf_find_option(name, &option);
  for (int n = 0; n < arguments->given_count; ++n)
    if (wanted >= 0 && arguments->given[n].option == wanted)
      return true;
  return false;
}

int pqf_arguments_change(const pqf_arguments *arguments, pqf_model *model)
{
  for (int n = 0; n < arguments->given_count; ++n) {
    const pqf_given *given = &arguments->given[n];
    pqf_option option = {.size = sizeof option};
    if (given->option < 0)
      continue;
    if (pqf_option_info(given->option, &option) != PQF_OK ||
        pqf_model_set_option(model, option.name, given->value) != PQF_OK)
      return pqf_usage(arguments, "%s", pqf_error_message());
  }
  return PQF_EXIT_DONE;
}

/* Reads a flag whose values are two words; the first is 1, the second 2, not given is 0. */
static int read_choice(const pqf_arguments *arguments, const char *flag, const char *first,
                       const char *second, int *out)
{
  const char *value = pqf_argument(arguments, flag);
  *out = 0;
  if (value == NULL)
    return PQF_EXIT_DONE;
  if (strcmp(value, first) == 0)
    *out = 1;
  else if (strcmp(value, second) == 0)
    *out = 2;
  else
    return pqf_usage(arguments, "--%s is %s or %s, not \"%s\"", flag, first, second, value);
  return PQF_EXIT_DONE;
}

static int read_duplicates(const pqf_arguments *arguments, int *out)
{
  static const char *const words[] = {[PQF_DUPLICATES_ERROR] = "error",
                                      [PQF_DUPLICATES_SUM] = "sum",
                                      [PQF_DUPLICATES_LAST] = "last"};
  const char *value = pqf_argument(arguments, "duplicates");
  for (int n = 0; n < 3 && value != NULL; ++n)
    if (strcmp(value, words[n]) == 0) {
      *out = n;
      return PQF_EXIT_DONE;
    }
  return value == NULL
             ? PQF_EXIT_DONE
             : pqf_usage(arguments, "--duplicates is error, sum or last, not \"%s\"", value);
}

int pqf_arguments_input(const pqf_arguments *arguments, pqf_input_options *out)
{
  int nan = 0;
  *out = (pqf_input_options){.row = pqf_argument(arguments, "row"),
                             .col = pqf_argument(arguments, "col"),
                             .value = pqf_argument(arguments, "value"),
                             .time = pqf_argument(arguments, "time")};
  if (read_choice(arguments, "layout", "wide", "long", &out->layout) != PQF_EXIT_DONE ||
      read_choice(arguments, "header", "yes", "no", &out->header) != PQF_EXIT_DONE ||
      read_choice(arguments, "index", "yes", "no", &out->index) != PQF_EXIT_DONE ||
      read_choice(arguments, "nan", "error", "absent", &nan) != PQF_EXIT_DONE ||
      read_duplicates(arguments, &out->duplicates) != PQF_EXIT_DONE)
    return PQF_EXIT_USAGE;
  out->nan_is_absent = nan == 2;
  if (out->layout == PQF_WIDE && (out->col != NULL || out->value != NULL))
    return pqf_usage(arguments, "--col and --value name columns of a long table");
  if (out->layout == PQF_WIDE && out->time != NULL)
    return pqf_usage(arguments, "--time names a column of a long table");
  if (out->header == PQF_NO && (out->row != NULL || out->col != NULL || out->value != NULL))
    return pqf_usage(arguments, "columns can be named only where there is a header");
  if (out->index == PQF_NO && out->row != NULL && out->layout == PQF_WIDE)
    return pqf_usage(arguments, "--row names the index that --index no says is not there");
  return PQF_EXIT_DONE;
}
