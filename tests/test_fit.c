/* The training loop through the public calls: when it stops, what it leaves, what it tells. */
#include "cases.h"
#include "suites.h"
#include "test.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DENSE = 0, DENSE_NOTEBOOK = 1, SPARSE_WEIGHTED = 5, OBSERVED = 6 }; /* of case_kinds */
enum { MOST_EPOCHS = 500 };
static const case_shape shape = {24, 15};

/* ---- Helpers --------------------------------------------------------------------------------- */

/* A model that starts from the case's factors. */
static pqf_model *model_of(const test_case *test, const pqf_options *options)
{
  pqf_model *model = NULL;
  CHECK_OK(pqf_create(&model, options));
  CHECK_OK(pqf_model_set_initial(model, test->truth.rows, test->truth.cols, test->p, test->q));
  return model;
}

static pqf_summary summary_of(const pqf_model *model)
{
  pqf_summary summary = {.size = sizeof summary};
  CHECK_OK(pqf_model_summary(model, &summary));
  return summary;
}

static pqf_epoch epoch_of(const pqf_model *model, int64_t index)
{
  pqf_epoch epoch = {.size = sizeof epoch};
  CHECK_OK(pqf_model_history(model, index, &epoch));
  return epoch;
}

/* The loss of the model's factors by the reference: of training, or of the validation cells. */
static double exact(const test_case *test, const pqf_model *model, int validation)
{
  reference_factors now;
  reference_factors_create(&now, &test->reference, pqf_model_borrow_factors(model, PQF_ROWS),
                           pqf_model_borrow_factors(model, PQF_COLS));
  const double loss = validation ? reference_validation_loss(&test->reference, &now)
                                 : reference_epoch(&test->reference, &now, NULL);
  reference_factors_free(&now);
  return loss;
}

static double exact_loss(const test_case *test, const pqf_model *model)
{
  return exact(test, model, 0);
}

/* Losses are had from float products that round by 6e-8 of their terms, which here are not much
 * larger than the loss. */
static void check_same_loss(double got, double want, const char *what)
{
  CHECK_AT_MOST(fabs(got - want), 1e-5 * fabs(want), what);
}

static int all_finite(const float *values, int64_t count)
{
  for (int64_t n = 0; n < count; ++n)
    if (!isfinite(values[n]))
      return 0;
  return 1;
}

static int factors_are_finite(const pqf_model *model)
{
  const int64_t k = pqf_model_factors(model);
  return all_finite(pqf_model_borrow_factors(model, PQF_ROWS), pqf_model_rows(model) * k) &&
         all_finite(pqf_model_borrow_factors(model, PQF_COLS), pqf_model_cols(model) * k);
}

/* ---- When it stops --------------------------------------------------------------------------- */

/* Losses and the epoch of the stop against the reference. At this min_delta two epochs' gains
 * differ by far more than rounding, so the epoch is certain. */
static void check_stop(const case_kind *kind, pqf_data *validation_data,
                       const reference_matrix *validation)
{
  const reference_rule rule = {MOST_EPOCHS, 4, 0.05};
  double losses[MOST_EPOCHS];
  test_case test;
  reference_factors factors;
  case_create(&test, kind, shape, 3, 0.5, 21);
  test.reference.validation = validation;
  reference_factors_create(&factors, &test.reference, test.p, test.q);
  pqf_options options = case_options(&test);
  options.epochs = rule.epochs;
  options.patience = (int32_t)rule.patience;
  options.min_delta = rule.min_delta;
  pqf_model *model = model_of(&test, &options);
  if (CHECK_OK(pqf_fit(model, test.data, validation_data))) {
    const int64_t stopped = reference_fit(&test.reference, &rule, &factors, losses);
    const pqf_summary summary = summary_of(model);
    CU_ASSERT(stopped < MOST_EPOCHS);
    CU_ASSERT_EQUAL(summary.stop_reason, PQF_STOP_EARLY);
    CU_ASSERT_EQUAL(summary.epochs, stopped);
    for (int64_t n = 0; n < summary.epochs && n < stopped; ++n)
      check_same_loss(epoch_of(model, n).loss, losses[n], "a loss of the history");
    /* The factors are those that the last epoch began with. */
    check_same_loss(exact_loss(&test, model), summary.loss, "the loss at the end");
    if (validation != NULL)
      check_same_loss(exact(&test, model, 1), epoch_of(model, summary.epochs - 1).validation_loss,
                      "validation at the end");
  }
  pqf_free(model);
  reference_factors_free(&factors);
  case_free(&test);
}

