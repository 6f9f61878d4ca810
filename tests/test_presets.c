/* Presets: what they set and leave alone, and that they give models which know something of
 * held-out cells. docs/presets.md has figures for data of ordinary size. */
#include "option_table.h"
#include "suites.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- What is set ----------------------------------------------------------------------------- */

static void notebook_is_the_notebook(void)
{
  pqf_options got = PQF_OPTIONS_INIT;
  pqf_options want = PQF_OPTIONS_INIT;
  got.solver = PQF_SOLVER_ALS;
  got.factors = 7;
  got.keep_best = 1;
  got.learning_rate = 3;
  CHECK_OK(pqf_options_preset(&got, "notebook"));
  want.update = PQF_UPDATE_NOTEBOOK;
  want.init = PQF_INIT_TORCH;
  CU_ASSERT_EQUAL(memcmp(&got, &want, sizeof got), 0);
}

static void ratings_and_clicks(void)
{
  pqf_options options = PQF_OPTIONS_INIT;
  pqf_model *model = NULL;
  options.nonnegative = 1;
  options.conjugate_gradient = 3;
  CHECK_OK(pqf_options_preset(&options, "ratings"));
  CU_ASSERT_EQUAL(options.solver, PQF_SOLVER_ALS);
  CU_ASSERT_EQUAL(options.objective, PQF_OBJECTIVE_OBSERVED);
  CU_ASSERT_EQUAL(options.biases, PQF_BIASES_BOTH);
  CU_ASSERT_EQUAL(options.nonnegative, 0);
  CU_ASSERT_EQUAL(options.conjugate_gradient, 0);
  CHECK_OK(pqf_options_preset(&options, "clicks"));
  CU_ASSERT_EQUAL(options.objective, PQF_OBJECTIVE_IMPLICIT);
  CU_ASSERT_EQUAL(options.biases, PQF_BIASES_NONE);
  CU_ASSERT_EQUAL(options.bias_regularization, -1);
  CHECK_OK(pqf_create(&model, &options));
  pqf_free(model);
}

/* How to run is the caller's. */
static void the_rest_stays(void)
{
  static const char *const names[] = {"notebook", "ratings", "clicks"};
  for (int n = 0; n < 3; ++n) {
    pqf_options options = PQF_OPTIONS_INIT;
    int64_t payload = 0;
    options.backend = "cpu";
    options.backend_path = "/modules";
    options.threads = 3;
    options.seed = 9;
    options.payload = &payload;
    options.memory_limit = 77;
    options.checkpoint = "state.pqf";
    options.checkpoint_every = 5;
    CHECK_OK(pqf_options_preset(&options, names[n]));
    CU_ASSERT_STRING_EQUAL(options.backend, "cpu");
    CU_ASSERT_STRING_EQUAL(options.backend_path, "/modules");
    CU_ASSERT_EQUAL(options.threads, 3);
    CU_ASSERT_EQUAL(options.seed, 9);
    CU_ASSERT_PTR_EQUAL(options.payload, &payload);
    CU_ASSERT_EQUAL(options.memory_limit, 77);
    CU_ASSERT_STRING_EQUAL(options.checkpoint, "state.pqf");
    CU_ASSERT_EQUAL(options.checkpoint_every, 5);
    CU_ASSERT_EQUAL(options.size, sizeof options);
  }
}

/* A program of release 0.1 has room for the notebook's alone. */
static void a_shorter_struct(void)
{
  pqf_options options = PQF_OPTIONS_INIT;
  options.size = PQF_OPTIONS_FIRST_SIZE;
  memset((char *)&options + PQF_OPTIONS_FIRST_SIZE, 0x55, sizeof options - PQF_OPTIONS_FIRST_SIZE);
  pqf_options before = options;
  CHECK_STATUS(pqf_options_preset(&options, "ratings"), PQF_EINVAL);
  CHECK_WORDS("preset ratings sets bias_regularization, which is not in an options struct of");
  CU_ASSERT_EQUAL(memcmp(&options, &before, sizeof options), 0);
  CHECK_OK(pqf_options_preset(&options, "notebook"));
  CU_ASSERT_EQUAL(options.update, PQF_UPDATE_NOTEBOOK);
  before.update = options.update;
  before.init = options.init;
  CU_ASSERT_EQUAL(memcmp(&options, &before, sizeof options), 0);
}

static void refused(void)
{
  pqf_options options = PQF_OPTIONS_INIT;
  CHECK_STATUS(pqf_options_preset(NULL, "ratings"), PQF_EINVAL);
  CHECK_WORDS("options is NULL");
  CHECK_STATUS(pqf_options_preset(&options, NULL), PQF_EINVAL);
  CHECK_STATUS(pqf_options_preset(&options, "rating"), PQF_EINVAL);
  CHECK_WORDS("unknown preset 'rating': must be notebook, ratings or clicks");
  options.size = 8;
  CHECK_STATUS(pqf_options_preset(&options, "ratings"), PQF_EINVAL);
}

