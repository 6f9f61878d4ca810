/* `pqf split` and `pqf evaluate`. What they tell is held to what awk makes of the same files. */
#include "test.h"

#include "pqf.h"
#include "shell.h"
#include "suites.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Alternating least squares, as small as the data. */
#define ALS "--solver als --objective observed --factors 2 --regularization 0.3 --epochs 8 --quiet"

/* 60 users, 40 items, every third cell of two planted factors; times that differ within a row. */
static void write_ratings(void)
{
  EXPECT(0, "awk 'BEGIN { print \"user,item,rating,when\" > \"'$T'/timed.csv\"; "
            "print \"user,item,rating\" > \"'$T'/ratings.csv\"; "
            "for (u = 0; u < 60; ++u) for (i = 0; i < 40; ++i) if ((7 * u + 5 * i) % 3 == 0) { "
            "r = sprintf(\"u%02d,%d,%s\", u, i + 100, "
            "sprintf(\"%.3f\", 3 + sin(u) * cos(3 * i) + cos(u) * sin(5 * i)) + 0); "
            "print r > \"'$T'/ratings.csv\"; "
            "print r \",\" 1700000000 + (i * 37) % 41 > \"'$T'/timed.csv\" } }'");
}

static void splits_at_random(void)
{
  write_ratings();
  EXPECT(0, "$PQF split $T/ratings.csv --output-train $T/a.csv --output-test $T/b.csv --seed 3 && "
            "head -n 1 $T/a.csv $T/b.csv | grep -c '^user,item,rating$'");
  PRINTED_PART(" to test with\n2\n");
  EXPECT(0, "{ tail -n +2 $T/a.csv; tail -n +2 $T/b.csv; } | sort > $T/both && "
            "tail -n +2 $T/ratings.csv | sort | cmp - $T/both && "
            "$PQF split $T/ratings.csv --output-train $T/a2.csv --output-test $T/b2.csv --seed 3 "
            "--method random --fraction 0.1 --fold 0 > $T/said && cmp $T/b.csv $T/b2.csv");
  /* the folds of a seed share no cell and are everything together */
  EXPECT(0, "for n in 0 1 2 3; do $PQF split $T/ratings.csv --output-train $T/a.csv "
            "--output-test - --fraction 0.25 --fold $n | tail -n +2; done | sort > $T/folds && "
            "cmp $T/both $T/folds");
}

static void splits_rows_and_by_time(void)
{
  write_ratings();
  EXPECT(0, "$PQF split $T/timed.csv --layout long --method rows --fraction 0.2 --output-train "
            "$T/a.csv --output-test $T/b.csv > $T/said && "
            "for n in a b; do tail -n +2 $T/$n.csv | cut -d, -f1 | sort -u > $T/$n; done; "
            "comm -12 $T/a $T/b | wc -l && sort $T/a $T/b | wc -l && test -s $T/b");
  PRINTED("0\n60\n");
  /* the two latest of each row, and the time is kept */
  EXPECT(0,
         "$PQF split $T/timed.csv --method last --last 2 --time when --output-train $T/a.csv "
         "--output-test $T/b.csv && head -n 1 $T/b.csv && tail -n +2 $T/b.csv | sort > $T/got && "
         "tail -n +2 $T/timed.csv | sort -t, -k1,1 -k4,4nr | "
         "awk -F, '$1 != last { n = 0; last = $1 } n++ < 2' | sort | cmp - $T/got");
  PRINTED_PART("120 to test with\nuser,item,rating,when\n");
  EXPECT(0, "tail -n +2 $T/timed.csv > $T/bare.csv && "
            "$PQF split $T/bare.csv --method last --last 2 --time 4 --output-train $T/a.csv "
            "--output-test $T/b.csv.gz > $T/said && gzip -dc $T/b.csv.gz | sort | cmp - $T/got");
}

