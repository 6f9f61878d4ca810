/* The kernels of cpu_solver.h that exist in float and in double: included by cpu_solver_kernels.c
 * and cpu_solver_double_kernels.c.
 *
 * rank_update keeps a tile of the matrix in registers while it runs down the panel; this is where
 * nearly all the time of exact alternating least squares goes. Only blocks on and above the
 * diagonal are touched.
 *
 * factor is the blocked right-looking Cholesky decomposition: for each block of 16 rows
 *
 *     U_jj' U_jj = A_jj;   U_jc = U_jj'^-1 A_jc;   A_cc -= U_jc' U_jc
 *
 * and the last, the bulk of it, is rank_update again with the sign turned round. */
#ifndef PQF_BACKENDS_CPU_SOLVER_TEMPLATE_H
#define PQF_BACKENDS_CPU_SOLVER_TEMPLATE_H

#include "cpu_solver.h"
#include "cpu_vector.h"

#include <math.h>
#include <stddef.h>

#if defined(PQF_KERNELS_IN_DOUBLE)
typedef pqf_cpu_double_panel panel_of_numbers;
#define ROOT sqrt
#else
typedef pqf_cpu_panel panel_of_numbers;
#define ROOT sqrtf
#endif

enum {
  BLOCK = PQF_CPU_PADDING,
  VECTORS = BLOCK / LANES, /* of one block row */
  CELLS_AHEAD = 24,
  FLOATS_PER_LINE = 16,
#if defined(__AVX512F__)
  MOST_SUMS = 8, /* twice as many fill half of the registers */
  HIGHEST = 16   /* tile */
#else
  MOST_SUMS = 4,
  HIGHEST = 6
#endif
};

typedef enum sign { PLUS, MINUS } sign;

/* a[j .. j + heights)[c .. c + widths * LANES) = the same of `from` (NULL: zeros) +- left' right.
 * The panel's sum is added as a whole: many small terms added to a large sum one by one would all
 * be rounded the same way. */
INLINE void tile(const sign which, number *a, const number *from, int64_t d, const number *left,
                 const number *right, int64_t rows, int64_t j, int64_t c, const int heights,
                 const int widths)
{
  vector sum[HIGHEST][4];
  for (int h = 0; h < heights; h++)
    for (int w = 0; w < widths; w++)
      sum[h][w] = all(0);
  for (int64_t row = 0; row < rows; row++) {
    vector x[4];
    for (int w = 0; w < widths; w++)
      x[w] = load(right + row * d + c + w * LANES);
    for (int h = 0; h < heights; h++) {
      const vector factor = all(left[row * d + j + h]);
      for (int w = 0; w < widths; w++)
        sum[h][w] += factor * x[w];
    }
  }
  for (int h = 0; h < heights; h++)
    for (int w = 0; w < widths; w++) {
      const int64_t at = (j + h) * d + c + w * LANES;
      const vector before = from != NULL ? load(from + at) : all(0);
      store(a + at, which == PLUS ? before + sum[h][w] : before - sum[h][w]);
    }
}

/* A strip: one block of 16 rows, `widths` vectors across, in as few passes as registers allow. */
INLINE void strip(const sign which, number *a, const number *from, int64_t d, const number *left,
                  const number *right, int64_t rows, int64_t j, int64_t c, const int widths)
{
  if (VECTORS == 1 && widths == 1) {
    tile(which, a, from, d, left, right, rows, j, c, 16, widths);
  } else if (VECTORS == 1 && widths < 4) {
    tile(which, a, from, d, left, right, rows, j, c, 8, widths);
    tile(which, a, from, d, left, right, rows, j + 8, c, 8, widths);
  } else {
    tile(which, a, from, d, left, right, rows, j, c, 6, widths);
    tile(which, a, from, d, left, right, rows, j + 6, c, 5, widths);
    tile(which, a, from, d, left, right, rows, j + 11, c, 5, widths);
  }
}

