/* The notebook's runs, as PyTorch computed them (tests/data/golden/README.md), repeated through the
 * public calls: from torch's seed and from its first factors, on dense data and on sparse data
 * whose absent cells are zeros that count. Prints the differences found. */
#include "suites.h"
#include "test.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct golden {
  const char *name;
  double loss_tolerance;    /* relative, for every epoch that both have */
  double epoch_tolerance;   /* relative, for the epoch of the early stop */
  double product_tolerance; /* absolute, for predictions */
} golden;

/* Float32 sums of PyTorch round at 6e-8 of their largest term, and a few hundred epochs carry that
 * on. The long run magnifies it: near its end the loss falls by just about min_delta an epoch, so
 * that the stop moves. */
static const golden runs[] = {
    {"notebook_k3_seed0", 1e-5, 0, 1e-4},
    {"notebook_k2_seed42", 1e-5, 0, 1e-4},
    {"dense_60x40_k8_seed1", 1e-5, 0, 1e-4},
    {"sparse_120x80_k5_seed2", 1e-4, 0.02, 2e-2},
};

/* What is read of a run. */
typedef struct trace {
  pqf_options options;
  int64_t stopped;
  int64_t rows;
  int64_t cols;
  int64_t losses;
  double *r;
  double *p0;
  double *q0;
  double *loss;
  double *predicted;
} trace;

static void settings_read(trace *out, const char *path)
{
  char name[32];
  char value[32];
  FILE *file = fopen(path, "r");
  CU_ASSERT_PTR_NOT_NULL_FATAL(file);
  while (fscanf(file, "%31[^=]=%31s ", name, value) == 2) {
    if (strcmp(name, "stopped_at_epoch") == 0)
      out->stopped = atoll(value);
    else if (strcmp(name, "last_loss") != 0)
      CHECK_OK(pqf_options_set(&out->options,
                               strcmp(name, "alpha") == 0  ? "learning_rate"
                               : strcmp(name, "beta") == 0 ? "regularization"
                                                           : name,
                               value));
  }
  fclose(file);
}

static double *column_read(const char *run, const char *file, int64_t *count)
{
  char name[128];
  snprintf(name, sizeof name, "golden/%s/%s", run, file);
  return test_numbers(name, count);
}

static void trace_read(trace *out, const char *run)
{
  char name[128];
  int64_t count;
  const pqf_options defaults = PQF_OPTIONS_INIT;
  memset(out, 0, sizeof *out);
  out->options = defaults;
  out->options.update = PQF_UPDATE_NOTEBOOK;
  snprintf(name, sizeof name, "golden/%s/run.txt", run);
  settings_read(out, test_data(name));
  out->p0 = column_read(run, "P0.csv", &out->rows);
  out->q0 = column_read(run, "Q0.csv", &out->cols);
  out->rows /= out->options.factors;
  out->cols /= out->options.factors;
  out->r = column_read(run, "R.csv", &count);
  CU_ASSERT_EQUAL_FATAL(count, out->rows * out->cols);
  out->predicted = column_read(run, "predicted.csv", &count);
  CU_ASSERT_EQUAL_FATAL(count, out->rows * out->cols);
  out->loss = column_read(run, "loss.csv", &out->losses);
  CU_ASSERT_EQUAL_FATAL(out->losses, out->stopped);
}

static void trace_free(trace *run)
{
  free(run->r);
  free(run->p0);
  free(run->q0);
  free(run->loss);
  free(run->predicted);
}

static float *to_float(const double *values, int64_t count)
{
  float *out = test_allocate(count, sizeof *out);
  for (int64_t n = 0; n < count; ++n)
    out[n] = (float)values[n];
  return out;
}

static pqf_data *dense_data(const trace *run)
{
  pqf_data *data = NULL;
  float *values = to_float(run->r, run->rows * run->cols);
  CHECK_OK(pqf_data_dense(&data, values, run->rows, run->cols, run->cols, NULL));
  free(values);
  return data;
}

/* The cells that are not zero. */
static pqf_data *sparse_data(const trace *run)
{
  const int64_t cells = run->rows * run->cols;
  int32_t *row = test_allocate(cells, sizeof *row);
  int32_t *col = test_allocate(cells, sizeof *col);
  float *value = test_allocate(cells, sizeof *value);
  int64_t count = 0;
  for (int64_t n = 0; n < cells; ++n)
    if (run->r[n] != 0) {
      row[count] = (int32_t)(n / run->cols);
      col[count] = (int32_t)(n % run->cols);
      value[count++] = (float)run->r[n];
    }
  pqf_data *data = NULL;
  CHECK_OK(pqf_data_coo(&data, run->rows, run->cols, count, row, col, value, NULL, NULL));
  free(row);
  free(col);
  free(value);
  return data;
}

