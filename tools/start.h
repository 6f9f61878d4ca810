/* What a fit starts from: drawn factors, those of files or of a model, or a checkpoint. */
#ifndef PQF_TOOLS_START_H
#define PQF_TOOLS_START_H

#include "arguments.h"
#include "training.h"

/* For a command's table. */
#define PQF_START_FLAGS                                                                            \
  {"from", "MODEL",                                                                                \
   "Start from the factors of a model, matched by ids, and keep those of its options that are "    \
   "not given; with --preset none.",                                                               \
   PQF_READ},                                                                                      \
      {"resume", "CHECKPOINT",                                                                     \
       "Go on with a fit where its checkpoint left it; further checkpoints go there too.",         \
       PQF_READ},                                                                                  \
      {"initial-rows", "FILE", "P at the start, as a matrix; with --initial-cols.", PQF_READ},     \
  {                                                                                                \
    "initial-cols", "FILE", "Q at the start, as a matrix.", PQF_READ                               \
  }

/* PQF_EXIT_USAGE: flags that do not go together. */
int pqf_start_check(const pqf_arguments *arguments);

/* Makes the model that is to be fitted, whose callback is that of `training`. Gives an exit code.
 */
int pqf_start_model(pqf_model **out, const pqf_arguments *arguments, pqf_training *training);

#endif
