/* Ratings with planted factors: what a factorisation is to find is known. */
#ifndef PQF_BENCH_RATINGS_H
#define PQF_BENCH_RATINGS_H

#include <stdint.h>

typedef struct pqf_bench_ratings {
  int64_t users;
  int64_t items;
  int64_t count;
  int32_t *user; /* ascending */
  int32_t *item;
  float *value; /* 0.5, 1, ..., 5 */
} pqf_bench_ratings;

/* How popular items are: that of rank n is taken in proportion to (n + shift)^-exponent. */
typedef struct pqf_bench_popularity {
  double exponent;
  double shift;
} pqf_bench_popularity;

/* Draws `count` ratings, no user rating an item twice; the same on every machine but for rounding.
 */
void pqf_bench_draw_ratings(pqf_bench_ratings *out, int64_t users, int64_t items, int64_t count,
                            uint64_t seed, pqf_bench_popularity popularity);

void pqf_bench_free_ratings(pqf_bench_ratings *ratings);

#endif
