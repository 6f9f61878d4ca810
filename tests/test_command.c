/* The command from the outside: what it prints, its exit codes, its words, the files that it leaves
 * and those that it does not. Formats have a suite of their own. */
#include "test.h"

#include "model_files.h"
#include "pqf.h"
#include "shell.h"
#include "suites.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The notebook's run: data, options. */
#define MATRIX "$T/matrix.csv"
#define NOTEBOOK "--factors 3 --epochs 10000 --update notebook --init torch --seed 0"

static void write_inputs(void)
{
  shell_file("matrix.csv",
             "4.5,2.3,0,1.2\n4.6,0,0,1.25\n1,1.2,0,5.6\n1.8,0,0,4.3\n0,1.4,5.32,4.3\n");
  shell_file("cells.csv", "ann,book,4.5\nann,lamp,2.3\nbob,book,4.6\nbob,vase,1.25\ncem,lamp,1.2\n"
                          "cem,vase,5.6\n");
}

static void prints_the_notebooks_lines(void)
{
  write_inputs();
  EXPECT(0, "$PQF fit " MATRIX " --output $T/m.pqf " NOTEBOOK);
  PRINTED("Early stopping at epoch 97 with loss 10.9554\n");
  EXPECT(0, "$PQF fit " MATRIX " --output $T/m.pqf " NOTEBOOK " --patience 0 --epochs=250");
  PRINTED_PART("Epoch [100/250], Loss: 10.9554\nEpoch [200/250], Loss: ");
  EXPECT(0, "$PQF fit " MATRIX " --output $T/m.pqf " NOTEBOOK " --quiet");
  PRINTED("");
  if (!shell_has_parquet())
    return;
  EXPECT(0, "$PQF fit $D/matrix.parquet.gzip --output $T/m.pqf " NOTEBOOK);
  PRINTED("Early stopping at epoch 97 with loss 10.9554\n");
}

static void writes_the_history(void)
{
  write_inputs();
  EXPECT(0, "$PQF fit " MATRIX " --output $T/m.pqf " NOTEBOOK " --history $T/h.csv --quiet && "
            "wc -l < $T/h.csv && head -n 1 $T/h.csv && tail -n 1 $T/h.csv | cut -c1-10");
  PRINTED("98\nepoch,loss,validation_loss,seconds\n97,10.9553\n");
  EXPECT(0, "tail -n +2 $T/h.csv | cut -d, -f3 | sort -u");
  PRINTED("\n");
  EXPECT(0, "$PQF fit " MATRIX " --output $T/m.pqf --validation " MATRIX
            " --epochs 3 --history $T/h.csv && cut -d, -f3 $T/h.csv | grep -c '^[0-9]'");
  PRINTED("3\n");
}

static void shows_progress_on_a_terminal(void)
{
  write_inputs();
  /* script(1) gives the command a terminal */
  EXPECT(0, "command=\"$PQF fit " MATRIX " --output $T/m.pqf " NOTEBOOK "\"; "
            "script -qec \"$command\" /dev/null | tr '\\r' '\\n' > $T/terminal && "
            "grep -q '% \\[.*\\] loss .*left' $T/terminal && "
            "grep -q 'Early stopping at epoch 97' $T/terminal");
}

