/* Dense R, 20,000 x 5,000: one epoch against the two matrix products that it cannot do without,
 *
 *     R Q  and  R' P:  4 rows cols k operations,
 *
 * done by the same BLAS with its own two threads, and against the notebook's class in PyTorch
 * (notebook_torch.py). The contestants take turns, so that whatever else the machine does falls on
 * all of them; medians are printed. Memory is that of a fresh process per number of factors.
 *
 * usage: dense [PYTHON SCRIPT]   the Python that has torch, and notebook_torch.py */
#include "bench.h"

#include <cblas.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ROWS = 20000, COLS = 5000, ROUNDS = 5, EPOCHS_PER_FIT = 5 };

/* Both small enough that the loss falls from the first epoch on. */
static const double learning_rate = 1e-5;
static const float factor_scale = 0.1F;

static const int factors_measured[] = {16, 64, 128};

typedef struct results {
  pqf_bench_samples products;
  pqf_bench_samples gradient;
  pqf_bench_samples notebook;
  pqf_bench_samples torch;
  double notebook_loss; /* of the last epoch of a fit */
  double torch_loss;    /* of the same epoch, summed in double */
  double torch_peak;
  double peak; /* of a process that fits once */
} results;

static float *make_r(void)
{
  float *r = pqf_bench_floats((int64_t)ROWS * COLS);
  pqf_bench_fill(r, (int64_t)ROWS * COLS, 1, 0.5F, 0.5F);
  return r;
}

static pqf_data *borrow_r(const float *r)
{
  pqf_data_options options = PQF_DATA_OPTIONS_INIT;
  options.borrow = 1;
  pqf_data *data = NULL;
  pqf_bench_require(pqf_data_dense(&data, r, ROWS, COLS, COLS, &options));
  return data;
}

static pqf_model *make_model(int k, int32_t update, int32_t init)
{
  pqf_options options = PQF_OPTIONS_INIT;
  options.factors = k;
  options.update = update;
  options.init = init;
  options.init_scale = (double)factor_scale;
  options.learning_rate = learning_rate;
  options.epochs = EPOCHS_PER_FIT;
  options.patience = 0;
  options.threads = BENCH_THREADS;
  pqf_model *model = NULL;
  pqf_bench_require(pqf_create(&model, &options));
  return model;
}

/* In a process of its own: one fit, then the peak. */
static int print_memory(int k)
{
  float *r = make_r();
  pqf_data *data = borrow_r(r);
  pqf_model *model = make_model(k, PQF_UPDATE_GRADIENT, PQF_INIT_NORMAL);
  pqf_bench_require(pqf_fit(model, data, NULL));
  printf("%.0f\n", pqf_bench_peak_memory());
  pqf_free(model);
  pqf_data_free(data);
  free(r);
  return 0;
}

static double ask_memory(int k)
{
  char factors[16];
  snprintf(factors, sizeof factors, "%d", k);
  const char *const argv[] = {"/proc/self/exe", "--memory", factors, NULL};
  pqf_bench_process process;
  pqf_bench_start(&process, argv);
  const double peak = pqf_bench_ask(&process, NULL);
  pqf_bench_end(&process);
  return peak;
}

/* The two products, by the BLAS with its own threads. */
static double time_products(const float *r, const float *p, const float *q, float *rq, float *rp,
                            int k)
{
  const double begin = pqf_bench_clock();
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, ROWS, k, COLS, 1, r, COLS, q, k, 0, rq, k);
  cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, COLS, k, ROWS, 1, r, COLS, p, k, 0, rp, k);
  return pqf_bench_clock() - begin;
}

/* PyTorch gets the same numbers through files that live in memory: nothing is left to be written to
 * a disk while the clock runs. */
typedef struct exchange {
  pqf_bench_process torch;
  int has_torch;
} exchange;

/* Has PyTorch take a matrix in, by the name of R, P or Q. */
static void hand_over(exchange *x, const char *name, const float *values, int64_t rows, int cols)
{
  const size_t bytes = (size_t)rows * (size_t)cols * sizeof *values;
  const int file = memfd_create(name, MFD_CLOEXEC);
  if (file < 0)
    pqf_bench_fail("memfd_create: %s", strerror(errno));
  for (size_t done = 0; done < bytes;) {
    const ssize_t written = write(file, (const char *)values + done, bytes - done);
    if (written <= 0)
      pqf_bench_fail("write: %s", strerror(errno));
    done += (size_t)written;
  }
  char line[96];
  snprintf(line, sizeof line, "%s %d /proc/%ld/fd/%d", name, cols, (long)getpid(), file);
  pqf_bench_ask(&x->torch, line);
  close(file);
}

static void begin_exchange(exchange *x, const char *python, const char *script, const float *r)
{
  x->has_torch = python != NULL;
  if (!x->has_torch)
    return;
  char rate[32];
  snprintf(rate, sizeof rate, "%.17g", learning_rate);
  const char *const argv[] = {python, script, rate, NULL};
  pqf_bench_start(&x->torch, argv);
  hand_over(x, "R", r, ROWS, COLS);
}

static void end_exchange(exchange *x)
{
  if (x->has_torch)
    pqf_bench_end(&x->torch);
}

