/* Metrics: small ones worked out by hand, random ones against evaluate_reference.c, and against
 * scikit-learn and the Python package implicit. */
#include "evaluate_cases.h"
#include "suites.h"
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sums of some thousand quotients, in another order. */
static const double tolerance = 1e-12;

static void check_equal(double got, double want, const char *what)
{
  if (isnan(want)) {
    CU_ASSERT(isnan(got));
  } else {
    CHECK_AT_MOST(fabs(got - want), tolerance * fmax(1, fabs(want)), what);
  }
}

static void check_metrics(const pqf_metrics *got, const pqf_metrics *want)
{
  CU_ASSERT_EQUAL(got->cells, want->cells);
  CU_ASSERT_EQUAL(got->rows, want->rows);
  check_equal(got->rmse, want->rmse, "RMSE");
  check_equal(got->mae, want->mae, "MAE");
  check_equal(got->precision, want->precision, "precision");
  check_equal(got->recall, want->recall, "recall");
  check_equal(got->ndcg, want->ndcg, "NDCG");
  check_equal(got->map, want->map, "MAP");
  check_equal(got->mrr, want->mrr, "MRR");
  check_equal(got->auc, want->auc, "AUC");
  check_equal(got->coverage, want->coverage, "coverage");
}

/* ---- By hand --------------------------------------------------------------------------------- */

static pqf_metrics evaluate(const pqf_model *model, const pqf_data *held_out,
                            const pqf_data *exclude, int32_t k, double relevant)
{
  pqf_evaluate_options options = PQF_EVALUATE_OPTIONS_INIT;
  pqf_metrics out = {.size = sizeof out};
  options.k = k;
  options.relevant = relevant;
  CHECK_OK(pqf_evaluate(model, held_out, exclude, &options, &out));
  return out;
}

/* Cells of one row. */
static pqf_data *row_of(int64_t cols, int64_t count, const int32_t *col, const float *value)
{
  static const int32_t zeros[8];
  pqf_data *data = NULL;
  CHECK_OK(pqf_data_coo(&data, 1, cols, count, zeros, col, value, NULL, NULL));
  return data;
}

static void errors_by_hand(void)
{
  static const float score[] = {1, 2, 3, 4, 5, 6};
  static const int32_t row[] = {0, 0, 1};
  static const int32_t col[] = {0, 2, 1};
  static const float value[] = {2, 1, 5};
  static const float weight[] = {1, 2, 1};
  static const float nothing[] = {0, 0, 0};
  pqf_model *model = evaluate_model(2, 3, 3, score, NULL);
  pqf_data *data = NULL;
  REQUIRE_OK(pqf_data_coo(&data, 2, 3, 3, row, col, value, NULL, NULL));
  pqf_metrics got = evaluate(model, data, NULL, 2, 0); /* errors -1, 2, 0 */
  pqf_data_free(data);
  CU_ASSERT_EQUAL(got.cells, 3);
  check_equal(got.rmse, sqrt(5.0 / 3), "RMSE");
  check_equal(got.mae, 1, "MAE");

  REQUIRE_OK(pqf_data_coo(&data, 2, 3, 3, row, col, value, weight, NULL));
  got = evaluate(model, data, NULL, 2, 0);
  pqf_data_free(data);
  check_equal(got.rmse, 1.5, "weighted RMSE");
  check_equal(got.mae, 1.25, "weighted MAE");

  REQUIRE_OK(pqf_data_coo(&data, 2, 3, 3, row, col, value, nothing, NULL));
  got = evaluate(model, data, NULL, 2, 0);
  CU_ASSERT(isnan(got.rmse) && isnan(got.mae));
  CU_ASSERT_EQUAL(got.rows, 2); /* rankings know no weights */
  pqf_data_free(data);
  pqf_free(model);
}

static const float descending[] = {0.9f, 0.8f, 0.7f, 0.6f, 0.5f, 0.4f};