static void refuses_wrong_command_lines(void)
{
  write_inputs();
  REFUSED(2, "$PQF", "no command");
  REFUSED(2, "$PQF fits", "did you mean \"fit\"?");
  REFUSED(2, "$PQF recommend", "\"pqf help\" lists them");
  REFUSED(2, "$PQF help fti", "did you mean \"fit\"?");
  REFUSED(2, "$PQF fit", "INPUT is missing");
  REFUSED(2, "$PQF fit " MATRIX, "--output");
  REFUSED(2, "$PQF fit " MATRIX " --output", "--output needs a value");
  REFUSED(2, "$PQF fit " MATRIX " more --output $T/x.pqf", "\"more\"");
  REFUSED(2, "$PQF fit " MATRIX " -o $T/x.pqf", "-o");
  REFUSED(2, "$PQF fit " MATRIX " --output $T/x.pqf --factor 3", "did you mean --factors?");
  REFUSED(2, "$PQF fit " MATRIX " --output $T/x.pqf --learning_rate 3",
          "did you mean --learning-rate?");
  REFUSED(2, "$PQF fit " MATRIX " --output $T/x.pqf --histroy h", "did you mean --history?");
  REFUSED(2, "$PQF fit " MATRIX " --output $T/x.pqf --something-else 1", "\"pqf help fit\"");
  REFUSED(2, "$PQF fit " MATRIX " --output $T/x.pqf --quiet=yes", "--quiet takes no value");
  REFUSED(2, "$PQF fit " MATRIX " --output $T/x.pqf --factors 0", "factors");
  REFUSED(2, "$PQF fit " MATRIX " --output $T/x.pqf --factors 100000", "100000");
  REFUSED(2, "$PQF fit " MATRIX " --output $T/x.pqf --factors three", "three");
  REFUSED(2, "$PQF fit " MATRIX " --output $T/x.pqf --learning-rate 0", "learning_rate");
  REFUSED(2, "$PQF fit " MATRIX " --output $T/x.pqf --learning-rate -1", "learning_rate");
  REFUSED(2, "$PQF fit " MATRIX " --output $T/x.pqf --learning-rate nan", "learning_rate");
  REFUSED(2, "$PQF fit " MATRIX " --output $T/x.pqf --init norm", "norm");
  REFUSED(2, "$PQF fit " MATRIX " --output $T/x.pqf --init given", "--initial-rows");
  REFUSED(2, "$PQF fit " MATRIX " --output $T/x.pqf --initial-rows a.csv", "go together");
  REFUSED(2, "$PQF fit " MATRIX " --output $T/x.pqf --layout tall", "wide or long");
  REFUSED(2, "$PQF fit " MATRIX " --output $T/x.pqf --header maybe", "yes or no");
  REFUSED(2, "$PQF fit " MATRIX " --output $T/x.pqf --layout wide --value v", "long table");
  REFUSED(2, "$PQF fit " MATRIX " --output $T/x.pqf --header no --row u", "header");
  REFUSED(2, "$PQF predict $T/m.pqf", "--output");
  REFUSED(2, "$PQF predict $T/m.pqf --output $T/x.txt", ".csv");
  REFUSED(2, "$PQF info", "MODEL is missing");
  REFUSED(2, "$PQF backends cpu", "\"cpu\"");
  EXPECT(0, "test ! -e $T/x.pqf");
}

static void tells_what_failed(void)
{
  write_inputs();
  REFUSED(1, "$PQF fit " MATRIX " --output $T/x.pqf --backend abacus", "abacus");
  REFUSED(1, "$PQF fit " MATRIX " --output $T/x.pqf --learning-rate 10", "epoch");
  REFUSED(1, "$PQF fit " MATRIX " --output $T/no/x.pqf", "No such file or directory");
  REFUSED(1, "$PQF fit " MATRIX " --output $T", "Is a directory");
  REFUSED(1, "$PQF fit " MATRIX " --output $T/x.pqf --history $T/no/h.csv", "h.csv: No such file");
  REFUSED(1, "$PQF info " MATRIX, "matrix.csv");
  REFUSED(1, "$PQF info $T/nothing.pqf", "nothing.pqf");
  REFUSED(1, "$PQF predict $T/nothing.pqf --output $T/x.csv", "nothing.pqf");
  EXPECT(0, "ls $T | grep -c '^x' || true");
  PRINTED("0\n");
}

#define TEXT_OF(number) #number
#define VERSION_TEXT(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

