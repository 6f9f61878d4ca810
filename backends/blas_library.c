/* Finding the BLAS.
 *
 * libpqf.so is not linked with a BLAS. A process that predicts, runs least squares or factorises a
 * small matrix must not pay for one: OpenBLAS starts a thread per processor when it is loaded, and
 * each thread that calls it maps a buffer of 128 MiB. Where address space is short it asks for that
 * buffer again and again, for ever. So the CBLAS of the build, by its soname, is loaded with
 * dlopen() when the first large dense product needs it. This needs no module of the library's own
 * to be installed and found, and no flavour of OpenBLAS that a system may not have; and a
 * BLAS that the program itself is linked with is not taken instead, so that results do not depend
 * on the program.
 *
 * It is loaded by a thread that may run on one processor only and ends at once: OpenBLAS starts as
 * many threads as there are processors that the loading thread may run on, less one, so it starts
 * none. (Its environment variables cannot raise that number.) Before, room for the library
 * and for a buffer is looked for.
 *
 * A static program cannot load: there blas_linked.c is linked in, which names the functions. */
#include "blas_library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#ifndef PQF_BLAS_LIBRARY
#define PQF_BLAS_LIBRARY "libopenblas.so.0"
#endif

enum { WORDS = 256 };

/* Address space for the library itself and those that it needs (OpenBLAS and libgfortran: 40 MiB),
 * and for the stack of the thread that loads it. */
static const uint64_t library_size = (uint64_t)64 << 20;

/* OpenBLAS maps 128 MiB for each call under way; BLIS takes its blocks from malloc(); the reference
 * BLAS needs nothing. */
static const uint64_t openblas_buffer = (uint64_t)128 << 20;
static const uint64_t blis_buffer = (uint64_t)16 << 20;

#if defined(PQF_BLAS_OPENBLAS)
enum { BUILT_FOR_OPENBLAS = 1, BUILT_FOR_BLIS = 0 };
static const char build_name[] = "OpenBLAS";
#elif defined(PQF_BLAS_BLIS)
enum { BUILT_FOR_OPENBLAS = 0, BUILT_FOR_BLIS = 1 };
static const char build_name[] = "BLIS";
#else
enum { BUILT_FOR_OPENBLAS = 0, BUILT_FOR_BLIS = 0 };
static const char build_name[] = "reference BLAS";
#endif

static _Atomic(const pqf_blas *) found;

static const pqf_blas *known_blas(void)
{
  return &pqf_blas_linked != NULL ? &pqf_blas_linked
                                  : atomic_load_explicit(&found, memory_order_acquire);
}

int pqf_blas_has_room(int64_t pieces, uint64_t bytes)
{
  /* Each piece holds the address of the one before. */
  void *last = NULL;
  int64_t count = 0;
  for (; count < pieces; count++) {
    void *piece = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (piece == MAP_FAILED)
      break;
    memcpy(piece, &last, sizeof last);
    last = piece;
  }
  while (last != NULL) {
    void *piece = last;
    memcpy(&last, piece, sizeof last);
    munmap(piece, bytes);
  }
  return count == pieces;
}

/* Stores the function of that name, or NULL, in the pointer at `out`. */
static void find(void *library, const char *name, void *out)
{
  void *symbol = dlsym(library, name);
  memcpy(out, &symbol, sizeof symbol);
}

typedef struct loading {
  void *library;
  char words[WORDS];
} loading;

/* Leaves this thread one processor; where that is refused the BLAS is loaded all the same. */
static void stay_on_one_processor(void)
{
  const int processor = sched_getcpu();
  cpu_set_t set;
  if (processor < 0 || processor >= CPU_SETSIZE)
    return;
  CPU_ZERO(&set);
  CPU_SET((size_t)processor, &set);
  (void)sched_setaffinity(0, sizeof set, &set); /* of the calling thread alone */
}

static void *load(void *argument)
{
  loading *l = argument;
  stay_on_one_processor();
  l->library = dlopen(PQF_BLAS_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  if (l->library == NULL) {
    const char *reason = dlerror();
    snprintf(l->words, sizeof l->words, "%s", reason != NULL ? reason : PQF_BLAS_LIBRARY);
  }
  return NULL;
}

/* Runs load() in a thread without signals; 0 if there is no such thread. */
static int load_apart(loading *l)
{
  pthread_t thread;
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int started = pthread_create(&thread, NULL, load, l) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (started)
    pthread_join(thread, NULL);
  return started;
}

int pqf_blas_load(const pqf_blas **out, const pqf_host *host)
{
  static pqf_blas table;
  *out = known_blas();
  if (*out != NULL)
    return PQF_OK;
  loading l = {.library = NULL};
  if (!pqf_blas_has_room(1, library_size + pqf_blas_buffer_size()) || !load_apart(&l))
    return host->fail(host, PQF_ENOMEM, "backend cpu: no memory to load %s", PQF_BLAS_LIBRARY);
  if (l.library == NULL)
    return host->fail(host, PQF_EBACKEND, "backend cpu: %s", l.words);
  find(l.library, "cblas_sgemm", &table.sgemm);
  find(l.library, "openblas_get_config", &table.openblas_get_config);
  find(l.library, "openblas_set_num_threads", &table.openblas_set_num_threads);
  find(l.library, "openblas_get_num_threads", &table.openblas_get_num_threads);
  find(l.library, "blas_memory_alloc", &table.openblas_buffer_get);
  find(l.library, "blas_memory_free", &table.openblas_buffer_free);
  find(l.library, "bli_thread_set_num_threads", &table.blis_set_num_threads);
  find(l.library, "bli_thread_get_num_threads", &table.blis_get_num_threads);
  if (table.sgemm == NULL) {
    dlclose(l.library);
    return host->fail(host, PQF_EBACKEND, "backend cpu: %s has no cblas_sgemm", PQF_BLAS_LIBRARY);
  }
  atomic_store_explicit(&found, &table, memory_order_release);
  *out = &table;
  return PQF_OK;
}

void pqf_blas_describe(char *words, size_t capacity)
{
  const pqf_blas *blas = known_blas();
  if (blas == NULL)
    snprintf(words, capacity, "%s (loaded when it is needed)", build_name);
  else
    snprintf(words, capacity, "%s",
             blas->openblas_get_config != NULL    ? blas->openblas_get_config()
             : blas->blis_set_num_threads != NULL ? "BLIS"
                                                  : "reference BLAS");
}

uint64_t pqf_blas_buffer_size(void)
{
  const pqf_blas *blas = known_blas();
  const int openblas = blas != NULL ? blas->openblas_get_config != NULL : BUILT_FOR_OPENBLAS;
  const int blis = blas != NULL ? blas->blis_set_num_threads != NULL : BUILT_FOR_BLIS;
  return openblas ? openblas_buffer : blis ? blis_buffer : 0;
}
