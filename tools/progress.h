/* The progress bar of a fit: one line on standard error, if that is a terminal. */
#ifndef PQF_TOOLS_PROGRESS_H
#define PQF_TOOLS_PROGRESS_H

#include "pqf.h"

#include <stdbool.h>

typedef struct pqf_progress {
  const char *label; /* before the bar, such as "fold 2/5"; "": none */
  bool wanted;       /* there is a terminal, and it was not asked to be quiet */
  bool shown;
  double last; /* when it was drawn, in seconds of the fit */
} pqf_progress;

void pqf_progress_start(pqf_progress *progress, const char *label, bool quiet);

/* Draws what is known after an epoch; at most ten times a second. */
void pqf_progress_show(pqf_progress *progress, const pqf_epoch *epoch);

/* Wipes the line, for others to be printed; the next show() draws it anew. */
void pqf_progress_clear(pqf_progress *progress);

#endif