static void helps(void)
{
  EXPECT(0, "$PQF --version");
  PRINTED("pqf " VERSION_TEXT(PQF_VERSION_MAJOR, PQF_VERSION_MINOR, PQF_VERSION_PATCH) "\n");
  EXPECT(0, "$PQF help");
  PRINTED_PART("predict");
  EXPECT(0, "$PQF help > $T/help && $PQF --help | cmp - $T/help && $PQF -h | cmp - $T/help");
  EXPECT(0, "$PQF help fit > $T/help && $PQF fit --help | cmp - $T/help");
  EXPECT(0, "for command in fit predict evaluate tune split info backends help; do $PQF help "
            "$command; done | "
            "awk 'length > 79' | wc -l");
  PRINTED("0\n");
  EXPECT(0, "$PQF backends");
  PRINTED_PART("cpu      usable: ");
}

/* Every option of the library and every flag is in the help and in the manual page. */
static void documents_every_flag(void)
{
  char flag[64], item[128];
  EXPECT(0, "$PQF help fit");
  char *help = strdup(shell_output());
  EXPECT(0, "cat " TEST_SOURCE "/docs/man/pqf.1");
  for (int32_t n = 0; n < pqf_option_count(); ++n) {
    pqf_option option = {.size = sizeof option};
    CU_ASSERT_EQUAL_FATAL(pqf_option_info(n, &option), PQF_OK);
    (void)snprintf(flag, sizeof flag, "--%s ", option.name);
    for (char *at = flag; *at != '\0'; ++at)
      *at = *at == '_' ? '-' : *at;
    CU_ASSERT_PTR_NOT_NULL(strstr(help, flag));
    (void)snprintf(item, sizeof item, ".It Fl %s", flag + 1);
    PRINTED_PART(item);
  }
  free(help);
  EXPECT(
      0,
      "for command in fit predict evaluate tune split info backends; do $PQF help $command; done | "
      "sed -n 's/^  --\\([a-z-]*\\).*/\\1/p' | while read -r flag; do "
      "grep -q -e \"^\\.It Fl -$flag\" " TEST_SOURCE "/docs/man/pqf.1 || echo \"$flag\"; done");
  PRINTED("");
}

static void tells_of_a_model(void)
{
  write_inputs();
  EXPECT(0, "$PQF fit $T/cells.csv --output $T/i.pqf --factors 3 --epochs 7 --seed 5 --quiet && "
            "$PQF info $T/i.pqf --verify");
  PRINTED_PART("rows        3\ncolumns     3\nfactors     3\nrow ids     texts\n");
  PRINTED_PART("7 epochs in ");
  EXPECT(0, "$PQF info $T/i.pqf --verify --json");
  json_t *root = json_loads(shell_output(), 0, NULL);
  json_t *training = json_object_get(root, "training");
  json_t *options = json_object_get(root, "options");
  CU_ASSERT_EQUAL(json_integer_value(json_object_get(root, "rows")), 3);
  CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(root, "col_ids")), "texts");
  CU_ASSERT_TRUE(json_is_true(json_object_get(root, "verified")));
  CU_ASSERT_EQUAL(json_integer_value(json_object_get(training, "epochs")), 7);
  CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(training, "ended_by")), "epochs");
  CU_ASSERT_EQUAL(json_integer_value(json_object_get(options, "seed")), 5);
  CU_ASSERT_DOUBLE_EQUAL(json_real_value(json_object_get(options, "learning_rate")), 0.01, 1e-12);
  json_decref(root);
  /* the last byte is one of the tensors' */
  EXPECT(0, "head -c -1 $T/i.pqf > $T/bent.pqf && printf '\\001' >> $T/bent.pqf");
  EXPECT(0, "$PQF info $T/bent.pqf");
  REFUSED(1, "$PQF info $T/bent.pqf --verify", "bent.pqf");
}

