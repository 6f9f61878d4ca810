/* Files that appear whole or not at all. */
#ifndef PQF_TOOLS_OUTPUT_H
#define PQF_TOOLS_OUTPUT_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pqf_output {
  const char *path; /* as it was given, for words */
  char *target;     /* what `path` leads to, behind symbolic links; NULL: no file on a disk */
  char *temporary;  /* beside the target; takes its name in the end */
  int file;         /* its descriptor, or -1 */
} pqf_output;

/* Opens a new file that is to take the name `path`, which must outlive it. What is no file on a
 * disk (a pipe, a device, "-" for standard output) is written to directly. */
int pqf_output_open(pqf_output *output, const char *path);

/* Fails early where pqf_output_open() or pqf_save() would: no such folder, not allowed. */
int pqf_output_check(const char *path);

int pqf_output_write(pqf_output *output, const void *bytes, size_t count);

/* Puts the words of errno and gives PQF_EIO. */
int pqf_output_fail(const pqf_output *output);

/* Flushes the file to the disk and gives it its name. */
int pqf_output_finish(pqf_output *output);

/* Closes it; what was not finished is removed. A zeroed struct with file -1 is allowed. */
void pqf_output_close(pqf_output *output);

/* Removes the file that is not finished, for a process that ends where it stands; safe in a
 * handler. */
void pqf_output_abandon(void);

#ifdef __cplusplus
}
#endif

#endif
