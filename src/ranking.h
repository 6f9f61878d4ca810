/* The ranking of one row's columns, built up while their scores go by. */
#ifndef PQF_SRC_RANKING_H
#define PQF_SRC_RANKING_H

#include <stdint.h>

typedef struct pqf_ranked {
  float score; /* finite */
  int32_t col;
} pqf_ranked;

enum {
  PQF_RANKING_COLUMNS = 256, /* the most that are seen at once */
  PQF_RANKING_BUCKETS = 255
};

typedef struct pqf_ranking {
  int64_t row;
  pqf_ranked *list; /* the best columns so far: room for `length` */
  int64_t length;   /* 1 or more */
  int64_t listed;
  pqf_ranked *relevant; /* none of them excluded; 1 or more */
  int64_t relevant_count;
  int64_t others;  /* columns that are neither relevant nor excluded */
  int64_t scored;  /* of the relevant ones */
  int32_t *bucket; /* PQF_RANKING_BUCKETS + 1: where each begins among the relevant ones */
  double highest;  /* score of them */
  double buckets_per_score;
  double first_bucket; /* no constants, or compilers make branches of what is a minimum */
  double last_bucket;
  const int32_t *excluded; /* the columns yet to come that do not count, ascending */
  int64_t excluded_count;
  int64_t above; /* summed over the columns seen: relevant ones above it, counted twice, and
                  * relevant ones as high as it, itself included */
} pqf_ranking;

/* Takes the scores of the relevant columns, in ascending order, from those of columns [first, first
 * + count). Ranges come in ascending order. */
void pqf_ranking_score(pqf_ranking *ranking, int64_t first, int64_t count, const float *score);

/* Once all relevant columns have their scores, which is needed only where there are others. */
void pqf_ranking_begin(pqf_ranking *ranking);

/* Ranks columns [first, first + count), those excluded left out. Ranges come in ascending order. */
void pqf_ranking_see(pqf_ranking *ranking, int64_t first, int64_t count, const float *score);

/* Ends it: `list` becomes sorted, the best first, of equal scores the lower column. */
void pqf_ranking_end(pqf_ranking *ranking);

/* The chance that a relevant column is above one of the others, ties half. */
double pqf_ranking_auc(const pqf_ranking *ranking);

#endif