/* Each command but info looks at all of a model before it uses it. */
static void refuses_a_damaged_model(void)
{
  write_inputs();
  shell_file("pairs.csv", "ann,book\n");
  EXPECT(0, "$PQF fit $T/cells.csv --output $T/d.pqf --factors 3 --epochs 7 --quiet "
            "--checkpoint $T/d.checkpoint && for name in d.pqf d.checkpoint; do "
            "head -c -1 $T/$name > $T/bent-$name && printf '\\001' >> $T/bent-$name; done");
  REFUSED(1, "$PQF predict $T/bent-d.pqf --output $T/x.csv", "bent-d.pqf: its tensors are damaged");
  REFUSED(1, "$PQF predict $T/bent-d.pqf --pairs $T/pairs.csv --output $T/x.csv", "damaged");
  REFUSED(1, "$PQF evaluate $T/bent-d.pqf $T/cells.csv", "its tensors are damaged");
  REFUSED(1, "$PQF fit $T/cells.csv --from $T/bent-d.pqf --output $T/x.pqf", "are damaged");
  REFUSED(1, "$PQF fit $T/cells.csv --resume $T/bent-d.checkpoint --epochs 9 --output $T/x.pqf",
          "bent-d.checkpoint: its tensors are damaged");
  EXPECT(0, "$PQF fit $T/cells.csv --resume $T/d.checkpoint --epochs 9 --output $T/d.pqf --quiet");
  EXPECT(0, "ls $T | grep -c '^x' || true");
  PRINTED("0\n");
}

/* A file of another writer's has no checksum: 1 x 1, with P {2} and Q {infinity}. */
static void refuses_factors_that_are_not_finite(void)
{
  static const float values[] = {2, 1.0f / 0.0f};
  static const char head[] = "{\"P\":{\"dtype\":\"F32\",\"shape\":[1,1],\"data_offsets\":[0,4]},"
                             "\"Q\":{\"dtype\":\"F32\",\"shape\":[1,1],\"data_offsets\":[4,8]}}";
  shell_file("pairs.csv", "0,0\n");
  shell_file("one.csv", "0,0,1\n");
  write_safetensors(test_file("infinite.pqf"), head, values, sizeof values);
  REFUSED(1, "$PQF predict $T/infinite.pqf --output $T/x.csv",
          "infinite.pqf: Q is no finite number at row 0, factor 0");
  REFUSED(1, "$PQF predict $T/infinite.pqf --pairs $T/pairs.csv --output $T/x.csv", "Q is no");
  REFUSED(1, "$PQF evaluate $T/infinite.pqf $T/one.csv --layout long", "Q is no finite");
  REFUSED(1, "$PQF fit $T/one.csv --layout long --from $T/infinite.pqf --output $T/x.pqf", "Q is");
}