static void splits_other_formats(void)
{
  write_ratings();
  shell_file("m.mtx", "%%MatrixMarket matrix coordinate real general\n3 4 5\n"
                      "1 1 1.5\n1 4 2\n2 2 3\n3 3 4\n3 4 5\n");
  EXPECT(0,
         "$PQF split $T/m.mtx --output-train $T/a.mtx --output-test $T/b.mtx --fraction 0.5 "
         "--seed 1 > $T/said && sed -n 2p $T/a.mtx | cut -d' ' -f1-2 && "
         "tail -qn +3 $T/a.mtx $T/b.mtx | sort > $T/both && tail -n +3 $T/m.mtx | cmp - $T/both");
  PRINTED("3 4\n");
  shell_file("wide.csv", ",x,y\na,1,2\nb,,4\n");
  EXPECT(0, "$PQF split $T/wide.csv --nan absent --output-train - --output-test $T/b.csv "
            "--fraction 0");
  PRINTED("a,x,1\na,y,2\nb,y,4\n");
  REFUSED(1, "$PQF split $T/wide.csv --output-train $T/x.csv --output-test $T/b.csv",
          "--nan absent");
  REFUSED(1, "$PQF split $T/wide.csv --nan absent --output-train $T/x.mtx --output-test $T/b.csv",
          "no room for ids");
  REFUSED(1,
          "$PQF split $T/m.mtx --method last --time 3 --output-train $T/x.csv "
          "--output-test $T/b.csv",
          "no times");
  if (!shell_has_parquet())
    return;
  EXPECT(0, "$PQF split $T/timed.csv --time when --layout long --output-train $T/a.parquet "
            "--output-test $T/b.parquet --seed 5 > $T/said && "
            "$PQF split $T/timed.csv --time when --layout long --output-train $T/a.csv "
            "--output-test $T/b.csv --seed 5 > $T/said && "
            "$PQF split $T/a.parquet --time when --fraction 0 --output-train - --output-test "
            "$T/empty.csv | cmp - $T/a.csv");
  REFUSED(1,
          "$PQF split $T/a.parquet --time user --method last --output-train $T/x.csv "
          "--output-test $T/b.csv",
          "\"user\" is neither numeric nor a time");
  REFUSED(1,
          "$PQF split $T/a.parquet --time 5 --method last --output-train $T/x.csv "
          "--output-test $T/b.csv",
          "no column 5");
}

static void refuses_wrong_splits(void)
{
  write_ratings();
#define SPLIT "$PQF split $T/ratings.csv --output-train $T/x.csv --output-test $T/y.csv "
  REFUSED(2, "$PQF split", "DATA is missing");
  REFUSED(2, "$PQF split $T/ratings.csv --output-train $T/x.csv", "--output-test");
  REFUSED(2, "$PQF split $T/ratings.csv --output-test $T/x.csv", "--output-train");
  REFUSED(2, "$PQF split $T/ratings.csv --output-train $T/x.csv --output-test $T/x.csv",
          "would be overwritten");
  REFUSED(2, "$PQF split $T/ratings.csv --output-train $T/x.npy --output-test $T/y.csv", ".mtx");
  REFUSED(2, "$PQF split $T/ratings.csv --output-train $T/x.txt --output-test $T/y.csv", ".mtx");
  REFUSED(2, SPLIT "--method first", "random, last or rows");
  REFUSED(2, SPLIT "--method last", "--time");
  REFUSED(2, SPLIT "--method last --time rating --fraction 0.5", "--fraction is for");
  REFUSED(2, SPLIT "--last 2", "--method last");
  REFUSED(2, SPLIT "--method last --time rating --last 0", "from 1 on");
  REFUSED(2, SPLIT "--fraction 1.5", "from 0 to 1");
  REFUSED(2, SPLIT "--fraction half", "\"half\"");
  REFUSED(2, SPLIT "--seed -1", "from 0 on");
  REFUSED(2, SPLIT "--time rating --layout wide", "long table");
  REFUSED(1, SPLIT "--fold 10", "folds 0 to 9");
  REFUSED(1, SPLIT "--method last --time when", "no column \"when\"");
  REFUSED(1, SPLIT "--method last --time 4", "column 4");
  REFUSED(1, SPLIT "--method last --time user", "as a time has to be");
  REFUSED(1, "$PQF split $T/ratings.csv --output-train $T/no/x.csv --output-test $T/y.csv",
          "No such file");
  REFUSED(1, "$PQF split $T/none.csv --output-train $T/x.csv --output-test $T/y.csv",
          "No such file");
  EXPECT(0, "ls $T | grep -c '^[xy]\\.' || true");
  PRINTED("0\n");
#undef SPLIT
}

/* A number of the last script's JSON output; NaN: it is not there. */
static double json_number(const char *name, const char *member)
{
  json_t *root = json_loads(shell_output(), 0, NULL);
  const json_t *value = json_object_get(root, name);
  if (member != NULL)
    value = json_object_get(value, member);
  const double number = json_is_number(value) ? json_number_value(value) : NAN;
  json_decref(root);
  return number;
}

