/* What a very long row of least squares loses: factors and bias of one row of 20 million ratings
 * beside those from sums in double, and the seconds of its epoch.
 *
 * usage: long_row [CELLS] */
#include "bench.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { FACTORS = 3, UNKNOWNS = FACTORS + 1 };

static const double lambda = 0.1;

/* Adds a cell to the normal equations of the factors and the bias. */
static void add_cell(const float *q, double target, double a[UNKNOWNS][UNKNOWNS + 1])
{
  double z[UNKNOWNS + 1];
  for (int f = 0; f < FACTORS; f++)
    z[f] = (double)q[f];
  z[FACTORS] = 1;
  z[UNKNOWNS] = target;
  for (int f = 0; f < UNKNOWNS; f++)
    for (int g = 0; g <= UNKNOWNS; g++)
      a[f][g] += z[f] * z[g];
}

/* Gaussian elimination; the solution is left in the last column. */
static void eliminate(double a[UNKNOWNS][UNKNOWNS + 1])
{
  for (int pivot = 0; pivot < UNKNOWNS; pivot++)
    for (int row = 0; row < UNKNOWNS; row++) {
      const double factor = a[row][pivot] / a[pivot][pivot];
      for (int col = 0; row != pivot && col <= UNKNOWNS; col++)
        a[row][col] -= factor * a[pivot][col];
    }
  for (int row = 0; row < UNKNOWNS; row++)
    a[row][UNKNOWNS] /= a[row][row];
}

int main(int argc, char **argv)
{
  const int64_t cells = argc > 1 ? strtoll(argv[1], NULL, 10) : 20000000;
  if (cells < 1 || cells > INT32_MAX)
    pqf_bench_fail("usage: long_row [CELLS]");
  double a[UNKNOWNS][UNKNOWNS + 1] = {{0}};
  double sum = 0;
  pqf_options options = PQF_OPTIONS_INIT;
  pqf_model *model = NULL;
  pqf_data *data = NULL;
  int32_t *row = pqf_bench_integers(cells);
  int32_t *col = pqf_bench_integers(cells);
  float *value = pqf_bench_floats(cells);
  float *q = pqf_bench_floats(cells * FACTORS);
  const float p[FACTORS] = {0};
  pqf_bench_fill(value, cells, 1, 2, 3);
  pqf_bench_fill(q, cells * FACTORS, 2, 0.5F, 0.2F);
  for (int64_t n = 0; n < cells; n++) {
    row[n] = 0;
    col[n] = (int32_t)n;
    value[n] += q[n * FACTORS] - q[n * FACTORS + 1];
    sum += (double)value[n];
  }
  for (int64_t n = 0; n < cells; n++)
    add_cell(q + n * FACTORS, (double)value[n] - sum / (double)cells, a);
  for (int f = 0; f < UNKNOWNS; f++)
    a[f][f] += lambda;
  eliminate(a);

  pqf_bench_require(pqf_data_coo(&data, 1, cells, cells, row, col, value, NULL, NULL));
  options.solver = PQF_SOLVER_ALS;
  options.objective = PQF_OBJECTIVE_OBSERVED;
  options.factors = FACTORS;
  options.regularization = lambda;
  options.epochs = 1;
  options.patience = 0;
  options.init = PQF_INIT_GIVEN;
  options.threads = BENCH_THREADS;
  pqf_bench_require(pqf_create(&model, &options));
  pqf_bench_require(pqf_model_set_initial(model, 1, cells, p, q));
  const double begin = pqf_bench_clock();
  pqf_bench_require(pqf_fit(model, data, NULL));
  const double seconds = pqf_bench_clock() - begin;
  const float *factors = pqf_model_borrow_factors(model, PQF_ROWS);
  double difference = 0;
  double size = 0;
  for (int f = 0; f < UNKNOWNS; f++) {
    const double own =
        (double)(f < FACTORS ? factors[f] : pqf_model_borrow_biases(model, PQF_ROWS)[0]);
    difference += (own - a[f][UNKNOWNS]) * (own - a[f][UNKNOWNS]);
    size += a[f][UNKNOWNS] * a[f][UNKNOWNS];
  }
  printf("\nOne row of %" PRId64 " ratings, %d factors and a bias: relative error %.1e, %.2f s\n",
         cells, FACTORS, sqrt(difference / size), seconds);
  pqf_free(model);
  pqf_data_free(data);
  free(row);
  free(col);
  free(value);
  free(q);
  return 0;
}
