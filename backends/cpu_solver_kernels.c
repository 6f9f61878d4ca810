/* The kernels of cpu_solver.h.
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
#include "cpu_solver.h"
#include "cpu_vector.h"

#include <math.h>
#include <stddef.h>

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

/* a[j .. j + heights)[c .. c + widths * LANES) = the same of `from` (NULL: zeros) +- left' right */
INLINE void tile(const sign which, float *a, const float *from, int64_t d, const float *left,
                 const float *right, int64_t rows, int64_t j, int64_t c, const int heights,
                 const int widths)
{
  vector sum[HIGHEST][4];
  for (int h = 0; h < heights; h++)
    for (int w = 0; w < widths; w++)
      sum[h][w] = from != NULL ? load(from + (j + h) * d + c + w * LANES) : all(0);
  for (int64_t row = 0; row < rows; row++) {
    vector x[4];
    for (int w = 0; w < widths; w++)
      x[w] = load(right + row * d + c + w * LANES);
    for (int h = 0; h < heights; h++) {
      const vector factor = all(left[row * d + j + h]);
      for (int w = 0; w < widths; w++)
        sum[h][w] = which == PLUS ? sum[h][w] + factor * x[w] : sum[h][w] - factor * x[w];
    }
  }
  for (int h = 0; h < heights; h++)
    for (int w = 0; w < widths; w++)
      store(a + (j + h) * d + c + w * LANES, sum[h][w]);
}

/* A strip: one block of 16 rows, `widths` vectors across, in as few passes as registers allow. */
INLINE void strip(const sign which, float *a, const float *from, int64_t d, const float *left,
                  const float *right, int64_t rows, int64_t j, int64_t c, const int widths)
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
      float *a, const float *from, int64_t d, const float *left, const float *right, int64_t rows, \
      int64_t j, int64_t c)                                                                        \
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
INLINE void update_blocks(const sign which, float *a, const float *from, int64_t d,
                          const float *left, const float *right, int64_t rows, int64_t first)
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

static void rank_update(float *a, const float *from, int64_t d, const float *left,
                        const float *right, int64_t rows)
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
INLINE void gather_columns(const pqf_cpu_panel *panel, int64_t count, int64_t ahead,
                           const int32_t *index, const float *scale, const float *target,
                           const float *factors, int64_t d, int64_t c, const int scaled,
                           const int widths)
{
  vector sum[MOST_SUMS];
  vector right_side[MOST_SUMS];
  for (int w = 0; w < widths; w++) {
    sum[w] = load(panel->vector_sum + c + w * LANES);
    right_side[w] = load(panel->right_side + c + w * LANES);
  }
  for (int64_t n = 0; n < count; n++) {
    if (c == 0)
      fetch_ahead(index, n, count + ahead, factors, d);
    for (int w = 0; w < widths; w++) {
      const int64_t at = c + w * LANES;
      const vector q = load(factors + index[n] * d + at);
      const vector left = scaled ? all(scale[n]) * q : q;
      store(panel->right + n * d + at, q);
      if (scaled)
        store(panel->left + n * d + at, left);
      sum[w] += left;
      right_side[w] += all(target[n]) * q;
    }
  }
  for (int w = 0; w < widths; w++) {
    store(panel->vector_sum + c + w * LANES, sum[w]);
    store(panel->right_side + c + w * LANES, right_side[w]);
  }
}

INLINE void gather_all(const pqf_cpu_panel *panel, int64_t count, int64_t ahead,
                       const int32_t *index, const float *scale, const float *target,
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

static void gather_panel(const pqf_cpu_panel *panel, int64_t count, int64_t ahead,
                         const int32_t *index, const float *scale, const float *target,
                         const float *factors, int64_t d)
{
  if (panel->left == panel->right)
    gather_all(panel, count, ahead, index, scale, target, factors, d, 0);
  else
    gather_all(panel, count, ahead, index, scale, target, factors, d, 1);
}

/* A square of vectors: columns become rows, by exchanging the blocks off the diagonal of all pairs
 * of blocks of 8, 4, 2 and 1. */
INLINE void transpose(vector row[LANES])
{
#if defined(__AVX512F__)
  EXCHANGE(row, 8)
#endif
#if defined(__AVX2__)
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

/* The diagonal block at (j, j), and the elements of b beside it. Rows are scaled by the roots of
 * their pivots last, so that no pivot waits for a root. Below the diagonal goes the transpose,
 * which solve_upper reads by rows. */
INLINE int factor_block(float *a, int64_t d, int64_t j, float *inverse, float *b)
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
    const float pivot = row[r][r / LANES][r % LANES];
    if (!(pivot > 0))
      return 0;
    const float reciprocal = 1 / pivot;
    const vector known = all(rest[r / LANES][r % LANES]);
    inverse[j + r] = 1 / sqrtf(pivot);
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
INLINE void solve_block_row(float *a, int64_t d, int64_t j, const float *inverse, int64_t c,
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
INLINE void reduce_right_side(const float *u, int64_t d, int64_t j, float *b)
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

static int factor(float *a, int64_t d, float *inverse, float *b)
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

/* Block by block from the top. Lanes of `rest` that are done with fill with rubbish. */
static void solve_lower(const float *u, int64_t d, const float *inverse, float *b)
{
  for (int64_t j = 0; j < d; j += BLOCK) {
    vector rest[VECTORS];
    for (int v = 0; v < VECTORS; v++)
      rest[v] = load(b + j + v * LANES);
#pragma GCC unroll 16
    for (int r = 0; r < BLOCK; r++) {
      const float known = rest[r / LANES][r % LANES] * inverse[j + r];
      b[j + r] = known;
      for (int v = 0; v < VECTORS; v++)
        rest[v] -= all(known) * load(u + (j + r) * d + j + v * LANES);
    }
    reduce_right_side(u, d, j, b);
  }
}

/* Block by block from the bottom; inside a block by columns, which the transpose below
 * the diagonal holds as rows. */
static void solve_upper(const float *u, int64_t d, const float *inverse, const float *y, float *x)
{
  for (int64_t j = d - BLOCK; j >= 0; j -= BLOCK) {
    float right[BLOCK];
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
      const float known = rest[r / LANES][r % LANES] * inverse[j + r];
      x[j + r] = known;
      for (int v = 0; v < VECTORS; v++)
        rest[v] -= all(known) * load(u + (j + r) * d + j + v * LANES);
    }
  }
}

static void rank_one(float *a, int64_t d, float scale, const float *s)
{
  for (int64_t row = 0; row < d; row++) {
    const vector f = all(scale * s[row]);
    for (int64_t c = row / BLOCK * BLOCK; c < d; c += LANES)
      store(a + row * d + c, load(a + row * d + c) - f * load(s + c));
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
    .dot = dot,
};
