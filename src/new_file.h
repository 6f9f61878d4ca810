/* A file that takes another's place whole, or not at all. */
#ifndef PQF_SRC_NEW_FILE_H
#define PQF_SRC_NEW_FILE_H

#include <stddef.h>

typedef struct pqf_new_file {
  char *path;      /* the target, with symbolic links followed */
  char *temporary; /* NULL: it has no name, or has the target's */
  int descriptor;  /* -1: closed */
  int directory;   /* -1: it could not be opened, so it cannot be flushed */
} pqf_new_file;

/* Makes a temporary file in the folder of `path`. */
int pqf_new_file_open(pqf_new_file *file, const char *path);

/* Appends; `bytes` may be NULL if count is 0. */
int pqf_new_file_write(const pqf_new_file *file, const void *bytes, size_t count);

/* Flushes the file to the disk and gives it the target's name. */
int pqf_new_file_finish(pqf_new_file *file);

/* Ends it, after a failure too: a file that was not finished is removed. */
void pqf_new_file_close(pqf_new_file *file);

#endif
