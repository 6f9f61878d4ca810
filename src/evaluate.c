/* Measuring a model on held-out cells: docs/metrics.md has the definitions.
 *
 * Rows are dealt out to threads in blocks that the data alone decides on; each block has sums of
 * its own, which are added up in order in the end. So the same bits come for any number of threads.
 * Beside a block's sums and a byte per column, memory is taken by the thread, not by the row. */
#include "evaluate.h"

#include "error.h"
#include "memory.h"
#include "options.h"
#include "threads.h"

#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>

_Static_assert(sizeof(pqf_evaluate_options) ==
                   sizeof(uint64_t) + 4 * sizeof(int32_t) + sizeof(double),
               "pqf_evaluate_options has padding");
_Static_assert(sizeof(pqf_metrics) == 3 * sizeof(int64_t) + 9 * sizeof(double),
               "pqf_metrics has padding");

enum {
  /* The sizes of 0.2.0. */
  LEAST_OPTIONS = 32,
  LEAST_METRICS = 96,
  MOST_THREADS = 4096,
  CELLS_PER_BLOCK = 1 << 19, /* unless a row alone has more */
  CELLS_AT_ONCE = 512
};

static const uint32_t known_metrics = PQF_METRICS_RATING | PQF_METRICS_RANKING;

/* What blocks add up. */
typedef struct sums {
  int64_t cells;
  double weight; /* of the cells */
  double square; /* of their errors, weighted */
  double absolute;
  int64_t rows;
  int64_t auc_rows; /* those that have columns to compare relevant ones with */
  double precision;
  double recall;
  double ndcg;
  double map;
  double mrr;
  double auc;
} sums;

typedef struct blocks {
  int64_t count;
  int64_t *begin; /* count + 1: the first row of each, and the number of rows */
  sums *sum;      /* count */
} blocks;

/* What threads share. */
typedef struct measuring {
  pqf_evaluation evaluation;
  blocks blocks;
  pqf_rank_room *room;  /* one for each thread */
  atomic_uchar *listed; /* cols: 1 where a list has the column */
  double *best_gain;    /* list_length + 1: DCG of that many hits at the top */
} measuring;

/* The gain of a hit. */
static double gain(int64_t place)
{
  return 1 / log2((double)place + 1);
}

/* ---- Ratings --------------------------------------------------------------------------------- */

/* Cells on their way to a prediction. */
typedef struct chunk {
  int64_t count;
  int32_t row[CELLS_AT_ONCE];
  int32_t col[CELLS_AT_ONCE];
  float value[CELLS_AT_ONCE];
  float weight[CELLS_AT_ONCE];
} chunk;

static void rate_chunk(const pqf_model *model, chunk *c, sums *sum)
{
  float predicted[CELLS_AT_ONCE];
  /* The data is of the model's shape: this does not fail. */
  const int status = pqf_predict(model, c->count, c->row, c->col, predicted);
  for (int64_t n = 0; n < c->count && status == PQF_OK; n++) {
    const double weight = (double)c->weight[n];
    const double error = (double)predicted[n] - (double)c->value[n];
    sum->weight += weight;
    sum->square += weight * (error * error);
    sum->absolute += weight * fabs(error);
  }
  sum->cells += c->count;
  c->count = 0;
}

static void rate_rows(const pqf_evaluation *e, int64_t first, int64_t last, sums *sum)
{
  chunk c = {.count = 0};
  for (int64_t row = first; row < last; row++) {
    const pqf_row cells = pqf_row_of(e->held_out, row);
    for (int64_t cell = 0; cell < cells.count; cell++) {
      c.row[c.count] = (int32_t)row;
      c.col[c.count] = (int32_t)pqf_row_col(&cells, cell);
      c.value[c.count] = cells.value[cell];
      c.weight[c.count] = cells.weight != NULL ? cells.weight[cell] : 1;
      if (++c.count == CELLS_AT_ONCE)
        rate_chunk(e->model, &c, sum);
    }
  }
  rate_chunk(e->model, &c, sum);
}

/* ---- Rankings -------------------------------------------------------------------------------- */

/* Whether a listed column, which is thus not excluded, is a hit. */
static int is_hit(const pqf_evaluation *e, int64_t row, int32_t col)
{
  const pqf_row cells = pqf_row_of(e->held_out, row);
  int64_t cell = col;
  if (cells.col != NULL) {
    int64_t end = cells.count;
    cell = 0;
    while (cell < end) {
      const int64_t middle = cell + (end - cell) / 2;
      if (cells.col[middle] < col)
        cell = middle + 1;
      else
        end = middle;
    }
    if (cell == cells.count || cells.col[cell] != col)
      return 0;
  }
  return pqf_is_relevant(e, cells.value[cell]);
}

