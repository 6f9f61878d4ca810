#include "metrics.h"

#include "failure.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define METRIC(name, group, lower, of_lists)                                                       \
  {                                                                                                \
#name, offsetof(pqf_metrics, name), PQF_METRICS_##group, lower, of_lists                       \
  }

const pqf_metric pqf_metric_table[PQF_METRICS] = {
    METRIC(rmse, RATING, true, false),       METRIC(mae, RATING, true, false),
    METRIC(precision, RANKING, false, true), METRIC(recall, RANKING, false, true),
    METRIC(ndcg, RANKING, false, true),      METRIC(map, RANKING, false, true),
    METRIC(mrr, RANKING, false, true),       METRIC(auc, RANKING, false, false),
    METRIC(coverage, RANKING, false, true),
};

const pqf_metric *pqf_find_metric(const char *name)
{
  for (int n = 0; n < PQF_METRICS; ++n)
    if (strcmp(pqf_metric_table[n].name, name) == 0)
      return &pqf_metric_table[n];
  (void)pqf_say(0,
                "there is no metric \"%s\": rmse, mae, precision, recall, ndcg, map, mrr, auc, "
                "coverage",
                name);
  return NULL;
}

double pqf_metric_value(const pqf_metric *metric, const pqf_metrics *values)
{
  double value;
  memcpy(&value, (const char *)values + metric->offset, sizeof value);
  return value;
}

void pqf_metric_label(const pqf_metric *metric, int32_t k, char *out, size_t capacity)
{
  if (metric->of_lists)
    (void)snprintf(out, capacity, "%s@%" PRId32, metric->name, k);
  else
    (void)snprintf(out, capacity, "%s", metric->name);
}

bool pqf_metric_better(const pqf_metric *metric, double value, double other)
{
  if (isnan(value) || isnan(other))
    return !isnan(value);
  return metric->lower ? value < other : value > other;
}
