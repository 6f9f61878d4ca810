/* The command line: a command, its flags and operands. */
#ifndef PQF_TOOLS_ARGUMENTS_H
#define PQF_TOOLS_ARGUMENTS_H

#include "input.h"

#include "pqf.h"

#include <stdbool.h>

/* Flags that say how to read a file of R, for a command's table; and those of a command that makes
 * data of it. */
#define PQF_READING_FLAGS                                                                          \
  {"layout", "wide|long", "Overrides the guess: exactly three columns are long.", PQF_PLAIN},      \
      {"header", "yes|no", "Overrides the guess: a header has a field that is no number.",         \
       PQF_PLAIN},                                                                                 \
      {"index", "yes|no",                                                                          \
       "Whether the first column of a wide table is the row ids. The guess: if it "                \
       "has no name or no numbers.",                                                               \
       PQF_PLAIN},                                                                                 \
      {"nan", "error|absent", "What a cell without a value is. Default: error", PQF_PLAIN},        \
      {"row", "NAME", "The column of row ids, of a long or a wide table.", PQF_PLAIN},             \
      {"col", "NAME", "The column of column ids of a long table.", PQF_PLAIN},                     \
  {                                                                                                \
    "value", "NAME", "The column of values of a long table.", PQF_PLAIN                            \
  }
#define PQF_INPUT_FLAGS                                                                            \
  PQF_READING_FLAGS,                                                                               \
  {                                                                                                \
    "duplicates", "error|sum|last",                                                                \
        "What becomes of a cell that is given more than once. Default: error", PQF_PLAIN           \
  }

/* For commands that read files and take none of the library's options. */
#define PQF_MEMORY_FLAG                                                                            \
  {                                                                                                \
    "memory-limit", "N",                                                                           \
        "The most bytes to take; 0: no limit. Default: told from the machine and the file",        \
        PQF_PLAIN                                                                                  \
  }

/* The flag of commands that train. */
#define PQF_PRESET_FLAG                                                                            \
  {                                                                                                \
    "preset", "NAME",                                                                              \
        "Options for a purpose, which the others then change: notebook, ratings or clicks.",       \
        PQF_PLAIN                                                                                  \
  }

/* Exit codes. */
enum { PQF_EXIT_DONE = 0, PQF_EXIT_FAILED = 1, PQF_EXIT_USAGE = 2 };

enum { PQF_MOST_GIVEN = 256 };

/* What becomes of the file that a flag names; PQF_PLAIN: it names none. Operands are read. */
enum { PQF_PLAIN, PQF_READ, PQF_WRITTEN };

typedef struct pqf_flag {
  const char *name;  /* "output": given as --output */
  const char *value; /* what its value is called: "FILE"; NULL: it takes none */
  const char *help;
  int use; /* PQF_PLAIN, PQF_READ, PQF_WRITTEN */
} pqf_flag;

typedef struct pqf_arguments pqf_arguments;

/* A flag that was given. */
typedef struct pqf_given {
  int flag;       /* of the command's; -1: an option of the library */
  int32_t option; /* its index; -1: a flag of the command */
  const char *value;
} pqf_given;

typedef struct pqf_command {
  const char *name;
  const char *operand; /* what its operand is called; NULL: it takes none */
  bool operand_optional;
  const char *second;   /* likewise a second one, always optional */
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
  const char *operand; /* NULL: not given */
  const char *second;  /* likewise */
  int given_count;
  pqf_given given[PQF_MOST_GIVEN]; /* in the order of the command line */
  pqf_options options;             /* the defaults, then the preset, then what was given */
  bool help;                       /* --help was given */
};

/* The commands, in the order in which help lists them. */
extern const pqf_command *const pqf_commands[];
extern const int pqf_command_count;

extern const pqf_command pqf_command_fit;
extern const pqf_command pqf_command_predict;
extern const pqf_command pqf_command_evaluate;
extern const pqf_command pqf_command_tune;
extern const pqf_command pqf_command_split;
extern const pqf_command pqf_command_info;
extern const pqf_command pqf_command_backends;
extern const pqf_command pqf_command_help;

/* NULL: there is none of that name; the words name the nearest. */
const pqf_command *pqf_find_command(const char *name);

/* Reads the arguments behind the command's name. PQF_EXIT_USAGE: something is wrong with them. */
int pqf_arguments_read(pqf_arguments *out, const pqf_command *command, int count,
                       char *const *argument);

/* The value of a flag that the command has, the last one given; NULL: not given. */
const char *pqf_argument(const pqf_arguments *arguments, const char *flag);

/* The value of the n-th flag of that name, from 0; NULL: there are no more. */
const char *pqf_argument_at(const pqf_arguments *arguments, const char *flag, int n);

/* Reads a flag that is a whole number from `least` on; without the flag `out` stays as it is. */
int pqf_argument_integer(const pqf_arguments *arguments, const char *flag, int64_t least,
                         int64_t *out);

/* Reads a flag that is a finite number; likewise. */
int pqf_argument_number(const pqf_arguments *arguments, const char *flag, double *out);

/* Whether one of the library's options was given, such as "init". */
bool pqf_option_given(const pqf_arguments *arguments, const char *name);

/* Changes those options of a model that were given. PQF_EXIT_USAGE: it cannot take one of them. */
int pqf_arguments_change(const pqf_arguments *arguments, pqf_model *model);

/* Reads those of the flags that say how to read a file; a command need not have all of them. */
int pqf_arguments_input(const pqf_arguments *arguments, pqf_input_options *out);

/* Sets words that begin with the command's name; gives PQF_EXIT_USAGE. */
int pqf_usage(const pqf_arguments *arguments, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Writes an option's name as a flag: "learning-rate". Cut at `capacity`. */
void pqf_option_flag(const pqf_option *option, char *out, size_t capacity);

/* Finds an option by its name or its flag; -1: there is none. */
int32_t pqf_find_option(const char *name, pqf_option *out);

/* Prints the help of a command, or of all if it is NULL, to standard output. */
void pqf_print_help(const pqf_command *command);

#endif