static void matches_validation_by_id(void)
{
  write_inputs();
  EXPECT(0, "$PQF fit $T/cells.csv --output $T/v.pqf --epochs 2 --quiet && "
            "$PQF predict $T/v.pqf --output $T/v.csv");
  /* a model that has not learnt: its validation loss is the mean square of what it predicts wrong
   */
  shell_file("held.csv", "cem,book,1\nann,vase,2\n");
  EXPECT(0,
         "$PQF fit $T/cells.csv --validation $T/held.csv --history $T/h.csv --output $T/v.pqf "
         "--epochs 1 --learning-rate 1e-30 --quiet && $PQF predict $T/v.pqf --output $T/v.csv && "
         "awk -F, 'NR==FNR { if ($1==\"cem\") c=$2-1; if ($1==\"ann\") a=$4-2; next } "
         "FNR==2 { want=(a*a+c*c)/2; d=$3-want; if (d<0) d=-d; exit d>1e-5*want }' "
         "$T/v.csv $T/h.csv");
  shell_file("wide.csv", ",vase,book\ncem,,1\nann,2,\n");
  EXPECT(0, "cut -d, -f1-3 $T/h.csv > $T/h1.csv; $PQF fit $T/cells.csv --validation $T/wide.csv "
            "--layout long --output $T/v.pqf --epochs 1 2> $T/words; test $? = 1");
  EXPECT(0, "$PQF fit $T/cells.csv --validation $T/wide.csv --nan absent --history $T/h.csv "
            "--output $T/v.pqf --epochs 1 --learning-rate 1e-30 --quiet && "
            "cut -d, -f1-3 $T/h.csv | cmp - $T/h1.csv");
  shell_file("ghost.csv", "cem,book,1\nghost,vase,2\n");
  REFUSED(1, "$PQF fit $T/cells.csv --validation $T/ghost.csv --output $T/x.pqf",
          "ghost.csv: the training data have no row with the id \"ghost\"");
  shell_file("narrow.csv", "1,2\n3,4\n");
  REFUSED(1, "$PQF fit " MATRIX " --validation $T/narrow.csv --output $T/x.pqf",
          "2 rows without ids where the training data have 5");
  shell_file("numbers.csv", "4,3,1\n0,0,2\n");
  EXPECT(0, "$PQF fit " MATRIX " --validation $T/numbers.csv --output $T/v.pqf --epochs 1 --quiet");
  shell_file("numbers.csv", "5,3,1\n");
  REFUSED(1, "$PQF fit " MATRIX " --validation $T/numbers.csv --output $T/x.pqf", "the id 5");
  if (!shell_has_parquet())
    return;
  EXPECT(0, "$PQF fit $D/long.parquet --validation $D/text_index.parquet --output $T/v.pqf "
            "--epochs 1 --quiet");
  EXPECT(0, "$PQF fit $D/number_index.parquet --output $T/1.pqf --epochs 9 --quiet && "
            "$PQF fit $D/number_index.parquet --validation $D/number_index.parquet "
            "--output $T/2.pqf --epochs 9 --quiet && for n in 1 2; do "
            "$PQF predict $T/$n.pqf --output $T/$n.csv; done; cmp $T/1.csv $T/2.csv");
}

static void starts_from_given_factors(void)
{
  write_inputs();
  shell_file("p.csv", "1,0\n0,1\n1,1\n2,0\n0,2\n");
  shell_file("q.csv", "1,2\n3,4\n5,6\n7,8\n");
  EXPECT(0, "$PQF fit " MATRIX " --initial-rows $T/p.csv --initial-cols $T/q.csv --epochs 1 "
            "--learning-rate 1e-30 --output $T/g.pqf && $PQF predict $T/g.pqf --output -");
  PRINTED("1,3,5,7\n2,4,6,8\n3,7,11,15\n2,6,10,14\n4,8,12,16\n");
  REFUSED(1,
          "$PQF fit " MATRIX " --initial-rows $T/p.csv --initial-cols $T/q.csv --factors 3 "
          "--output $T/x.pqf",
          "p.csv: 2 columns where the factors are 3");
  REFUSED(1,
          "$PQF fit " MATRIX " --initial-rows $T/q.csv --initial-cols $T/q.csv --output $T/x.pqf",
          "initial");
}