static void stops_early(void)
{
  for (int kind = 0; kind < case_kind_count; ++kind)
    check_stop(&case_kinds[kind], NULL, NULL);
}

static void stops_by_the_validation_loss(void)
{
  for (int sparse = 0; sparse < 2; ++sparse) {
    test_case held_out;
    case_create(&held_out, &case_kinds[sparse ? OBSERVED : DENSE], shape, 1, 0.4, 99);
    check_stop(&case_kinds[DENSE], held_out.data, &held_out.truth);
    check_stop(&case_kinds[OBSERVED], held_out.data, &held_out.truth);
    check_stop(&case_kinds[DENSE_NOTEBOOK], held_out.data, &held_out.truth);
    case_free(&held_out);
  }
}

static void patience_zero_never_stops(void)
{
  test_case test;
  case_create(&test, &case_kinds[DENSE], shape, 3, 1, 22);
  pqf_options options = case_options(&test);
  options.epochs = 60;
  options.min_delta = 1e9;
  pqf_model *model = model_of(&test, &options);
  CHECK_OK(pqf_fit(model, test.data, NULL));
  CU_ASSERT_EQUAL(summary_of(model).epochs, 60);
  CU_ASSERT_EQUAL(summary_of(model).stop_reason, PQF_STOP_EPOCHS);
  pqf_free(model);
  case_free(&test);
}

/* The first epoch beats infinity, no other one can: it takes 1 + patience epochs. */
static void min_delta_is_asked_of_every_epoch(void)
{
  test_case test;
  case_create(&test, &case_kinds[DENSE], shape, 3, 1, 22);
  for (int32_t patience = 1; patience <= 7; patience += 3) {
    pqf_options options = case_options(&test);
    options.epochs = 60;
    options.min_delta = 1e9;
    options.patience = patience;
    pqf_model *model = model_of(&test, &options);
    CHECK_OK(pqf_fit(model, test.data, NULL));
    CU_ASSERT_EQUAL(summary_of(model).epochs, 1 + patience);
    CU_ASSERT_EQUAL(summary_of(model).stop_reason, PQF_STOP_EARLY);
    CU_ASSERT_EQUAL(epoch_of(model, patience).best_loss, epoch_of(model, 0).loss);
    pqf_free(model);
  }
  case_free(&test);
}

/* ---- What it leaves -------------------------------------------------------------------------- */

/* Makes R = P Q' and starts from 3 P: the notebook's 1/2 |P Q' - 2 R| falls until P Q' is 2 R, and
 * rises on the way to R. */
static void make_loss_fall_and_rise(test_case *test)
{
  const int64_t k = test->factors;
  for (int64_t n = 0; n < test->truth.rows * test->truth.cols; ++n) {
    double product = 0;
    for (int64_t f = 0; f < k; ++f)
      product += (double)test->p[n / test->truth.cols * k + f] *
                 (double)test->q[n % test->truth.cols * k + f];
    test->truth.value[n] = (double)(float)product;
  }
  for (int64_t n = 0; n < test->truth.rows * k; ++n)
    test->p[n] *= 3;
  test->reference.learning_rate = 0.001;
  case_renew_data(test);
}

