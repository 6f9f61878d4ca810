/* Every format that the command reads and writes. R is the notebook's 5 x 4 matrix throughout: the
 * same R gives the same bits, so what a model predicts is compared as text. */
#include "test.h"

#include "shell.h"
#include "suites.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Trains on a file, with flags, and writes the predictions as CSV to `name`. */
#define PREDICT(input, flags, name)                                                                \
  EXPECT(0, "$PQF fit " input " --output $T/format.pqf --epochs 20 --quiet " flags                 \
            " && $PQF predict $T/format.pqf --output $T/" name)

#define SAME(name, other) EXPECT(0, "cmp $T/" name " $T/" other)

static const char plain[] =
    "4.5,2.3,0,1.2\n4.6,0,0,1.25\n1,1.2,0,5.6\n1.8,0,0,4.3\n0,1.4,5.32,4.3\n";

static const char with_ids[] = ",book,lamp,rug,vase\nann,4.5,2.3,0,1.2\nbob,4.6,0,0,1.25\n"
                               "cem,1,1.2,0,5.6\ndia,1.8,0,0,4.3\neve,0,1.4,5.32,4.3\n";

static const char cells[] = "eve,vase,4.3\neve,rug,5.32\neve,lamp,1.4\ndia,vase,4.3\ndia,book,1.8\n"
                            "cem,vase,5.6\ncem,lamp,1.2\ncem,book,1\nbob,vase,1.25\nbob,book,4.6\n"
                            "ann,vase,1.2\nann,lamp,2.3\nann,book,4.5\n";

/* plain.csv and ids.csv: the predictions without ids and with them; sparse.csv: as ids.csv, from
 * cells, whose kernels may differ in the last bits. */
static void write_references(void)
{
  shell_file("plain_in.csv", plain);
  shell_file("ids_in.csv", with_ids);
  shell_file("cells_in.csv", cells);
  PREDICT("$T/plain_in.csv", "", "plain.csv");
  PREDICT("$T/ids_in.csv", "", "ids.csv");
  PREDICT("$T/cells_in.csv", "", "sparse.csv");
}

static void csv_wide(void)
{
  write_references();
  EXPECT(0, "cut -d, -f2- $T/ids.csv | tail -n +2 | cmp - $T/plain.csv");
  EXPECT(0, "sed 's/$/\\r/' $T/ids_in.csv > $T/crlf.csv");
  PREDICT("$T/crlf.csv", "", "out.csv");
  SAME("out.csv", "ids.csv");
  EXPECT(0,
         "{ printf '\\357\\273\\277'; tr , ';' < $T/ids_in.csv; printf '\\n\\n'; } > $T/bom.csv");
  PREDICT("$T/bom.csv", "", "out.csv");
  SAME("out.csv", "ids.csv");
  EXPECT(0, "tr , '\\t' < $T/ids_in.csv | gzip > $T/tabs");
  PREDICT("$T/tabs", "", "out.csv");
  SAME("out.csv", "ids.csv");
  EXPECT(0, "printf %s \"$(sed 's/\\([^,]*\\)/\"\\1\"/g' $T/ids_in.csv)\" > $T/quoted.csv");
  PREDICT("$T/quoted.csv", "", "out.csv");
  SAME("out.csv", "ids.csv");
  EXPECT(0, "gzip -c $T/plain_in.csv > $T/plain.gz && sed 's/^/  /; s/,/ , /g' $T/plain_in.csv > "
            "$T/blanks.csv");
  PREDICT("$T/plain.gz", "", "out.csv");
  SAME("out.csv", "plain.csv");
  PREDICT("$T/blanks.csv", "", "out.csv");
  SAME("out.csv", "plain.csv");
  PREDICT("/dev/stdin < $T/plain_in.csv", "", "out.csv");
  SAME("out.csv", "plain.csv");
  EXPECT(0, "cat $T/ids_in.csv | $PQF fit /dev/stdin --output $T/format.pqf --epochs 20 --quiet && "
            "$PQF predict $T/format.pqf --output - | cmp - $T/ids.csv");
}

