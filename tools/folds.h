/* Sets of options measured on cells held out of training: on one share of them (a holdout), or by
 * cross-validation, where each cell is held out once. */
#ifndef PQF_TOOLS_FOLDS_H
#define PQF_TOOLS_FOLDS_H

#include "input.h"
#include "metrics.h"
#include "training.h"

typedef struct pqf_folds {
  const char *path; /* for words */
  const pqf_input_options *input;
  pqf_table table; /* a list of cells */
  pqf_evaluate_options evaluate;
  pqf_split_options split;
  int64_t count; /* folds; 1: a holdout */
  int64_t built; /* the fold that the data are of; -1: none */
  pqf_data *train;
  pqf_data *held_out;
} pqf_folds;

/* Of each metric the mean over the folds, and the standard deviation (n - 1); NaN where it has not
 * been asked for, where a fold has none, and for the deviation of a single one. */
typedef struct pqf_measured {
  double mean[PQF_METRICS];
  double deviation[PQF_METRICS];
  double seconds; /* of all fits */
  double epochs;  /* the mean of the folds' */
} pqf_measured;

/* Reads the file. `count` of 1 holds out `fraction` of the cells. */
int pqf_folds_open(pqf_folds *folds, const char *path, const pqf_input_options *input,
                   int64_t count, double fraction, uint64_t seed);

/* Fits by the options and measures, once for each fold. `label` is for the progress bar. The model
 * of the last fold goes to `model` if that is not NULL; free it with pqf_free(). */
int pqf_folds_measure(pqf_folds *folds, const pqf_options *options, const char *label, bool quiet,
                      pqf_measured *out, pqf_model **model);

/* Fits by the options to all cells. */
int pqf_folds_fit_all(pqf_folds *folds, const pqf_options *options, const char *label, bool quiet,
                      pqf_model **model);

/* A zeroed struct is allowed. */
void pqf_folds_close(pqf_folds *folds);

#endif