static double loss_difference(const pqf_model *model, const trace *run, int64_t epochs)
{
  double worst = 0;
  for (int64_t n = 0; n < epochs && n < run->losses; ++n) {
    pqf_epoch epoch = {.size = sizeof epoch};
    CHECK_OK(pqf_model_history(model, n, &epoch));
    worst = fmax(worst, fabs(epoch.loss - run->loss[n]) / run->loss[n]);
  }
  return worst;
}

static double product_difference(const pqf_model *model, const trace *run)
{
  double worst = 0;
  float *product = test_allocate(run->rows * run->cols, sizeof *product);
  CHECK_OK(pqf_reconstruct(model, 0, run->rows, product, run->cols));
  for (int64_t n = 0; n < run->rows * run->cols; ++n)
    worst = fmax(worst, fabs((double)product[n] - run->predicted[n]));
  free(product);
  return worst;
}

static void compare(const pqf_model *model, const trace *run, const golden *expected,
                    const char *how)
{
  pqf_summary summary = {.size = sizeof summary};
  CHECK_OK(pqf_model_summary(model, &summary));
  const double loss = loss_difference(model, run, summary.epochs);
  const double product = product_difference(model, run);
  printf("\n    %-22s %-13s stopped at epoch %" PRId64 " (%" PRId64 "), loss %.4f (%.4f); "
         "losses differ by %.1e, predictions by %.1e",
         expected->name, how, summary.epochs, run->stopped, summary.loss,
         run->loss[run->losses - 1], loss, product);
  CU_ASSERT_EQUAL(summary.stop_reason, PQF_STOP_EARLY);
  CHECK_AT_MOST(fabs((double)(summary.epochs - run->stopped)),
                expected->epoch_tolerance * (double)run->stopped, "epochs apart");
  CHECK_AT_MOST(loss, expected->loss_tolerance, "losses apart");
  CHECK_AT_MOST(product, expected->product_tolerance, "predictions apart");
}

static void fit_and_compare(const trace *run, const golden *expected, const pqf_data *data,
                            int32_t init, const char *how)
{
  pqf_model *model = NULL;
  pqf_options options = run->options;
  options.init = init;
  CHECK_OK(pqf_create(&model, &options));
  if (init == PQF_INIT_GIVEN) {
    float *p = to_float(run->p0, run->rows * options.factors);
    float *q = to_float(run->q0, run->cols * options.factors);
    CHECK_OK(pqf_model_set_initial(model, run->rows, run->cols, p, q));
    free(p);
    free(q);
  }
  if (CHECK_OK(pqf_fit(model, data, NULL)))
    compare(model, run, expected, how);
  pqf_free(model);
}

static void repeat(const golden *expected)
{
  trace run;
  trace_read(&run, expected->name);
  pqf_data *dense = dense_data(&run);
  pqf_data *sparse = sparse_data(&run);
  fit_and_compare(&run, expected, dense, PQF_INIT_TORCH, "dense torch");
  fit_and_compare(&run, expected, dense, PQF_INIT_GIVEN, "dense given");
  fit_and_compare(&run, expected, sparse, PQF_INIT_TORCH, "sparse torch");
  pqf_data_free(sparse);
  pqf_data_free(dense);
  trace_free(&run);
}

static void repeats_notebook_k3(void)
{
  repeat(&runs[0]);
}

static void repeats_notebook_k2(void)
{
  repeat(&runs[1]);
}

static void repeats_dense(void)
{
  repeat(&runs[2]);
}

static void repeats_sparse(void)
{
  repeat(&runs[3]);
}

void suite_golden(void)
{
  CU_pSuite suite = CU_add_suite("golden", NULL, NULL);
  CU_add_test(suite, "the notebook's matrix with three factors", repeats_notebook_k3);
  CU_add_test(suite, "the notebook's matrix with two factors", repeats_notebook_k2);
  CU_add_test(suite, "a dense matrix whose draws come in blocks", repeats_dense);
  CU_add_test(suite, "a sparse matrix whose zeros count", repeats_sparse);
}
