/* Matrix Market files (NIST): a banner `%%MatrixMarket matrix FORMAT FIELD SYMMETRY`, comment lines
 * that start with %, a size line, then one entry per line.
 *
 * coordinate: `rows cols entries`, then `row col value` counted from 1; of a pattern the value is
 * left out and is 1. array: `rows cols`, then the values of one column after the other. A symmetric
 * or skew-symmetric matrix lists its lower triangle alone (without the diagonal if skew): entry
 * (i, j) stands for (j, i) too, with the sign turned if skew.
 *
 * Memory grows with what has been read, never with what the size line claims. */
#include "failure.h"
#include "input.h"
#include "number.h"
#include "text_file.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { GENERAL, SYMMETRIC, SKEW };

typedef struct pqf_market {
  pqf_text_file text;
  pqf_table *table;
  bool coordinate;
  bool pattern;
  int symmetry;
  int64_t rows;
  int64_t cols;
  int64_t entries; /* that the size line announces */
} pqf_market;

static int fail_here(const pqf_market *market, const char *what)
{
  return pqf_say(PQF_EFORMAT, "%s:%" PRId64 ": %s: \"%.60s\"", market->text.path, market->text.line,
                 what, market->text.buffer + market->text.start);
}

/* Cuts the present line into words; returns how many there are, at most `most` + 1. */
static int cut(pqf_market *market, char **word, int most)
{
  static const char blanks[] = " \t";
  char *at = market->text.buffer + market->text.start;
  int count = 0;
  for (;;) {
    at += strspn(at, blanks);
    if (*at == '\0')
      return count;
    if (count == most)
      return most + 1;
    word[count++] = at;
    at += strcspn(at, blanks);
    if (*at != '\0')
      *at++ = '\0';
  }
}

static bool read_count(const char *word, int64_t most, int64_t *out)
{
  return word != NULL && pqf_integer_read(word, strlen(word), out) && *out >= 0 && *out <= most;
}

static int read_banner(pqf_market *market)
{
  char *word[5];
  const int found = pqf_text_next(&market->text);
  if (found < 0)
    return found;
  if (found == 0 || cut(market, word, 5) != 5 || strcasecmp(word[1], "matrix") != 0)
    return fail_here(market, "not the banner of a Matrix Market matrix");
  market->coordinate = strcasecmp(word[2], "coordinate") == 0;
  market->pattern = strcasecmp(word[3], "pattern") == 0;
  if (!market->coordinate && strcasecmp(word[2], "array") != 0)
    return pqf_say(PQF_EFORMAT, "%s:1: unknown format \"%.60s\"", market->text.path, word[2]);
  if ((!market->pattern || !market->coordinate) && strcasecmp(word[3], "real") != 0 &&
      strcasecmp(word[3], "integer") != 0 && strcasecmp(word[3], "double") != 0)
    return pqf_say(PQF_EFORMAT, "%s:1: values of the kind \"%.60s\" are not supported",
                   market->text.path, word[3]);
  if (strcasecmp(word[4], "general") == 0)
    market->symmetry = GENERAL;
  else if (strcasecmp(word[4], "symmetric") == 0)
    market->symmetry = SYMMETRIC;
  else if (strcasecmp(word[4], "skew-symmetric") == 0)
    market->symmetry = SKEW;
  else
    return pqf_say(PQF_EFORMAT, "%s:1: a symmetry of the kind \"%.60s\" is not supported",
                   market->text.path, word[4]);
  return PQF_OK;
}

/* Goes to the next line that holds something, and is no comment. */
static int next_line(pqf_market *market)
{
  for (;;) {
    const int found = pqf_text_next(&market->text);
    if (found != 1)
      return found;
    const char *line = market->text.buffer + market->text.start;
    line += strspn(line, " \t");
    if (*line != '\0' && *line != '%')
      return 1;
  }
}

static int read_size(pqf_market *market)
{
  char *word[3] = {NULL};
  const int found = next_line(market);
  const int wanted = market->coordinate ? 3 : 2;
  if (found < 0)
    return found;
  if (found == 0 || cut(market, word, wanted) != wanted ||
      !read_count(word[0], INT32_MAX, &market->rows) ||
      !read_count(word[1], INT32_MAX, &market->cols) ||
      (market->coordinate && !read_count(word[2], INT64_MAX, &market->entries)))
    return fail_here(market, market->coordinate ? "this should be rows, columns and entries"
                                                : "this should be rows and columns");
  if (market->rows == 0 || market->cols == 0)
    return fail_here(market, "a matrix without rows or columns");
  if (market->symmetry != GENERAL && market->rows != market->cols)
    return fail_here(market, "a symmetric matrix is square");
  return PQF_OK;
}

