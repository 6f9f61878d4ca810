/* Metrics as a table or as JSON. */
#ifndef PQF_TOOLS_REPORT_H
#define PQF_TOOLS_REPORT_H

#include "folds.h"
#include "match.h"

#include <jansson.h>

/* What a file that is measured by had that the model does not know. */
typedef struct pqf_report {
  const pqf_metrics *metrics;
  const pqf_evaluate_options *options;
  const pqf_unknown *unknown;          /* of the cells to test with */
  const pqf_unknown *excluded_unknown; /* of those excluded */
} pqf_report;

void pqf_report_print(const pqf_report *report);
json_t *pqf_report_json(const pqf_report *report);

/* The means and deviations of cross-validation. */
void pqf_measured_print(const pqf_measured *measured, const pqf_evaluate_options *options);
json_t *pqf_measured_json(const pqf_measured *measured, const pqf_evaluate_options *options);

/* Prints a JSON value, which it takes over; NULL: there was no memory for it. Gives the exit
 * code. */
int pqf_print_json(json_t *root);

/* JSON has no NaN. */
json_t *pqf_json_real(double value);

#endif