static void csv_guesses_and_overrides(void)
{
  write_references();
  /* a named first column is an index if its first value is no number, else by --index or --row */
  EXPECT(0, "sed 1s/^/user/ $T/ids_in.csv > $T/named.csv");
  PREDICT("$T/named.csv", "", "out.csv");
  SAME("out.csv", "ids.csv");
  EXPECT(0, "tail -n +2 $T/ids_in.csv | nl -s, -w1 -v10 | cut -d, -f1,3- | "
            "{ echo user,book,lamp,rug,vase; cat; } > $T/numbers.csv");
  PREDICT("$T/numbers.csv", "--index yes", "out.csv");
  EXPECT(0, "head -n 2 $T/out.csv | cut -d, -f1-2 | tr '\\n' ' ' | cut -c1-8");
  PRINTED(",book 10\n");
  PREDICT("$T/numbers.csv", "--row user", "again.csv");
  SAME("out.csv", "again.csv");
  PREDICT("$T/numbers.csv", "--learning-rate 1e-4", "out.csv");
  EXPECT(0, "head -n 1 $T/out.csv");
  PRINTED("user,book,lamp,rug,vase\n");
  /* numbers as a header, and ids without one */
  EXPECT(0, "{ echo 7,8,9,10; cat $T/plain_in.csv; } > $T/header.csv");
  PREDICT("$T/header.csv", "--header yes", "out.csv");
  EXPECT(0, "head -n 1 $T/out.csv && tail -n +2 $T/out.csv | cmp - $T/plain.csv");
  PRINTED("7,8,9,10\n");
  EXPECT(0, "tail -n +2 $T/ids_in.csv > $T/index_only.csv");
  PREDICT("$T/index_only.csv", "--header no", "out.csv");
  EXPECT(0, "tail -n +2 $T/ids.csv | cmp - $T/out.csv");
  /* three columns: long, unless the first has no name or --layout says so */
  EXPECT(0, "cut -d, -f1-3 $T/ids_in.csv > $T/three.csv && cut -d, -f1-3 $T/plain_in.csv > "
            "$T/three_plain.csv");
  PREDICT("$T/three.csv", "", "out.csv");
  EXPECT(0, "head -n 1 $T/out.csv");
  PRINTED(",book,lamp\n");
  PREDICT("$T/three_plain.csv", "--layout wide", "out.csv");
  EXPECT(0, "wc -l < $T/out.csv");
  PRINTED("5\n");
}

static void csv_long(void)
{
  write_references();
  EXPECT(0, "head -n 2 $T/sparse.csv | cut -d, -f1");
  PRINTED("\nann\n");
  EXPECT(0, "{ echo user,item,rating; cat $T/cells_in.csv; } > $T/headed.csv");
  PREDICT("$T/headed.csv", "", "out.csv");
  SAME("out.csv", "sparse.csv");
  EXPECT(0, "sed '1s/$/,when/; 2,$s/$/,99/' $T/headed.csv | gzip > $T/four.csv.gz");
  PREDICT("$T/four.csv.gz", "--layout long", "out.csv");
  SAME("out.csv", "sparse.csv");
  PREDICT("$T/four.csv.gz", "--row user --col item --value rating", "out.csv");
  SAME("out.csv", "sparse.csv");
  /* numbers are ids in ascending order; 0, 1, 2, ... are none; 007 is a text */
  shell_file("numbers.csv", "100,1,4\n9,0,3\n100,0,1\n9,2,5\n");
  PREDICT("$T/numbers.csv", "", "out.csv");
  EXPECT(0, "cut -d, -f1 $T/out.csv");
  PRINTED("9\n100\n");
  shell_file("zeros.csv", "1,007,4\n0,7,3\n");
  PREDICT("$T/zeros.csv", "", "out.csv");
  EXPECT(0, "head -n 1 $T/out.csv");
  PRINTED("007,7\n");
  /* an absent cell still names its row and column */
  shell_file("absent.csv", "a,x,1\nb,y,\nc,x,nan\n");
  PREDICT("$T/absent.csv", "--nan absent", "out.csv");
  EXPECT(0, "cut -d, -f1 $T/out.csv | tr '\\n' ' '; head -n 1 $T/out.csv");
  PRINTED(" a b c ,x,y\n");
}

