/* Which cells are held out: at random, by whole rows, by time. */
#include "random.h"
#include "suites.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Uniform draws --------------------------------------------------------------------------- */

/* Philox 4x32-10 of a counter and a key that are all zeros gives 6627e8d5 e169c58d bc57ac4c
 * 9b00dbd8 (the first of the known answers that its authors publish). */
static void draws_are_philox(void)
{
  double draws[3];
  pqf_uniform_draws(0, 0, 0, 3, draws);
  CU_ASSERT_EQUAL(draws[0], (double)(UINT64_C(0x6627e8d5e169c58d) >> 11) / 0x1p53);
  CU_ASSERT_EQUAL(draws[1], (double)(UINT64_C(0xbc57ac4c9b00dbd8) >> 11) / 0x1p53);
  CU_ASSERT(draws[2] >= 0 && draws[2] < 1 && draws[2] != draws[0]);
}

static void draws_depend_on_their_number_alone(void)
{
  enum { COUNT = 50 };
  double whole[COUNT];
  double part[COUNT];
  double other[COUNT];
  int different = 0;
  pqf_uniform_draws(42, 7, 0, COUNT, whole);
  for (int64_t first = 0; first < COUNT; ++first)
    for (int64_t count = 0; first + count <= COUNT; ++count) {
      pqf_uniform_draws(42, 7, first, count, part);
      different += memcmp(part, whole + first, (size_t)count * sizeof *part) != 0;
    }
  CU_ASSERT_EQUAL(different, 0);
  pqf_uniform_draws(43, 7, 0, COUNT, other);
  CU_ASSERT_NOT_EQUAL(memcmp(whole, other, sizeof whole), 0);
  pqf_uniform_draws(42, 8, 0, COUNT, other);
  CU_ASSERT_NOT_EQUAL(memcmp(whole, other, sizeof whole), 0);
}

/* With n draws the share of a tenth of the range errs by sqrt(0.09 / n); five times that is passed
 * once in two million shares, and the seed is fixed. */
static void draws_are_uniform(void)
{
  enum { COUNT = 1 << 18, PARTS = 10 };
  double *draws = test_allocate(COUNT, sizeof *draws);
  int64_t part[PARTS] = {0};
  double product = 0;
  pqf_uniform_draws(1, 2, 0, COUNT, draws);
  for (int64_t n = 0; n < COUNT; ++n) {
    ++part[(int)(draws[n] * PARTS)];
    product += (draws[n] - 0.5) * (draws[(n + 1) % COUNT] - 0.5);
  }
  for (int n = 0; n < PARTS; ++n)
    CHECK_AT_MOST(fabs((double)part[n] / COUNT - 0.1), 5 * sqrt(0.09 / COUNT), "a share");
  CHECK_AT_MOST(fabs(product / COUNT) * 12, 5 / sqrt(COUNT), "the correlation of neighbours");
  free(draws);
}

/* ---- At random ------------------------------------------------------------------------------- */

enum { ROWS = 300, CELLS = 20000 };

static void fill_rows(int32_t *row, uint64_t seed)
{
  for (int64_t n = 0; n < CELLS; ++n)
    row[n] = (int32_t)(ROWS * test_uniform(&seed));
}

static int64_t sum(const uint8_t *flags, int64_t count)
{
  int64_t total = 0;
  for (int64_t n = 0; n < count; ++n)
    total += flags[n];
  return total;
}

static pqf_split_options split_by(int32_t method, double fraction, int32_t fold, uint64_t seed)
{
  pqf_split_options options = PQF_SPLIT_OPTIONS_INIT;
  options.method = method;
  options.fraction = fraction;
  options.fold = fold;
  options.seed = seed;
  return options;
}

