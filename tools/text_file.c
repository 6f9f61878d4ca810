/* zlib's gzread() passes plain files through, so one way of reading does for both. Lines are ended
 * in place by NUL; the buffer grows to hold the longest.
 *
 * A few kilobytes of gzip expand to gigabytes. What is read stops at the first NUL, which no text
 * has, and at a line that no table has. */
#include "text_file.h"

#include "failure.h"
#include "pqf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER = 1 << 18, LONGEST_LINE = 1 << 28 };

int pqf_text_open(pqf_text_file *text, const char *path)
{
  *text = (pqf_text_file){.path = path, .capacity = BUFFER};
  text->buffer = pqf_resize(NULL, BUFFER, 1);
  if (text->buffer == NULL)
    return PQF_ENOMEM;
  errno = 0;
  text->file = gzopen(path, "rb");
  if (text->file == NULL) {
    const int status = errno != 0 ? PQF_EIO : PQF_ENOMEM;
    (void)pqf_say(status, "%s: %s", path, strerror(errno != 0 ? errno : ENOMEM));
    pqf_text_close(text);
    return status;
  }
  (void)gzbuffer(text->file, BUFFER);
  return PQF_OK;
}

void pqf_text_close(pqf_text_file *text)
{
  if (text->file != NULL)
    (void)gzclose(text->file);
  free(text->buffer);
  *text = (pqf_text_file){0};
}

/* A file that stops within its compressed data, or is damaged, reads to here without an end. */
static int check_end(const pqf_text_file *text, int got)
{
  int code = Z_OK;
  const char *words = gzerror(text->file, &code);
  if (got >= 0 && (code == Z_OK || code == Z_STREAM_END))
    return PQF_OK;
  if (code == Z_ERRNO)
    return pqf_say(PQF_EIO, "%s: %s", text->path, strerror(errno));
  return pqf_say(PQF_EFORMAT, "%s: damaged gzip data (%s)", text->path, words);
}

/* Moves the present line to the front of the buffer and reads more behind it. */
static int fill(pqf_text_file *text)
{
  if (text->start > 0) {
    memmove(text->buffer, text->buffer + text->start, text->filled - text->start);
    text->filled -= text->start;
    text->next -= text->start;
    text->start = 0;
  }
  if (text->capacity - text->filled < BUFFER / 2) {
    if (text->capacity >= LONGEST_LINE)
      return pqf_say(PQF_EFORMAT, "%s:%" PRId64 ": a line of more than %d bytes", text->path,
                     text->line, LONGEST_LINE);
    char *larger = pqf_resize(text->buffer, (int64_t)text->capacity * 2, 1);
    if (larger == NULL)
      return PQF_ENOMEM;
    text->buffer = larger;
    text->capacity *= 2;
  }
  const size_t room = text->capacity - text->filled - 1; /* one byte for the last line's NUL */
  const int got = gzread(text->file, text->buffer + text->filled, (unsigned int)room);
  if (got <= 0) {
    text->ended = true;
    return check_end(text, got);
  }
  if (memchr(text->buffer + text->filled, '\0', (size_t)got) != NULL)
    text->has_zero = true;
  text->filled += (size_t)got;
  return PQF_OK;
}

static int fail_zero(const pqf_text_file *text)
{
  return pqf_say(PQF_EFORMAT, "%s:%" PRId64 ": a zero byte: this is no text file", text->path,
                 text->line);
}

/* Reads on from `next` to the end of a line, which becomes the end of the present one. */
static int find_end(pqf_text_file *text)
{
  const char *end = NULL;
  size_t searched = text->next - text->start;
  for (;;) {
    const size_t from = text->start + searched;
    if (from < text->filled)
      end = memchr(text->buffer + from, '\n', text->filled - from);
    if (end != NULL || text->ended)
      break;
    if (text->has_zero) /* it is in this line, whose end is not here yet */
      return fail_zero(text);
    searched = text->filled - text->start;
    const int status = fill(text);
    if (status != PQF_OK)
      return status;
  }
  if (end == NULL && text->next == text->filled)
    return 0;
  const size_t first = text->next;
  size_t past = end != NULL ? (size_t)(end - text->buffer) : text->filled;
  text->next = end != NULL ? past + 1 : past;
  if (past > first && text->buffer[past - 1] == '\r')
    --past;
  text->length = past - text->start;
  text->buffer[past] = '\0';
  if (memchr(text->buffer + first, '\0', past - first) != NULL)
    return fail_zero(text);
  return 1;
}

int pqf_text_next(pqf_text_file *text)
{
  text->start = text->next;
  text->length = 0;
  ++text->line;
  const int found = find_end(text);
  if (found == 1 && text->line == 1 && text->length >= 3 &&
      memcmp(text->buffer + text->start, "\xef\xbb\xbf", 3) == 0) {
    text->start += 3; /* the byte order mark of UTF-8 */
    text->length -= 3;
  }
  return found;
}

int pqf_text_more(pqf_text_file *text)
{
  const size_t end = text->start + text->length;
  text->buffer[end] = text->next > end + 1 ? '\r' : '\n';
  ++text->line;
  return find_end(text);
}
