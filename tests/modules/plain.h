/* A whole back end in plain loops, for the modules of these tests: E is formed cell by cell in
 * double from R spread out to rows x cols, which no real back end may do. Each module that includes
 * this changes the table in one respect. */
#ifndef PQF_TESTS_MODULES_PLAIN_H
#define PQF_TESTS_MODULES_PLAIN_H

#include "pqf_backend.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct pqf_training {
  const pqf_host *host;
  const pqf_problem *problem;
  float *value;         /* rows x cols */
  float *weight;        /* rows x cols; 0: the cell does not count */
  double *error;        /* E, rows x cols */
  float *factors[2][3]; /* of each side: three buffers that rotate */
  int current;
  int next;
  int best;
};

static int64_t plain_rows(const pqf_training *training, int32_t side)
{
  const pqf_matrix *r = training->problem->train;
  return side == PQF_ROWS ? r->rows : r->cols;
}

static int plain_probe(const char *device, char *words, uint64_t capacity)
{
  snprintf(words, capacity, "plain loops%s%s", device[0] != '\0' ? " on " : "", device);
  return PQF_OK;
}

static void plain_close(pqf_training *training)
{
  if (training == NULL)
    return;
  const pqf_host *host = training->host;
  for (int n = 0; n < 3; ++n) {
    host->release(host, training->factors[PQF_ROWS][n]);
    host->release(host, training->factors[PQF_COLS][n]);
  }
  host->release(host, training->value);
  host->release(host, training->weight);
  host->release(host, training->error);
  host->release(host, training);
}

static void plain_spread(const pqf_matrix *r, float absent_weight, float *value, float *weight)
{
  for (int64_t u = 0; u < r->rows; ++u)
    for (int64_t i = 0; i < r->cols; ++i) {
      value[u * r->cols + i] = r->dense != NULL ? r->dense[u * r->dense_stride + i] : 0;
      weight[u * r->cols + i] = r->dense != NULL ? 1 : absent_weight;
    }
  if (r->dense != NULL)
    return;
  const pqf_cells *cells = &r->by_row;
  for (int64_t u = 0; u < r->rows; ++u)
    for (int64_t n = cells->offset[u]; n < cells->offset[u + 1]; ++n) {
      value[u * r->cols + cells->index[n]] = cells->value[n];
      weight[u * r->cols + cells->index[n]] = cells->weight != NULL ? cells->weight[n] : 1;
    }
}

static int plain_open(pqf_training **out, const pqf_host *host, const pqf_problem *problem)
{
  const pqf_matrix *r = problem->train;
  const uint64_t cells = (uint64_t)r->rows * (uint64_t)r->cols;
  const uint64_t row_size = (uint64_t)problem->factors * sizeof(float);
  *out = NULL;
  pqf_training *training = host->allocate(host, 1, sizeof *training);
  if (training == NULL)
    return PQF_ENOMEM;
  memset(training, 0, sizeof *training);
  training->host = host;
  training->problem = problem;
  training->current = training->best = 0;
  training->next = 1;
  training->value = host->allocate(host, cells, sizeof(float));
  training->weight = host->allocate(host, cells, sizeof(float));
  training->error = host->allocate(host, cells, sizeof(double));
  int complete = training->value != NULL && training->weight != NULL && training->error != NULL;
  for (int32_t side = 0; side < 2; ++side)
    for (int n = 0; n < 3; ++n) {
      const uint64_t rows = (uint64_t)plain_rows(training, side);
      training->factors[side][n] = host->allocate(host, rows, row_size);
      complete = complete && training->factors[side][n] != NULL;
    }
  if (!complete) {
    plain_close(training);
    return PQF_ENOMEM;
  }
  plain_spread(r, problem->objective == PQF_OBJECTIVE_SQUARED ? 1 : 0, training->value,
               training->weight);
  *out = training;
  return PQF_OK;
}

/* Makes the next buffers the current ones; the next ones are then where neither the current nor the
 * best factors are. */
static void plain_advance(pqf_training *training)
{
  training->current = training->next;
  for (int n = 0; n < 3; ++n)
    if (n != training->current && n != training->best)
      training->next = n;
}

static int plain_set(pqf_training *training, int32_t side, int64_t first, int64_t count,
                     const float *values)
{
  const int64_t k = training->problem->factors;
  if (training->current == training->best) { /* which `keep` may have been told to remember */
    const int from = training->current;
    plain_advance(training);
    for (int32_t one = 0; one < 2; ++one)
      memcpy(training->factors[one][training->current], training->factors[one][from],
             (size_t)(plain_rows(training, one) * k) * sizeof *values);
  }
  memcpy(training->factors[side][training->current] + first * k, values,
         (size_t)(count * k) * sizeof *values);
  return PQF_OK;
}

static int plain_get(pqf_training *training, int32_t side, int32_t which, int64_t first,
                     int64_t count, float *values)
{
  const int64_t k = training->problem->factors;
  const int buffer = which == PQF_BEST ? training->best : training->current;
  memcpy(values, training->factors[side][buffer] + first * k, (size_t)(count * k) * sizeof *values);
  return PQF_OK;
}

