/* See ratings.h. A rating is
 *
 *     3.5 + b_u + c_i + p_u . q_i + noise, rounded to halves, from 0.5 to 5,
 *
 * with biases of standard deviation 0.4, factors of RANK dimensions whose weights fall like
 * 1 / (dimension)^0.6 and whose products have a standard deviation of 0.6, and noise of 0.75: of
 * the sort that ratings of films show. Users rate at least LEAST items and in all as many as a
 * log-normal distribution says, at most 45% of all; items are drawn by their popularity. */
#include "ratings.h"

#include "bench.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { RANK = 32, LEAST = 20 };

/* Numbers of one purpose, drawn one after the other. */
typedef struct stream {
  uint64_t seed;
  uint64_t next;
} stream;

static double uniform(stream *from)
{
  return ((double)(pqf_bench_random(from->seed, from->next++) >> 11) + 0.5) * 0x1p-53;
}

static double normal(stream *from)
{
  const double radius = sqrt(-2 * log(uniform(from)));
  return radius * cos(6.283185307179586 * uniform(from));
}

static void *room(int64_t count, size_t size)
{
  void *memory = calloc((size_t)count, size);
  if (memory == NULL)
    pqf_bench_fail("no memory for %" PRId64 " values", count);
  return memory;
}

static int64_t size_of_user(double scale, double weight, int64_t items)
{
  const double wanted = LEAST + scale * weight;
  const double most = 0.45 * (double)items;
  return (int64_t)(wanted < most ? wanted : most);
}

/* How many items each user rates: the scale of their weights is found by halving, and what is still
 * missing is given to the first that have room. */
static void draw_sizes(const pqf_bench_ratings *ratings, stream *from, int64_t *size)
{
  const int64_t users = ratings->users;
  double *weight = room(users, sizeof *weight);
  double low = 0;
  double high = (double)ratings->count;
  for (int64_t user = 0; user < users; user++)
    weight[user] = exp(1.35 * normal(from));
  for (int step = 0; step < 80; step++) {
    const double middle = (low + high) / 2;
    int64_t sum = 0;
    for (int64_t user = 0; user < users; user++)
      sum += size_of_user(middle, weight[user], ratings->items);
    if (sum <= ratings->count)
      low = middle;
    else
      high = middle;
  }
  int64_t left = ratings->count;
  for (int64_t user = 0; user < users; user++)
    left -= size[user] = size_of_user(low, weight[user], ratings->items);
  for (int64_t user = 0; user < users && left > 0; user++)
    if (size[user] < ratings->items / 2) {
      size[user]++;
      left--;
    }
  if (left != 0)
    pqf_bench_fail("%" PRId64 " users cannot rate %" PRId64 " of %" PRId64 " items", users,
                   ratings->count, ratings->items);
  free(weight);
}

/* cumulative[n]: the chance of items of a rank up to n; id[n]: the item of rank n. */
typedef struct shop {
  int64_t items;
  double *cumulative;
  int32_t *id;
} shop;

static shop open_shop(int64_t items, stream *from, pqf_bench_popularity popularity)
{
  shop s = {items, room(items, sizeof(double)), room(items, sizeof(int32_t))};
  double sum = 0;
  for (int64_t rank = 0; rank < items; rank++) {
    sum += pow((double)rank + 1 + popularity.shift, -popularity.exponent);
    s.cumulative[rank] = sum;
    const int64_t place = (int64_t)(uniform(from) * (double)(rank + 1));
    s.id[rank] = s.id[place];
    s.id[place] = (int32_t)rank;
  }
  for (int64_t rank = 0; rank < items; rank++)
    s.cumulative[rank] /= sum;
  return s;
}

static int32_t draw_item(const shop *from, double chance)
{
  int64_t first = 0;
  int64_t last = from->items - 1;
  while (first < last) {
    const int64_t middle = (first + last) / 2;
    if (from->cumulative[middle] < chance)
      first = middle + 1;
    else
      last = middle;
  }
  return from->id[first];
}

/* Factors of one side, and as the last value of each row its bias. */
static float *plant(int64_t rows, stream *from)
{
  float *factors = room(rows * (RANK + 1), sizeof *factors);
  double sum = 0;
  for (int f = 0; f < RANK; f++)
    sum += pow(f + 1, -1.2);
  for (int64_t row = 0; row < rows; row++) {
    for (int f = 0; f < RANK; f++) {
      const double weight = 0.6 * pow(f + 1, -0.6) / sqrt(sum);
      factors[row * (RANK + 1) + f] = (float)(sqrt(weight) * normal(from));
    }
    factors[row * (RANK + 1) + RANK] = (float)(0.4 * normal(from));
  }
  return factors;
}

static float rate(const float *user, const float *item, double noise)
{
  double value = 3.5 + (double)user[RANK] + (double)item[RANK] + 0.75 * noise;
  for (int f = 0; f < RANK; f++)
    value += (double)user[f] * (double)item[f];
  value = round(2 * value) / 2;
  return (float)(value < 0.5 ? 0.5 : value > 5 ? 5 : value);
}

void pqf_bench_draw_ratings(pqf_bench_ratings *out, int64_t users, int64_t items, int64_t count,
                            uint64_t seed, pqf_bench_popularity popularity)
{
  enum { SIZES, SHOP, USERS, ITEMS, CELLS, NOISE, PURPOSES };
  stream from[PURPOSES];
  for (uint64_t n = 0; n < PURPOSES; n++)
    from[n] = (stream){seed * PURPOSES + n, 0};
  *out = (pqf_bench_ratings){users,
                             items,
                             count,
                             pqf_bench_integers(count),
                             pqf_bench_integers(count),
                             pqf_bench_floats(count)};
  int64_t *size = room(users, sizeof *size);
  int64_t *rated_by = room(items, sizeof *rated_by); /* the last user so far, counted from 1 */
  draw_sizes(out, &from[SIZES], size);
  shop goods = open_shop(items, &from[SHOP], popularity);
  float *p = plant(users, &from[USERS]);
  float *q = plant(items, &from[ITEMS]);
  int64_t n = 0;
  for (int64_t user = 0; user < users; user++)
    for (int64_t end = n + size[user]; n < end;) {
      const int32_t item = draw_item(&goods, uniform(&from[CELLS]));
      if (rated_by[item] == user + 1)
        continue;
      rated_by[item] = user + 1;
      out->user[n] = (int32_t)user;
      out->item[n] = item;
      out->value[n++] = rate(p + user * (RANK + 1), q + item * (RANK + 1), normal(&from[NOISE]));
    }
  free(size);
  free(rated_by);
  free(goods.cumulative);
  free(goods.id);
  free(p);
  free(q);
}

void pqf_bench_free_ratings(pqf_bench_ratings *ratings)
{
  free(ratings->user);
  free(ratings->item);
  free(ratings->value);
}
