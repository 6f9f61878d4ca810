/* Lines of a text file, plain or gzip-compressed. */
#ifndef PQF_TOOLS_TEXT_FILE_H
#define PQF_TOOLS_TEXT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

typedef struct pqf_text_file {
  const char *path; /* borrowed, for words */
  gzFile file;
  char *buffer;
  size_t capacity;
  size_t start;  /* of the present line */
  size_t length; /* of the present line, without its end */
  size_t next;   /* where the line after it starts */
  size_t filled; /* bytes in the buffer */
  int64_t line;  /* number of the last line read, from 1 */
  bool ended;    /* nothing is left to read into the buffer */
  bool has_zero; /* a NUL has been read into it, perhaps lines ahead */
} pqf_text_file;

/* A zeroed struct is closed; `path` must outlive the file. */
int pqf_text_open(pqf_text_file *text, const char *path);
void pqf_text_close(pqf_text_file *text);

/* Goes to the next line, without its LF or CRLF and ended by NUL: buffer + start. 1: there is one,
 * 0: the file has ended, negative: it failed. A line with a NUL byte in it is refused. */
int pqf_text_next(pqf_text_file *text);

/* Makes the next line part of the present one, with the line end between them kept; as
 * above. The buffer
 * may move. */
int pqf_text_more(pqf_text_file *text);

#endif
