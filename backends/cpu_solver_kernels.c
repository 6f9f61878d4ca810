/* The kernels of cpu_solver.h in float. */
#include "cpu_solver_template.h"

/* A square of vectors: columns become rows, by exchanging the blocks off the diagonal of all pairs
 * of blocks of 8, 4, 2 and 1. */
INLINE void transpose(vector row[LANES])
{
#if LANES >= 16
  EXCHANGE(row, 8)
#endif
#if LANES >= 8
  EXCHANGE(row, 4)
#endif
  EXCHANGE(row, 2)
  EXCHANGE(row, 1)
}

static void gather_transposed(int64_t count, const int32_t *index, const float *scale,
                              const float *factors, int64_t d, float *out, int64_t out_stride)
{
  for (int64_t first = 0; first < out_stride; first += LANES)
    for (int64_t c = 0; c < d; c += LANES) {
      vector row[LANES];
      for (int n = 0; n < LANES; n++) {
        const int64_t cell = first + n;
        row[n] = cell < count ? all(scale[cell]) * load(factors + index[cell] * d + c) : all(0);
        if (cell + LANES < count)
          __builtin_prefetch(factors + index[cell + LANES] * d + c);
      }
      transpose(row);
      for (int n = 0; n < LANES; n++)
        store(out + (c + n) * out_stride + first, row[n]);
    }
}

static float dot(const float *a, const float *b, int64_t d)
{
  vector sum = all(0);
  for (int64_t c = 0; c < d; c += LANES)
    sum += load(a + c) * load(b + c);
  return sum_of_lanes(sum);
}

static double apply(const float *v, float bias, const float *factors, int64_t d,
                    const int32_t *index, const float *scale, int64_t count, int64_t ahead,
                    float *out)
{
  double sum = 0;
  for (int64_t n = 0; n < count; n++) {
    fetch_ahead(index, n, count + ahead, factors, d);
    const float *q = factors + index[n] * d;
    const float term = scale[n] * (dot(q, v, d) + bias);
    const vector factor = all(term);
    for (int64_t c = 0; c < d; c += LANES)
      store(out + c, load(out + c) + factor * load(q + c));
    sum += (double)term;
  }
  return sum;
}

static void dots(const float *own, const float *factors, int64_t d, const int32_t *index,
                 int64_t count, int64_t ahead, float *out)
{
  for (int64_t n = 0; n < count; n++) {
    fetch_ahead(index, n, count + ahead, factors, d);
    out[n] = dot(own, factors + index[n] * d, d);
  }
}

static void add_squares(const float *factors, int64_t d, const int32_t *index, const float *scale,
                        int64_t count, int64_t ahead, float *out)
{
  for (int64_t n = 0; n < count; n++) {
    fetch_ahead(index, n, count + ahead, factors, d);
    const float *q = factors + index[n] * d;
    const vector factor = all(scale[n]);
    for (int64_t c = 0; c < d; c += LANES)
      store(out + c, load(out + c) + factor * load(q + c) * load(q + c));
  }
}

static void move_sums(float *a, double *sum, int64_t d)
{
  for (int64_t c = 0; c < d; c += LANES) {
    for (int half = 0; half < 2; half++) {
      const int64_t at = c + half * (LANES / 2);
      store_doubles(sum + at, load_doubles(sum + at) + load_wide(a + at));
    }
    store(a + c, all(0));
  }
}

static void round_sums(const double *sum, float *a, int64_t d)
{
  for (int64_t n = 0; n < d; n++)
    a[n] = (float)sum[n];
}

const pqf_cpu_solver TABLE_NAME(pqf_cpu_solver, PQF_ISA) = {
    .gather_panel = gather_panel,
    .gather_transposed = gather_transposed,
    .rank_update = rank_update,
    .factor = factor,
    .solve_lower = solve_lower,
    .solve_upper = solve_upper,
    .rank_one = rank_one,
    .apply = apply,
    .dots = dots,
    .add_squares = add_squares,
    .move_sums = move_sums,
    .round_sums = round_sums,
    .dot = dot,
};
