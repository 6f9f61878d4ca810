/* The losses that exact least squares reaches, by the unit of the values and by lambda, beside
 * those of the same sweeps in double: a regression of either shows as a ratio above 1. Losses are
 * divided by the square of the unit, so that a column reads alike from unit to unit; of clicks,
 * whose values are confidences, they are as they come.
 *
 * The reference solves each row's normal equations by Cholesky's decomposition, with the bias as
 * one more unknown, and leaves out what is singular in double. */
#include "bench.h"
#include "ratings.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FACTORS = 32, EPOCHS = 5, ROWS = 1200, COLS = 700, RATINGS = 50000 };

typedef struct cells {
  int64_t *offset;
  int32_t *index;
  double *value;
} cells;

typedef struct reference {
  cells by[2];
  int32_t objective;
  double lambda;
  double mean;
  double *factors[2]; /* rows of FACTORS + 1: the last is the bias */
} reference;

static const int64_t size[2] = {ROWS, COLS};

enum { WIDTH = FACTORS + 1 };

static void *take(int64_t count, size_t bytes)
{
  void *memory = calloc((size_t)count, bytes);
  if (memory == NULL)
    pqf_bench_fail("no memory for %" PRId64 " values", count);
  return memory;
}

/* The cells by row, or by column, in double. */
static cells arrange(const pqf_bench_ratings *ratings, const float *value, int side)
{
  const int32_t *own = side == PQF_ROWS ? ratings->user : ratings->item;
  const int32_t *other = side == PQF_ROWS ? ratings->item : ratings->user;
  cells out = {take(size[side] + 2, sizeof(int64_t)), take(ratings->count, sizeof(int32_t)),
               take(ratings->count, sizeof(double))};
  for (int64_t n = 0; n < ratings->count; n++)
    out.offset[own[n] + 2]++;
  for (int64_t row = 1; row <= size[side]; row++)
    out.offset[row + 1] += out.offset[row];
  for (int64_t n = 0; n < ratings->count; n++) {
    const int64_t at = out.offset[own[n] + 1]++;
    out.index[at] = other[n];
    out.value[at] = (double)value[n];
  }
  return out;
}

/* a x = b for a positive semidefinite a, n x n, of which the lower triangle is used. */
static void solve(double *a, double *b, int64_t n)
{
  for (int64_t col = 0; col < n; col++) {
    const double diagonal = a[col * n + col];
    for (int64_t row = col; row < n; row++) {
      double sum = a[row * n + col];
      for (int64_t f = 0; f < col; f++)
        sum -= a[row * n + f] * a[col * n + f];
      if (row == col)
        a[col * n + col] = sum > 1e-14 * diagonal ? sqrt(sum) : 0;
      else
        a[row * n + col] = a[col * n + col] > 0 ? sum / a[col * n + col] : 0;
    }
  }
  for (int64_t row = 0; row < n; row++) {
    for (int64_t f = 0; f < row; f++)
      b[row] -= a[row * n + f] * b[f];
    b[row] = a[row * n + row] > 0 ? b[row] / a[row * n + row] : 0;
  }
  for (int64_t row = n - 1; row >= 0; row--) {
    for (int64_t f = row + 1; f < n; f++)
      b[row] -= a[f * n + row] * b[f];
    b[row] = a[row * n + row] > 0 ? b[row] / a[row * n + row] : 0;
  }
}

static void gram(const reference *r, int side, double *out)
{
  memset(out, 0, (size_t)(WIDTH * WIDTH) * sizeof *out);
  for (int64_t row = 0; row < size[side]; row++)
    for (int64_t f = 0; f < FACTORS; f++)
      for (int64_t g = 0; g < FACTORS; g++)
        out[f * WIDTH + g] += r->factors[side][row * WIDTH + f] * r->factors[side][row * WIDTH + g];
}

static void half_sweep(const reference *r, int side)
{
  const int observed = r->objective == PQF_OBJECTIVE_OBSERVED;
  const int64_t n = observed ? WIDTH : FACTORS;
  const cells *by = &r->by[side];
  double base[WIDTH * WIDTH] = {0};
  double a[WIDTH * WIDTH];
  if (!observed)
    gram(r, 1 - side, base);
  for (int64_t row = 0; row < size[side]; row++) {
    double *x = r->factors[side] + row * WIDTH;
    double b[WIDTH] = {0};
    double z[WIDTH];
    for (int64_t f = 0; f < n; f++)
      for (int64_t g = 0; g < n; g++)
        a[f * n + g] = base[f * WIDTH + g] + (f == g ? r->lambda : 0);
    for (int64_t at = by->offset[row]; at < by->offset[row + 1]; at++) {
      const double *q = r->factors[1 - side] + by->index[at] * WIDTH;
      const double value = by->value[at];
      const double c = r->objective == PQF_OBJECTIVE_IMPLICIT ? 1 + value : 1;
      const double scale = observed ? 1 : c - 1;
      const double target = observed                                ? value - r->mean - q[FACTORS]
                            : r->objective == PQF_OBJECTIVE_SQUARED ? value
                                                                    : c;
      memcpy(z, q, sizeof z);
      z[FACTORS] = 1;
      for (int64_t f = 0; f < n; f++) {
        b[f] += target * z[f];
        for (int64_t g = 0; g <= f; g++)
          a[f * n + g] += scale * z[f] * z[g];
      }
    }
    memset(x, 0, WIDTH * sizeof *x);
    if (by->offset[row + 1] > by->offset[row]) {
      solve(a, b, n);
      memcpy(x, b, (size_t)n * sizeof *x);
    }
  }
}

