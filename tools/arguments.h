/* The command line: a command, its flags and operands. */
#ifndef PQF_TOOLS_ARGUMENTS_H
#define PQF_TOOLS_ARGUMENTS_H

#include "input.h"

#include "pqf.h"

#include <stdbool.h>

/* Exit codes. */
enum { PQF_EXIT_DONE = 0, PQF_EXIT_FAILED = 1, PQF_EXIT_USAGE = 2 };

enum { PQF_MOST_FLAGS = 16 };

typedef struct pqf_flag {
  const char *name;  /* "output": given as --output */
  const char *value; /* what its value is called: "FILE"; NULL: it takes none */
  const char *help;
} pqf_flag;

typedef struct pqf_arguments pqf_arguments;

typedef struct pqf_command {
  const char *name;
  const char *operand; /* what its operand is called; NULL: it takes none */
  bool operand_optional;
  bool takes_options;   /* the library's options are flags too */
  const char *synopsis; /* behind the name */
  const char *summary;  /* one sentence */
  const pqf_flag *flags;
  int flag_count;
  /* Does the work and gives the exit code; if that is not 0, the words are set. */
  int (*run)(const pqf_arguments *arguments);
} pqf_command;

struct pqf_arguments {
  const pqf_command *command;
  const char *operand;               /* NULL: not given */
  const char *value[PQF_MOST_FLAGS]; /* one for each flag; NULL: not given */
  pqf_options options;
  bool help; /* --help was given */
};

/* The commands, in the order in which help lists them. */
extern const pqf_command *const pqf_commands[];
extern const int pqf_command_count;

extern const pqf_command pqf_command_fit;
extern const pqf_command pqf_command_predict;
extern const pqf_command pqf_command_info;
extern const pqf_command pqf_command_backends;
extern const pqf_command pqf_command_help;

/* NULL: there is none of that name; the words name the nearest. */
const pqf_command *pqf_find_command(const char *name);

/* Reads the arguments behind the command's name. PQF_EXIT_USAGE: something is wrong with them. */
int pqf_arguments_read(pqf_arguments *out, const pqf_command *command, int count,
                       char *const *argument);

/* The value of a flag that the command has; NULL: not given. */
const char *pqf_argument(const pqf_arguments *arguments, const char *flag);

/* Reads those of the flags that say how to read a file; a command need not have all of them. */
int pqf_arguments_input(const pqf_arguments *arguments, pqf_input_options *out);

/* Sets words that begin with the command's name; gives PQF_EXIT_USAGE. */
int pqf_usage(const pqf_arguments *arguments, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Writes an option's name as a flag: "learning-rate". Cut at `capacity`. */
void pqf_option_flag(const pqf_option *option, char *out, size_t capacity);

/* Prints the help of a command, or of all if it is NULL, to standard output. */
void pqf_print_help(const pqf_command *command);

#endif
