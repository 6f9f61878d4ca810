/* Gradient descent through pqf_fit() against the reference: every epoch's factors and loss, the
 * direction of P against finite differences, Q's step against its formula, and losses of matrices
 * that are nearly fitted, where the terms of |E|^2 cancel. */
#include "cases.h"
#include "device.h"
#include "suites.h"
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- One epoch ------------------------------------------------------------------------------- */

/* A model after one epoch from the case's factors; NULL after a failure. */
static pqf_model *fit_once(const test_case *test)
{
  const pqf_options options = case_options(test);
  pqf_model *model = NULL;
  if (!CHECK_OK(pqf_create(&model, &options)))
    return NULL;
  if (CHECK_OK(
          pqf_model_set_initial(model, test->truth.rows, test->truth.cols, test->p, test->q)) &&
      CHECK_OK(pqf_fit(model, test->data, NULL)))
    return model;
  pqf_free(model);
  return NULL;
}

static double loss_of(const pqf_model *model)
{
  pqf_epoch epoch = {.size = sizeof epoch};
  CHECK_OK(pqf_model_history(model, 0, &epoch));
  return epoch.loss;
}

/* |got - want|, not divided by anything. */
static double distance(const float *got, const double *want, int64_t count)
{
  double sum = 0;
  for (int64_t n = 0; n < count; ++n)
    sum += ((double)got[n] - want[n]) * ((double)got[n] - want[n]);
  return sqrt(sum);
}

static void check_epoch(const test_case *test, const pqf_model *model)
{
  const reference_problem *problem = &test->reference;
  const int64_t k = test->factors;
  reference_factors now;
  reference_factors next;
  char what[128];
  reference_factors_create(&now, problem, test->p, test->q);
  reference_factors_create(&next, problem, NULL, NULL);
  const double loss = reference_epoch(problem, &now, &next);
  snprintf(what, sizeof what, "%s %dx%d k=%d", test->kind->name, (int)test->truth.rows,
           (int)test->truth.cols, (int)k);
  CHECK_AT_MOST(distance(pqf_model_borrow_factors(model, PQF_ROWS), next.p, test->truth.rows * k),
                reference_step_tolerance(problem, &now, &next, PQF_ROWS), what);
  CHECK_AT_MOST(distance(pqf_model_borrow_factors(model, PQF_COLS), next.q, test->truth.cols * k),
                reference_step_tolerance(problem, &now, &next, PQF_COLS), what);
  CHECK_AT_MOST(fabs(loss_of(model) - loss), reference_loss_tolerance(problem, &now), what);
  reference_factors_free(&now);
  reference_factors_free(&next);
}

/* Epochs one by one, each from the float factors that the library gave: rounding does not pile up.
 */
static void check_epochs(test_case *test, int epochs)
{
  const int64_t k = test->factors;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    pqf_model *model = fit_once(test);
    if (model == NULL)
      return;
    check_epoch(test, model);
    memcpy(test->p, pqf_model_borrow_factors(model, PQF_ROWS),
           (size_t)(test->truth.rows * k) * sizeof *test->p);
    memcpy(test->q, pqf_model_borrow_factors(model, PQF_COLS),
           (size_t)(test->truth.cols * k) * sizeof *test->q);
    pqf_free(model);
  }
}

static void epochs_agree_with_the_reference(void)
{
  uint64_t seed = 1;
  for (int kind = 0; kind < case_kind_count; ++kind)
    for (int shape = 0; shape < case_shape_count; ++shape)
      for (int n = 0; n < case_factors_count; n += shape + 1 < case_shape_count ? 1 : 3) {
        test_case test;
        case_create(&test, &case_kinds[kind], case_shapes[shape], case_factors[n], 0.2, ++seed);
        check_epochs(&test, 3);
        case_free(&test);
      }
}

static void epochs_without_cells_agree(void)
{
  for (int kind = 0; kind < case_kind_count; ++kind) {
    test_case test;
    if (!case_kinds[kind].sparse)
      continue;
    case_create(&test, &case_kinds[kind], case_shapes[3], 3, 0, 5);
    CU_ASSERT_EQUAL(pqf_data_count(test.data), 0);
    check_epochs(&test, 3);
    case_free(&test);
  }
}

