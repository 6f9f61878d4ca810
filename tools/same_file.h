/* Files that a command line names twice. */
#ifndef PQF_TOOLS_SAME_FILE_H
#define PQF_TOOLS_SAME_FILE_H

#include "arguments.h"

/* PQF_EXIT_USAGE: an output is one of the inputs too, or another output. Starting from a model and
 * replacing it (--from, --output), and resuming from a checkpoint and writing the next ones there
 * (--resume, --checkpoint) are allowed. */
int pqf_arguments_check_files(const pqf_arguments *arguments);

#endif
