/* Cells in groups, rows or columns, and their way from one grouping to another: see regroup.c. */
#ifndef PQF_SRC_REGROUP_H
#define PQF_SRC_REGROUP_H

#include "threads.h"

/* Cells are worked on in pieces of this many: the unit of work, whatever the threads. */
enum { PQF_CELLS_PER_PIECE = 1 << 17 };

/* What pqf_data keeps of one side. */
typedef struct pqf_groups {
  int64_t count;   /* of groups */
  int64_t *offset; /* count + 1 */
  int32_t *index;
  float *value;
  float *weight; /* NULL: none */
} pqf_groups;

/* Cells on their way. Cell n belongs into group key[n] and brings along the others. */
typedef struct pqf_piece {
  int64_t count;
  const int32_t *key;
  const int32_t *index; /* NULL: the group that each comes from, which pqf_walk tells */
  const float *value;   /* NULL: all are 1 */
  const float *weight;  /* NULL: none */
  void *memory;         /* released when they have arrived; NULL: not to be */
} pqf_piece;

/* All the cells that are to be moved, in order. */
typedef struct pqf_walk {
  int64_t count;
  pqf_piece *piece;      /* full ones, but for the last; NULL: they are slices of `whole` */
  pqf_piece whole;       /* its `count` and `memory` are not used */
  int has_gaps;          /* 1: cells whose value is NaN are left out */
  int64_t groups;        /* that they come from, where `whole` has no index */
  const int64_t *offset; /* of those */
} pqf_walk;

/* What the moves of one R share: pages that are new cost more than all else. */
typedef struct pqf_mover {
  pqf_team *team;
  int32_t threads;
  int32_t *key;   /* of the cells between the two stages */
  int64_t *begin; /* of each block in each piece; blocks side by side */
  int64_t room;   /* in each worker's share of what follows, in cells */
  int32_t *index;
  float *value;
  float *weight; /* NULL: there are no weights */
} pqf_mover;

/* For up to `count` cells. On failure it is half-built: close it. */
int pqf_mover_open(pqf_mover *out, int32_t threads, int64_t count);
void pqf_mover_close(pqf_mover *mover);

/* Moves cells into groups that have room for them. */
int pqf_move(pqf_mover *mover, const pqf_walk *from, const pqf_groups *to);

/* Runs work(argument, piece, worker) for each piece of `count` cells. */
void pqf_for_each_piece(const pqf_mover *mover, int64_t count, pqf_work work, void *argument);

/* The range of cells of a piece of `count` cells. */
typedef struct pqf_range {
  int64_t first;
  int64_t last; /* the one behind them */
} pqf_range;

static inline int64_t pqf_piece_count(int64_t count)
{
  return count / PQF_CELLS_PER_PIECE + (count % PQF_CELLS_PER_PIECE != 0);
}

static inline pqf_range pqf_piece_range(int64_t count, int64_t piece)
{
  const int64_t first = piece * PQF_CELLS_PER_PIECE;
  const int64_t last = first + PQF_CELLS_PER_PIECE;
  return (pqf_range){first, last < count ? last : count};
}

/* The group that a cell is in. */
int64_t pqf_group_of(const int64_t *offset, int64_t groups, int64_t cell);

#endif
