/* Sparse R, k = 64. First 20,000 x 5,000 with a million cells: an epoch with zeros that count
 * against the dense epoch of the very same matrix, the two in turn. Then 1,000,000 x 200,000 with
 * 50 million cells, which dense would be 800 GB: seconds to take the cells in, seconds per epoch
 * and the peak of memory. Cells are spread evenly and come in no order, so
 * that nearly every one of them misses the caches.
 *
 * usage: sparse           the first
 *        sparse --large   the second */
#include "bench.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { FACTORS = 64, ROUNDS = 5, EPOCHS_PER_FIT = 5, CELLS_PER_ROW = 50 };

typedef struct cell_list {
  int64_t rows;
  int64_t cols;
  int64_t count;
  int32_t *row;
  int32_t *col;
  float *value;
} cell_list;

/* CELLS_PER_ROW cells in each row, one in each of as many equal ranges of columns. The n-th cells
 * of all rows come together, the rows in an order that jumps about. */
static cell_list make_cells(int64_t rows, int64_t cols)
{
  enum { JUMP = 7919 }; /* a prime that divides neither number of rows */
  cell_list cells = {.rows = rows, .cols = cols, .count = rows * CELLS_PER_ROW};
  cells.row = pqf_bench_integers(cells.count);
  cells.col = pqf_bench_integers(cells.count);
  cells.value = pqf_bench_floats(cells.count);
  const int64_t range = cols / CELLS_PER_ROW;
  for (int64_t n = 0; n < cells.count; n++) {
    cells.row[n] = (int32_t)(n % rows * JUMP % rows);
    cells.col[n] =
        (int32_t)(n / rows * range + (int64_t)(pqf_bench_random(4, (uint64_t)n) % (uint64_t)range));
  }
  pqf_bench_fill(cells.value, cells.count, 5, 2, 3);
  return cells;
}

static void free_cells(cell_list *cells)
{
  free(cells->row);
  free(cells->col);
  free(cells->value);
}

static pqf_data *take_in(const cell_list *cells)
{
  pqf_data *data = NULL;
  pqf_bench_require(pqf_data_coo(&data, cells->rows, cells->cols, cells->count, cells->row,
                                 cells->col, cells->value, NULL, NULL));
  return data;
}

static pqf_model *make_model(int32_t objective, double learning_rate)
{
  pqf_options options = PQF_OPTIONS_INIT;
  options.factors = FACTORS;
  options.objective = objective;
  options.init_scale = 0.1;
  options.learning_rate = learning_rate;
  options.epochs = EPOCHS_PER_FIT;
  options.patience = 0;
  options.threads = BENCH_THREADS;
  pqf_model *model = NULL;
  pqf_bench_require(pqf_create(&model, &options));
  return model;
}

/* The same matrix with its zeros written out; freed with free(). */
static float *write_zeros_out(const cell_list *cells)
{
  float *dense = pqf_bench_floats(cells->rows * cells->cols);
  memset(dense, 0, (size_t)(cells->rows * cells->cols) * sizeof *dense);
  for (int64_t n = 0; n < cells->count; n++)
    dense[cells->row[n] * cells->cols + cells->col[n]] = cells->value[n];
  return dense;
}

static void print_line(const char *what, double seconds, double cells)
{
  printf("%-44s %9.4f s/epoch %9.1f million cells/s\n", what, seconds, 1e-6 * cells / seconds);
}

