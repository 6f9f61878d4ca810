/* Steps between ticks are 1, 2 or 5 times a power of ten, and about five of them fit an axis. A
 * logarithmic axis has its ticks at 1, 2 and 5 times each power of ten, or at powers of ten alone
 * where it spans three of them, each second one, third one, ... where it spans many. */
#include "axis.h"

#include <math.h>
#include <stdio.h>

enum { STEPS = 5, POWERS = 8 };

static const double far_apart = 50;

static double round_step(double rough)
{
  const double power = pow(10, floor(log10(rough)));
  const double digit = rough / power;
  const double round = digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10;
  return round * power;
}

static void add_tick(pqf_axis *axis, double value)
{
  if (axis->tick_count < PQF_MOST_TICKS)
    axis->ticks[axis->tick_count++] = value;
}

static void make_linear(pqf_axis *axis)
{
  if (!(axis->high > axis->low)) { /* one number: some room around it */
    const double room = axis->low != 0 ? fabs(axis->low) / 2 : 1;
    axis->low -= room;
    axis->high += room;
  }
  axis->step = round_step((axis->high - axis->low) / STEPS);
  const double first = floor(axis->low / axis->step), last = ceil(axis->high / axis->step);
  axis->low = first * axis->step;
  axis->high = last * axis->step;
  for (int n = 0; n <= (int)(last - first); ++n)
    add_tick(axis, (first + n) * axis->step);
}

static void make_logarithmic(pqf_axis *axis)
{
  static const double digits[] = {1, 2, 5};
  const int first = (int)floor(log10(axis->low)), last = (int)ceil(log10(axis->high));
  const bool powers_only = log10(axis->high / axis->low) >= 3;
  const int stride = powers_only ? (last - first + POWERS - 1) / POWERS : 1;
  for (int power = first; power <= last; power += stride)
    for (int n = 0; n < (powers_only ? 1 : 3); ++n) {
      const double tick = digits[n] * pow(10, power);
      if (tick >= axis->low && tick <= axis->high)
        add_tick(axis, tick);
    }
}

void pqf_axis_make(pqf_axis *axis, double low, double high, bool may_be_logarithmic, double first,
                   double last)
{
  *axis = (pqf_axis){.low = low, .high = high, .first = first, .last = last};
  axis->logarithmic = may_be_logarithmic && low > 0 && high / low >= far_apart;
  if (axis->logarithmic)
    make_logarithmic(axis);
  else
    make_linear(axis);
}

double pqf_axis_place(const pqf_axis *axis, double value)
{
  const double part = axis->logarithmic ? log(value / axis->low) / log(axis->high / axis->low)
                                        : (value - axis->low) / (axis->high - axis->low);
  return axis->first + part * (axis->last - axis->first);
}

void pqf_axis_label(const pqf_axis *axis, int tick, char out[PQF_TICK_TEXT])
{
  const double value = axis->ticks[tick];
  const double largest = fmax(fabs(axis->low), fabs(axis->high));
  const int decimals = axis->step > 0 ? (int)-floor(log10(axis->step) + 1e-9) : 0;
  if (axis->logarithmic || largest >= 1e6 || largest < 1e-3)
    (void)snprintf(out, PQF_TICK_TEXT, "%.6g", value);
  else
    (void)snprintf(out, PQF_TICK_TEXT, "%.*f", decimals > 0 ? decimals : 0, value);
}