#define STRIP(which, widths)                                                                       \
  static __attribute__((noinline)) void strip_##which##_##widths(                                  \
      number *a, const number *from, int64_t d, const number *left, const number *right,           \
      int64_t rows, int64_t j, int64_t c)                                                          \
  {                                                                                                \
    strip(which, a, from, d, left, right, rows, j, c, widths);                                     \
  }

STRIP(PLUS, 2)
STRIP(MINUS, 2)
#if defined(__AVX512F__)
STRIP(PLUS, 1)
STRIP(PLUS, 3)
STRIP(PLUS, 4)
STRIP(MINUS, 1)
STRIP(MINUS, 3)
STRIP(MINUS, 4)
#endif

/* Blocks of rows from `first` on, each from its diagonal to the right edge. */
INLINE void update_blocks(const sign which, number *a, const number *from, int64_t d,
                          const number *left, const number *right, int64_t rows, int64_t first)
{
  for (int64_t j = first; j < d; j += BLOCK)
    for (int64_t c = j; c < d;) {
#if defined(__AVX512F__)
      int64_t widths = (d - c) / LANES;
      if (widths > 4)
        widths = widths >= 8 || widths == 7 ? 4 : (widths + 1) / 2;
      switch (widths) {
      case 1:
        (which == PLUS ? strip_PLUS_1 : strip_MINUS_1)(a, from, d, left, right, rows, j, c);
        break;
      case 2:
        (which == PLUS ? strip_PLUS_2 : strip_MINUS_2)(a, from, d, left, right, rows, j, c);
        break;
      case 3:
        (which == PLUS ? strip_PLUS_3 : strip_MINUS_3)(a, from, d, left, right, rows, j, c);
        break;
      default:
        (which == PLUS ? strip_PLUS_4 : strip_MINUS_4)(a, from, d, left, right, rows, j, c);
        break;
      }
      c += widths * LANES;
#else
      (which == PLUS ? strip_PLUS_2 : strip_MINUS_2)(a, from, d, left, right, rows, j, c);
      c += 2 * LANES;
#endif
    }
}

static void rank_update(number *a, const number *from, int64_t d, const number *left,
                        const number *right, int64_t rows)
{
  update_blocks(PLUS, a, from, d, left, right, rows, 0);
}

/* Asks for the factors of a cell that comes soon. */
INLINE void fetch_ahead(const int32_t *index, int64_t n, int64_t known, const float *factors,
                        int64_t d)
{
  if (n + CELLS_AHEAD < known) {
    const float *soon = factors + index[n + CELLS_AHEAD] * d;
    for (int64_t column = 0; column < d; column += FLOATS_PER_LINE)
      __builtin_prefetch(soon + column);
  }
}

/* `widths` vectors from column c on, of all cells; the sums stay in registers meanwhile. */
INLINE void gather_columns(const panel_of_numbers *panel, int64_t count, int64_t ahead,
                           const int32_t *index, const number *scale, const number *target,
                           const float *factors, int64_t d, int64_t c, const int scaled,
                           const int widths)
{
  vector sum[MOST_SUMS];
  vector right_side[MOST_SUMS];
  for (int w = 0; w < widths; w++) {
    sum[w] = all(0);
    right_side[w] = all(0);
  }
  for (int64_t n = 0; n < count; n++) {
    if (c == 0)
      fetch_ahead(index, n, count + ahead, factors, d);
    for (int w = 0; w < widths; w++) {
      const int64_t at = c + w * LANES;
      const vector q = load_factors(factors + index[n] * d + at);
      const vector left = scaled ? all(scale[n]) * q : q;
      store(panel->right + n * d + at, q);
      if (scaled)
        store(panel->left + n * d + at, left);
      sum[w] += left;
      right_side[w] += all(target[n]) * q;
    }
  }
  for (int w = 0; w < widths; w++) {
    const int64_t at = c + w * LANES;
    store(panel->vector_sum + at, load(panel->vector_sum + at) + sum[w]);
    store(panel->right_side + at, load(panel->right_side + at) + right_side[w]);
  }
}