static void keep_best_keeps_the_lowest_loss(void)
{
  test_case test;
  case_create(&test, &case_kinds[DENSE_NOTEBOOK], shape, 3, 1, 23);
  make_loss_fall_and_rise(&test);
  pqf_options options = case_options(&test);
  options.epochs = 100;
  for (int32_t keep = 0; keep < 2; ++keep) {
    options.keep_best = keep;
    pqf_model *model = model_of(&test, &options);
    CHECK_OK(pqf_fit(model, test.data, NULL));
    const pqf_summary summary = summary_of(model);
    int64_t lowest = 0;
    for (int64_t n = 0; n < summary.epochs; ++n)
      if (epoch_of(model, n).loss < epoch_of(model, lowest).loss)
        lowest = n;
    CU_ASSERT(lowest > 0 && lowest + 1 < summary.epochs);
    CU_ASSERT_EQUAL(summary.best_epoch, lowest + 1);
    CU_ASSERT_EQUAL(summary.best_loss, epoch_of(model, lowest).loss);
    if (keep)
      check_same_loss(exact_loss(&test, model), summary.best_loss, "the best factors");
    else
      CU_ASSERT(exact_loss(&test, model) > 1.1 * summary.best_loss);
    pqf_free(model);
  }
  case_free(&test);
}

/* The step of the last epoch has a loss too, and it may be the lowest. */
static void keep_best_judges_the_last_step(void)
{
  test_case test;
  case_create(&test, &case_kinds[DENSE], shape, 3, 1, 24);
  pqf_options options = case_options(&test);
  options.epochs = 5;
  options.keep_best = 1;
  pqf_model *model = model_of(&test, &options);
  CHECK_OK(pqf_fit(model, test.data, NULL));
  const pqf_summary summary = summary_of(model);
  CU_ASSERT(summary.best_loss < summary.loss);
  check_same_loss(exact_loss(&test, model), summary.best_loss, "the last factors");
  pqf_free(model);
  case_free(&test);
}

/* Noise cannot be learnt: its validation loss soon rises. */
static void keep_best_goes_by_the_validation_loss(void)
{
  test_case test;
  test_case held_out;
  case_create(&test, &case_kinds[OBSERVED], shape, 6, 0.5, 25);
  case_create(&held_out, &case_kinds[OBSERVED], shape, 6, 0.5, 26);
  test.reference.validation = &held_out.truth;
  pqf_options options = case_options(&test);
  options.epochs = 200;
  options.keep_best = 1;
  pqf_model *model = model_of(&test, &options);
  CHECK_OK(pqf_fit(model, test.data, held_out.data));
  const pqf_summary summary = summary_of(model);
  int64_t lowest = 0;
  for (int64_t n = 0; n < summary.epochs; ++n)
    if (epoch_of(model, n).validation_loss < epoch_of(model, lowest).validation_loss)
      lowest = n;
  CU_ASSERT(lowest + 1 < summary.epochs);
  CU_ASSERT_EQUAL(summary.best_epoch, lowest + 1);
  CU_ASSERT_EQUAL(summary.best_loss, epoch_of(model, lowest).validation_loss);
  check_same_loss(exact(&test, model, 1), summary.best_loss, "the best factors");
  pqf_free(model);
  case_free(&held_out);
  case_free(&test);
}

static void divergence_leaves_the_best_factors(void)
{
  for (int kind = 0; kind < case_kind_count; ++kind) {
    test_case test;
    char words[64];
    case_create(&test, &case_kinds[kind], shape, 3, 0.5, 27);
    pqf_options options = case_options(&test);
    options.epochs = 1000;
    options.learning_rate = 10;
    pqf_model *model = model_of(&test, &options);
    CHECK_STATUS(pqf_fit(model, test.data, NULL), PQF_EDIVERGED);
    const pqf_summary summary = summary_of(model);
    snprintf(words, sizeof words, "epoch %" PRId64, summary.epochs);
    CHECK_WORDS(words);
    CU_ASSERT_EQUAL(summary.stop_reason, PQF_STOP_DIVERGED);
    CU_ASSERT(summary.epochs > 1 && summary.epochs < 1000);
    CU_ASSERT(!isfinite(summary.loss));
    CU_ASSERT(summary.best_epoch > 0);
    CU_ASSERT(factors_are_finite(model));
    check_same_loss(exact_loss(&test, model), summary.best_loss, test.kind->name);
    pqf_free(model);
    case_free(&test);
  }
}

