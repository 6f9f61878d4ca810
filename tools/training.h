/* One fit as a command runs it: with progress, and ended by a signal at a whole epoch. */
#ifndef PQF_TOOLS_TRAINING_H
#define PQF_TOOLS_TRAINING_H

#include "progress.h"

/* `callback` and `payload` of the options of a model that is fitted by pqf_train(). */
typedef struct pqf_training {
  bool lines; /* print a line every 100 epochs, as the notebook does */
  bool quiet;
  bool resume;       /* go on with the checkpoint that the model is */
  const char *label; /* of the progress bar */
  pqf_progress progress;
} pqf_training;

/* The callback; its payload is a pqf_training. */
int pqf_training_epoch(const pqf_epoch *epoch, void *payload);

/* Fits, with signals watched by the caller. The words are set when it fails. */
int pqf_train(pqf_training *training, pqf_model *model, const pqf_data *train,
              const pqf_data *validation);

#endif
