/* With E = P Q' - R, w the weights of cells, s = +1 (gradient) or -1 (notebook):
 *
 *     P1[u] = P0[u] - alpha (2 sum_i w[u,i] E0[u,i] Q0[i] + s beta P0[u])
 *     Q1[i] = Q0[i] - alpha (2 sum_u w[u,i] E0[u,i] P1[u] + s beta Q0[i])
 *     gradient: loss = sum w E0^2 + beta/2 (|P0|^2 + |Q0|^2)
 *     notebook: loss = 1/2 sqrt(sum w (E0 - R)^2) + beta/2 |P0| + |Q0|
 */
#include "reference.h"

#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void reference_matrix_create(reference_matrix *out, int64_t rows, int64_t cols, double weight)
{
  out->rows = rows;
  out->cols = cols;
  out->value = test_allocate(rows * cols, sizeof *out->value);
  out->weight = test_allocate(rows * cols, sizeof *out->weight);
  for (int64_t n = 0; n < rows * cols; ++n)
    out->weight[n] = weight;
}

void reference_matrix_free(reference_matrix *matrix)
{
  free(matrix->value);
  free(matrix->weight);
}

void reference_factors_create(reference_factors *out, const reference_problem *problem,
                              const float *p, const float *q)
{
  const int64_t p_count = problem->train->rows * problem->factors;
  const int64_t q_count = problem->train->cols * problem->factors;
  out->p = test_allocate(p_count, sizeof *out->p);
  out->q = test_allocate(q_count, sizeof *out->q);
  for (int64_t n = 0; n < p_count && p != NULL; ++n)
    out->p[n] = p[n];
  for (int64_t n = 0; n < q_count && q != NULL; ++n)
    out->q[n] = q[n];
}

void reference_factors_free(reference_factors *factors)
{
  free(factors->p);
  free(factors->q);
}

static double dot(const double *a, const double *b, int64_t count)
{
  double sum = 0;
  for (int64_t n = 0; n < count; ++n)
    sum += a[n] * b[n];
  return sum;
}

static double norm(const double *values, int64_t count)
{
  return sqrt(dot(values, values, count));
}

/* E0, rows x cols; the caller frees it. */
static double *errors(const reference_problem *problem, const reference_factors *now)
{
  const reference_matrix *r = problem->train;
  const int64_t k = problem->factors;
  double *e = test_allocate(r->rows * r->cols, sizeof *e);
  for (int64_t u = 0; u < r->rows; ++u)
    for (int64_t i = 0; i < r->cols; ++i)
      e[u * r->cols + i] = dot(now->p + u * k, now->q + i * k, k) - r->value[u * r->cols + i];
  return e;
}

static double loss_of(const reference_problem *problem, const reference_factors *now,
                      const double *e)
{
  const reference_matrix *r = problem->train;
  const double beta = problem->regularization;
  const double p = norm(now->p, r->rows * problem->factors);
  const double q = norm(now->q, r->cols * problem->factors);
  const int notebook = problem->update == PQF_UPDATE_NOTEBOOK;
  double sum = 0;
  for (int64_t n = 0; n < r->rows * r->cols; ++n) {
    const double error = notebook ? e[n] - r->value[n] : e[n];
    sum += r->weight[n] * error * error;
  }
  if (notebook)
    return 0.5 * sqrt(sum) + beta / 2 * p + q;
  return sum + beta / 2 * (p * p + q * q);
}

double reference_epoch(const reference_problem *problem, const reference_factors *now,
                       reference_factors *next)
{
  const reference_matrix *r = problem->train;
  const int64_t k = problem->factors;
  const double alpha = problem->learning_rate;
  const double beta = problem->regularization * (problem->update == PQF_UPDATE_NOTEBOOK ? -1 : 1);
  double *e = errors(problem, now);
  const double loss = loss_of(problem, now, e);
  if (next != NULL) {
    for (int64_t n = 0; n < r->rows * k; ++n)
      next->p[n] = now->p[n] - alpha * beta * now->p[n];
    for (int64_t u = 0; u < r->rows; ++u)
      for (int64_t i = 0; i < r->cols; ++i)
        for (int64_t f = 0; f < k; ++f)
          next->p[u * k + f] -=
              2 * alpha * r->weight[u * r->cols + i] * e[u * r->cols + i] * now->q[i * k + f];
    for (int64_t n = 0; n < r->cols * k; ++n)
      next->q[n] = now->q[n] - alpha * beta * now->q[n];
    for (int64_t u = 0; u < r->rows; ++u)
      for (int64_t i = 0; i < r->cols; ++i)
        for (int64_t f = 0; f < k; ++f)
          next->q[i * k + f] -=
              2 * alpha * r->weight[u * r->cols + i] * e[u * r->cols + i] * next->p[u * k + f];
  }
  free(e);
  return loss;
}