static void ranking_by_hand(void)
{
  static const int32_t held[] = {1, 4};
  static const int32_t seen[] = {0};
  pqf_model *model = evaluate_model(1, 6, 6, descending, NULL);
  pqf_data *held_out = row_of(6, 2, held, NULL);
  pqf_data *exclude = row_of(6, 1, seen, NULL);
  pqf_metrics got = evaluate(model, held_out, exclude, 3, -HUGE_VAL); /* lists 1, 2, 3 */
  CU_ASSERT_EQUAL(got.rows, 1);
  check_equal(got.precision, 1.0 / 3, "precision");
  check_equal(got.recall, 1.0 / 2, "recall");
  check_equal(got.ndcg, 1 / (1 + 1 / log2(3)), "NDCG");
  check_equal(got.map, 1.0 / 2, "MAP");
  check_equal(got.mrr, 1, "MRR");
  check_equal(got.auc, 4.0 / 6, "AUC"); /* 1 is above 2, 3 and 5; 4 is above 5 */
  check_equal(got.coverage, 3.0 / 6, "coverage");

  got = evaluate(model, held_out, NULL, 5, -HUGE_VAL); /* lists 0, 1, 2, 3, 4 */
  check_equal(got.precision, 2.0 / 5, "precision");
  check_equal(got.recall, 1, "recall");
  check_equal(got.ndcg, (1 / log2(3) + 1 / log2(6)) / (1 + 1 / log2(3)), "NDCG");
  check_equal(got.map, (1.0 / 2 + 2.0 / 5) / 2, "MAP");
  check_equal(got.mrr, 1.0 / 2, "MRR");
  check_equal(got.auc, 4.0 / 8, "AUC");
  check_equal(got.coverage, 5.0 / 6, "coverage");

  got = evaluate(model, held_out, NULL, 1, -HUGE_VAL); /* lists 0; recall is of min(1, 2) */
  check_equal(got.recall, 0, "recall");
  check_equal(got.mrr, 0, "MRR");
  got = evaluate(model, held_out, exclude, 1, -HUGE_VAL);
  check_equal(got.recall, 1, "recall");
  check_equal(got.ndcg, 1, "NDCG");
  pqf_data_free(held_out);
  pqf_data_free(exclude);
  pqf_free(model);
}

/* Of rows with 2, 0 and 1 relevant cells two count, each the same. */
static void rows_are_averaged(void)
{
  static const float score[] = {4, 3, 2, 1, 1, 2, 3, 4, 4, 3, 2, 1};
  static const int32_t row[] = {0, 0, 1, 2};
  static const int32_t col[] = {0, 1, 2, 3};
  static const float value[] = {5, 4, 3, 4};
  pqf_model *model = evaluate_model(3, 4, 4, score, NULL);
  pqf_data *data = NULL;
  REQUIRE_OK(pqf_data_coo(&data, 3, 4, 4, row, col, value, NULL, NULL));
  const pqf_metrics got = evaluate(model, data, NULL, 2, 4);
  CU_ASSERT_EQUAL(got.rows, 2);
  check_equal(got.precision, 1.0 / 2, "precision");
  check_equal(got.recall, 1.0 / 2, "recall");
  check_equal(got.auc, 1.0 / 2, "AUC");
  check_equal(got.coverage, 2.0 / 4, "coverage");
  pqf_data_free(data);
  pqf_free(model);
}

static void ties_by_hand(void)
{
  static const float equal[6] = {2, 2, 2, 2, 2, 2};
  static const int32_t held[] = {2, 3};
  pqf_model *model = evaluate_model(1, 6, 6, equal, NULL);
  pqf_data *data = row_of(6, 2, held, NULL);
  pqf_metrics got = evaluate(model, data, NULL, 3, -HUGE_VAL); /* lists 0, 1, 2 */
  check_equal(got.precision, 1.0 / 3, "precision");
  check_equal(got.mrr, 1.0 / 3, "MRR");
  check_equal(got.auc, 1.0 / 2, "AUC");
  got = evaluate(model, data, NULL, 2, -HUGE_VAL); /* lists 0, 1 */
  check_equal(got.precision, 0, "precision");
  pqf_data_free(data);
  pqf_free(model);
}