static double loss(const reference *r)
{
  const cells *by = &r->by[PQF_ROWS];
  double sum = 0;
  double taken = 0;
  for (int64_t row = 0; row < ROWS; row++)
    for (int64_t at = by->offset[row]; at < by->offset[row + 1]; at++) {
      const double *p = r->factors[PQF_ROWS] + row * WIDTH;
      const double *q = r->factors[PQF_COLS] + by->index[at] * WIDTH;
      const double value = by->value[at];
      double product = 0;
      for (int64_t f = 0; f < FACTORS; f++)
        product += p[f] * q[f];
      taken += product * product;
      if (r->objective == PQF_OBJECTIVE_IMPLICIT)
        sum += (1 + value) * (1 - product) * (1 - product);
      else
        sum += pow(value - r->mean - p[FACTORS] - q[FACTORS] - product, 2);
    }
  if (r->objective != PQF_OBJECTIVE_OBSERVED) {
    double p[WIDTH * WIDTH];
    double q[WIDTH * WIDTH];
    gram(r, PQF_ROWS, p);
    gram(r, PQF_COLS, q);
    for (int64_t n = 0; n < WIDTH * WIDTH; n++)
      sum += p[n] * q[n];
    sum -= taken;
  }
  for (int side = 0; side < 2; side++)
    for (int64_t n = 0; n < size[side] * WIDTH; n++)
      sum += r->lambda * r->factors[side][n] * r->factors[side][n];
  return sum;
}

/* The library's loss after the same sweeps from the same factors. */
static double library_loss(const pqf_data *data, int32_t objective, double lambda, const float *p,
                           const float *q)
{
  pqf_options options = PQF_OPTIONS_INIT;
  pqf_model *model = NULL;
  options.solver = PQF_SOLVER_ALS;
  options.objective = objective;
  options.factors = FACTORS;
  options.regularization = lambda;
  options.confidence = 1;
  options.epochs = EPOCHS;
  options.patience = 0;
  options.init = PQF_INIT_GIVEN;
  options.threads = BENCH_THREADS;
  pqf_bench_require(pqf_create(&model, &options));
  pqf_bench_require(pqf_model_set_initial(model, ROWS, COLS, p, q));
  pqf_bench_require(pqf_fit(model, data, NULL));
  const double last = pqf_bench_last_loss(model);
  pqf_free(model);
  return last;
}

static void compare(const pqf_bench_ratings *ratings, int32_t objective, double lambda, double unit,
                    const float *p, const float *q)
{
  const float *initial[2] = {p, q};
  reference r = {.objective = objective, .lambda = lambda};
  float *value = pqf_bench_floats(ratings->count);
  pqf_data *data = NULL;
  double sum = 0;
  for (int64_t n = 0; n < ratings->count; n++) {
    value[n] = (float)(unit * (double)ratings->value[n]);
    sum += (double)value[n];
  }
  pqf_bench_require(pqf_data_coo(&data, ROWS, COLS, ratings->count, ratings->user, ratings->item,
                                 value, NULL, NULL));
  r.mean = objective == PQF_OBJECTIVE_OBSERVED ? sum / (double)ratings->count : 0;
  for (int side = 0; side < 2; side++) {
    r.by[side] = arrange(ratings, value, side);
    r.factors[side] = take(size[side] * WIDTH, sizeof(double));
    for (int64_t n = 0; n < size[side]; n++)
      for (int64_t f = 0; f < FACTORS; f++)
        r.factors[side][n * WIDTH + f] = (double)initial[side][n * FACTORS + f];
  }
  for (int sweep = 0; sweep < 2 * EPOCHS; sweep++)
    half_sweep(&r, sweep % 2);
  const double exact = loss(&r);
  const double own = library_loss(data, objective, lambda, p, q);
  const double square = objective == PQF_OBJECTIVE_IMPLICIT ? 1 : unit * unit;
  printf("  %8.0e  %14.7g %14.7g   %.6f\n", lambda, own / square, exact / square, own / exact);
  fflush(stdout);
  for (int side = 0; side < 2; side++) {
    free(r.by[side].offset);
    free(r.by[side].index);
    free(r.by[side].value);
    free(r.factors[side]);
  }
  free(value);
  pqf_data_free(data);
}

int main(void)
{
  static const double lambdas[] = {0, 1e-8, 1e-6, 1e-4, 1e-2, 1, 100};
  static const double units[] = {1e-3, 1, 1e3};
  static const struct {
    const char *name;
    int32_t objective;
  } kinds[] = {{"observed, biases", PQF_OBJECTIVE_OBSERVED},
               {"squared", PQF_OBJECTIVE_SQUARED},
               {"implicit", PQF_OBJECTIVE_IMPLICIT}};
  pqf_bench_ratings ratings;
  float *p = pqf_bench_floats(ROWS * FACTORS);
  float *q = pqf_bench_floats(COLS * FACTORS);
  pqf_bench_draw_ratings(&ratings, ROWS, COLS, RATINGS, 3, (pqf_bench_popularity){1.5, 140});
  pqf_bench_fill(p, ROWS * FACTORS, 1, 0.3F, 0);
  pqf_bench_fill(q, COLS * FACTORS, 2, 0.3F, 0);
  printf("\nLosses of exact least squares after %d sweeps, %" PRId64
         " ratings of %d users and %d items, %d factors\n",
         EPOCHS, ratings.count, ROWS, COLS, FACTORS);
  for (int k = 0; k < 3; k++)
    for (int u = 0; u < 3; u++) {
      printf("%s, values times %g\n  %8s  %14s %14s   %s\n", kinds[k].name, units[u], "lambda",
             "libpqf", "double", "ratio");
      for (int l = 0; l < 7; l++)
        compare(&ratings, kinds[k].objective, lambdas[l], units[u], p, q);
    }
  pqf_bench_free_ratings(&ratings);
  free(p);
  free(q);
  return 0;
}
