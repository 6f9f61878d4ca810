/* Serving: predictions of pairs and of whole rows, and products of a caller's own matrices, against
 * plain loops in double. */
#include "cases.h"
#include "suites.h"
#include "test.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* What stands where nothing may be written. */
static const float untouched = -12345;

/* A product of k terms in float is off by at most about sqrt(k) 2^-24 |p| |q|, where the norms are
 * about sqrt(k) for standard normal factors. */
static double tolerance(int64_t k)
{
  return 0x1p-24 * (double)k * (4 + sqrt((double)k));
}

static double product(const float *p, const float *q, int64_t k)
{
  double sum = 0;
  for (int64_t f = 0; f < k; ++f)
    sum += (double)p[f] * (double)q[f];
  return sum;
}

/* ---- pqf_multiply ---------------------------------------------------------------------------- */

static void check_multiply(int64_t rows, int64_t cols, int64_t k, int64_t gap)
{
  const int64_t p_stride = k + gap;
  const int64_t q_stride = k + 2 * gap;
  const int64_t out_stride = cols + 3 * gap;
  float *p = test_normals(1, rows * p_stride, 1);
  float *q = test_normals(2, cols * q_stride, 1);
  float *out = test_allocate(rows * out_stride, sizeof *out);
  double worst = 0;
  int64_t written = 0;
  for (int64_t n = 0; n < rows * out_stride; ++n)
    out[n] = untouched;
  CHECK_OK(pqf_multiply(rows, cols, k, p, p_stride, q, q_stride, out, out_stride));
  for (int64_t u = 0; u < rows; ++u)
    for (int64_t i = 0; i < out_stride; ++i) {
      const double got = (double)out[u * out_stride + i];
      if (i < cols)
        worst = fmax(worst, fabs(got - product(p + u * p_stride, q + i * q_stride, k)));
      else
        written += out[u * out_stride + i] != untouched;
    }
  CHECK_AT_MOST(worst, tolerance(k), "a product");
  CU_ASSERT_EQUAL(written, 0);
  free(p);
  free(q);
  free(out);
}

static void multiply_agrees_with_loops(void)
{
  static const int64_t sides[] = {1, 2, 5, 6, 7, 15, 16, 17, 31, 32, 33, 65};
  static const int64_t factors[] = {0, 1, 2, 7, 8, 15, 16, 17, 64, 127, 128, 129, 300};
  for (size_t s = 0; s < sizeof sides / sizeof sides[0]; ++s)
    for (size_t f = 0; f < sizeof factors / sizeof factors[0]; ++f) {
      check_multiply(sides[s], 9, factors[f], 0);
      check_multiply(7, sides[s], factors[f], 3);
      check_multiply(sides[s], sides[s], factors[f], 1);
    }
  check_multiply(600, 40, 20, 0); /* several blocks of rows */
  check_multiply(3, 1000, 130, 5);
}

static void multiply_of_nothing_touches_nothing(void)
{
  float out = untouched;
  CHECK_OK(pqf_multiply(0, 5, 3, NULL, 3, NULL, 3, NULL, 5));
  CHECK_OK(pqf_multiply(5, 0, 3, NULL, 3, NULL, 3, &out, 0));
  CU_ASSERT_EQUAL(out, untouched);
  CHECK_OK(pqf_multiply(1, 1, 0, NULL, 0, NULL, 0, &out, 1));
  CU_ASSERT_EQUAL(out, 0);
}

static void multiply_refuses(void)
{
  const float p[6] = {0};
  float out[4];
  CHECK_STATUS(pqf_multiply(-1, 2, 3, p, 3, p, 3, out, 2), PQF_EINVAL);
  CHECK_WORDS("-1");
  CHECK_STATUS(pqf_multiply(2, -2, 3, p, 3, p, 3, out, 2), PQF_EINVAL);
  CHECK_STATUS(pqf_multiply(2, 2, -3, p, 3, p, 3, out, 2), PQF_EINVAL);
  CHECK_STATUS(pqf_multiply(2, 2, 3, p, 2, p, 3, out, 2), PQF_EINVAL);
  CHECK_WORDS("p_stride");
  CHECK_STATUS(pqf_multiply(2, 2, 3, p, 3, p, 2, out, 2), PQF_EINVAL);
  CHECK_WORDS("q_stride");
  CHECK_STATUS(pqf_multiply(2, 2, 3, p, 3, p, 3, out, 1), PQF_EINVAL);
  CHECK_WORDS("out_stride");
  CHECK_STATUS(pqf_multiply(2, 2, 3, NULL, 3, p, 3, out, 2), PQF_EINVAL);
  CHECK_STATUS(pqf_multiply(2, 2, 3, p, 3, NULL, 3, out, 2), PQF_EINVAL);
  CHECK_STATUS(pqf_multiply(2, 2, 3, p, 3, p, 3, NULL, 2), PQF_EINVAL);
}

