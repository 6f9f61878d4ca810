/* What `pqf fit` has for long and repeated training: presets, models and checkpoints to start from,
 * signals, cells given twice, and plots of how it went. */
#include "test.h"

#include "pqf.h"
#include "shell.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALS "--solver als --objective observed --factors 2 --regularization 0.3 --quiet"

static void write_ratings(void)
{
  EXPECT(0, "awk 'BEGIN { for (u = 0; u < 60; ++u) for (i = 0; i < 40; ++i) "
            "if ((7 * u + 5 * i) % 3 == 0) printf \"u%02d,%d,%.3f\\n\", u, i + 100, "
            "3 + sin(u) * cos(3 * i) + cos(u) * sin(5 * i) }' > $T/ratings.csv && "
            "awk 'NR % 9 == 0' $T/ratings.csv > $T/held.csv && "
            "awk 'NR % 9 != 0' $T/ratings.csv > $T/train.csv");
}

static void takes_presets(void)
{
  write_ratings();
  EXPECT(0, "$PQF fit $T/ratings.csv --output $T/m.pqf --preset ratings --quiet --epochs 3 && "
            "$PQF info $T/m.pqf | grep -E '^  (solver|objective|epochs) '");
  PRINTED("  epochs                  3\n  solver                  als\n"
          "  objective               observed\n");
  /* wherever it stands, what is given comes after it */
  EXPECT(0, "$PQF fit $T/ratings.csv --output $T/m.pqf --epochs 2 --factors 5 --preset clicks "
            "--quiet && $PQF info $T/m.pqf | grep -E '^  (solver|objective|epochs|factors) '");
  PRINTED("  epochs                  2\n  factors                 5\n"
          "  solver                  als\n  objective               implicit\n");
  EXPECT(0, "$PQF fit $D/golden/notebook_k3_seed0/R.csv --output $T/m.pqf --preset notebook "
            "--factors 3 --seed 0 --epochs 10000");
  PRINTED("Early stopping at epoch 97 with loss 10.9554\n");
  REFUSED(2, "$PQF fit $T/ratings.csv --output $T/x.pqf --preset films", "films");
  EXPECT(0, "$PQF tune $T/ratings.csv --preset clicks --grid epochs=1,2 --quiet > $T/said && "
            "head -n 1 $T/said");
  PRINTED_PART("ndcg@10");
  EXPECT(0, "$PQF evaluate $T/ratings.csv --preset ratings --epochs 2 --folds 2 --quiet");
}

static void starts_from_a_model(void)
{
  write_ratings();
  /* 3 epochs, then 2 more from there: the same factors as 5 at once */
  EXPECT(0, "$PQF fit $T/ratings.csv --output $T/5.pqf --epochs 5 --patience 0 " ALS " && "
            "$PQF fit $T/ratings.csv --output $T/3.pqf --epochs 3 --patience 0 " ALS " && "
            "$PQF fit $T/ratings.csv --output $T/2.pqf --from $T/3.pqf --epochs 2 --quiet && "
            "for n in 5 2; do $PQF predict $T/$n.pqf --output $T/$n.csv; done && "
            "cmp $T/5.csv $T/2.csv && $PQF info $T/2.pqf | grep -E '^  (init|factors|epochs) '");
  PRINTED("  epochs                  2\n  factors                 2\n"
          "  init                    model\n");
  EXPECT(0, "$PQF fit $T/ratings.csv --output $T/4.pqf --from $T/3.pqf --init model --epochs 2 "
            "--quiet && $PQF predict $T/4.pqf --output - | cmp - $T/5.csv");
  /* with a preset the options are those of the command line alone */
  EXPECT(0, "$PQF fit $T/ratings.csv --output $T/4.pqf --from $T/3.pqf --preset ratings "
            "--factors 2 --epochs 2 --quiet && $PQF info $T/4.pqf | grep -c ' patience  *0$' || "
            "true");
  PRINTED("0\n");
#define FIT "$PQF fit $T/ratings.csv --output $T/x.pqf "
  REFUSED(2, FIT "--init model", "--from MODEL");
  REFUSED(2, FIT "--from $T/3.pqf --init normal", "--init is model");
  REFUSED(2, FIT "--from $T/3.pqf --resume $T/3.pqf", "one of");
  REFUSED(2, FIT "--from $T/3.pqf --initial-rows a --initial-cols b", "one of");
  REFUSED(1, FIT "--from $T/none.pqf", "none.pqf");
  REFUSED(1, FIT "--from $T/ratings.csv", "ratings.csv");
  REFUSED(1, FIT "--from $T/3.pqf --factors 7 --quiet", "factors");
  EXPECT(0, "test ! -e $T/x.pqf");
#undef FIT
}

