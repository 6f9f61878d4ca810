/* Least squares on the GPU, row by row: after a half-sweep each row's objective against the least
 * that there is, which is found here in double without any normal equations. Rows of every kind:
 * those that float can solve and those that it can't, around the number of factors that one kernel
 * hands over to another, and rows so long that their sums are taken in parts.
 *
 * The back end is that of TEST_BACKEND; the CPU has suites of its own. */
#include "device.h"
#include "suites.h"
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLAIN, WEIGHTED };

/* What a setting consists of. */
typedef struct setting {
  int64_t rows;
  int64_t cols;
  int32_t factors;
  int32_t objective;
  int32_t biases;
  int weighted;
  double lambda;
  double scale;  /* of the values */
  double spread; /* of the factors */
} setting;

/* A matrix with the factors that a fit starts from, and what the fit has made of them. */
typedef struct problem {
  setting as;
  pqf_options options;
  pqf_data *data;
  float *value;  /* rows x cols */
  float *weight; /* likewise; below 0: absent */
  double mean;
  float *start[2];
  pqf_model *model;
} problem;

static int64_t side_size(const problem *of, int side)
{
  return side == PQF_ROWS ? of->as.rows : of->as.cols;
}

/* Row r has about (r % 6 + 1) / 6 of the columns, row 1 all of them, row 7 two or so; with weights
 * all of row 4 weigh nothing, and a fifth of the other cells. */
static void fill_cells(problem *out, uint64_t *state)
{
  const int64_t cols = out->as.cols;
  const int clicks = out->as.objective == PQF_OBJECTIVE_IMPLICIT;
  for (int64_t n = 0; n < out->as.rows * cols; ++n) {
    const int64_t r = n / cols;
    const double density = r == 1   ? 1
                           : r == 7 ? 2 / (double)cols
                                    : (double)(r % 6 + 1) / 6; /* 1 is never drawn */
    const int present = test_uniform(state) < density;
    const double value = clicks ? 1 + 3 * test_uniform(state) : 3 + test_normal(state);
    const double weight = 0.5 + test_uniform(state);
    out->value[n] = (float)(value * out->as.scale);
    out->weight[n] = !present               ? -1
                     : !out->as.weighted    ? 1
                     : r == 4 || n % 5 == 3 ? 0
                                            : (float)weight;
  }
}

static void create_data(problem *out)
{
  const int64_t most = out->as.rows * out->as.cols;
  int32_t *row = test_allocate(most, sizeof *row);
  int32_t *col = test_allocate(most, sizeof *col);
  float *value = test_allocate(most, sizeof *value);
  float *weight = test_allocate(most, sizeof *weight);
  int64_t count = 0;
  double sum = 0;
  double weights = 0;
  for (int64_t n = 0; n < most; ++n) {
    if (out->weight[n] < 0)
      continue;
    sum += (double)out->weight[n] * (double)out->value[n];
    weights += (double)out->weight[n];
    row[count] = (int32_t)(n / out->as.cols);
    col[count] = (int32_t)(n % out->as.cols);
    value[count] = out->value[n];
    weight[count++] = out->weight[n];
  }
  if (out->as.objective == PQF_OBJECTIVE_OBSERVED && weights > 0)
    out->mean = sum / weights;
  CHECK_OK(pqf_data_coo(&out->data, out->as.rows, out->as.cols, count, row, col, value,
                        out->as.weighted ? weight : NULL, NULL));
  free(row);
  free(col);
  free(value);
  free(weight);
}

static void create(problem *out, const setting *as)
{
  const pqf_options defaults = PQF_OPTIONS_INIT;
  uint64_t state = (uint64_t)(as->rows + 100 * as->factors);
  *out = (problem){.as = *as, .options = defaults};
  out->value = test_allocate(as->rows * as->cols, sizeof *out->value);
  out->weight = test_allocate(as->rows * as->cols, sizeof *out->weight);
  fill_cells(out, &state);
  create_data(out);
  out->start[0] = test_normals(state, as->rows * as->factors, as->spread);
  out->start[1] = test_normals(state + 1, as->cols * as->factors, as->spread);
  memcpy(out->start[1], out->start[1] + as->factors, (size_t)as->factors * sizeof(float));
  out->options.solver = PQF_SOLVER_ALS;
  out->options.objective = as->objective;
  out->options.biases = as->biases;
  out->options.factors = as->factors;
  out->options.regularization = as->lambda;
  out->options.bias_regularization = as->lambda;
  out->options.confidence = 40;
  out->options.init = PQF_INIT_GIVEN;
  out->options.epochs = 1;
  out->options.patience = 0;
  test_use_backend(&out->options);
}

