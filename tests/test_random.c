/* Random draws: torch's to the digit, the library's own by their moments, and by what each one may
 * depend on. */
#include "random.h"

#include "suites.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A line of the golden file: seed, call, length of the call, index, value. */
enum { SEED, CALL, SHAPE, INDEX, VALUE, FIELDS };

/* Both sides round a float of at most 4 to 2.4e-7; the libraries' sin, cos and log differ by as
 * much again. */
static const double draw_tolerance = 1e-6;

static void repeats_torch(void)
{
  int64_t count;
  int64_t calls = 0;
  double *lines = test_numbers("golden/torch_randn.csv", &count);
  pqf_torch_generator generator;
  float draws[128] = {0};
  double worst = 0;
  memset(&generator, 0, sizeof generator);
  for (int64_t n = 0; n + FIELDS <= count; n += FIELDS) {
    const double *line = lines + n;
    if (line[CALL] == 0 && line[INDEX] == 0)
      pqf_torch_seed(&generator, (uint64_t)line[SEED]);
    if (line[INDEX] == 0) {
      pqf_torch_randn(&generator, (int64_t)line[SHAPE], draws);
      ++calls;
    }
    worst = fmax(worst, fabs((double)draws[(int)line[INDEX]] - line[VALUE]));
  }
  free(lines);
  CU_ASSERT_EQUAL(calls, 32);
  CHECK_AT_MOST(worst, draw_tolerance, "draws apart from torch's");
}

static void torch_takes_the_low_half_of_a_seed(void)
{
  pqf_torch_generator generator;
  float low[40];
  float high[40];
  pqf_torch_seed(&generator, 42);
  pqf_torch_randn(&generator, 40, low);
  pqf_torch_seed(&generator, 42 + (UINT64_C(7) << 32));
  pqf_torch_randn(&generator, 40, high);
  CU_ASSERT_EQUAL(memcmp(low, high, sizeof low), 0);
}

/* Philox 4x32-10 of a counter and a key that are all zeros gives these four words (the first of the
 * known answers that its authors publish); Box and Muller make normals of them. */
static void draws_are_philox(void)
{
  static const uint32_t words[] = {0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u};
  float draws[4];
  double worst = 0;
  pqf_normal_draws(0, 0, 0, 4, draws);
  for (int n = 0; n < 4; n += 2) {
    const double radius = sqrt(-2 * log((words[n] + 0.5) * 0x1p-32));
    const double angle = 6.283185307179586 * (words[n + 1] + 0.5) * 0x1p-32;
    worst = fmax(worst, fabs((double)draws[n] - radius * cos(angle)));
    worst = fmax(worst, fabs((double)draws[n + 1] - radius * sin(angle)));
  }
  CHECK_AT_MOST(worst, 2.4e-7, "draws apart from the known answer"); /* a float's rounding */
}

/* Shares of a standard normal below -2, -1, 0, 1, 2. */
static const double quantiles[] = {-2, -1, 0, 1, 2};
static const double shares[] = {0.0227501319, 0.1586552539, 0.5, 0.8413447461, 0.9772498681};

enum { DRAWS = 1 << 20 };

/* With n draws the mean errs by 1 / sqrt(n), the variance by sqrt(2 / n), a share by at most
 * 1 / (2 sqrt(n)): five times that is passed once in a million seeds, and the seed is fixed. */
static void check_normal(const float *draws)
{
  const double error = 5 / sqrt(DRAWS);
  double mean = 0;
  double square = 0;
  double cube = 0;
  int64_t below[5] = {0};
  for (int64_t n = 0; n < DRAWS; ++n) {
    const double draw = (double)draws[n];
    mean += draw / DRAWS;
    square += draw * draw / DRAWS;
    cube += draw * draw * draw / DRAWS;
    for (int q = 0; q < 5; ++q)
      below[q] += draw < quantiles[q];
  }
  CHECK_AT_MOST(fabs(mean), error, "the mean");
  CHECK_AT_MOST(fabs(square - 1), error * sqrt(2), "the variance less 1");
  CHECK_AT_MOST(fabs(cube), error * sqrt(15), "the third moment");
  for (int q = 0; q < 5; ++q)
    CHECK_AT_MOST(fabs((double)below[q] / DRAWS - shares[q]), error / 2, "a quantile");
}

