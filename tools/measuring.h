/* Flags that say how to measure, which evaluate and tune share. */
#ifndef PQF_TOOLS_MEASURING_H
#define PQF_TOOLS_MEASURING_H

#include "arguments.h"

/* For a command's table. */
#define PQF_MEASURING_FLAGS                                                                        \
  {"k", "N", "The length of the lists that are ranked. Default: 10", PQF_PLAIN},                   \
  {                                                                                                \
    "relevant", "X", "A cell held out counts as relevant from this value on. Default: each does",  \
        PQF_PLAIN                                                                                  \
  }

int pqf_arguments_measuring(const pqf_arguments *arguments, pqf_evaluate_options *out);

/* Options that make no sense for models which are only measured: PQF_EXIT_USAGE. */
int pqf_arguments_check_trial(const pqf_arguments *arguments);

#endif
