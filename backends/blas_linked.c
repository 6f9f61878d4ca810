/* The BLAS of a program that is linked with libpqf.a. Nothing in the archive needs this object, so
 * that it and the BLAS that it names are linked only where the linker is told to look for
 * pqf_blas_linked: `pkg-config --static --libs libpqf` does, by -u. Other programs load the BLAS
 * when it is needed, as libpqf.so does. */
#include "blas_library.h"

/* The reference library's name may stand for another: hence weak symbols, NULL when nobody has
 * them. */
#if !defined(PQF_BLAS_OPENBLAS)
extern char *openblas_get_config(void) __attribute__((weak));
extern void openblas_set_num_threads(int threads) __attribute__((weak));
extern int openblas_get_num_threads(void) __attribute__((weak));
#endif
extern void *blas_memory_alloc(int reserved) __attribute__((weak));
extern void blas_memory_free(void *buffer) __attribute__((weak));
#if defined(PQF_BLAS_BLIS)
#define OF_BLIS /* its archive is asked for them */
#else
#define OF_BLIS __attribute__((weak))
#endif
extern void bli_thread_set_num_threads(long threads) OF_BLIS;
extern long bli_thread_get_num_threads(void) OF_BLIS;

const pqf_blas pqf_blas_linked = {
    .sgemm = cblas_sgemm,
    .openblas_get_config = openblas_get_config,
    .openblas_set_num_threads = openblas_set_num_threads,
    .openblas_get_num_threads = openblas_get_num_threads,
    .openblas_buffer_get = blas_memory_alloc,
    .openblas_buffer_free = blas_memory_free,
    .blis_set_num_threads = bli_thread_set_num_threads,
    .blis_get_num_threads = bli_thread_get_num_threads,
};
