/* pqf: the command. Each command is a file of its own; here one is chosen, its failure told in one
 * line on standard error, and standard output checked to have got all that was printed. */
#include "arguments.h"
#include "failure.h"
#include "same_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A closed standard descriptor would be given to the first file that is opened, which would then
 * get what is printed. In its place comes one that cannot be written to. */
static void fill_standard_files(void)
{
  for (int file = STDIN_FILENO; file <= STDERR_FILENO; ++file)
    if (fcntl(file, F_GETFD) < 0 && errno == EBADF)
      (void)open("/dev/null", O_RDONLY);
}

static int run(int count, char *const *argument)
{
  pqf_arguments arguments;
  if (count < 1)
    return pqf_say(PQF_EXIT_USAGE, "no command given; \"pqf help\" lists them");
  if (strcmp(argument[0], "--version") == 0) {
    printf("pqf %s\n", pqf_version());
    return PQF_EXIT_DONE;
  }
  if (strcmp(argument[0], "--help") == 0 || strcmp(argument[0], "-h") == 0) {
    pqf_print_help(NULL);
    return PQF_EXIT_DONE;
  }
  const pqf_command *command = pqf_find_command(argument[0]);
  if (command == NULL)
    return PQF_EXIT_USAGE;
  const int code = pqf_arguments_read(&arguments, command, count - 1, argument + 1);
  if (code != PQF_EXIT_DONE)
    return code;
  if (arguments.help) {
    pqf_print_help(command);
    return PQF_EXIT_DONE;
  }
  return pqf_arguments_check_files(&arguments) == PQF_EXIT_DONE ? command->run(&arguments)
                                                                : PQF_EXIT_USAGE;
}

int main(int argc, char **argv)
{
  fill_standard_files();
  /* A reader that goes away and a limit that is reached are errors of a write, to be told. */
  (void)signal(SIGPIPE, SIG_IGN);
  (void)signal(SIGXFSZ, SIG_IGN);
  int code = run(argc - 1, argv + 1);
  if (code == PQF_EXIT_DONE) {
    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout))
      code = pqf_say(PQF_EXIT_FAILED, "standard output: %s",
                     errno != 0 ? strerror(errno) : "could not be written");
  }
  if (code != PQF_EXIT_DONE)
    fprintf(stderr, "pqf: %s\n", pqf_said());
  return code;
}
