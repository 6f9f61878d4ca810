/* The kernels of cpu_kernels.h, in vectors as wide as this compilation's instruction set
 * (PQF_ISA: baseline, avx2, avx512).
 *
 * Sums over gathered rows are bound by the latency of memory: rows are fetched a few cells ahead,
 * and the running sums stay in registers for as many columns as there are registers. */
#include "cpu_kernels.h"
#include "cpu_vector.h"

#include <string.h>

enum { CELLS_AHEAD = 8, MOST_SUMS = 8, FLOATS_PER_LINE = 16 };

/* Asks for the row of a cell that comes soon. */
INLINE void fetch_ahead(const pqf_cpu_cells *cells, int64_t n, const float *factors, int64_t stride,
                        int floats)
{
  if (n + CELLS_AHEAD < cells->count) {
    const float *row = factors + cells->index[n + CELLS_AHEAD] * stride;
    for (int column = 0; column < floats; column += FLOATS_PER_LINE)
      __builtin_prefetch(row + column);
  }
}

/* `sums` vectors of out, from column 0 of the pointers on. */
INLINE void gather_columns(const pqf_cpu_cells *cells, const float *factors, int64_t stride,
                           float *out, const int sums)
{
  vector sum[MOST_SUMS];
  for (int s = 0; s < sums; s++)
    sum[s] = all(0);
  for (int64_t n = 0; n < cells->count; n++) {
    fetch_ahead(cells, n, factors, stride, sums * LANES);
    const float *row = factors + cells->index[n] * stride;
    const vector value = all(cells->value[n]);
    for (int s = 0; s < sums; s++)
      sum[s] += value * load(row + s * LANES);
  }
  for (int s = 0; s < sums; s++)
    store(out + s * LANES, sum[s]);
}

static void gather(const pqf_cpu_cells *cells, const float *factors, int64_t stride, float *out)
{
  int64_t column = 0;
  for (; column + 8 * LANES <= stride; column += 8 * LANES)
    gather_columns(cells, factors + column, stride, out + column, 8);
  for (; column + 4 * LANES <= stride; column += 4 * LANES)
    gather_columns(cells, factors + column, stride, out + column, 4);
  for (; column + 2 * LANES <= stride; column += 2 * LANES)
    gather_columns(cells, factors + column, stride, out + column, 2);
  for (; column < stride; column += LANES)
    gather_columns(cells, factors + column, stride, out + column, 1);
}

INLINE float row_dot(const float *a, const float *b, int64_t vectors)
{
  vector even = all(0);
  vector odd = all(0);
  int64_t v = 0;
  for (; v + 2 <= vectors; v += 2) {
    even += load(a + v * LANES) * load(b + v * LANES);
    odd += load(a + (v + 1) * LANES) * load(b + (v + 1) * LANES);
  }
  if (v < vectors)
    even += load(a + v * LANES) * load(b + v * LANES);
  return sum_of_lanes(even + odd);
}

/* Which sum over the cells is wanted: see cpu_kernels.h. */
typedef enum rule { ERROR_OF_OBSERVED, WEIGHTED_WITH_ZEROS } rule;

/* One cell: the factor of its row in the sum, and its part of the returned sum. */
INLINE float cell_coefficient(const rule which, float dot, float value, float weight, double target,
                              double *part)
{
  if (which == ERROR_OF_OBSERVED) {
    const double miss = (double)dot - target * (double)value;
    *part += (double)weight * miss * miss;
    return weight * (dot - value);
  }
  *part += ((double)weight - 1) * (double)dot * (double)dot;
  return weight * value - (weight - 1) * dot;
}