/* ---- Models ---------------------------------------------------------------------------------- */

static pqf_model *fitted(case_shape shape, int32_t factors)
{
  test_case test;
  pqf_model *model = NULL;
  case_create(&test, &case_kinds[0], shape, factors, 1, 71);
  const pqf_options options = case_options(&test);
  CHECK_OK(pqf_create(&model, &options));
  CHECK_OK(pqf_model_set_initial(model, shape.rows, shape.cols, test.p, test.q));
  CHECK_OK(pqf_fit(model, test.data, NULL));
  case_free(&test);
  return model;
}

static double cell(const pqf_model *model, int64_t row, int64_t col)
{
  const int64_t k = pqf_model_factors(model);
  return product(pqf_model_borrow_factors(model, PQF_ROWS) + row * k,
                 pqf_model_borrow_factors(model, PQF_COLS) + col * k, k);
}

/* Counts around the number of pairs that are done together. */
static void predicts_pairs(void)
{
  enum { MOST = 37, ROWS = 23, COLS = 18 };
  static const int32_t factors[] = {1, 2, 15, 16, 17, 40};
  for (size_t f = 0; f < sizeof factors / sizeof factors[0]; ++f) {
    pqf_model *model = fitted((case_shape){ROWS, COLS}, factors[f]);
    int32_t row[MOST];
    int32_t col[MOST];
    float out[MOST + 1];
    for (int32_t n = 0; n < MOST; ++n) {
      row[n] = (n * 7 + 22) % ROWS;
      col[n] = (n * 5 + 17) % COLS;
    }
    for (int64_t count = 0; count <= MOST; ++count) {
      double worst = 0;
      for (int n = 0; n <= MOST; ++n)
        out[n] = untouched;
      CHECK_OK(pqf_predict(model, count, row, col, out));
      for (int64_t n = 0; n < count; ++n)
        worst = fmax(worst, fabs((double)out[n] - cell(model, row[n], col[n])));
      CHECK_AT_MOST(worst, tolerance(factors[f]), "a prediction");
      CU_ASSERT_EQUAL(out[count], untouched);
    }
    pqf_free(model);
  }
}

/* A model with a mean and biases. */
static pqf_model *fitted_with_biases(int32_t rows, int32_t cols)
{
  enum { CELLS = 60 };
  pqf_options options = PQF_OPTIONS_INIT;
  pqf_model *model = NULL;
  pqf_data *data = NULL;
  int32_t row[CELLS];
  int32_t col[CELLS];
  float value[CELLS];
  for (int32_t n = 0; n < CELLS; ++n) {
    row[n] = n % rows;
    col[n] = n / rows;
    value[n] = (float)(1 + n % 5);
  }
  options.backend = "cpu";
  options.solver = PQF_SOLVER_ALS;
  options.objective = PQF_OBJECTIVE_OBSERVED;
  options.epochs = 3;
  CHECK_OK(pqf_data_coo(&data, rows, cols, CELLS, row, col, value, NULL, NULL));
  CHECK_OK(pqf_create(&model, &options));
  CHECK_OK(pqf_fit(model, data, NULL));
  CU_ASSERT_PTR_NOT_NULL(pqf_model_borrow_biases(model, PQF_ROWS));
  pqf_data_free(data);
  return model;
}

/* `out` in the memory of the indices: the same bits, however many pairs. */
static void check_in_place(const pqf_model *model)
{
  static const int64_t counts[] = {1, 7, 255, 256, 257, 1000};
  const int64_t size[2] = {pqf_model_rows(model), pqf_model_cols(model)};
  for (size_t c = 0; c < sizeof counts / sizeof counts[0]; ++c)
    for (int over = 0; over < 2; ++over) {
      const int64_t count = counts[c];
      const size_t bytes = (size_t)count * sizeof(float);
      int32_t *index[2];
      float *want = test_allocate(count, sizeof *want);
      for (int side = 0; side < 2; ++side) {
        index[side] = test_allocate(count, sizeof *index[side]);
        for (int64_t n = 0; n < count; ++n)
          index[side][n] = (int32_t)((n * 7 + 5) % size[side]);
      }
      CHECK_OK(pqf_predict(model, count, index[0], index[1], want));
      void *out = index[over];
      CHECK_OK(pqf_predict(model, count, index[0], index[1], out));
      CU_ASSERT_EQUAL(memcmp(out, want, bytes), 0);
      free(index[0]);
      free(index[1]);
      free(want);
    }
}

