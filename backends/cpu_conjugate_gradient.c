/* Conjugate gradient for one row's system, in the place of an exact solution (Hestenes and Stiefel
 * 1952; for implicit feedback Takacs, Pilaszy and Tikk 2011). It starts from the row's present
 * factors, so that a few steps in each sweep are enough, and never forms the matrix: the product
 *
 *     A v = base v + lambda v + sum over cells of scale q (q . v + v_b)
 *
 * runs over the row's cells. The bias is one more unknown, v_b, with
 *
 *     (A v)_b = lambda_b v_b + sum over cells of scale (q . v + v_b). */
#include "cpu_als.h"

#include <string.h>

/* An unknown: factors, which lie in the worker's scratch, and a bias. */
typedef struct unknown {
  float *factors;
  double bias;
} unknown;

static double inner(const pqf_training *t, unknown a, unknown b)
{
  return t->kernels->dot(a.factors, b.factors, t->stride) + a.bias * b.bias;
}

/* a += factor b */
static void add(const pqf_training *t, unknown *a, double factor, unknown b)
{
  for (int64_t f = 0; f < t->stride; f++)
    a->factors[f] += (float)factor * b.factors[f];
  a->bias += factor * b.bias;
}

/* out = A v */
static void multiply(const pqf_cpu_system *s, unknown v, unknown *out)
{
  pqf_training *t = s->t;
  const int64_t d = t->stride;
  const int has_base = t->problem.objective != PQF_OBJECTIVE_OBSERVED;
  double bias = 0;
  for (int64_t f = 0; f < d; f++)
    out->factors[f] = (float)s->lambda * v.factors[f] +
                      (has_base ? t->solver->dot(t->base + f * d, v.factors, d) : 0);
  for (int64_t first = 0; first < s->cells.count; first += CELLS_PER_PANEL) {
    const int64_t left = s->cells.count - first;
    const int64_t count = left < CELLS_PER_PANEL ? left : CELLS_PER_PANEL;
    pqf_cpu_cell_terms(s, first, count);
    bias += t->solver->apply(v.factors, (float)v.bias, t->factors[1 - s->side][t->current], d,
                             s->cells.index + first, s->worker->scale, count, left - count,
                             out->factors);
  }
  out->bias = t->problem.has_bias[s->side] ? bias + s->bias_lambda * v.bias : 0;
}

/* out = the right side: sum of target q, and sum of target */
static void right_side(const pqf_cpu_system *s, unknown *out)
{
  pqf_training *t = s->t;
  const pqf_cpu_panel panel = {.right = s->worker->right,
                               .left = s->worker->right,
                               .vector_sum = s->worker->vector_sum, /* not wanted */
                               .right_side = out->factors};
  double sum = 0;
  memset(out->factors, 0, (size_t)t->stride * sizeof(float));
  memset(s->worker->vector_sum, 0, (size_t)t->stride * sizeof(float));
  for (int64_t first = 0; first < s->cells.count; first += CELLS_PER_PANEL) {
    const int64_t left = s->cells.count - first;
    const int64_t count = left < CELLS_PER_PANEL ? left : CELLS_PER_PANEL;
    pqf_cpu_cell_terms(s, first, count);
    for (int64_t n = 0; n < count; n++)
      sum += (double)s->worker->target[n];
    t->solver->gather_panel(&panel, count, left - count, s->cells.index + first, s->worker->scale,
                            s->worker->target, t->factors[1 - s->side][t->current], t->stride);
  }
  out->bias = t->problem.has_bias[s->side] ? sum : 0;
}

void pqf_cpu_conjugate_gradient(pqf_cpu_system *s)
{
  pqf_training *t = s->t;
  pqf_cpu_worker *w = s->worker;
  float *bias = &t->bias[s->side][s->row];
  unknown x = {t->factors[s->side][t->current] + s->row * t->stride, (double)*bias};
  unknown residual = {w->residual, 0};
  unknown direction = {w->direction, 0};
  unknown product = {w->product, 0};

  right_side(s, &residual);
  const double enough = 1e-12 * inner(t, residual, residual);
  multiply(s, x, &product);
  add(t, &residual, -1, product);
  memcpy(direction.factors, residual.factors, (size_t)t->stride * sizeof(float));
  direction.bias = residual.bias;
  double square = inner(t, residual, residual);
  for (int step = 0; step < t->problem.conjugate_gradient_steps && square > enough; step++) {
    multiply(s, direction, &product);
    const double curvature = inner(t, direction, product);
    if (!(curvature > 0))
      break;
    add(t, &x, square / curvature, direction);
    add(t, &residual, -square / curvature, product);
    const double next = inner(t, residual, residual);
    for (int64_t f = 0; f < t->stride; f++)
      direction.factors[f] = residual.factors[f] + (float)(next / square) * direction.factors[f];
    direction.bias = residual.bias + next / square * direction.bias;
    square = next;
  }
  *bias = (float)x.bias;
}