/* With `vectors` a constant the sums stay in registers. */
INLINE double gather_rule(const rule which, const pqf_cpu_cells *cells, const float *own,
                          const float *dot_factors, const float *add_factors, int64_t stride,
                          const int64_t vectors, double target, float *out)
{
  double part = 0;
  memset(out, 0, (size_t)stride * sizeof *out);
  for (int64_t n = 0; n < cells->count; n++) {
    fetch_ahead(cells, n, dot_factors, stride, (int)(vectors * LANES));
    if (add_factors != dot_factors)
      fetch_ahead(cells, n, add_factors, stride, (int)(vectors * LANES));
    const int64_t at = cells->index[n] * stride;
    const float weight = cells->weight != NULL ? cells->weight[n] : 1;
    const float dot = row_dot(own, dot_factors + at, vectors);
    const vector coefficient =
        all(cell_coefficient(which, dot, cells->value[n], weight, target, &part));
    const float *row = add_factors + at;
    for (int64_t v = 0; v < vectors; v++)
      store(out + v * LANES, load(out + v * LANES) + coefficient * load(row + v * LANES));
  }
  return part;
}

static double gather_error(const pqf_cpu_cells *cells, const float *own, const float *dot_factors,
                           const float *add_factors, int64_t stride, double target, float *out)
{
  const int64_t vectors = stride / LANES;
  switch (stride) {
  case 16:
    return gather_rule(ERROR_OF_OBSERVED, cells, own, dot_factors, add_factors, 16, 16 / LANES,
                       target, out);
  case 32:
    return gather_rule(ERROR_OF_OBSERVED, cells, own, dot_factors, add_factors, 32, 32 / LANES,
                       target, out);
  case 64:
    return gather_rule(ERROR_OF_OBSERVED, cells, own, dot_factors, add_factors, 64, 64 / LANES,
                       target, out);
  default:
    return gather_rule(ERROR_OF_OBSERVED, cells, own, dot_factors, add_factors, stride, vectors,
                       target, out);
  }
}

static double gather_weighted(const pqf_cpu_cells *cells, const float *own,
                              const float *dot_factors, const float *add_factors, int64_t stride,
                              float *out)
{
  return gather_rule(WEIGHTED_WITH_ZEROS, cells, own, dot_factors, add_factors, stride,
                     stride / LANES, 1, out);
}

/* a . b in double; two sums side by side, since one would wait for its own last addition. */
INLINE double row_exact_dot(const float *a, const float *b, int64_t stride)
{
  wide_vector sum[2] = {{0}, {0}};
  for (int64_t f = 0; f < stride; f += LANES)
    for (int half = 0; half < 2; half++)
      sum[half] += load_wide(a + f + half * (LANES / 2)) * load_wide(b + f + half * (LANES / 2));
  return sum_of_wide_lanes(sum[0] + sum[1]);
}

static void exact_dots(const pqf_cpu_cells *cells, int64_t first, int64_t count, const float *own,
                       const float *factors, int64_t stride, double *out)
{
  for (int64_t n = 0; n < count; n++) {
    fetch_ahead(cells, first + n, factors, stride, (int)stride);
    out[n] = row_exact_dot(own, factors + cells->index[first + n] * stride, stride);
  }
}

static double dot(const float *a, const float *b, int64_t count)
{
  enum { SUMS = 8 };
  double sum[SUMS] = {0};
  int64_t n = 0;
  for (; n + SUMS <= count; n += SUMS)
    for (int s = 0; s < SUMS; s++)
      sum[s] += (double)a[n + s] * (double)b[n + s];
  for (; n < count; n++)
    sum[0] += (double)a[n] * (double)b[n];
  for (int width = SUMS / 2; width > 0; width /= 2)
    for (int s = 0; s < width; s++)
      sum[s] += sum[s + width];
  return sum[0];
}

/* out = P Q' in register tiles of ROWS_PER_TILE rows by PANEL columns. A panel of Q is transposed
 * once for up to ROWS_PER_BLOCK rows of P, at most DEPTH factors at a time, so that all scratch is
 * a few kilobytes of stack. Each element is summed over the factors in order. */
enum { ROWS_PER_TILE = 6, PANEL = 2 * LANES, DEPTH = 128, ROWS_PER_BLOCK = 252 };

