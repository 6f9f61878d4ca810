#include "report.h"

#include "arguments.h"
#include "failure.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LABEL = 32, COLUMN = 14 };

json_t *pqf_json_real(double value)
{
  return isfinite(value) ? json_real(value) : json_null();
}

int pqf_print_json(json_t *root)
{
  /* jansson escapes control characters below 80 alone */
  const size_t shown = isatty(STDOUT_FILENO) == 1 ? JSON_ENSURE_ASCII : 0;
  char *text = root != NULL ? json_dumps(root, JSON_INDENT(2) | shown) : NULL;
  json_decref(root);
  if (text == NULL)
    return pqf_say(PQF_EXIT_FAILED, "out of memory");
  puts(text);
  free(text);
  return PQF_EXIT_DONE;
}

/* A metric that has been asked for; its label with the length of the lists. */
static bool label_of(const pqf_metric *metric, const pqf_evaluate_options *options, char out[LABEL])
{
  pqf_metric_label(metric, options->k, out, LABEL);
  return (metric->group & options->metrics) != 0;
}

/* A number in a column of its own, and "-" in the place of a NaN. */
static void print_number(double value, int width)
{
  if (isnan(value))
    printf("%*s", width, "-");
  else
    printf("%*.6f", width, value);
}

static void print_unknown(const char *label, const char *verb, const pqf_unknown *unknown)
{
  if (unknown->cells > 0)
    printf("%-*s %" PRId64 " cells %s: the model does not know %" PRId64
           " of their rows and %" PRId64 " of their columns\n",
           COLUMN, label, unknown->cells, verb, unknown->ids[PQF_ROWS], unknown->ids[PQF_COLS]);
}

void pqf_report_print(const pqf_report *report)
{
  char label[LABEL];
  for (int n = 0; n < PQF_METRICS; ++n) {
    if (!label_of(&pqf_metric_table[n], report->options, label))
      continue;
    printf("%-*s", COLUMN, label);
    print_number(pqf_metric_value(&pqf_metric_table[n], report->metrics), 12);
    putchar('\n');
  }
  if ((report->options->metrics & PQF_METRICS_RATING) != 0)
    printf("%-*s%12" PRId64 "\n", COLUMN, "cells", report->metrics->cells);
  if ((report->options->metrics & PQF_METRICS_RANKING) != 0)
    printf("%-*s%12" PRId64 "\n", COLUMN, "rows", report->metrics->rows);
  print_unknown("not measured", "to test with", report->unknown);
  print_unknown("not excluded", "to leave out", report->excluded_unknown);
}

static json_t *unknown_json(const pqf_unknown *unknown)
{
  return json_pack("{s:I, s:I, s:I}", "cells", (json_int_t)unknown->cells, "rows",
                   (json_int_t)unknown->ids[PQF_ROWS], "cols", (json_int_t)unknown->ids[PQF_COLS]);
}

json_t *pqf_report_json(const pqf_report *report)
{
  json_t *root = json_pack("{s:I, s:I, s:i, s:o, s:o}", "cells", (json_int_t)report->metrics->cells,
                           "rows", (json_int_t)report->metrics->rows, "k", (int)report->options->k,
                           "unknown", unknown_json(report->unknown), "exclude_unknown",
                           unknown_json(report->excluded_unknown));
  for (int n = 0; n < PQF_METRICS; ++n) {
    const pqf_metric *metric = &pqf_metric_table[n];
    if ((metric->group & report->options->metrics) != 0)
      (void)json_object_set_new(root, metric->name,
                                pqf_json_real(pqf_metric_value(metric, report->metrics)));
  }
  return root;
}

void pqf_measured_print(const pqf_measured *measured, const pqf_evaluate_options *options)
{
  char label[LABEL];
  printf("%-*s%12s%12s\n", COLUMN, "metric", "mean", "deviation");
  for (int n = 0; n < PQF_METRICS; ++n) {
    if (!label_of(&pqf_metric_table[n], options, label))
      continue;
    printf("%-*s", COLUMN, label);
    print_number(measured->mean[n], 12);
    print_number(measured->deviation[n], 12);
    putchar('\n');
  }
}

json_t *pqf_measured_json(const pqf_measured *measured, const pqf_evaluate_options *options)
{
  json_t *root = json_pack("{s:i, s:f, s:f}", "k", (int)options->k, "seconds", measured->seconds,
                           "epochs", measured->epochs);
  for (int n = 0; n < PQF_METRICS; ++n) {
    const pqf_metric *metric = &pqf_metric_table[n];
    if ((metric->group & options->metrics) != 0)
      (void)json_object_set_new(root, metric->name,
                                json_pack("{s:o, s:o}", "mean", pqf_json_real(measured->mean[n]),
                                          "deviation", pqf_json_real(measured->deviation[n])));
  }
  return root;
}
