/* The command and files that were made to do harm: ids that collide, more memory than there is,
 * control characters for the terminal; and command lines that would overwrite their own input. */
#include "test.h"

#include "shell.h"
#include "suites.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ids that agree in the low 40 bits of the hash that the command once had, which anybody could
 * compute: each search then passed all the others, 20 s for these. */
static void colliding_ids_cost_no_more(void)
{
  enum { IDS = 80000, LINE = 32 };
  char *text = test_allocate(IDS, LINE);
  size_t length = 0;
  for (uint64_t n = 0; n < IDS; ++n)
    length += (size_t)snprintf(text + length, LINE, "%" PRId64 ",%d,1\n",
                               (int64_t)(test_unmix(n << 40) - UINT64_C(0x9e3779b97f4a7c15)),
                               (int)(n % 5));
  shell_bytes("colliding.csv", text, length);
  free(text);
  EXPECT(0, "ulimit -t 6; $PQF fit $T/colliding.csv --output $T/m.pqf --epochs 1 --quiet");
}

/* Files for the tests of overwriting: one of each kind that a command reads. */
static void write_inputs(void)
{
  shell_file("in.csv", "1,2,3\n1,3,4\n2,2,5\n2,3,1\n3,2,2\n3,3,3\n");
  shell_file("p.csv", "1,2\n2,3\n3,4\n");
  EXPECT(0, "rm -rf $T/folder; mkdir $T/folder && ln -f $T/in.csv $T/hard.csv && "
            "ln -sf in.csv $T/soft.csv && ln -sf ../in.csv $T/folder/soft.csv && "
            "$PQF fit $T/in.csv --output $T/in.pqf --epochs 4 --checkpoint $T/c.pqf --quiet && "
            "cp $T/c.pqf $T/in.svg && sha256sum $T/in.* $T/c.pqf $T/p.csv > $T/sums");
}

static void refuses_to_overwrite_its_input(void)
{
  static const char *const lines[] = {
      "fit in.csv --output in.csv",
      "fit in.csv --output ./in.csv",
      "fit in.csv --output $T/in.csv",
      "fit ./folder/../in.csv --output in.csv",
      "fit in.csv --output hard.csv",
      "fit in.csv --output soft.csv",
      "fit in.csv --output folder/soft.csv",
      "fit soft.csv --output in.csv",
      "fit in.csv --output new.pqf --history in.csv",
      "fit in.csv --output new.pqf --plot=in.csv",
      "fit in.csv --output new.pqf --checkpoint hard.csv",
      "fit in.csv --output p.csv --validation p.csv",
      "fit in.csv --output p.csv --initial-rows p.csv --initial-cols p.csv",
      "fit in.csv --output new.pqf --from in.pqf --checkpoint in.pqf",
      "fit in.csv --output new.pqf --from in.pqf --history in.pqf",
      "fit in.csv --output c.pqf --resume c.pqf --epochs 9",
      "predict in.pqf --output in.pqf",
      "predict in.pqf --pairs p.csv --output p.csv",
      "predict in.pqf --pairs p.csv --output - >> p.csv",
      "tune in.csv --grid factors=1,2 --output in.csv",
      "split in.csv --output-train in.csv --output-test new.csv",
      "split in.csv --output-train new.csv --output-test hard.csv",
      "info in.pqf --plot in.pqf",
      "info in.svg --plot in.svg",
      /* outputs that are one file, there or not */
      "fit in.csv --output new.pqf --history new.pqf",
      "fit in.csv --output new.pqf --history ./folder/../new.pqf",
      "fit in.csv --output new.pqf --checkpoint $T/new.pqf",
      "fit in.csv --output new.pqf --history new.csv --plot new.csv",
      "split in.csv --output-train new.csv --output-test ./new.csv",
      "split in.csv --output-train - --output-test -",
      /* links to what is not there yet */
      "split in.csv --output-train new.csv --output-test to_new.csv",
      "split in.csv --output-train to_new.csv --output-test new.csv",
      "split in.csv --output-train new.csv --output-test to_link.csv",
      "split in.csv --output-train $T/new.csv --output-test folder/to_new.csv",
      "split in.csv --output-train folder/to_new.csv --output-test to_link.csv",
      "fit in.csv --output new.csv --history to_new.csv",
      "fit in.csv --output new.csv --checkpoint to_link.csv",
  };
  char script[512];
  write_inputs();
  EXPECT(0, "cd $T && ln -sf new.csv to_new.csv && ln -sf to_new.csv to_link.csv && "
            "ln -sf ../to_link.csv folder/to_new.csv");
  for (size_t n = 0; n < sizeof lines / sizeof lines[0]; ++n) {
    (void)snprintf(script, sizeof script, "cd $T && \"$PQF\" %s", lines[n]);
    REFUSED(2, script, "would be overwritten");
  }
  EXPECT(0, "sha256sum --quiet -c $T/sums && cd $T && ls new* 2> ls; test ! -s ls || rm ls");
  PRINTED("");
}

