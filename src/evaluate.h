/* An evaluation in progress: what evaluate.c, which sums up, shares with rank_rows.c, which ranks
 * the columns of rows. */
#ifndef PQF_SRC_EVALUATE_H
#define PQF_SRC_EVALUATE_H

#include "data.h"
#include "model.h"
#include "ranking.h"

/* Scratch of one thread while it ranks a block of rows. */
typedef struct pqf_rank_room {
  pqf_ranking *ranking; /* of the rows that count */
  pqf_ranked *list;     /* block_rows x list_length */
  pqf_ranked *relevant; /* block_cells */
  int32_t *bucket;      /* block_rows x (PQF_RANKING_BUCKETS + 1) */
  float *p;             /* block_rows x factors: P of the rows that count */
  float *gathered;      /* rows of Q */
  float *score;         /* a tile of block_rows rows */
} pqf_rank_room;

typedef struct pqf_evaluation {
  const pqf_model *model;
  const pqf_matrix *held_out;
  const pqf_matrix *exclude; /* NULL: none */
  pqf_evaluate_options options;
  int64_t list_length; /* k, but no more than there are columns */
  int64_t block_rows;  /* the most rows with cells in a block, */
  int64_t block_cells; /* and the most cells */
} pqf_evaluation;

/* The cells of a row, ascending by column. */
typedef struct pqf_row {
  int64_t count;
  const int32_t *col; /* NULL: cell n is column n */
  const float *value;
  const float *weight; /* NULL: all are 1 */
} pqf_row;

static inline pqf_row pqf_row_of(const pqf_matrix *matrix, int64_t row)
{
  if (matrix->dense != NULL)
    return (pqf_row){matrix->cols, NULL, matrix->dense + row * matrix->dense_stride, NULL};
  const pqf_cells *cells = &matrix->by_row;
  const int64_t first = cells->offset[row];
  return (pqf_row){cells->offset[row + 1] - first, cells->index + first, cells->value + first,
                   cells->weight != NULL ? cells->weight + first : NULL};
}

static inline int64_t pqf_row_col(const pqf_row *cells, int64_t cell)
{
  return cells->col != NULL ? cells->col[cell] : cell;
}

static inline int pqf_is_relevant(const pqf_evaluation *evaluation, float value)
{
  return (double)value >= evaluation->options.relevant;
}

/* The most rows that a block may have, so that a thread's lists stay small. */
int64_t pqf_rank_most_rows(int64_t list_length);

/* Makes room for one thread. */
int pqf_rank_room_take(const pqf_evaluation *evaluation, pqf_rank_room *room);
void pqf_rank_room_release(pqf_rank_room *room);

/* Ranks the columns for those of rows [first, last) that count. Returns their number; room->ranking
 * has them in order. */
int64_t pqf_rank_rows(const pqf_evaluation *evaluation, pqf_rank_room *room, int64_t first,
                      int64_t last);

#endif
