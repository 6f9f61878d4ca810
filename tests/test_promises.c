/* What users of other libraries complain about and what no other suite here holds; docs/promises.md
 * has the whole list. */
#include "suites.h"
#include "test.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct cells {
  int64_t rows;
  int64_t cols;
  int64_t count;
  int32_t row[256];
  int32_t col[256];
  float value[256];
} cells;

/* A full matrix of values around 3. */
static void fill(cells *out, int64_t rows, int64_t cols)
{
  uint64_t state = 7;
  out->rows = rows;
  out->cols = cols;
  out->count = rows * cols;
  for (int64_t n = 0; n < out->count; ++n) {
    out->row[n] = (int32_t)(n / cols);
    out->col[n] = (int32_t)(n % cols);
    out->value[n] = (float)(3 + test_normal(&state));
  }
}

static pqf_data *data_of(const cells *of)
{
  pqf_data *data = NULL;
  CHECK_OK(
      pqf_data_coo(&data, of->rows, of->cols, of->count, of->row, of->col, of->value, NULL, NULL));
  return data;
}

static pqf_options ratings_options(int32_t factors)
{
  pqf_options options = PQF_OPTIONS_INIT;
  options.solver = PQF_SOLVER_ALS;
  options.objective = PQF_OBJECTIVE_OBSERVED;
  options.factors = factors;
  options.init_scale = 0.1;
  options.regularization = 0.5;
  return options;
}

/* The columns were solved last: for each, sum of (q.p + b + c + mean - r) p + lambda q must vanish.
 * A float system of k unknowns is solved to about k roundings of its right side. */
static void check_stationary(const pqf_model *model, const cells *of, int32_t k, double lambda)
{
  const float *p = pqf_model_borrow_factors(model, PQF_ROWS);
  const float *q = pqf_model_borrow_factors(model, PQF_COLS);
  const float *b = pqf_model_borrow_biases(model, PQF_ROWS);
  const float *c = pqf_model_borrow_biases(model, PQF_COLS);
  double *gradient = test_allocate(of->cols * k, sizeof *gradient);
  double largest = 0;
  double scale = 0;
  for (int64_t n = 0; n < of->count; ++n) {
    const float *user = p + (int64_t)of->row[n] * k;
    const float *item = q + (int64_t)of->col[n] * k;
    double error = pqf_model_mean(model) + (double)b[of->row[n]] + (double)c[of->col[n]] -
                   (double)of->value[n];
    for (int32_t f = 0; f < k; ++f)
      error += (double)user[f] * (double)item[f];
    for (int32_t f = 0; f < k; ++f) {
      gradient[of->col[n] * k + f] += error * (double)user[f];
      scale = fmax(scale, fabs((double)of->value[n] * (double)user[f]));
    }
  }
  for (int64_t n = 0; n < of->cols * k; ++n)
    largest = fmax(largest, fabs(gradient[n] + lambda * (double)q[n]));
  CHECK_AT_MOST(largest / scale, k * 1.2e-7, "gradient of the columns after their half-sweep");
  free(gradient);
}

/* No limit below 2048, spoken or silent. */
static void any_number_of_factors_is_solved(void)
{
  static const int32_t factors[] = {1, 255, 1023, 1024, 1025, 2047, 2048};
  cells small;
  fill(&small, 4, 3);
  pqf_data *data = data_of(&small);
  for (size_t n = 0; n < sizeof factors / sizeof factors[0]; ++n) {
    pqf_options options = ratings_options(factors[n]);
    pqf_model *model = NULL;
    options.epochs = 1;
    CHECK_OK(pqf_create(&model, &options));
    CHECK_OK(pqf_fit(model, data, NULL));
    CU_ASSERT_EQUAL(pqf_model_factors(model), factors[n]);
    check_stationary(model, &small, factors[n], options.regularization);
    pqf_free(model);
  }
  pqf_data_free(data);
}

/* Squares of these values leave the range of float: words and the factors of before, no NaN. */
static void no_silent_nan(void)
{
  static const int32_t objectives[] = {PQF_OBJECTIVE_OBSERVED, PQF_OBJECTIVE_SQUARED};
  cells tame;
  cells wild;
  fill(&tame, 6, 5);
  fill(&wild, 6, 5);
  for (int64_t n = 0; n < wild.count; ++n)
    wild.value[n] *= 1e38F / 4;
  pqf_data *before = data_of(&tame);
  pqf_data *after = data_of(&wild);
  for (size_t o = 0; o < sizeof objectives / sizeof objectives[0]; ++o) {
    pqf_options options = ratings_options(4);
    pqf_model *model = NULL;
    options.objective = objectives[o];
    options.epochs = 5;
    CHECK_OK(pqf_create(&model, &options));
    CHECK_OK(pqf_fit(model, before, NULL));
    const int status = pqf_fit(model, after, NULL);
    CU_ASSERT(status == PQF_OK || status == PQF_EDIVERGED);
    for (int side = 0; side < 2; ++side)
      for (int64_t n = 0; n < (side == PQF_ROWS ? 6 : 5) * 4; ++n)
        CU_ASSERT(isfinite(pqf_model_borrow_factors(model, side)[n]));
    if (status == PQF_EDIVERGED)
      CHECK_WORDS("the loss is");
    pqf_free(model);
  }
  pqf_data_free(before);
  pqf_data_free(after);
}

static void fit_and_fail(void)
{
  cells small;
  fill(&small, 6, 5);
  pqf_data *data = data_of(&small);
  pqf_model *model = NULL;
  pqf_model *loaded = NULL;
  pqf_options options = ratings_options(3);
  CHECK_OK(pqf_create(&model, &options));
  CHECK_OK(pqf_fit(model, data, NULL));
  CHECK_OK(pqf_save(model, test_file("silent")));
  CHECK_STATUS(pqf_load(&loaded, test_file("absent"), 0), PQF_EIO);
  CHECK_OK(pqf_model_set_option(model, "solver", "gd"));
  CHECK_OK(pqf_model_set_option(model, "learning_rate", "1e30"));
  CHECK_STATUS(pqf_fit(model, data, NULL), PQF_EDIVERGED);
  pqf_free(model);
  pqf_data_free(data);
}

/* A fit, a divergence and a missing file with standard output and error turned into a file. */
static void library_is_silent(void)
{
  struct stat found;
  const int caught = open(test_file("output"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  CU_ASSERT_FATAL(caught >= 0);
  fflush(NULL);
  const int output = dup(STDOUT_FILENO);
  const int error = dup(STDERR_FILENO);
  CU_ASSERT(dup2(caught, STDOUT_FILENO) >= 0 && dup2(caught, STDERR_FILENO) >= 0);
  fit_and_fail();
  fflush(NULL);
  CU_ASSERT(dup2(output, STDOUT_FILENO) >= 0 && dup2(error, STDERR_FILENO) >= 0);
  CU_ASSERT(fstat(caught, &found) == 0 && found.st_size == 0);
  close(output);
  close(error);
  close(caught);
}

void suite_promises(void)
{
  CU_pSuite suite = CU_add_suite("promises", NULL, NULL);
  CU_add_test(suite, "any number of factors", any_number_of_factors_is_solved);
  CU_add_test(suite, "no silent NaN", no_silent_nan);
  CU_add_test(suite, "the library is silent", library_is_silent);
}
