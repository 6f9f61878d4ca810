/* Steps that ask: predictions, metrics, ids, and what needs no model. */
#include "calls_state.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static calls_model *choose_slot(void)
{
  return &calls.model[calls_choose(MODEL_SLOTS)];
}

/* A prediction in double, and how large its terms are. */
static double predict(const pqf_model *model, int64_t row, int64_t col, double *size)
{
  const int64_t k = pqf_model_factors(model);
  const float *p = pqf_model_borrow_factors(model, PQF_ROWS) + row * k;
  const float *q = pqf_model_borrow_factors(model, PQF_COLS) + col * k;
  const float *b = pqf_model_borrow_biases(model, PQF_ROWS);
  const float *c = pqf_model_borrow_biases(model, PQF_COLS);
  double sum = pqf_model_mean(model);
  *size = fabs(sum);
  for (int64_t f = 0; f < k; f++) {
    sum += (double)p[f] * (double)q[f];
    *size += fabs((double)p[f] * (double)q[f]);
  }
  if (b != NULL) {
    sum += (double)b[row];
    *size += fabs((double)b[row]);
  }
  if (c != NULL) {
    sum += (double)c[col];
    *size += fabs((double)c[col]);
  }
  return sum;
}

static int is_close(float got, double want, double size)
{
  if (!(size < 1e37))
    return 1; /* float may overflow on the way */
  return fabs((double)got - want) <= 1e-5 * size + 1e-35;
}

/* All cells by both calls. */
void calls_step_predict(void)
{
  const calls_model *slot = choose_slot();
  const pqf_model *model = slot->model;
  const int64_t rows = pqf_model_rows(model);
  const int64_t cols = pqf_model_cols(model);
  const int64_t gap = calls_choose(3);
  int32_t row[SIDE * SIDE + 1];
  int32_t col[SIDE * SIDE + 1];
  float single[SIDE * SIDE + 1] = {0};
  float whole[SIDE * (SIDE + 2)];
  if (rows > SIDE || cols > SIDE)
    return;
  const int64_t count = rows * cols;
  for (int64_t n = 0; n < count; n++) {
    row[n] = (int32_t)(n / cols);
    col[n] = (int32_t)(n % cols);
  }
  memset(whole, 0x5a, sizeof whole);
  row[count] = (int32_t)calls_next() - 20;
  col[count] = 0;
  const int out_of_range = CALL(pqf_predict(model, count + 1, row, col, single));
  const int status = CALL(pqf_predict(model, count, row, col, single));
  const int reconstructed = CALL(pqf_reconstruct(model, 0, rows, whole, cols + gap));
  HOLDS(status == reconstructed, "predict gives %d, reconstruct %d", status, reconstructed);
  HOLDS((status == PQF_EUNFITTED) == (model != NULL && rows == 0), "a prediction: %d", status);
  if (status != PQF_OK || slot->is_doubtful)
    return;
  HOLDS((out_of_range == PQF_OK) == (row[count] >= 0 && row[count] < rows), "row %d: status %d",
        (int)row[count], out_of_range);
  for (int64_t n = 0; n < count; n++) {
    double size;
    const double want = predict(model, row[n], col[n], &size);
    const float other = whole[row[n] * (cols + gap) + col[n]];
    HOLDS(is_close(single[n], want, size), "a prediction is %g, not %g", (double)single[n], want);
    HOLDS(is_close(other, want, size), "a reconstruction is %g, not %g", (double)other, want);
  }
  for (int64_t n = cols; n < rows * (cols + gap); n++) {
    unsigned char bytes[sizeof *whole];
    memcpy(bytes, &whole[n], sizeof bytes);
    HOLDS(n % (cols + gap) < cols || (bytes[0] == 0x5a && bytes[3] == 0x5a),
          "pqf_reconstruct() wrote between rows");
  }
  HOLDS(CALL(pqf_reconstruct(model, calls_next(), rows, whole, cols)) == PQF_OK ||
            strstr(pqf_error_message(), "rows from") != NULL,
        "a reconstruction: %s", pqf_error_message());
}

void calls_step_evaluate(void)
{
  const calls_model *slot = choose_slot();
  const calls_data *held_out = &calls.data[calls_choose(DATA_SLOTS)];
  const calls_data *exclude = &calls.data[calls_choose(DATA_SLOTS)];
  pqf_evaluate_options options = PQF_EVALUATE_OPTIONS_INIT;
  pqf_metrics one = {.size = sizeof one};
  pqf_metrics three = {.size = sizeof three};
  options.k = (int32_t)calls_choose(16) - 1;
  options.metrics = (uint32_t)calls_choose(5);
  options.relevant = calls_choose(2) == 0 ? -HUGE_VAL : (double)calls_value();
  options.threads = 1;
  const int status = CALL(pqf_evaluate(slot->model, held_out->data, exclude->data, &options, &one));
  options.threads = 3;
  const int other =
      CALL(pqf_evaluate(slot->model, held_out->data, exclude->data, &options, &three));
  HOLDS(status == other, "evaluate with one thread gives %d, with three %d", status, other);
  HOLDS(status != PQF_OK || memcmp(&one, &three, sizeof one) == 0,
        "evaluate with one thread and with three differ");
  if (status != PQF_OK || slot->is_doubtful)
    return;
  const double shares[] = {one.precision, one.recall, one.ndcg,    one.map,
                           one.mrr,       one.auc,    one.coverage};
  for (size_t n = 0; n < sizeof shares / sizeof shares[0]; n++)
    HOLDS(isnan(shares[n]) || (shares[n] >= 0 && shares[n] <= 1 + 1e-12), "metric %d is %g", (int)n,
          shares[n]);
  HOLDS(one.cells >= 0 && one.cells <= pqf_data_count(held_out->data), "cells of a metric");
}

