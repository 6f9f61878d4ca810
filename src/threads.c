/* A team of threads that lives as long as one fit. Work is dealt out item by item from a counter,
 * so that who does what is left to chance, and must not matter to the result. A thread that waits
 * for work, or for the others, looks for some ten microseconds before it sleeps: an epoch of a
 * small problem is a handful of short rounds. */
#include "threads.h"

#include "error.h"
#include "memory.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

enum { LOOKS_BEFORE_SLEEP = 2000 };

struct pqf_team {
  pthread_mutex_t mutex;
  pthread_cond_t work_came;  /* `round` or `ending` changed */
  pthread_cond_t work_ended; /* `busy` fell to 0 */
  atomic_ulong round;        /* rounds of work begun */
  atomic_int busy;           /* helpers that still work on this round */
  atomic_int ending;
  atomic_llong next; /* the next item to hand out */
  int64_t count;     /* this round's work, written before `round` changes */
  pqf_work work;
  void *argument;
  int looks; /* before a sleep; 0 when there are more threads than processors */
  int helpers;
  struct helper {
    pqf_team *team;
    pthread_t thread;
    int32_t worker;
  } helper[];
};

static int32_t available_processors(void)
{
  for (int size = 1024; size <= 1 << 20; size *= 2) {
    cpu_set_t *set = CPU_ALLOC((size_t)size);
    if (set == NULL)
      break;
    const size_t bytes = CPU_ALLOC_SIZE((size_t)size);
    const int known = sched_getaffinity(0, bytes, set) == 0;
    const int processors = known ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (known)
      return processors > 0 ? processors : 1;
  }
  return 1;
}

int32_t pqf_thread_count(int32_t threads)
{
  const int32_t wanted = threads > 0 ? threads : available_processors();
  return wanted < PQF_MOST_THREADS ? wanted : PQF_MOST_THREADS;
}

static void pause_briefly(void)
{
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static void do_items(pqf_team *team, int32_t worker)
{
  for (;;) {
    const int64_t item = atomic_fetch_add_explicit(&team->next, 1, memory_order_relaxed);
    if (item >= team->count)
      return;
    team->work(team->argument, item, worker);
  }
}

/* Waits for a round after `seen`; returns 0 when the team ends. */
static int await_round(pqf_team *team, unsigned long seen)
{
  for (int look = 0; look < team->looks; look++) {
    if (atomic_load_explicit(&team->round, memory_order_acquire) != seen)
      return 1;
    pause_briefly();
  }
  pthread_mutex_lock(&team->mutex);
  while (atomic_load(&team->round) == seen && !atomic_load(&team->ending))
    pthread_cond_wait(&team->work_came, &team->mutex);
  const int going_on = atomic_load(&team->round) != seen;
  pthread_mutex_unlock(&team->mutex);
  return going_on;
}

static void *helper_main(void *payload)
{
  const struct helper *helper = payload;
  pqf_team *team = helper->team;
  for (unsigned long seen = 0; await_round(team, seen); seen++) {
    do_items(team, helper->worker);
    if (atomic_fetch_sub_explicit(&team->busy, 1, memory_order_acq_rel) == 1) {
      pthread_mutex_lock(&team->mutex);
      pthread_cond_signal(&team->work_ended);
      pthread_mutex_unlock(&team->mutex);
    }
  }
  return NULL;
}

static void await_helpers(pqf_team *team)
{
  for (int look = 0; look < team->looks; look++) {
    if (atomic_load_explicit(&team->busy, memory_order_acquire) == 0)
      return;
    pause_briefly();
  }
  pthread_mutex_lock(&team->mutex);
  while (atomic_load(&team->busy) > 0)
    pthread_cond_wait(&team->work_ended, &team->mutex);
  pthread_mutex_unlock(&team->mutex);
}

void pqf_team_run(pqf_team *team, int64_t count, pqf_work work, void *argument)
{
  if (count <= 1 || team->helpers == 0) {
    for (int64_t item = 0; item < count; item++)
      work(argument, item, 0);
    return;
  }
  team->count = count;
  team->work = work;
  team->argument = argument;
  atomic_store_explicit(&team->next, 0, memory_order_relaxed);
  atomic_store_explicit(&team->busy, team->helpers, memory_order_relaxed);
  pthread_mutex_lock(&team->mutex);
  atomic_fetch_add_explicit(&team->round, 1, memory_order_release);
  pthread_cond_broadcast(&team->work_came);
  pthread_mutex_unlock(&team->mutex);
  do_items(team, 0);
  await_helpers(team);
}

/* The helpers take no signals: those are for the threads of the program. */
static void start_helpers(pqf_team *team, int wanted)
{
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  while (team->helpers < wanted) {
    struct helper *helper = &team->helper[team->helpers];
    helper->team = team;
    helper->worker = team->helpers + 1;
    if (pthread_create(&helper->thread, NULL, helper_main, helper) != 0)
      break;
    team->helpers++;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int pqf_team_create(pqf_team **out, int32_t threads)
{
  *out = NULL;
  const size_t bytes = sizeof(pqf_team) + (size_t)(threads - 1) * sizeof(struct helper);
  pqf_team *team = pqf_allocate_zeroed((int64_t)bytes, 1);
  if (team == NULL)
    return PQF_ENOMEM;
  pthread_mutex_init(&team->mutex, NULL);
  pthread_cond_init(&team->work_came, NULL);
  pthread_cond_init(&team->work_ended, NULL);
  team->looks = threads <= available_processors() ? LOOKS_BEFORE_SLEEP : 0;
  start_helpers(team, threads - 1);
  *out = team;
  return PQF_OK;
}

void pqf_team_free(pqf_team *team)
{
  if (team == NULL)
    return;
  pthread_mutex_lock(&team->mutex);
  atomic_store(&team->ending, 1);
  pthread_cond_broadcast(&team->work_came);
  pthread_mutex_unlock(&team->mutex);
  for (int n = 0; n < team->helpers; n++)
    pthread_join(team->helper[n].thread, NULL);
  pthread_cond_destroy(&team->work_ended);
  pthread_cond_destroy(&team->work_came);
  pthread_mutex_destroy(&team->mutex);
  pqf_release(team);
}
