/* The course of a fit as a picture. */
#ifndef PQF_TOOLS_PLOT_H
#define PQF_TOOLS_PLOT_H

#include "pqf.h"

/* Draws the loss of each epoch of the model's last fit, and below it that of the validation cells
 * where there were any, against seconds, as SVG. */
int pqf_write_plot(const pqf_model *model, const char *path);

#endif