/* Users 0 to 9, whose ids a model leaves out, then 0 to 10 without 3. A step of 1e-30 changes
 * nothing. */
static void starts_from_a_models_ids(void)
{
  EXPECT(0,
         "for u in 0 1 2 3 4 5 6 7 8 9; do for i in 0 1 2; do echo \"$u,$i,1\"; done; done "
         "> $T/ten.csv && for u in 0 1 2 4 5 6 7 8 9 10; do for i in 0 1 2; do "
         "echo \"$u,$i,1\"; done; done > $T/other.csv; "
         "$PQF fit $T/ten.csv --layout long --output $T/ten.pqf --epochs 1 --learning-rate 1e-30 "
         "--quiet && $PQF fit $T/other.csv --layout long --output $T/other.pqf "
         "--from $T/ten.pqf --seed 5 --quiet && "
         "grep -v '^10,' $T/other.csv | cut -d, -f1-2 > $T/pairs.csv && for m in ten other; do "
         "$PQF predict $T/$m.pqf --pairs $T/pairs.csv --output $T/$m-out.csv; done && "
         "cmp $T/ten-out.csv $T/other-out.csv && wc -l < $T/ten-out.csv");
  PRINTED("27\n");
}

static void resumes_from_a_checkpoint(void)
{
  write_ratings();
#define FIT "$PQF fit $T/train.csv --validation $T/held.csv --epochs 9 --patience 0 " ALS " "
  EXPECT(0, FIT "--output $T/whole.pqf && $PQF predict $T/whole.pqf --output $T/whole.csv && " FIT
                "--output $T/half.pqf --epochs 4 --checkpoint $T/c.pqf --checkpoint-every 2 && "
                "$PQF info $T/c.pqf");
  PRINTED_PART("checkpoint  of epoch 4; pqf fit --resume goes on with it\n");
  /* the same command, and by the options of the checkpoint */
  EXPECT(0, "cp $T/c.pqf $T/d.pqf && " FIT "--output $T/r.pqf --resume $T/c.pqf && "
            "$PQF predict $T/r.pqf --output - | cmp - $T/whole.csv && "
            "$PQF fit $T/train.csv --validation $T/held.csv --output $T/r.pqf --resume $T/d.pqf "
            "--epochs 9 --history $T/h.csv --quiet && "
            "$PQF predict $T/r.pqf --output - | cmp - $T/whole.csv && wc -l < $T/h.csv");
  PRINTED("10\n");
  REFUSED(1, "$PQF fit $T/train.csv --output $T/x.pqf --resume $T/whole.pqf --quiet", "checkpoint");
  REFUSED(1, "$PQF fit $T/ratings.csv --output $T/x.pqf --resume $T/d.pqf --quiet", "data");
  REFUSED(1, FIT "--output $T/x.pqf --checkpoint $T/no/c.pqf", "No such file");
  REFUSED(2, FIT "--output $T/x.pqf --checkpoint-every -1", "checkpoint_every");
#undef FIT
}

/* The signal comes in the midst of many epochs; the fit that was interrupted and resumed ends as
 * the one that was not. */