/* P Q' overflows from the start: there are no best factors, and the model stays as it was. */
static void divergence_at_once_leaves_nothing(void)
{
  test_case test;
  case_create(&test, &case_kinds[DENSE], shape, 3, 1, 28);
  for (int64_t n = 0; n < shape.rows * 3; ++n)
    test.p[n] = 1e38f;
  for (int64_t n = 0; n < shape.cols * 3; ++n)
    test.q[n] = 1e38f;
  pqf_options options = case_options(&test);
  options.epochs = 3;
  pqf_model *model = model_of(&test, &options);
  int32_t index = 0;
  float out;
  CHECK_STATUS(pqf_fit(model, test.data, NULL), PQF_EDIVERGED);
  CU_ASSERT_EQUAL(summary_of(model).stop_reason, PQF_STOP_DIVERGED);
  CU_ASSERT_EQUAL(summary_of(model).best_epoch, 0);
  CU_ASSERT_EQUAL(pqf_model_rows(model), 0);
  CHECK_STATUS(pqf_predict(model, 1, &index, &index, &out), PQF_EUNFITTED);
  pqf_free(model);
  case_free(&test);
}

/* No loss is ever computed of the last epoch's step, yet it must not be handed out. */
static void divergence_of_the_last_step_is_noticed(void)
{
  test_case test;
  case_create(&test, &case_kinds[DENSE], shape, 3, 1, 29);
  pqf_options options = case_options(&test);
  options.epochs = 1;
  options.learning_rate = 1e38;
  pqf_model *model = model_of(&test, &options);
  CHECK_STATUS(pqf_fit(model, test.data, NULL), PQF_EDIVERGED);
  CU_ASSERT_EQUAL(summary_of(model).stop_reason, PQF_STOP_DIVERGED);
  CU_ASSERT_EQUAL_FATAL(pqf_model_rows(model), shape.rows);
  CU_ASSERT(factors_are_finite(model));
  CU_ASSERT_EQUAL(memcmp(pqf_model_borrow_factors(model, PQF_ROWS), test.p, sizeof(float[24 * 3])),
                  0);
  pqf_free(model);
  case_free(&test);
}

/* ---- What it tells --------------------------------------------------------------------------- */

typedef struct told {
  pqf_epoch epochs[MOST_EPOCHS];
  int64_t count;
  int64_t stop_at; /* 0: never */
} told;

static int note_epoch(const pqf_epoch *epoch, void *payload)
{
  told *notes = payload;
  notes->epochs[notes->count++] = *epoch;
  return notes->count == notes->stop_at ? 7 : 0;
}

static void cancel_leaves_the_best_factors(void)
{
  static told notes;
  test_case test;
  case_create(&test, &case_kinds[DENSE], shape, 3, 1, 30);
  for (int64_t stop_at = 1; stop_at <= 5; stop_at += 2) {
    notes = (told){.stop_at = stop_at};
    pqf_options options = case_options(&test);
    options.epochs = 100;
    options.callback = note_epoch;
    options.payload = &notes;
    pqf_model *model = model_of(&test, &options);
    CHECK_STATUS(pqf_fit(model, test.data, NULL), PQF_ECANCELED);
    CHECK_WORDS("cancelled");
    const pqf_summary summary = summary_of(model);
    CU_ASSERT_EQUAL(notes.count, stop_at);
    CU_ASSERT_EQUAL(summary.epochs, stop_at);
    CU_ASSERT_EQUAL(summary.stop_reason, PQF_STOP_CANCELED);
    /* The loss falls with every epoch here. */
    CU_ASSERT_EQUAL(summary.best_epoch, stop_at);
    check_same_loss(exact_loss(&test, model), summary.best_loss, "the factors after a cancel");
    pqf_free(model);
  }
  case_free(&test);
}

