/* Help is made of the tables that the command line is read with, so it lists what there is. */
#include "arguments.h"

#include "failure.h"

#include <float.h>
#include <stdio.h>
#include <string.h>

enum { COLUMN = 24, WIDTH = 79, LINE = 512 };

/* Prints a name, then text from a column on, broken at blanks. */
static void print_entry(const char *name, const char *text)
{
  int at = printf("  %s", name);
  if (at > COLUMN - 2) {
    putchar('\n');
    at = 0;
  }
  printf("%*s", COLUMN - at, "");
  at = COLUMN;
  while (*text != '\0') {
    const int word = (int)strcspn(text, " ");
    if (at > COLUMN && at + 1 + word > WIDTH) {
      printf("\n%*s", COLUMN, "");
      at = COLUMN;
    } else if (at > COLUMN) {
      putchar(' ');
      ++at;
    }
    printf("%.*s", word, text);
    at += word;
    text += word;
    text += *text == ' ';
  }
  putchar('\n');
}

/* "words", or the bounds of a number. */
static void describe_values(const pqf_option *option, char *out, size_t capacity)
{
  if (option->words != NULL)
    (void)snprintf(out, capacity, "One of %s. ", option->words);
  else if (option->type == PQF_TYPE_INTEGER && option->maximum < INT32_MAX)
    (void)snprintf(out, capacity, "From %.0f to %.0f. ", option->minimum, option->maximum);
  else if (option->type == PQF_TYPE_NUMBER && option->maximum < DBL_MAX)
    (void)snprintf(out, capacity, "From %g to %g. ", option->minimum, option->maximum);
  else if (option->type == PQF_TYPE_INTEGER || option->type == PQF_TYPE_NUMBER)
    (void)snprintf(out, capacity, option->minimum_excluded ? "Above %g. " : "%g or more. ",
                   option->minimum);
  else
    *out = '\0';
}

static void print_options(void)
{
  for (int32_t n = 0; n < pqf_option_count(); ++n) {
    pqf_option option = {.size = sizeof option};
    char flag[64], name[96], values[128], text[LINE];
    if (pqf_option_info(n, &option) != PQF_OK)
      continue;
    pqf_option_flag(&option, flag, sizeof flag);
    const char *const kinds[] = {"N", "X", "WORD", "TEXT"};
    (void)snprintf(name, sizeof name, "--%s %s", flag, kinds[option.type & 3]);
    describe_values(&option, values, sizeof values);
    const char *standard = option.default_value;
    const bool has_default = standard != NULL && *standard != '\0';
    (void)snprintf(text, sizeof text, "%s %s%s%s", option.help, values,
                   has_default ? "Default: " : "", has_default ? standard : "");
    print_entry(name, text);
  }
}

static void print_command(const pqf_command *command)
{
  printf("Usage: pqf %s %s\n\n%s\n", command->name, command->synopsis, command->summary);
  if (command->flag_count > 0)
    printf("\nFlags:\n");
  for (int n = 0; n < command->flag_count; ++n) {
    char name[96];
    const pqf_flag *flag = &command->flags[n];
    (void)snprintf(name, sizeof name, "--%s%s%s", flag->name, flag->value != NULL ? " " : "",
                   flag->value != NULL ? flag->value : "");
    print_entry(name, flag->help);
  }
  if (command->takes_options) {
    printf("\nHow to train:\n");
    print_options();
  }
}

void pqf_print_help(const pqf_command *command)
{
  if (command != NULL) {
    print_command(command);
    return;
  }
  printf("pqf %s: matrix factorisation, R ~ P Q'\n\nUsage: pqf COMMAND ...\n\n", pqf_version());
  for (int n = 0; n < pqf_command_count; ++n)
    print_entry(pqf_commands[n]->name, pqf_commands[n]->summary);
  printf("\n\"pqf help COMMAND\" tells more; \"pqf --version\" prints the version.\n");
}

static int run(const pqf_arguments *arguments)
{
  const pqf_command *command = NULL;
  if (arguments->operand != NULL) {
    command = pqf_find_command(arguments->operand);
    if (command == NULL)
      return PQF_EXIT_USAGE;
  }
  pqf_print_help(command);
  return PQF_EXIT_DONE;
}

const pqf_command pqf_command_help = {
    .name = "help",
    .operand = "COMMAND",
    .operand_optional = true,
    .synopsis = "[COMMAND]",
    .summary = "Lists the commands, or the flags of one.",
    .run = run,
};
