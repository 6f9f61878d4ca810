/* The least that one row's objective can be, by a decomposition that does not square its condition,
 * and what it is for the factors that a fit gave. Apart from src/ and backends/. */
#ifndef PQF_TESTS_ROW_REFERENCE_H
#define PQF_TESTS_ROW_REFERENCE_H

#include "als_reference.h"

typedef struct row_fit {
  double minimum;          /* of the row's objective */
  double reached;          /* with the state's factors and bias of the row */
  double rounded;          /* with the solution rounded to float */
  double square_sum;       /* sum of w t^2, t without the other side's biases */
  double largest_diagonal; /* of the row's matrix, lambda left out */
  double lambda;           /* of the row */
  int64_t cells;           /* that are present */
} row_fit;

/* `state` has the row, and the other side that it was solved for. */
row_fit row_fit_measure(const als_problem *problem, const als_state *state, int side, int64_t own);

/* How far beyond its bar the row is: (reached - minimum) / (1e-4 minimum + a part of square_sum).
 * The part is 1e-10; 1e-8 for a row of about as many cells as unknowns that nearly interpolates;
 * and 1e-7 where lambda is below 1e-11 of the largest diagonal element. There the solution may be
 * larger than what float can express: a row that is no worse than the solution rounded to float is
 * within its bar as well. */
double row_fit_excess(const als_problem *problem, const row_fit *fit);

#endif
