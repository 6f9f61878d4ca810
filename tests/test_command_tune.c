/* `pqf tune`: which sets of options are tried, what is told of them, and which model is kept. */
#include "test.h"

#include "pqf.h"
#include "shell.h"
#include "suites.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALS "--solver als --objective observed --epochs 6 --quiet"

static void write_ratings(void)
{
  EXPECT(0, "awk 'BEGIN { for (u = 0; u < 60; ++u) for (i = 0; i < 40; ++i) "
            "if ((7 * u + 5 * i) % 3 == 0) printf \"u%02d,%d,%.3f\\n\", u, i + 100, "
            "3 + sin(u) * cos(3 * i) + cos(u) * sin(5 * i) }' > $T/ratings.csv");
}

static void tries_a_grid(void)
{
  write_ratings();
  EXPECT(0, "$PQF tune $T/ratings.csv " ALS " --grid factors=1,2 --grid regularization=0.1,5,100 "
            "--output $T/best.pqf --seed 4 > $T/table && "
            "awk 'NR > 1 && NR < 8 { print $1, $2, $3 }' $T/table");
  PRINTED("1 1 0.1\n2 1 5\n3 1 100\n4 2 0.1\n5 2 5\n6 2 100\n");
  /* the best is that of the lowest number, and each star one that was lower than all before */
  EXPECT(0, "awk 'NR == 1 { for (n = 1; n <= NF; ++n) if ($n == \"rmse\") column = n } "
            "NR > 1 && NR < 8 { star = $NF == \"*\"; lower = best == \"\" || $column < best; "
            "if (star != lower) exit 9; if (lower) { best = $column; number = $1 } } "
            "/^best/ { if ($3 + 0 != number || $5 + 0 != best + 0) exit 8; seen = 1 } "
            "END { exit !seen }' $T/table && tail -n 1 $T/table");
  PRINTED_PART("best.pqf: the model that was measured\n");
  /* the model that is kept was measured as told */
  EXPECT(0, "$PQF split $T/ratings.csv --seed 4 --output-train $T/a.csv --output-test $T/b.csv "
            "> $T/said && $PQF evaluate $T/best.pqf $T/b.csv --metrics rating | "
            "awk '/^rmse/ { print $2 \":\" }' > $T/got && grep -q -F \"$(cat $T/got)\" $T/table");
  EXPECT(0, "$PQF tune $T/ratings.csv " ALS " --grid factors=1,2 --output $T/best.pqf --refit");
  PRINTED_PART("best.pqf: the best options, fitted to all cells\n");
  EXPECT(0, "$PQF info $T/best.pqf | grep -c 'ids  *\\(texts\\|numbers\\)'");
  PRINTED("2\n");
}

static void tries_random_samples(void)
{
  write_ratings();
#define RANDOM                                                                                     \
  "$PQF tune $T/ratings.csv " ALS " --random 12 --range factors=1:6 "                              \
  "--range regularization=0.01:10 --grid biases=both,none --json "
  EXPECT(0, RANDOM "--seed 1 > $T/1 && " RANDOM "--seed 1 > $T/2 && " RANDOM "--seed 2 > $T/3 && "
                   "for n in 1 2 3; do grep -v seconds $T/$n > $T/$n.t; done; "
                   "cmp $T/1.t $T/2.t && ! cmp -s $T/1.t $T/3.t && cat $T/1");
#undef RANDOM
  json_t *root = json_loads(shell_output(), 0, NULL);
  const json_t *tries = json_object_get(root, "tries");
  const json_t *best = json_object_get(root, "best");
  double lowest = INFINITY;
  int words = 0;
  CU_ASSERT_EQUAL(json_array_size(tries), 12);
  for (size_t n = 0; n < json_array_size(tries); ++n) {
    const json_t *entry = json_array_get(tries, n);
    const json_t *options = json_object_get(entry, "options");
    const char *factors = json_string_value(json_object_get(options, "factors"));
    const char *regularization = json_string_value(json_object_get(options, "regularization"));
    CU_ASSERT(factors != NULL && strlen(factors) == 1 && *factors >= '1' && *factors <= '6');
    CU_ASSERT(regularization != NULL && atof(regularization) >= 0.01 && atof(regularization) <= 10);
    words |= strcmp(json_string_value(json_object_get(options, "biases")), "both") == 0 ? 1 : 2;
    const json_t *rmse = json_object_get(json_object_get(entry, "measured"), "rmse");
    lowest = fmin(lowest, json_number_value(json_object_get(rmse, "mean")));
  }
  CU_ASSERT_EQUAL(words, 3);
  CU_ASSERT_EQUAL(json_number_value(json_object_get(best, "value")), lowest);
  CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(best, "metric")), "rmse");
  json_decref(root);
}

