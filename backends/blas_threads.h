/* A BLAS is called with one thread from inside a parallel loop. */
#ifndef PQF_BACKENDS_BLAS_THREADS_H
#define PQF_BACKENDS_BLAS_THREADS_H

#include "blas_library.h"

/* The BLAS for a training on host->threads threads: loaded, with a buffer for each of them, and
 * using one thread per call until pqf_blas_end(). Trainings may overlap. PQF_ENOMEM, PQF_EBACKEND;
 * *out is then NULL. */
int pqf_blas_begin(const pqf_blas **out, const pqf_host *host);

/* After pqf_blas_begin() with the same host; a NULL `blas` is allowed. */
void pqf_blas_end(const pqf_blas *blas, const pqf_host *host);

#endif