static void fit(problem *of)
{
  CHECK_OK(pqf_create(&of->model, &of->options));
  CHECK_OK(pqf_model_set_initial(of->model, of->as.rows, of->as.cols, of->start[0], of->start[1]));
  CHECK_OK(pqf_fit(of->model, of->data, NULL));
}

static void clear(problem *of)
{
  pqf_free(of->model);
  pqf_data_free(of->data);
  free(of->value);
  free(of->weight);
  free(of->start[0]);
  free(of->start[1]);
}

/* ---- A row's objective -------------------------------------------------------------------------
 */

/* |X z - b|^2 with the columns of X one behind the other; lambda's elements, zeros of b, come
 * behind those of the terms. */
typedef struct row_system {
  int64_t terms;
  int64_t length;
  int64_t unknowns;
  double *x;
  double *b;
  double squares;  /* sum of w r^2 */
  double diagonal; /* the largest diagonal element of X'X without lambda */
} row_system;

/* A cell's term weight (target - q.p - b)^2; 0: it has none. */
static int term_of(const problem *of, int64_t cell, double *weight, double *target)
{
  const int present = of->weight[cell] >= 0;
  const double w = present ? (double)of->weight[cell] : 1;
  const double value = present ? (double)of->value[cell] : 0;
  if (of->as.objective == PQF_OBJECTIVE_IMPLICIT) {
    *weight = present ? w * (1 + of->options.confidence * value) : of->options.unobserved_weight;
    *target = present;
    return 1;
  }
  *weight = w;
  *target = value - of->mean;
  return present || of->as.objective == PQF_OBJECTIVE_SQUARED;
}

static int has_bias(const problem *of)
{
  return of->as.objective == PQF_OBJECTIVE_OBSERVED && of->as.biases == PQF_BIASES_BOTH;
}

/* The system of row `own` of a side for the factors and biases (NULL: 0) of the other. Returns its
 * number of present cells. */
static int64_t create_row(const problem *of, int side, int64_t own, const float *other,
                          const float *other_bias, row_system *out)
{
  const int64_t k = of->as.factors;
  const int64_t others = side_size(of, 1 - side);
  int64_t present = 0;
  out->unknowns = k + has_bias(of);
  out->length = others + out->unknowns;
  out->terms = 0;
  out->squares = out->diagonal = 0;
  out->x = test_allocate(out->length * out->unknowns, sizeof *out->x);
  out->b = test_allocate(out->length, sizeof *out->b);
  for (int64_t n = 0; n < others; ++n) {
    const int64_t cell = side == PQF_ROWS ? own * of->as.cols + n : n * of->as.cols + own;
    double weight = 0;
    double target = 0;
    present += of->weight[cell] >= 0;
    if (!term_of(of, cell, &weight, &target))
      continue;
    const double root = sqrt(weight);
    const double bias = other_bias != NULL ? (double)other_bias[n] : 0;
    out->squares += weight * pow(target + of->mean, 2);
    out->b[out->terms] = root * (target - bias);
    for (int64_t f = 0; f < out->unknowns; ++f)
      out->x[f * out->length + out->terms] = root * (f < k ? (double)other[n * k + f] : 1);
    ++out->terms;
  }
  for (int64_t f = 0; f < out->unknowns; ++f) {
    double square = 0;
    for (int64_t n = 0; n < out->terms; ++n)
      square += pow(out->x[f * out->length + n], 2);
    out->diagonal = f < k ? fmax(out->diagonal, square) : out->diagonal;
    out->x[f * out->length + out->terms + f] = sqrt(of->as.lambda);
  }
  return present;
}

static double objective_at(const row_system *s, const float *factors, int64_t k, double bias)
{
  double sum = 0;
  for (int64_t n = 0; n < s->length; ++n) {
    double error = s->b[n];
    for (int64_t f = 0; f < s->unknowns; ++f)
      error -= s->x[f * s->length + n] * (f < k ? (double)factors[f] : bias);
    sum += error * error;
  }
  return sum;
}

static double dot(const double *a, const double *b, int64_t length)
{
  double sum = 0;
  for (int64_t n = 0; n < length; ++n)
    sum += a[n] * b[n];
  return sum;
}

static void take_off(double *from, const double *of, int64_t length)
{
  const double share = dot(from, of, length);
  for (int64_t n = 0; n < length; ++n)
    from[n] -= share * of[n];
}

/* The least objective: what is left of b beside the columns of X, made orthonormal one after the
 * other (twice, against rounding) and left out where they add nothing. X and b are used up. */
