/* See bench.h. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void pqf_bench_fail(const char *format, ...)
{
  va_list list;
  va_start(list, format);
  fflush(stdout);
  fputs("bench: ", stderr);
  vfprintf(stderr, format, list);
  fputc('\n', stderr);
  va_end(list);
  exit(1);
}

void pqf_bench_require(int status)
{
  if (status != PQF_OK)
    pqf_bench_fail("%s: %s", pqf_strerror(status), pqf_error_message());
}

static double seconds_of(clockid_t clock)
{
  struct timespec time = {0};
  clock_gettime(clock, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

double pqf_bench_clock(void)
{
  return seconds_of(CLOCK_MONOTONIC);
}

static void *room(int64_t count, size_t size)
{
  void *memory = NULL;
  if (posix_memalign(&memory, 64, (size_t)count * size) != 0)
    pqf_bench_fail("no memory for %" PRId64 " values", count);
  return memory;
}

float *pqf_bench_floats(int64_t count)
{
  return room(count, sizeof(float));
}

int32_t *pqf_bench_integers(int64_t count)
{
  return room(count, sizeof(int32_t));
}

/* A line of a file in /proc that reads "NAME: 123 kB", in bytes. */
static double kernel_figure(const char *path, const char *name)
{
  FILE *file = fopen(path, "re");
  if (file == NULL)
    pqf_bench_fail("%s: %s", path, strerror(errno));
  char line[256];
  double bytes = NAN;
  while (fgets(line, sizeof line, file) != NULL)
    if (strncmp(line, name, strlen(name)) == 0)
      bytes = 1024 * strtod(line + strlen(name), NULL);
  fclose(file);
  if (isnan(bytes))
    pqf_bench_fail("%s does not tell %s", path, name);
  return bytes;
}

double pqf_bench_peak_memory(void)
{
  return kernel_figure("/proc/self/status", "VmHWM:");
}

double pqf_bench_free_memory(void)
{
  return kernel_figure("/proc/meminfo", "MemAvailable:");
}

/* Processor seconds that all programs and the host's other guests took since the machine began. */
static double busy_seconds(void)
{
  FILE *file = fopen("/proc/stat", "re");
  char line[256];
  if (file == NULL || fgets(line, sizeof line, file) == NULL)
    pqf_bench_fail("/proc/stat: %s", strerror(errno));
  fclose(file);
  enum { USER, NICE, SYSTEM, IDLE, WAIT, INTERRUPTS, SOFT_INTERRUPTS, STOLEN, FIELDS };
  double ticks = 0;
  char *at = line + strcspn(line, " ");
  for (int field = 0; field < FIELDS; field++) {
    const double value = strtod(at, &at);
    if (field != IDLE && field != WAIT)
      ticks += value;
  }
  return ticks / (double)sysconf(_SC_CLK_TCK);
}

static double own_seconds(pid_t companion)
{
  struct rusage ended;
  getrusage(RUSAGE_CHILDREN, &ended);
  double seconds = seconds_of(CLOCK_PROCESS_CPUTIME_ID) +
                   (double)(ended.ru_utime.tv_sec + ended.ru_stime.tv_sec) +
                   1e-6 * (double)(ended.ru_utime.tv_usec + ended.ru_stime.tv_usec);
  clockid_t clock;
  if (companion != 0 && clock_getcpuclockid(companion, &clock) == 0)
    seconds += seconds_of(clock);
  return seconds;
}

void pqf_bench_begin_watch(pqf_bench_watch *watch, pid_t companion)
{
  *watch = (pqf_bench_watch){pqf_bench_clock(), busy_seconds(), own_seconds(companion), companion};
}

void pqf_bench_print_others(const pqf_bench_watch *watch)
{
  const double all = (pqf_bench_clock() - watch->clock) * (double)sysconf(_SC_NPROCESSORS_ONLN);
  const double others = busy_seconds() - watch->busy - (own_seconds(watch->companion) - watch->own);
  printf("other programs took %.0f%% of the processors meanwhile\n",
         100 * (others > 0 ? others / all : 0));
}

