/* The command never calls setlocale(), so the C library's numbers have a point everywhere.
 *
 * Writing. The shortest decimal that reads back as the float v has p <= 9 digits. With e =
 * floor(log10 v) and k = p - 1 - e, it is n / 10^k for n = round(v 10^k). Six digits always lie
 * closer together than needed to reproduce a shorter decimal, so p = 6 finds every shorter one too,
 * with zeros at its end; then 7, 8 and 9 are tried. While n < 2^53 and |k| <= 22, n and 10^k are
 * exact doubles and n / 10^k is the nearest double to the decimal; rounding that to float is what
 * strtof() gives, unless the double is the very middle of two floats: then strtof() is asked. What
 * is left (|k| > 22, subnormal floats) is printed and read back by the C library. */
#include "number.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FEWEST = 6, MOST = 9, EXACT_POWER = 22 };

static const double powers[EXACT_POWER + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                               1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                               1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* Whether a text is one that strtof() reads, but for hexadecimal and named NaNs. */
static bool starts_well(const char *text)
{
  const char *digits = text + (*text == '+' || *text == '-');
  const bool known = (*digits >= '0' && *digits <= '9') || *digits == '.' || *digits == 'n' ||
                     *digits == 'N' || *digits == 'i' || *digits == 'I';
  return known && !(digits[0] == '0' && (digits[1] | 0x20) == 'x') &&
         !((*digits | 0x20) == 'n' && strchr(digits, '(') != NULL);
}

bool pqf_float_read(const char *text, float *out)
{
  if (!starts_well(text))
    return false;
  char *end;
  *out = strtof(text, &end);
  return end != text && *end == '\0';
}

bool pqf_double_read(const char *text, double *out)
{
  if (!starts_well(text))
    return false;
  char *end;
  *out = strtod(text, &end);
  return end != text && *end == '\0';
}

bool pqf_integer_read(const char *text, size_t length, int64_t *out)
{
  const bool negative = length > 0 && text[0] == '-';
  const char *digits = text + negative;
  const size_t count = length - negative;
  if (count == 0 || count > 19 || (digits[0] == '0' && (count > 1 || negative)))
    return false;
  uint64_t magnitude = 0; /* 19 digits fit */
  for (size_t n = 0; n < count; ++n) {
    if (digits[n] < '0' || digits[n] > '9')
      return false;
    magnitude = magnitude * 10 + (uint64_t)(digits[n] - '0');
  }
  if (magnitude > (uint64_t)INT64_MAX + negative)
    return false;
  *out = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
  return true;
}

/* Whether n / 10^k reads back as `value`; see above. */
static bool reads_back(int64_t n, int k, float value)
{
  const double decimal = k >= 0 ? (double)n / powers[k] : (double)n * powers[-k];
  uint64_t bits;
  memcpy(&bits, &decimal, sizeof bits);
  const uint64_t below_float = (UINT64_C(1) << 29) - 1;
  if ((bits & below_float) != UINT64_C(1) << 28)
    return (float)decimal == value;
  char text[40];
  (void)snprintf(text, sizeof text, "%" PRId64 "e%d", n, -k);
  return strtof(text, NULL) == value;
}

/* Writes n 10^(exponent - digits + 1), n having that many digits, as %g would. */
static size_t write_digits(int64_t n, int exponent, char *out)
{
  char reversed[24], digits[24];
  int count = 0;
  while (n % 10 == 0)
    n /= 10;
  for (; n > 0; n /= 10)
    reversed[count++] = (char)('0' + n % 10);
  for (int place = 0; place < count; ++place)
    digits[place] = reversed[count - 1 - place];
  digits[count] = '\0';
  if (exponent < -5 || exponent > 15)
    return (size_t)snprintf(out, PQF_FLOAT_TEXT, "%c%s%se%c%02d", digits[0], count > 1 ? "." : "",
                            digits + 1, exponent < 0 ? '-' : '+', abs(exponent));
  char *to = out;
  if (exponent < 0) {
    *to++ = '0';
    *to++ = '.';
    for (int zero = -1; zero > exponent; --zero)
      *to++ = '0';
  }
  for (int place = 0; place < count || place <= exponent; ++place) {
    if (place == exponent + 1 && exponent >= 0)
      *to++ = '.';
    *to++ = place < count ? digits[place] : '0';
  }
  *to = '\0';
  return (size_t)(to - out);
}

static size_t write_slowly(float value, char *out)
{
  int length = 0;
  for (int precision = 1; precision <= MOST; ++precision) {
    length = snprintf(out, PQF_FLOAT_TEXT, "%.*g", precision, (double)value);
    if (strtof(out, NULL) == value)
      break;
  }
  return (size_t)length;
}

size_t pqf_float_write(float value, char out[PQF_FLOAT_TEXT])
{
  const double magnitude = fabs((double)value);
  if (!(magnitude >= 1e-12 && magnitude < 1e20))
    return write_slowly(value, out);
  int exponent = (int)floor(log10(magnitude));
  char *to = out;
  if (value < 0)
    *to++ = '-';
  for (int precision = FEWEST; precision <= MOST; ++precision) {
    const int k = precision - 1 - exponent;
    const double scaled = k >= 0 ? magnitude * powers[k] : magnitude / powers[-k];
    const int64_t n = (int64_t)(scaled + 0.5);
    if (reads_back(n, k, (float)magnitude)) {
      if (n >= (int64_t)powers[precision])
        ++exponent; /* rounded up to the next power of ten */
      return (size_t)(to - out) + write_digits(n, exponent, to);
    }
  }
  return write_slowly(value, out);
}

size_t pqf_double_write(double value, char out[PQF_FLOAT_TEXT])
{
  int length = 0;
  *out = '\0';
  for (int precision = 15; precision <= 17 && !isnan(value); ++precision) {
    length = snprintf(out, PQF_FLOAT_TEXT, "%.*g", precision, value);
    if (strtod(out, NULL) == value)
      break;
  }
  return (size_t)length;
}
