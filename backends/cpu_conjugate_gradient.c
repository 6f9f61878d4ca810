/* Conjugate gradient for one row's system, in the place of an exact solution (Hestenes and Stiefel
 * 1952; for implicit feedback Takacs, Pilaszy and Tikk 2011). It starts from the row's present
 * factors, so that a few steps in each sweep are enough, and never forms the matrix: the product
 *
 *     A x = base x + lambda x + sum over cells of scale q (q.x + b)
 *
 * runs over the row's cells. The bias is eliminated as in cpu_als.c, since in other units than the
 * factors' it would make for a bad condition: b is always the best one for x, -v.x / h in the
 * product and (t - v.x) / h at the end, with v = sum of scale q, t = sum of targets and
 * h = sum of scale + lambda_b.
 *
 * Present factors that are worse than none, as draws are, give way to zeros: the residual would
 * begin with the rounding of A x, which may be all there is to a small right side. Directions are
 * brought near a length of 1 by a power of 2, so that A v overflows only where A does. */
#include "cpu_als.h"

#include <math.h>
#include <string.h>

/* a += factor b */
static void add(const pqf_training *t, float *a, double factor, const float *b)
{
  for (int64_t f = 0; f < t->stride; f++)
    a[f] += (float)factor * b[f];
}

/* out = A x */
static void multiply(const pqf_cpu_system *s, const float *x, float *out)
{
  pqf_training *t = s->t;
  const int64_t d = t->stride;
  const int has_base = t->problem.objective != PQF_OBJECTIVE_OBSERVED;
  const double bias =
      s->bias_pivot > 0 ? -t->kernels->dot(s->worker->vector_sum, x, d) / s->bias_pivot : 0;
  for (int64_t f = 0; f < d; f++)
    out[f] = (float)s->lambda * x[f] + (has_base ? t->solver->dot(t->base + f * d, x, d) : 0);
  for (int64_t first = 0; first < s->cells.count; first += CELLS_PER_PANEL) {
    const int64_t left = s->cells.count - first;
    const int64_t count = left < CELLS_PER_PANEL ? left : CELLS_PER_PANEL;
    pqf_cpu_cell_terms(s, first, count);
    t->solver->apply(x, (float)bias, t->factors[1 - s->side][t->current], d, s->cells.index + first,
                     s->worker->scale, count, left - count, out);
  }
}

/* out = the right side, sum of target q less v t / h; fills in what the bias needs. */
static void right_side(pqf_cpu_system *s, float *out)
{
  pqf_training *t = s->t;
  pqf_cpu_worker *w = s->worker;
  const pqf_cpu_panel panel = {
      .right = w->right, .left = w->left, .vector_sum = w->vector_sum, .right_side = out};
  double scale_sum = 0;
  double target_sum = 0;
  memset(out, 0, (size_t)t->stride * sizeof(float));
  memset(w->vector_sum, 0, (size_t)t->stride * sizeof(float));
  for (int64_t first = 0; first < s->cells.count; first += CELLS_PER_PANEL) {
    const int64_t left = s->cells.count - first;
    const int64_t count = left < CELLS_PER_PANEL ? left : CELLS_PER_PANEL;
    pqf_cpu_cell_terms(s, first, count);
    for (int64_t n = 0; n < count; n++) {
      scale_sum += (double)w->scale[n];
      target_sum += (double)w->target[n];
    }
    t->solver->gather_panel(&panel, count, left - count, s->cells.index + first, w->scale,
                            w->target, t->factors[1 - s->side][t->current], t->stride);
  }
  s->bias_pivot = t->problem.has_bias[s->side] ? scale_sum + s->bias_lambda : 0;
  s->target_sum = target_sum;
  if (s->bias_pivot > 0)
    add(t, out, -target_sum / s->bias_pivot, w->vector_sum);
}

static double square_of(const pqf_training *t, const float *a)
{
  return t->kernels->dot(a, a, t->stride);
}

/* residual, which is the right side, becomes right side - A x, where x is set to 0 if the objective
 * x'Ax - 2 x'(right side) is higher than there. */
static void begin(const pqf_cpu_system *s, float *x, float *product, float *residual)
{
  const pqf_training *t = s->t;
  const double target = t->kernels->dot(x, residual, t->stride);
  multiply(s, x, product);
  if (t->kernels->dot(x, product, t->stride) < 2 * target)
    add(t, residual, -1, product);
  else
    memset(x, 0, (size_t)t->stride * sizeof(float));
}

/* A power of 2 that brings a vector of this square length near 1. */
static double scale_for(double square)
{
  int exponent;
  frexp(square, &exponent);
  exponent /= 2;
  return ldexp(1, exponent > 120 ? -120 : exponent < -120 ? 120 : -exponent);
}

void pqf_cpu_conjugate_gradient(pqf_cpu_system *s)
{
  pqf_training *t = s->t;
  const int64_t d = t->stride;
  float *x = t->factors[s->side][t->current] + s->row * d;
  float *residual = s->worker->residual;
  float *direction = s->worker->direction;
  float *product = s->worker->product;

  right_side(s, residual);
  const double enough = 1e-12 * square_of(t, residual);
  begin(s, x, product, residual);
  memcpy(direction, residual, (size_t)d * sizeof(float));
  double square = square_of(t, residual);
  for (int step = 0; step < t->problem.conjugate_gradient_steps && square > enough; step++) {
    const double last = square;
    const double unit = scale_for(square);
    for (int64_t f = 0; f < d; f++)
      direction[f] *= (float)unit;
    multiply(s, direction, product);
    const double curvature = t->kernels->dot(direction, product, d);
    if (curvature <= 0)
      break;
    add(t, x, square * unit / curvature, direction);
    add(t, residual, -square * unit / curvature, product);
    square = square_of(t, residual);
    for (int64_t f = 0; f < d; f++)
      direction[f] = residual[f] + (float)(square / last / unit) * direction[f];
  }
  if (!isfinite(square) || !isfinite(enough)) /* an overflow, of which the loss will tell */
    x[0] = NAN;
  if (t->problem.has_bias[s->side])
    t->bias[s->side][s->row] =
        s->bias_pivot > 0 ? (float)((s->target_sum - t->kernels->dot(s->worker->vector_sum, x, d)) /
                                    s->bias_pivot)
                          : 0;
}
