/* What is told of a fit: plots of how it went, progress, and what `pqf info` says of it. */
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
  CU_add_test(suite, "plots", draws_plots);
  CU_add_test(suite, "info tells of what was trained", tells_of_what_als_adds);
  CU_add_test(suite, "progress says which fit it is", shows_labels_on_a_terminal);
}
