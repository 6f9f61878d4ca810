/* The metrics of pqf_evaluate() by name. */
#ifndef PQF_TOOLS_METRICS_H
#define PQF_TOOLS_METRICS_H

#include "pqf.h"

#include <stdbool.h>

enum { PQF_METRICS = 9 };

typedef struct pqf_metric {
  const char *name;
  size_t offset;  /* in pqf_metrics */
  uint32_t group; /* PQF_METRICS_... */
  bool lower;     /* lower is better */
  bool of_lists;  /* depends on the length of a list */
} pqf_metric;

/* Those of ratings first. */
extern const pqf_metric pqf_metric_table[PQF_METRICS];

/* NULL: there is none of that name, and the words list them. */
const pqf_metric *pqf_find_metric(const char *name);

double pqf_metric_value(const pqf_metric *metric, const pqf_metrics *values);

/* "recall@10", or the plain name of one that is not of lists. */
void pqf_metric_label(const pqf_metric *metric, int32_t k, char *out, size_t capacity);

/* Whether a value is better than another; a NaN is worse than any. */
bool pqf_metric_better(const pqf_metric *metric, double value, double other);

#endif
