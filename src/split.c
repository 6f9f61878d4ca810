/* Which cells of a list are held out.
 *
 * At random, a cell at place n (or, by whole rows, in row n) has the uniform draw u number n of the
 * seed, and is in the fold f that has
 *
 *     f fraction <= u < (f + 1) fraction
 *
 * so that folds are disjoint, and together everything when 1 / fraction is a whole number.
 *
 * By time, the places of each row are brought together by a counting sort, and a heap over the
 * first `last` of them, with the earliest at its root, keeps the latest met so far. */
#include "error.h"
#include "memory.h"
#include "number_text.h"
#include "options.h"
#include "random.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

_Static_assert(sizeof(pqf_split_options) == 4 * sizeof(uint64_t) + 2 * sizeof(int32_t),
               "pqf_split_options has padding");

enum {
  LEAST_OPTIONS = 40, /* sizeof(pqf_split_options) in 0.2.0 */
  DRAWS_AT_ONCE = 512
};

/* Streams of draws; 0 and 1 are those of initial factors. */
static const uint32_t cell_stream = 2;
static const uint32_t row_stream = 3;

/* Whole folds of a size. */
static double fold_count(double fraction)
{
  return floor(1 / fraction);
}

static int read_options(pqf_split_options *out, const pqf_split_options *given)
{
  *out = (pqf_split_options)PQF_SPLIT_OPTIONS_INIT;
  if (given == NULL)
    return PQF_OK;
  const int status = pqf_read_sized(out, sizeof *out, LEAST_OPTIONS, given, "pqf_split_options");
  if (status != PQF_OK)
    return status;
  if (out->method < PQF_SPLIT_RANDOM || out->method > PQF_SPLIT_ROWS)
    return pqf_fail(PQF_EINVAL, "method is %" PRId32 ": must be one of PQF_SPLIT_...", out->method);
  if (out->method == PQF_SPLIT_LAST) {
    if (out->last < 0)
      return pqf_fail(PQF_EINVAL, "last is %" PRId64 ": must be 0 or more", out->last);
    return PQF_OK;
  }
  char fraction[PQF_NUMBER_TEXT];
  pqf_number_print(out->fraction, fraction);
  if (!(out->fraction >= 0 && out->fraction <= 1))
    return pqf_fail(PQF_EINVAL, "fraction is %s: must be from 0 to 1", fraction);
  if (out->fold < 0 || out->fold >= fold_count(out->fraction)) {
    char last[PQF_NUMBER_TEXT];
    pqf_number_print(fold_count(out->fraction) - 1, last);
    return pqf_fail(PQF_EINVAL,
                    "fold is %" PRId32 ": with a fraction of %s there are folds 0 to %s", out->fold,
                    fraction, last);
  }
  return PQF_OK;
}

static int check_list(int64_t rows, int64_t count, const int32_t *row, const double *time,
                      int32_t method)
{
  if (rows < 1 || rows > INT32_MAX)
    return pqf_fail(PQF_EINVAL, "the number of rows is %" PRId64 ", not from 1 to %" PRId32, rows,
                    INT32_MAX);
  if (count < 0)
    return pqf_fail(PQF_EINVAL, "the number of cells is %" PRId64, count);
  if (count > 0 && row == NULL)
    return pqf_fail(PQF_EINVAL, "row is NULL");
  if (method == PQF_SPLIT_LAST && count > 0 && time == NULL)
    return pqf_fail(PQF_EINVAL, "time is NULL: method PQF_SPLIT_LAST needs it");
  if (method != PQF_SPLIT_LAST && time != NULL)
    return pqf_fail(PQF_EINVAL, "time is given: only method PQF_SPLIT_LAST goes by it");
  for (int64_t n = 0; n < count; n++) {
    if (row[n] < 0 || row[n] >= rows)
      return pqf_fail(PQF_EINVAL, "entry %" PRId64 ": row %" PRId32 " is not from 0 to %" PRId64, n,
                      row[n], rows - 1);
    if (time != NULL && isnan(time[n]))
      return pqf_fail(PQF_EINVAL, "entry %" PRId64 ": the time is NaN", n);
  }
  return PQF_OK;
}