static void predicts_pairs(void)
{
  write_inputs();
  EXPECT(0, "$PQF fit $T/cells.csv --output $T/c.pqf --epochs 20 --quiet && "
            "$PQF predict $T/c.pqf --output $T/all.csv");
  shell_file("pairs.csv", "cem,vase,9,x\nann,book,9,x\ncem,vase,9,x\n");
  EXPECT(0, "$PQF predict $T/c.pqf --pairs $T/pairs.csv --output $T/out.csv && "
            "cut -d, -f1-2 $T/out.csv && awk -F, '{ print $3 }' $T/out.csv > $T/got && "
            "{ grep ^cem $T/all.csv | cut -d, -f4; grep ^ann $T/all.csv | cut -d, -f2; "
            "grep ^cem $T/all.csv | cut -d, -f4; } | cmp - $T/got");
  PRINTED("cem,vase\nann,book\ncem,vase\n");
  shell_file("pairs.csv", "when;item;user\n1;book;ann\n");
  EXPECT(0,
         "$PQF predict $T/c.pqf --pairs $T/pairs.csv --row user --col item --output $T/out.csv && "
         "cut -d, -f1-2 $T/out.csv");
  PRINTED("user,item\nann,book\n");
  shell_file("pairs.csv", "who,what\nbob,vase\n");
  EXPECT(0, "gzip -f $T/pairs.csv && $PQF predict $T/c.pqf --pairs $T/pairs.csv.gz --output "
            "$T/out.csv.gz && gzip -dc $T/out.csv.gz | sed 's/,[^,]*$//'");
  PRINTED("who,what\nbob,vase\n");
  shell_file("pairs.csv", "ann,book\nann,boot\n");
  REFUSED(1, "$PQF predict $T/c.pqf --pairs $T/pairs.csv --output $T/x.csv",
          "pairs.csv:2: the model has no column with the id \"boot\"");
  shell_file("pairs.csv", "bill,book\n");
  REFUSED(1, "$PQF predict $T/c.pqf --pairs $T/pairs.csv --output $T/x.csv", "\"bill\"");
  shell_file("pairs.csv", "ann,book\nann\n");
  REFUSED(1, "$PQF predict $T/c.pqf --pairs $T/pairs.csv --output $T/x.csv",
          "pairs.csv:2: 1 field");
  shell_file("pairs.csv", "ann\n");
  REFUSED(1, "$PQF predict $T/c.pqf --pairs $T/pairs.csv --output $T/x.csv", "two columns");
  shell_file("pairs.csv", "a,b\n1,2\n");
  REFUSED(1, "$PQF predict $T/c.pqf --pairs $T/pairs.csv --row a --col z --output $T/x.csv",
          "\"z\"");
  REFUSED(1, "$PQF predict $T/c.pqf --pairs $T/none.csv --output $T/x.csv", "No such file");
  /* without ids the indices are ids */
  shell_file("pairs.csv", "4,3\n0,0\n");
  EXPECT(0, "$PQF fit " MATRIX " --output $T/m.pqf --epochs 20 --quiet && "
            "$PQF predict $T/m.pqf --pairs $T/pairs.csv --output - | cut -d, -f1-2");
  PRINTED("4,3\n0,0\n");
  shell_file("pairs.csv", "5,3\n");
  REFUSED(1, "$PQF predict $T/m.pqf --pairs $T/pairs.csv --output $T/x.csv", "the id \"5\"");
  shell_file("pairs.npy", "\x93NUMPY");
  REFUSED(1, "$PQF predict $T/m.pqf --pairs $T/pairs.npy --output $T/x.csv", "CSV or Parquet");
  EXPECT(0, "ls $T | grep -c '^x' || true");
  PRINTED("0\n");
}

static void predicts_parquet_pairs(void)
{
  if (!shell_has_parquet())
    return;
  EXPECT(0, "$PQF fit $D/long.parquet --output $T/c.pqf --epochs 20 --quiet && "
            "$PQF predict $T/c.pqf --pairs $D/pairs.parquet --output - | cut -d, -f1-2");
  PRINTED("eve,rug\nann,vase\neve,book\n");
  EXPECT(0, "$PQF predict $T/c.pqf --pairs $D/pairs.parquet --output $T/out.parquet && "
            "$PQF fit $T/out.parquet --output $T/again.pqf --epochs 1 --quiet && "
            "$PQF info $T/again.pqf | head -n 2");
  PRINTED("rows        2\ncolumns     3\n");
  REFUSED(1, "$PQF predict $T/c.pqf --pairs $D/long_numbers.parquet --output $T/x.csv",
          "long_numbers.parquet:1: the model has no row with the id 0");
  REFUSED(1, "$PQF predict $T/c.pqf --pairs $D/range_index.parquet --output $T/x.csv", "integers");
}