static void decides_by_metric_and_folds(void)
{
  write_ratings();
  EXPECT(0, "$PQF tune $T/ratings.csv --solver als --objective implicit --epochs 3 --quiet "
            "--grid factors=1,2,3 --k 7 --folds 3 --output $T/best.pqf > $T/table && "
            "head -n 1 $T/table | awk '{ print $3, $4 }' && tail -n 1 $T/table");
  PRINTED_PART("ndcg@7 deviation\n");
  PRINTED_PART("fitted to all cells\n");
  EXPECT(0, "awk 'NR > 1 && NR < 5 && $3 > best { best = $3; number = $1 } "
            "/^best/ { exit $3 + 0 != number }' $T/table");
  /* cross-validation by `pqf evaluate` gives the same number */
  EXPECT(0, "$PQF evaluate $T/ratings.csv --solver als --objective implicit --epochs 3 --quiet "
            "--factors 2 --k 7 --folds 3 | awk '/^ndcg/ { print $2, $3 }' > $T/got && "
            "awk '$2 == 2 { print $3, $4 }' $T/table | cmp - $T/got");
}

static void passes_over_what_diverges(void)
{
  write_ratings();
  EXPECT(0, "$PQF tune $T/ratings.csv --objective observed --epochs 30 --quiet "
            "--grid learning_rate=1e3,1e-4 | awk 'NR > 1 { print $1, $2, $3 == \"diverged\" }'");
  PRINTED("1 1e3 1\n2 1e-4 0\nbest: try 0\n");
  REFUSED(1, "$PQF tune $T/ratings.csv --grid learning_rate=1e30 > $T/said", "no try");
}

static void ends_when_it_is_interrupted(void)
{
  write_ratings();
  EXPECT(0, ": > $T/lines; rm -f $T/i.pqf; env --default-signal=INT $PQF tune $T/ratings.csv "
            "--objective observed --learning-rate 1e-4 --patience 0 "
            "--grid epochs=2,1000000000 --output $T/i.pqf > $T/lines 2> $T/words & "
            "until grep -q '^ *1 ' $T/lines; do kill -0 $! || exit 9; sleep 0.02; done; "
            "kill -INT $!; wait $!; test $? = 130 && cat $T/words && $PQF info $T/i.pqf");
  PRINTED_PART("pqf: interrupted after 1 of 2 tries; the best one so far is in ");
  PRINTED_PART("training    2 epochs");
}

static void refuses_wrong_searches(void)
{
  write_ratings();
#define TUNE "$PQF tune $T/ratings.csv "
  REFUSED(2, "$PQF tune", "DATA is missing");
  REFUSED(2, TUNE, "--grid NAME=VALUES is missing");
  REFUSED(2, TUNE "--grid factors", "VALUE,VALUE");
  REFUSED(2, TUNE "--grid factors=", "VALUE,VALUE");
  REFUSED(2, TUNE "--grid factros=1", "no option \"factros\"");
  REFUSED(2, TUNE "--grid factors=1,x", "'x'");
  REFUSED(2, TUNE "--grid factors=1,,2", "''");
  REFUSED(2, TUNE "--grid factors=1 --grid factors=2", "factors is there twice");
  REFUSED(2, TUNE "--grid checkpoint=a,b", "\"pqf fit\"");
  REFUSED(2, TUNE "--range factors=1:4", "--random N");
  REFUSED(2, TUNE "--random 3 --range factors=4", "LOW:HIGH");
  REFUSED(2, TUNE "--random 3 --range factors=0:4", "factors is 0");
  REFUSED(2, TUNE "--random 3 --range regularization=0:4", "logarithmic");
  REFUSED(2, TUNE "--random 3 --range regularization=4:1", "logarithmic");
  REFUSED(2, TUNE "--random 3 --range solver=1:2", "no numbers");
  REFUSED(2, TUNE "--random 0 --range factors=1:4", "from 1 on");
  REFUSED(2, TUNE "--grid factors=1 --metric bleu", "no metric \"bleu\"");
  REFUSED(2, TUNE "--grid factors=1 --fraction 0", "above 0");
  REFUSED(2, TUNE "--grid factors=1 --fraction 0.2 --folds 3", "do not go together");
  REFUSED(2, TUNE "--grid factors=1 --refit", "--output");
  REFUSED(2, TUNE "--grid factors=1 --init model", "normal or torch");
  REFUSED(2, TUNE "--grid factors=1 --checkpoint-every 3", "\"pqf fit\"");
  REFUSED(1, TUNE "--grid factors=1 --output $T/no/x.pqf", "No such file");
  REFUSED(1, TUNE "--grid backend=abacus > $T/said", "abacus");
#undef TUNE
}

void suite_command_tune(void)
{
  CU_pSuite suite = CU_add_suite("command_tune", NULL, NULL);
  CU_add_test(suite, "a grid", tries_a_grid);
  CU_add_test(suite, "random samples, the same by one seed", tries_random_samples);
  CU_add_test(suite, "another metric, and folds", decides_by_metric_and_folds);
  CU_add_test(suite, "what diverges is passed over", passes_over_what_diverges);
  CU_add_test(suite, "a signal leaves the best model", ends_when_it_is_interrupted);
  CU_add_test(suite, "wrong searches", refuses_wrong_searches);
}
