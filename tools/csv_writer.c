/* Sheets as CSV (RFC 4180, lines ended by LF), compressed (fast rather than small) if the name ends
 * in .gz. zlib's gzwrite() in its transparent mode writes plain files too. Texts are written as
 * they are, but for a terminal. */
#include "../src/escape.h"
#include "failure.h"
#include "number.h"
#include "writer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { BUFFER = 1 << 18, ROOM = 64 }; /* room for one number */

typedef struct pqf_csv_writing {
  pqf_output *output;
  const pqf_sheet *sheet;
  gzFile file;
  bool is_shown; /* on a terminal: what it would obey is escaped */
  size_t filled;
  char buffer[BUFFER];
} pqf_csv_writing;

static int flush(pqf_csv_writing *writing)
{
  errno = 0;
  if (writing->filled > 0 &&
      gzwrite(writing->file, writing->buffer, (unsigned int)writing->filled) <= 0)
    return pqf_output_fail(writing->output);
  writing->filled = 0;
  return PQF_OK;
}

static int put(pqf_csv_writing *writing, const char *text, size_t length)
{
  for (size_t done = 0; done < length;) {
    size_t piece = BUFFER - writing->filled;
    if (piece > length - done)
      piece = length - done;
    memcpy(writing->buffer + writing->filled, text + done, piece);
    writing->filled += piece;
    done += piece;
    if (writing->filled == BUFFER) {
      const int status = flush(writing);
      if (status != PQF_OK)
        return status;
    }
  }
  return PQF_OK;
}

/* A text that would not read back as it is goes between quotes. */
static bool needs_quotes(const char *text, size_t length)
{
  if (length == 0 || text[0] == ' ' || text[length - 1] == ' ')
    return true;
  for (size_t n = 0; n < length; ++n)
    if (strchr(",;\t\"\r\n", text[n]) != NULL)
      return true;
  return false;
}

/* One character of a text that stands between quotes or not; `*used` is its length. */
static int put_character(pqf_csv_writing *writing, const char *text, int64_t left, int64_t *used)
{
  char next[PQF_ESCAPED];
  *used = 1;
  if (*text == '"')
    return put(writing, "\"\"", 2);
  if (!writing->is_shown)
    return put(writing, text, 1);
  const size_t length = pqf_escape_next(text, left, next, used);
  return put(writing, next, length);
}

static int put_text(pqf_csv_writing *writing, const char *text, size_t length)
{
  const bool quoted = needs_quotes(text, length);
  if (!quoted && !writing->is_shown)
    return put(writing, text, length);
  int status = quoted ? put(writing, "\"", 1) : PQF_OK;
  int64_t used = 1;
  for (size_t n = 0; n < length && status == PQF_OK; n += (size_t)used)
    status = put_character(writing, text + n, (int64_t)(length - n), &used);
  return status == PQF_OK && quoted ? put(writing, "\"", 1) : status;
}

static int put_id(pqf_csv_writing *writing, const pqf_id *id)
{
  char text[32];
  if (id->text != NULL)
    return put_text(writing, id->text, (size_t)id->length);
  const int length = snprintf(text, sizeof text, "%" PRId64, id->number);
  return put(writing, text, (size_t)length);
}

static int put_header(pqf_csv_writing *writing)
{
  const pqf_sheet *sheet = writing->sheet;
  int status = PQF_OK;
  for (int32_t n = 0; n < sheet->id_columns && status == PQF_OK; ++n) {
    const size_t length = strlen(sheet->id_names[n]);
    status = length > 0 ? put_text(writing, sheet->id_names[n], length) : PQF_OK;
    if (status == PQF_OK)
      status = put(writing, ",", 1);
  }
  for (int64_t n = 0; n < sheet->value_columns && status == PQF_OK; ++n) {
    status = put_id(writing, &sheet->value_names[n]);
    if (status == PQF_OK && n + 1 < sheet->value_columns)
      status = put(writing, ",", 1);
  }
  if (status == PQF_OK && sheet->time_name != NULL)
    status = put(writing, ",", 1);
  if (status == PQF_OK && sheet->time_name != NULL)
    status = put_text(writing, sheet->time_name, strlen(sheet->time_name));
  return status == PQF_OK ? put(writing, "\n", 1) : status;
}

static int open_csv(void **state, pqf_output *output, const pqf_sheet *sheet)
{
  *state = NULL;
  pqf_csv_writing *writing = pqf_resize(NULL, 1, sizeof *writing);
  if (writing == NULL)
    return PQF_ENOMEM;
  writing->output = output;
  writing->sheet = sheet;
  writing->filled = 0;
  writing->file = NULL;
  writing->is_shown = isatty(output->file) == 1;
  *state = writing;
  const int file = dup(output->file);
  if (file < 0)
    return pqf_output_fail(output);
  errno = ENOMEM;
  writing->file = gzdopen(file, pqf_ends_in(output->path, ".gz") ? "wb1" : "wbT");
  if (writing->file == NULL) {
    (void)close(file);
    return pqf_output_fail(output);
  }
  return sheet->header ? put_header(writing) : PQF_OK;
}

static int put_values(pqf_csv_writing *writing, const float *values, const double *time)
{
  const int64_t count = writing->sheet->value_columns;
  for (int64_t n = 0; n < count; ++n) {
    if (writing->filled + ROOM > BUFFER) {
      const int status = flush(writing);
      if (status != PQF_OK)
        return status;
    }
    writing->filled += pqf_float_write(values[n], writing->buffer + writing->filled);
    if (n + 1 < count)
      writing->buffer[writing->filled++] = ',';
  }
  if (time == NULL)
    return put(writing, "\n", 1);
  char text[PQF_FLOAT_TEXT + 2] = ",";
  size_t length = 1 + pqf_double_write(*time, text + 1);
  text[length++] = '\n';
  return put(writing, text, length);
}

static int write_csv(void *state, const pqf_sheet_block *block)
{
  pqf_csv_writing *writing = state;
  const pqf_sheet *sheet = writing->sheet;
  for (int64_t row = 0; row < block->rows; ++row) {
    int status = PQF_OK;
    for (int32_t n = 0; n < sheet->id_columns && status == PQF_OK; ++n) {
      status = put_id(writing, &block->ids[n][row]);
      if (status == PQF_OK)
        status = put(writing, ",", 1);
    }
    if (status == PQF_OK)
      status = put_values(writing, block->values + row * sheet->value_columns,
                          sheet->time_name != NULL ? block->times + row : NULL);
    if (status != PQF_OK)
      return status;
  }
  return PQF_OK;
}

static int finish_csv(void *state)
{
  pqf_csv_writing *writing = state;
  const int status = flush(writing);
  errno = 0;
  const int closed = gzclose(writing->file);
  writing->file = NULL;
  return status == PQF_OK && closed != Z_OK ? pqf_output_fail(writing->output) : status;
}

static void close_csv(void *state)
{
  pqf_csv_writing *writing = state;
  if (writing != NULL && writing->file != NULL)
    (void)gzclose(writing->file);
  free(writing);
}

const pqf_writer pqf_csv_writer = {open_csv, write_csv, finish_csv, close_csv};
