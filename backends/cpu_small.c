/* Small systems that need care rather than speed: see cpu_als.h.
 *
 * solve_semidefinite is Cholesky's decomposition row by row, sums in double. A pivot that has sunk
 * into the rounding of its diagonal element marks a direction about which nothing is known: its row
 * of U becomes zero and its unknown 0. The others still solve the system as far as it has a
 * solution.
 *
 * solve_nonnegative is cyclic coordinate descent: each unknown in turn takes the value that is best
 * for the others, cut at 0, until none moves. The objective falls at each move. */
#include "cpu_als.h"

#include <math.h>
#include <string.h>

enum { MOST_PASSES = 500 };

void pqf_cpu_solve_semidefinite(float *a, int64_t d, int64_t k, float *b, float *x)
{
  for (int64_t row = 0; row < k; row++) {
    const double diagonal = (double)a[row * d + row];
    for (int64_t col = row; col < k; col++) {
      double sum = (double)a[row * d + col];
      for (int64_t n = 0; n < row; n++)
        sum -= (double)a[n * d + row] * (double)a[n * d + col];
      if (col == row)
        a[row * d + row] = sum > 1e-6 * diagonal ? (float)sqrt(sum) : 0;
      else
        a[row * d + col] = a[row * d + row] > 0 ? (float)(sum / (double)a[row * d + row]) : 0;
    }
    double sum = (double)b[row];
    for (int64_t n = 0; n < row; n++)
      sum -= (double)a[n * d + row] * (double)b[n];
    b[row] = a[row * d + row] > 0 ? (float)(sum / (double)a[row * d + row]) : 0;
  }
  memset(x, 0, (size_t)d * sizeof *x);
  for (int64_t row = k - 1; row >= 0; row--) {
    double sum = (double)b[row];
    for (int64_t n = row + 1; n < k; n++)
      sum -= (double)a[row * d + n] * (double)x[n];
    x[row] = a[row * d + row] > 0 ? (float)(sum / (double)a[row * d + row]) : 0;
  }
}

void pqf_cpu_solve_nonnegative(float *a, int64_t d, int64_t k, const float *b, float *x)
{
  for (int64_t row = 1; row < k; row++)
    for (int64_t col = 0; col < row; col++)
      a[row * d + col] = a[col * d + row];
  memset(x, 0, (size_t)d * sizeof *x);
  double largest = 0;
  for (int pass = 0; pass < MOST_PASSES; pass++) {
    double moved = 0;
    for (int64_t f = 0; f < k; f++) {
      const double diagonal = (double)a[f * d + f];
      if (!(diagonal > 0))
        continue;
      double gradient = -(double)b[f];
      for (int64_t n = 0; n < k; n++)
        gradient += (double)a[f * d + n] * (double)x[n];
      const double wanted = (double)x[f] - gradient / diagonal;
      const float value = wanted > 0 ? (float)wanted : 0;
      const double change = fabs((double)value - (double)x[f]);
      moved = change > moved ? change : moved;
      largest = (double)value > largest ? (double)value : largest;
      x[f] = value;
    }
    if (moved <= 1e-6 * largest)
      break;
  }
}
