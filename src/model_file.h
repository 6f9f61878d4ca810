/* What the writer and the reader of model files share; docs/file-format.md describes the file. */
#ifndef PQF_SRC_MODEL_FILE_H
#define PQF_SRC_MODEL_FILE_H

#include "checksum.h"
#include "pqf.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "model files are little-endian and are mapped as they are");

#define PQF_FILE_FORMAT "1"
#define PQF_FILE_FORMAT_OFFSETS "2" /* with a mean or biases, since 0.2.0 */
#define PQF_FILE_METADATA "__metadata__"

/* Keys of the metadata. */
#define PQF_KEY_FORMAT "pqf_format"
#define PQF_KEY_VERSION "pqf_version"
#define PQF_KEY_HEAD_SUM "head_xxh64"
#define PQF_KEY_TENSORS_SUM "tensors_xxh64"
#define PQF_KEY_MEAN "mean"
#define PQF_KEY_OPTION "option." /* then the option's name */
#define PQF_KEY_STOP "fit.stop_reason"
#define PQF_KEY_BEST_EPOCH "fit.best_epoch"
#define PQF_KEY_BEST_LOSS "fit.best_loss"
#define PQF_KEY_SECONDS "fit.seconds"
#define PQF_KEY_FIRST_EPOCH "history.first_epoch"
#define PQF_KEY_COUNTER "checkpoint.counter"
#define PQF_KEY_TRAIN "checkpoint.train"           /* then _CELLS or _SUM */
#define PQF_KEY_VALIDATION "checkpoint.validation" /* likewise */
#define PQF_KEY_CELLS "_cells"
#define PQF_KEY_SUM "_xxh64"

/* The lists of the history: one number per epoch, with a space between two. */
typedef struct pqf_history_list {
  const char *key;
  size_t offset; /* of the double in pqf_epoch */
} pqf_history_list;
enum { PQF_HISTORY_LISTS = 7, PQF_HISTORY_ALWAYS = 4 };
extern const pqf_history_list pqf_history_lists[PQF_HISTORY_LISTS]; /* the loss comes first */

/* Names of tensors: PQF_ROWS, PQF_COLS. */
extern const char *const pqf_factor_names[2];
extern const char *const pqf_bias_names[2];
extern const char *const pqf_best_names[2];
extern const char *const pqf_best_bias_names[2];

/* Options that stay with the process: a file must not say from where its reader loads code, nor
 * what it writes over. */
int pqf_option_stays(const char *name);

/* The head's checksum is taken with this in place of its digits. */
#define PQF_NO_DIGITS "0000000000000000"

enum {
  PQF_FILE_ALIGNMENT = 64,       /* of the first tensor */
  PQF_FILE_EPOCHS_MOST = 524288, /* of the history; keeps the head well below its limit */
  PQF_FILE_HEAD_MOST = 100000000 /* bytes; the limit of the format's other readers, too */
};

/* The checksum of a head whose digits begin at byte `place`. */
void pqf_head_checksum(const char *head, size_t length, size_t place,
                       char out[PQF_CHECKSUM_DIGITS]);

/* The place of the digits in a head; 0: there is none. */
size_t pqf_head_digits(const char *head, size_t length);

/* The word for a PQF_STOP_ number; NULL: there is no such number. */
const char *pqf_stop_word(int64_t stop_reason);

/* The end of a path, short enough that words which begin with it still have room. */
const char *pqf_path_words(const char *path);

/* PQF_EIO, or PQF_ENOMEM where that is what errno says, with "PATH: WHAT: the system's words for
 * errno". */
int pqf_file_failed(const char *path, const char *what, int error);

#endif