/* Sets out[n] to 1 where draw n of a stream is in the fold. */
static void draw_fold(const pqf_split_options *options, uint32_t stream, int64_t count,
                      uint8_t *out)
{
  const double folds = fold_count(options->fraction);
  const double low = options->fold * options->fraction;
  /* The last of the folds that are everything together ends at 1, whatever rounding says. */
  const int is_end = folds * options->fraction >= 1 - 0x1p-52 && options->fold + 1.0 == folds;
  const double high = is_end ? 1 : (options->fold + 1.0) * options->fraction;
  double draw[DRAWS_AT_ONCE];
  for (int64_t first = 0; first < count; first += DRAWS_AT_ONCE) {
    const int64_t left = count - first;
    const int64_t drawn = left < DRAWS_AT_ONCE ? left : DRAWS_AT_ONCE;
    pqf_uniform_draws(options->seed, stream, first, drawn, draw);
    for (int64_t n = 0; n < drawn; n++)
      out[first + n] = draw[n] >= low && draw[n] < high;
  }
}

static int split_rows(const pqf_split_options *options, int64_t rows, int64_t count,
                      const int32_t *row, uint8_t *out)
{
  uint8_t *held_out = pqf_allocate(rows, sizeof *held_out);
  if (held_out == NULL)
    return PQF_ENOMEM;
  draw_fold(options, row_stream, rows, held_out);
  for (int64_t n = 0; n < count; n++)
    out[n] = held_out[row[n]];
  pqf_release(held_out);
  return PQF_OK;
}

static int is_later(const double *time, int64_t a, int64_t b)
{
  return time[a] != time[b] ? time[a] > time[b] : a > b;
}

/* Puts `place` at the root, whose place is free, and lets it sink below those that are earlier. */
static void sink(int64_t *heap, int64_t count, int64_t root, int64_t place, const double *time)
{
  for (;;) {
    int64_t child = 2 * root + 1;
    if (child >= count)
      break;
    if (child + 1 < count && is_later(time, heap[child], heap[child + 1]))
      child++;
    if (is_later(time, heap[child], place))
      break;
    heap[root] = heap[child];
    root = child;
  }
  heap[root] = place;
}

/* Holds out the `last` latest of a row's places, of which there are more. */
static void hold_out_latest(int64_t *place, int64_t count, int64_t last, const double *time,
                            uint8_t *out)
{
  for (int64_t root = last / 2 - 1; root >= 0; root--)
    sink(place, last, root, place[root], time);
  for (int64_t n = last; n < count; n++)
    if (is_later(time, place[n], place[0]))
      sink(place, last, 0, place[n], time);
  for (int64_t n = 0; n < last; n++)
    out[place[n]] = 1;
}

static int split_last(int64_t last, int64_t rows, int64_t count, const int32_t *row,
                      const double *time, uint8_t *out)
{
  int64_t *offset = pqf_allocate_zeroed(rows + 2, sizeof *offset);
  int64_t *place = pqf_allocate(count, sizeof *place);
  int status = PQF_ENOMEM;
  if (offset == NULL || place == NULL)
    goto out;
  for (int64_t n = 0; n < count; n++)
    offset[row[n] + 2]++;
  for (int64_t n = 0; n < rows; n++)
    offset[n + 2] += offset[n + 1];
  for (int64_t n = 0; n < count; n++)
    place[offset[row[n] + 1]++] = n;
  if (count > 0)
    memset(out, 0, (size_t)count);
  for (int64_t n = 0; n < rows && last > 0; n++) {
    const int64_t cells = offset[n + 1] - offset[n];
    if (cells > last)
      hold_out_latest(place + offset[n], cells, last, time, out);
  }
  status = PQF_OK;
out:
  pqf_release(offset);
  pqf_release(place);
  return status;
}

int pqf_split(int64_t rows, int64_t count, const int32_t *row, const double *time,
              const pqf_split_options *options, uint8_t *out)
{
  pqf_split_options chosen;
  int status = read_options(&chosen, options);
  if (status == PQF_OK)
    status = check_list(rows, count, row, time, chosen.method);
  if (status != PQF_OK)
    return status;
  if (count > 0 && out == NULL)
    return pqf_fail(PQF_EINVAL, "out is NULL");
  switch (chosen.method) {
  case PQF_SPLIT_LAST:
    return split_last(chosen.last, rows, count, row, time, out);
  case PQF_SPLIT_ROWS:
    return split_rows(&chosen, rows, count, row, out);
  default:
    draw_fold(&chosen, cell_stream, count, out);
    return PQF_OK;
  }
}