static void pack_panel(float panel[DEPTH][PANEL], const float *q, int64_t q_stride, int64_t cols,
                       int64_t depth)
{
  for (int64_t f = 0; f < depth; f++)
    for (int64_t c = cols; c < PANEL; c++)
      panel[f][c] = 0;
  for (int64_t c = 0; c < cols; c++)
    for (int64_t f = 0; f < depth; f++)
      panel[f][c] = q[c * q_stride + f];
}

INLINE void multiply_tile(float panel[DEPTH][PANEL], int64_t depth, const float *p,
                          int64_t p_stride, float *out, int64_t out_stride, const int rows,
                          int begins)
{
  vector low[ROWS_PER_TILE];
  vector high[ROWS_PER_TILE];
  for (int r = 0; r < rows; r++) {
    low[r] = begins ? all(0) : load(out + r * out_stride);
    high[r] = begins ? all(0) : load(out + r * out_stride + LANES);
  }
  for (int64_t f = 0; f < depth; f++) {
    const vector panel_low = load(panel[f]);
    const vector panel_high = load(panel[f] + LANES);
    for (int r = 0; r < rows; r++) {
      const vector factor = all(p[r * p_stride + f]);
      low[r] += factor * panel_low;
      high[r] += factor * panel_high;
    }
  }
  for (int r = 0; r < rows; r++) {
    store(out + r * out_stride, low[r]);
    store(out + r * out_stride + LANES, high[r]);
  }
}

/* A tile at the edge, by way of a whole one. */
static void multiply_edge(float panel[DEPTH][PANEL], int64_t depth, const float *p,
                          int64_t p_stride, float *out, int64_t out_stride, int64_t rows,
                          int64_t cols, int begins)
{
  float tile[PANEL];
  for (int64_t r = 0; r < rows; r++) {
    memset(tile, 0, sizeof tile);
    if (!begins)
      memcpy(tile, out + r * out_stride, (size_t)cols * sizeof(float));
    multiply_tile(panel, depth, p + r * p_stride, p_stride, tile, PANEL, 1, begins);
    memcpy(out + r * out_stride, tile, (size_t)cols * sizeof(float));
  }
}

static void multiply_panel(float panel[DEPTH][PANEL], int64_t depth, const float *p,
                           int64_t p_stride, float *out, int64_t out_stride, int64_t rows,
                           int64_t cols, int begins)
{
  int64_t r = 0;
  if (cols == PANEL)
    for (; r + ROWS_PER_TILE <= rows; r += ROWS_PER_TILE)
      multiply_tile(panel, depth, p + r * p_stride, p_stride, out + r * out_stride, out_stride,
                    ROWS_PER_TILE, begins);
  multiply_edge(panel, depth, p + r * p_stride, p_stride, out + r * out_stride, out_stride,
                rows - r, cols, begins);
}

INLINE int64_t least(int64_t a, int64_t b)
{
  return a < b ? a : b;
}

static void multiply(int64_t rows, int64_t cols, int64_t k, const float *p, int64_t p_stride,
                     const float *q, int64_t q_stride, float *out, int64_t out_stride)
{
  float panel[DEPTH][PANEL];
  if (k == 0)
    for (int64_t r = 0; r < rows; r++)
      memset(out + r * out_stride, 0, (size_t)cols * sizeof(float));
  for (int64_t r = 0; r < rows; r += ROWS_PER_BLOCK)
    for (int64_t c = 0; c < cols; c += PANEL)
      for (int64_t f = 0; f < k; f += DEPTH) {
        const int64_t depth = least(k - f, DEPTH);
        const int64_t width = least(cols - c, PANEL);
        pack_panel(panel, q + c * q_stride + f, q_stride, width, depth);
        multiply_panel(panel, depth, p + r * p_stride + f, p_stride, out + r * out_stride + c,
                       out_stride, least(rows - r, ROWS_PER_BLOCK), width, f == 0);
      }
}

/* A product like that of a BLAS, in register tiles of up to TALLEST rows by up to two vectors. A
 * panel of B is copied once for all rows, DEPTH deep, so that its rows lie side by side whatever
 * the stride. Sums run in float over one panel and are then added to out: of a long sum each digit
 * is rounded about depth / DEPTH + DEPTH times, not depth times. */