/* Told before the work, which a mistake in the last step would lose. */
static void refuses_names_that_cannot_be(void)
{
  write_inputs();
  REFUSED(2, "cd $T && $PQF fit in.csv --output ''", "--output needs the name of a file");
  REFUSED(2, "cd $T && $PQF fit in.csv --output new.pqf --history ''", "--history needs the name");
  REFUSED(2, "cd $T && $PQF fit in.csv --output new.pqf --validation ''", "--validation needs");
  REFUSED(2, "cd $T && $PQF predict in.pqf --output ''", "--output needs the name of a file");
  REFUSED(2, "cd $T && $PQF fit in.csv --output -", "a model cannot go to standard output");
  REFUSED(2, "cd $T && $PQF tune in.csv --grid factors=1,2 --output -", "a model cannot go to");
  EXPECT(0, "cd $T && test ! -e ./- && $PQF fit in.csv --output ./- --epochs 1 --quiet && "
            "$PQF info ./- > said && rm ./-");
  EXPECT(0, "cd $T && ln -sf loop_a.csv loop_b.csv && ln -sf loop_b.csv loop_a.csv");
  REFUSED(2, "cd $T && $PQF split in.csv --output-train loop_a.csv --output-test new.csv",
          "--output-train loop_a.csv is a symbolic link that loops");
  /* one that leads to nothing is no error by itself */
  EXPECT(0, "cd $T && ln -sf nothing.csv to_nothing.csv && $PQF split in.csv --output-train "
            "to_nothing.csv --output-test other.csv && test -s to_nothing.csv -a -s other.csv");
}

/* What goes on from itself may replace itself; devices may be given twice. */
static void allows_updates_in_place(void)
{
  write_inputs();
  EXPECT(0, "cd $T && $PQF fit in.csv --from in.pqf --output in.pqf --epochs 2 --quiet && "
            "$PQF info in.pqf");
  PRINTED_PART("training    2 epochs");
  EXPECT(0, "cd $T && $PQF fit in.csv --resume c.pqf --checkpoint ./c.pqf --output r.pqf "
            "--epochs 9 --quiet && $PQF info c.pqf");
  PRINTED_PART("checkpoint  of epoch 9");
  EXPECT(0, "cd $T && $PQF fit in.csv --output r.pqf --history /dev/null --plot /dev/null --epochs "
            "2 --quiet");
  EXPECT(0, "cd $T && $PQF evaluate in.pqf in.csv --exclude in.csv > /dev/null");
}

