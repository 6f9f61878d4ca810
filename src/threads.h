/* A team of threads that lives as long as one fit. */
#ifndef PQF_SRC_THREADS_H
#define PQF_SRC_THREADS_H

#include "pqf_backend.h"

enum { PQF_MOST_THREADS = 4096 };

typedef struct pqf_team pqf_team;

/* The number of threads that `threads` asks for: 0 means all that the process may run on. */
int32_t pqf_thread_count(int32_t threads);

/* Starts threads - 1 threads beside the caller; if the system gives fewer, the work is done by
 * fewer. */
int pqf_team_create(pqf_team **out, int32_t threads);

/* Runs work(argument, item, worker) for every item from 0 to count - 1; returns when all are
 * done. One caller at a time. */
void pqf_team_run(pqf_team *team, int64_t count, pqf_work work, void *argument);

/* Joins; NULL is allowed. */
void pqf_team_free(pqf_team *team);

#endif