static double least_objective(row_system *s)
{
  const double nothing = 1e-26; /* of a column's square */
  for (int64_t f = 0; f < s->unknowns; ++f) {
    double *column = s->x + f * s->length;
    const double before = dot(column, column, s->length);
    for (int pass = 0; pass < 2; ++pass)
      for (int64_t g = 0; g < f; ++g)
        take_off(column, s->x + g * s->length, s->length);
    const double after = dot(column, column, s->length);
    for (int64_t n = 0; n < s->length; ++n)
      column[n] = after > nothing * before ? column[n] / sqrt(after) : 0;
    take_off(s->b, column, s->length);
  }
  return dot(s->b, s->b, s->length);
}

/* Rows of one side whose objective is above the bar. */
static int64_t bad_rows(const problem *of, int side, const float *other, const float *other_bias)
{
  const int64_t k = of->as.factors;
  const float *factors = pqf_model_borrow_factors(of->model, side);
  const float *biases = pqf_model_borrow_biases(of->model, side);
  int64_t bad = 0;
  for (int64_t own = 0; own < side_size(of, side); ++own) {
    row_system s;
    const int64_t present = create_row(of, side, own, other, other_bias, &s);
    const int is_square = present >= k - 4 && present <= k + 4; /* may well interpolate */
    const int is_small = !(of->as.lambda > 0 && of->as.lambda >= 1e-11 * s.diagonal);
    const double part = is_small ? 1e-7 : is_square ? 1e-8 : 1e-10;
    const double got =
        objective_at(&s, factors + own * k, k, biases != NULL ? (double)biases[own] : 0);
    const double least = least_objective(&s);
    bad += present > 0 && !(got <= (1 + 1e-4) * least + part * s.squares);
    free(s.x);
    free(s.b);
  }
  return bad;
}

static void check_setting(const setting *as)
{
  problem test;
  char words[160];
  create(&test, as);
  fit(&test);
  snprintf(words, sizeof words,
           "rows above the bar, objective %d, biases %d, weighted %d, lambda %g, values times %g, "
           "k = %d",
           (int)as->objective, (int)as->biases, as->weighted, as->lambda, as->scale,
           (int)as->factors);
  if (pqf_model_borrow_factors(test.model, PQF_ROWS) != NULL) {
    const int64_t bad = bad_rows(&test, PQF_ROWS, test.start[PQF_COLS], NULL) +
                        bad_rows(&test, PQF_COLS, pqf_model_borrow_factors(test.model, PQF_ROWS),
                                 pqf_model_borrow_biases(test.model, PQF_ROWS));
    CHECK_AT_MOST((double)bad, 0, words);
  }
  clear(&test);
}

static const struct {
  int32_t objective;
  int32_t biases;
} kinds[] = {{PQF_OBJECTIVE_OBSERVED, PQF_BIASES_NONE},
             {PQF_OBJECTIVE_OBSERVED, PQF_BIASES_BOTH},
             {PQF_OBJECTIVE_SQUARED, PQF_BIASES_NONE},
             {PQF_OBJECTIVE_IMPLICIT, PQF_BIASES_NONE}};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* The bar at each lambda and scale; by quick runs at some of them. */
static void check_grid(int32_t factors, int64_t rows, int64_t cols, int every)
{
  static const double lambdas[] = {0, 1e-8, 1e-6, 1e-4, 1e-2, 1, 100};
  static const double scales[] = {1e-6, 1e-3, 1, 1e3, 1e6};
  enum { LAMBDAS = sizeof lambdas / sizeof lambdas[0], SCALES = sizeof scales / sizeof scales[0] };
  for (int n = 0; n < KINDS * 2 * LAMBDAS * SCALES; ++n) {
    const int kind = n / 2 % KINDS;
    const setting as = {.rows = rows,
                        .cols = cols,
                        .factors = factors,
                        .objective = kinds[kind].objective,
                        .biases = kinds[kind].biases,
                        .weighted = n % 2,
                        .lambda = lambdas[n / 2 / KINDS % LAMBDAS],
                        .scale = scales[n / 2 / KINDS / LAMBDAS],
                        .spread = 0.3};
    if (test_large() || (n / 2 / KINDS + n % (2 * KINDS)) % every == 0)
      check_setting(&as);
  }
}

static void rows_are_at_their_minimum(void)
{
  check_grid(1, 5, 6, 5);
  check_grid(5, 9, 14, 2);
  check_grid(16, 9, 24, 3);
  check_grid(33, 8, 44, 35);
  if (!test_large())
    return;
  check_grid(64, 9, 80, 1);
  check_grid(128, 9, 140, 1);
}

/* By cuSOLVER, and in double what it can't solve. */
static void wide_rows_are_at_their_minimum(void)
{
  check_grid(249, 3, 20, test_large() ? 1 : 35);
}

/* ---- Long rows ---------------------------------------------------------------------------------
 */

/* The matrix is one row of `cells` columns, so that its system is one of two unknowns: by Cramer's
 * rule in double. The values have a part that the factors explain, and noise. */