static void sum_up_row(const measuring *m, const pqf_ranking *ranking, sums *sum)
{
  const pqf_evaluation *e = &m->evaluation;
  const int64_t k = e->options.k;
  const int64_t best = ranking->relevant_count < k ? ranking->relevant_count : k;
  int64_t hits = 0;
  int64_t first_hit = 0;
  double gains = 0;
  double precisions = 0;
  for (int64_t place = 1; place <= ranking->listed; place++) {
    const int32_t col = ranking->list[place - 1].col;
    atomic_store_explicit(&m->listed[col], 1, memory_order_relaxed);
    if (!is_hit(e, ranking->row, col))
      continue;
    hits++;
    first_hit = first_hit == 0 ? place : first_hit;
    gains += gain(place);
    precisions += (double)hits / (double)place;
  }
  sum->rows++;
  sum->precision += (double)hits / (double)k;
  sum->recall += (double)hits / (double)best;
  sum->ndcg += gains / m->best_gain[best];
  sum->map += precisions / (double)best;
  sum->mrr += first_hit > 0 ? 1 / (double)first_hit : 0;
  if (ranking->others > 0) {
    sum->auc_rows++;
    sum->auc += pqf_ranking_auc(ranking);
  }
}

static void do_block(void *argument, int64_t item, int32_t worker)
{
  const measuring *m = argument;
  const int64_t first = m->blocks.begin[item];
  const int64_t last = m->blocks.begin[item + 1];
  sums sum = {0};
  if (m->evaluation.options.metrics & PQF_METRICS_RATING)
    rate_rows(&m->evaluation, first, last, &sum);
  if (m->evaluation.options.metrics & PQF_METRICS_RANKING) {
    pqf_rank_room *room = &m->room[worker];
    const int64_t rows = pqf_rank_rows(&m->evaluation, room, first, last);
    for (int64_t n = 0; n < rows; n++)
      sum_up_row(m, &room->ranking[n], &sum);
  }
  m->blocks.sum[item] = sum;
}

/* ---- Blocks ---------------------------------------------------------------------------------- */

/* Where the block that begins with row `first` ends; raises block_rows and block_cells to what it
 * has. */
static int64_t end_of_block(pqf_evaluation *e, int64_t first)
{
  const int64_t most_rows = pqf_rank_most_rows(e->list_length);
  int64_t rows = 0;
  int64_t cells = 0;
  int64_t row = first;
  for (; row < e->held_out->rows; row++) {
    const int64_t count = pqf_row_of(e->held_out, row).count;
    if (count > 0 && (rows == most_rows || (rows > 0 && cells + count > CELLS_PER_BLOCK)))
      break;
    rows += count > 0;
    cells += count;
  }
  e->block_rows = rows > e->block_rows ? rows : e->block_rows;
  e->block_cells = cells > e->block_cells ? cells : e->block_cells;
  return row;
}

static int make_blocks(pqf_evaluation *e, blocks *out)
{
  const int64_t rows = e->held_out->rows;
  out->count = 0;
  for (int64_t row = 0; row < rows; row = end_of_block(e, row))
    out->count++;
  out->begin = pqf_allocate(out->count + 1, sizeof *out->begin);
  out->sum = pqf_allocate(out->count, sizeof *out->sum);
  if (out->begin == NULL || out->sum == NULL)
    return PQF_ENOMEM;
  out->begin[0] = 0;
  for (int64_t n = 0; n < out->count; n++)
    out->begin[n + 1] = end_of_block(e, out->begin[n]);
  return PQF_OK;
}

/* ---- All ------------------------------------------------------------------------------------- */

static int check_data(const char *name, const pqf_data *data, const pqf_fitted *fitted)
{
  const pqf_matrix *matrix = &data->matrix;
  if (matrix->rows != fitted->rows || matrix->cols != fitted->cols)
    return pqf_fail(PQF_EINVAL, "%s is %" PRId64 " x %" PRId64 ", the model %" PRId64 " x %" PRId64,
                    name, matrix->rows, matrix->cols, fitted->rows, fitted->cols);
  return pqf_data_check_ids(data, name, fitted->ids, "the model", 0);
}

static int read_options(pqf_evaluate_options *out, const pqf_evaluate_options *given)
{
  *out = (pqf_evaluate_options)PQF_EVALUATE_OPTIONS_INIT;
  if (given == NULL)
    return PQF_OK;
  const int status = pqf_read_sized(out, sizeof *out, LEAST_OPTIONS, given, "pqf_evaluate_options");
  if (status != PQF_OK)
    return status;
  if (out->k < 1)
    return pqf_fail(PQF_EINVAL, "k is %" PRId32 ": must be 1 or more", out->k);
  if ((out->metrics & ~known_metrics) != 0)
    return pqf_fail(PQF_EINVAL, "metrics is %#" PRIx32 ": has bits beside %#" PRIx32, out->metrics,
                    known_metrics);
  if (out->threads < 0 || out->threads > MOST_THREADS)
    return pqf_fail(PQF_EINVAL, "threads is %" PRId32 ": must be from 0 to %d", out->threads,
                    MOST_THREADS);
  if (out->reserved != 0)
    return pqf_fail(PQF_EINVAL, "reserved is %" PRId32 ": must be 0", out->reserved);
  if (isnan(out->relevant))
    return pqf_fail(PQF_EINVAL, "relevant is NaN");
  return PQF_OK;
}