static double plain_dot(const float *a, const float *b, int64_t count)
{
  double sum = 0;
  for (int64_t n = 0; n < count; ++n)
    sum += (double)a[n] * (double)b[n];
  return sum;
}

static int plain_loss(pqf_training *training, double *loss)
{
  const pqf_problem *problem = training->problem;
  const pqf_matrix *r = problem->train;
  const int64_t k = problem->factors;
  const float *p = training->factors[PQF_ROWS][training->current];
  const float *q = training->factors[PQF_COLS][training->current];
  const int notebook = problem->update == PQF_UPDATE_NOTEBOOK;
  double sum = 0;
  for (int64_t n = 0; n < r->rows * r->cols; ++n) {
    const double value = (double)training->value[n];
    training->error[n] = plain_dot(p + n / r->cols * k, q + n % r->cols * k, k) - value;
    const double counted = notebook ? training->error[n] - value : training->error[n];
    sum += (double)training->weight[n] * counted * counted;
  }
  const double p_square = plain_dot(p, p, r->rows * k);
  const double q_square = plain_dot(q, q, r->cols * k);
  const double half = problem->regularization / 2;
  *loss = notebook ? sqrt(sum) / 2 + half * sqrt(p_square) + sqrt(q_square)
                   : sum + half * (p_square + q_square);
  return PQF_OK;
}

/* The step of one side; `other` are the factors that E is multiplied with. */
static void plain_step(const pqf_training *training, int32_t side, const float *other)
{
  const pqf_problem *problem = training->problem;
  const pqf_matrix *r = problem->train;
  const int64_t k = problem->factors;
  const double beta =
      problem->update == PQF_UPDATE_NOTEBOOK ? -problem->regularization : problem->regularization;
  const float *now = training->factors[side][training->current];
  float *next = training->factors[side][training->next];
  const int64_t rows = plain_rows(training, side);
  for (int64_t n = 0; n < rows; ++n)
    for (int64_t f = 0; f < k; ++f) {
      double slope = beta * (double)now[n * k + f];
      for (int64_t m = 0; m < plain_rows(training, 1 - side); ++m) {
        const int64_t cell = side == PQF_ROWS ? n * r->cols + m : m * r->cols + n;
        slope +=
            2 * (double)training->weight[cell] * training->error[cell] * (double)other[m * k + f];
      }
      next[n * k + f] = (float)((double)now[n * k + f] - problem->learning_rate * slope);
    }
}

static int plain_gd_epoch(pqf_training *training, double *loss)
{
  const int status = plain_loss(training, loss);
  plain_step(training, PQF_ROWS, training->factors[PQF_COLS][training->current]);
  plain_step(training, PQF_COLS, training->factors[PQF_ROWS][training->next]);
  return status;
}

static int plain_commit(pqf_training *training)
{
  plain_advance(training);
  return PQF_OK;
}

static int plain_discard(pqf_training *training)
{
  (void)training;
  return PQF_OK;
}

static int plain_keep(pqf_training *training)
{
  training->best = training->current;
  return PQF_OK;
}

static int plain_validation_loss(pqf_training *training, double *loss)
{
  const pqf_matrix *r = training->problem->validation;
  const pqf_host *host = training->host;
  const int64_t k = training->problem->factors;
  const uint64_t cells = (uint64_t)r->rows * (uint64_t)r->cols;
  const float *p = training->factors[PQF_ROWS][training->current];
  const float *q = training->factors[PQF_COLS][training->current];
  float *value = host->allocate(host, cells, sizeof *value);
  float *weight = host->allocate(host, cells, sizeof *weight);
  int status = PQF_ENOMEM;
  if (value != NULL && weight != NULL) {
    double sum = 0;
    double weights = 0;
    plain_spread(r, 0, value, weight);
    for (int64_t n = 0; n < r->rows * r->cols; ++n) {
      const double error =
          plain_dot(p + n / r->cols * k, q + n % r->cols * k, k) - (double)value[n];
      sum += (double)weight[n] * error * error;
      weights += (double)weight[n];
    }
    *loss = weights > 0 ? sum / weights : 0;
    status = PQF_OK;
  }
  host->release(host, value);
  host->release(host, weight);
  return status;
}

static const pqf_backend plain_backend = {
    .abi = PQF_BACKEND_ABI,
    .size = sizeof(pqf_backend),
    .name = "plain",
    .probe = plain_probe,
    .open = plain_open,
    .close = plain_close,
    .set = plain_set,
    .get = plain_get,
    .gd_epoch = plain_gd_epoch,
    .commit = plain_commit,
    .discard = plain_discard,
    .keep = plain_keep,
    .validation_loss = plain_validation_loss,
    .loss = plain_loss,
};

/* The one symbol of a module. */
PQF_API const pqf_backend *pqf_backend_entry(void);

#endif
