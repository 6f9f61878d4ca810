/* Numbers as text. A program that embeds the library may have set a locale with a decimal comma;
 * option values and model files must not follow it, so printf and strtod run in the "C" locale of
 * this thread for the length of one call.
 *
 * 17 digits give every double back; 15 or 16 often do, and are what a person wrote: 0.1 rather
 * than 0.10000000000000001. */
#include "number_text.h"

#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct plain_locale {
  locale_t plain;
  locale_t before;
} plain_locale;

static plain_locale enter_plain_locale(void)
{
  plain_locale entered;
  entered.plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  entered.before = uselocale(entered.plain);
  return entered;
}

static void leave_plain_locale(plain_locale entered)
{
  uselocale(entered.before);
  if (entered.plain != (locale_t)0)
    freelocale(entered.plain);
}

void pqf_number_print(double value, char out[PQF_NUMBER_TEXT])
{
  if (!isfinite(value)) { /* printf may give "-nan" */
    snprintf(out, PQF_NUMBER_TEXT, "%s", isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
    return;
  }
  const plain_locale entered = enter_plain_locale();
  for (int digits = 15; digits <= 17; ++digits) {
    snprintf(out, PQF_NUMBER_TEXT, "%.*g", digits, value);
    const double again = strtod(out, NULL);
    if (memcmp(&again, &value, sizeof value) == 0)
      break;
  }
  leave_plain_locale(entered);
}

/* strtod and strtoll skip leading spaces and know forms that are not ours. */
static int made_of(const char *text, const char *characters)
{
  return text[0] != '\0' && text[strspn(text, characters)] == '\0';
}

int pqf_number_parse(const char *text, double *out)
{
  const double infinity = (double)INFINITY;
  if (strcmp(text, "nan") == 0) {
    *out = (double)NAN;
    return 1;
  }
  if (strcmp(text, "inf") == 0 || strcmp(text, "-inf") == 0) {
    *out = text[0] == '-' ? -infinity : infinity;
    return 1;
  }
  if (!made_of(text, "0123456789+-.eE"))
    return 0;
  const plain_locale entered = enter_plain_locale();
  char *end;
  *out = strtod(text, &end);
  leave_plain_locale(entered);
  return end != text && *end == '\0';
}

int pqf_integer_parse(const char *text, int64_t *out)
{
  if (!made_of(text, "0123456789+-"))
    return 0;
  char *end;
  errno = 0;
  const long long value = strtoll(text, &end, 10);
  *out = value;
  return end != text && *end == '\0' && errno == 0;
}

int pqf_unsigned_parse(const char *text, uint64_t *out)
{
  if (!made_of(text, "0123456789")) /* strtoull would wrap "-1" round */
    return 0;
  char *end;
  errno = 0;
  const unsigned long long value = strtoull(text, &end, 10);
  *out = value;
  return *end == '\0' && errno == 0;
}
