/* A fit in progress: what fit.c, which runs it, shares with the files that prepare it. */
#ifndef PQF_SRC_FIT_H
#define PQF_SRC_FIT_H

#include "backends.h"
#include "data.h"
#include "model.h"
#include "threads.h"

#include <time.h>

typedef struct pqf_fit_state {
  const pqf_options *options;
  const pqf_data *train;
  const pqf_data *validation; /* NULL: none */
  pqf_chosen chosen;
  pqf_team *team;
  pqf_host host;
  pqf_problem problem;
  pqf_training *training;
  pqf_fitted fitted; /* initial factors first, the result in the end */
  pqf_course course;
  double lowest;   /* loss of the factors that the back end keeps as the best */
  double best;     /* the loss that early stopping compares with */
  int64_t counter; /* epochs in a row that did not beat it */
  int64_t done;    /* whole epochs */
  struct timespec begin;
  double seconds_before;         /* of the fit that this one goes on with */
  const pqf_checkpoint *resumed; /* where it left off; NULL: a new fit */
} pqf_fit_state;

/* fit.c */

/* Whether the back end keeps the best factors. */
int pqf_fit_keeps_best(const pqf_fit_state *fit);

/* Whether all of the factors in `fitted` are finite. */
int pqf_fit_is_finite(const pqf_fit_state *fit);

/* Since the fit began, what went before a resume included. */
double pqf_fit_seconds(const pqf_fit_state *fit);

/* fit_setup.c */

/* Checks that model and data go together, and chooses the back end. */
int pqf_fit_check(pqf_fit_state *fit, const pqf_model *model);

/* Where `auto` chose a module that has failed with `status`: chooses the CPU and returns 1. */
int pqf_fit_takes_over(pqf_fit_state *fit, int status);

/* What the back end is to train. */
int pqf_fit_problem(pqf_fit_state *fit);

/* Makes room for the factors; biases are zero. */
int pqf_fit_make_room(pqf_fit_state *fit);

/* Makes room and fills in the initial factors. */
int pqf_fit_initial(pqf_fit_state *fit, const pqf_model *model);

/* Opens the training and hands it the factors, after the best ones of a fit that is resumed. */
int pqf_fit_open(pqf_fit_state *fit);

/* Refuses what the option memory_limit does not allow. */
int pqf_fit_check_memory(pqf_fit_state *fit);

/* Copies factors and biases from the back end; a side without a bias is passed over. */
int pqf_fit_fetch(pqf_fit_state *fit, int32_t which, float *p, float *q, float *const bias[2]);

/* checkpoint.c */

void pqf_fingerprint_take(const pqf_data *data, pqf_fingerprint *out);

/* Takes up the fit that `model` is a checkpoint of, in the place of pqf_fit_initial(); refuses
 * other data and another problem. */
int pqf_checkpoint_restore(pqf_fit_state *fit, const pqf_model *model);

/* Makes ready, and writes the first one, so that what cannot be written is told before the first
 * epoch. Like pqf_checkpoint_write() it does nothing without the option `checkpoint`. */
int pqf_checkpoint_begin(pqf_fit_state *fit);

/* Whether the epoch that has just ended is one to write after. */
int pqf_checkpoint_is_due(const pqf_fit_state *fit);

/* Factors that are not finite are passed over: the fit is about to diverge. */
int pqf_checkpoint_write(pqf_fit_state *fit);

#endif
