/* A GPU beside the processors of its machine: seconds per epoch of the same fits by both, in turn,
 * and how many times as long the processors take. Dense R of 20,000 x 5,000; then 20 million
 * ratings of 138,000 users and 27,000 items, by gradient descent and by alternating least squares.
 *
 * usage: gpu [--modules FOLDER] [--divide N]   N: of all lengths, to try the program itself
 *
 * Ends with 77 and a line where there is no GPU that can be used. */
#include "bench.h"
#include "ratings.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROUNDS = 3, EPOCHS_PER_FIT = 5, NO_DEVICE = 77 };

enum operations { DENSE_STEPS, ZERO_STEPS, OBSERVED_STEPS, SYSTEMS, CONJUGATE_GRADIENT };

static const struct job {
  const char *name;
  enum operations operations;
  int32_t solver;
  int32_t objective;
  int32_t steps; /* of conjugate gradient */
  int32_t factors[4];
} jobs[] = {
    {"dense, gradient descent",
     DENSE_STEPS,
     PQF_SOLVER_GD,
     PQF_OBJECTIVE_SQUARED,
     0,
     {16, 64, 128}},
    {"zeros, gradient descent", ZERO_STEPS, PQF_SOLVER_GD, PQF_OBJECTIVE_SQUARED, 0, {64}},
    {"ratings, gradient descent", OBSERVED_STEPS, PQF_SOLVER_GD, PQF_OBJECTIVE_OBSERVED, 0, {64}},
    {"ratings, least squares", SYSTEMS, PQF_SOLVER_ALS, PQF_OBJECTIVE_OBSERVED, 0, {64, 128, 256}},
    {"clicks, least squares", SYSTEMS, PQF_SOLVER_ALS, PQF_OBJECTIVE_IMPLICIT, 0, {64, 128}},
    {"clicks, conjugate gradient",
     CONJUGATE_GRADIENT,
     PQF_SOLVER_ALS,
     PQF_OBJECTIVE_IMPLICIT,
     3,
     {128}},
};

typedef struct input {
  const char *modules; /* NULL: beside the library */
  int64_t rows;
  int64_t cols;
  int64_t cells;
  pqf_data *data;
} input;

/* Of an epoch, as docs/gpu.md counts them. */
static double operations(const struct job *job, const input *in, double k)
{
  const double cells = (double)in->cells;
  switch (job->operations) {
  case DENSE_STEPS:
  case ZERO_STEPS:
    return 4 * cells * k;
  case OBSERVED_STEPS:
    return 8 * cells * k;
  case SYSTEMS:
    return 2 * cells * k * k + (double)(in->rows + in->cols) * k * k * k / 3;
  case CONJUGATE_GRADIENT:
    return 8 * (job->steps + 1) * cells * k;
  }
  return 0;
}

static pqf_model *make_model(const struct job *job, const input *in, int32_t factors,
                             const char *backend)
{
  pqf_options options = PQF_OPTIONS_INIT;
  pqf_model *model = NULL;
  options.backend = backend;
  options.backend_path = in->modules;
  options.solver = job->solver;
  options.objective = job->objective;
  options.conjugate_gradient = job->steps;
  options.factors = factors;
  options.regularization = 10;
  options.init_scale = 0.1;
  options.learning_rate = 1e-6; /* small enough for the loss to fall from the first epoch on */
  options.epochs = EPOCHS_PER_FIT;
  options.patience = 0;
  pqf_bench_require(pqf_create(&model, &options));
  return model;
}

