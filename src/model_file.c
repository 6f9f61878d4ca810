/* What the writer and the reader of model files share. */
#include "model_file.h"

#include "error.h"

#include <errno.h>
#include <string.h>

const pqf_history_list pqf_history_lists[PQF_HISTORY_LISTS] = {
    {"history.loss", offsetof(pqf_epoch, loss)},
    {"history.best_loss", offsetof(pqf_epoch, best_loss)},
    {"history.validation_loss", offsetof(pqf_epoch, validation_loss)},
    {"history.seconds", offsetof(pqf_epoch, seconds)},
    {"history.observed", offsetof(pqf_epoch, observed)},
    {"history.unobserved", offsetof(pqf_epoch, unobserved)},
    {"history.regularization", offsetof(pqf_epoch, regularization)},
};

const char *const pqf_factor_names[2] = {"P", "Q"};
const char *const pqf_bias_names[2] = {"row_bias", "col_bias"};
const char *const pqf_best_names[2] = {"best_P", "best_Q"};
const char *const pqf_best_bias_names[2] = {"best_row_bias", "best_col_bias"};

int pqf_option_stays(const char *name)
{
  return strcmp(name, "backend_path") == 0 || strcmp(name, "checkpoint") == 0;
}

void pqf_head_checksum(const char *head, size_t length, size_t place, char out[PQF_CHECKSUM_DIGITS])
{
  const size_t after = place + PQF_CHECKSUM_DIGITS;
  pqf_checksum sum;
  pqf_checksum_start(&sum);
  pqf_checksum_add(&sum, head, place);
  pqf_checksum_add(&sum, PQF_NO_DIGITS, PQF_CHECKSUM_DIGITS);
  pqf_checksum_add(&sum, head + after, length - after);
  pqf_checksum_digits(&sum, out);
}

size_t pqf_head_digits(const char *head, size_t length)
{
  /* Inside a JSON string each of these quotes would have a backslash before it. */
  static const char before[] = "\"" PQF_KEY_HEAD_SUM "\":\"";
  const size_t size = sizeof before - 1;
  const char *found = memmem(head, length, before, size);
  if (found == NULL || (size_t)(found - head) + size + PQF_CHECKSUM_DIGITS > length)
    return 0;
  return (size_t)(found - head) + size;
}

const char *pqf_stop_word(int64_t stop_reason)
{
  static const char *const words[] = {
      [PQF_STOP_NONE] = "none",         [PQF_STOP_EPOCHS] = "epochs",
      [PQF_STOP_EARLY] = "early",       [PQF_STOP_CANCELED] = "canceled",
      [PQF_STOP_DIVERGED] = "diverged", [PQF_STOP_RUNNING] = "running",
  };
  const int64_t count = sizeof words / sizeof words[0];
  return stop_reason >= 0 && stop_reason < count ? words[stop_reason] : NULL;
}

const char *pqf_path_words(const char *path)
{
  const size_t most = 256;
  const size_t length = strlen(path);
  return length > most ? path + (length - most) : path;
}

int pqf_file_failed(const char *path, const char *what, int error)
{
  char words[128];
  return pqf_fail(error == ENOMEM ? PQF_ENOMEM : PQF_EIO, "%s: %s: %s", pqf_path_words(path), what,
                  strerror_r(error, words, sizeof words));
}