static void draws_are_normal(void)
{
  float *draws = test_allocate(DRAWS, sizeof *draws);
  pqf_normal_draws(1, 0, 0, DRAWS, draws);
  check_normal(draws);
  /* Neighbours are independent. */
  double product = 0;
  for (int64_t n = 0; n + 1 < DRAWS; ++n)
    product += (double)draws[n] * (double)draws[n + 1] / DRAWS;
  CHECK_AT_MOST(fabs(product), 5 / sqrt(DRAWS), "the correlation of neighbours");
  free(draws);
}

static void draws_do_not_depend_on_cuts(void)
{
  enum { COUNT = 1000 };
  static const int64_t pieces[] = {1, 2, 3, 4, 5, 7, 16, 333};
  float whole[COUNT];
  float cut[COUNT];
  pqf_normal_draws(99, 3, 10, COUNT, whole);
  for (size_t n = 0; n < sizeof pieces / sizeof pieces[0]; ++n) {
    memset(cut, 0, sizeof cut);
    for (int64_t first = 0; first < COUNT; first += pieces[n]) {
      const int64_t left = COUNT - first;
      pqf_normal_draws(99, 3, 10 + first, left < pieces[n] ? left : pieces[n], cut + first);
    }
    CU_ASSERT_EQUAL(memcmp(cut, whole, sizeof whole), 0);
  }
  cut[0] = 5;
  pqf_normal_draws(99, 3, 10, 0, cut);
  CU_ASSERT_EQUAL(cut[0], 5);
}

/* The share of draws that two ranges have in common, place by place. */
static double agreement(uint64_t seed_a, uint32_t stream_a, int64_t first_a, uint64_t seed_b,
                        uint32_t stream_b, int64_t first_b)
{
  enum { COUNT = 1024 };
  float a[COUNT];
  float b[COUNT];
  int same = 0;
  pqf_normal_draws(seed_a, stream_a, first_a, COUNT, a);
  pqf_normal_draws(seed_b, stream_b, first_b, COUNT, b);
  for (int n = 0; n < COUNT; ++n)
    same += a[n] == b[n];
  return (double)same / COUNT;
}

/* Two independent draws are the same float once in some million times. */
static void streams_seeds_and_numbers_differ(void)
{
  const int64_t far = INT64_C(1) << 34; /* beyond 32 bits of a counter of four draws */
  CU_ASSERT_EQUAL(agreement(5, 0, 0, 5, 0, 0), 1);
  CHECK_AT_MOST(agreement(5, 0, 0, 5, 1, 0), 0.01, "two streams");
  CHECK_AT_MOST(agreement(5, 0, 0, 6, 0, 0), 0.01, "two seeds");
  CHECK_AT_MOST(agreement(5, 0, 0, 5 + (UINT64_C(1) << 32), 0, 0), 0.01, "seeds' high halves");
  CHECK_AT_MOST(agreement(5, 0, 0, 5, 0, far), 0.01, "numbers beyond 2^34");
  CHECK_AT_MOST(agreement(5, 0, 0, 5, 0, 1), 0.01, "neighbours");
}

void suite_random(void)
{
  CU_pSuite suite = CU_add_suite("random", NULL, NULL);
  CU_add_test(suite, "all of torch's golden calls", repeats_torch);
  CU_add_test(suite, "torch's seed is 32 bits", torch_takes_the_low_half_of_a_seed);
  CU_add_test(suite, "the known answer of Philox", draws_are_philox);
  CU_add_test(suite, "the draws are normal", draws_are_normal);
  CU_add_test(suite, "the cut of a range changes nothing", draws_do_not_depend_on_cuts);
  CU_add_test(suite, "streams, seeds and numbers differ", streams_seeds_and_numbers_differ);
}
