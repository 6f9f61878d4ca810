/* See evaluate_reference.h. */
#include "evaluate_reference.h"

#include "test.h"

#include <math.h>
#include <stdlib.h>

/* A column of the row at hand. */
typedef struct column {
  float score;
  int64_t col;
  int relevant;
} column;

static int by_rank(const void *a, const void *b)
{
  const column *x = a;
  const column *y = b;
  if (x->score != y->score)
    return x->score > y->score ? -1 : 1;
  return x->col < y->col ? -1 : 1;
}

static void rate(int64_t cells, const float *score, const reference_cells *held_out,
                 pqf_metrics *out)
{
  double weights = 0;
  double square = 0;
  double absolute = 0;
  for (int64_t n = 0; n < cells; ++n) {
    if (!held_out->present[n])
      continue;
    const double weight = held_out->weight != NULL ? (double)held_out->weight[n] : 1;
    const double error = (double)score[n] - (double)held_out->value[n];
    weights += weight;
    square += weight * error * error;
    absolute += weight * fabs(error);
    ++out->cells;
  }
  out->rmse = weights > 0 ? sqrt(square / weights) : NAN;
  out->mae = weights > 0 ? absolute / weights : NAN;
}

/* NaN: every candidate is relevant. */
static double area(const column *columns, int64_t count)
{
  double wins = 0;
  double pairs = 0;
  for (int64_t a = 0; a < count; ++a)
    for (int64_t b = 0; b < count && columns[a].relevant; ++b)
      if (!columns[b].relevant) {
        pairs += 1;
        wins += columns[a].score > columns[b].score    ? 1
                : columns[a].score == columns[b].score ? 0.5
                                                       : 0;
      }
  return wins / pairs;
}

static void rank(column *columns, int64_t count, int64_t relevant, int64_t k, pqf_metrics *sum,
                 uint8_t *listed)
{
  const double best = (double)(relevant < k ? relevant : k);
  double hits = 0;
  double gains = 0;
  double best_gains = 0;
  double precisions = 0;
  double reciprocal = 0;
  qsort(columns, (size_t)count, sizeof *columns, by_rank);
  for (int64_t n = 0; n < count && n < k; ++n) {
    const double place = (double)n + 1;
    listed[columns[n].col] = 1;
    if (!columns[n].relevant)
      continue;
    hits += 1;
    gains += 1 / log2(place + 1);
    precisions += hits / place;
    if (reciprocal == 0)
      reciprocal = 1 / place;
  }
  for (int64_t n = 0; n < k && n < relevant; ++n)
    best_gains += 1 / log2((double)n + 2);
  sum->precision += hits / (double)k;
  sum->recall += hits / best;
  sum->ndcg += gains / best_gains;
  sum->map += precisions / best;
  sum->mrr += reciprocal;
}

pqf_metrics reference_evaluate(int64_t rows, int64_t cols, const float *score,
                               const reference_cells *held_out, const uint8_t *exclude, int64_t k,
                               double relevant)
{
  pqf_metrics out = {.size = sizeof out};
  column *columns = test_allocate(cols, sizeof *columns);
  uint8_t *listed = test_allocate(cols, sizeof *listed);
  int64_t areas = 0;
  int64_t columns_listed = 0;
  rate(rows * cols, score, held_out, &out);
  for (int64_t row = 0; row < rows; ++row) {
    int64_t candidates = 0;
    int64_t count = 0;
    for (int64_t col = 0; col < cols; ++col) {
      const int64_t n = row * cols + col;
      if (exclude != NULL && exclude[n])
        continue;
      const int is_relevant = held_out->present[n] && (double)held_out->value[n] >= relevant;
      columns[candidates++] = (column){score[n], col, is_relevant};
      count += is_relevant;
    }
    if (count == 0)
      continue;
    ++out.rows;
    rank(columns, candidates, count, k, &out, listed);
    if (count < candidates) {
      out.auc += area(columns, candidates);
      ++areas;
    }
  }
  for (int64_t col = 0; col < cols; ++col)
    columns_listed += listed[col];
  double *const means[] = {&out.precision, &out.recall, &out.ndcg, &out.map, &out.mrr};
  for (size_t n = 0; n < sizeof means / sizeof means[0]; ++n)
    *means[n] = out.rows > 0 ? *means[n] / (double)out.rows : NAN;
  out.auc = areas > 0 ? out.auc / (double)areas : NAN;
  out.coverage = out.rows > 0 ? (double)columns_listed / (double)cols : NAN;
  free(columns);
  free(listed);
  return out;
}