static void cells_are_held_out_by_their_place(void)
{
  int32_t row[CELLS];
  int32_t other_row[CELLS];
  uint8_t out[CELLS];
  uint8_t again[CELLS];
  const double error = 5 * sqrt(0.1 * 0.9 / CELLS);
  fill_rows(row, 1);
  fill_rows(other_row, 2);
  REQUIRE_OK(pqf_split(ROWS, CELLS, row, NULL, NULL, out));
  CHECK_AT_MOST(fabs((double)sum(out, CELLS) / CELLS - 0.1), error, "the share held out");
  memset(again, 9, sizeof again);
  REQUIRE_OK(pqf_split(ROWS, CELLS - 777, other_row, NULL, NULL, again));
  CU_ASSERT_EQUAL(memcmp(out, again, CELLS - 777), 0);
  CU_ASSERT_EQUAL(again[CELLS - 777], 9);
  const pqf_split_options other_seed = split_by(PQF_SPLIT_RANDOM, 0.1, 0, 1);
  REQUIRE_OK(pqf_split(ROWS, CELLS, row, NULL, &other_seed, again));
  int64_t both = 0;
  for (int64_t n = 0; n < CELLS; ++n)
    both += out[n] && again[n];
  CHECK_AT_MOST(fabs((double)both / CELLS - 0.01), error, "the share held out by both seeds");
}

/* `folds` disjoint sets; `rest`: what is in none of them. */
static void check_folds(int32_t method, double fraction, int32_t folds, double rest)
{
  int32_t row[CELLS];
  uint8_t out[CELLS];
  uint8_t times[CELLS] = {0};
  const double spread = sqrt((method == PQF_SPLIT_ROWS ? 1.1 / ROWS : 0) + 1.0 / CELLS);
  fill_rows(row, 3);
  for (int32_t fold = 0; fold < folds; ++fold) {
    const pqf_split_options options = split_by(method, fraction, fold, 11);
    if (!CHECK_OK(pqf_split(ROWS, CELLS, row, NULL, &options, out)))
      return;
    for (int64_t n = 0; n < CELLS; ++n)
      times[n] = (uint8_t)(times[n] + out[n]);
    CHECK_AT_MOST(fabs((double)sum(out, CELLS) / CELLS - fraction),
                  5 * spread * sqrt(fraction * (1 - fraction)), "the share of a fold");
  }
  int64_t most = 0;
  for (int64_t n = 0; n < CELLS; ++n)
    most = times[n] > most ? times[n] : most;
  CU_ASSERT_EQUAL(most, 1);
  CHECK_AT_MOST(fabs(1 - (double)sum(times, CELLS) / CELLS - rest),
                rest > 0 ? 5 * spread * sqrt(rest * (1 - rest)) : 0, "the share in no fold");
  const pqf_split_options beyond = split_by(method, fraction, folds, 11);
  CHECK_STATUS(pqf_split(ROWS, CELLS, row, NULL, &beyond, out), PQF_EINVAL);
  CHECK_WORDS("fold is");
}

static void folds_are_disjoint(void)
{
  static const int32_t methods[] = {PQF_SPLIT_RANDOM, PQF_SPLIT_ROWS};
  for (size_t n = 0; n < 2; ++n) {
    check_folds(methods[n], 0.1, 10, 0);
    check_folds(methods[n], 0.2, 5, 0);
    check_folds(methods[n], 1.0 / 3, 3, 0);
    check_folds(methods[n], 1, 1, 0);
    check_folds(methods[n], 0.3, 3, 0.1);
    check_folds(methods[n], 0.6, 1, 0.4);
  }
  const int32_t row = 0;
  uint8_t held_out;
  const pqf_split_options of_many = split_by(PQF_SPLIT_RANDOM, 0x1p-31, INT32_MAX, 0);
  CHECK_OK(pqf_split(1, 1, &row, NULL, &of_many, &held_out)); /* the last of 2^31 */
  for (int32_t folds = 1; folds <= 60; ++folds) { /* those of 1 / 49 end below 1 by rounding */
    uint8_t out;
    const pqf_split_options last = split_by(PQF_SPLIT_RANDOM, 1.0 / folds, folds - 1, 0);
    CHECK_OK(pqf_split(1, 1, (const int32_t[]){0}, NULL, &last, &out));
  }
}

static void nothing_may_be_held_out(void)
{
  int32_t row[CELLS];
  uint8_t out[CELLS];
  const pqf_split_options none = split_by(PQF_SPLIT_RANDOM, 0, 3, 0);
  fill_rows(row, 4);
  REQUIRE_OK(pqf_split(ROWS, CELLS, row, NULL, &none, out));
  CU_ASSERT_EQUAL(sum(out, CELLS), 0);
  CHECK_OK(pqf_split(ROWS, 0, NULL, NULL, NULL, NULL));
}

