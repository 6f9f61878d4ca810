/* A BLAS is called with one thread from inside a parallel loop. */
#ifndef PQF_BACKENDS_BLAS_THREADS_H
#define PQF_BACKENDS_BLAS_THREADS_H

/* Between the two the BLAS uses one thread per call; calls may overlap. */
void pqf_blas_pin(void);
void pqf_blas_unpin(void);

/* The BLAS that was loaded, in a few words. */
const char *pqf_blas_name(void);

#endif
