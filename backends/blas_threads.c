/* OpenBLAS and BLIS have only process-wide settings for their threads. One counter owns them: the
 * first fit in saves them and sets one thread, the last one out restores them. Which BLAS is there
 * shows at load time, since the reference library's name may stand for OpenBLAS: hence weak
 * symbols, which are NULL when nobody has them. */
#include "blas_threads.h"

#include <pthread.h>
#include <stddef.h>

#if defined(PQF_BLAS_OPENBLAS)
#include <cblas.h>
#else
extern void openblas_set_num_threads(int threads) __attribute__((weak));
extern int openblas_get_num_threads(void) __attribute__((weak));
extern char *openblas_get_config(void) __attribute__((weak));
#endif
extern void bli_thread_set_num_threads(long threads) __attribute__((weak));
extern long bli_thread_get_num_threads(void) __attribute__((weak));

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int pinned;
static int openblas_threads; /* the settings to restore */
static long blis_threads;

#if defined(PQF_BLAS_OPENBLAS)
static int has_openblas(void)
{
  return 1;
}
#else
static int has_openblas(void)
{
  return openblas_set_num_threads != NULL && openblas_get_num_threads != NULL &&
         openblas_get_config != NULL;
}
#endif

static int has_blis(void)
{
  return bli_thread_set_num_threads != NULL && bli_thread_get_num_threads != NULL;
}

void pqf_blas_pin(void)
{
  pthread_mutex_lock(&mutex);
  if (pinned++ == 0) {
    if (has_openblas()) {
      openblas_threads = openblas_get_num_threads();
      openblas_set_num_threads(1);
    }
    if (has_blis()) {
      blis_threads = bli_thread_get_num_threads();
      bli_thread_set_num_threads(1);
    }
  }
  pthread_mutex_unlock(&mutex);
}

void pqf_blas_unpin(void)
{
  pthread_mutex_lock(&mutex);
  if (--pinned == 0) {
    if (has_openblas())
      openblas_set_num_threads(openblas_threads);
    if (has_blis())
      bli_thread_set_num_threads(blis_threads);
  }
  pthread_mutex_unlock(&mutex);
}

const char *pqf_blas_name(void)
{
  return has_openblas() ? openblas_get_config() : has_blis() ? "BLIS" : "reference BLAS";
}
