/* A stable counting sort on several threads: cells from one grouping to another in linear time.
 *
 * With more groups than the cache has lines, each cell that is put into its group is a cache miss.
 * So cells move in two stages: first into blocks of neighbouring groups, few enough that all their
 * ends stay in the cache, then within each block, which mostly fits the second-level cache.
 *
 * The first stage runs over pieces of the cells. Each piece counts its cells of each block; summed
 * up block by block, and within a block piece by piece, the counts say where each piece puts its
 * first cell of each block. So any thread may take any piece, and the order is that of the walk.
 * The second stage runs over the blocks: each counts the cells of its groups, which gives their
 * offsets, and puts the cells in order through the worker's own scratch.
 *
 * Memory beside source and destination: 4 bytes per cell, and for each worker 8 (12 with weights)
 * per cell of the largest block, of which it touches what the blocks that fall to it need. */
#include "regroup.h"

#include "memory.h"

#include <math.h>
#include <string.h>

enum { BLOCKS = 512 };

int pqf_mover_open(pqf_mover *out, int32_t threads, int64_t count)
{
  const int64_t pieces = pqf_piece_count(count);
  *out = (pqf_mover){.threads = pqf_thread_count(threads)};
  if (out->threads > pieces)
    out->threads = pieces > 1 ? (int32_t)pieces : 1;
  out->key = pqf_allocate(count, sizeof *out->key);
  out->begin = pqf_allocate((pieces + 1) * BLOCKS, sizeof *out->begin);
  if (out->key == NULL || out->begin == NULL)
    return PQF_ENOMEM;
  return pqf_team_create(&out->team, out->threads);
}

static void clear_scratch(pqf_mover *mover)
{
  pqf_release(mover->index);
  pqf_release(mover->value);
  pqf_release(mover->weight);
  mover->index = NULL;
  mover->value = NULL;
  mover->weight = NULL;
  mover->room = 0;
}

void pqf_mover_close(pqf_mover *mover)
{
  pqf_team_free(mover->team);
  pqf_release(mover->key);
  pqf_release(mover->begin);
  clear_scratch(mover);
}

static int make_scratch(pqf_mover *mover, int64_t room, int weighted)
{
  if (room <= mover->room)
    return PQF_OK;
  clear_scratch(mover);
  const int64_t cells = room * mover->threads;
  mover->index = pqf_allocate(cells, sizeof *mover->index);
  mover->value = pqf_allocate(cells, sizeof *mover->value);
  mover->weight = weighted ? pqf_allocate(cells, sizeof *mover->weight) : NULL;
  if (mover->index == NULL || mover->value == NULL || (weighted && mover->weight == NULL))
    return PQF_ENOMEM;
  mover->room = room;
  return PQF_OK;
}

void pqf_for_each_piece(const pqf_mover *mover, int64_t count, pqf_work work, void *argument)
{
  pqf_team_run(mover->team, pqf_piece_count(count), work, argument);
}