static void csv_refused(void)
{
  shell_file("ragged.csv", "1,2,3,4\n5,6,7,8\n9,10,11\n");
  REFUSED(1, "$PQF fit $T/ragged.csv --output $T/x.pqf",
          "ragged.csv:3: 3 fields where the first line has 4");
  shell_file("ragged_long.csv", "1,2,3\n\n1,2,3,4\n");
  REFUSED(1, "$PQF fit $T/ragged_long.csv --output $T/x.pqf", "ragged_long.csv:3: 4 fields");
  shell_file("word.csv", "1,2\n3,x4\n");
  REFUSED(1, "$PQF fit $T/word.csv --output $T/x.pqf", "word.csv:2: field 2 (\"x4\") is no number");
  shell_file("hole.csv", "1,2\n3,\n");
  REFUSED(1, "$PQF fit $T/hole.csv --output $T/x.pqf", "hole.csv:2: field 2");
  ERROR_PART("--nan absent");
  shell_file("infinite.csv", "1,2\n3,1e39\n");
  REFUSED(1, "$PQF fit $T/infinite.csv --nan absent --output $T/x.pqf", "infinite.csv:2: field 2");
  shell_file("hexadecimal.csv", "1,2\n3,0x10\n");
  REFUSED(1, "$PQF fit $T/hexadecimal.csv --output $T/x.pqf", "hexadecimal.csv:2");
  shell_file("open.csv", "a,\"b\nc,d\n1,2\n");
  REFUSED(1, "$PQF fit $T/open.csv --output $T/x.pqf", "open.csv:1: a quote");
  shell_file("behind.csv", "a,\"b\"c\n1,2\n");
  REFUSED(1, "$PQF fit $T/behind.csv --output $T/x.pqf", "behind.csv:1: text behind");
  shell_file("twice.csv", "a,b,c\n1,2,3\n");
  REFUSED(1, "$PQF fit $T/twice.csv --layout wide --row d --output $T/x.pqf", "no column \"d\"");
  shell_file("same.csv", "a,b,a,c\n1,2,3,4\n");
  REFUSED(1, "$PQF fit $T/same.csv --output $T/x.pqf", "same.csv:1: field 3 (\"a\")");
  shell_file("same_row.csv", ",a,b,c\nu,2,3,4\nu,2,3,4\n");
  REFUSED(1, "$PQF fit $T/same_row.csv --output $T/x.pqf", "same_row.csv:3: field 1 (\"u\")");
  shell_file("same_cell.csv", "u,i,1\nu,j,2\nu,i,3\n");
  REFUSED(1, "$PQF fit $T/same_cell.csv --output $T/x.pqf",
          "same_cell.csv: cell (\"u\", \"i\") is given twice");
  shell_file("same_sum.csv", "7,i,3e38\n9,j,2\n7,i,3e38\n");
  REFUSED(1, "$PQF fit $T/same_sum.csv --duplicates sum --output $T/x.pqf",
          "same_sum.csv: the values of cell (7, \"i\") add up to 6");
  shell_file("comma.csv", "1;2;3,5\n2;3;4,5\n");
  REFUSED(1, "$PQF fit $T/comma.csv --output $T/x.pqf",
          "comma.csv:1: field 3 (\"3,5\") is no number: the decimal mark is a point");
  shell_file("comma_wide.csv", "a;b\n1,5;2\n");
  REFUSED(1, "$PQF fit $T/comma_wide.csv --output $T/x.pqf",
          "comma_wide.csv:2: field 1 (\"1,5\") is no number: the decimal mark is a point");
  shell_file("no_id.csv", "u,i,1\n,j,2\n");
  REFUSED(1, "$PQF fit $T/no_id.csv --output $T/x.pqf", "no_id.csv:2: field 1 (\"\")");
  shell_file("two.csv", "1,2\n");
  REFUSED(1, "$PQF fit $T/two.csv --layout long --output $T/x.pqf", "three columns");
  shell_file("header_only.csv", "a,b\n");
  REFUSED(1, "$PQF fit $T/header_only.csv --output $T/x.pqf", "without any row");
  shell_file("header_long.csv", "a,b,c\n");
  REFUSED(1, "$PQF fit $T/header_long.csv --output $T/x.pqf", "a header and nothing else");
  shell_file("empty.csv", "");
  REFUSED(1, "$PQF fit $T/empty.csv --output $T/x.pqf", "the file is empty");
  shell_file("blank.csv", "\n\n");
  REFUSED(1, "$PQF fit $T/blank.csv --output $T/x.pqf", "the file is empty");
  shell_bytes("binary.csv", "1,2\n3,\0 4\n", 10);
  REFUSED(1, "$PQF fit $T/binary.csv --output $T/x.pqf", "binary.csv:2: a zero byte");
  shell_bytes("latin.csv", "a,\xe9,c,d\n1,2,3,4\n", 16);
  REFUSED(1, "$PQF fit $T/latin.csv --output $T/x.pqf", "UTF-8");
  EXPECT(0, "printf '1,2\\n%.0s' $(seq 5000) | gzip | head -c 50 > $T/cut.csv.gz");
  REFUSED(1, "$PQF fit $T/cut.csv.gz --output $T/x.pqf", "damaged gzip data");
  REFUSED(1, "$PQF fit $T --output $T/x.pqf", "Is a directory");
  REFUSED(1, "$PQF fit $T/nowhere.csv --output $T/x.pqf", "No such file");
  EXPECT(0, "test ! -e $T/x.pqf");
}

