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
  int32_t counter; /* epochs in a row that did not beat it */
  struct timespec begin;
} pqf_fit_state;

/* fit_setup.c */

/* Checks that model and data go together, and chooses the back end. */
int pqf_fit_check(pqf_fit_state *fit, const pqf_model *model);

/* Where `auto` chose a module that has failed with `status`: chooses the CPU and returns 1. */
int pqf_fit_takes_over(pqf_fit_state *fit, int status);

/* What the back end is to train. */
int pqf_fit_problem(pqf_fit_state *fit);

/* Makes room for the factors and fills in the initial ones. */
int pqf_fit_initial(pqf_fit_state *fit, const pqf_model *model);

/* Opens the training and hands it the factors. */
int pqf_fit_open(pqf_fit_state *fit);

/* Refuses what the option memory_limit does not allow. */
int pqf_fit_check_memory(pqf_fit_state *fit);

/* Copies factors and biases from the back end to `fitted`. */
int pqf_fit_fetch(pqf_fit_state *fit, int32_t which);

#endif
