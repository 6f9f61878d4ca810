/* Steps that build data from Arrow streams: well-made ones, whose contents may be refused.
 * fuzz_arrow has the others. */
#include "arrow_builder.h"
#include "calls_state.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LINES = 24 };

/* Ids of `count` lines: few different ones, so that they meet again. */
static struct ArrowArray *choose_ids(int64_t count, int64_t different, const char **format)
{
  static char text[LINES][ID_TEXT];
  const char *texts[LINES];
  int64_t numbers[LINES];
  const int is_text = calls_choose(2) == 0;
  const int64_t base = calls_choose(4) == 0 ? 1000 : 0;
  for (int64_t n = 0; n < count; n++) {
    numbers[n] = base + calls_next() % different;
    snprintf(text[n], sizeof text[n], "%c%d", base != 0 ? 'u' : 'a', (int)(numbers[n] % 1000));
    texts[n] = text[n];
  }
  *format = is_text ? "u" : "l";
  return is_text ? arrow_texts("u", texts, count, NULL) : arrow_integers(numbers, count, NULL);
}

static struct ArrowArray *choose_values(int64_t count)
{
  float values[LINES];
  char validity[LINES + 1] = {0};
  const int has_nulls = calls_choose(4) == 0;
  for (int64_t n = 0; n < count; n++) {
    values[n] = calls_value();
    validity[n] = has_nulls && calls_choose(4) == 0 ? '0' : '1';
  }
  return arrow_floats(values, count, has_nulls ? validity : NULL);
}

/* Gives the stream to the library and puts what comes of it into a slot. */
static void take(struct ArrowArrayStream *stream, const char *row, const char *col,
                 const char *value)
{
  calls_data *slot = &calls.data[calls_choose(DATA_SLOTS)];
  pqf_data_options options = PQF_DATA_OPTIONS_INIT;
  pqf_data *data = (pqf_data *)slot;
  options.nan_is_absent = (int32_t)calls_choose(2);
  options.duplicates = (int32_t)calls_choose(3);
  options.threads = calls_choose(2) == 0 ? 1 : 3;
  if (calls_rarely())
    arrow_fail_at(stream, (int64_t)calls_choose(3) - 1, EIO, "the producer failed");
  const int status = CALL(pqf_data_arrow(&data, stream, row, col, value, &options));
  HOLDS((data != NULL) == (status == PQF_OK), "arrow: data and status %d", status);
  HOLDS(stream->release == NULL && arrow_live == 0, "arrow: the stream is not released");
  calls_drop_data(slot);
  slot->data = data;
  slot->rows = pqf_data_rows(data);
  slot->cols = pqf_data_cols(data);
  slot->ids[PQF_ROWS].kind = -1;
  slot->ids[PQF_COLS].kind = -1;
}

void calls_step_arrow_long(void)
{
  const int64_t count = calls_choose(LINES + 1);
  const char *row_format;
  const char *col_format;
  struct ArrowArray *rows = choose_ids(count, SIDE, &row_format);
  struct ArrowArray *cols = choose_ids(count, SIDE, &col_format);
  struct ArrowArray *columns[] = {rows, cols, choose_values(count)};
  struct ArrowSchema *fields[] = {arrow_field("user", row_format), arrow_field("item", col_format),
                                  arrow_field("stars", "f")};
  struct ArrowArrayStream stream = arrow_one_batch(3, fields, columns);
  take(&stream, "user", calls_rarely() ? "absent" : "item", "stars");
}

void calls_step_arrow_wide(void)
{
  enum { MOST_COLUMNS = 6 };
  const int64_t lines = calls_choose(SIDE + 1);
  const int64_t numeric = 1 + calls_choose(MOST_COLUMNS - 1);
  const int has_ids = calls_choose(2) == 0;
  struct ArrowArray *columns[MOST_COLUMNS];
  struct ArrowSchema *fields[MOST_COLUMNS];
  int64_t count = 0;
  for (; count < numeric; count++) {
    char name[ID_TEXT];
    snprintf(name, sizeof name, "i%d", (int)count);
    columns[count] = choose_values(lines);
    fields[count] = arrow_field(name, "f");
  }
  if (has_ids) {
    const char *format;
    columns[count] = choose_ids(lines, 200, &format);
    fields[count++] = arrow_field("user", format);
  }
  struct ArrowArrayStream stream = arrow_one_batch(count, fields, columns);
  take(&stream, has_ids ? "user" : NULL, NULL, NULL);
}