/* No target is half-written: the old file stays, and no other is left. */
static void leaves_no_partial_output(void)
{
  write_inputs();
  EXPECT(0, "rm -rf $T/o && mkdir $T/o && $PQF fit " MATRIX
            " --output $T/o/m.pqf --epochs 5 --quiet && "
            "awk 'BEGIN { for (i = 0; i < 400; ++i) { for (j = 0; j < 400; ++j) "
            "printf \"%d,\", (i * j) % 7; print 1 } }' > $T/square.csv && "
            "$PQF fit $T/square.csv --output $T/square.pqf --epochs 1 --quiet "
            "--learning-rate 1e-9 && echo old > $T/o/p.csv && cp $T/o/p.csv $T/o/p.npy");
  REFUSED(1, "(ulimit -f 64; $PQF predict $T/square.pqf --output $T/o/p.csv)", "File too large");
  REFUSED(1, "(ulimit -f 64; $PQF predict $T/square.pqf --output $T/o/p.npy)", "File too large");
  if (shell_has_parquet())
    REFUSED(1, "(ulimit -f 64; $PQF predict $T/square.pqf --output $T/o/p.parquet)", "p.parquet");
  EXPECT(0, "ls $T/o && cat $T/o/p.csv $T/o/p.npy");
  PRINTED("m.pqf\np.csv\np.npy\nold\nold\n");
  REFUSED(1, "$PQF predict $T/o/m.pqf --output /dev/full", "No space left on device");
  REFUSED(1, "$PQF predict $T/o/m.pqf --output - > /dev/full", "No space left on device");
  REFUSED(1, "$PQF predict $T/o/m.pqf --output $T/none/p.csv", "No such file");
  EXPECT(0, "ln -s p.csv $T/o/link.csv && $PQF predict $T/o/m.pqf --output $T/o/link.csv && "
            "test -L $T/o/link.csv && wc -l < $T/o/p.csv");
  PRINTED("5\n");
  EXPECT(0,
         "umask 027 && $PQF predict $T/o/m.pqf --output $T/o/mode.csv && stat -c %a $T/o/mode.csv");
  PRINTED("640\n");
  EXPECT(0, "chmod 604 $T/o/mode.csv && { test $(id -u) != 0 || chown 12345:54321 $T/o/mode.csv; } "
            "&& stat -c '%a %u %g' $T/o/mode.csv > $T/mode && "
            "$PQF predict $T/o/m.pqf --output $T/o/mode.csv && "
            "stat -c '%a %u %g' $T/o/mode.csv | cmp - $T/mode");
}

static void notices_a_lost_standard_output(void)
{
  write_inputs();
  REFUSED(1, "$PQF fit " MATRIX " --output $T/s.pqf " NOTEBOOK " > /dev/full",
          "standard output: No space left on device");
  EXPECT(0, "$PQF info $T/s.pqf && rm $T/s.pqf"); /* the work was done all the same */
  REFUSED(1, "$PQF fit " MATRIX " --output $T/s.pqf " NOTEBOOK " >&-", "standard output: ");
  EXPECT(0, "$PQF info $T/s.pqf --verify");
  REFUSED(1, "$PQF help > /dev/full", "standard output: ");
  REFUSED(1, "$PQF info $T/s.pqf --json >&-", "standard output: ");
  EXPECT(0, "$PQF fit " MATRIX " --output $T/s.pqf " NOTEBOOK " --quiet >&- 2>&- <&-");
}

static void saves_when_it_is_interrupted(void)
{
  write_inputs();
  EXPECT(0, "rm -rf $T/i && mkdir $T/i; : > $T/lines; $PQF fit " MATRIX
            " --output $T/i/m.pqf --epochs 1000000000 --patience 0 "
            "--learning-rate 1e-4 > $T/lines 2> $T/words & "
            "until grep -q Epoch $T/lines; do kill -0 $! || exit 9; sleep 0.02; done; "
            "kill -TERM $!; wait $!; test $? = 143 && cat $T/words | "
            "grep -q '^pqf: interrupted at epoch [0-9]*; .*m.pqf has the factors so far$' && "
            "$PQF info $T/i/m.pqf --verify && ls $T/i");
  PRINTED_PART("ended by: canceled");
  PRINTED_PART("\nm.pqf\n");
}

/* Both signals come within one epoch, which takes a second, once the process catches both (and what
 * else a sanitizer catches): the second one, though of the other kind, ends the process, and
 * nothing is saved. */
