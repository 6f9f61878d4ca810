/* Ranking the columns for a block of rows.
 *
 * Scores are what pqf_reconstruct() gives, computed for a tile of rows x columns at a time, which
 * stays in the cache while each of its rows looks at it:
 *
 *     for each tile of columns
 *       score = P[rows that count] Q[tile]', and the mean and biases
 *       for each row    list and AUC take its scores in
 *
 * AUC compares every column with the relevant ones, whose scores must thus be known before: they
 * are computed from their gathered rows of Q alone (to the same bits, as the back end promises), or
 * by a first pass over the tiles where that is less work. */
#include "evaluate.h"

#include "backends.h"
#include "memory.h"

#include <float.h>
#include <string.h>

enum {
  ROWS_PER_BLOCK = 240,                /* of the back end's register tiles a multiple, */
  COLS_PER_TILE = PQF_RANKING_COLUMNS, /* and together 240 KiB */
  LIST_ENTRIES = 1 << 19,              /* 4 MiB of lists, unless one alone is longer */
  ROWS_GATHERED = 16,                  /* of Q at once */
  COST_OF_A_GATHERED = 16,             /* a score from a gathered row, in scores of a tile */
};

int64_t pqf_rank_most_rows(int64_t list_length)
{
  const int64_t rows = LIST_ENTRIES / list_length;
  return rows < 1 ? 1 : rows < ROWS_PER_BLOCK ? rows : ROWS_PER_BLOCK;
}

int pqf_rank_room_take(const pqf_evaluation *e, pqf_rank_room *room)
{
  const int64_t rows = e->block_rows;
  const int64_t factors = e->model->fitted.factors;
  room->ranking = pqf_allocate(rows, sizeof *room->ranking);
  room->list = pqf_allocate(rows, (size_t)e->list_length * sizeof *room->list);
  room->relevant = pqf_allocate(e->block_cells, sizeof *room->relevant);
  room->bucket = pqf_allocate(rows, (PQF_RANKING_BUCKETS + 1) * sizeof *room->bucket);
  room->p = pqf_allocate(rows, (size_t)factors * sizeof *room->p);
  room->gathered = pqf_allocate(ROWS_GATHERED, (size_t)factors * sizeof *room->gathered);
  room->score = pqf_allocate(rows, COLS_PER_TILE * sizeof *room->score);
  const int complete = room->ranking != NULL && room->list != NULL && room->relevant != NULL &&
                       room->bucket != NULL && room->p != NULL && room->gathered != NULL &&
                       room->score != NULL;
  return complete ? PQF_OK : PQF_ENOMEM;
}

void pqf_rank_room_release(pqf_rank_room *room)
{
  pqf_release(room->ranking);
  pqf_release(room->list);
  pqf_release(room->relevant);
  pqf_release(room->bucket);
  pqf_release(room->p);
  pqf_release(room->gathered);
  pqf_release(room->score);
}

/* The relevant columns of a row, ascending; returns their number. */
static int64_t take_relevant(const pqf_evaluation *e, const pqf_row *held_out,
                             const pqf_row *excluded, pqf_ranked *out)
{
  int64_t count = 0;
  int64_t next = 0;
  for (int64_t cell = 0; cell < held_out->count; cell++) {
    const int64_t col = pqf_row_col(held_out, cell);
    while (next < excluded->count && pqf_row_col(excluded, next) < col)
      next++;
    const int is_excluded = next < excluded->count && pqf_row_col(excluded, next) == col;
    if (!is_excluded && pqf_is_relevant(e, held_out->value[cell]))
      out[count++] = (pqf_ranked){0, (int32_t)col};
  }
  return count;
}

/* Sets up the rows that count. Returns their number; *cells becomes that of their relevant
 * cells. */
static int64_t find_rows(const pqf_evaluation *e, pqf_rank_room *room, int64_t first, int64_t last,
                         int64_t *cells)
{
  const pqf_fitted *fitted = &e->model->fitted;
  const int64_t k = fitted->factors;
  int64_t rows = 0;
  *cells = 0;
  for (int64_t row = first; row < last; row++) {
    const pqf_row held_out = pqf_row_of(e->held_out, row);
    const pqf_row excluded = e->exclude != NULL ? pqf_row_of(e->exclude, row) : (pqf_row){0};
    const int64_t relevant = take_relevant(e, &held_out, &excluded, room->relevant + *cells);
    if (relevant == 0)
      continue;
    room->ranking[rows] = (pqf_ranking){
        .row = row,
        .list = room->list + rows * e->list_length,
        .length = e->list_length,
        .relevant = room->relevant + *cells,
        .relevant_count = relevant,
        .bucket = room->bucket + rows * (PQF_RANKING_BUCKETS + 1),
        .others = fitted->cols - excluded.count - relevant,
        .excluded = excluded.col,
        .excluded_count = excluded.count,
    };
    memcpy(room->p + rows * k, fitted->p + row * k, (size_t)k * sizeof *room->p);
    *cells += relevant;
    rows++;
  }
  return rows;
}

