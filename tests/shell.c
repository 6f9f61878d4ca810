#include "test.h"

#include "shell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { ROOM = 1 << 16, SCRIPT = 1 << 13 };

static char output[ROOM];
static char errors[ROOM];

static void complain(const char *file, unsigned int line, const char *what, const char *text)
{
  printf(
      "\n%s:%u: %s\n--- wanted\n%s\n--- standard output\n%.2000s--- standard error\n%.2000s---\n",
      file, line, what, text, output, errors);
}

static void read_file(const char *name, char *out)
{
  FILE *file = fopen(test_file(name), "r");
  size_t count = 0;
  if (file != NULL) {
    count = fread(out, 1, ROOM - 1, file);
    (void)fclose(file);
  }
  out[count] = '\0';
}

/* Runs a script; its exit code, or 128 and the signal that ended it. */
static int run(const char *script)
{
  static char command[SCRIPT];
  const char *program = getenv("TEST_COMMAND");
  const int length = snprintf(command, sizeof command,
                              "exec >'%s' 2>'%s' </dev/null; T='%s'; D='%s'; PQF='%s'\n%s",
                              test_file("shell.out"), test_file("shell.err"), test_directory(),
                              test_data(""), program != NULL ? program : TEST_COMMAND, script);
  if (length < 0 || length >= SCRIPT)
    return -1;
  const int status = system(command);
  read_file("shell.out", output);
  read_file("shell.err", errors);
  if (status == -1)
    return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int shell_expect(int code, const char *script, const char *file, unsigned int line)
{
  char what[64];
  const int got = run(script);
  const char *end = strchr(errors, '\n');
  const int one_line = strncmp(errors, "pqf: ", 5) == 0 && end != NULL && end[1] == '\0';
  const int right = got == code && (code == 0 ? errors[0] == '\0' : one_line);
  if (!right) {
    (void)snprintf(what, sizeof what, "exit code %d; wanted %d and %s", got, code,
                   code == 0 ? "no words" : "one line of words");
    complain(file, line, what, script);
  }
  CU_assertImplementation(right, line, script, file, "", CU_FALSE);
  return right;
}

static int check(int right, const char *what, const char *text, const char *file, unsigned int line)
{
  if (!right)
    complain(file, line, what, text);
  CU_assertImplementation(right, line, text, file, "", CU_FALSE);
  return right;
}

int shell_printed(const char *text, const char *file, unsigned int line)
{
  return check(strcmp(output, text) == 0, "standard output differs", text, file, line);
}

int shell_printed_part(const char *text, const char *file, unsigned int line)
{
  return check(strstr(output, text) != NULL, "standard output lacks this", text, file, line);
}

int shell_error_part(const char *text, const char *file, unsigned int line)
{
  return check(strstr(errors, text) != NULL, "standard error lacks this", text, file, line);
}

const char *shell_output(void)
{
  return output;
}

void shell_bytes(const char *name, const void *bytes, size_t count)
{
  FILE *file = fopen(test_file(name), "w");
  int right = file != NULL && fwrite(bytes, 1, count, file) == count;
  if (file != NULL)
    right = fclose(file) == 0 && right;
  if (!right) {
    perror(name);
    exit(EXIT_FAILURE);
  }
}

void shell_file(const char *name, const char *text)
{
  shell_bytes(name, text, strlen(text));
}

int shell_has_parquet(void)
{
  (void)run("$PQF fit $D/matrix.parquet.gzip --output $T/probe.pqf --epochs 1");
  return strstr(errors, "Arrow's C++ library") == NULL;
}