static void measures_a_model(void)
{
  write_ratings();
  EXPECT(0, "$PQF split $T/ratings.csv --output-train $T/a.csv --output-test $T/b.csv > $T/said && "
            "$PQF fit $T/a.csv --output $T/m.pqf " ALS " && "
            "$PQF predict $T/m.pqf --pairs $T/b.csv --output $T/p.csv && "
            "paste -d, $T/b.csv $T/p.csv | tail -n +2 | awk -F, '{ e = $3 - $6; s += e * e; "
            "a += e < 0 ? -e : e } END { print sqrt(s / NR), a / NR }'");
  double rmse = 0, mae = 0;
  CU_ASSERT_EQUAL(sscanf(shell_output(), "%lf %lf", &rmse, &mae), 2);
  EXPECT(0, "$PQF evaluate $T/m.pqf $T/b.csv --exclude $T/a.csv --json --k 5");
  CU_ASSERT_DOUBLE_EQUAL(json_number("rmse", NULL), rmse, 1e-5 * rmse);
  CU_ASSERT_DOUBLE_EQUAL(json_number("mae", NULL), mae, 1e-5 * mae);
  CU_ASSERT_EQUAL(json_number("k", NULL), 5);
  CU_ASSERT_EQUAL(json_number("unknown", "cells"), 0);
  CU_ASSERT(json_number("ndcg", NULL) >= 0 && json_number("ndcg", NULL) <= 1);
  EXPECT(0, "$PQF evaluate $T/m.pqf $T/b.csv --metrics rating --threads 1 | cut -c1-9");
  PRINTED("rmse     \nmae      \ncells    \n");
  EXPECT(0, "$PQF evaluate $T/m.pqf $T/b.csv --metrics ranking --relevant 4 --k 3");
  PRINTED_PART("recall@3 ");
  /* with all of them excluded nothing is left to rank */
  EXPECT(0, "$PQF evaluate $T/m.pqf $T/b.csv --exclude $T/b.csv");
  PRINTED_PART("ndcg@10                  -\n");
}

static void counts_what_a_model_does_not_know(void)
{
  write_ratings();
  shell_file("t.csv", "u01,101,3\nghost,101,3\nu02,900,3\nghost,901,3\nu03,102,2\n");
  EXPECT(0, "$PQF fit $T/ratings.csv --output $T/m.pqf " ALS " && "
            "$PQF evaluate $T/m.pqf $T/t.csv --exclude $T/t.csv");
  PRINTED_PART("cells                    2\n");
  PRINTED_PART(
      "not measured   3 cells to test with: the model does not know 1 of their rows and 2 of "
      "their columns\n");
  PRINTED_PART("not excluded   3 cells");
  EXPECT(0, "$PQF evaluate $T/m.pqf $T/t.csv --json");
  CU_ASSERT_EQUAL(json_number("unknown", "cells"), 3);
  CU_ASSERT_EQUAL(json_number("unknown", "rows"), 1);
  CU_ASSERT_EQUAL(json_number("unknown", "cols"), 2);
  CU_ASSERT_EQUAL(json_number("exclude_unknown", "cells"), 0);
  shell_file("t.csv", "ghost,101,3\n");
  REFUSED(1, "$PQF evaluate $T/m.pqf $T/t.csv", "none of its cells");
  /* never users for items: a matrix without ids has to be of the model's shape */
  shell_file("t.mtx", "%%MatrixMarket matrix coordinate real general\n40 60 1\n1 1 1\n");
  REFUSED(1, "$PQF evaluate $T/m.pqf $T/t.mtx", "40 rows without ids where the model has 60");
  shell_file("t.mtx", "%%MatrixMarket matrix coordinate real general\n60 40 1\n1 1 1\n");
  EXPECT(0, "$PQF evaluate $T/m.pqf $T/t.mtx --metrics rating");
  shell_file("t.csv", "u01,101,3\nu01,101,4\n");
  REFUSED(1, "$PQF evaluate $T/m.pqf $T/t.csv", "t.csv: ");
}

