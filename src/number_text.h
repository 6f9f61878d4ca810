/* Numbers as text, the same in every locale. */
#ifndef PQF_SRC_NUMBER_TEXT_H
#define PQF_SRC_NUMBER_TEXT_H

#include <stdint.h>

enum { PQF_NUMBER_TEXT = 32 }; /* bytes that hold any number, NUL included */

/* Writes the shortest text that reads back as the same number; "nan", "inf" and "-inf" for those
 * that are none. */
void pqf_number_print(double value, char out[PQF_NUMBER_TEXT]);

/* Each reads the whole of a text and returns 1, or returns 0 if it is no such number: decimal
 * digits, no spaces around, nothing hexadecimal; of an integer also if it is beyond its type's
 * range. A double beyond its range reads as infinity; it may also be one of the three words. */
int pqf_number_parse(const char *text, double *out);
int pqf_integer_parse(const char *text, int64_t *out);
int pqf_unsigned_parse(const char *text, uint64_t *out);

#endif