double reference_validation_loss(const reference_problem *problem, const reference_factors *now)
{
  const reference_matrix *held_out = problem->validation;
  const int64_t k = problem->factors;
  double sum = 0;
  double weights = 0;
  for (int64_t u = 0; u < held_out->rows; ++u)
    for (int64_t i = 0; i < held_out->cols; ++i) {
      const int64_t cell = u * held_out->cols + i;
      const double error = dot(now->p + u * k, now->q + i * k, k) - held_out->value[cell];
      sum += held_out->weight[cell] * error * error;
      weights += held_out->weight[cell];
    }
  return weights > 0 ? sum / weights : 0;
}

int64_t reference_fit(const reference_problem *problem, const reference_rule *rule,
                      reference_factors *factors, double *losses)
{
  reference_factors next;
  reference_factors_create(&next, problem, NULL, NULL);
  double best = INFINITY;
  int64_t counter = 0;
  int64_t epoch = 0;
  while (epoch < rule->epochs) {
    const double loss = reference_epoch(problem, factors, &next);
    losses[epoch++] = loss;
    const double judged =
        problem->validation != NULL ? reference_validation_loss(problem, factors) : loss;
    if (judged < best - rule->min_delta) {
      best = judged;
      counter = 0;
    } else {
      ++counter;
    }
    if (rule->patience > 0 && counter >= rule->patience)
      break;
    const reference_factors swapped = *factors;
    *factors = next;
    next = swapped;
  }
  reference_factors_free(&next);
  return epoch;
}

/* A product of float matrices, summed over n terms in any order, is off by at most about
 * sqrt(n) 2^-24 times the product of the factors' norms: each addition rounds by 2^-24 of a partial
 * sum, and roundings are independent. Four more for the products, conversions and the update. */
static double rounding(int64_t terms)
{
  return 0x1p-24 * (4 + sqrt((double)terms));
}

static double weighted_norm(const reference_matrix *r)
{
  double sum = 0;
  for (int64_t n = 0; n < r->rows * r->cols; ++n)
    sum += r->weight[n] * r->weight[n] * r->value[n] * r->value[n];
  return sqrt(sum);
}

/* 2 E0 Q0 may be had as 2 (P0 (Q0'Q0) - R Q0): the two parts round on their own. The error of P1
 * goes on into Q1 through E0. */
double reference_step_tolerance(const reference_problem *problem, const reference_factors *now,
                                const reference_factors *next, int32_t side)
{
  const reference_matrix *r = problem->train;
  const int64_t k = problem->factors;
  const double alpha = problem->learning_rate;
  const double p0 = norm(now->p, r->rows * k);
  const double p1 = norm(next->p, r->rows * k);
  const double q0 = norm(now->q, r->cols * k);
  const double value = weighted_norm(r);
  const double p_error = rounding(r->cols + k) * (p0 + 2 * alpha * (value * q0 + p0 * q0 * q0));
  if (side == PQF_ROWS)
    return p_error;
  return rounding(r->rows + k) * (q0 + 2 * alpha * (value * p1 + q0 * p0 * p1)) +
         2 * alpha * (value + p0 * q0) * p_error;
}

/* |X'X|_F */
static double gram_norm(const double *x, int64_t rows, int64_t k)
{
  double sum = 0;
  for (int64_t f = 0; f < k; ++f)
    for (int64_t g = 0; g < k; ++g) {
      double element = 0;
      for (int64_t n = 0; n < rows; ++n)
        element += x[n * k + f] * x[n * k + g];
      sum += element * element;
    }
  return sqrt(sum);
}

/* |E|^2 may be had as |R|^2 - 2 <R Q, P> + <P'P, Q'Q>, whose terms are at most |R|^2 + |P Q'|^2 and
 * |P'P| |Q'Q|; for E - R the first two have 2 R. Not for nearly cancelled errors. */
double reference_loss_tolerance(const reference_problem *problem, const reference_factors *now)
{
  const reference_matrix *r = problem->train;
  const int64_t k = problem->factors;
  const double relative = rounding(r->rows + r->cols + k);
  double *e = errors(problem, now);
  const double loss = loss_of(problem, now, e);
  double size = gram_norm(now->p, r->rows, k) * gram_norm(now->q, r->cols, k);
  double shifted = 0;
  for (int64_t n = 0; n < r->rows * r->cols; ++n) {
    const double bound = fabs(e[n] + r->value[n]) + 2 * fabs(r->value[n]);
    size += r->weight[n] * bound * bound;
    shifted += r->weight[n] * (e[n] - r->value[n]) * (e[n] - r->value[n]);
  }
  free(e);
  if (problem->update == PQF_UPDATE_NOTEBOOK && shifted > 0)
    return relative * (loss + size / (4 * sqrt(shifted)));
  return relative * (loss + size);
}