/* Each id is found where it is. */
void calls_step_ids(void)
{
  const calls_model *slot = choose_slot();
  const int32_t side = (int32_t)calls_next() % 3;
  const int64_t index = calls_next() % 16 - 1;
  pqf_id id = {0};
  int32_t found = -1;
  const int status = CALL(pqf_model_id(slot->model, side, index, &id));
  const int32_t kind = pqf_model_id_kind(slot->model, side);
  if (status != PQF_OK) {
    static const char text[] = "abc";
    const pqf_id strange = {.text = calls_choose(2) == 0 ? text : NULL,
                            .length = (int64_t)calls_next() % 5 - 1,
                            .number = -77};
    HOLDS(calls_rarely() || strange.length > 3 ||
              CALL(pqf_model_find(slot->model, side, &strange, &found)) != PQF_OK,
          "a strange id is found");
    return;
  }
  HOLDS((kind == PQF_IDS_TEXTS) == (id.text != NULL), "an id of kind %d", (int)kind);
  if (slot->is_doubtful)
    return;
  MUST(pqf_model_find(slot->model, side, &id, &found));
  HOLDS(found == index, "the id of %d is found at %d", (int)index, (int)found);
}

/* Calls that always give an answer. */
void calls_step_ask(void)
{
  const calls_model *slot = choose_slot();
  char text[16];
  pqf_epoch short_epoch = {.size = offsetof(pqf_epoch, observed)};
  pqf_summary summary = {.size = sizeof summary};
  const int64_t index = (int64_t)calls_next() - 2;
  const int status = CALL(pqf_model_summary(slot->model, &summary));
  HOLDS(status == (slot->model != NULL ? PQF_OK : PQF_EINVAL), "a summary: %d", status);
  short_epoch.observed = 17;
  const int has_epoch = status == PQF_OK && index >= 0 && index < summary.epochs;
  HOLDS((CALL(pqf_model_history(slot->model, index, &short_epoch)) == PQF_OK) == has_epoch,
        "an epoch of the history");
  HOLDS(short_epoch.observed == 17, "pqf_model_history() wrote beyond the struct");
  const size_t capacity = (size_t)calls_choose(16);
  text[capacity] = 0x5a;
  CALL(pqf_model_option(slot->model, calls_rarely() ? "" : "learning_rate", text, capacity));
  HOLDS(text[capacity] == 0x5a, "pqf_model_option() wrote beyond the buffer");
  HOLDS(pqf_model_borrow_factors(slot->model, 2) == NULL &&
            pqf_model_borrow_biases(slot->model, -1) == NULL,
        "factors of a side that there is not");
  HOLDS((pqf_model_borrow_factors(slot->model, 0) != NULL) == (pqf_model_rows(slot->model) > 0),
        "factors of a model without rows");
  HOLDS(pqf_strerror((int)calls_next() - 128) != NULL && pqf_version()[0] != '\0', "words");
  HOLDS(pqf_model_factors(slot->model) >= (slot->model != NULL), "the number of factors");
}

void calls_step_multiply(void)
{
  float p[6 * 9];
  float q[6 * 9];
  float out[6 * 9];
  const int64_t rows = (int64_t)calls_choose(8) - 1;
  const int64_t cols = (int64_t)calls_choose(8) - 1;
  const int64_t factors = (int64_t)calls_choose(8) - 1;
  const int64_t stride = calls_choose(10);
  for (int n = 0; n < 6 * 9; n++) {
    p[n] = n < 8 ? calls_value() : (float)(n % 5);
    q[n] = n < 8 ? calls_value() : (float)(n % 3);
  }
  const int status = CALL(pqf_multiply(rows, cols, factors, p, stride, q, stride, out, stride));
  const int is_fine = rows >= 0 && cols >= 0 && factors >= 0 && stride >= cols && stride >= factors;
  HOLDS((status == PQF_OK) == is_fine, "multiply: %d", status);
  for (int64_t n = 0; is_fine && n < rows * cols; n++) {
    const float *a = p + n / cols * stride;
    const float *b = q + n % cols * stride;
    double sum = 0;
    double size = 0;
    for (int64_t f = 0; f < factors; f++) {
      sum += (double)a[f] * (double)b[f];
      size += fabs((double)a[f] * (double)b[f]);
    }
    HOLDS(is_close(out[n / cols * stride + n % cols], sum, size), "a product is %g, not %g",
          (double)out[n / cols * stride + n % cols], sum);
  }
}

void calls_step_backends(void)
{
  static const char *const folders[] = {NULL, "/absent", "", "relative"};
  const char *folder = folders[calls_choose(4)];
  const int32_t count = pqf_backend_count(folder);
  const int32_t index = (int32_t)calls_choose(8) - 2;
  pqf_backend_info info = {.size = sizeof info};
  const int status = CALL(pqf_backend_describe(folder, index, &info));
  HOLDS(count >= 1, "there are %d back ends", (int)count);
  HOLDS((status == PQF_OK) == (index >= 0 && index < count), "back end %d: %d", (int)index, status);
  HOLDS(status != PQF_OK || (info.name[0] != '\0' && (info.usable || info.words[0] != '\0')),
        "a back end without words");
}

void calls_step_free_model(void)
{
  calls_drop_model(choose_slot());
}