static int read_value(const pqf_market *market, const char *word, float *out)
{
  if (!pqf_float_read(word, out) || !isfinite(*out))
    return pqf_say(PQF_EFORMAT, "%s:%" PRId64 ": \"%.60s\" is no finite float", market->text.path,
                   market->text.line, word);
  return PQF_OK;
}

static int read_entry(pqf_market *market)
{
  char *word[3] = {NULL, NULL, NULL};
  const int wanted = market->pattern ? 2 : 3;
  int64_t row, col;
  float value = 1;
  if (cut(market, word, wanted) != wanted)
    return fail_here(market, market->pattern ? "this should be a row and a column"
                                             : "this should be a row, a column and a value");
  if (!read_count(word[0], market->rows, &row) || !read_count(word[1], market->cols, &col) ||
      row == 0 || col == 0)
    return pqf_say(
        PQF_EFORMAT,
        "%s:%" PRId64 ": cell (%.30s, %.30s) is not within 1 to %" PRId64 " and 1 to %" PRId64,
        market->text.path, market->text.line, word[0], word[1], market->rows, market->cols);
  int status = market->pattern ? PQF_OK : read_value(market, word[2], &value);
  if (status != PQF_OK)
    return status;
  if (market->symmetry == SKEW && row == col)
    return fail_here(market, "a skew-symmetric matrix has no diagonal");
  status = pqf_table_add_cell(market->table, (int32_t)(row - 1), (int32_t)(col - 1), value);
  if (status == PQF_OK && market->symmetry != GENERAL && row != col)
    status = pqf_table_add_cell(market->table, (int32_t)(col - 1), (int32_t)(row - 1),
                                market->symmetry == SKEW ? -value : value);
  return status;
}

static int fail_short(const pqf_market *market, int64_t have)
{
  return pqf_say(PQF_EFORMAT, "%s: %" PRId64 " entries where the size line promises %" PRId64,
                 market->text.path, have, market->entries);
}

static int read_coordinates(pqf_market *market)
{
  int64_t have = 0;
  int found = next_line(market);
  for (; found == 1; found = next_line(market), ++have) {
    if (have == market->entries)
      return fail_here(market, "more entries than the size line promises");
    const int status = read_entry(market);
    if (status != PQF_OK)
      return status;
  }
  if (found < 0)
    return found;
  return have == market->entries ? PQF_OK : fail_short(market, have);
}

/* Reads the listed values of an array, in the order of the file, into `*out`, which grows. */
static int read_list(pqf_market *market, float **out)
{
  int64_t capacity = 0, have = 0;
  for (; have < market->entries; ++have) {
    char *word[1];
    float *values = pqf_grow(*out, &capacity, have + 1, sizeof *values);
    if (values == NULL)
      return PQF_ENOMEM;
    *out = values;
    const int found = next_line(market);
    if (found != 1)
      return found < 0 ? found : fail_short(market, have);
    if (cut(market, word, 1) != 1)
      return fail_here(market, "this should be one value");
    const int status = read_value(market, word[0], &values[have]);
    if (status != PQF_OK)
      return status;
  }
  const int found = next_line(market);
  return found == 1 ? fail_here(market, "more values than the size line promises") : found;
}

static int read_array(pqf_market *market)
{
  const int64_t rows = market->rows, cols = market->cols;
  float *list = NULL, *values = NULL;
  if (market->symmetry == GENERAL)
    market->entries = rows * cols;
  else
    market->entries = market->symmetry == SYMMETRIC ? rows * (rows + 1) / 2 : rows * (rows - 1) / 2;
  int status = read_list(market, &list);
  if (status != PQF_OK)
    goto out;
  status = PQF_ENOMEM;
  values = pqf_resize(NULL, rows * cols, sizeof *values);
  if (values == NULL)
    goto out;
  status = PQF_OK;
  const float *next = list;
  for (int64_t col = 0; col < cols; ++col) {
    if (market->symmetry == SKEW)
      values[col * cols + col] = 0;
    const int64_t first = market->symmetry == GENERAL ? 0 : col + (market->symmetry == SKEW);
    for (int64_t row = first; row < rows; ++row) {
      assert(next != NULL); /* the list has a value for each */
      values[row * cols + col] = *next;
      if (market->symmetry != GENERAL && row != col)
        values[col * cols + row] = market->symmetry == SKEW ? -*next : *next;
      ++next;
    }
  }
  market->table->owned = values;
  market->table->values = values;
out:
  free(list);
  return status;
}

int pqf_read_matrix_market(pqf_table *out, const char *path)
{
  pqf_market market = {.table = out};
  int status = pqf_text_open(&market.text, path);
  if (status == PQF_OK)
    status = read_banner(&market);
  if (status == PQF_OK)
    status = read_size(&market);
  if (status == PQF_OK)
    status = market.coordinate ? read_coordinates(&market) : read_array(&market);
  out->rows = market.rows;
  out->cols = market.cols;
  pqf_text_close(&market.text);
  return status;
}