#if defined(__AVX512F__)
enum { TALLEST = 12 };
#else
enum { TALLEST = 6 };
#endif

typedef struct left_matrix {
  const float *first;
  int64_t row;   /* floats from one row to the next */
  int64_t depth; /* floats from one column to the next */
} left_matrix;

/* Defines the tile of `rows` rows by `widths` vectors of a type with so many lanes. */
#define PRODUCT_TILE(name, type, lanes, get, put)                                                  \
  INLINE void name(float panel[DEPTH][PANEL], int64_t depth, const left_matrix *a, int64_t r,      \
                   float keep, float *out, int64_t out_stride, const int rows, const int widths)   \
  {                                                                                                \
    type sum[TALLEST][2];                                                                          \
    const float *left[TALLEST];                                                                    \
    for (int n = 0; n < rows; n++) {                                                               \
      left[n] = a->first + (r + n) * a->row;                                                       \
      for (int w = 0; w < widths; w++)                                                             \
        sum[n][w] = (type){0};                                                                     \
    }                                                                                              \
    for (int64_t f = 0; f < depth; f++) {                                                          \
      type right[2];                                                                               \
      for (int w = 0; w < widths; w++)                                                             \
        right[w] = get(panel[f] + w * (lanes));                                                    \
      for (int n = 0; n < rows; n++)                                                               \
        for (int w = 0; w < widths; w++)                                                           \
          sum[n][w] += left[n][f * a->depth] * right[w];                                           \
    }                                                                                              \
    for (int n = 0; n < rows; n++)                                                                 \
      for (int w = 0; w < widths; w++) {                                                           \
        float *to = out + (r + n) * out_stride + w * (lanes);                                      \
        put(to, keep == 0 ? sum[n][w] : sum[n][w] + keep * get(to));                               \
      }                                                                                            \
  }

PRODUCT_TILE(product_tile, vector, LANES, load, store)

#if defined(__AVX512F__)
/* Up to eight columns: half a vector takes half the time where a whole one counts as two. */
enum { HALF = LANES / 2 };
typedef float half_vector __attribute__((vector_size(HALF * sizeof(float))));
typedef float half_in_memory
    __attribute__((vector_size(HALF * sizeof(float)), aligned(4), may_alias));

INLINE half_vector load_half(const float *memory)
{
  return *(const half_in_memory *)memory;
}

INLINE void store_half(float *memory, half_vector value)
{
  *(half_in_memory *)memory = value;
}

PRODUCT_TILE(product_half_tile, half_vector, HALF, load_half, store_half)
#endif

#define PRODUCT_ROWS(tile, widths)                                                                 \
  do {                                                                                             \
    int64_t r = 0;                                                                                 \
    for (; r + TALLEST <= rows; r += TALLEST)                                                      \
      tile(panel, depth, a, r, keep, out, out_stride, TALLEST, widths);                            \
    for (; r + 4 <= rows; r += 4)                                                                  \
      tile(panel, depth, a, r, keep, out, out_stride, 4, widths);                                  \
    for (; r < rows; r++)                                                                          \
      tile(panel, depth, a, r, keep, out, out_stride, 1, widths);                                  \
  } while (0)

static void product_panel(float panel[DEPTH][PANEL], int64_t depth, const left_matrix *a,
                          int64_t rows, int64_t cols, float keep, float *out, int64_t out_stride)
{
  if (cols > LANES)
    PRODUCT_ROWS(product_tile, 2);
#if defined(__AVX512F__)
  else if (cols <= HALF)
    PRODUCT_ROWS(product_half_tile, 1);
#endif
  else
    PRODUCT_ROWS(product_tile, 1);
}

