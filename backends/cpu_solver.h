/* The small dense systems of alternating least squares: one per row, symmetric, of the size of the
 * factors. cpu_solver_kernels.c has them in float and cpu_solver_double_kernels.c in double, both
 * from cpu_solver_template.h and compiled for several instruction sets like cpu_kernels.c. Matrices
 * are d x d, d a multiple of PQF_CPU_PADDING, row-major, and only the upper triangle (in blocks of
 * 16 x 16) is used. */
#ifndef PQF_BACKENDS_CPU_SOLVER_H
#define PQF_BACKENDS_CPU_SOLVER_H

#include "cpu_kernels.h"

/* The gathered factors of a run of cells, and sums over them. */
typedef struct pqf_cpu_panel {
  float *right;      /* count x d: q of each cell */
  float *left;       /* count x d: scale q of each cell; == right: all scales are 1 */
  float *vector_sum; /* d: += scale q */
  float *right_side; /* d: += target q */
} pqf_cpu_panel;

typedef struct pqf_cpu_solver {
  /* Gathers `count` cells: factors[index[n]] with scale[n] (only if left != right) and
   * target[n]. `ahead`: cells behind the run that exist, to be fetched early. */
  void (*gather_panel)(const pqf_cpu_panel *panel, int64_t count, int64_t ahead,
                       const int32_t *index, const float *scale, const float *target,
                       const float *factors, int64_t d);

  /* Column n of `out`, d x out_stride, becomes scale[n] factors[index[n]]; columns from `count` on
   * become 0. */
  void (*gather_transposed)(int64_t count, const int32_t *index, const float *scale,
                            const float *factors, int64_t d, float *out, int64_t out_stride);

  /* a = from + left' right, for panels of `rows` rows; `from` may be a, or NULL for zeros. */
  void (*rank_update)(float *a, const float *from, int64_t d, const float *left, const float *right,
                      int64_t rows);

  /* a = U'U in place, inverse[n] = 1 / U[n][n], and on the way b becomes the solution of U'y = b;
   * returns 0 as soon as a pivot is not above 0. */
  int (*factor)(float *a, int64_t d, float *inverse, float *b);

  /* Solves U'y = b in the place of b. */
  void (*solve_lower)(const float *u, int64_t d, const float *inverse, float *b);

  /* Solves U x = y. */
  void (*solve_upper)(const float *u, int64_t d, const float *inverse, const float *y, float *x);

  /* a -= factor s s' */
  void (*rank_one)(float *a, int64_t d, float factor, const float *s);

  /* out += scale[n] (q . v + bias) q over cells, q = factors[index[n]]; returns the sum of
   * scale[n] (q . v + bias). `ahead` as above. */
  double (*apply)(const float *v, float bias, const float *factors, int64_t d, const int32_t *index,
                  const float *scale, int64_t count, int64_t ahead, float *out);

  /* out[n] = own . factors[index[n]], `ahead` as above */
  void (*dots)(const float *own, const float *factors, int64_t d, const int32_t *index,
               int64_t count, int64_t ahead, float *out);

  /* out += scale[n] q q over cells, element by element */
  void (*add_squares)(const float *factors, int64_t d, const int32_t *index, const float *scale,
                      int64_t count, int64_t ahead, float *out);

  /* sum += a, in double, and a = 0: d floats */
  void (*move_sums)(float *a, double *sum, int64_t d);

  /* a = sum, rounded to float: d floats */
  void (*round_sums)(const double *sum, float *a, int64_t d);

  /* a . b over d floats, d a multiple of the padding */
  float (*dot)(const float *a, const float *b, int64_t d);
} pqf_cpu_solver;

/* The same in double; factors stay float. */
typedef struct pqf_cpu_double_panel {
  double *right;
  double *left;
  double *vector_sum;
  double *right_side;
} pqf_cpu_double_panel;

typedef struct pqf_cpu_double_solver {
  void (*gather_panel)(const pqf_cpu_double_panel *panel, int64_t count, int64_t ahead,
                       const int32_t *index, const double *scale, const double *target,
                       const float *factors, int64_t d);
  void (*rank_update)(double *a, const double *from, int64_t d, const double *left,
                      const double *right, int64_t rows);
  int (*factor)(double *a, int64_t d, double *inverse, double *b);
  void (*solve_lower)(const double *u, int64_t d, const double *inverse, double *b);
  void (*solve_upper)(const double *u, int64_t d, const double *inverse, const double *y,
                      double *x);

  /* Solves U x = y for an x that can be stored in float without loss. */
  void (*solve_upper_rounded)(const double *u, int64_t d, const double *inverse, const double *y,
                              double *x);
  void (*rank_one)(double *a, int64_t d, double factor, const double *s);
} pqf_cpu_double_solver;

extern const pqf_cpu_solver pqf_cpu_solver_baseline;
extern const pqf_cpu_double_solver pqf_cpu_double_solver_baseline;
#if defined(__x86_64__)
extern const pqf_cpu_solver pqf_cpu_solver_avx2;
extern const pqf_cpu_solver pqf_cpu_solver_avx512;
extern const pqf_cpu_double_solver pqf_cpu_double_solver_avx2;
extern const pqf_cpu_double_solver pqf_cpu_double_solver_avx512;
#endif

/* These go with pqf_cpu_kernels_chosen(). */
const pqf_cpu_solver *pqf_cpu_solver_chosen(void);
const pqf_cpu_double_solver *pqf_cpu_double_solver_chosen(void);

#endif