/* One number of factors, all contestants in turn. */
static void measure(results *out, exchange *x, const float *r, const pqf_data *data, int k)
{
  float *p = pqf_bench_floats((int64_t)ROWS * k);
  float *q = pqf_bench_floats((int64_t)COLS * k);
  float *rq = pqf_bench_floats((int64_t)ROWS * k);
  float *rp = pqf_bench_floats((int64_t)COLS * k);
  pqf_bench_fill(p, (int64_t)ROWS * k, 2, factor_scale, 0);
  pqf_bench_fill(q, (int64_t)COLS * k, 3, factor_scale, 0);
  pqf_model *gradient = make_model(k, PQF_UPDATE_GRADIENT, PQF_INIT_GIVEN);
  pqf_model *notebook = make_model(k, PQF_UPDATE_NOTEBOOK, PQF_INIT_GIVEN);
  pqf_bench_require(pqf_model_set_initial(gradient, ROWS, COLS, p, q));
  pqf_bench_require(pqf_model_set_initial(notebook, ROWS, COLS, p, q));
  if (x->has_torch) {
    hand_over(x, "P", p, ROWS, k);
    hand_over(x, "Q", q, COLS, k);
  }

  time_products(r, p, q, rq, rp, k); /* the BLAS starts its threads */
  for (int round = 0; round < ROUNDS; round++) {
    for (int n = 0; n < EPOCHS_PER_FIT; n++)
      pqf_bench_add(&out->products, time_products(r, p, q, rq, rp, k));
    pqf_bench_fit(gradient, data, &out->gradient);
    pqf_bench_fit(notebook, data, &out->notebook);
    if (x->has_torch)
      pqf_bench_add(&out->torch, pqf_bench_ask(&x->torch, "epoch"));
    if (x->has_torch && round + 2 == EPOCHS_PER_FIT) /* where pqf's last epoch began */
      out->torch_loss = pqf_bench_ask(&x->torch, "loss");
  }
  out->notebook_loss = pqf_bench_last_loss(notebook);
  if (x->has_torch)
    out->torch_peak = pqf_bench_ask(&x->torch, "memory");
  out->peak = ask_memory(k);

  pqf_free(gradient);
  pqf_free(notebook);
  free(p);
  free(q);
  free(rq);
  free(rp);
}

static void print_line(int k, const char *what, const pqf_bench_samples *samples,
                       const results *from)
{
  const double seconds = pqf_bench_median(samples);
  printf("%5d  %-30s %9.4f %9.1f", k, what, seconds, 4e-9 * ROWS * COLS * k / seconds);
  printf(" %10.3f", seconds / pqf_bench_median(&from->products));
  if (from->torch.count > 0)
    printf(" %10.2f", pqf_bench_median(&from->torch) / seconds);
  putchar('\n');
}

static void print_results(const results *from, int k)
{
  print_line(k, "R Q and R' P alone", &from->products, from);
  print_line(k, "pqf, update=gradient", &from->gradient, from);
  print_line(k, "pqf, update=notebook", &from->notebook, from);
  if (from->torch.count > 0) {
    print_line(k, "PyTorch, the notebook's class", &from->torch, from);
    printf("       loss of epoch %d: pqf %.6f, PyTorch %.6f\n", EPOCHS_PER_FIT, from->notebook_loss,
           from->torch_loss);
  }
  const double r = 4.0 * ROWS * COLS;
  const double factors = 4.0 * (ROWS + COLS) * k;
  printf("       memory: pqf %.0f MB = R + factors + %.0f MB", from->peak / MEGABYTE,
         (from->peak - r - factors) / MEGABYTE);
  if (from->torch.count > 0)
    printf("; PyTorch %.0f MB = R + factors + %.0f MB", from->torch_peak / MEGABYTE,
           (from->torch_peak - r - factors) / MEGABYTE);
  putchar('\n');
}

int main(int argc, char **argv)
{
  if (argc == 3 && strcmp(argv[1], "--memory") == 0)
    return print_memory((int)strtol(argv[2], NULL, 10));

#if defined(PQF_BLAS_OPENBLAS)
  openblas_set_num_threads(BENCH_THREADS);
#endif
  pqf_backend_info info = {.size = sizeof info};
  pqf_bench_require(pqf_backend_describe(NULL, 0, &info));
  printf("Dense R, %d x %d, borrowed (%.0f MB), %d threads; %s\n", ROWS, COLS,
         4.0 * ROWS * COLS / MEGABYTE, BENCH_THREADS, info.words);
  printf("Aims: 1.25 times the products or less, 10 times PyTorch's speed or more, R + factors + "
         "64 MB or less\n\n");
  printf("    k                                 s/epoch   GFLOP/s  /products   x PyTorch\n");

  float *r = make_r();
  pqf_data *data = borrow_r(r);
  exchange x = {.has_torch = 0};
  begin_exchange(&x, argc == 3 ? argv[1] : NULL, argc == 3 ? argv[2] : NULL, r);
  for (size_t n = 0; n < sizeof factors_measured / sizeof factors_measured[0]; n++) {
    results result = {.peak = 0};
    pqf_bench_watch watch;
    pqf_bench_begin_watch(&watch, x.has_torch ? x.torch.id : 0);
    measure(&result, &x, r, data, factors_measured[n]);
    print_results(&result, factors_measured[n]);
    printf("       ");
    pqf_bench_print_others(&watch);
    fflush(stdout);
  }
  end_exchange(&x);
  pqf_data_free(data);
  free(r);
  return 0;
}