static void fewer_columns_than_k(void)
{
  static const int32_t held[] = {0, 5};
  static const int32_t seen[] = {0, 1};
  pqf_model *model = evaluate_model(1, 6, 6, descending, NULL);
  pqf_data *held_out = row_of(6, 2, held, NULL);
  pqf_data *exclude = row_of(6, 2, seen, NULL);
  pqf_metrics got = evaluate(model, held_out, NULL, INT32_MAX, -HUGE_VAL);
  check_equal(got.precision, 2.0 / INT32_MAX, "precision");
  check_equal(got.recall, 1, "recall");
  check_equal(got.map, (1 + 2.0 / 6) / 2, "MAP");
  check_equal(got.coverage, 1, "coverage");
  got = evaluate(model, held_out, exclude, 10, -HUGE_VAL); /* lists 2, 3, 4, 5 */
  check_equal(got.precision, 1.0 / 10, "precision");
  check_equal(got.recall, 1, "recall");
  check_equal(got.mrr, 1.0 / 4, "MRR");
  check_equal(got.auc, 0, "AUC");
  check_equal(got.coverage, 4.0 / 6, "coverage");
  pqf_data_free(held_out);
  pqf_data_free(exclude);
  pqf_free(model);
}

static void check_no_ranking(const pqf_metrics *got)
{
  CU_ASSERT_EQUAL(got->rows, 0);
  CU_ASSERT(isnan(got->precision) && isnan(got->recall) && isnan(got->ndcg) && isnan(got->map));
  CU_ASSERT(isnan(got->mrr) && isnan(got->auc) && isnan(got->coverage));
}

static void nothing_to_rank(void)
{
  static const int32_t all[] = {0, 1, 2, 3, 4, 5};
  static const float value[] = {1, 2, 3, 4, 5, 6};
  pqf_model *model = evaluate_model(1, 6, 6, descending, NULL);
  pqf_data *none = row_of(6, 0, all, NULL);
  pqf_data *some = row_of(6, 3, all, value);
  pqf_data *every = row_of(6, 6, all, value);
  pqf_data *dense = NULL;
  REQUIRE_OK(pqf_data_dense(&dense, value, 1, 6, 6, NULL));

  pqf_metrics got = evaluate(model, none, NULL, 2, -HUGE_VAL); /* no cells */
  check_no_ranking(&got);
  CU_ASSERT(got.cells == 0 && isnan(got.rmse) && isnan(got.mae));
  got = evaluate(model, some, NULL, 2, 3.5); /* none of them relevant */
  check_no_ranking(&got);
  CU_ASSERT(got.cells == 3 && got.rmse > 0);
  got = evaluate(model, some, every, 2, -HUGE_VAL); /* all of them excluded */
  check_no_ranking(&got);
  got = evaluate(model, some, dense, 2, -HUGE_VAL);
  check_no_ranking(&got);
  CU_ASSERT_EQUAL(got.cells, 3); /* errors do not care */

  got = evaluate(model, every, NULL, 2, -HUGE_VAL); /* none to compare relevant ones with */
  CU_ASSERT(got.rows == 1 && isnan(got.auc));
  check_equal(got.ndcg, 1, "NDCG");
  const pqf_metrics same = evaluate(model, dense, NULL, 2, -HUGE_VAL);
  check_metrics(&same, &got);
  got = evaluate(model, every, some, 2, -HUGE_VAL);
  CU_ASSERT(got.rows == 1 && isnan(got.auc));
  check_equal(got.coverage, 2.0 / 6, "coverage");
  pqf_data_free(none);
  pqf_data_free(some);
  pqf_data_free(every);
  pqf_data_free(dense);
  pqf_free(model);
}

static void only_what_was_asked_for(void)
{
  static const int32_t held[] = {1, 4};
  pqf_model *model = evaluate_model(1, 6, 6, descending, NULL);
  pqf_data *data = row_of(6, 2, held, NULL);
  pqf_evaluate_options options = PQF_EVALUATE_OPTIONS_INIT;
  pqf_metrics got = {.size = sizeof got};
  options.metrics = PQF_METRICS_RATING;
  CHECK_OK(pqf_evaluate(model, data, NULL, &options, &got));
  check_no_ranking(&got);
  CU_ASSERT(got.cells == 2 && got.rmse > 0 && got.mae > 0);
  options.metrics = PQF_METRICS_RANKING;
  CHECK_OK(pqf_evaluate(model, data, NULL, &options, &got));
  CU_ASSERT(got.cells == 0 && isnan(got.rmse) && isnan(got.mae));
  CU_ASSERT(got.rows == 1 && got.auc > 0);
  options.metrics = 0;
  CHECK_OK(pqf_evaluate(model, data, NULL, &options, &got));
  check_no_ranking(&got);
  CU_ASSERT(got.cells == 0 && isnan(got.rmse) && isnan(got.mae));
  pqf_data_free(data);
  pqf_free(model);
}

