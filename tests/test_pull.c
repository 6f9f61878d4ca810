/* Data from chunks: that cells arrive whatever the chunks, and every mistake a callback can make.
 * That chunks give the bits of a list is in test_duplicates.c too. */
#include "sparse_cells.h"
#include "suites.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>

enum { MOST_CHUNKS = 4 };

/* Chunks as they are written down; the first one without cells is the last that is asked for. */
typedef struct script {
  int64_t asked;
  int64_t cancel_at; /* -1: never */
  pqf_chunk chunk[MOST_CHUNKS];
} script;

static int play(pqf_chunk *chunk, void *payload)
{
  script *s = payload;
  CU_ASSERT_EQUAL(chunk->size, sizeof *chunk);
  CU_ASSERT(chunk->count == 0 && chunk->row == NULL && chunk->col == NULL && chunk->value == NULL &&
            chunk->weight == NULL);
  CU_ASSERT_FATAL(s->asked < MOST_CHUNKS);
  if (s->asked == s->cancel_at)
    return 1;
  *chunk = s->chunk[s->asked++];
  return 0;
}

static const int32_t rows[] = {2, 0, 1, 4, -1};
static const int32_t cols[] = {0, 1, 2, 3, 1};
static const float values[] = {3, 4, 5, 6, NAN};
static const float weights[] = {1, 0, 2, -3, 1};

/* Of 4 x 3; cells from `first` on. */
static pqf_chunk some(int64_t first, int64_t count)
{
  return (pqf_chunk){.size = sizeof(pqf_chunk),
                     .count = count,
                     .row = rows + first,
                     .col = cols + first,
                     .value = values + first};
}

static int pull(pqf_data **out, script *s, const pqf_data_options *options)
{
  const int status = pqf_data_pull(out, 4, 3, play, s, options);
  CU_ASSERT_EQUAL(*out == NULL, status != PQF_OK);
  return status;
}

static void check_refused(script s, int status, const char *words)
{
  pqf_data *data;
  CHECK_STATUS(pull(&data, &s, NULL), status);
  CHECK_WORDS(words);
}

static void values_may_be_left_out(void)
{
  const float mixed[] = {3, 1, 5};
  script with = {.cancel_at = -1, .chunk = {some(0, 1), some(1, 1), some(2, 1)}};
  script without = {.cancel_at = -1, .chunk = {some(0, 3)}};
  pqf_data *data;
  pqf_data *want;
  with.chunk[1].value = NULL;
  REQUIRE_OK(pull(&data, &with, NULL));
  CU_ASSERT_EQUAL(with.asked, 4);
  REQUIRE_OK(pqf_data_coo(&want, 4, 3, 3, rows, cols, mixed, NULL, NULL));
  CU_ASSERT(same_sparse_data(data, want));
  pqf_data_free(data);
  pqf_data_free(want);
  without.chunk[0].value = NULL;
  REQUIRE_OK(pull(&data, &without, NULL));
  REQUIRE_OK(pqf_data_coo(&want, 4, 3, 3, rows, cols, NULL, NULL, NULL));
  CU_ASSERT(same_sparse_data(data, want));
  pqf_data_free(data);
  pqf_data_free(want);
}

static void no_chunks_are_sparse_data(void)
{
  script none = {.cancel_at = -1};
  pqf_data *data;
  REQUIRE_OK(pull(&data, &none, NULL));
  CU_ASSERT_EQUAL(none.asked, 1);
  CU_ASSERT_EQUAL(pqf_data_rows(data), 4);
  CU_ASSERT_EQUAL(pqf_data_cols(data), 3);
  CU_ASSERT_EQUAL(pqf_data_count(data), 0);
  pqf_data_free(data);
}

static void cells_are_checked_as_they_come(void)
{
  script s = {.cancel_at = -1, .chunk = {some(0, 2), some(2, 1), some(3, 1)}};
  check_refused(s, PQF_EINVAL, "entry 3: row 4 is not from 0 to 3");
  s.chunk[2] = some(4, 1);
  check_refused(s, PQF_EINVAL, "entry 3: row -1 is not from 0 to 3");
  s.chunk[2].row = rows;
  check_refused(s, PQF_EINVAL, "entry 3: value of cell (2, 1) is NaN");
  s.chunk[2] = some(2, 1);
  s.chunk[2].col = cols + 3;
  check_refused(s, PQF_EINVAL, "entry 3: column 3 is not from 0 to 2");
  s.chunk[2] = some(2, 1);
  check_refused(s, PQF_EINVAL, "cell (1, 2) is given twice");
  for (int n = 0; n < 3; ++n)
    s.chunk[n].weight = weights + n;
  s.chunk[2].weight = weights + 3;
  check_refused(s, PQF_EINVAL, "entry 3: weight of cell (1, 2) is -3, not a finite number");
}

