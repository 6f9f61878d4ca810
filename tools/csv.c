/* Fields stand between separators: comma, tab or semicolon, whichever the first line has most of
 * outside quotes. A field that begins with a quote ends with one; in it a doubled quote is a quote,
 * and separators and line ends are text. Spaces around a field without quotes are dropped.
 *
 * Written here rather than taken from libcsv: that one, unchanged since 2013, passes over blank
 * lines without a word and counts none, so that an error could not name its line; and a call per
 * field costs more than the field. */
#include "csv.h"

#include "failure.h"
#include "pqf.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Where a scan for quotes stands. */
enum { FIELD_START, PLAIN, QUOTED, QUOTE_IN_QUOTED };

int pqf_csv_open(pqf_csv *csv, const char *path)
{
  *csv = (pqf_csv){0};
  return pqf_text_open(&csv->text, path);
}

void pqf_csv_close(pqf_csv *csv)
{
  pqf_text_close(&csv->text);
  free(csv->fields);
  *csv = (pqf_csv){0};
}

static char guess_separator(const char *line)
{
  static const char candidates[] = ",\t;";
  int64_t counts[3] = {0, 0, 0};
  bool quoted = false;
  for (; *line != '\0'; ++line) {
    const char *found = strchr(candidates, *line);
    if (*line == '"')
      quoted = !quoted;
    else if (!quoted && found != NULL)
      ++counts[found - candidates];
  }
  const int most = counts[1] > counts[0] ? 1 : 0;
  return candidates[counts[2] > counts[most] ? 2 : most];
}

static int step(int state, char c, char separator)
{
  if (state == QUOTED)
    return c == '"' ? QUOTE_IN_QUOTED : QUOTED;
  if (c == separator)
    return FIELD_START;
  if (c == '"' && (state == FIELD_START || state == QUOTE_IN_QUOTED))
    return QUOTED;
  return state == FIELD_START && c == ' ' ? FIELD_START : PLAIN;
}

/* Appends lines until no quote is open. Each byte is looked at once. */
static int complete(pqf_csv *csv)
{
  pqf_text_file *text = &csv->text;
  size_t looked = 0;
  int state = FIELD_START;
  if (memchr(text->buffer + text->start, '"', text->length) == NULL)
    return 1;
  for (;;) {
    const char *line = text->buffer + text->start;
    for (; looked < text->length; ++looked)
      state = step(state, line[looked], csv->separator);
    if (state != QUOTED)
      return 1;
    const int more = pqf_text_more(text);
    if (more < 0)
      return more;
    if (more == 0)
      return pqf_say(PQF_EFORMAT, "%s:%" PRId64 ": a quote that opens here never closes",
                     text->path, csv->line);
  }
}

/* Takes the quotes off the field at `from`; returns what follows its closing quote. */
static char *unquote(char *from)
{
  char *to = from;
  for (++from; *from != '\0'; ++from) {
    if (*from == '"' && *++from != '"')
      break;
    *to++ = *from;
  }
  while (*from == ' ')
    ++from;
  *to = '\0'; /* at least two bytes before `from`: the quotes are gone */
  return from;
}

static char *trim(char *from, char *end)
{
  while (end > from && end[-1] == ' ')
    --end;
  *end = '\0';
  return from;
}

/* Cuts the present record into fields, in place. */
static int split(pqf_csv *csv)
{
  char *at = csv->text.buffer + csv->text.start;
  csv->count = 0;
  for (bool last = false; !last;) {
    if (csv->count == csv->capacity) {
      char **fields = pqf_grow(csv->fields, &csv->capacity, csv->count + 1, sizeof *fields);
      if (fields == NULL)
        return PQF_ENOMEM;
      csv->fields = fields;
    }
    while (*at == ' ')
      ++at;
    char *field = at;
    if (*at == '"') {
      at = unquote(at);
      if (*at != csv->separator && *at != '\0')
        return pqf_say(PQF_EFORMAT,
                       "%s:%" PRId64 ": text behind the closing quote of field %" PRId64,
                       csv->text.path, csv->line, csv->count + 1);
      last = *at == '\0';
    } else {
      while (*at != csv->separator && *at != '\0')
        ++at;
      last = *at == '\0';
      (void)trim(field, at);
    }
    csv->fields[csv->count++] = field;
    ++at;
  }
  return 1;
}

int pqf_csv_next(pqf_csv *csv)
{
  int found;
  do {
    found = pqf_text_next(&csv->text);
  } while (found == 1 && csv->text.length == 0);
  if (found != 1)
    return found;
  csv->line = csv->text.line;
  if (csv->separator == '\0')
    csv->separator = guess_separator(csv->text.buffer + csv->text.start);
  found = complete(csv);
  return found == 1 ? split(csv) : found;
}

int pqf_csv_check_count(const pqf_csv *csv, int64_t count)
{
  if (csv->count == count)
    return PQF_OK;
  return pqf_say(PQF_EFORMAT,
                 "%s:%" PRId64 ": %" PRId64 " field%s where the first line has %" PRId64,
                 csv->text.path, csv->line, csv->count, csv->count == 1 ? "" : "s", count);
}