static void check_history(const pqf_model *model, const told *notes, const pqf_options *options)
{
  const pqf_summary summary = summary_of(model);
  double best = INFINITY;
  double seconds = 0;
  for (int64_t n = 0; n < summary.epochs; ++n) {
    const pqf_epoch epoch = epoch_of(model, n);
    const double watched = isnan(epoch.validation_loss) ? epoch.loss : epoch.validation_loss;
    if (watched < best - options->min_delta)
      best = watched;
    CU_ASSERT_EQUAL(epoch.size, sizeof epoch);
    CU_ASSERT_EQUAL(epoch.epoch, n + 1);
    CU_ASSERT_EQUAL(epoch.epochs, options->epochs);
    CU_ASSERT_EQUAL(epoch.best_loss, best);
    CU_ASSERT(epoch.seconds >= seconds);
    seconds = epoch.seconds;
    if (n < notes->count) {
      CU_ASSERT_EQUAL(notes->epochs[n].epoch, epoch.epoch);
      CU_ASSERT_EQUAL(notes->epochs[n].loss, epoch.loss);
      CU_ASSERT_EQUAL(notes->epochs[n].best_loss, epoch.best_loss);
    }
  }
  CU_ASSERT(summary.seconds >= seconds);
  CU_ASSERT_EQUAL(summary.loss, epoch_of(model, summary.epochs - 1).loss);
}

static void history_tells_every_epoch(void)
{
  static told notes;
  test_case test;
  case_create(&test, &case_kinds[DENSE], shape, 3, 1, 31);
  for (int validated = 0; validated < 2; ++validated) {
    notes = (told){.stop_at = 0};
    pqf_options options = case_options(&test);
    options.epochs = 130; /* more than the first room for the history */
    options.callback = note_epoch;
    options.payload = &notes;
    pqf_model *model = model_of(&test, &options);
    CHECK_OK(pqf_fit(model, test.data, validated ? test.data : NULL));
    CU_ASSERT_EQUAL(notes.count, 130);
    CU_ASSERT_EQUAL(summary_of(model).epochs, 130);
    CU_ASSERT_EQUAL(isnan(epoch_of(model, 0).validation_loss) != 0, !validated);
    check_history(model, &notes, &options);
    pqf_epoch epoch = {.size = sizeof epoch};
    CHECK_STATUS(pqf_model_history(model, 130, &epoch), PQF_EINVAL);
    CHECK_STATUS(pqf_model_history(model, -1, &epoch), PQF_EINVAL);
    pqf_free(model);
  }
  case_free(&test);
}

/* ---- Starting -------------------------------------------------------------------------------- */

static pqf_model *drawn(const test_case *test, int32_t init, uint64_t seed, double scale)
{
  pqf_options options = case_options(test);
  options.init = init;
  options.seed = seed;
  options.init_scale = scale;
  options.patience = 1;
  options.min_delta = 1e9; /* stops at epoch 2 with the factors after one step of length 1e-30 */
  options.epochs = 2;
  options.learning_rate = 1e-30;
  pqf_model *model = NULL;
  CHECK_OK(pqf_create(&model, &options));
  CHECK_OK(pqf_fit(model, test->data, NULL));
  return model;
}

static int same_factors(const pqf_model *a, const pqf_model *b)
{
  const size_t p_size = (size_t)(pqf_model_rows(a) * pqf_model_factors(a)) * sizeof(float);
  const size_t q_size = (size_t)(pqf_model_cols(a) * pqf_model_factors(a)) * sizeof(float);
  return memcmp(pqf_model_borrow_factors(a, PQF_ROWS), pqf_model_borrow_factors(b, PQF_ROWS),
                p_size) == 0 &&
         memcmp(pqf_model_borrow_factors(a, PQF_COLS), pqf_model_borrow_factors(b, PQF_COLS),
                q_size) == 0;
}