static void matrix_market(void)
{
  write_references();
  shell_file("c.mtx", "%%MatrixMarket matrix coordinate real general\n% a comment\n5 4 13\n"
                      "1 1 4.5\n1 2 2.3\n1 4 1.2\n2 1 4.6\n2 4 1.25\n3 1 1\n3 2 1.2\n3 4 5.6\n"
                      "4 1 1.8\n4 4 4.3\n\n5 2 1.4\n5 3 5.32\n5 4 4.3\n");
  PREDICT("$T/c.mtx", "", "out.csv");
  EXPECT(0, "cut -d, -f2- $T/sparse.csv | tail -n +2 | cmp - $T/out.csv");
  EXPECT(0, "gzip -c $T/c.mtx > $T/c.mtx.gz");
  PREDICT("$T/c.mtx.gz", "", "again.csv");
  SAME("out.csv", "again.csv");
  shell_file("a.mtx", "%%MatrixMarket matrix array real general\n5 4\n4.5\n4.6\n1\n1.8\n0\n"
                      "2.3\n0\n1.2\n0\n1.4\n0\n0\n0\n0\n5.32\n1.2\n1.25\n5.6\n4.3\n4.3\n");
  PREDICT("$T/a.mtx", "", "out.csv");
  SAME("out.csv", "plain.csv");
  /* the three symmetries against the matrices spelled out */
  shell_file("s.mtx", "%%MatrixMarket matrix coordinate integer symmetric\n3 3 3\n1 1 2\n2 1 1\n"
                      "3 2 -1\n");
  shell_file("s.csv", "0,0,2\n0,1,1\n1,0,1\n1,2,-1\n2,1,-1\n");
  PREDICT("$T/s.mtx", "", "out.csv");
  PREDICT("$T/s.csv", "", "again.csv");
  SAME("out.csv", "again.csv");
  shell_file("k.mtx", "%%MatrixMarket matrix array real skew-symmetric\n3 3\n1\n2\n3\n");
  shell_file("k.csv", "0,-1,-2\n1,0,-3\n2,3,0\n");
  PREDICT("$T/k.mtx", "", "out.csv");
  PREDICT("$T/k.csv", "--layout wide", "again.csv");
  SAME("out.csv", "again.csv");
  shell_file("kc.mtx", "%%MatrixMarket matrix coordinate real skew-symmetric\n2 2 1\n2 1 3\n");
  shell_file("kc.csv", "0,1,-3\n1,0,3\n");
  PREDICT("$T/kc.mtx", "", "out.csv");
  PREDICT("$T/kc.csv", "", "again.csv");
  SAME("out.csv", "again.csv");
  shell_file("p.mtx", "%%MatrixMarket matrix coordinate pattern general\n2 2 2\n1 2\n2 1\n");
  shell_file("p.csv", "0,1,1\n1,0,1\n");
  PREDICT("$T/p.mtx", "", "out.csv");
  PREDICT("$T/p.csv", "", "again.csv");
  SAME("out.csv", "again.csv");
}