/* Of four columns 1 comes out as NaN, as from a sum that overflows both ways, and 2 as minus
 * infinity: neither is above the other. */
static void a_prediction_that_is_no_number_ranks_last(void)
{
  static const float p[] = {1, 0};
  static const float q[] = {0, 0, 0, INFINITY, -INFINITY, 0, -1, 0};
  static const int32_t held[] = {1};
  pqf_model *model = evaluate_model(1, 4, 2, p, q);
  pqf_data *data = row_of(4, 1, held, NULL);
  float score = 0;
  CHECK_OK(pqf_predict(model, 1, (const int32_t[]){0}, held, &score));
  CU_ASSERT(isnan(score));
  const pqf_metrics got = evaluate(model, data, NULL, 4, -HUGE_VAL);
  CU_ASSERT(isnan(got.rmse) && isnan(got.mae));
  check_equal(got.mrr, 1.0 / 3, "MRR");
  check_equal(got.auc, 0.5 / 3, "AUC");
  pqf_data_free(data);
  pqf_free(model);
}

/* ---- At random ------------------------------------------------------------------------------- */

/* A prediction for a pair and the same cell of a whole row may differ in their last bits. */
static void check_error(double got, double *want, const char *what)
{
  if (!isnan(*want)) {
    CHECK_AT_MOST(fabs(got - *want), 1e-6 * *want, what);
    *want = got;
  }
}

static void check_random(const evaluate_kind *c, uint64_t seed)
{
  static const int32_t threads[] = {1, 2, 7};
  evaluate_case it;
  pqf_evaluate_options options = PQF_EVALUATE_OPTIONS_INIT;
  pqf_metrics got[3];
  evaluate_case_create(&it, c, seed);
  pqf_metrics want =
      reference_evaluate(c->rows, c->cols, it.score, &it.cells, it.excluded, c->k, c->relevant);
  options.k = (int32_t)c->k;
  options.relevant = c->relevant;
  for (int n = 0; n < 3; ++n) {
    memset(&got[n], 0, sizeof got[n]);
    got[n].size = sizeof got[n];
    options.threads = threads[n];
    CHECK_OK(pqf_evaluate(it.model, it.held_out, it.exclude, &options, &got[n]));
    CU_ASSERT_EQUAL(memcmp(&got[n], &got[0], sizeof got[0]), 0);
  }
  check_error(got[0].rmse, &want.rmse, "RMSE");
  check_error(got[0].mae, &want.mae, "MAE");
  check_metrics(&got[0], &want);
  evaluate_case_free(&it);
}

static void random_cases_agree(void)
{
  static const evaluate_kind cases[] = {
      {1, 1, 1, 0.9, 0, 1, -HUGE_VAL, 0, 0, 0},
      {7, 5, 3, 0.5, 0.3, 3, -HUGE_VAL, 1, 0, 1},
      {40, 30, 4, 0.2, 0.2, 5, 3, 0, 1, 0},
      {40, 30, 2, 0.2, 0.2, 50, 4, 1, 1, 1},
      {30, 256, 16, 0.05, 0.1, 10, -HUGE_VAL, 0, 0, 1}, /* one tile of columns */
      {30, 257, 17, 0.02, 0.5, 10, 5, 0, 1, 1},         /* and one more */
      {20, 700, 130, 0.05, 0, 100, 2, 1, 0, 0},         /* relevant columns by themselves */
      {20, 700, 2, 0.4, 0.1, 100, 2, 1, 0, 1},          /* by tiles */
      {500, 60, 8, 0.1, 0.1, 10, 3, 0, 1, 0},           /* three blocks of rows */
      {700, 40, 1, 0.05, 0.9, 7, -HUGE_VAL, 0, 0, 1},   /* hardly a candidate */
      {60, 50, 6, 1, 0, 10, 5, 0, 0, 1},                /* dense */
      {60, 50, 6, 1, 0.3, 10, -HUGE_VAL, 0, 1, 0},
  };
  for (size_t n = 0; n < sizeof cases / sizeof cases[0]; ++n)
    for (uint64_t seed = 1; seed <= 4; ++seed)
      check_random(&cases[n], 100 * n + 10 * seed);
}