static void initial_factors_follow_seed_and_scale(void)
{
  static const int32_t inits[] = {PQF_INIT_NORMAL, PQF_INIT_TORCH};
  test_case test;
  case_create(&test, &case_kinds[DENSE], shape, 3, 1, 32);
  for (int n = 0; n < 2; ++n) {
    pqf_model *first = drawn(&test, inits[n], 11, 1);
    pqf_model *again = drawn(&test, inits[n], 11, 1);
    pqf_model *other = drawn(&test, inits[n], 12, 1);
    pqf_model *halved = drawn(&test, inits[n], 11, 0.5);
    CU_ASSERT(same_factors(first, again));
    CU_ASSERT(!same_factors(first, other));
    for (int32_t side = 0; side < 2; ++side)
      for (int64_t v = 0; v < shape.cols * 3; ++v)
        CU_ASSERT_EQUAL(pqf_model_borrow_factors(first, side)[v],
                        2 * pqf_model_borrow_factors(halved, side)[v]);
    CU_ASSERT_NOT_EQUAL(memcmp(pqf_model_borrow_factors(first, PQF_ROWS),
                               pqf_model_borrow_factors(first, PQF_COLS), sizeof(float[15 * 3])),
                        0);
    pqf_free(first);
    pqf_free(again);
    pqf_free(other);
    pqf_free(halved);
  }
  case_free(&test);
}

static void refit_starts_anew(void)
{
  test_case test;
  test_case other;
  case_create(&test, &case_kinds[DENSE], shape, 3, 1, 33);
  case_create(&other, &case_kinds[OBSERVED], (case_shape){8, 40}, 3, 0.5, 34);
  pqf_options options = case_options(&test);
  options.init = PQF_INIT_NORMAL;
  options.epochs = 4;
  pqf_model *model = NULL;
  pqf_model *fresh = NULL;
  CHECK_OK(pqf_create(&model, &options));
  CHECK_OK(pqf_create(&fresh, &options));
  CHECK_OK(pqf_fit(fresh, test.data, NULL));
  CHECK_OK(pqf_fit(model, test.data, NULL));
  CHECK_OK(pqf_fit(model, other.data, NULL));
  CU_ASSERT_EQUAL(pqf_model_rows(model), 8);
  CU_ASSERT_EQUAL(pqf_model_cols(model), 40);
  CHECK_OK(pqf_fit(model, test.data, NULL));
  CU_ASSERT_EQUAL(pqf_model_rows(model), shape.rows);
  CU_ASSERT(same_factors(model, fresh));
  pqf_free(model);
  pqf_free(fresh);
  case_free(&other);
  case_free(&test);
}

/* ---- Errors ---------------------------------------------------------------------------------- */

static void failure_keeps_factors_and_history(void)
{
  test_case test;
  test_case other;
  case_create(&test, &case_kinds[DENSE], shape, 3, 1, 35);
  case_create(&other, &case_kinds[DENSE], (case_shape){8, 40}, 3, 1, 36);
  pqf_options options = case_options(&test);
  options.epochs = 4;
  pqf_model *model = model_of(&test, &options);
  pqf_model *same = model_of(&test, &options);
  CHECK_OK(pqf_fit(model, test.data, NULL));
  CHECK_OK(pqf_fit(same, test.data, NULL));
  CHECK_STATUS(pqf_fit(model, NULL, NULL), PQF_EINVAL);
  CHECK_STATUS(pqf_fit(model, other.data, NULL), PQF_EINVAL);
  CHECK_WORDS("24 x 15");
  CHECK_WORDS("8 x 40");
  CHECK_STATUS(pqf_fit(model, test.data, other.data), PQF_EINVAL);
  CHECK_WORDS("validation");
  CU_ASSERT(same_factors(model, same));
  CU_ASSERT_EQUAL(summary_of(model).epochs, 4);
  CU_ASSERT_EQUAL(summary_of(model).stop_reason, PQF_STOP_EPOCHS);
  pqf_free(model);
  pqf_free(same);
  case_free(&other);
  case_free(&test);
}