/* Finite: what overflowed is at an end, and what overflowed both ways, so that it is no number, at
 * the low one. */
static float ranked_score(float score)
{
  const float low = score > -FLT_MAX ? score : -FLT_MAX;
  return low < FLT_MAX ? low : FLT_MAX;
}

/* From products to scores, for columns [first, first + count) of a row. */
static void finish_scores(const pqf_fitted *fitted, int64_t row, int64_t first, int64_t count,
                          float *score)
{
  if (pqf_fitted_has_offsets(fitted)) {
    const double of_row = pqf_fitted_row_offset(fitted, row);
    for (int64_t n = 0; n < count; n++)
      score[n] = pqf_fitted_prediction(fitted, of_row, first + n, score[n]);
  }
  for (int64_t n = 0; n < count; n++)
    score[n] = ranked_score(score[n]);
}

/* Shows all columns' scores to each of the first `rows` rankings. */
static void show_tiles(const pqf_fitted *fitted, const pqf_rank_room *room, int64_t rows,
                       void (*show)(pqf_ranking *, int64_t, int64_t, const float *))
{
  const int64_t k = fitted->factors;
  for (int64_t first = 0; first < fitted->cols; first += COLS_PER_TILE) {
    const int64_t left = fitted->cols - first;
    const int64_t count = left < COLS_PER_TILE ? left : COLS_PER_TILE;
    pqf_cpu_backend()->multiply(rows, count, k, room->p, k, fitted->q + first * k, k, room->score,
                                COLS_PER_TILE);
    for (int64_t n = 0; n < rows; n++) {
      float *score = room->score + n * COLS_PER_TILE;
      finish_scores(fitted, room->ranking[n].row, first, count, score);
      show(&room->ranking[n], first, count, score);
    }
  }
}

/* Scores the relevant columns of one row, whose factors are `p`. */
static void score_gathered(const pqf_fitted *fitted, pqf_ranking *ranking, const float *p,
                           float *gathered)
{
  const int64_t k = fitted->factors;
  float score[ROWS_GATHERED];
  for (int64_t first = 0; first < ranking->relevant_count; first += ROWS_GATHERED) {
    pqf_ranked *relevant = ranking->relevant + first;
    const int64_t left = ranking->relevant_count - first;
    const int64_t count = left < ROWS_GATHERED ? left : ROWS_GATHERED;
    for (int64_t n = 0; n < count; n++)
      memcpy(gathered + n * k, fitted->q + relevant[n].col * k, (size_t)k * sizeof *gathered);
    pqf_cpu_backend()->multiply(1, count, k, p, k, gathered, k, score, ROWS_GATHERED);
    for (int64_t n = 0; n < count; n++) {
      finish_scores(fitted, ranking->row, relevant[n].col, 1, &score[n]);
      relevant[n].score = score[n];
    }
  }
}

int64_t pqf_rank_rows(const pqf_evaluation *e, pqf_rank_room *room, int64_t first, int64_t last)
{
  const pqf_fitted *fitted = &e->model->fitted;
  int64_t cells;
  const int64_t rows = find_rows(e, room, first, last, &cells);
  if (rows == 0)
    return 0;
  if (cells > rows * fitted->cols / COST_OF_A_GATHERED) {
    show_tiles(fitted, room, rows, pqf_ranking_score);
  } else {
    for (int64_t n = 0; n < rows; n++)
      score_gathered(fitted, &room->ranking[n], room->p + n * fitted->factors, room->gathered);
  }
  for (int64_t n = 0; n < rows; n++)
    pqf_ranking_begin(&room->ranking[n]);
  show_tiles(fitted, room, rows, pqf_ranking_see);
  for (int64_t n = 0; n < rows; n++)
    pqf_ranking_end(&room->ranking[n]);
  return rows;
}
