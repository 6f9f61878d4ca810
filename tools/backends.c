/* `pqf backends`: who can compute here, and why others cannot. */
#include "arguments.h"
#include "failure.h"

#include <stdio.h>
#include <string.h>

enum { NAME = 8 }; /* the width of its column */

static int run(const pqf_arguments *arguments)
{
  const char *folder = pqf_argument(arguments, "backend-path");
  const int32_t count = pqf_backend_count(folder);
  for (int32_t n = 0; n < count; ++n) {
    pqf_backend_info info = {.size = sizeof info};
    if (pqf_backend_describe(folder, n, &info) != PQF_OK)
      return pqf_say(PQF_EXIT_FAILED, "%s", pqf_error_message());
    pqf_print_shown(info.name, 0);
    printf("%*s %s: ", strlen(info.name) < NAME ? NAME - (int)strlen(info.name) : 0, "",
           info.usable ? "usable" : "not usable");
    pqf_print_shown(info.words, 0);
    putchar('\n');
  }
  return PQF_EXIT_DONE;
}

static const pqf_flag flags[] = {
    {"backend-path", "FOLDER", "Where the modules are. Default: pqf/ beside the library.",
     PQF_PLAIN},
};

const pqf_command pqf_command_backends = {
    .name = "backends",
    .synopsis = "[--backend-path FOLDER]",
    .summary = "Lists the back ends, and says of each whether it can be used and why not.",
    .flags = flags,
    .flag_count = sizeof flags / sizeof flags[0],
    .run = run,
};