/* The status of a fit of `test` with these options, and without initial factors. */
static int try_options(const test_case *test, const pqf_options *options)
{
  pqf_model *model = NULL;
  int status = pqf_create(&model, options);
  if (status == PQF_OK)
    status = pqf_fit(model, test->data, NULL);
  CU_ASSERT_EQUAL(pqf_model_rows(model), 0);
  pqf_free(model);
  return status;
}

static void refuses_what_it_cannot_do(void)
{
  test_case test;
  case_create(&test, &case_kinds[SPARSE_WEIGHTED], shape, 3, 0.5, 37);
  CHECK_STATUS(pqf_fit(NULL, test.data, NULL), PQF_EINVAL);
  pqf_options options = case_options(&test);
  CHECK_STATUS(try_options(&test, &options), PQF_EINVAL);
  CHECK_WORDS("pqf_model_set_initial");
  options.init = PQF_INIT_NORMAL;
  options.backend = "nonsense";
  CHECK_STATUS(try_options(&test, &options), PQF_EBACKEND);
  CHECK_WORDS("nonsense");
  options.backend = "cpu";
  options.update = PQF_UPDATE_NOTEBOOK;
  CHECK_STATUS(try_options(&test, &options), PQF_ENOTSUP);
  CHECK_WORDS("weights");
  case_free(&test);
}

static void refuses_validation_data_without_cells(void)
{
  test_case test;
  test_case empty;
  case_create(&test, &case_kinds[OBSERVED], shape, 3, 0.5, 38);
  case_create(&empty, &case_kinds[OBSERVED], shape, 3, 0, 39);
  const pqf_options options = case_options(&test);
  pqf_model *model = model_of(&test, &options);
  CHECK_STATUS(pqf_fit(model, test.data, empty.data), PQF_EINVAL);
  CHECK_WORDS("validation");
  pqf_free(model);
  case_free(&empty);
  case_free(&test);
}

void suite_fit(void)
{
  CU_pSuite suite = CU_add_suite("fit", NULL, NULL);
  CU_add_test(suite, "early stopping", stops_early);
  CU_add_test(suite, "early stopping by the validation loss", stops_by_the_validation_loss);
  CU_add_test(suite, "patience 0", patience_zero_never_stops);
  CU_add_test(suite, "min_delta", min_delta_is_asked_of_every_epoch);
  CU_add_test(suite, "keep_best keeps the lowest loss", keep_best_keeps_the_lowest_loss);
  CU_add_test(suite, "keep_best judges the last step", keep_best_judges_the_last_step);
  CU_add_test(suite, "keep_best by the validation loss", keep_best_goes_by_the_validation_loss);
  CU_add_test(suite, "divergence leaves the best", divergence_leaves_the_best_factors);
  CU_add_test(suite, "divergence at once", divergence_at_once_leaves_nothing);
  CU_add_test(suite, "divergence of the last step", divergence_of_the_last_step_is_noticed);
  CU_add_test(suite, "a cancel leaves the best", cancel_leaves_the_best_factors);
  CU_add_test(suite, "the history", history_tells_every_epoch);
  CU_add_test(suite, "seed and scale", initial_factors_follow_seed_and_scale);
  CU_add_test(suite, "a refit starts anew", refit_starts_anew);
  CU_add_test(suite, "a failure keeps the model", failure_keeps_factors_and_history);
  CU_add_test(suite, "what a fit refuses", refuses_what_it_cannot_do);
  CU_add_test(suite, "validation data without cells", refuses_validation_data_without_cells);
}