static void says_how_to_go_on(void)
{
  write_ratings();
#define FIT                                                                                        \
  "$PQF fit $T/ratings.csv --objective observed --learning-rate 1e-3 --patience 0 --factors 4 "
  EXPECT(0, "rm -rf $T/i; mkdir $T/i; : > $T/lines; env --default-signal=INT " FIT
            "--output $T/i/m.pqf --epochs 1000000000 --checkpoint $T/i/c.pqf --checkpoint-every 50 "
            "> $T/lines 2> $T/words & "
            "until grep -q Epoch $T/lines; do kill -0 $! || exit 9; sleep 0.02; done; "
            "kill -INT $!; wait $!; test $? = 130 && cat $T/words && ls $T/i");
  PRINTED_PART("pqf: interrupted at epoch ");
  PRINTED_PART("to go on, give the same command with --resume ");
  PRINTED_PART("\nc.pqf\nm.pqf\n");
  EXPECT(0, "at=$($PQF info $T/i/c.pqf | sed -n 's/^training *\\([0-9]*\\).*/\\1/p') && "
            "all=$((at + 20)) && " FIT "--epochs $all --output $T/w.pqf --quiet && " FIT
            "--epochs $all --output $T/r.pqf --resume $T/i/c.pqf --quiet && "
            "$PQF predict $T/w.pqf --output $T/w.csv && $PQF predict $T/r.pqf --output - | "
            "cmp - $T/w.csv");
#undef FIT
}

static void takes_cells_given_twice(void)
{
  shell_file("twice.csv", "ann,book,1\nbob,book,2\nann,lamp,3\nbob,lamp,1\nann,book,4\n");
  shell_file("sum.csv", "ann,book,5\nbob,book,2\nann,lamp,3\nbob,lamp,1\n");
  shell_file("last.csv", "ann,book,4\nbob,book,2\nann,lamp,3\nbob,lamp,1\n");
#define FIT "$PQF fit $T/twice.csv --epochs 3 --quiet --objective observed "
  REFUSED(1, FIT "--output $T/x.pqf", "twice.csv: ");
  REFUSED(1, FIT "--output $T/x.pqf --duplicates error", "twice.csv: ");
  REFUSED(2, FIT "--output $T/x.pqf --duplicates first", "error, sum or last");
  EXPECT(0, "for kind in sum last; do " FIT "--output $T/1.pqf --duplicates $kind && "
            "$PQF fit $T/$kind.csv --epochs 3 --quiet --objective observed --output $T/2.pqf && "
            "$PQF predict $T/1.pqf --output $T/1.csv && $PQF predict $T/2.pqf --output - | "
            "cmp - $T/1.csv || exit 9; done");
#undef FIT
  if (!shell_has_parquet())
    return;
  EXPECT(0, "$PQF split $T/twice.csv --fraction 0 --output-train $T/twice.parquet --output-test "
            "$T/empty.csv > $T/said && $PQF fit $T/twice.parquet --epochs 3 --quiet --objective "
            "observed --duplicates last --output $T/1.pqf && "
            "$PQF predict $T/1.pqf --output - | cmp - $T/1.csv");
}

/* Checks a plot by tests/plot_check.py, where there is a Python. */
static void check_plot(const char *plot, const char *history)
{
  char script[256];
  snprintf(script, sizeof script,
           "test -x '" TEST_PYTHON "' || exit 0; '" TEST_PYTHON "' '" TEST_SOURCE
           "/tests/plot_check.py' $T/%s $T/%s",
           plot, history);
  EXPECT(0, script);
}

