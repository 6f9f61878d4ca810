/* Axes of a plot: from numbers to pixels, and round ticks. */
#ifndef PQF_TOOLS_AXIS_H
#define PQF_TOOLS_AXIS_H

#include <stdbool.h>

enum { PQF_MOST_TICKS = 32, PQF_TICK_TEXT = 32 };

typedef struct pqf_axis {
  bool logarithmic;
  double low; /* numbers at both ends */
  double high;
  double first; /* pixels there */
  double last;
  int tick_count;
  double ticks[PQF_MOST_TICKS];
  double step; /* from one tick to the next; 0: logarithmic */
} pqf_axis;

/* An axis from `low` to `high` or a little further. Logarithmic if that is asked for, both are
 * above 0, and they are far apart. */
void pqf_axis_make(pqf_axis *axis, double low, double high, bool may_be_logarithmic, double first,
                   double last);

double pqf_axis_place(const pqf_axis *axis, double value);

/* Writes a tick's number with as many digits as its step needs. */
void pqf_axis_label(const pqf_axis *axis, int tick, char out[PQF_TICK_TEXT]);

#endif