static void refuse_market(const char *text, const char *words)
{
  shell_file("bad.mtx", text);
  REFUSED(1, "$PQF fit $T/bad.mtx --output $T/x.pqf", words);
}

static void matrix_market_refused(void)
{
  const char *const head = "%%MatrixMarket matrix coordinate real general\n";
  char text[256];
  refuse_market("%%MatrixMarket tensor coordinate real general\n1 1 1\n", "banner");
  refuse_market("%%MatrixMarket matrix coordinate complex general\n1 1 1\n1 1 1 1\n", "complex");
  refuse_market("%%MatrixMarket matrix array pattern general\n1 1\n", "pattern");
  refuse_market("%%MatrixMarket matrix coordinate real hermitian\n1 1 1\n", "hermitian");
  refuse_market("%%MatrixMarket matrix heap real general\n1 1 1\n", "heap");
  refuse_market("%%MatrixMarket matrix coordinate real symmetric\n2 3 1\n1 1 1\n", "square");
  refuse_market("%%MatrixMarket matrix array real general\n2 1\n1\n", "1 entries");
  refuse_market("%%MatrixMarket matrix array real general\n1 1\n1\n2\n", "bad.mtx:4: more values");
  refuse_market("%%MatrixMarket matrix array real general\n1099511627776 1099511627776\n1\n",
                "bad.mtx:2");
  refuse_market("%%MatrixMarket matrix array real general\n2000000000 2000000000\n1\n",
                "1 entries where the size line promises 4000000000000000000");
  (void)snprintf(text, sizeof text, "%s2 2 1099511627776\n1 1 1\n", head);
  refuse_market(text, "1 entries where the size line promises 1099511627776");
  (void)snprintf(text, sizeof text, "%s2 2 1\n1 1 1\n2 2 1\n", head);
  refuse_market(text, "bad.mtx:4: more entries");
  (void)snprintf(text, sizeof text, "%s2 2 1\n3 1 1\n", head);
  refuse_market(text, "bad.mtx:3: cell (3, 1)");
  (void)snprintf(text, sizeof text, "%s2 2 1\n0 1 1\n", head);
  refuse_market(text, "bad.mtx:3: cell (0, 1)");
  (void)snprintf(text, sizeof text, "%s2 2 1\n1 1\n", head);
  refuse_market(text, "bad.mtx:3: this should be a row, a column and a value");
  (void)snprintf(text, sizeof text, "%s2 2 1\n1 1 nan\n", head);
  refuse_market(text, "bad.mtx:3: \"nan\"");
  (void)snprintf(text, sizeof text, "%s2 2 2\n1 1 1\n1 1 2\n", head);
  refuse_market(text, "bad.mtx: ");
  (void)snprintf(text, sizeof text, "%s0 2 0\n", head);
  refuse_market(text, "without rows");
  refuse_market(head, "rows, columns and entries");
  refuse_market("1,2\n3,4\n", "not a Matrix Market file");
}