/* More rows and columns than the CPU's back end takes at a time. */
static void epochs_of_many_blocks_agree(void)
{
  static const int32_t factors[] = {1, 5, 17};
  for (int kind = 0; kind < case_kind_count; ++kind)
    for (size_t n = 0; n < sizeof factors / sizeof factors[0]; ++n) {
      test_case test;
      case_create(&test, &case_kinds[kind], (case_shape){1100, 600}, factors[n], 0.05, 6);
      check_epochs(&test, 1);
      case_free(&test);
    }
}

/* Dense data so large that its products go to the BLAS. */
static void epochs_with_a_blas_agree(void)
{
  for (int kind = 0; kind < case_kind_count; ++kind) {
    test_case test;
    if (case_kinds[kind].sparse)
      continue;
    case_create(&test, &case_kinds[kind], (case_shape){1100, 600}, 33, 1, 6);
    check_epochs(&test, 1);
    case_free(&test);
  }
}

/* Rows so long that one block holds but a few of them. */
static void epochs_of_long_rows_agree(void)
{
  test_case test;
  case_create(&test, &case_kinds[0], (case_shape){130, 33000}, 2, 1, 7);
  check_epochs(&test, 1);
  case_free(&test);
}

static void epochs_with_the_most_factors_agree(void)
{
  test_case test;
  case_create(&test, &case_kinds[0], (case_shape){3, 2}, 2048, 1, 8);
  check_epochs(&test, 1);
  case_free(&test);
}

/* ---- Directions ------------------------------------------------------------------------------ */

enum { ROWS = 9, COLS = 7, FACTORS = 3 };

/* A step of length 1 shows the direction itself. */
static void check_direction_of_p(const case_kind *kind)
{
  const double step = 1e-4; /* truncation is of the order of step^2, rounding of 1e-16 / step */
  test_case test;
  reference_factors at;
  case_create(&test, kind, (case_shape){ROWS, COLS}, FACTORS, 0.5, 77);
  test.reference.learning_rate = 1;
  reference_factors_create(&at, &test.reference, test.p, test.q);
  pqf_model *model = fit_once(&test);
  const float *p = model != NULL ? pqf_model_borrow_factors(model, PQF_ROWS) : test.p;
  double largest = 0;
  double worst = 0;
  for (int n = 0; n < ROWS * FACTORS; ++n) {
    const double middle = at.p[n];
    at.p[n] = middle + step;
    const double above = reference_epoch(&test.reference, &at, NULL);
    at.p[n] = middle - step;
    const double below = reference_epoch(&test.reference, &at, NULL);
    at.p[n] = middle;
    const double slope = (above - below) / (2 * step);
    largest = fmax(largest, fabs(slope));
    worst = fmax(worst, fabs(middle - (double)p[n] - slope));
  }
  /* Float sums of some ten terms that are about as large as the slope. */
  CHECK_AT_MOST(worst, 1e-5 * largest, kind->name);
  pqf_free(model);
  reference_factors_free(&at);
  case_free(&test);
}

static void direction_of_p_is_the_gradient(void)
{
  for (int kind = 0; kind < case_kind_count; ++kind)
    if (case_kinds[kind].update == PQF_UPDATE_GRADIENT)
      check_direction_of_p(&case_kinds[kind]);
}

/* Q0 - alpha (2 E0' P + sign beta Q0), with the old error and any P. */
static void step_of_q(const test_case *test, const reference_factors *now, const float *p,
                      double *out)
{
  const reference_matrix *r = &test->truth;
  const double sign = test->kind->update == PQF_UPDATE_NOTEBOOK ? -1 : 1;
  for (int i = 0; i < COLS; ++i)
    for (int f = 0; f < FACTORS; ++f) {
      double slope = sign * test->reference.regularization * now->q[i * FACTORS + f];
      for (int u = 0; u < ROWS; ++u) {
        double error = -r->value[u * COLS + i];
        for (int g = 0; g < FACTORS; ++g)
          error += now->p[u * FACTORS + g] * now->q[i * FACTORS + g];
        slope += 2 * r->weight[u * COLS + i] * error * (double)p[u * FACTORS + f];
      }
      out[i * FACTORS + f] = now->q[i * FACTORS + f] - test->reference.learning_rate * slope;
    }
}