static void rows_stay_whole(void)
{
  int32_t row[CELLS];
  uint8_t out[CELLS];
  int held[ROWS];
  int split = 0;
  const pqf_split_options options = split_by(PQF_SPLIT_ROWS, 0.25, 1, 5);
  fill_rows(row, 5);
  REQUIRE_OK(pqf_split(ROWS, CELLS, row, NULL, &options, out));
  for (int n = 0; n < ROWS; ++n)
    held[n] = -1;
  for (int64_t n = 0; n < CELLS; ++n) {
    split += held[row[n]] >= 0 && held[row[n]] != out[n];
    held[row[n]] = out[n];
  }
  CU_ASSERT_EQUAL(split, 0);
  CU_ASSERT(sum(out, CELLS) > 0);
}

/* ---- By time --------------------------------------------------------------------------------- */

static pqf_split_options split_last(int64_t last)
{
  pqf_split_options options = PQF_SPLIT_OPTIONS_INIT;
  options.method = PQF_SPLIT_LAST;
  options.last = last;
  return options;
}

static void last_by_hand(void)
{
  static const int32_t row[] = {0, 1, 0, 2, 0, 1, 0, 1};
  static const double time[] = {9, 1, 5, 3, 7, 1, 7, 1};
  static const uint8_t one[] = {1, 0, 0, 0, 0, 0, 0, 1};
  static const uint8_t two[] = {1, 0, 0, 0, 0, 1, 1, 1}; /* of equal times the later entry */
  static const uint8_t three[] = {1, 0, 0, 0, 1, 0, 1, 0};
  static const uint8_t *const want[] = {one, two, three};
  uint8_t out[8];
  for (int64_t last = 1; last <= 3; ++last) {
    const pqf_split_options options = split_last(last);
    memset(out, 9, sizeof out);
    CHECK_OK(pqf_split(4, 8, row, time, &options, out));
    CU_ASSERT_EQUAL(memcmp(out, want[last - 1], sizeof out), 0);
  }
  const pqf_split_options all = split_last(INT64_MAX);
  CHECK_OK(pqf_split(4, 8, row, time, &all, out));
  CU_ASSERT_EQUAL(sum(out, 8), 0);
  const pqf_split_options none = split_last(0);
  CHECK_OK(pqf_split(4, 8, row, time, &none, out));
  CU_ASSERT_EQUAL(sum(out, 8), 0);
  CHECK_OK(pqf_split(4, 0, NULL, NULL, &none, NULL));
}

/* Held out: fewer than `last` cells of the row come after it, and the row has more than `last`. */
static void last_at_random(void)
{
  enum { COUNT = 1500, SOME_ROWS = 40 };
  int32_t row[COUNT];
  double time[COUNT];
  uint8_t out[COUNT];
  uint64_t state = 6;
  for (int64_t n = 0; n < COUNT; ++n) {
    row[n] = (int32_t)(SOME_ROWS * pow(test_uniform(&state), 2));
    time[n] = floor(20 * test_uniform(&state)) - 10;
  }
  time[17] = INFINITY;
  for (int64_t last = 1; last < 60; last += 3) {
    const pqf_split_options options = split_last(last);
    int different = 0;
    REQUIRE_OK(pqf_split(SOME_ROWS, COUNT, row, time, &options, out));
    for (int64_t n = 0; n < COUNT; ++n) {
      int64_t cells = 0;
      int64_t later = 0;
      for (int64_t m = 0; m < COUNT; ++m) {
        cells += row[m] == row[n];
        later += row[m] == row[n] && (time[m] != time[n] ? time[m] > time[n] : m > n);
      }
      different += out[n] != (cells > last && later < last);
    }
    CU_ASSERT_EQUAL(different, 0);
  }
}

/* ---- What goes wrong ------------------------------------------------------------------------- */

static void check_refused(int64_t rows, const int32_t *row, const double *time,
                          const pqf_split_options *options, const char *words)
{
  uint8_t out[3];
  CHECK_STATUS(pqf_split(rows, 3, row, time, options, out), PQF_EINVAL);
  CHECK_WORDS(words);
}