/* Writes a .npy file of a version with a head of our own, followed by values. */
static void write_npy(const char *name, int version, const char *dictionary, const void *values,
                      size_t size)
{
  char file[1024] = "\x93NUMPY";
  const size_t prefix = version == 1 ? 10 : 12;
  const size_t length = strlen(dictionary) + 1;
  file[6] = (char)version;
  file[8] = (char)length;
  memcpy(file + prefix, dictionary, length - 1);
  file[prefix + length - 1] = '\n';
  memcpy(file + prefix + length, values, size);
  shell_bytes(name, file, prefix + length + size);
}

static void npy(void)
{
  static const float c4[6] = {1, 2, 3, 4, 5, 6.5F};
  static const double f8[6] = {1, 4, 2, 5, 3, 6.5};
  static const int64_t i8[6] = {1, 2, 3, 4, 5, 6};
  static const int32_t i4[6] = {1, 2, 3, 4, 5, 6};
  shell_file("half.csv", "1,2,3\n4,5,6.5\n");
  shell_file("whole.csv", "1,2,3\n4,5,6\n");
  PREDICT("$T/half.csv", "--layout wide", "half_out.csv");
  PREDICT("$T/whole.csv", "--layout wide", "whole_out.csv");
  write_npy("a.npy", 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", c4,
            sizeof c4);
  PREDICT("$T/a.npy", "", "out.csv");
  SAME("out.csv", "half_out.csv");
  write_npy("a.npy", 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }  ", c4,
            sizeof c4);
  PREDICT("$T/a.npy", "", "out.csv");
  SAME("out.csv", "half_out.csv");
  write_npy("a.npy", 2, "{'shape': (2,3), 'fortran_order': True, 'descr': '<f8'}", f8, sizeof f8);
  PREDICT("$T/a.npy", "", "out.csv");
  SAME("out.csv", "half_out.csv");
  write_npy("a", 3, "{'descr': '<i8', 'fortran_order': False, 'shape': (2, 3,)}", i8, sizeof i8);
  PREDICT("$T/a", "", "out.csv");
  SAME("out.csv", "whole_out.csv");
  write_npy("a.npy", 1, "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3)}", i4, sizeof i4);
  PREDICT("$T/a.npy", "", "out.csv");
  SAME("out.csv", "whole_out.csv");
}

static void refuse_npy(int version, const char *dictionary, const char *words)
{
  static const float values[6] = {1, 2, 3, 4, 5, 6};
  write_npy("bad.npy", version, dictionary, values, sizeof values);
  REFUSED(1, "$PQF fit $T/bad.npy --output $T/x.pqf", words);
}