static void measure(const struct job *job, const input *in, int32_t factors)
{
  pqf_bench_samples cpu = {.count = 0};
  pqf_bench_samples gpu = {.count = 0};
  pqf_model *by_cpu = make_model(job, in, factors, "cpu");
  pqf_model *by_gpu = make_model(job, in, factors, "cuda");
  for (int round = 0; round < ROUNDS; round++) {
    pqf_bench_fit(by_cpu, in->data, &cpu);
    pqf_bench_fit(by_gpu, in->data, &gpu);
  }
  const double seconds = pqf_bench_median(&gpu);
  printf("%-28s %5d %10.4f %10.4f %8.1f %10.0f\n", job->name, (int)factors, pqf_bench_median(&cpu),
         seconds, pqf_bench_median(&cpu) / seconds,
         1e-9 * operations(job, in, (double)factors) / seconds);
  fflush(stdout);
  pqf_free(by_cpu);
  pqf_free(by_gpu);
}

static void measure_jobs(const input *in, int dense)
{
  for (size_t n = 0; n < sizeof jobs / sizeof jobs[0]; n++)
    for (const int32_t *factors = jobs[n].factors;
         (jobs[n].operations == DENSE_STEPS) == dense && *factors != 0; factors++)
      measure(&jobs[n], in, *factors);
}

static void measure_dense(const char *modules, int64_t divisor)
{
  input in = {.modules = modules, .rows = 20000 / divisor, .cols = 5000 / divisor};
  in.cells = in.rows * in.cols;
  float *values = pqf_bench_floats(in.cells);
  pqf_bench_fill(values, in.cells, 1, 0.5F, 0.5F);
  pqf_bench_require(pqf_data_dense(&in.data, values, in.rows, in.cols, in.cols, NULL));
  free(values);
  measure_jobs(&in, 1);
  pqf_data_free(in.data);
}

static void measure_ratings(const char *modules, int64_t divisor)
{
  const int64_t most = 7; /* a user has 145 ratings, and cannot be drawn with less than 20 */
  pqf_bench_ratings ratings;
  pqf_bench_draw_ratings(&ratings, 138000 / divisor, 27000 / divisor,
                         20000000 / divisor / (divisor < most ? divisor : most), 2,
                         (pqf_bench_popularity){2.1, 320});
  input in = {
      .modules = modules, .rows = ratings.users, .cols = ratings.items, .cells = ratings.count};
  pqf_bench_require(pqf_data_coo(&in.data, in.rows, in.cols, in.cells, ratings.user, ratings.item,
                                 ratings.value, NULL, NULL));
  pqf_bench_free_ratings(&ratings);
  measure_jobs(&in, 0);
  pqf_data_free(in.data);
}

/* Prints who competes; 0: there is no GPU that can be used. */
static int print_devices(const char *modules)
{
  int usable = 0;
  for (int32_t n = 0; n < pqf_backend_count(modules); n++) {
    pqf_backend_info info = {.size = sizeof info};
    pqf_bench_require(pqf_backend_describe(modules, n, &info));
    printf("%s: %s\n", info.name, info.words);
    if (strcmp(info.name, "cuda") == 0)
      usable = info.usable != 0;
  }
  return usable;
}

static const char *value_of(int argc, char **argv, const char *name)
{
  for (int n = 1; n + 1 < argc; n += 2)
    if (strcmp(argv[n], name) == 0)
      return argv[n + 1];
  return NULL;
}

int main(int argc, char **argv)
{
  const char *modules = value_of(argc, argv, "--modules");
  const char *divisor_text = value_of(argc, argv, "--divide");
  const int64_t divisor = divisor_text != NULL ? strtol(divisor_text, NULL, 10) : 1;
  if (divisor < 1 || divisor > 100)
    pqf_bench_fail("--divide takes 1 to 100");
  if (!print_devices(modules)) {
    puts("there is no GPU to measure");
    return NO_DEVICE;
  }
  printf("\n%ld processors\n%-28s %5s %10s %10s %8s %10s\n", sysconf(_SC_NPROCESSORS_ONLN),
         "seconds per epoch", "k", "CPU", "GPU", "CPU/GPU", "GFLOP/s");
  measure_dense(modules, divisor);
  measure_ratings(modules, divisor);
  return 0;
}