/* A line of the file says how large the matrix is. */
static void a_small_file_takes_little_memory(void)
{
  shell_file("huge.mtx", "%%MatrixMarket matrix coordinate real general\n"
                         "30000000 30000000 1\n1 1 1\n");
  REFUSED(1, "$PQF fit $T/huge.mtx --output $T/x.pqf --memory-limit 1000000",
          "huge.mtx: building the data would take 480000044 bytes: memory_limit is 1000000; "
          "--memory-limit N allows N, --memory-limit 0 any");
  REFUSED(1, "ulimit -t 60; $PQF fit $T/huge.mtx --output $T/x.pqf",
          "the fit would take 1"); /* 12 GB */
  ERROR_PART(" may be taken; --memory-limit N allows N, --memory-limit 0 any");
  REFUSED(1, "$PQF tune $T/huge.mtx --grid factors=1,2 --memory-limit 1000",
          "building the data would take 480000044 bytes");
  EXPECT(0, "test ! -e $T/x.pqf");
  shell_file("few.csv", "1,2,3\n1,3,4\n2,2,5\n");
  EXPECT(0, "$PQF fit $T/few.csv --output $T/m.pqf --quiet --epochs 2 --memory-limit 0");
  REFUSED(1, "$PQF fit $T/few.csv --output $T/x.pqf --memory-limit 99", "would take 132 bytes");
  EXPECT(0, "$PQF evaluate $T/m.pqf $T/few.csv --memory-limit 100000 > /dev/null");
  REFUSED(1, "$PQF evaluate $T/m.pqf $T/few.csv --memory-limit 99", "would take 132 bytes");
  REFUSED(2,
          "$PQF split $T/few.csv --output-train $T/1.csv --output-test $T/2.csv "
          "--memory-limit much",
          "--memory-limit is a whole number");
  if (shell_has_parquet())
    REFUSED(1, "$PQF fit $D/long.parquet --output $T/x.pqf --memory-limit 99",
            "--memory-limit N allows N");
}

/* The least memory in which the command's libraries can be loaded is not known here: whatever the
 * limit, a failure has status 1, not that of an abort. */
static void little_memory_is_no_abort(void)
{
  if (TEST_UNDER_SANITIZER || !shell_has_parquet())
    return; /* sanitizers map terabytes */
  EXPECT(0, "$PQF fit $D/long.parquet --output $T/l.pqf --epochs 2 --quiet");
  EXPECT(0, "cd $T && ulimit -c 0; for kilobytes in $(seq 98000 1000 112000); do for line in "
            "\"evaluate l.pqf $D/long.parquet\" \"fit $D/long.parquet --output o.pqf --epochs 2\" "
            "\"predict l.pqf --output o.parquet\" "
            "\"predict l.pqf --pairs $D/pairs.parquet --output o.parquet\"; do "
            "(ulimit -v $kilobytes; exec $PQF $line) > said 2>&1; code=$?; "
            "case $code in 0|1|127) ;; *) echo $kilobytes $line: $code;; esac; done; done");
  PRINTED("");
}

/* Reading ends long before the file does. */
static void bombs_end_early(void)
{
  /* the damage behind the first megabyte is never seen */
  EXPECT(0, "head -c 3000000 /dev/zero | gzip -9 | head -c 2000 > $T/zeros.csv.gz");
  REFUSED(1, "$PQF fit $T/zeros.csv.gz --output $T/x.pqf", "zeros.csv.gz:1: a zero byte");
  EXPECT(0, "{ echo 1,2,3; head -c 3000000 /dev/zero; } | gzip -9 | head -c 2000 > "
            "$T/later.csv.gz");
  REFUSED(1, "$PQF fit $T/later.csv.gz --output $T/x.pqf", "later.csv.gz:2: a zero byte");
  EXPECT(0, "head -c 300000000 /dev/zero | tr '\\0' ' ' | gzip -1 > $T/blanks.csv.gz");
  REFUSED(1, "$PQF fit $T/blanks.csv.gz --output $T/x.pqf",
          "blanks.csv.gz:1: a line of more than 268435456 bytes");
  EXPECT(0, "rm $T/blanks.csv.gz");
}

/* Where text from files or the command line is shown. ESC [ 31 m is red; U+009B is ESC [ too, and
 * U+202E turns what follows around. */