/* So that blocks are cut by their lists, and by their cells. */
static void large_cases_agree(void)
{
  static const evaluate_kind lists = {250, 4000, 3, 0.002, 0.01, 4000, -HUGE_VAL, 0, 0, 1};
  static const evaluate_kind cells = {290, 2000, 2, 1, 0.5, 20, 5, 0, 1, 0};
  check_random(&lists, 1);
  check_random(&cells, 2);
}

/* What AUC relies on: the score of a column is the same to the bit wherever it stands. */
static void columns_do_not_depend_on_their_neighbours(void)
{
  enum { COLS = 301, MOST = 7 };
  static const int64_t factors[] = {1, 2, 15, 16, 17, 64, 128, 129, 300};
  for (size_t f = 0; f < sizeof factors / sizeof factors[0]; ++f) {
    const int64_t k = factors[f];
    float *p = test_normals(1, 7 * k, 1);
    float *q = test_normals(2, COLS * k, 1);
    float *gathered = test_allocate(MOST * k, sizeof *gathered);
    float whole[7 * COLS];
    float alone[MOST];
    int different = 0;
    CHECK_OK(pqf_multiply(7, COLS, k, p, k, q, k, whole, COLS));
    for (int64_t row = 0; row < 7; ++row)
      for (int64_t first = 0; first < COLS; ++first) {
        const int64_t count = first % MOST + 1;
        for (int64_t n = 0; n < count; ++n)
          memcpy(gathered + n * k, q + (first + 37 * n) % COLS * k, (size_t)k * sizeof *q);
        CHECK_OK(pqf_multiply(1, count, k, p + row * k, k, gathered, k, alone, MOST));
        for (int64_t n = 0; n < count; ++n)
          different += alone[n] != whole[row * COLS + (first + 37 * n) % COLS];
      }
    CU_ASSERT_EQUAL(different, 0);
    free(p);
    free(q);
    free(gathered);
  }
}

/* ---- What goes wrong ------------------------------------------------------------------------- */

static void evaluate_refuses(void)
{
  static const int32_t held[] = {1, 4};
  pqf_model *model = evaluate_model(1, 6, 6, descending, NULL);
  pqf_model *unfitted = NULL;
  pqf_data *data = row_of(6, 2, held, NULL);
  pqf_data *narrow = row_of(5, 2, held, NULL);
  pqf_metrics out = {.size = sizeof out};
  pqf_evaluate_options options = PQF_EVALUATE_OPTIONS_INIT;
  CHECK_OK(pqf_create(&unfitted, NULL));
  CHECK_STATUS(pqf_evaluate(NULL, data, NULL, NULL, &out), PQF_EINVAL);
  CHECK_STATUS(pqf_evaluate(unfitted, data, NULL, NULL, &out), PQF_EUNFITTED);
  CHECK_STATUS(pqf_evaluate(model, NULL, NULL, NULL, &out), PQF_EINVAL);
  CHECK_WORDS("held_out is NULL");
  CHECK_STATUS(pqf_evaluate(model, data, NULL, NULL, NULL), PQF_EINVAL);
  CHECK_STATUS(pqf_evaluate(model, narrow, NULL, NULL, &out), PQF_EINVAL);
  CHECK_WORDS("held_out is 1 x 5, the model 1 x 6");
  CHECK_STATUS(pqf_evaluate(model, data, narrow, NULL, &out), PQF_EINVAL);
  CHECK_WORDS("exclude is 1 x 5, the model 1 x 6");

  const pqf_evaluate_options good = options;
  options.k = 0;
  CHECK_STATUS(pqf_evaluate(model, data, NULL, &options, &out), PQF_EINVAL);
  CHECK_WORDS("k is 0");
  options = good;
  options.metrics = 5;
  CHECK_STATUS(pqf_evaluate(model, data, NULL, &options, &out), PQF_EINVAL);
  CHECK_WORDS("metrics is 0x5");
  options = good;
  options.threads = -1;
  CHECK_STATUS(pqf_evaluate(model, data, NULL, &options, &out), PQF_EINVAL);
  CHECK_WORDS("threads is -1");
  options.threads = 4097;
  CHECK_STATUS(pqf_evaluate(model, data, NULL, &options, &out), PQF_EINVAL);
  options = good;
  options.reserved = 1;
  CHECK_STATUS(pqf_evaluate(model, data, NULL, &options, &out), PQF_EINVAL);
  CHECK_WORDS("reserved is 1");
  options = good;
  options.relevant = NAN;
  CHECK_STATUS(pqf_evaluate(model, data, NULL, &options, &out), PQF_EINVAL);
  CHECK_WORDS("relevant is NaN");
  CHECK_OK(pqf_evaluate(model, data, NULL, &good, &out));
  pqf_data_free(data);
  pqf_data_free(narrow);
  pqf_free(model);
  pqf_free(unfitted);
}