int64_t pqf_group_of(const int64_t *offset, int64_t groups, int64_t cell)
{
  int64_t low = 0;
  int64_t high = groups - 1;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (offset[middle + 1] > cell)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

/* One move. Groups are in one block where their numbers agree but for `shift` low bits. */
typedef struct move {
  const pqf_mover *mover;
  const pqf_walk *from;
  const pqf_groups *to;
  int shift;
  int64_t blocks;
} move;

static pqf_piece piece_of(const pqf_walk *from, int64_t number)
{
  if (from->piece != NULL)
    return from->piece[number];
  const pqf_range range = pqf_piece_range(from->count, number);
  const pqf_piece *whole = &from->whole;
  return (pqf_piece){
      .count = range.last - range.first,
      .key = whole->key + range.first,
      .index = whole->index != NULL ? whole->index + range.first : NULL,
      .value = whole->value != NULL ? whole->value + range.first : NULL,
      .weight = whole->weight != NULL ? whole->weight + range.first : NULL,
  };
}

/* Leaves the piece's number of cells of each block in the place of their beginning. */
static void count_piece(void *argument, int64_t number, int32_t worker)
{
  (void)worker;
  const move *m = argument;
  const pqf_piece piece = piece_of(m->from, number);
  int64_t count[BLOCKS] = {0};
  const float *gaps = m->from->has_gaps ? piece.value : NULL;
  const int shift = m->shift;
  for (int64_t cell = 0; cell < piece.count; cell++)
    count[piece.key[cell] >> shift] += !(gaps != NULL && isnan(gaps[cell]));
  memcpy(m->mover->begin + number * BLOCKS, count, sizeof count);
}

/* Turns the counts into where each piece begins in each block; behind the last piece: where each
 * block ends. Gives the number of cells of the largest block that needs ordering. */
static int64_t sum_up(const move *m)
{
  const int64_t pieces = pqf_piece_count(m->from->count);
  int64_t *begin = m->mover->begin;
  int64_t place = 0;
  int64_t largest = 0;
  for (int64_t block = 0; block < m->blocks; block++) {
    const int64_t first = place;
    for (int64_t piece = 0; piece < pieces; piece++) {
      const int64_t count = begin[piece * BLOCKS + block];
      begin[piece * BLOCKS + block] = place;
      place += count;
    }
    begin[pieces * BLOCKS + block] = place;
    if (m->shift > 0 && place - first > largest)
      largest = place - first;
  }
  return largest;
}

/* The first stage: each cell into its block, with its key beside it. */
static void spread_piece(void *argument, int64_t number, int32_t worker)
{
  (void)worker;
  const move *m = argument;
  const pqf_walk from = *m->from;
  const pqf_groups to = *m->to;
  const int shift = m->shift;
  const pqf_piece piece = piece_of(&from, number);
  const int64_t first = number * PQF_CELLS_PER_PIECE;
  const float *gaps = from.has_gaps ? piece.value : NULL;
  int32_t *key = m->mover->key;
  int64_t next[BLOCKS];
  memcpy(next, m->mover->begin + number * BLOCKS, sizeof next);
  int64_t group = piece.index == NULL ? pqf_group_of(from.offset, from.groups, first) : 0;
  for (int64_t cell = 0; cell < piece.count; cell++) {
    if (gaps != NULL && isnan(gaps[cell]))
      continue;
    if (piece.index == NULL) {
      while (first + cell >= from.offset[group + 1])
        group++;
    }
    const int64_t place = next[piece.key[cell] >> shift]++;
    key[place] = piece.key[cell];
    to.index[place] = piece.index != NULL ? piece.index[cell] : (int32_t)group;
    to.value[place] = piece.value != NULL ? piece.value[cell] : 1.0f;
    if (piece.weight != NULL)
      to.weight[place] = piece.weight[cell];
  }
  if (piece.memory != NULL) {
    pqf_release(piece.memory);
    from.piece[number].memory = NULL;
  }
}

/* The second stage. While cells are put, end[group] is where the group's next one goes. */
static void order_block(void *argument, int64_t block, int32_t worker)
{
  const move *m = argument;
  const pqf_mover *mover = m->mover;
  const pqf_groups to = *m->to;
  const int64_t *block_end = mover->begin + pqf_piece_count(m->from->count) * BLOCKS;
  const int64_t first = block > 0 ? block_end[block - 1] : 0;
  const int64_t count = block_end[block] - first;
  const int32_t *key = mover->key + first;
  int64_t *end = to.offset + 1;
  const int64_t first_group = block << m->shift;
  const int64_t behind = (block + 1) << m->shift;
  const int64_t last_group = behind < to.count ? behind : to.count;
  if (m->shift == 0 || count == 0) { /* there is one group, or nothing in them */
    for (int64_t group = first_group; group < last_group; group++)
      end[group] = first + count;
    return;
  }
  int64_t place = first;
  for (int64_t group = first_group; group < last_group; group++)
    end[group] = 0;
  for (int64_t cell = 0; cell < count; cell++)
    end[key[cell]]++;
  for (int64_t group = first_group; group < last_group; group++) {
    const int64_t size = end[group];
    end[group] = place;
    place += size;
  }
  int32_t *index = mover->index + worker * mover->room;
  float *value = mover->value + worker * mover->room;
  float *weight = to.weight != NULL ? mover->weight + worker * mover->room : NULL;
  memcpy(index, to.index + first, (size_t)count * sizeof *index);
  memcpy(value, to.value + first, (size_t)count * sizeof *value);
  if (weight != NULL)
    memcpy(weight, to.weight + first, (size_t)count * sizeof *weight);
  for (int64_t cell = 0; cell < count; cell++) {
    const int64_t to_place = end[key[cell]]++;
    to.index[to_place] = index[cell];
    to.value[to_place] = value[cell];
    if (weight != NULL)
      to.weight[to_place] = weight[cell];
  }
}

int pqf_move(pqf_mover *mover, const pqf_walk *from, const pqf_groups *to)
{
  move m = {.mover = mover, .from = from, .to = to};
  while ((to->count - 1) >> m.shift >= BLOCKS)
    m.shift++;
  m.blocks = ((to->count - 1) >> m.shift) + 1;
  pqf_for_each_piece(mover, from->count, count_piece, &m);
  const int status = make_scratch(mover, sum_up(&m), to->weight != NULL);
  if (status != PQF_OK)
    return status;
  pqf_for_each_piece(mover, from->count, spread_piece, &m);
  to->offset[0] = 0;
  pqf_team_run(mover->team, m.blocks, order_block, &m);
  return PQF_OK;
}