/* ---- What comes of it ------------------------------------------------------------------------ */

enum { ROWS = 300, COLS = 200, RANK = 3 };

typedef struct cells {
  int64_t count;
  int32_t row[ROWS * COLS];
  int32_t col[ROWS * COLS];
  float value[ROWS * COLS];
} cells;

static void add(cells *to, int32_t row, int32_t col, double value)
{
  const int64_t n = to->count++;
  to->row[n] = row;
  to->col[n] = col;
  to->value[n] = (float)value;
}

static pqf_metrics measure(const char *preset, const cells *train, const cells *held_out)
{
  pqf_options options = PQF_OPTIONS_INIT;
  pqf_metrics metrics = {.size = sizeof metrics};
  pqf_data *data[2] = {NULL, NULL};
  pqf_model *model = NULL;
  CHECK_OK(pqf_data_coo(&data[0], ROWS, COLS, train->count, train->row, train->col, train->value,
                        NULL, NULL));
  CHECK_OK(pqf_data_coo(&data[1], ROWS, COLS, held_out->count, held_out->row, held_out->col,
                        held_out->value, NULL, NULL));
  CHECK_OK(pqf_options_preset(&options, preset));
  CHECK_OK(pqf_create(&model, &options));
  CHECK_OK(pqf_fit(model, data[0], NULL));
  CHECK_OK(pqf_evaluate(model, data[1], data[0], NULL, &metrics));
  pqf_free(model);
  pqf_data_free(data[0]);
  pqf_data_free(data[1]);
  return metrics;
}

/* Ratings of planted factors, biases and noise: the model must explain what is no noise, most of
 * it. */
static void ratings_are_learned(void)
{
  cells *train = test_allocate(1, sizeof *train);
  cells *held_out = test_allocate(1, sizeof *held_out);
  float *p = test_normals(41, ROWS * RANK, 1);
  float *q = test_normals(42, COLS * RANK, 1);
  float *bias = test_normals(43, ROWS + COLS, 0.4);
  uint64_t state = 44;
  double variance = 0;
  for (int32_t u = 0; u < ROWS; ++u)
    for (int32_t i = 0; i < COLS; ++i) {
      double signal = (double)bias[u] + (double)bias[ROWS + i];
      for (int f = 0; f < RANK; ++f)
        signal += 0.5 * (double)p[u * RANK + f] * (double)q[i * RANK + f];
      const double value = 3.5 + signal + 0.5 * test_normal(&state);
      const double place = test_uniform(&state);
      if (place < 0.25)
        add(train, u, i, value);
      else if (place < 0.3) {
        add(held_out, u, i, value);
        variance += (value - 3.5) * (value - 3.5);
      }
    }
  variance /= (double)held_out->count;
  const pqf_metrics metrics = measure("ratings", train, held_out);
  CHECK_AT_MOST(metrics.rmse * metrics.rmse - 0.25, 0.35 * (variance - 0.25), "error beyond noise");
  free(train);
  free(held_out);
  free(p);
  free(q);
  free(bias);
}

/* Users of one kind click mostly items of that kind. */
static void clicks_are_learned(void)
{
  cells *train = test_allocate(1, sizeof *train);
  cells *held_out = test_allocate(1, sizeof *held_out);
  uint64_t state = 45;
  for (int32_t u = 0; u < ROWS; ++u)
    for (int32_t i = 0; i < COLS; ++i)
      if (test_uniform(&state) < (u % 5 == i % 5 ? 0.5 : 0.03))
        add(test_uniform(&state) < 0.8 ? train : held_out, u, i, 1);
  const pqf_metrics metrics = measure("clicks", train, held_out);
  CU_ASSERT(metrics.auc > 0.85);
  CU_ASSERT(metrics.recall > 0.3); /* by chance: 0.05 */
  free(train);
  free(held_out);
}

void suite_presets(void)
{
  CU_pSuite suite = CU_add_suite("presets", NULL, NULL);
  CU_add_test(suite, "notebook", notebook_is_the_notebook);
  CU_add_test(suite, "ratings and clicks", ratings_and_clicks);
  CU_add_test(suite, "the rest stays", the_rest_stays);
  CU_add_test(suite, "a shorter struct", a_shorter_struct);
  CU_add_test(suite, "refused", refused);
  CU_add_test(suite, "ratings are learned", ratings_are_learned);
  CU_add_test(suite, "clicks are learned", clicks_are_learned);
}