static void step_of_q_takes_the_old_error_and_the_new_p(void)
{
  for (int kind = 0; kind < case_kind_count; ++kind) {
    test_case test;
    reference_factors now;
    double with_new_p[COLS * FACTORS];
    double with_old_p[COLS * FACTORS];
    case_create(&test, &case_kinds[kind], (case_shape){ROWS, COLS}, FACTORS, 0.5, 78);
    reference_factors_create(&now, &test.reference, test.p, test.q);
    pqf_model *model = fit_once(&test);
    if (model != NULL) {
      const float *q = pqf_model_borrow_factors(model, PQF_COLS);
      step_of_q(&test, &now, pqf_model_borrow_factors(model, PQF_ROWS), with_new_p);
      step_of_q(&test, &now, test.p, with_old_p);
      /* Float sums of ten terms; the old P would show at once. */
      CHECK_AT_MOST(test_relative_error(q, with_new_p, COLS * FACTORS), 2e-6, test.kind->name);
      CU_ASSERT(test_relative_error(q, with_old_p, COLS * FACTORS) > 1e-2);
    }
    pqf_free(model);
    reference_factors_free(&now);
    case_free(&test);
  }
}

/* ---- Losses that cancel ---------------------------------------------------------------------- */

/* Makes R = scale P Q' + noise. For sparse data that lives in two blocks on the diagonal, so that P
 * and Q are zero outside of them and the cells that are absent are fitted exactly. */
static void make_fitted(test_case *test, double scale, double noise)
{
  const reference_matrix *r = &test->truth;
  const int64_t k = test->factors;
  uint64_t state = 3;
  if (test->kind->sparse) {
    for (int64_t n = 0; n < r->rows * k; ++n)
      if ((n / k < r->rows / 2) != (n % k < k / 2))
        test->p[n] = 0;
    for (int64_t n = 0; n < r->cols * k; ++n)
      if ((n / k < r->cols / 2) != (n % k < k / 2))
        test->q[n] = 0;
  }
  for (int64_t u = 0; u < r->rows; ++u)
    for (int64_t i = 0; i < r->cols; ++i) {
      double product = 0;
      for (int64_t f = 0; f < k; ++f)
        product += (double)test->p[u * k + f] * (double)test->q[i * k + f];
      const int present = !test->kind->sparse || (u < r->rows / 2) == (i < r->cols / 2);
      const double value = scale * product * (1 + noise * test_normal(&state));
      r->value[u * r->cols + i] = present ? (double)(float)value : 0;
      r->weight[u * r->cols + i] =
          present || test->kind->objective == PQF_OBJECTIVE_SQUARED ? 1 : 0;
    }
  test->reference.regularization = 0; /* nothing beside |E| */
  case_renew_data(test);
}

/* The part of the loss that may cancel: all but the notebook's |Q| (beta is 0 here). */
static double without_q(const test_case *test, double loss)
{
  double square = 0;
  for (int64_t n = 0; n < test->truth.cols * test->factors; ++n)
    square += (double)test->q[n] * (double)test->q[n];
  return test->kind->update == PQF_UPDATE_NOTEBOOK ? loss - sqrt(square) : loss;
}

static double square_of(const reference_matrix *r)
{
  double sum = 0;
  for (int64_t n = 0; n < r->rows * r->cols; ++n)
    sum += r->value[n] * r->value[n];
  return sum;
}

/* The notebook's E - R vanishes where P Q' is 2 R. */
static double scale_of(const case_kind *kind)
{
  return kind->update == PQF_UPDATE_NOTEBOOK ? 0.5 : 1;
}

static void nearly_fitted(test_case *test, const case_kind *kind, case_shape shape, double noise,
                          double *got, double *want)
{
  reference_factors now;
  case_create(test, kind, shape, 16, 1, 9);
  make_fitted(test, scale_of(kind), noise);
  reference_factors_create(&now, &test->reference, test->p, test->q);
  test->reference.learning_rate = 1e-6;
  *want = without_q(test, reference_epoch(&test->reference, &now, NULL));
  pqf_model *model = fit_once(test);
  *got = model != NULL ? without_q(test, loss_of(model)) : NAN;
  pqf_free(model);
  reference_factors_free(&now);
}

