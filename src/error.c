/* One sentence per status, and the words of each thread's last failure: the only mutable state of
 * the library that no object holds. */
#include "error.h"

#include "escape.h"

#include <stdio.h>
#include <string.h>

static _Thread_local char words[PQF_ERROR_SIZE];

const char *pqf_strerror(int status)
{
  switch (status) {
  case PQF_OK:
    return "success";
  case PQF_EINVAL:
    return "an argument or an option is wrong";
  case PQF_ENOMEM:
    return "out of memory";
  case PQF_EDIVERGED:
    return "the fit diverged";
  case PQF_ECANCELED:
    return "the fit was cancelled";
  case PQF_ENOTSUP:
    return "not supported";
  case PQF_EBACKEND:
    return "the back end cannot be used";
  case PQF_EIO:
    return "a file could not be read or written";
  case PQF_EFORMAT:
    return "a file or a stream is damaged or of another kind";
  case PQF_EUNFITTED:
    return "the model has not been fitted";
  case PQF_ENOTFOUND:
    return "no such id";
  default:
    return "unknown status";
  }
}

const char *pqf_error_message(void)
{
  return words;
}

int pqf_fail_list(int status, const char *format, va_list list)
{
  char fresh[PQF_ERROR_SIZE]; /* the arguments may point into `words` */
  const int length = vsnprintf(fresh, sizeof fresh, format, list);
  pqf_escape(fresh, length >= PQF_ERROR_SIZE, words, sizeof words);
  return status;
}

int(pqf_fail)(int status, const char *format, ...)
{
  va_list list;
  va_start(list, format);
  pqf_fail_list(status, format, list);
  va_end(list);
  return status;
}

void pqf_error_keep(char out[PQF_ERROR_SIZE])
{
  memcpy(out, words, sizeof words);
}

void pqf_error_restore(const char kept[PQF_ERROR_SIZE])
{
  memcpy(words, kept, sizeof words);
}
