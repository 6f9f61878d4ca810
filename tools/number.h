/* Numbers as they stand in text files. */
#ifndef PQF_TOOLS_NUMBER_H
#define PQF_TOOLS_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { PQF_FLOAT_TEXT = 32 }; /* bytes that hold any float, NUL included */

/* Reads a whole text: decimal digits with an optional sign, point and exponent, or nan, inf,
 * infinity in any case; nothing hexadecimal. Beyond float's range it reads as infinity. */
bool pqf_float_read(const char *text, float *out);

/* Likewise. */
bool pqf_double_read(const char *text, double *out);

/* Writes the shortest text that reads back as the same float; returns its length. */
size_t pqf_float_write(float value, char out[PQF_FLOAT_TEXT]);

/* Likewise, of 15 digits or more; nothing for a NaN. Returns the length. */
size_t pqf_double_write(double value, char out[PQF_FLOAT_TEXT]);

/* Reads an integer written the one way that an int64_t prints: no plus, no leading zero, no minus
 * zero, so that text and number stand for each other. `text` need not end with NUL. */
bool pqf_integer_read(const char *text, size_t length, int64_t *out);

#ifdef __cplusplus
}
#endif

#endif
