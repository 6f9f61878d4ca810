/* Cells that are given more than once.
 *
 * Both sides are in order, so such cells are neighbours, and the sort was stable: they come in the
 * order given, in a row as in a column. Values (and weights) are added up in double in that order
 * and rounded to float once, or the last one stays; so both sides get the same bits. */
#include "error.h"
#include "memory.h"
#include "number_text.h"
#include "sparse.h"

#include <inttypes.h>
#include <math.h>

typedef struct joining {
  pqf_groups side[2];
  int32_t duplicates;
  int64_t group; /* of the first cell in the rows whose sum is no float; -1: none */
  int32_t index;
  const char *what; /* of that cell */
  double sum;
} joining;

/* What stays of equal cells [first, last) of `numbers`. */
static double join(const float *numbers, int64_t first, int64_t last, int32_t duplicates)
{
  if (duplicates == PQF_DUPLICATES_LAST)
    return (double)numbers[last - 1];
  double sum = 0;
  for (int64_t cell = first; cell < last; cell++)
    sum += (double)numbers[cell];
  return sum;
}

/* Keeps what is to be told of the rows' first sum that is too large. */
static void note_sum(joining *j, int64_t side, int64_t group, int32_t index, const char *what,
                     double sum)
{
  if (side != PQF_ROWS || j->group >= 0 || isfinite((float)sum))
    return;
  j->group = group;
  j->index = index;
  j->what = what;
  j->sum = sum;
}

static void join_side(void *argument, int64_t side, int32_t worker)
{
  (void)worker;
  joining *j = argument;
  const pqf_groups *cells = &j->side[side];
  int64_t place = 0;
  int64_t first = 0;
  for (int64_t group = 0; group < cells->count; group++) {
    const int64_t end = cells->offset[group + 1];
    while (first < end) {
      const int32_t index = cells->index[first];
      int64_t last = first + 1;
      while (last < end && cells->index[last] == index)
        last++;
      const double value = join(cells->value, first, last, j->duplicates);
      note_sum(j, side, group, index, "values", value);
      cells->index[place] = index;
      cells->value[place] = (float)value;
      if (cells->weight != NULL) {
        const double weight = join(cells->weight, first, last, j->duplicates);
        note_sum(j, side, group, index, "weights", weight);
        cells->weight[place] = (float)weight;
      }
      place++;
      first = last;
    }
    cells->offset[group + 1] = place;
  }
}

/* Gives back what lies behind the first `count` indices, values and weights: 4 bytes each. */
static int shorten(int32_t **index, float **value, float **weight, int64_t count)
{
  void *array[] = {*index, *value, *weight};
  int status = PQF_OK;
  for (int n = 0; n < 3 && array[n] != NULL && status == PQF_OK; n++) {
    void *shorter = pqf_reallocate(array[n], (size_t)count * 4, count, 4);
    if (shorter != NULL)
      array[n] = shorter;
    else
      status = PQF_ENOMEM;
  }
  *index = array[0];
  *value = array[1];
  *weight = array[2];
  return status;
}

int pqf_data_join_twins(pqf_data *data, pqf_team *team, int64_t twin, int32_t duplicates)
{
  char name[PQF_CELL_NAME];
  joining j = {{pqf_rows_of(data), pqf_cols_of(data)}, duplicates, -1, 0, NULL, 0};
  const pqf_groups *rows = &j.side[PQF_ROWS];
  if (duplicates == PQF_DUPLICATES_ERROR) {
    const int64_t row = pqf_group_of(rows->offset, rows->count, twin);
    return pqf_fail(PQF_EINVAL, "cell %s is given twice",
                    pqf_data_cell_name(data, row, rows->index[twin], name));
  }
  pqf_team_run(team, 2, join_side, &j);
  if (j.group >= 0) {
    char sum[PQF_NUMBER_TEXT];
    pqf_number_print(j.sum, sum);
    return pqf_fail(PQF_EINVAL, "the %s of cell %s add up to %s, beyond the range of float", j.what,
                    pqf_data_cell_name(data, j.group, j.index, name), sum);
  }
  const int64_t count = rows->offset[rows->count];
  const int status = shorten(&data->row_index, &data->row_value, &data->row_weight, count);
  return status == PQF_OK ? shorten(&data->col_index, &data->col_value, &data->col_weight, count)
                          : status;
}