static void check_long_row(int64_t cells, int nonnegative, double bound, const char *what)
{
  const setting as = {.rows = 1,
                      .cols = cells,
                      .factors = 2,
                      .objective = PQF_OBJECTIVE_OBSERVED,
                      .biases = PQF_BIASES_NONE,
                      .lambda = 1,
                      .scale = 1,
                      .spread = 0.5};
  problem test;
  double a[3] = {as.lambda, 0, as.lambda};
  double b[2] = {0, 0};
  create(&test, &as);
  pqf_data_free(test.data);
  for (int64_t n = 0; n < cells; ++n) {
    float *q = test.start[PQF_COLS] + 2 * n;
    q[0] = fabsf(q[0]) + 0.2F;
    q[1] = fabsf(q[1]) + 0.1F;
    test.value[n] = q[0] + 2 * q[1] + test.value[n] / 8;
    test.weight[n] = 1;
  }
  create_data(&test);
  test.options.mean = nonnegative ? PQF_MEAN_NONE : PQF_MEAN_AUTO;
  test.options.nonnegative = nonnegative;
  for (int64_t n = 0; n < cells; ++n) {
    const double q[2] = {(double)test.start[PQF_COLS][2 * n],
                         (double)test.start[PQF_COLS][2 * n + 1]};
    const double target = (double)test.value[n] - (nonnegative ? 0 : test.mean);
    a[0] += q[0] * q[0];
    a[1] += q[0] * q[1];
    a[2] += q[1] * q[1];
    b[0] += q[0] * target;
    b[1] += q[1] * target;
  }
  const double determinant = a[0] * a[2] - a[1] * a[1];
  const double want[2] = {(b[0] * a[2] - b[1] * a[1]) / determinant,
                          (b[1] * a[0] - b[0] * a[1]) / determinant};
  fit(&test);
  const float *got = pqf_model_borrow_factors(test.model, PQF_ROWS);
  if (got != NULL)
    CHECK_AT_MOST(hypot((double)got[0] - want[0], (double)got[1] - want[1]),
                  bound * hypot(want[0], want[1]), what);
  clear(&test);
}

/* A row that is split, and one whose sums are put away in between. */
static void long_rows_are_right(void)
{
  check_long_row(test_large() ? 200000 : 3000, 0, 5e-7, "error of a row that is split");
  check_long_row(test_large() ? 20000 : 1200, 1, 1e-5, "error of a row of factors not below 0");
}

/* ---- Units -------------------------------------------------------------------------------------
 */

/* Values and regularization times 4^m, and the initial factors times 2^m: the factors that come out
 * are those without, times 2^m. */
static void check_units(const setting *as, int m)
{
  problem one;
  problem other;
  const double unit = ldexp(1, m);
  setting scaled = *as;
  scaled.lambda *= unit * unit;
  scaled.scale *= unit * unit;
  scaled.spread *= unit;
  create(&one, as);
  create(&other, &scaled);
  other.options.bias_regularization = as->lambda;
  one.options.epochs = other.options.epochs = 3;
  fit(&one);
  fit(&other);
  for (int side = 0; side < 2; ++side) {
    const float *got = pqf_model_borrow_factors(other.model, side);
    const float *want = pqf_model_borrow_factors(one.model, side);
    int64_t different = 0;
    for (int64_t n = 0; n < side_size(&one, side) * as->factors; ++n)
      different += got[n] != ldexpf(want[n], m);
    CU_ASSERT_EQUAL(different, 0);
  }
  clear(&one);
  clear(&other);
}

static void units_do_not_matter(void)
{
  static const double lambdas[] = {0, 1e-6, 0.02, 1};
  for (int n = 0; n < 3 * 4 * 2; ++n) /* clicks have no unit */
    for (int m = -8; m <= 8; m += 16) {
      const setting as = {.rows = 9,
                          .cols = 14,
                          .factors = n % 5 == 0 ? 21 : 6,
                          .objective = kinds[n % 3].objective,
                          .biases = kinds[n % 3].biases,
                          .weighted = n / 12,
                          .lambda = lambdas[n / 3 % 4],
                          .scale = 1,
                          .spread = 0.25};
      check_units(&as, m);
    }
}

void suite_gpu_rows(void)
{
  if (strcmp(test_backend(), "cpu") == 0)
    return;
  CU_pSuite suite = test_add_device_suite("gpu_rows");
  CU_add_test(suite, "rows are at their minimum", rows_are_at_their_minimum);
  CU_add_test(suite, "rows of many factors are too", wide_rows_are_at_their_minimum);
  CU_add_test(suite, "long rows are right", long_rows_are_right);
  CU_add_test(suite, "units do not matter", units_do_not_matter);
}