/* |E|^2 had from R Q in float errs by 6e-8 |R|^2: six times |E|^2 itself when |E| is 1e-4 |R|. With
 * E formed in float, a cell of E errs by some 1e-7 to 4e-7 of R's size, or 4e-3 of its own,
 * independently of the others: over N cells the sum errs by 8e-3 / sqrt(N) + (4e-3)^2, about 1e-4.
 * With sums in double nothing is left of it. */
static void losses_of_nearly_fitted_matrices(void)
{
  static const case_shape shapes[] = {{120, 90}, {300, 520}, {1100, 1000}}; /* the last: a BLAS */
  for (int kind = 0; kind < case_kind_count; ++kind)
    for (size_t shape = 0; shape < sizeof shapes / sizeof shapes[0]; ++shape) {
      test_case test;
      double got;
      double want;
      if (case_kinds[kind].weighted || (case_kinds[kind].sparse && shape == 2))
        continue;
      nearly_fitted(&test, &case_kinds[kind], shapes[shape], 1e-4, &got, &want);
      CHECK_AT_MOST(fabs(got - want), 1e-3 * want, test.kind->name);
      case_free(&test);
    }
}

/* R is P Q' to the last bit of a float: what is left is rounding, a few 1e-7 of each cell. */
static void losses_of_fitted_matrices_are_not_negative(void)
{
  for (int kind = 0; kind < case_kind_count; ++kind) {
    test_case test;
    double got;
    double want;
    if (case_kinds[kind].weighted)
      continue;
    nearly_fitted(&test, &case_kinds[kind], (case_shape){120, 90}, 0, &got, &want);
    const int notebook = test.kind->update == PQF_UPDATE_NOTEBOOK;
    const double square = square_of(&test.truth);
    CHECK_AT_MOST(got, notebook ? 1e-6 * sqrt(square) : 1e-12 * square, test.kind->name);
    CHECK_AT_MOST(-got, notebook ? 1e-12 * sqrt(square) : 0, test.kind->name);
    case_free(&test);
  }
}

/* From coarse to fine through the threshold of the rule, 1e-2 |R|: no step in between. */
static void losses_agree_on_both_sides_of_the_threshold(void)
{
  static const double noises[] = {0.1, 0.02, 0.0101, 0.0099, 0.005, 0.001};
  for (int kind = 0; kind < case_kind_count; ++kind)
    for (size_t n = 0; n < sizeof noises / sizeof noises[0]; ++n) {
      test_case test;
      double got;
      double want;
      if (case_kinds[kind].weighted)
        continue;
      nearly_fitted(&test, &case_kinds[kind], (case_shape){120, 90}, noises[n], &got, &want);
      /* 6e-8 |R|^2 and a few of its kind, against |E|^2 = 1e-4 |R|^2 at the threshold. */
      CHECK_AT_MOST(fabs(got - want), 2e-3 * want, test.kind->name);
      case_free(&test);
    }
}

void suite_gradient(void)
{
  CU_pSuite suite = test_add_device_suite("gradient");
  CU_add_test(suite, "epochs agree with the reference", epochs_agree_with_the_reference);
  CU_add_test(suite, "epochs agree where no cell is present", epochs_without_cells_agree);
  CU_add_test(suite, "epochs of many blocks agree", epochs_of_many_blocks_agree);
  CU_add_test(suite, "epochs with a BLAS", epochs_with_a_blas_agree);
  CU_add_test(suite, "epochs of long rows agree", epochs_of_long_rows_agree);
  CU_add_test(suite, "epochs with the most factors agree", epochs_with_the_most_factors_agree);
  CU_add_test(suite, "P goes down the gradient", direction_of_p_is_the_gradient);
  CU_add_test(suite, "Q goes by the old error and the new P",
              step_of_q_takes_the_old_error_and_the_new_p);
  CU_add_test(suite, "losses of matrices fitted to 1e-4", losses_of_nearly_fitted_matrices);
  CU_add_test(suite, "losses of fitted matrices", losses_of_fitted_matrices_are_not_negative);
  CU_add_test(suite, "losses around the threshold", losses_agree_on_both_sides_of_the_threshold);
}
