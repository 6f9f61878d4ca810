/* Where objects meet that each have ids, or none: rows are matched by what they are called, and
 * what cannot be matched is refused. */
#include "arrow_builder.h"
#include "suites.h"
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 16, FACTORS = 3 };

/* Ids of rows; the columns have none. */
typedef struct naming {
  int64_t count;
  int64_t numbers[MOST];
  const char *texts[MOST];
  int32_t kind; /* PQF_IDS_... */
} naming;

static const naming ten_without = {.count = 10, .kind = PQF_IDS_NONE};
static const naming three_without = {.count = 3, .kind = PQF_IDS_NONE};
static const naming ten_in_order = {
    .count = 10, .kind = PQF_IDS_NUMBERS, .numbers = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}};
static const naming all_but_three = {
    .count = 10, .kind = PQF_IDS_NUMBERS, .numbers = {0, 1, 2, 4, 5, 6, 7, 8, 9, 10}};
static const naming three_numbers = {.count = 3, .kind = PQF_IDS_NUMBERS, .numbers = {5, 0, -3}};
static const naming three_texts = {.count = 3, .kind = PQF_IDS_TEXTS, .texts = {"5", "0", "-3"}};

/* Cells everywhere, of 4 columns. */
static pqf_data *make_data(const naming *rows)
{
  enum { COLS = 4 };
  int32_t row[MOST * COLS];
  int32_t col[MOST * COLS];
  float value[MOST * COLS];
  pqf_data *data = NULL;
  for (int32_t n = 0; n < (int32_t)rows->count * COLS; ++n) {
    row[n] = n / COLS;
    col[n] = n % COLS;
    value[n] = (float)(n % 7);
  }
  CHECK_OK(pqf_data_coo(&data, rows->count, COLS, rows->count * COLS, row, col, value, NULL, NULL));
  if (rows->kind == PQF_IDS_NUMBERS)
    CHECK_OK(pqf_data_set_ids(data, PQF_ROWS, rows->count, rows->numbers, NULL));
  if (rows->kind == PQF_IDS_TEXTS)
    CHECK_OK(pqf_data_set_ids(data, PQF_ROWS, rows->count, NULL, rows->texts));
  return data;
}

/* A model whose factors are those that were drawn: the step is too small to change any. */
static pqf_model *fit_nothing(const pqf_data *data)
{
  pqf_options options = PQF_OPTIONS_INIT;
  pqf_model *model = NULL;
  options.backend = "cpu";
  options.factors = FACTORS;
  options.epochs = 1;
  options.learning_rate = 1e-30;
  CHECK_OK(pqf_create(&model, &options));
  CHECK_OK(pqf_fit(model, data, NULL));
  return model;
}

/* Fits a model of rows `before` once more, to data of rows `after`, and gives for each of these the
 * row of the model whose factors it began with; -1: one of its own. */
static int match_rows(const naming *before, const naming *after, int64_t from[MOST])
{
  float old[MOST * FACTORS];
  pqf_data *first = make_data(before);
  pqf_data *second = make_data(after);
  pqf_model *model = fit_nothing(first);
  memcpy(old, pqf_model_borrow_factors(model, PQF_ROWS),
         (size_t)before->count * FACTORS * sizeof *old);
  CHECK_OK(pqf_model_set_option(model, "init", "model"));
  CHECK_OK(pqf_model_set_option(model, "seed", "17"));
  const int status = pqf_fit(model, second, NULL);
  const float *now = pqf_model_borrow_factors(model, PQF_ROWS);
  for (int64_t n = 0; n < after->count && status == PQF_OK; ++n) {
    from[n] = -1;
    for (int64_t row = 0; row < before->count; ++row)
      if (memcmp(now + n * FACTORS, old + row * FACTORS, FACTORS * sizeof *old) == 0)
        from[n] = row;
  }
  pqf_free(model);
  pqf_data_free(first);
  pqf_data_free(second);
  return status;
}