INLINE void gather_all(const panel_of_numbers *panel, int64_t count, int64_t ahead,
                       const int32_t *index, const number *scale, const number *target,
                       const float *factors, int64_t d, const int scaled)
{
  int64_t c = 0;
  for (; c + MOST_SUMS * LANES <= d; c += MOST_SUMS * LANES)
    gather_columns(panel, count, ahead, index, scale, target, factors, d, c, scaled, MOST_SUMS);
  for (; c + 4 * LANES <= d; c += 4 * LANES)
    gather_columns(panel, count, ahead, index, scale, target, factors, d, c, scaled, 4);
  for (; c < d; c += LANES)
    gather_columns(panel, count, ahead, index, scale, target, factors, d, c, scaled, 1);
}

static void gather_panel(const panel_of_numbers *panel, int64_t count, int64_t ahead,
                         const int32_t *index, const number *scale, const number *target,
                         const float *factors, int64_t d)
{
  if (panel->left == panel->right)
    gather_all(panel, count, ahead, index, scale, target, factors, d, 0);
  else
    gather_all(panel, count, ahead, index, scale, target, factors, d, 1);
}

/* The diagonal block at (j, j), and the elements of b beside it. Rows are scaled by the roots of
 * their pivots last, so that no pivot waits for a root. Below the diagonal goes the transpose,
 * which solve_upper reads by rows. */
INLINE int factor_block(number *a, int64_t d, int64_t j, number *inverse, number *b)
{
  vector row[BLOCK][VECTORS];
  vector rest[VECTORS];
  for (int v = 0; v < VECTORS; v++)
    rest[v] = load(b + j + v * LANES);
  for (int r = 0; r < BLOCK; r++)
    for (int v = 0; v < VECTORS; v++)
      row[r][v] = load(a + (j + r) * d + j + v * LANES);
#pragma GCC unroll 16
  for (int r = 0; r < BLOCK; r++) {
    const number pivot = row[r][r / LANES][r % LANES];
    if (!(pivot > 0))
      return 0;
    const number reciprocal = 1 / pivot;
    const vector known = all(rest[r / LANES][r % LANES]);
    inverse[j + r] = 1 / ROOT(pivot);
    b[j + r] = known[0] * inverse[j + r];
    for (int v = 0; v < VECTORS; v++) {
      const vector scaled = row[r][v] * all(reciprocal);
      rest[v] -= known * scaled;
#pragma GCC unroll 16
      for (int below = r + 1; below < BLOCK; below++)
        row[below][v] -= all(row[r][below / LANES][below % LANES]) * scaled;
    }
  }
  for (int r = 0; r < BLOCK; r++)
    for (int v = 0; v < VECTORS; v++)
      store(a + (j + r) * d + j + v * LANES, row[r][v] * all(inverse[j + r]));
  for (int64_t r = 1; r < BLOCK; r++)
    for (int64_t c = 0; c < r; c++)
      a[(j + r) * d + j + c] = a[(j + c) * d + j + r];
  return 1;
}

/* Columns [c, c + widths * LANES) of the block row at j: U_jj'^-1 A_jc. */
INLINE void solve_block_row(number *a, int64_t d, int64_t j, const number *inverse, int64_t c,
                            const int widths)
{
  vector row[BLOCK][2];
#pragma GCC unroll 16
  for (int r = 0; r < BLOCK; r++) {
    for (int w = 0; w < widths; w++)
      row[r][w] = load(a + (j + r) * d + c + w * LANES);
#pragma GCC unroll 16
    for (int above = 0; above < r; above++) {
      const vector factor = all(a[(j + above) * d + j + r]);
      for (int w = 0; w < widths; w++)
        row[r][w] -= factor * row[above][w];
    }
    for (int w = 0; w < widths; w++) {
      row[r][w] *= all(inverse[j + r]);
      store(a + (j + r) * d + c + w * LANES, row[r][w]);
    }
  }
}

