/* What the measurements share: a clock, medians, peak memory, numbers with a fixed seed, other
 * processes to compare with. A measurement that cannot be taken ends the program with a line that
 * says why. */
#ifndef PQF_BENCH_H
#define PQF_BENCH_H

#include "pqf.h"

#include <stdio.h>
#include <sys/types.h>

enum { BENCH_THREADS = 2 };

#define MEGABYTE 1e6

/* Prints the words and ends the program. */
_Noreturn void pqf_bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Ends the program with the library's words unless the status is PQF_OK. */
void pqf_bench_require(int status);

/* Seconds since some moment. */
double pqf_bench_clock(void);

/* Room for `count` floats, neither zeroed nor NULL; freed with free(). */
float *pqf_bench_floats(int64_t count);
int32_t *pqf_bench_integers(int64_t count);

/* The most memory that this program has held since its start, in bytes. It is what the kernel
 * counts for the address space (VmHWM), since getrusage's ru_maxrss also remembers the process that
 * started this one. */
double pqf_bench_peak_memory(void);

/* What could be taken without swapping, in bytes. */
double pqf_bench_free_memory(void);

/* Tells how much of the processors other programs took while something was measured: figures of a
 * busy machine say little. `companion` is a process that does not count as another; 0: none. */
typedef struct pqf_bench_watch {
  double clock;
  double busy; /* processor seconds of everything */
  double own;  /* of this program, what it started and has ended, and the companion */
  pid_t companion;
} pqf_bench_watch;

void pqf_bench_begin_watch(pqf_bench_watch *watch, pid_t companion);
void pqf_bench_print_others(const pqf_bench_watch *watch);

/* The n-th of a sequence of evenly distributed 64-bit numbers: the same on every machine. */
uint64_t pqf_bench_random(uint64_t seed, uint64_t n);

/* count floats of that sequence, evenly distributed from -1 to 1 times `scale`, plus `shift`. */
void pqf_bench_fill(float *out, int64_t count, uint64_t seed, float scale, float shift);

/* Operations in float per second that so many threads reach in registers; 0 where that is not known
 * (it is for x86-64 with AVX2 or AVX-512). */
double pqf_bench_peak(int threads);

/* Some measurements of one thing. */
enum { BENCH_MOST_SAMPLES = 256 };
typedef struct pqf_bench_samples {
  int count;
  double value[BENCH_MOST_SAMPLES];
} pqf_bench_samples;

void pqf_bench_add(pqf_bench_samples *samples, double value);
double pqf_bench_median(const pqf_bench_samples *samples);

/* One fit on `data`: adds the seconds of every epoch but the first, which pays for the fit's
 * beginning, and ends the program if the loss ever rose. `model` is fitted anew. */
void pqf_bench_fit(pqf_model *model, const pqf_data *data, pqf_bench_samples *epochs);

/* The loss of the last epoch of the last fit. */
double pqf_bench_last_loss(const pqf_model *model);

/* Another program, which answers lines with lines. */
typedef struct pqf_bench_process {
  pid_t id;
  FILE *to;
  FILE *from;
} pqf_bench_process;

/* Starts argv[0] (NULL ends argv). */
void pqf_bench_start(pqf_bench_process *process, const char *const *argv);

/* Sends a line, if any, and gives the number that the answer consists of. */
double pqf_bench_ask(pqf_bench_process *process, const char *line);

/* Ends the program's input and waits for its end. */
void pqf_bench_end(pqf_bench_process *process);

#endif