static void npy_refused(void)
{
  static const float nan_values[2] = {1, NAN};
  refuse_npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (7,)}", "vector");
  refuse_npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': ()}", "shape");
  refuse_npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 3)}", "two dimensions");
  refuse_npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 2)}", "without rows");
  refuse_npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4)}", "2 x 4 values");
  refuse_npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1048576, 1048576)}",
             "1048576 x 1048576 values");
  refuse_npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776, 1)}", "shape");
  refuse_npy(1, "{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3)}", "'>f4'");
  refuse_npy(1, "{'descr': '|O', 'fortran_order': False, 'shape': (2, 3)}", "'|O'");
  refuse_npy(1, "{'descr': '<f4', 'shape': (2, 3)}", "Fortran");
  refuse_npy(1, "{'descr': '<f4', 'fortran_order': False}", "shape");
  refuse_npy(1, "{'fortran_order': False, 'shape': (2, 3)}", "type");
  refuse_npy(4, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", "version 4");
  shell_bytes("bad.npy", "\x93NUMPY\x02\x00\xff\xff\xff\x7f{}", 14);
  REFUSED(1, "$PQF fit $T/bad.npy --output $T/x.pqf", "a head of");
  shell_file("bad.npy", "1,2\n");
  REFUSED(1, "$PQF fit $T/bad.npy --output $T/x.pqf", "not a NumPy file");
  write_npy("bad.npy", 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2)}", nan_values,
            sizeof nan_values);
  REFUSED(1, "$PQF fit $T/bad.npy --output $T/x.pqf", "--nan absent");
  EXPECT(0, "$PQF fit $T/bad.npy --nan absent --output $T/x.pqf --quiet && gzip -f $T/bad.npy && "
            "rm $T/x.pqf");
  REFUSED(1, "$PQF fit $T/bad.npy.gz --output $T/x.pqf", "compressed as a whole");
}

static void parquet(void)
{
  if (!shell_has_parquet())
    return;
  write_references();
  PREDICT("$D/matrix.parquet.gzip", "", "out.csv");
  SAME("out.csv", "ids.csv");
  PREDICT("$D/text_index.parquet", "", "out.csv");
  SAME("out.csv", "ids.csv");
  PREDICT("$D/range_index.parquet", "", "out.csv");
  SAME("out.csv", "plain.csv");
  PREDICT("$D/number_index.parquet", "", "out.csv");
  EXPECT(0, "cut -d, -f1 $T/out.csv | tr '\\n' ' '");
  PRINTED(" 50 10 40 20 30 ");
  PREDICT("$D/number_index.parquet", "--index no", "out.csv");
  EXPECT(0, "head -n 1 $T/out.csv");
  PRINTED("book,lamp,rug,vase\n");
  PREDICT("$D/long.parquet", "", "out.csv");
  SAME("out.csv", "sparse.csv");
  PREDICT("$D/long_categories.parquet", "", "out.csv");
  SAME("out.csv", "sparse.csv");
  PREDICT("$D/long_numbers.parquet", "--row user --col item --value stars --learning-rate 1e-3",
          "out.csv");
  EXPECT(0, "cut -d, -f1 $T/out.csv | tr '\\n' ' '");
  PRINTED("0 100 200 300 400 ");
  PREDICT("$D/null.parquet", "--nan absent", "out.csv");
  PREDICT("$D/two_indices.parquet", "--row a", "out.csv");
  SAME("out.csv", "ids.csv");
}

static void parquet_refused(void)
{
  if (!shell_has_parquet()) {
    REFUSED(1, "$PQF fit $D/matrix.parquet.gzip --output $T/x.pqf", "Arrow's C++ library");
    return;
  }
  REFUSED(1, "$PQF fit $D/text_column.parquet --output $T/x.pqf", "\"colour\" is not numeric");
  REFUSED(1, "$PQF fit $D/two_indices.parquet --output $T/x.pqf", "more than one column");
  REFUSED(1, "$PQF fit $D/null.parquet --output $T/x.pqf", "--nan absent");
  REFUSED(1, "$PQF fit $D/long.parquet --row who --output $T/x.pqf", "\"who\"");
  REFUSED(1, "$PQF fit $D/range_index.parquet --value 9 --output $T/x.pqf", "\"9\"");
  shell_file("bad.parquet", "1,2\n");
  REFUSED(1, "$PQF fit $T/bad.parquet --output $T/x.pqf", "not a Parquet file");
  EXPECT(0, "gzip -c $D/long.parquet > $T/zipped.parquet");
  REFUSED(1, "$PQF fit $T/zipped.parquet --output $T/x.pqf", "compressed as a whole");
  EXPECT(0, "head -c 500 $D/long.parquet > $T/cut.parquet");
  REFUSED(1, "$PQF fit $T/cut.parquet --output $T/x.pqf", "cut.parquet: ");
  /* every eighth byte of a file turned round: an error in words, or a model, but never a crash */
  EXPECT(0, "size=$(stat -c %s $D/long.parquet); for at in $(seq 4 8 $size); do "
            "cp $D/long.parquet $T/bent.parquet; "
            "printf '\\377' | dd of=$T/bent.parquet bs=1 seek=$at conv=notrunc status=none; "
            "$PQF fit $T/bent.parquet --output $T/x.pqf --epochs 1 --quiet 2> $T/words; "
            "test $? -le 1 || exit 9; done; rm -f $T/x.pqf");
}

