/* More than 2^31 and 2^32 cells, and factor matrices of more than 2^31 numbers, without the memory:
 * address space of which only the pages in use are ever touched. Offsets of a small R are moved up,
 * so that its cells lie on both sides of 2^31 or of 2^32, and nothing that is computed from them
 * may change by a bit. */
#include "backends.h"
#include "backends/cpu_kernels.h"
#include "backends/cpu_solver.h"
#include "data.h"
#include "sparse_cells.h"
#include "suites.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Zeros that take no memory until they are written to; NULL: not to be had here. */
static void *take_space(int64_t count, size_t size)
{
  void *space = mmap(NULL, (size_t)count * size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (space != MAP_FAILED)
    return space;
  printf("\n    skipped: there is no address space for %lld numbers\n", (long long)count);
  return NULL;
}

static void give_space_back(const void *space, int64_t count, size_t size)
{
  if (space != NULL)
    munmap((void *)space, (size_t)count * size);
}

/* ---- Cells ----------------------------------------------------------------------------------- */

/* A copy of one array in which cell n is at `base` + n. What is summed up over all cells begins at
 * 0, whatever the offsets: the same cells lie there too. */
static void *move_array(const void *from, int64_t base, int64_t count, size_t size)
{
  char *space = from != NULL ? take_space(base + count, size) : NULL;
  if (space != NULL) {
    memcpy(space, from, (size_t)count * size);
    memcpy(space + (size_t)base * size, from, (size_t)count * size);
  }
  return space;
}

/* `offset`: room for groups + 1. */
static pqf_cells move_cells(const pqf_cells *from, int64_t base, int64_t groups, int64_t *offset)
{
  const int64_t count = from->offset[groups];
  for (int64_t n = 0; n <= groups; ++n)
    offset[n] = base + from->offset[n];
  return (pqf_cells){
      offset,
      move_array(from->index, base, count, sizeof *from->index),
      move_array(from->value, base, count, sizeof *from->value),
      move_array(from->weight, base, count, sizeof *from->weight),
  };
}

static void free_cells(const pqf_cells *cells, int64_t groups)
{
  const int64_t end = cells->offset[groups];
  give_space_back(cells->index, end, sizeof *cells->index);
  give_space_back(cells->value, end, sizeof *cells->value);
  give_space_back(cells->weight, end, sizeof *cells->weight);
}

static int is_complete(const pqf_cells *cells, int weighted)
{
  return cells->index != NULL && cells->value != NULL && (cells->weight != NULL || !weighted);
}

/* The same R, its middle cell at `middle`; 0: not to be had here. */
static int move_data(pqf_data *out, const pqf_data *data, int64_t middle)
{
  const int weighted = data->matrix.by_row.weight != NULL;
  const int64_t base = middle - data->matrix.count / 2;
  *out = (pqf_data){.matrix = data->matrix,
                    .row_offset = test_allocate(data->matrix.rows + 1, sizeof *out->row_offset),
                    .col_offset = test_allocate(data->matrix.cols + 1, sizeof *out->col_offset)};
  out->matrix.by_row = move_cells(&data->matrix.by_row, base, data->matrix.rows, out->row_offset);
  out->matrix.by_col = move_cells(&data->matrix.by_col, base, data->matrix.cols, out->col_offset);
  return is_complete(&out->matrix.by_row, weighted) && is_complete(&out->matrix.by_col, weighted);
}

static void free_moved(const pqf_data *data)
{
  free_cells(&data->matrix.by_row, data->matrix.rows);
  free_cells(&data->matrix.by_col, data->matrix.cols);
  free(data->row_offset);
  free(data->col_offset);
}

enum { ROWS = 40, COLS = 150, COUNT = 3000, FACTORS = 20, EPOCHS = 3 };

/* Different cells; one row is full, longer than any panel of a back end. */
static pqf_data *make_data(int weighted, uint64_t seed)
{
  pqf_data_options options = PQF_DATA_OPTIONS_INIT;
  cell_list list = cell_list_random(ROWS, COLS, COUNT, weighted, seed);
  int status;
  options.duplicates = PQF_DUPLICATES_LAST;
  for (int64_t n = 0; n < COUNT; ++n) {
    if (n < COLS) {
      list.row[n] = ROWS / 2;
      list.col[n] = (int32_t)n;
    }
    list.value[n] = 1 + 0.3f * list.value[n] * list.value[n];
  }
  pqf_data *data = cell_list_build(&list, AS_LIST, &options, &status);
  CHECK_OK(status);
  cell_list_free(&list);
  return data;
}

/* Every step of a back end that looks at sparse cells. */
static const struct {
  int32_t solver;
  int32_t objective;
  int64_t conjugate_gradient;
} variants[] = {
    {PQF_SOLVER_GD, PQF_OBJECTIVE_SQUARED, 0},   {PQF_SOLVER_GD, PQF_OBJECTIVE_OBSERVED, 0},
    {PQF_SOLVER_ALS, PQF_OBJECTIVE_OBSERVED, 0}, {PQF_SOLVER_ALS, PQF_OBJECTIVE_SQUARED, 0},
    {PQF_SOLVER_ALS, PQF_OBJECTIVE_IMPLICIT, 0}, {PQF_SOLVER_ALS, PQF_OBJECTIVE_OBSERVED, 3},
    {PQF_SOLVER_ALS, PQF_OBJECTIVE_SQUARED, 3},  {PQF_SOLVER_ALS, PQF_OBJECTIVE_IMPLICIT, 3}};

static pqf_model *fit(int variant, const pqf_data *train, const pqf_data *validation)
{
  pqf_options options = PQF_OPTIONS_INIT;
  pqf_model *model = NULL;
  options.backend = "cpu";
  options.solver = variants[variant].solver;
  options.objective = variants[variant].objective;
  options.conjugate_gradient = variants[variant].conjugate_gradient;
  options.regularization_scaling = options.solver == PQF_SOLVER_ALS ? 0.5 : 0;
  options.factors = FACTORS;
  options.epochs = EPOCHS;
  options.patience = 0;
  options.keep_best = 1;
  options.init_scale = 0.1;
  options.learning_rate = 1e-4;
  options.threads = 2;
  CHECK_OK(pqf_create(&model, &options));
  CHECK_OK(pqf_fit(model, train, validation));
  return model;
}

static int same_bytes(const void *a, const void *b, size_t bytes)
{
  return (a == NULL && b == NULL) || (a != NULL && b != NULL && memcmp(a, b, bytes) == 0);
}

/* Factors, biases, and the losses of all epochs in their parts. */
static int same_models(const pqf_model *a, const pqf_model *b)
{
  int same = 1;
  for (int32_t side = 0; side < 2; ++side) {
    const size_t size = side == PQF_ROWS ? ROWS : COLS;
    same &= same_bytes(pqf_model_borrow_factors(a, side), pqf_model_borrow_factors(b, side),
                       size * FACTORS * sizeof(float));
    same &= same_bytes(pqf_model_borrow_biases(a, side), pqf_model_borrow_biases(b, side),
                       size * sizeof(float));
  }
  for (int64_t n = 0; n < EPOCHS; ++n) {
    pqf_epoch x = {.size = sizeof x};
    pqf_epoch y = {.size = sizeof y};
    CHECK_OK(pqf_model_history(a, n, &x));
    CHECK_OK(pqf_model_history(b, n, &y));
    x.seconds = y.seconds;
    same &= memcmp(&x, &y, sizeof x) == 0;
  }
  return same;
}

static int same_measures(const pqf_model *model, const pqf_data *held_out, const pqf_data *exclude,
                         const pqf_data *moved_held_out, const pqf_data *moved_exclude)
{
  pqf_metrics metrics = {.size = sizeof metrics};
  pqf_metrics moved = {.size = sizeof moved};
  CHECK_OK(pqf_evaluate(model, held_out, exclude, NULL, &metrics));
  CHECK_OK(pqf_evaluate(model, moved_held_out, moved_exclude, NULL, &moved));
  return memcmp(&metrics, &moved, sizeof moved) == 0;
}

static void check_moved(const pqf_data *train, const pqf_data *validation, int64_t middle)
{
  pqf_data far_train;
  pqf_data far_validation;
  const int taken = move_data(&far_train, train, middle);
  if (move_data(&far_validation, validation, middle) && taken)
    for (int n = 0; n < (int)(sizeof variants / sizeof variants[0]); ++n) {
      pqf_model *near = fit(n, train, validation);
      pqf_model *far = fit(n, &far_train, &far_validation);
      CU_ASSERT(same_models(near, far));
      CU_ASSERT(same_measures(near, validation, train, &far_validation, &far_train));
      pqf_free(near);
      pqf_free(far);
    }
  free_moved(&far_train);
  free_moved(&far_validation);
}

static void cells_beyond_32_bits(void)
{
  for (int weighted = 0; weighted <= 1; ++weighted) {
    pqf_data *train = make_data(weighted, 1);
    pqf_data *validation = make_data(weighted, 2);
    check_moved(train, validation, INT64_C(1) << 31);
    check_moved(train, validation, INT64_C(1) << 32);
    pqf_data_free(train);
    pqf_data_free(validation);
  }
}

/* ---- Factors --------------------------------------------------------------------------------- */

enum { K = 2048, FAR_ROW = 1 << 21 }; /* K FAR_ROW = 2^32 */

/* A matrix whose row FAR_ROW is of ones and whose last but one before 2^31 is of twos. */
static void factors_beyond_32_bits(void)
{
  enum { OTHER_ROW = (1 << 20) - 1 };
  const int64_t count = (FAR_ROW + INT64_C(1)) * K;
  const int32_t index[] = {FAR_ROW, OTHER_ROW, 0};
  const int32_t zero[] = {0, 0, 0};
  const float value[] = {3, 5, 7};
  float *factors = take_space(count, sizeof *factors);
  float *own = test_allocate(K + 16, sizeof *own);
  float *sum = test_allocate(K + 16, sizeof *sum);
  float out[3];
  if (factors == NULL)
    goto out;
  for (int64_t f = 0; f < K; ++f) {
    factors[FAR_ROW * INT64_C(2048) + f] = 1;
    factors[OTHER_ROW * INT64_C(2048) + f] = 2;
    own[f] = 1;
  }
  const pqf_backend *cpu = pqf_cpu_backend();
  cpu->predict(3, index, zero, K, factors, own, out);
  CU_ASSERT(out[0] == K && out[1] == 2 * K && out[2] == 0);
  cpu->predict(3, zero, index, K, own, factors, out);
  CU_ASSERT(out[0] == K && out[1] == 2 * K && out[2] == 0);
  const pqf_cpu_cells cells = {3, index, value, NULL};
  pqf_cpu_kernels_chosen()->gather(&cells, factors, K, sum);
  CU_ASSERT(sum[0] == 13 && sum[K - 1] == 13);
  pqf_cpu_solver_chosen()->dots(own, factors, K, index, 3, 0, out);
  CU_ASSERT(out[0] == K && out[1] == 2 * K && out[2] == 0);
out:
  give_space_back(factors, count, sizeof *factors);
  free(own);
  free(sum);
}

void suite_large(void)
{
  CU_pSuite suite = CU_add_suite("large", NULL, NULL);
  CU_add_test(suite, "cells beyond 2^31 and 2^32", cells_beyond_32_bits);
  CU_add_test(suite, "factors beyond 2^31 and 2^32", factors_beyond_32_bits);
}