static void compare_with_dense(void)
{
  const double learning_rate = 1e-5;
  cell_list cells = make_cells(20000, 5000);
  float *values = write_zeros_out(&cells);
  pqf_data_options borrow = PQF_DATA_OPTIONS_INIT;
  borrow.borrow = 1;
  pqf_data *dense = NULL;
  pqf_bench_require(pqf_data_dense(&dense, values, cells.rows, cells.cols, cells.cols, &borrow));
  pqf_data *sparse = take_in(&cells);
  pqf_model *zeros = make_model(PQF_OBJECTIVE_SQUARED, learning_rate);
  pqf_model *observed = make_model(PQF_OBJECTIVE_OBSERVED, learning_rate);
  pqf_bench_samples dense_epochs = {.count = 0};
  pqf_bench_samples zeros_epochs = {.count = 0};
  pqf_bench_samples observed_epochs = {.count = 0};
  double dense_loss = 0;
  for (int round = 0; round < ROUNDS; round++) {
    pqf_bench_fit(zeros, dense, &dense_epochs);
    dense_loss = pqf_bench_last_loss(zeros);
    pqf_bench_fit(zeros, sparse, &zeros_epochs);
    pqf_bench_fit(observed, sparse, &observed_epochs);
  }
  const double dense_seconds = pqf_bench_median(&dense_epochs);
  const double zeros_seconds = pqf_bench_median(&zeros_epochs);
  printf("\nSparse R, %" PRId64 " x %" PRId64 ", %" PRId64 " cells, k = %d, %d threads\n",
         cells.rows, cells.cols, cells.count, FACTORS, BENCH_THREADS);
  print_line("the same matrix as dense data", dense_seconds,
             (double)cells.rows * (double)cells.cols);
  print_line("zeros that count", zeros_seconds, (double)cells.count);
  print_line("observed cells alone", pqf_bench_median(&observed_epochs), (double)cells.count);
  printf(
      "zeros that count are %.1f times as fast as dense data (aim: 20 or more); loss of epoch %d: "
      "%.6g, dense %.6g\n",
      dense_seconds / zeros_seconds, EPOCHS_PER_FIT, pqf_bench_last_loss(zeros), dense_loss);
  fflush(stdout);

  pqf_free(zeros);
  pqf_free(observed);
  pqf_data_free(sparse);
  pqf_data_free(dense);
  free(values);
  free_cells(&cells);
}

/* The big matrix, in this process. */
static void measure_large(void)
{
  const double learning_rate = 1e-6;
  cell_list cells = make_cells(1000000, 200000);
  const int64_t count = cells.count;
  const double list_bytes = 12.0 * (double)count;
  const double begin = pqf_bench_clock();
  pqf_data *data = take_in(&cells);
  const double seconds = pqf_bench_clock() - begin;
  printf("\nSparse R, %" PRId64 " x %" PRId64 ", %" PRId64 " cells, k = %d, %d threads\n",
         pqf_data_rows(data), pqf_data_cols(data), count, FACTORS, BENCH_THREADS);
  free_cells(&cells);
  printf("%-44s %9.1f s; peak %.2f GB, %.2f GB of it the list of cells\n", "to take the cells in",
         seconds, 1e-9 * pqf_bench_peak_memory(), 1e-9 * list_bytes);

  static const struct {
    const char *what;
    int32_t objective;
  } fits[] = {{"zeros that count", PQF_OBJECTIVE_SQUARED},
              {"observed cells alone", PQF_OBJECTIVE_OBSERVED}};
  for (int n = 0; n < 2; n++) {
    pqf_model *model = make_model(fits[n].objective, learning_rate);
    pqf_bench_samples epochs = {.count = 0};
    pqf_bench_fit(model, data, &epochs);
    print_line(fits[n].what, pqf_bench_median(&epochs), (double)count);
    pqf_free(model);
  }
  printf("%-44s %9.2f GB (as dense data R alone would be %.0f GB)\n", "peak memory of it all",
         1e-9 * pqf_bench_peak_memory(),
         4e-9 * (double)pqf_data_rows(data) * (double)pqf_data_cols(data));
  pqf_data_free(data);
}

int main(int argc, char **argv)
{
  pqf_bench_watch watch;
  pqf_bench_begin_watch(&watch, 0);
  if (argc == 2 && strcmp(argv[1], "--large") == 0) {
    const double needed = 3e9;
    const double free_now = pqf_bench_free_memory();
    if (free_now >= needed)
      measure_large();
    else
      printf(
          "\nThe large sparse matrix is left out: %.1f GB of memory are free, it takes %.0f GB\n",
          1e-9 * free_now, 1e-9 * needed);
  } else {
    compare_with_dense();
  }
  pqf_bench_print_others(&watch);
  return 0;
}