static void predicts_in_place(void)
{
  pqf_model *plain = fitted((case_shape){23, 18}, 3);
  pqf_model *biased = fitted_with_biases(15, 4);
  check_in_place(plain);
  check_in_place(biased);
  pqf_free(plain);
  pqf_free(biased);
}

static void reconstructs_blocks_of_rows(void)
{
  enum { ROWS = 20, COLS = 13, STRIDE = 17 };
  pqf_model *model = fitted((case_shape){ROWS, COLS}, 5);
  float out[ROWS * STRIDE];
  for (int64_t first = 0; first <= ROWS; ++first)
    for (int64_t count = 0; first + count <= ROWS; ++count) {
      double worst = 0;
      int written = 0;
      for (int n = 0; n < ROWS * STRIDE; ++n)
        out[n] = untouched;
      CHECK_OK(pqf_reconstruct(model, first, count, out, STRIDE));
      for (int64_t n = 0; n < ROWS * STRIDE; ++n)
        if (n / STRIDE < count && n % STRIDE < COLS)
          worst = fmax(worst, fabs((double)out[n] - cell(model, first + n / STRIDE, n % STRIDE)));
        else
          written += out[n] != untouched;
      CHECK_AT_MOST(worst, tolerance(5), "a reconstruction");
      CU_ASSERT_EQUAL(written, 0);
    }
  pqf_free(model);
}

/* A row comes out the same alone, in a block, and in the whole. */
static void rows_do_not_depend_on_their_neighbours(void)
{
  enum { ROWS = 300, COLS = 70 };
  pqf_model *model = fitted((case_shape){ROWS, COLS}, 33);
  float *whole = test_allocate((int64_t)ROWS * COLS, sizeof *whole);
  float row[COLS];
  int different = 0;
  CHECK_OK(pqf_reconstruct(model, 0, ROWS, whole, COLS));
  for (int64_t n = 0; n < ROWS; ++n) {
    CHECK_OK(pqf_reconstruct(model, n, 1, row, COLS));
    different += memcmp(row, whole + n * COLS, sizeof row) != 0;
  }
  CU_ASSERT_EQUAL(different, 0);
  free(whole);
  pqf_free(model);
}

static void predict_refuses(void)
{
  pqf_model *unfitted = NULL;
  pqf_model *model = fitted((case_shape){4, 3}, 2);
  const int32_t good[] = {0, 2};
  const int32_t low[] = {0, -1};
  const int32_t high[] = {0, 3};
  float out[12];
  CHECK_OK(pqf_create(&unfitted, NULL));
  CHECK_STATUS(pqf_predict(unfitted, 2, good, good, out), PQF_EUNFITTED);
  CHECK_STATUS(pqf_predict(NULL, 2, good, good, out), PQF_EINVAL);
  CHECK_STATUS(pqf_predict(model, -1, good, good, out), PQF_EINVAL);
  CHECK_STATUS(pqf_predict(model, 2, NULL, good, out), PQF_EINVAL);
  CHECK_STATUS(pqf_predict(model, 2, good, NULL, out), PQF_EINVAL);
  CHECK_STATUS(pqf_predict(model, 2, good, good, NULL), PQF_EINVAL);
  CHECK_STATUS(pqf_predict(model, 2, low, good, out), PQF_EINVAL);
  CHECK_WORDS("row[1] is -1");
  CHECK_STATUS(pqf_predict(model, 2, good, high, out), PQF_EINVAL);
  CHECK_WORDS("col[1] is 3");
  CHECK_OK(pqf_predict(model, 0, NULL, NULL, NULL));
  pqf_free(unfitted);
  pqf_free(model);
}

