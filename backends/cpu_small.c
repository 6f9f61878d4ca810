/* Small systems that need care rather than speed: see cpu_als.h.
 *
 * solve_semidefinite is Cholesky's decomposition with the largest remaining diagonal element as the
 * next pivot (Higham 2002, section 10.3). Elements that have sunk into the rounding of what they
 * were summed from belong to directions about which nothing is known: those unknowns are 0.
 *
 * solve_nonnegative is cyclic coordinate descent: each unknown in turn takes the value that is best
 * for the others, cut at 0, until none moves. The objective falls at each move. */
#include "cpu_als.h"

#include <math.h>
#include <string.h>

enum { MOST_PASSES = 500 };
static const double rounding = 1e-13;

static void mirror(double *a, int64_t d, int64_t k)
{
  for (int64_t row = 1; row < k; row++)
    for (int64_t col = 0; col < row; col++)
      a[row * d + col] = a[col * d + row];
}

/* The unknown with the largest diagonal element that is more than rounding; -1: there is none.
 * Whatever is not a number is taken, so that it shows in the solution. */
static int64_t next_pivot(const double *left, const double *magnitude, int64_t k)
{
  int64_t best = -1;
  for (int64_t f = 0; f < k; f++)
    if (!(left[f] <= rounding * magnitude[f]) && (best < 0 || !(left[f] <= left[best])))
      best = f;
  return best;
}

/* Row `pivot` of the matrix becomes that of U: the earlier rows of U are taken off, in the order of
 * their pivots. Columns that are eliminated already hold what rounding has left of them. */
static void reduce_row(pqf_cpu_double_worker *w, int64_t d, int64_t k, int64_t rank, int64_t pivot)
{
  double *row = w->matrix + pivot * d;
  for (int64_t n = 0; n < rank; n++) {
    const double *earlier = w->matrix + w->order[n] * d;
    const double factor = earlier[pivot];
    for (int64_t f = 0; f < k; f++)
      row[f] -= factor * earlier[f];
  }
  w->inverse[pivot] = 1 / sqrt(row[pivot]);
  for (int64_t f = 0; f < k; f++)
    row[f] *= w->inverse[pivot];
}

void pqf_cpu_solve_semidefinite(pqf_cpu_double_worker *w, int64_t d, int64_t k)
{
  double *left = w->scale; /* of the diagonal elements */
  int64_t rank = 0;
  int64_t pivot;
  mirror(w->matrix, d, k);
  memset(w->x, 0, (size_t)d * sizeof *w->x);
  for (int64_t f = 0; f < k; f++)
    left[f] = w->matrix[f * d + f];
  while (rank < k && (pivot = next_pivot(left, w->magnitude, k)) >= 0) {
    reduce_row(w, d, k, rank, pivot);
    const double *row = w->matrix + pivot * d;
    w->x[pivot] = w->right_side[pivot] * w->inverse[pivot];
    for (int64_t f = 0; f < k; f++) {
      w->right_side[f] -= row[f] * w->x[pivot];
      left[f] -= row[f] * row[f];
    }
    left[pivot] = -INFINITY;
    w->order[rank++] = (int32_t)pivot;
  }
  for (int64_t n = rank - 1; n >= 0; n--) {
    const int64_t f = w->order[n];
    double sum = w->x[f];
    for (int64_t later = n + 1; later < rank; later++)
      sum -= w->matrix[f * d + w->order[later]] * w->x[w->order[later]];
    w->x[f] = (double)(float)(sum * w->inverse[f]);
  }
}

void pqf_cpu_solve_nonnegative(pqf_cpu_double_worker *w, int64_t d, int64_t k)
{
  double largest = 0;
  mirror(w->matrix, d, k);
  memset(w->x, 0, (size_t)d * sizeof *w->x);
  for (int pass = 0; pass < MOST_PASSES; pass++) {
    double moved = 0;
    for (int64_t f = 0; f < k; f++) {
      const double *row = w->matrix + f * d;
      if (!(row[f] > 0))
        continue;
      double gradient = -w->right_side[f];
      for (int64_t n = 0; n < k; n++)
        gradient += row[n] * w->x[n];
      const double wanted = w->x[f] - gradient / row[f];
      const double value = wanted > 0 ? (double)(float)wanted : 0;
      moved = fmax(moved, fabs(value - w->x[f]));
      largest = fmax(largest, value);
      w->x[f] = value;
    }
    if (moved <= 1e-6 * largest)
      break;
  }
}
