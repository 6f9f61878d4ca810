/* Rows stay rows and columns columns: wherever two objects meet, one of another shape is refused
 * with words, a transposed one above all. */
#include "suites.h"
#include "test.h"

#include <stdlib.h>

enum { ROWS = 9, COLS = 5, FACTORS = 2 };

/* Every third cell, or the same cells with rows and columns exchanged. */
static pqf_data *make_data(int transposed)
{
  int32_t row[ROWS * COLS];
  int32_t col[ROWS * COLS];
  int64_t count = 0;
  for (int32_t n = 0; n < ROWS * COLS; n += 3) {
    row[count] = n / COLS;
    col[count++] = n % COLS;
  }
  pqf_data *data = NULL;
  CHECK_OK(transposed ? pqf_data_coo(&data, COLS, ROWS, count, col, row, NULL, NULL, NULL)
                      : pqf_data_coo(&data, ROWS, COLS, count, row, col, NULL, NULL, NULL));
  return data;
}

static pqf_options options_of(int32_t solver)
{
  pqf_options options = PQF_OPTIONS_INIT;
  options.solver = solver;
  options.objective = PQF_OBJECTIVE_OBSERVED;
  options.factors = FACTORS;
  options.epochs = 2;
  return options;
}

static void check_validation(int32_t solver, const pqf_data *data, const pqf_data *exchanged)
{
  const pqf_options options = options_of(solver);
  pqf_model *model = NULL;
  CHECK_OK(pqf_create(&model, &options));
  CHECK_STATUS(pqf_fit(model, data, exchanged), PQF_EINVAL);
  CHECK_WORDS("the validation data is 5 x 9, the training data 9 x 5");
  CU_ASSERT_EQUAL(pqf_model_rows(model), 0);
  pqf_free(model);
}

static void check_initial(const pqf_data *data)
{
  pqf_options options = options_of(PQF_SOLVER_GD);
  const float factors[ROWS * FACTORS] = {0};
  pqf_model *model = NULL;
  options.init = PQF_INIT_GIVEN;
  CHECK_OK(pqf_create(&model, &options));
  CHECK_OK(pqf_model_set_initial(model, COLS, ROWS, factors, factors));
  CHECK_STATUS(pqf_fit(model, data, NULL), PQF_EINVAL);
  CHECK_WORDS("the initial factors are for 5 x 9, the training data is 9 x 5");
  pqf_free(model);
}

/* What a fitted model meets. */
static void check_model(const pqf_data *data, const pqf_data *exchanged)
{
  const pqf_options options = options_of(PQF_SOLVER_ALS);
  const int32_t row = ROWS - 1;
  const int32_t col = COLS - 1;
  float values[ROWS * COLS];
  pqf_metrics metrics = {.size = sizeof metrics};
  pqf_model *model = NULL;
  CHECK_OK(pqf_create(&model, &options));
  CHECK_OK(pqf_fit(model, data, NULL));
  CHECK_STATUS(pqf_evaluate(model, exchanged, NULL, NULL, &metrics), PQF_EINVAL);
  CHECK_WORDS("5 x 9, the model 9 x 5");
  CHECK_STATUS(pqf_evaluate(model, data, exchanged, NULL, &metrics), PQF_EINVAL);
  CHECK_WORDS("5 x 9, the model 9 x 5");
  CHECK_OK(pqf_predict(model, 1, &row, &col, values));
  CHECK_STATUS(pqf_predict(model, 1, &col, &row, values), PQF_EINVAL);
  CHECK_STATUS(pqf_reconstruct(model, 0, ROWS, values, COLS - 1), PQF_EINVAL);
  CHECK_OK(pqf_model_set_option(model, "init", "model"));
  CHECK_STATUS(pqf_fit(model, exchanged, NULL), PQF_EINVAL);
  CHECK_WORDS("the model has 9 rows, the training data 5 and no ids to go by");
  CU_ASSERT_EQUAL(pqf_model_rows(model), ROWS);
  CHECK_OK(pqf_fit(model, data, NULL));
  pqf_free(model);
}

static void users_and_items_are_never_exchanged(void)
{
  const int32_t cell[] = {COLS, 0};
  const int64_t ids[ROWS] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
  uint8_t held_out[2];
  pqf_data *data = make_data(0);
  pqf_data *exchanged = make_data(1);
  check_validation(PQF_SOLVER_GD, data, exchanged);
  check_validation(PQF_SOLVER_ALS, data, exchanged);
  check_initial(data);
  check_model(data, exchanged);
  CHECK_STATUS(pqf_data_set_ids(data, PQF_COLS, ROWS, ids, NULL), PQF_EINVAL);
  CHECK_WORDS("9 ids are given for 5 columns");
  CHECK_STATUS(pqf_split(COLS, 2, cell, NULL, NULL, held_out), PQF_EINVAL);
  CHECK_WORDS("entry 0: row 5 is not from 0 to 4");
  pqf_data_free(data);
  pqf_data_free(exchanged);
}

/* Ids of users are numbers here, those of items texts. */
static void kinds_of_ids_are_compared(void)
{
  const char *const texts[ROWS] = {"a", "b", "c", "d", "e", "f", "g", "h", "i"};
  const int64_t numbers[ROWS] = {8, 7, 6, 5, 4, 3, 2, 1, 0};
  const pqf_options options = options_of(PQF_SOLVER_ALS);
  pqf_data *data = make_data(0);
  pqf_data *exchanged = make_data(1);
  pqf_model *model = NULL;
  CHECK_OK(pqf_data_set_ids(data, PQF_ROWS, ROWS, numbers, NULL));
  CHECK_OK(pqf_data_set_ids(data, PQF_COLS, COLS, NULL, texts));
  CHECK_OK(pqf_data_set_ids(exchanged, PQF_ROWS, COLS, NULL, texts));
  CHECK_OK(pqf_data_set_ids(exchanged, PQF_COLS, ROWS, numbers, NULL));
  CHECK_OK(pqf_create(&model, &options));
  CHECK_OK(pqf_fit(model, data, NULL));
  CHECK_OK(pqf_model_set_option(model, "init", "model"));
  CHECK_STATUS(pqf_fit(model, exchanged, NULL), PQF_EINVAL);
  CHECK_WORDS("the ids of rows are numbers in the model, texts in the data");
  CHECK_OK(pqf_fit(model, data, NULL));
  pqf_free(model);
  pqf_data_free(data);
  pqf_data_free(exchanged);
}

void suite_shapes(void)
{
  CU_pSuite suite = CU_add_suite("shapes", NULL, NULL);
  CU_add_test(suite, "users and items are never exchanged", users_and_items_are_never_exchanged);
  CU_add_test(suite, "kinds of ids are compared", kinds_of_ids_are_compared);
}
