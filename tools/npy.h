/* The head of a NumPy .npy file. */
#ifndef PQF_TOOLS_NPY_H
#define PQF_TOOLS_NPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct pqf_npy_head {
  char kind; /* 'f' or 'i' */
  int size;  /* bytes of a value: 4 or 8 */
  bool fortran;
  int64_t rows;
  int64_t cols;
  size_t data; /* offset of the first value */
} pqf_npy_head;

/* Reads the head of a file that has been mapped, and checks that the values it promises are there.
 * `path` is for words. */
int pqf_npy_read_head(pqf_npy_head *out, const char *file, size_t size, const char *path);

enum { PQF_NPY_HEAD = 128 };

/* Writes the head of a little-endian float matrix in C order; of a vector if `cols` is negative.
 * The values follow. */
void pqf_npy_write_head(char out[PQF_NPY_HEAD], int64_t rows, int64_t cols);

#endif
