/* What trainings that overlap share of a BLAS, under one mutex.
 *
 * Threads: OpenBLAS and BLIS have only process-wide settings. The first training in saves
 * them and sets one thread, the last one out restores them.
 *
 * Buffers: OpenBLAS maps one for each call that is under way, keeps it for later calls, and where
 * it gets none it asks for ever. So each training first makes sure of as many as it has threads:
 * room for all is looked for, then OpenBLAS's own allocator is asked for all at once, and has
 * them back for the calls to come. An OpenBLAS that hides its allocator, and BLIS, are given
 * the look for room alone. */
#include "blas_threads.h"

#include <inttypes.h>
#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int64_t trainings;    /* under way */
static int64_t threads;      /* of all trainings under way */
static int64_t buffers;      /* that the BLAS has for sure */
static int openblas_threads; /* the settings to restore */
static long blis_threads;

/* Has OpenBLAS map `count` buffers and keep them. */
static int fill_buffers(const pqf_blas *blas, const pqf_host *host, int64_t count)
{
  void **buffer = host->allocate(host, (uint64_t)count, sizeof *buffer);
  int64_t taken = 0;
  if (buffer == NULL)
    return PQF_ENOMEM;
  while (taken < count && (buffer[taken] = blas->openblas_buffer_get(0)) != NULL)
    taken++;
  for (int64_t n = 0; n < taken; n++)
    blas->openblas_buffer_free(buffer[n]);
  host->release(host, buffer);
  return taken == count
             ? PQF_OK
             : host->fail(host, PQF_ENOMEM,
                          "backend cpu: the BLAS has no buffers for %" PRId64 " threads", count);
}

/* A buffer for each of `count` threads. Calls that are under way hold some of those that are there,
 * so that up to `count` new ones may be mapped. */
static int reserve_buffers(const pqf_blas *blas, const pqf_host *host, int64_t count)
{
  const uint64_t size = pqf_blas_buffer_size();
  if (count <= buffers || size == 0)
    return PQF_OK;
  if (!pqf_blas_has_room(trainings > 0 ? count : count - buffers, size))
    return host->fail(host, PQF_ENOMEM,
                      "backend cpu: no address space for the BLAS, which takes %" PRIu64
                      " bytes for each of %" PRId64 " threads",
                      size, count);
  if (blas->openblas_buffer_get == NULL || blas->openblas_buffer_free == NULL)
    return PQF_OK;
  const int status = fill_buffers(blas, host, count);
  if (status == PQF_OK)
    buffers = count;
  return status;
}

static int has_openblas(const pqf_blas *blas)
{
  return blas->openblas_set_num_threads != NULL && blas->openblas_get_num_threads != NULL;
}

static int has_blis(const pqf_blas *blas)
{
  return blas->blis_set_num_threads != NULL && blas->blis_get_num_threads != NULL;
}

static void pin(const pqf_blas *blas)
{
  if (has_openblas(blas)) {
    openblas_threads = blas->openblas_get_num_threads();
    if (openblas_threads != 1)
      blas->openblas_set_num_threads(1);
  }
  if (has_blis(blas)) {
    blis_threads = blas->blis_get_num_threads();
    blas->blis_set_num_threads(1);
  }
}

static void unpin(const pqf_blas *blas)
{
  if (has_openblas(blas) && openblas_threads != blas->openblas_get_num_threads())
    blas->openblas_set_num_threads(openblas_threads);
  if (has_blis(blas))
    blas->blis_set_num_threads(blis_threads);
}

int pqf_blas_begin(const pqf_blas **out, const pqf_host *host)
{
  *out = NULL;
  const pqf_blas *blas = NULL;
  pthread_mutex_lock(&mutex);
  int status = pqf_blas_load(&blas, host);
  if (status == PQF_OK)
    status = reserve_buffers(blas, host, threads + host->threads);
  if (status == PQF_OK) {
    if (trainings++ == 0)
      pin(blas);
    threads += host->threads;
    *out = blas;
  }
  pthread_mutex_unlock(&mutex);
  return status;
}

void pqf_blas_end(const pqf_blas *blas, const pqf_host *host)
{
  if (blas == NULL)
    return;
  pthread_mutex_lock(&mutex);
  threads -= host->threads;
  if (--trainings == 0)
    unpin(blas);
  pthread_mutex_unlock(&mutex);
}