static void product(int64_t rows, int64_t cols, int64_t depth, const float *a, int64_t a_row,
                    int64_t a_depth, const float *b, int64_t b_stride, float keep, float *out,
                    int64_t out_stride)
{
  float panel[DEPTH][PANEL];
  for (int64_t f = 0; f < depth; f += DEPTH) {
    const int64_t deep = least(depth - f, DEPTH);
    const left_matrix left = {a + f * a_depth, a_row, a_depth};
    for (int64_t c = 0; c < cols; c += PANEL) {
      const int64_t width = least(cols - c, PANEL);
      for (int64_t n = 0; n < deep; n++) {
        const float *from = b + (f + n) * b_stride + c;
        store(panel[n], load(from));
        if (width > LANES)
          store(panel[n] + LANES, load(from + LANES));
      }
      product_panel(panel, deep, &left, rows, width, f == 0 ? keep : 1, out + c, out_stride);
    }
  }
}

/* Register tiles of EXACT_ROWS by two vectors of doubles. */
typedef double wide_vector __attribute__((vector_size(LANES * sizeof(float))));
typedef double wide_in_memory
    __attribute__((vector_size(LANES * sizeof(float)), aligned(8), may_alias));
enum { WIDE_LANES = LANES / 2, EXACT_COLS = 2 * WIDE_LANES };
#if defined(__AVX512F__)
enum { EXACT_ROWS = 8 };
#else
enum { EXACT_ROWS = 4 };
#endif

/* sum (at (i, j) of it) += a tile, as much of it as lies within k x k. */
INLINE void add_exact_tile(wide_vector tile[EXACT_ROWS][2], int64_t k, int64_t i, int64_t j,
                           double *sum)
{
  const int64_t rows = least(EXACT_ROWS, k - i);
  const int64_t cols = least(EXACT_COLS, k - j);
  for (int64_t n = 0; n < rows; n++) {
    double *to = sum + (i + n) * k + j;
    if (cols == EXACT_COLS) {
      ((wide_in_memory *)to)[0] += tile[n][0];
      ((wide_in_memory *)to)[1] += tile[n][1];
    } else {
      for (int64_t c = 0; c < cols; c++)
        to[c] += tile[n][c / WIDE_LANES][c % WIDE_LANES];
    }
  }
}

static void exact_gram(int64_t rows, int64_t k, const double *x, const double *y, int64_t stride,
                       double *sum)
{
  for (int64_t i = 0; i < k; i += EXACT_ROWS)
    for (int64_t j = x == y ? i / EXACT_COLS * EXACT_COLS : 0; j < k; j += EXACT_COLS) {
      wide_vector tile[EXACT_ROWS][2] = {{{0}}};
      for (int64_t row = 0; row < rows; row++) {
        const wide_in_memory *right = (const wide_in_memory *)(y + row * stride + j);
        for (int n = 0; n < EXACT_ROWS; n++) {
          const double factor = x[row * stride + i + n];
          tile[n][0] += factor * right[0];
          tile[n][1] += factor * right[1];
        }
      }
      add_exact_tile(tile, k, i, j, sum);
    }
}

/* Pairs one beside the other, each summed over the factors in order. */
INLINE void predict_pairs(const int32_t *row, const int32_t *col, int64_t k, const float *p,
                          const float *q, float *out, const int pairs)
{
  float sum[8] = {0};
  for (int64_t f = 0; f < k; f++)
    for (int n = 0; n < pairs; n++)
      sum[n] += p[row[n] * k + f] * q[col[n] * k + f];
  for (int n = 0; n < pairs; n++)
    out[n] = sum[n];
}

static void predict(int64_t count, const int32_t *row, const int32_t *col, int64_t k,
                    const float *p, const float *q, float *out)
{
  int64_t n = 0;
  for (; n + 8 <= count; n += 8)
    predict_pairs(row + n, col + n, k, p, q, out + n, 8);
  for (; n < count; n++)
    predict_pairs(row + n, col + n, k, p, q, out + n, 1);
}

const pqf_cpu_kernels TABLE_NAME(pqf_cpu_kernels, PQF_ISA) = {
    .name = TEXT_OF(PQF_ISA),
    .gather = gather,
    .gather_error = gather_error,
    .gather_weighted = gather_weighted,
    .exact_dots = exact_dots,
    .dot = dot,
    .product = product,
    .exact_gram = exact_gram,
    .multiply = multiply,
    .predict = predict,
};