/* Programs of a later release, whose structs have grown. */
static void sizes_of_structs(void)
{
  struct {
    pqf_evaluate_options known;
    uint64_t more;
  } options = {PQF_EVALUATE_OPTIONS_INIT, 0};
  struct {
    pqf_metrics known;
    double more;
  } out = {.more = 7};
  static const int32_t held[] = {1, 4};
  pqf_model *model = evaluate_model(1, 6, 6, descending, NULL);
  pqf_data *data = row_of(6, 2, held, NULL);
  options.known.size = sizeof options;
  out.known.size = sizeof out;
  CHECK_OK(pqf_evaluate(model, data, NULL, &options.known, &out.known));
  CU_ASSERT(out.known.rows == 1 && out.more == 0 && out.known.size == sizeof out);
  options.more = 1;
  CHECK_STATUS(pqf_evaluate(model, data, NULL, &options.known, &out.known), PQF_EINVAL);
  options.more = 0;
  options.known.size = sizeof options.known - 8;
  CHECK_STATUS(pqf_evaluate(model, data, NULL, &options.known, &out.known), PQF_EINVAL);
  options.known.size = sizeof options.known;
  out.known.size = sizeof out.known - 8;
  CHECK_STATUS(pqf_evaluate(model, data, NULL, &options.known, &out.known), PQF_EINVAL);
  CHECK_WORDS("pqf_metrics");
  pqf_data_free(data);
  pqf_free(model);
}

static int evaluate_instance(void *payload)
{
  const evaluate_case *it = payload;
  pqf_evaluate_options options = PQF_EVALUATE_OPTIONS_INIT;
  pqf_metrics out = {.size = sizeof out};
  options.threads = 2;
  return pqf_evaluate(it->model, it->held_out, it->exclude, &options, &out);
}

static void every_allocation_may_fail(void)
{
  static const evaluate_kind c = {500, 20, 3, 0.2, 0.2, 5, 3, 1, 1, 0};
  evaluate_case it;
  evaluate_case_create(&it, &c, 5);
  test_every_allocation(evaluate_instance, &it);
  evaluate_case_free(&it);
}

/* ---- Other libraries ------------------------------------------------------------------------- */

static void others_measure_the_same(void)
{
  test_python("evaluate_check.py", "scikit-learn and implicit");
}

void suite_evaluate(void)
{
  CU_pSuite suite = CU_add_suite("evaluate", NULL, NULL);
  CU_add_test(suite, "errors, by hand", errors_by_hand);
  CU_add_test(suite, "a ranking, by hand", ranking_by_hand);
  CU_add_test(suite, "rows are averaged", rows_are_averaged);
  CU_add_test(suite, "ties, by hand", ties_by_hand);
  CU_add_test(suite, "fewer columns than k", fewer_columns_than_k);
  CU_add_test(suite, "nothing to rank", nothing_to_rank);
  CU_add_test(suite, "only what was asked for", only_what_was_asked_for);
  CU_add_test(suite, "NaN ranks last", a_prediction_that_is_no_number_ranks_last);
  CU_add_test(suite, "random cases agree with the reference", random_cases_agree);
  CU_add_test(suite, "so do large ones", large_cases_agree);
  CU_add_test(suite, "a column alone and in company", columns_do_not_depend_on_their_neighbours);
  CU_add_test(suite, "what evaluate refuses", evaluate_refuses);
  CU_add_test(suite, "sizes of structs", sizes_of_structs);
  CU_add_test(suite, "every allocation may fail", every_allocation_may_fail);
  CU_add_test(suite, "scikit-learn and implicit measure the same", others_measure_the_same);
}
