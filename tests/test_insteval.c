/* Real ratings: the evaluations of lectures in tests/data/insteval.csv.gz, a random tenth held out.
 * Biases alone predict it with a root mean squared error of 1.199, ten factors with enough
 * regularization with 1.197, and with half of it they overfit to 1.22 or more, as exact solvers do.
 * Another tenth has figures within 0.01 of these: the error of a root mean square of 7,300 cells
 * that vary by 1.2 is 0.01. */
#include "shell.h"
#include "suites.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ALS                                                                                        \
  "--solver als --objective observed --factors 10 --init-scale 0.1 --epochs 15 --patience 0 "      \
  "--threads 2 --quiet "

static void split_ratings(void)
{
  EXPECT(0, "$PQF split $D/insteval.csv.gz --output-train $T/train.csv --output-test $T/test.csv "
            "--seed 1");
  PRINTED_PART("66058 cells to train on, 7363 to test with");
}

/* One of the figures that the last `pqf evaluate` printed. */
static double figure(const char *name)
{
  const char *at = strstr(shell_output(), name);
  CU_ASSERT_PTR_NOT_NULL(at);
  return at != NULL ? strtod(at + strlen(name), NULL) : (double)NAN;
}

static void factors_and_biases_predict(void)
{
  split_ratings();
  EXPECT(0, "$PQF fit $T/train.csv --output $T/model " ALS
            "--regularization 20 --bias-regularization 10 && $PQF evaluate $T/model $T/test.csv");
  CHECK_AT_MOST(fabs(figure("rmse") - 1.197), 0.01, "error with regularization 20");
  EXPECT(0, "$PQF fit $T/train.csv --output $T/model " ALS
            "--regularization 1e6 --bias-regularization 10 && $PQF evaluate $T/model $T/test.csv");
  CHECK_AT_MOST(fabs(figure("rmse") - 1.199), 0.01, "error of biases alone");
  EXPECT(0, "$PQF fit $T/train.csv --output $T/model " ALS
            "--regularization 10 --bias-regularization 10 && $PQF evaluate $T/model $T/test.csv");
  CHECK_AT_MOST(1.21, figure("rmse"), "error with regularization 10, at least");
}

static void preset_is_better_than_biases(void)
{
  split_ratings();
  EXPECT(0, "$PQF fit $T/train.csv --output $T/model --preset ratings --quiet && "
            "$PQF evaluate $T/model $T/test.csv");
  CHECK_AT_MOST(figure("rmse"), 1.205, "error of the preset");
}

/* Clicks are the ratings of 4 and 5. The most popular lecturers alone reach a recall of 0.16 here.
 */
static void clicks_are_found(void)
{
  split_ratings();
  EXPECT(0, "for n in train test; do awk -F, 'NR == 1 || $3 >= 4' $T/$n.csv > $T/$n-clicks.csv; "
            "done; $PQF fit $T/train-clicks.csv --output $T/model --preset clicks --quiet && "
            "$PQF evaluate $T/model $T/test-clicks.csv --exclude $T/train-clicks.csv --k 20");
  CHECK_AT_MOST(0.6, figure("recall@20"), "recall, at least");
}

void suite_insteval(void)
{
  CU_pSuite suite = CU_add_suite("insteval", NULL, NULL);
  CU_add_test(suite, "factors and biases predict", factors_and_biases_predict);
  CU_add_test(suite, "the preset for ratings", preset_is_better_than_biases);
  CU_add_test(suite, "the preset for clicks", clicks_are_found);
}
