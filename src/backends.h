/* Finding a back end by name: the CPU's, linked in, or a module loaded from a folder. */
#ifndef PQF_SRC_BACKENDS_H
#define PQF_SRC_BACKENDS_H

#include "pqf_backend.h"

/* The back end of this library, in backends/cpu_blas.c. */
const pqf_backend *pqf_cpu_backend(void);

typedef struct pqf_chosen {
  pqf_backend table;  /* a copy: steps that an older module does not have are NULL */
  const char *device; /* what follows the colon in "cuda:1"; "" if nothing */
  int is_guess;       /* `auto` took a module: the CPU is to take over where it fails */
} pqf_chosen;

/* Whether a problem is large enough to gain by a GPU: see backends.c. */
int pqf_gpu_pays(int64_t factors, int64_t cells);

/* Chooses by the option `backend` ("auto" and NULL: the best usable for so many factors and present
 * cells). A named one that cannot be used is PQF_EBACKEND, with the reason in words. `device`
 * borrows from `name`. */
int pqf_backend_choose(pqf_chosen *out, const char *name, const char *backend_path, int64_t factors,
                       int64_t cells);

#endif