static void ends_at_a_second_signal(void)
{
  static const char *const signals[] = {"TERM TERM 143", "INT INT 130", "INT TERM 143",
                                        "TERM INT 130"};
  char script[1024];
  EXPECT(0, "awk 'BEGIN { for (i = 0; i < 400; ++i) for (j = 0; j < 400; ++j) "
            "print i \",\" j \",\" (i * j) % 7 }' > $T/square.csv");
  for (size_t n = 0; n < sizeof signals / sizeof signals[0]; ++n) {
    snprintf(script, sizeof script,
             "rm -f $T/second.pqf; set -- %s; "
             "env --default-signal=INT $PQF fit $T/square.csv --output $T/second.pqf --quiet "
             "--solver als --objective observed --factors 512 --epochs 1000 --threads 1 "
             "2> $T/words & "
             "until grep -q '^SigCgt:.*[4-7c-f]..[2367abef]$' /proc/$!/status; do "
             "kill -0 $! || exit 9; sleep 0.02; done; "
             "sleep 0.2; kill -$1 $!; sleep 0.1; kill -$2 $!; "
             "{ wait $!; } 2> $T/told; test $? = $3 && cat $T/words",
             signals[n]);
    EXPECT(0, script);
    PRINTED("");
    EXPECT(0, "test ! -e $T/second.pqf");
  }
}

/* A prediction that takes seconds (9 million values, compressed) is ended in the midst of it. */
static void removes_its_temporary_file_when_it_is_ended(void)
{
  EXPECT(0, "rm -rf $T/e && mkdir $T/e && awk 'BEGIN { for (i = 0; i < 3000; ++i) "
            "print i \",\" i \",1\" }' > $T/diagonal.csv && "
            "$PQF fit $T/diagonal.csv --output $T/wide.pqf --epochs 1 --quiet "
            "--learning-rate 1e-9 || exit 9; "
            "$PQF predict $T/wide.pqf --output $T/e/p.csv.gz & "
            "until ls $T/e | grep -q .; do kill -0 $! || exit 8; sleep 0.01; done; "
            "{ kill -TERM $!; wait $!; } 2> $T/words; test $? = 143 && ls $T/e");
  PRINTED("");
}

void suite_command(void)
{
  CU_pSuite suite = CU_add_suite("command", NULL, NULL);
  CU_add_test(suite, "fit prints the notebook's lines", prints_the_notebooks_lines);
  CU_add_test(suite, "fit writes its history", writes_the_history);
  CU_add_test(suite, "progress is shown on a terminal", shows_progress_on_a_terminal);
  CU_add_test(suite, "wrong command lines: exit code 2", refuses_wrong_command_lines);
  CU_add_test(suite, "failed work: exit code 1", tells_what_failed);
  CU_add_test(suite, "help and version", helps);
  CU_add_test(suite, "every flag is in the help and in the manual", documents_every_flag);
  CU_add_test(suite, "info, as text and as JSON", tells_of_a_model);
  CU_add_test(suite, "a damaged model is refused", refuses_a_damaged_model);
  CU_add_test(suite, "factors that are not finite are refused",
              refuses_factors_that_are_not_finite);
  CU_add_test(suite, "a validation file is matched by ids", matches_validation_by_id);
  CU_add_test(suite, "initial factors from files", starts_from_given_factors);
  CU_add_test(suite, "pairs", predicts_pairs);
  CU_add_test(suite, "pairs in Parquet", predicts_parquet_pairs);
  CU_add_test(suite, "no partial output is left", leaves_no_partial_output);
  CU_add_test(suite, "a lost standard output is noticed", notices_a_lost_standard_output);
  CU_add_test(suite, "an interrupted fit saves its best", saves_when_it_is_interrupted);
  CU_add_test(suite, "a second signal ends at once", ends_at_a_second_signal);
  CU_add_test(suite, "a prediction that is ended leaves no temporary file",
              removes_its_temporary_file_when_it_is_ended);
}