static void reconstruct_refuses(void)
{
  pqf_model *unfitted = NULL;
  pqf_model *model = fitted((case_shape){4, 3}, 2);
  float out[12];
  CHECK_OK(pqf_create(&unfitted, NULL));
  CHECK_STATUS(pqf_reconstruct(unfitted, 0, 1, out, 3), PQF_EUNFITTED);
  CHECK_STATUS(pqf_reconstruct(NULL, 0, 1, out, 3), PQF_EINVAL);
  CHECK_STATUS(pqf_reconstruct(model, -1, 1, out, 3), PQF_EINVAL);
  CHECK_STATUS(pqf_reconstruct(model, 0, -1, out, 3), PQF_EINVAL);
  CHECK_STATUS(pqf_reconstruct(model, 3, 2, out, 3), PQF_EINVAL);
  CHECK_STATUS(pqf_reconstruct(model, INT64_MAX, 1, out, 3), PQF_EINVAL);
  CHECK_STATUS(pqf_reconstruct(model, 1, INT64_MAX, out, 3), PQF_EINVAL);
  CHECK_STATUS(pqf_reconstruct(model, 0, 4, out, 2), PQF_EINVAL);
  CHECK_STATUS(pqf_reconstruct(model, 0, 4, NULL, 3), PQF_EINVAL);
  pqf_free(unfitted);
  pqf_free(model);
}

/* ---- Many threads ---------------------------------------------------------------------------- */

enum { READERS = 4, READ_ROWS = 60, READ_COLS = 40 };

typedef struct reader {
  const pqf_model *model;
  const float *expected; /* READ_ROWS x READ_COLS */
  int failures;
} reader;

/* Every call that takes a const model, on one model. */
static void *read_model(void *payload)
{
  reader *r = payload;
  float row[READ_COLS];
  for (int32_t n = 0; n < READ_ROWS; ++n) {
    const int32_t col = n % READ_COLS;
    const pqf_id id = {.number = n};
    pqf_id found_id;
    int32_t index = -1;
    float cell_value = 0;
    pqf_summary summary = {.size = sizeof summary};
    r->failures += pqf_reconstruct(r->model, n, 1, row, READ_COLS) != PQF_OK;
    r->failures += memcmp(row, r->expected + n * READ_COLS, sizeof row) != 0;
    r->failures += pqf_predict(r->model, 1, &n, &col, &cell_value) != PQF_OK;
    r->failures += fabsf(cell_value - row[col]) > 1e-4f;
    r->failures += pqf_model_find(r->model, PQF_ROWS, &id, &index) != PQF_OK || index != n;
    r->failures += pqf_model_id(r->model, PQF_COLS, col, &found_id) != PQF_OK;
    r->failures += pqf_model_summary(r->model, &summary) != PQF_OK;
    r->failures += pqf_predict(r->model, 1, &n, &index, NULL) != PQF_EINVAL;
    r->failures += strstr(pqf_error_message(), "out") == NULL; /* each thread has its own words */
  }
  return NULL;
}

static void many_threads_share_a_model(void)
{
  pqf_model *model = fitted((case_shape){READ_ROWS, READ_COLS}, 8);
  float *expected = test_allocate((int64_t)READ_ROWS * READ_COLS, sizeof *expected);
  pthread_t threads[READERS];
  reader readers[READERS];
  CHECK_OK(pqf_reconstruct(model, 0, READ_ROWS, expected, READ_COLS));
  for (int n = 0; n < READERS; ++n) {
    readers[n] = (reader){model, expected, 0};
    CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[n], NULL, read_model, &readers[n]), 0);
  }
  for (int n = 0; n < READERS; ++n) {
    pthread_join(threads[n], NULL);
    CU_ASSERT_EQUAL(readers[n].failures, 0);
  }
  free(expected);
  pqf_free(model);
}

void suite_predict(void)
{
  CU_pSuite suite = CU_add_suite("predict", NULL, NULL);
  CU_add_test(suite, "multiply agrees with loops", multiply_agrees_with_loops);
  CU_add_test(suite, "multiply of nothing", multiply_of_nothing_touches_nothing);
  CU_add_test(suite, "what multiply refuses", multiply_refuses);
  CU_add_test(suite, "pairs", predicts_pairs);
  CU_add_test(suite, "pairs in place", predicts_in_place);
  CU_add_test(suite, "blocks of rows", reconstructs_blocks_of_rows);
  CU_add_test(suite, "a row alone and in company", rows_do_not_depend_on_their_neighbours);
  CU_add_test(suite, "what predict refuses", predict_refuses);
  CU_add_test(suite, "what reconstruct refuses", reconstruct_refuses);
  CU_add_test(suite, "many threads share a model", many_threads_share_a_model);
}
