/* The BLAS: loaded when the first large dense product needs one. See blas_library.c. */
#ifndef PQF_BACKENDS_BLAS_LIBRARY_H
#define PQF_BACKENDS_BLAS_LIBRARY_H

#include "pqf_backend.h"

#include <cblas.h>
#include <stddef.h>

/* What the back end calls. Members after `sgemm` are NULL where the BLAS has no such function. */
typedef struct pqf_blas {
  __typeof__(&cblas_sgemm) sgemm;

  char *(*openblas_get_config)(void);
  void (*openblas_set_num_threads)(int threads);
  int (*openblas_get_num_threads)(void);
  void *(*openblas_buffer_get)(int reserved); /* blas_memory_alloc */
  void (*openblas_buffer_free)(void *buffer); /* blas_memory_free */

  void (*blis_set_num_threads)(long threads);
  long (*blis_get_num_threads)(void);
} pqf_blas;

/* The BLAS that a static program is linked with: see blas_linked.c. The symbol is weak: its address
 * is NULL in every other program, and in libpqf.so. */
extern const pqf_blas pqf_blas_linked __attribute__((weak, visibility("hidden")));

/* Loads the BLAS, or finds it loaded. PQF_ENOMEM: there is no room for it; PQF_EBACKEND: it is not
 * there. Calls must not overlap. */
int pqf_blas_load(const pqf_blas **out, const pqf_host *host);

/* The BLAS in a few words, without loading it. */
void pqf_blas_describe(char *words, size_t capacity);

/* Bytes of address space that each thread's calls take, of the BLAS that is loaded, or that this
 * build is for. */
uint64_t pqf_blas_buffer_size(void);

/* Whether so many pieces of memory can be mapped. */
int pqf_blas_has_room(int64_t pieces, uint64_t bytes);

#endif