static void models_are_matched_by_id(void)
{
  static const struct {
    const naming *before;
    const naming *after;
    int64_t from[MOST];
  } cases[] = {
      {&ten_without, &ten_without, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
      {&three_without, &ten_without, {0, 1, 2, -1, -1, -1, -1, -1, -1, -1}},
      {&ten_without, &all_but_three, {0, 1, 2, 4, 5, 6, 7, 8, 9, -1}},
      {&ten_without, &three_numbers, {5, 0, -1}},
      {&ten_in_order, &three_without, {0, 1, 2}},
      {&all_but_three, &ten_without, {0, 1, 2, -1, 3, 4, 5, 6, 7, 8}},
      {&three_numbers, &ten_without, {1, -1, -1, -1, -1, 0, -1, -1, -1, -1}},
      {&three_numbers, &all_but_three, {1, -1, -1, -1, 0, -1, -1, -1, -1, -1}},
      {&three_texts, &three_texts, {0, 1, 2}},
  };
  for (size_t n = 0; n < sizeof cases / sizeof cases[0]; ++n) {
    int64_t from[MOST] = {0};
    CHECK_OK(match_rows(cases[n].before, cases[n].after, from));
    CU_ASSERT_EQUAL(memcmp(from, cases[n].from, (size_t)cases[n].after->count * sizeof *from), 0);
  }
}

static void texts_are_no_numbers(void)
{
  int64_t from[MOST];
  CHECK_STATUS(match_rows(&three_without, &three_texts, from), PQF_EINVAL);
  CHECK_WORDS("the ids of rows are none (0, 1, ...) in the model, texts in the data");
  CHECK_STATUS(match_rows(&three_texts, &ten_without, from), PQF_EINVAL);
  CHECK_WORDS("the ids of rows are texts in the model, none (0, 1, ...) in the data");
  CHECK_STATUS(match_rows(&three_texts, &three_numbers, from), PQF_EINVAL);
  CHECK_WORDS("the ids of rows are texts in the model, numbers in the data");
}

/* Fits to data of rows `train` and validates, then measures, with data of rows `other`. */
static void check_meeting(const naming *train, const naming *other, const char *words)
{
  pqf_data *data = make_data(train);
  pqf_data *held_out = make_data(other);
  pqf_metrics metrics = {.size = sizeof metrics};
  pqf_model *model = fit_nothing(data);
  const int expected = words == NULL ? PQF_OK : PQF_EINVAL;
  CHECK_STATUS(pqf_fit(model, data, held_out), expected);
  if (words != NULL) {
    CHECK_WORDS("the validation data has other ids than the training data");
    CHECK_WORDS(words);
  }
  CHECK_STATUS(pqf_evaluate(model, held_out, NULL, NULL, &metrics), expected);
  if (words != NULL) {
    CHECK_WORDS("held_out has other ids than the model");
    CHECK_WORDS(words);
  }
  CHECK_STATUS(pqf_evaluate(model, data, held_out, NULL, &metrics), expected);
  if (words != NULL)
    CHECK_WORDS("exclude has other ids than the model");
  pqf_free(model);
  pqf_data_free(data);
  pqf_data_free(held_out);
}

static void data_of_other_ids_is_refused(void)
{
  check_meeting(&ten_without, &ten_without, NULL);
  check_meeting(&ten_without, &ten_in_order, NULL);
  check_meeting(&ten_in_order, &ten_without, NULL);
  check_meeting(&all_but_three, &all_but_three, NULL);
  check_meeting(&three_texts, &three_texts, NULL);
  check_meeting(&all_but_three, &ten_without, NULL); /* by index, which is all that it has */
  check_meeting(&three_texts, &three_without, NULL);
  check_meeting(&ten_without, &all_but_three, "row 3 is 4 here and 3 there");
  check_meeting(&all_but_three, &ten_in_order, "row 3 is 3 here and 4 there");
  check_meeting(&three_texts, &three_numbers, "row 0 is 5 here and \"5\" there");
  check_meeting(&three_without, &three_texts, "row 0 is \"5\" here and 0 there");
}

/* A table of users first, first + 1, ... and as many items from 0 on. */
static pqf_data *make_table(int64_t first)
{
  int64_t users[4];
  int64_t items[4];
  const float values[4] = {1, 2, 3, 4};
  pqf_data *data = NULL;
  for (int64_t n = 0; n < 4; ++n) {
    users[n] = first + n;
    items[n] = n;
  }
  struct ArrowArrayStream stream =
      arrow_long(arrow_field("u", "l"), arrow_integers(users, 4, NULL), arrow_field("i", "l"),
                 arrow_integers(items, 4, NULL), arrow_floats(values, 4, NULL));
  CHECK_OK(arrow_take(&data, &stream, "u", "i", "v", 0));
  return data;
}

/* A table whose ids are 0, 1, 2, ... has ids, though they are not kept. */
static void ids_that_are_left_out_count(void)
{
  pqf_data *train = make_table(1);
  pqf_data *validation = make_table(0);
  pqf_model *model = fit_nothing(train);
  CHECK_OK(pqf_fit(model, train, train));
  CHECK_STATUS(pqf_fit(model, train, validation), PQF_EINVAL);
  CHECK_WORDS("row 0 is 0 here and 1 there");
  CHECK_STATUS(pqf_fit(model, validation, train), PQF_EINVAL);
  CHECK_WORDS("row 0 is 1 here and 0 there");
  CHECK_OK(pqf_data_set_ids(validation, PQF_ROWS, 4, NULL, NULL)); /* now it has none */
  CHECK_OK(pqf_fit(model, train, validation));
  pqf_free(model);
  pqf_data_free(train);
  pqf_data_free(validation);
}

/* Goes on from a checkpoint of a fit to rows `then` with data of rows `now`. */
static int resume_with(const naming *then, const naming *now)
{
  pqf_data *first = make_data(then);
  pqf_data *second = make_data(now);
  pqf_model *model = fit_nothing(first);
  char path[1024];
  snprintf(path, sizeof path, "%s", test_file("match.pqf"));
  CHECK_OK(pqf_model_set_option(model, "checkpoint", path));
  CHECK_OK(pqf_fit(model, first, NULL));
  pqf_free(model);
  CHECK_OK(pqf_load(&model, path, 0));
  const int status = pqf_resume(model, second, NULL);
  pqf_free(model);
  pqf_data_free(first);
  pqf_data_free(second);
  return status;
}

static void checkpoints_know_their_ids(void)
{
  CHECK_OK(resume_with(&all_but_three, &all_but_three));
  CHECK_OK(resume_with(&ten_without, &ten_in_order));
  CHECK_OK(resume_with(&ten_in_order, &ten_without));
  CHECK_STATUS(resume_with(&all_but_three, &ten_in_order), PQF_EINVAL);
  CHECK_WORDS("the training data has other ids than that of the checkpoint: row 3 is 3 here and 4");
  CHECK_STATUS(resume_with(&all_but_three, &ten_without), PQF_EINVAL);
  CHECK_STATUS(resume_with(&three_texts, &three_without), PQF_EINVAL);
  CHECK_WORDS("row 0 is 0 here and \"5\" there");
}

void suite_match(void)
{
  CU_pSuite suite = CU_add_suite("match", NULL, NULL);
  CU_add_test(suite, "a model that a fit starts from", models_are_matched_by_id);
  CU_add_test(suite, "texts are no numbers", texts_are_no_numbers);
  CU_add_test(suite, "data of other ids is refused", data_of_other_ids_is_refused);
  CU_add_test(suite, "ids that are left out count", ids_that_are_left_out_count);
  CU_add_test(suite, "checkpoints know their ids", checkpoints_know_their_ids);
}
