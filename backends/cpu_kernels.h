/* What no BLAS does well, or not without its price: sums over gathered rows, small products, and
 * those for serving. One source, cpu_kernels.c, compiled for several instruction sets; the widest
 * that the machine has is chosen once, at run time. */
#ifndef PQF_BACKENDS_CPU_KERNELS_H
#define PQF_BACKENDS_CPU_KERNELS_H

#include <stdint.h>

/* Factor matrices inside the back end have rows padded with zeros to a multiple of this many
 * floats (one cache line), so that kernels have no remainders. */
enum { PQF_CPU_PADDING = 16 };

/* The cells of one row of R (or of one column). */
typedef struct pqf_cpu_cells {
  int64_t count;
  const int32_t *index;
  const float *value;
  const float *weight; /* NULL: all are 1 */
} pqf_cpu_cells;

typedef struct pqf_cpu_kernels {
  const char *name;

  /* out = sum over cells of value factors[index]; `out` and the rows of `factors` have `stride`
   * floats. */
  void (*gather)(const pqf_cpu_cells *cells, const float *factors, int64_t stride, float *out);

  /* With d = own . dot_factors[index], r the value and w the weight of each cell:
   * out = sum of w (d - r) add_factors[index]; returns the sum of w (d - target r)^2. */
  double (*gather_error)(const pqf_cpu_cells *cells, const float *own, const float *dot_factors,
                         const float *add_factors, int64_t stride, double target, float *out);

  /* The same with absent cells as zeros of weight 1, whose share the caller adds:
   * out = sum of (w r - (w - 1) d) add_factors[index]; returns the sum of (w - 1) d^2. */
  double (*gather_weighted)(const pqf_cpu_cells *cells, const float *own, const float *dot_factors,
                            const float *add_factors, int64_t stride, float *out);

  /* out[n] = own . factors[index] in double, for `count` cells from the row's cell `first` on. */
  void (*exact_dots)(const pqf_cpu_cells *cells, int64_t first, int64_t count, const float *own,
                     const float *factors, int64_t stride, double *out);

  /* The sum of a[n] b[n], in double, in an order that `count` alone decides. */
  double (*dot)(const float *a, const float *b, int64_t count);

  /* out = A B + keep out. A is rows x depth, element (r, f) at a[r * a_row + f * a_depth], so that
   * a transpose is read in its place; B is depth x cols, out is rows x cols. B and out have columns
   * up to a multiple of PQF_CPU_PADDING, which hold zeros. Where keep is 0, out is not read. */
  void (*product)(int64_t rows, int64_t cols, int64_t depth, const float *a, int64_t a_row,
                  int64_t a_depth, const float *b, int64_t b_stride, float keep, float *out,
                  int64_t out_stride);

  /* sum += X'Y (k x k) for `rows` rows of X and of Y, all in double; of X'X (x == y) only what is
   * on and above the diagonal is sure to be added. X and Y have `stride` columns, a multiple of
   * PQF_CPU_PADDING, zero from k on. */
  void (*exact_gram)(int64_t rows, int64_t k, const double *x, const double *y, int64_t stride,
                     double *sum);

  /* The serving functions of the contract: see pqf_backend. */
  void (*multiply)(int64_t rows, int64_t cols, int64_t k, const float *p, int64_t p_stride,
                   const float *q, int64_t q_stride, float *out, int64_t out_stride);
  void (*predict)(int64_t count, const int32_t *row, const int32_t *col, int64_t k, const float *p,
                  const float *q, float *out);
} pqf_cpu_kernels;

extern const pqf_cpu_kernels pqf_cpu_kernels_baseline;
#if defined(__x86_64__)
extern const pqf_cpu_kernels pqf_cpu_kernels_avx2;
extern const pqf_cpu_kernels pqf_cpu_kernels_avx512;
#endif

/* The widest set that this machine has and PQF_INSTRUCTIONS allows. */
const pqf_cpu_kernels *pqf_cpu_kernels_chosen(void);

#endif
