/* The ranking of one row's columns.
 *
 * The list is a heap with the worst column at its root, so a column that is no better than that
 * one, which is nearly every one, costs a comparison. Columns come in ascending order: of equal
 * scores the one that came first stays.
 *
 * AUC needs no ranking of all columns. With n relevant columns r and m others c,
 *
 *     AUC = sum over c of (#{r above c} + 1/2 #{r as high as c}) / (n m)
 *
 * and the sorted scores of r tell the two counts. The relevant columns are not left out of the sum:
 * twice the sum over them is n^2, since of each two of them one is above the other or both are as
 * high. All of it is exact in integers.
 *
 * The range from the highest r to the lowest is cut into buckets of equal width, with one more for
 * what is above it and one for what is below. Since the bucket never rises with the score, a column
 * need be compared with the few r of its own bucket alone; most buckets have none. */
#include "ranking.h"

#include <float.h>

static int is_worse(const pqf_ranked *a, const pqf_ranked *b)
{
  return a->score < b->score || (a->score == b->score && a->col > b->col);
}

/* Puts `ranked` at the root, whose place is free, and lets it sink. */
static void sink(pqf_ranked *heap, int64_t count, int64_t root, pqf_ranked ranked)
{
  for (;;) {
    int64_t child = 2 * root + 1;
    if (child >= count)
      break;
    if (child + 1 < count && is_worse(&heap[child + 1], &heap[child]))
      child++;
    if (!is_worse(&heap[child], &ranked))
      break;
    heap[root] = heap[child];
    root = child;
  }
  heap[root] = ranked;
}

static void make_heap(pqf_ranked *ranked, int64_t count)
{
  for (int64_t root = count / 2 - 1; root >= 0; root--)
    sink(ranked, count, root, ranked[root]);
}

/* Best first; of equal scores the lower column. */
static void sort(pqf_ranked *ranked, int64_t count)
{
  make_heap(ranked, count);
  for (int64_t last = count - 1; last > 0; last--) {
    const pqf_ranked worst = ranked[0];
    sink(ranked, last, 0, ranked[last]);
    ranked[last] = worst;
  }
}

void pqf_ranking_score(pqf_ranking *ranking, int64_t first, int64_t count, const float *score)
{
  while (ranking->scored < ranking->relevant_count) {
    pqf_ranked *ranked = &ranking->relevant[ranking->scored];
    if (ranked->col >= first + count)
      break;
    ranked->score = score[ranked->col - first];
    ranking->scored++;
  }
}

/* Where a score is among the buckets, from 0 to below PQF_RANKING_BUCKETS: the highest relevant one
 * is in bucket 1. Each step rounds alike for all scores, so none overtakes another. */
static double bucket_of(const pqf_ranking *ranking, float score)
{
  const double bucket = (ranking->highest - (double)score) * ranking->buckets_per_score + 1;
  const double low = bucket > ranking->first_bucket ? bucket : ranking->first_bucket;
  return low < ranking->last_bucket ? low : ranking->last_bucket;
}

void pqf_ranking_begin(pqf_ranking *ranking)
{
  const int64_t count = ranking->relevant_count;
  if (ranking->others == 0)
    return;
  sort(ranking->relevant, count);
  ranking->first_bucket = 0;
  ranking->last_bucket = PQF_RANKING_BUCKETS - 1;
  ranking->highest = (double)ranking->relevant[0].score;
  const double range = ranking->highest - (double)ranking->relevant[count - 1].score;
  ranking->buckets_per_score = range > 0 ? (PQF_RANKING_BUCKETS - 3) / range : DBL_MAX;
  int64_t next = 0;
  for (int64_t n = 0; n < count; n++)
    while (next <= (int64_t)bucket_of(ranking, ranking->relevant[n].score))
      ranking->bucket[next++] = (int32_t)n;
  while (next <= PQF_RANKING_BUCKETS)
    ranking->bucket[next++] = (int32_t)count;
}

/* Offers columns [first, first + count) to the list. */
static void list_columns(pqf_ranking *ranking, int64_t first, int64_t count, const float *score)
{
  pqf_ranked *list = ranking->list;
  int64_t n = 0;
  if (ranking->listed < ranking->length) {
    for (; n < count && ranking->listed < ranking->length; n++)
      list[ranking->listed++] = (pqf_ranked){score[n], (int32_t)(first + n)};
    if (ranking->listed == ranking->length)
      make_heap(list, ranking->length);
  }
  for (; n < count; n++)
    if (score[n] > list[0].score)
      sink(list, ranking->length, 0, (pqf_ranked){score[n], (int32_t)(first + n)});
}

/* Of `count` relevant columns twice the number of those above a score, and those as high. */
static int64_t compare(const pqf_ranked *relevant, int64_t count, float score)
{
  int64_t above = 0;
  int64_t end = count;
  while (above < end) { /* the first that is not above */
    const int64_t middle = above + (end - above) / 2;
    if (relevant[middle].score > score)
      above = middle + 1;
    else
      end = middle;
  }
  int64_t not_below = above;
  end = count;
  while (not_below < end) { /* the first that is below */
    const int64_t middle = not_below + (end - not_below) / 2;
    if (relevant[middle].score >= score)
      not_below = middle + 1;
    else
      end = middle;
  }
  return above + not_below;
}

/* In two passes, the first of which has no branches. */
static int64_t sum_above(const pqf_ranking *ranking, int64_t count, const float *score)
{
  double in[PQF_RANKING_COLUMNS];
  int64_t sum = 0;
  for (int64_t n = 0; n < count; n++)
    in[n] = bucket_of(ranking, score[n]);
  for (int64_t n = 0; n < count; n++) {
    const int32_t *bucket = ranking->bucket + (int64_t)in[n];
    const int64_t above = bucket[0]; /* in the buckets before */
    const int64_t near = bucket[1] - above;
    sum += 2 * above;
    if (near > 0)
      sum += compare(ranking->relevant + above, near, score[n]);
  }
  return sum;
}

void pqf_ranking_see(pqf_ranking *ranking, int64_t first, int64_t count, const float *score)
{
  int64_t begin = 0;
  while (begin < count) {
    int64_t end = count;
    if (ranking->excluded_count > 0 && *ranking->excluded < first + count) {
      end = *ranking->excluded - first;
      ranking->excluded++;
      ranking->excluded_count--;
    }
    list_columns(ranking, first + begin, end - begin, score + begin);
    if (ranking->others > 0)
      ranking->above += sum_above(ranking, end - begin, score + begin);
    begin = end + 1;
  }
}

void pqf_ranking_end(pqf_ranking *ranking)
{
  sort(ranking->list, ranking->listed);
}

double pqf_ranking_auc(const pqf_ranking *ranking)
{
  const int64_t n = ranking->relevant_count;
  return (double)(ranking->above - n * n) / (2 * (double)n * (double)ranking->others);
}
