/* Writes ratings with planted factors as CSV, for any program to read.
 *
 * usage: ratings USERS ITEMS COUNT SEED EXPONENT SHIFT > FILE
 *
 * The items' popularity is (rank + SHIFT)^-EXPONENT. */
#include "ratings.h"

#include "bench.h"

#include <stdlib.h>

int main(int argc, char **argv)
{
  if (argc != 7)
    pqf_bench_fail("usage: ratings USERS ITEMS COUNT SEED EXPONENT SHIFT > FILE");
  pqf_bench_ratings ratings;
  const pqf_bench_popularity popularity = {strtod(argv[5], NULL), strtod(argv[6], NULL)};
  pqf_bench_draw_ratings(&ratings, strtoll(argv[1], NULL, 10), strtoll(argv[2], NULL, 10),
                         strtoll(argv[3], NULL, 10), strtoull(argv[4], NULL, 10), popularity);
  puts("user,item,rating");
  for (int64_t n = 0; n < ratings.count; n++)
    printf("%d,%d,%.1f\n", ratings.user[n], ratings.item[n], (double)ratings.value[n]);
  pqf_bench_free_ratings(&ratings);
  if (fflush(stdout) != 0 || ferror(stdout))
    pqf_bench_fail("the ratings could not be written");
  return 0;
}
