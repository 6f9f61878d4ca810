/* The insides of pqf_model. */
#ifndef PQF_SRC_MODEL_H
#define PQF_SRC_MODEL_H

#include "checksum.h"
#include "ids.h"
#include "pqf.h"

/* The cells of some data, told from others: their number, and a checksum of all of them. */
typedef struct pqf_fingerprint {
  int64_t cells;
  char digits[PQF_CHECKSUM_DIGITS + 1]; /* empty: there is no data */
} pqf_fingerprint;

/* What a fit in progress has beside its factors and its course, and pqf_resume() goes on from.
 * Counts where the course's stop_reason is PQF_STOP_RUNNING. */
typedef struct pqf_checkpoint {
  int64_t counter; /* epochs in a row that did not beat the best loss */
  pqf_fingerprint train;
  pqf_fingerprint validation;
  int32_t solver; /* of the fit; options may have changed since */
  int32_t update;
  int32_t objective;
  const float *best[2]; /* P, Q of the lowest loss; NULL: not kept */
  const float *best_bias[2];
  float *owned_best[2]; /* NULL: they lie in the mapped file */
  float *owned_best_bias[2];
} pqf_checkpoint;

/* The model file that a loaded model lies in. */
typedef struct pqf_source {
  void *mapping; /* NULL: no file is mapped */
  size_t mapping_size;
  char *path;       /* for error messages */
  const char *data; /* the tensors, data_size bytes */
  size_t data_size;
  char digits[PQF_CHECKSUM_DIGITS + 1]; /* their checksum as the file has it; empty: it has none */
  int is_verified;                      /* pqf_source_verify() has found it whole */
} pqf_source;

/* What a fit or a load makes, replaced as a whole. */
typedef struct pqf_fitted {
  int64_t rows; /* 0: not fitted */
  int64_t cols;
  int64_t factors;
  const float *p; /* rows x factors */
  const float *q; /* cols x factors */
  float *owned_p; /* NULL: they lie in the mapped file, biases too */
  float *owned_q;
  const float *bias[2]; /* PQF_ROWS, PQF_COLS; NULL: none */
  float *owned_bias[2];
  double mean;     /* 0: none */
  pqf_ids *ids[2]; /* PQF_ROWS, PQF_COLS; NULL: none */
  pqf_source source;
  pqf_checkpoint checkpoint;
} pqf_fitted;

/* The course of the last fit, also of one that failed. */
typedef struct pqf_course {
  pqf_epoch *epochs;
  int64_t count;
  int64_t capacity;
  int64_t best_epoch; /* 0: none */
  double best_loss;
  int64_t stop_reason;
  double seconds;
} pqf_course;

struct pqf_model {
  pqf_options options; /* texts are copies */
  pqf_fitted fitted;
  pqf_course course;
  float *initial_p; /* for PQF_INIT_GIVEN; NULL: not given */
  float *initial_q;
  int64_t initial_rows;
  int64_t initial_cols;
};

/* Releases the best factors and leaves it empty. */
void pqf_checkpoint_clear(pqf_checkpoint *checkpoint);

/* Releases what a fit or a load made, whole or half-built, and leaves it empty. */
void pqf_fitted_clear(pqf_fitted *fitted);

/* What a prediction has beside p.q: the mean and the biases. All are summed up in double and
 * rounded once, since a large mean would leave nothing of small differences. */
static inline int pqf_fitted_has_offsets(const pqf_fitted *fitted)
{
  return fitted->mean != 0 || fitted->bias[PQF_ROWS] != NULL || fitted->bias[PQF_COLS] != NULL;
}

static inline double pqf_fitted_row_offset(const pqf_fitted *fitted, int64_t row)
{
  const float *bias = fitted->bias[PQF_ROWS];
  return fitted->mean + (bias != NULL ? (double)bias[row] : 0);
}

static inline float pqf_fitted_prediction(const pqf_fitted *fitted, double row_offset, int64_t col,
                                          float product)
{
  const float *bias = fitted->bias[PQF_COLS];
  return (float)(row_offset + (bias != NULL ? (double)bias[col] : 0) + (double)product);
}

/* Checks what takes a pass over all of the file that a model was loaded from, if it has not been
 * checked before: the tensors' checksum where the file has one, that factors and biases are finite,
 * that ids differ and texts are UTF-8. PQF_EFORMAT; PQF_OK for a model from elsewhere. */
int pqf_source_verify(const pqf_fitted *fitted);

/* PQF_EINVAL for NULL, PQF_EUNFITTED before the first fit. */
int pqf_check_fitted(const pqf_model *model);

#endif