/* Entries that are left out are counted all the same when a later one is named. */
static void nan_can_be_absent(void)
{
  const float gaps[] = {NAN, 4, NAN};
  const int32_t beyond = 3;
  pqf_data_options options = PQF_DATA_OPTIONS_INIT;
  script s = {.cancel_at = -1, .chunk = {some(0, 2), some(2, 1)}};
  pqf_data *data;
  options.nan_is_absent = 1;
  s.chunk[0].value = gaps;
  s.chunk[1].value = gaps + 2;
  REQUIRE_OK(pull(&data, &s, &options));
  CU_ASSERT_EQUAL(pqf_data_count(data), 1);
  pqf_data_free(data);
  s.asked = 0;
  s.chunk[1].col = &beyond;
  CHECK_STATUS(pull(&data, &s, &options), PQF_EINVAL);
  CHECK_WORDS("entry 2: column 3");
}

static void broken_chunks_are_refused(void)
{
  script s = {.cancel_at = -1, .chunk = {some(0, 2), some(2, 1)}};
  s.chunk[1].count = -1;
  check_refused(s, PQF_EINVAL, "chunk 1: the number of cells is -1");
  s.chunk[1] = some(2, 1);
  s.chunk[1].row = NULL;
  check_refused(s, PQF_EINVAL, "chunk 1: row is NULL");
  s.chunk[1] = some(2, 1);
  s.chunk[1].col = NULL;
  check_refused(s, PQF_EINVAL, "chunk 1: col is NULL");
  s.chunk[1] = some(2, 1);
  s.chunk[1].weight = weights;
  check_refused(s, PQF_EINVAL, "chunk 1 has weights, those before it have none");
  s.chunk[0].weight = weights;
  s.chunk[1].weight = NULL;
  check_refused(s, PQF_EINVAL, "chunk 1 has no weights, those before it have");
}

static void callback_can_end_it(void)
{
  script s = {.cancel_at = 1, .chunk = {some(0, 2)}};
  check_refused(s, PQF_ECANCELED, "after 1 chunks");
  s.cancel_at = 0;
  check_refused(s, PQF_ECANCELED, "after 0 chunks");
}

static void pull_arguments_are_checked(void)
{
  script s = {.cancel_at = -1};
  pqf_data_options options = PQF_DATA_OPTIONS_INIT;
  pqf_data *data;
  CHECK_STATUS(pqf_data_pull(NULL, 4, 3, play, &s, NULL), PQF_EINVAL);
  CHECK_WORDS("out is NULL");
  CHECK_STATUS(pqf_data_pull(&data, 4, 3, NULL, &s, NULL), PQF_EINVAL);
  CHECK_WORDS("pull is NULL");
  CHECK_STATUS(pqf_data_pull(&data, 0, 3, play, &s, NULL), PQF_EINVAL);
  CHECK_WORDS("rows is 0");
  CHECK_STATUS(pqf_data_pull(&data, 4, INT64_C(1) << 31, play, &s, NULL), PQF_EINVAL);
  CHECK_WORDS("columns is 2147483648");
  options.threads = -1;
  CHECK_STATUS(pqf_data_pull(&data, 4, 3, play, &s, &options), PQF_EINVAL);
  CHECK_WORDS("threads is -1");
  CU_ASSERT_PTR_NULL(data);
  CU_ASSERT_EQUAL(s.asked, 0);
}

void suite_pull(void)
{
  CU_pSuite suite = CU_add_suite("pull", NULL, NULL);
  CU_add_test(suite, "values may be left out", values_may_be_left_out);
  CU_add_test(suite, "no chunks are sparse data", no_chunks_are_sparse_data);
  CU_add_test(suite, "cells are checked as they come", cells_are_checked_as_they_come);
  CU_add_test(suite, "chunks: NaN can be absent", nan_can_be_absent);
  CU_add_test(suite, "broken chunks are refused", broken_chunks_are_refused);
  CU_add_test(suite, "the callback can end it", callback_can_end_it);
  CU_add_test(suite, "chunks: arguments are checked", pull_arguments_are_checked);
}
