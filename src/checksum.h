/* XXH64, for model files. */
#ifndef PQF_SRC_CHECKSUM_H
#define PQF_SRC_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

typedef struct pqf_checksum {
  uint64_t lane[4];
  uint64_t length;           /* bytes so far */
  unsigned char pending[32]; /* the last length % 32 of them */
} pqf_checksum;

void pqf_checksum_start(pqf_checksum *sum);
void pqf_checksum_add(pqf_checksum *sum, const void *bytes, size_t count);

enum { PQF_CHECKSUM_DIGITS = 16 };

/* The checksum of all bytes added so far, as lower-case hexadecimal digits without a NUL. */
void pqf_checksum_digits(const pqf_checksum *sum, char out[PQF_CHECKSUM_DIGITS]);

#endif