static void split_refuses(void)
{
  static const int32_t row[] = {0, 1, 1};
  static const int32_t wrong[] = {0, 2, -1};
  static const double time[] = {1, 2, 3};
  const double no_time[] = {1, NAN, 3};
  const pqf_split_options last = split_last(1);
  const pqf_split_options negative = split_last(-1);
  const double fractions[] = {-0.1, 1.1, NAN};
  uint8_t out[3];
  check_refused(0, row, NULL, NULL, "rows is 0");
  check_refused((int64_t)INT32_MAX + 1, row, NULL, NULL, "rows is 2147483648");
  check_refused(2, NULL, NULL, NULL, "row is NULL");
  check_refused(2, wrong, NULL, NULL, "entry 1: row 2 is not from 0 to 1");
  check_refused(2, wrong + 2, NULL, NULL, "entry 0: row -1");
  check_refused(2, row, time, NULL, "time is given");
  check_refused(2, row, NULL, &last, "time is NULL");
  check_refused(2, row, no_time, &last, "entry 1: the time is NaN");
  check_refused(2, row, time, &negative, "last is -1");
  for (int n = 0; n < 3; ++n) {
    const pqf_split_options options = split_by(PQF_SPLIT_RANDOM, fractions[n], 0, 0);
    check_refused(2, row, NULL, &options, "fraction is");
  }
  const pqf_split_options before = split_by(PQF_SPLIT_ROWS, 0.5, -1, 0);
  check_refused(2, row, NULL, &before, "folds 0 to 1");
  const pqf_split_options unknown = split_by(3, 0.5, 0, 0);
  check_refused(2, row, NULL, &unknown, "method is 3");
  CHECK_STATUS(pqf_split(2, -1, row, NULL, NULL, out), PQF_EINVAL);
  CHECK_WORDS("cells is -1");
  CHECK_STATUS(pqf_split(2, 3, row, NULL, NULL, NULL), PQF_EINVAL);
  CHECK_WORDS("out is NULL");
}

static void sizes_of_structs(void)
{
  struct {
    pqf_split_options known;
    uint64_t more;
  } options = {PQF_SPLIT_OPTIONS_INIT, 0};
  static const int32_t row[] = {0, 1, 1};
  uint8_t out[3];
  options.known.size = sizeof options;
  CHECK_OK(pqf_split(2, 3, row, NULL, &options.known, out));
  options.more = 1;
  CHECK_STATUS(pqf_split(2, 3, row, NULL, &options.known, out), PQF_EINVAL);
  options.known.size = sizeof options.known - 8;
  CHECK_STATUS(pqf_split(2, 3, row, NULL, &options.known, out), PQF_EINVAL);
}

static int split_once(void *payload)
{
  static const int32_t row[] = {0, 1, 1};
  static const double time[] = {1, 2, 3};
  const pqf_split_options *options = payload;
  uint8_t out[3];
  return pqf_split(2, 3, row, options->method == PQF_SPLIT_LAST ? time : NULL, options, out);
}

static void every_allocation_may_fail(void)
{
  for (int32_t method = PQF_SPLIT_RANDOM; method <= PQF_SPLIT_ROWS; ++method) {
    pqf_split_options options = split_by(method, 0.5, 0, 0);
    test_every_allocation(split_once, &options);
  }
}

void suite_split(void)
{
  CU_pSuite suite = CU_add_suite("split", NULL, NULL);
  CU_add_test(suite, "uniform draws are Philox's", draws_are_philox);
  CU_add_test(suite, "a draw depends on its number alone", draws_depend_on_their_number_alone);
  CU_add_test(suite, "draws are uniform", draws_are_uniform);
  CU_add_test(suite, "cells by their place", cells_are_held_out_by_their_place);
  CU_add_test(suite, "folds are disjoint", folds_are_disjoint);
  CU_add_test(suite, "nothing may be held out", nothing_may_be_held_out);
  CU_add_test(suite, "rows stay whole", rows_stay_whole);
  CU_add_test(suite, "the last by time, by hand", last_by_hand);
  CU_add_test(suite, "the last by time, at random", last_at_random);
  CU_add_test(suite, "what split refuses", split_refuses);
  CU_add_test(suite, "sizes of structs", sizes_of_structs);
  CU_add_test(suite, "every allocation may fail", every_allocation_may_fail);
}