/* Takes the unknowns at j out of the rest of b. */
INLINE void reduce_right_side(const number *u, int64_t d, int64_t j, number *b)
{
  for (int64_t c = j + BLOCK; c < d; c += LANES) {
    vector even = load(b + c);
    vector odd = all(0);
    for (int r = 0; r < BLOCK; r += 2) {
      even -= all(b[j + r]) * load(u + (j + r) * d + c);
      odd -= all(b[j + r + 1]) * load(u + (j + r + 1) * d + c);
    }
    store(b + c, even + odd);
  }
}

static int factor(number *a, int64_t d, number *inverse, number *b)
{
  for (int64_t j = 0; j < d; j += BLOCK) {
    if (!factor_block(a, d, j, inverse, b))
      return 0;
    int64_t c = j + BLOCK;
    for (; c + 2 * LANES <= d; c += 2 * LANES)
      solve_block_row(a, d, j, inverse, c, 2);
    for (; c < d; c += LANES)
      solve_block_row(a, d, j, inverse, c, 1);
    reduce_right_side(a, d, j, b);
    update_blocks(MINUS, a, a, d, a + j * d, a + j * d, BLOCK, j + BLOCK);
  }
  return 1;
}

/* Block by block from the top. Lanes of `rest` that are done with fill with garbage. */
static void solve_lower(const number *u, int64_t d, const number *inverse, number *b)
{
  for (int64_t j = 0; j < d; j += BLOCK) {
    vector rest[VECTORS];
    for (int v = 0; v < VECTORS; v++)
      rest[v] = load(b + j + v * LANES);
#pragma GCC unroll 16
    for (int r = 0; r < BLOCK; r++) {
      const number known = rest[r / LANES][r % LANES] * inverse[j + r];
      b[j + r] = known;
      for (int v = 0; v < VECTORS; v++)
        rest[v] -= all(known) * load(u + (j + r) * d + j + v * LANES);
    }
    reduce_right_side(u, d, j, b);
  }
}

/* Block by block from the bottom; inside a block by columns, which the transpose below
 * the diagonal holds as rows. Where the solution is to be stored in float, each unknown is rounded
 * before those above it are solved for: they make up for what the rounding has cost, and the
 * residual of U x = y is at most the diagonal's share of it. */
INLINE void substitute_back(const number *u, int64_t d, const number *inverse, const number *y,
                            number *x, const int rounded)
{
  for (int64_t j = d - BLOCK; j >= 0; j -= BLOCK) {
    number right[BLOCK];
    vector rest[VECTORS];
    for (int64_t r = 0; r < BLOCK; r++) {
      vector sum = all(0);
      for (int64_t c = j + BLOCK; c < d; c += LANES)
        sum += load(u + (j + r) * d + c) * load(x + c);
      right[r] = y[j + r] - sum_of_lanes(sum);
    }
    for (int v = 0; v < VECTORS; v++)
      rest[v] = load(right + v * LANES);
#pragma GCC unroll 16
    for (int r = BLOCK - 1; r >= 0; r--) {
      const number exact = rest[r / LANES][r % LANES] * inverse[j + r];
      const number known = rounded ? (number)(float)exact : exact;
      x[j + r] = known;
      for (int v = 0; v < VECTORS; v++)
        rest[v] -= all(known) * load(u + (j + r) * d + j + v * LANES);
    }
  }
}

static void solve_upper(const number *u, int64_t d, const number *inverse, const number *y,
                        number *x)
{
  substitute_back(u, d, inverse, y, x, 0);
}

static void rank_one(number *a, int64_t d, number scale, const number *s)
{
  for (int64_t row = 0; row < d; row++) {
    const vector f = all(scale * s[row]);
    for (int64_t c = row / BLOCK * BLOCK; c < d; c += LANES)
      store(a + row * d + c, load(a + row * d + c) - f * load(s + c));
  }
}

#endif