/* The folds by hand: split, fit, evaluate. */
static void cross_validates(void)
{
  double sum = 0, squares = 0;
  char script[512];
  write_ratings();
  for (int fold = 0; fold < 4; ++fold) {
    snprintf(script, sizeof script,
             "$PQF split $T/ratings.csv --fraction 0.25 --fold %d --seed 9 --output-train $T/a.csv "
             "--output-test $T/b.csv > $T/said && $PQF fit $T/a.csv --output $T/m.pqf --seed 9 " ALS
             " && $PQF evaluate $T/m.pqf $T/b.csv --exclude $T/a.csv --json",
             fold);
    EXPECT(0, script);
    const double rmse = json_number("rmse", NULL);
    sum += rmse;
    squares += rmse * rmse;
  }
  EXPECT(0, "$PQF evaluate $T/ratings.csv --folds 4 --json --seed 9 " ALS);
  CU_ASSERT_DOUBLE_EQUAL(json_number("rmse", "mean"), sum / 4, 1e-6);
  CU_ASSERT_DOUBLE_EQUAL(json_number("rmse", "deviation"), sqrt((squares - sum * sum / 4) / 3),
                         1e-6);
  CU_ASSERT_EQUAL(json_number("epochs", NULL), 8);
  EXPECT(0, "$PQF evaluate $T/ratings.csv --folds 4 --seed 9 --metrics rating " ALS);
  PRINTED_PART("metric                mean   deviation\nrmse ");
  /* as many folds as there are; each is one of them, whatever rounding makes of 1 / 49 */
  EXPECT(0, "$PQF evaluate $T/ratings.csv --folds 49 --metrics rating " ALS " --epochs 1");
}

static void refuses_wrong_evaluations(void)
{
  write_ratings();
  EXPECT(0, "$PQF fit $T/ratings.csv --output $T/m.pqf " ALS);
#define EVALUATE "$PQF evaluate $T/m.pqf $T/ratings.csv "
  REFUSED(2, "$PQF evaluate", "MODEL is missing");
  REFUSED(2, "$PQF evaluate $T/m.pqf", "TEST is missing");
  REFUSED(2, EVALUATE "more", "\"more\"");
  REFUSED(2, EVALUATE "--folds 3", "one file of data");
  REFUSED(2, EVALUATE "--factors 3", "--factors is for --folds");
  REFUSED(2, EVALUATE "--preset ratings", "--preset is for --folds");
  REFUSED(2, EVALUATE "--metrics best", "rating, ranking or all");
  REFUSED(2, EVALUATE "--k 0", "from 1 on");
  REFUSED(2, EVALUATE "--k 3000000000", "at most");
  REFUSED(2, EVALUATE "--relevant nan", "is a number");
  REFUSED(2, "$PQF evaluate $T/ratings.csv --folds 1", "from 2 on");
  REFUSED(2, "$PQF evaluate $T/ratings.csv --folds 3000000000", "at most");
  REFUSED(2, "$PQF evaluate $T/ratings.csv --folds 3 --exclude $T/x", "--exclude is for a model");
  REFUSED(2, "$PQF evaluate $T/ratings.csv --folds 3 --init given", "normal or torch");
  REFUSED(2, "$PQF evaluate $T/ratings.csv --folds 3 --checkpoint $T/x", "\"pqf fit\"");
  REFUSED(1, "$PQF evaluate $T/none.pqf $T/ratings.csv", "none.pqf");
  REFUSED(1, EVALUATE "--exclude $T/none.csv", "none.csv: No such file");
  REFUSED(1, "$PQF evaluate $T/ratings.csv $T/ratings.csv", "ratings.csv");
  REFUSED(1, "$PQF evaluate $T/ratings.csv --folds 100000", "none is held out");
#undef EVALUATE
}

void suite_command_measure(void)
{
  CU_pSuite suite = CU_add_suite("command_measure", NULL, NULL);
  CU_add_test(suite, "split at random, in folds", splits_at_random);
  CU_add_test(suite, "split by rows and by time", splits_rows_and_by_time);
  CU_add_test(suite, "split from and to other formats", splits_other_formats);
  CU_add_test(suite, "wrong splits", refuses_wrong_splits);
  CU_add_test(suite, "evaluate a model", measures_a_model);
  CU_add_test(suite, "what a model does not know is counted", counts_what_a_model_does_not_know);
  CU_add_test(suite, "cross-validation is what it is by hand", cross_validates);
  CU_add_test(suite, "wrong evaluations", refuses_wrong_evaluations);
}