/* What ranking needs beside the blocks. */
static int make_room(measuring *m, int32_t threads)
{
  const pqf_evaluation *e = &m->evaluation;
  m->listed = pqf_allocate_zeroed(e->held_out->cols, sizeof *m->listed);
  m->best_gain = pqf_allocate(e->list_length + 1, sizeof *m->best_gain);
  m->room = pqf_allocate_zeroed(threads, sizeof *m->room);
  if (m->listed == NULL || m->best_gain == NULL || m->room == NULL)
    return PQF_ENOMEM;
  m->best_gain[0] = 0;
  for (int64_t place = 1; place <= e->list_length; place++)
    m->best_gain[place] = m->best_gain[place - 1] + gain(place);
  for (int32_t n = 0; n < threads; n++) {
    const int status = pqf_rank_room_take(e, &m->room[n]);
    if (status != PQF_OK)
      return status;
  }
  return PQF_OK;
}

static sums add_up(const blocks *from)
{
  sums all = {0};
  for (int64_t n = 0; n < from->count; n++) {
    const sums *block = &from->sum[n];
    all.cells += block->cells;
    all.weight += block->weight;
    all.square += block->square;
    all.absolute += block->absolute;
    all.rows += block->rows;
    all.auc_rows += block->auc_rows;
    all.precision += block->precision;
    all.recall += block->recall;
    all.ndcg += block->ndcg;
    all.map += block->map;
    all.mrr += block->mrr;
    all.auc += block->auc;
  }
  return all;
}

/* NaN where nothing counts. */
static double mean(double sum, double count)
{
  return count > 0 ? sum / count : NAN;
}

static pqf_metrics metrics_of(const measuring *m)
{
  const sums sum = add_up(&m->blocks);
  const int64_t cols = m->evaluation.held_out->cols;
  const double rows = (double)sum.rows;
  int64_t listed = 0;
  for (int64_t col = 0; col < cols && sum.rows > 0; col++)
    listed += m->listed[col];
  return (pqf_metrics){
      .size = sizeof(pqf_metrics),
      .cells = sum.cells,
      .rows = sum.rows,
      .rmse = sqrt(mean(sum.square, sum.weight)),
      .mae = mean(sum.absolute, sum.weight),
      .precision = mean(sum.precision, rows),
      .recall = mean(sum.recall, rows),
      .ndcg = mean(sum.ndcg, rows),
      .map = mean(sum.map, rows),
      .mrr = mean(sum.mrr, rows),
      .auc = mean(sum.auc, (double)sum.auc_rows),
      .coverage = sum.rows > 0 ? (double)listed / (double)cols : NAN,
  };
}

static int measure(measuring *m, pqf_metrics *out)
{
  const pqf_evaluation *e = &m->evaluation;
  pqf_team *team = NULL;
  int32_t threads = pqf_thread_count(e->options.threads);
  int status = make_blocks(&m->evaluation, &m->blocks);
  if (status == PQF_OK) {
    threads = m->blocks.count < threads ? (int32_t)m->blocks.count : threads;
    if (e->options.metrics & PQF_METRICS_RANKING)
      status = make_room(m, threads);
  }
  if (status == PQF_OK)
    status = pqf_team_create(&team, threads);
  if (status == PQF_OK) {
    pqf_team_run(team, m->blocks.count, do_block, m);
    *out = metrics_of(m);
  }
  pqf_team_free(team);
  for (int32_t n = 0; m->room != NULL && n < threads; n++)
    pqf_rank_room_release(&m->room[n]);
  pqf_release(m->room);
  pqf_release(m->listed);
  pqf_release(m->best_gain);
  pqf_release(m->blocks.begin);
  pqf_release(m->blocks.sum);
  return status;
}

int pqf_evaluate(const pqf_model *model, const pqf_data *held_out, const pqf_data *exclude,
                 const pqf_evaluate_options *options, pqf_metrics *out)
{
  pqf_metrics metrics = {0};
  measuring m = {.evaluation = {.model = model}};
  int status = pqf_check_fitted(model);
  if (status != PQF_OK)
    return status;
  if (held_out == NULL)
    return pqf_fail(PQF_EINVAL, "held_out is NULL");
  status = check_data("held_out", held_out, &model->fitted);
  if (status == PQF_OK && exclude != NULL)
    status = check_data("exclude", exclude, &model->fitted);
  if (status == PQF_OK)
    status = read_options(&m.evaluation.options, options);
  if (status == PQF_OK) /* a struct that cannot be filled is better refused before the work */
    status = pqf_write_sized(out, sizeof metrics, LEAST_METRICS, &metrics, "pqf_metrics");
  if (status != PQF_OK)
    return status;

  const int64_t k = m.evaluation.options.k;
  m.evaluation.held_out = &held_out->matrix;
  m.evaluation.exclude = exclude != NULL ? &exclude->matrix : NULL;
  m.evaluation.list_length = k < model->fitted.cols ? k : model->fitted.cols;
  status = measure(&m, &metrics);
  if (status != PQF_OK)
    return status;
  return pqf_write_sized(out, sizeof metrics, LEAST_METRICS, &metrics, "pqf_metrics");
}