static void draws_plots(void)
{
  write_ratings();
  EXPECT(0, "$PQF fit $T/train.csv --validation $T/held.csv --output $T/m.pqf --epochs 12 "
            "--plot $T/p.svg --history $T/h.csv " ALS " && "
            "$PQF info $T/m.pqf --plot $T/again.svg > $T/said && cmp $T/p.svg $T/again.svg && "
            "grep -c 'prefers-color-scheme: dark' $T/p.svg");
  PRINTED("1\n");
  check_plot("p.svg", "h.csv");
  /* one curve; a loss over powers of ten; one epoch */
  EXPECT(0, "$PQF fit $T/train.csv --output $T/m.pqf --epochs 40 --plot $T/p.svg "
            "--history $T/h.csv --objective observed --learning-rate 0.003 --quiet --patience 0 "
            "--init-scale 3 --regularization 0");
  check_plot("p.svg", "h.csv");
  EXPECT(0, "$PQF fit $T/train.csv --output $T/m.pqf --epochs 1 --plot $T/p.svg "
            "--history $T/h.csv --quiet");
  check_plot("p.svg", "h.csv");
  /* of a long fit each n-th epoch, and the last */
  EXPECT(0, "$PQF fit $T/train.csv --output $T/m.pqf --epochs 2500 --patience 0 --learning-rate "
            "1e-5 --plot $T/p.svg "
            "--quiet && sed -n 's/.*points=\"\\(.*\\)\".*/\\1/p' $T/p.svg | wc -w");
  PRINTED("834\n");
  REFUSED(1, "$PQF info $T/m.pqf --plot $T/no/p.svg > $T/said", "No such file");
  REFUSED(1, "$PQF fit $T/train.csv --output $T/x.pqf --plot $T/no/p.svg", "No such file");
  EXPECT(0, "test ! -e $T/x.pqf");
}

static void tells_of_what_als_adds(void)
{
  write_ratings();
  EXPECT(0, "$PQF fit $T/train.csv --validation $T/held.csv --output $T/m.pqf --epochs 3 " ALS
            " && $PQF info $T/m.pqf");
  PRINTED_PART("\nmean        2.99");
  PRINTED_PART("\nbiases      both\n");
  PRINTED_PART("\nparts       observed ");
  PRINTED_PART("\nvalidation  ");
  PRINTED_PART("(of validation, epoch ");
  EXPECT(0, "$PQF info $T/m.pqf --json | grep -cE "
            "'\"(mean|biases|observed|unobserved|regularization|validation_loss)\": '");
  PRINTED("9\n");
}

static void shows_labels_on_a_terminal(void)
{
  write_ratings();
  EXPECT(0, "command=\"$PQF evaluate $T/ratings.csv --folds 2 --objective observed --epochs 30 "
            "--learning-rate 1e-3\"; "
            "script -qec \"$command\" /dev/null | tr '\\r' '\\n' > $T/terminal && "
            "grep -q '^fold 2/2 .*% \\[.*\\] loss .*, epoch .*/30, at most .* left' $T/terminal");
  EXPECT(0, "command=\"$PQF fit $T/train.csv --validation $T/held.csv --output $T/m.pqf "
            "--objective observed --epochs 30 --learning-rate 1e-3\"; "
            "script -qec \"$command\" /dev/null | tr '\\r' '\\n' > $T/terminal && "
            "grep -q ', validation ' $T/terminal");
}

void suite_command_train(void)
{
  CU_pSuite suite = CU_add_suite("command_train", NULL, NULL);
  CU_add_test(suite, "presets", takes_presets);
  CU_add_test(suite, "a model to start from", starts_from_a_model);
  CU_add_test(suite, "a model to start from, by ids that it left out", starts_from_a_models_ids);
  CU_add_test(suite, "a checkpoint to resume", resumes_from_a_checkpoint);
  CU_add_test(suite, "an interrupted fit says how to go on", says_how_to_go_on);
  CU_add_test(suite, "cells given twice", takes_cells_given_twice);
  CU_add_test(suite, "plots", draws_plots);
  CU_add_test(suite, "info tells of what was trained", tells_of_what_als_adds);
  CU_add_test(suite, "progress says which fit it is", shows_labels_on_a_terminal);
}