static void outputs(void)
{
  write_references();
  EXPECT(0, "$PQF fit $T/ids_in.csv --output $T/o.pqf --epochs 20 --quiet && cd $T && "
            "for name in o.csv o.csv.gz o.npy; do $PQF predict o.pqf --output $name; done && "
            "gzip -dc o.csv.gz | cmp - ids.csv && cmp o.csv ids.csv");
  /* what is written reads back as the same numbers */
  PREDICT("$T/o.npy", "", "from_npy.csv");
  EXPECT(0, "cut -d, -f2- $T/o.csv | tail -n +2 > $T/o_plain.csv");
  PREDICT("$T/o_plain.csv", "", "from_csv.csv");
  SAME("from_npy.csv", "from_csv.csv");
  PREDICT("$T/o.csv.gz", "", "from_gz.csv");
  if (!shell_has_parquet())
    return;
  EXPECT(0, "cd $T && for name in o.parquet o.parquet.gzip o.parquet.zst; do "
            "$PQF predict o.pqf --output $name || exit 1; "
            "$PQF fit $name --output again.pqf --epochs 20 --quiet || exit 1; "
            "$PQF predict again.pqf --output again.csv; cmp again.csv from_gz.csv || exit 1; done");
}

static void ids_in_quotes(void)
{
  static const char text[] = ",\"a,b\",\"c\"\"d\",\" e\",\"f\ng\"\n\"u;1\",1,2,3,4\nu2,5,6,7,8\n";
  shell_file("odd.csv", text);
  PREDICT("$T/odd.csv", "--learning-rate 1e-4", "out.csv");
  EXPECT(0, "head -n 3 $T/out.csv | sed 's/[0-9.e-]*,[-0-9.e,]*$//'");
  PRINTED(",\"a,b\",\"c\"\"d\",\" e\",\"f\ng\"\n\"u;1\"\n");
  PREDICT("$T/out.csv", "", "again.csv");
  EXPECT(0, "head -n 2 $T/again.csv");
  PRINTED(",\"a,b\",\"c\"\"d\",\" e\",\"f\ng\"\n");
}

void suite_formats(void)
{
  CU_pSuite suite = CU_add_suite("formats", NULL, NULL);
  CU_add_test(suite, "wide CSV reads the same in all its spellings", csv_wide);
  CU_add_test(suite, "CSV: what is guessed, and the flags that overrule it",
              csv_guesses_and_overrides);
  CU_add_test(suite, "long CSV", csv_long);
  CU_add_test(suite, "CSV that cannot be read names its line", csv_refused);
  CU_add_test(suite, "Matrix Market", matrix_market);
  CU_add_test(suite, "Matrix Market files that are refused", matrix_market_refused);
  CU_add_test(suite, ".npy of every version, type and order", npy);
  CU_add_test(suite, ".npy files that are refused", npy_refused);
  CU_add_test(suite, "Parquet in every compression and layout", parquet);
  CU_add_test(suite, "Parquet files that are refused", parquet_refused);
  CU_add_test(suite, "outputs read back as what they were", outputs);
  CU_add_test(suite, "ids that need quotes come back", ids_in_quotes);
}