/* SplitMix64, by its place in the sequence. */
uint64_t pqf_bench_random(uint64_t seed, uint64_t n)
{
  uint64_t z = (seed << 40) + (n + 1) * UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

void pqf_bench_fill(float *out, int64_t count, uint64_t seed, float scale, float shift)
{
  for (int64_t n = 0; n < count; n++) {
    const uint64_t bits = pqf_bench_random(seed, (uint64_t)n) >> 40;
    out[n] = scale * ((float)bits * 0x1p-23F - 1) + shift;
  }
}

void pqf_bench_add(pqf_bench_samples *samples, double value)
{
  if (samples->count == BENCH_MOST_SAMPLES)
    pqf_bench_fail("more than %d measurements of one thing", BENCH_MOST_SAMPLES);
  samples->value[samples->count++] = value;
}

static int compare(const void *a, const void *b)
{
  const double x = *(const double *)a;
  const double y = *(const double *)b;
  return (x > y) - (x < y);
}

double pqf_bench_median(const pqf_bench_samples *samples)
{
  if (samples->count == 0)
    return NAN;
  pqf_bench_samples sorted = *samples;
  qsort(sorted.value, (size_t)sorted.count, sizeof sorted.value[0], compare);
  const int middle = sorted.count / 2;
  return sorted.count % 2 == 1 ? sorted.value[middle]
                               : (sorted.value[middle - 1] + sorted.value[middle]) / 2;
}

void pqf_bench_fit(pqf_model *model, const pqf_data *data, pqf_bench_samples *epochs)
{
  pqf_bench_require(pqf_fit(model, data, NULL));
  pqf_summary summary = {.size = sizeof summary};
  pqf_bench_require(pqf_model_summary(model, &summary));
  pqf_epoch before = {.size = sizeof before};
  pqf_bench_require(pqf_model_history(model, 0, &before));
  for (int64_t n = 1; n < summary.epochs; n++) {
    pqf_epoch epoch = {.size = sizeof epoch};
    pqf_bench_require(pqf_model_history(model, n, &epoch));
    if (!(epoch.loss < before.loss))
      pqf_bench_fail("the loss went from %g to %g in epoch %" PRId64, before.loss, epoch.loss,
                     epoch.epoch);
    pqf_bench_add(epochs, epoch.seconds - before.seconds);
    before = epoch;
  }
}

double pqf_bench_last_loss(const pqf_model *model)
{
  pqf_summary summary = {.size = sizeof summary};
  pqf_bench_require(pqf_model_summary(model, &summary));
  return summary.loss;
}

void pqf_bench_start(pqf_bench_process *process, const char *const *argv)
{
  int in[2];
  int out[2];
  if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
    pqf_bench_fail("pipe: %s", strerror(errno));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  const int error =
      posix_spawnp(&process->id, argv[0], &actions, NULL, (char *const *)argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0)
    pqf_bench_fail("%s: %s", argv[0], strerror(error));
  close(in[0]);
  close(out[1]);
  process->to = fdopen(in[1], "w");
  process->from = fdopen(out[0], "r");
  if (process->to == NULL || process->from == NULL)
    pqf_bench_fail("fdopen: %s", strerror(errno));
}

double pqf_bench_ask(pqf_bench_process *process, const char *line)
{
  if (line != NULL) {
    fprintf(process->to, "%s\n", line);
    fflush(process->to);
  }
  char answer[256];
  if (fgets(answer, sizeof answer, process->from) == NULL)
    pqf_bench_fail("a program to compare with ended early");
  char *end = answer;
  const double number = strtod(answer, &end);
  if (end == answer)
    pqf_bench_fail("a program to compare with said: %s", answer);
  return number;
}

void pqf_bench_end(pqf_bench_process *process)
{
  fclose(process->to);
  fclose(process->from);
  int status = 0;
  if (waitpid(process->id, &status, 0) < 0 || status != 0)
    pqf_bench_fail("a program to compare with failed");
}
