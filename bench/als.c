/* Exact alternating least squares on ratings with biases: seconds per epoch (one sweep over the
 * users, one over the items, and the loss), operations per second and their share of what the
 * processor can do, peak memory, and seconds to build the data; beside cmfrec's Cholesky solver
 * where Python has it, the two in turn.
 *
 * usage: als           1 million ratings of 6,040 users and 3,706 items
 *        als --large   20 million of 138,000 and 27,000
 * then:                numbers of factors (64 128)
 * then, to compare:    PYTHON als_cmfrec.py */
#include "bench.h"
#include "ratings.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EPOCHS_PER_FIT = 4, MOST_FACTORS = 2048 };

typedef struct comparison {
  const pqf_bench_ratings *ratings;
  const pqf_data *data;
  pqf_bench_process *peer; /* NULL: none */
  int rounds;
  double peak; /* operations per second */
} comparison;

static pqf_data *take_in(const pqf_bench_ratings *ratings, int32_t threads)
{
  pqf_data_options options = PQF_DATA_OPTIONS_INIT;
  pqf_data *data = NULL;
  options.threads = threads;
  const double begin = pqf_bench_clock();
  pqf_bench_require(pqf_data_coo(&data, ratings->users, ratings->items, ratings->count,
                                 ratings->user, ratings->item, ratings->value, NULL, &options));
  printf("to build the data, %d threads: %.2f s\n", threads, pqf_bench_clock() - begin);
  return data;
}

static pqf_model *make_model(int32_t factors)
{
  pqf_options options = PQF_OPTIONS_INIT;
  pqf_model *model = NULL;
  options.solver = PQF_SOLVER_ALS;
  options.objective = PQF_OBJECTIVE_OBSERVED;
  options.factors = factors;
  options.regularization = 10;
  options.init_scale = 0.1;
  options.epochs = EPOCHS_PER_FIT;
  options.patience = 0;
  options.threads = BENCH_THREADS;
  pqf_bench_require(pqf_create(&model, &options));
  return model;
}

/* Operations of an epoch: n k (k + 1) for the upper triangles of each side's systems, k^3 / 3 for
 * each decomposition. Rows with fewer ratings than factors are solved with fewer, so that more than
 * the peak may come out. */
static double operations(const pqf_bench_ratings *ratings, double k)
{
  return 2 * (double)ratings->count * k * (k + 1) +
         (double)(ratings->users + ratings->items) * k * k * k / 3;
}

static void measure(const comparison *c, int32_t factors)
{
  pqf_bench_samples own = {.count = 0};
  pqf_bench_samples peer = {.count = 0};
  pqf_model *model = make_model(factors);
  char line[64];
  snprintf(line, sizeof line, "sweep %d", factors);
  for (int round = 0; round < c->rounds; round++) {
    pqf_bench_fit(model, c->data, &own);
    if (c->peer != NULL)
      pqf_bench_add(&peer, pqf_bench_ask(c->peer, line));
  }
  const double seconds = pqf_bench_median(&own);
  const double rate = operations(c->ratings, factors) / seconds;
  printf("k = %3d: %7.3f s/epoch, %4.0f GFLOP/s", factors, seconds, 1e-9 * rate);
  if (c->peak > 0)
    printf(" (%.0f%% of the peak)", 100 * rate / c->peak);
  printf(", peak memory %.0f MB", pqf_bench_peak_memory() / MEGABYTE);
  if (c->peer != NULL)
    printf("; cmfrec %.3f s, %.1f times as long", pqf_bench_median(&peer),
           pqf_bench_median(&peer) / seconds);
  putchar('\n');
  fflush(stdout);
  pqf_free(model);
}

static void write_array(const char *folder, const char *name, const void *values, int64_t count)
{
  char path[256];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "we");
  if (file == NULL || fwrite(values, 4, (size_t)count, file) != (size_t)count || fclose(file) != 0)
    pqf_bench_fail("%s could not be written", path);
}

/* Hands the ratings over in files, which are gone once it has read them. */
static void start_peer(pqf_bench_process *peer, const char *const *argv,
                       const pqf_bench_ratings *ratings)
{
  char folder[] = "/tmp/pqf-bench-XXXXXX";
  char line[320];
  if (mkdtemp(folder) == NULL)
    pqf_bench_fail("%s: no folder for the ratings", folder);
  write_array(folder, "user", ratings->user, ratings->count);
  write_array(folder, "item", ratings->item, ratings->count);
  write_array(folder, "value", ratings->value, ratings->count);
  pqf_bench_start(peer, argv);
  snprintf(line, sizeof line, "read %s", folder);
  pqf_bench_ask(peer, line);
  if (rmdir(folder) != 0)
    pqf_bench_fail("%s was not emptied", folder);
}

static int32_t factors_of(const char *text)
{
  char *end;
  const long factors = strtol(text, &end, 10);
  return *end == '\0' && factors >= 1 && factors <= MOST_FACTORS ? (int32_t)factors : 0;
}

int main(int argc, char **argv)
{
  const int large = argc > 1 && strcmp(argv[1], "--large") == 0;
  char **const first = argv + 1 + large;
  char **last = first;
  while (*last != NULL && factors_of(*last) > 0)
    last++;
  const char *const *peer_argv = (const char *const *)last;
  const pqf_bench_popularity popularity =
      large ? (pqf_bench_popularity){2.1, 320} : (pqf_bench_popularity){1.5, 140};
  pqf_bench_ratings ratings;
  pqf_bench_process process = {0};
  pqf_bench_watch watch;
  comparison c = {
      .ratings = &ratings, .rounds = large ? 1 : 3, .peak = pqf_bench_peak(BENCH_THREADS)};
  if (large)
    pqf_bench_draw_ratings(&ratings, 138000, 27000, 20000000, 2, popularity);
  else
    pqf_bench_draw_ratings(&ratings, 6040, 3706, 1000000, 1, popularity);
  if (c.peak > 0)
    printf("\nPeak of the processor, %d threads: %.0f GFLOP/s", BENCH_THREADS, 1e-9 * c.peak);
  printf("\nExact alternating least squares, %" PRId64 " ratings of %" PRId64 " users and %" PRId64
         " items, with biases, %d threads\n",
         ratings.count, ratings.users, ratings.items, BENCH_THREADS);
  pqf_data_free(take_in(&ratings, 1));
  pqf_data *data = take_in(&ratings, BENCH_THREADS);
  c.data = data;
  if (peer_argv[0] != NULL) {
    start_peer(&process, peer_argv, &ratings);
    c.peer = &process;
  }
  pqf_bench_begin_watch(&watch, c.peer != NULL ? process.id : 0);
  if (first == last) {
    measure(&c, 64);
    measure(&c, 128);
  }
  for (char **factors = first; factors < last; factors++)
    measure(&c, factors_of(*factors));
  pqf_bench_print_others(&watch);
  if (c.peer != NULL) {
    printf("peak memory of cmfrec and Python %.0f MB\n",
           pqf_bench_ask(&process, "memory") / MEGABYTE);
    pqf_bench_end(&process);
  }
  pqf_data_free(data);
  pqf_bench_free_ratings(&ratings);
  return 0;
}