static void terminals_obey_no_file(void)
{
#define RED                                                                                        \
  "\x1b[31m\xc2\x9b"                                                                               \
  "1m\xe2\x80\xae"
#define SHOWN "\\x1b[31m\\u009b1m\\u202e"
  const char *const red = RED;
  shell_file("red", red);
  shell_file("red.csv", "who,what,value\na" RED ",x,1\nb,y" RED ",2\nc,x,3\n");
  shell_file("pairs.csv", "a,x\nd" RED ",x\n");
  shell_file("head.csv", "who,what" RED ",value\n1,2,3\n1,2\n");
  EXPECT(0, "$PQF fit $T/red.csv --output $T/red.pqf --epochs 2 --quiet");
  REFUSED(1, "$PQF predict $T/red.pqf --pairs $T/pairs.csv --header no --output $T/x.csv",
          "the id \"a\"");
  shell_file("pairs.csv", "d" RED ",x\n");
  REFUSED(1, "$PQF predict $T/red.pqf --pairs $T/pairs.csv --header no --output $T/x.csv",
          "the id \"d" SHOWN "\"");
  shell_file("word.csv", "a,b,1\na,c,b" RED "\n");
  REFUSED(1, "$PQF fit $T/word.csv --output $T/x.pqf", "(\"b" SHOWN "\") is no number");
  shell_file("red.mtx", "%%MatrixMarket matrix coordinate real " RED "\n");
  REFUSED(1, "$PQF fit $T/red.mtx --output $T/x.pqf", SHOWN "\" is not supported");
  REFUSED(1, "$PQF fit \"$T/$(cat $T/red)\" --output $T/x.pqf", SHOWN ": No such file");
  REFUSED(1, "$PQF info \"$T/$(cat $T/red)\"", SHOWN);
  REFUSED(2, "$PQF \"fit$(cat $T/red)\"", SHOWN);
  REFUSED(2, "$PQF fit \"--out$(cat $T/red)\" x", SHOWN);
  REFUSED(2, "$PQF help \"$(cat $T/red)\"", SHOWN);
  REFUSED(2, "$PQF fit $T/red.csv --output $T/x.pqf --solver \"$(cat $T/red)\"", SHOWN);
  REFUSED(2, "$PQF fit $T/red.csv --output $T/x.pqf --backend \"$(cat $T/red)\"", SHOWN);
  REFUSED(1, "$PQF fit $T/red.csv --output $T/x.pqf --value \"$(cat $T/red)\"", SHOWN);
  EXPECT(0, "$PQF tune $T/red.csv --grid factors=1,2 --fraction 0.4 --quiet "
            "--output \"$T/o$(cat $T/red)\" | tail -n 1");
  PRINTED_PART("/o" SHOWN ": the model");
}

/* What is written to files and pipes is the ids themselves; a terminal is shown what they are. */
static void csv_is_escaped_on_a_terminal(void)
{
  shell_file("red.csv", "who,what,value\na" RED ",x,1\nb,\"y\"\"" RED "\",2\nc,x,3\n");
  EXPECT(0, "$PQF fit $T/red.csv --output $T/red.pqf --epochs 2 --quiet && "
            "$PQF predict $T/red.pqf --output - | cut -d, -f1,3 | head -n 2 | "
            "sed 's/,[-0-9.]*$/,/'");
  PRINTED(",\"y\"\"" RED "\"\na" RED ",\n");
  EXPECT(0, "command=\"$PQF predict $T/red.pqf --output -\"; script -qec \"$command\" /dev/null | "
            "tr -d '\\r' | cut -d, -f1,3 | head -n 2 | sed 's/,[-0-9.]*$/,/'");
  PRINTED(",\"y\"\"" SHOWN "\"\na" SHOWN ",\n");
  EXPECT(0, "command=\"$PQF info $T/red.pqf --json\"; script -qec \"$command\" /dev/null | "
            "grep -c option");
}

void suite_command_hostile(void)
{
  CU_pSuite suite = CU_add_suite("the command and hostile files", NULL, NULL);
  CU_add_test(suite, "ids that collide on purpose cost no more", colliding_ids_cost_no_more);
  CU_add_test(suite, "a small file takes little memory", a_small_file_takes_little_memory);
  CU_add_test(suite, "little memory is no abort", little_memory_is_no_abort);
  CU_add_test(suite, "compressed bombs end early", bombs_end_early);
  CU_add_test(suite, "terminals obey no file", terminals_obey_no_file);
  CU_add_test(suite, "CSV is escaped on a terminal", csv_is_escaped_on_a_terminal);
  CU_add_test(suite, "an input is not overwritten", refuses_to_overwrite_its_input);
  CU_add_test(suite, "names that cannot be", refuses_names_that_cannot_be);
  CU_add_test(suite, "a model may be updated in place", allows_updates_in_place);
}
