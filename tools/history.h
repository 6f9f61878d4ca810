/* The course of a fit as a CSV file. */
#ifndef PQF_TOOLS_HISTORY_H
#define PQF_TOOLS_HISTORY_H

#include "pqf.h"

/* Writes `epoch,loss,validation_loss,seconds`, a line for each epoch of the model's last fit; the
 * validation loss is empty where there was none. */
int pqf_write_history(const pqf_model *model, const char *path);

#endif
