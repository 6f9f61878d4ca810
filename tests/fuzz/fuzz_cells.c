/* Sparse data from any list of cells: as a list, as compressed rows, or in chunks. The input is
 * read as choices. What is built must be the cells of the list, added up or replaced as the options
 * say, by row and by column; what must be refused is refused. */
#include "data.h"
#include "pqf.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { SIDE = 12, MOST_CELLS = 400, LIST, COMPRESSED, CHUNKS };

/* R, cell by cell. */
typedef struct picture {
  int present[SIDE][SIDE];
  float value[SIDE][SIDE];
  float weight[SIDE][SIDE];
} picture;

typedef struct input {
  const uint8_t *bytes;
  size_t size;
  int64_t rows;
  int64_t cols;
  int64_t count;
  int64_t delivered;
  int form;
  int weighted;
  pqf_data_options options;
  int64_t offset[SIDE + 1];
  int32_t row[MOST_CELLS];
  int32_t col[MOST_CELLS];
  float value[MOST_CELLS];
  float weight[MOST_CELLS];
} input;

static void require(int holds)
{
  if (!holds)
    abort();
}

/* The next byte; zero when there are none left. */
static uint8_t next(input *in)
{
  if (in->size == 0)
    return 0;
  in->size--;
  return *in->bytes++;
}

/* Mostly small whole numbers, whose sums are exact. */
static float number(uint8_t choice)
{
  static const float rare[] = {NAN, INFINITY, -INFINITY, -1, 0};
  return choice >= 251 ? rare[choice - 251] : (float)(choice % 16);
}

static void read_input(input *in, const uint8_t *bytes, size_t size)
{
  const pqf_data_options defaults = PQF_DATA_OPTIONS_INIT;
  memset(in, 0, sizeof *in);
  in->bytes = bytes;
  in->size = size;
  in->options = defaults;
  in->options.threads = 1 + next(in) % 2;
  in->options.duplicates = next(in) % 3;
  in->options.nan_is_absent = next(in) % 2;
  in->form = LIST + next(in) % 3;
  in->weighted = next(in) % 2;
  in->rows = 1 + next(in) % SIDE;
  in->cols = 1 + next(in) % SIDE;
  while (in->size > 0 && in->count < MOST_CELLS) {
    const int64_t n = in->count++;
    in->row[n] = next(in) % (int32_t)in->rows;
    in->col[n] = next(in) % (int32_t)in->cols;
    in->value[n] = number(next(in));
    in->weight[n] = in->weighted ? number(next(in)) : 1;
    if (next(in) == 255) /* one beyond the shape, on either side */
      *(n % 2 != 0 ? &in->row[n] : &in->col[n]) = n % 4 < 2 ? SIDE : -1;
  }
}

/* Cells in the order of their rows, as compressed rows have them; rows must be in range. */
static void compress(input *in)
{
  input sorted = *in;
  int64_t place = 0;
  for (int64_t row = 0; row < in->rows; row++) {
    for (int64_t n = 0; n < in->count; n++) {
      if (in->row[n] != row)
        continue;
      sorted.row[place] = in->row[n];
      sorted.col[place] = in->col[n];
      sorted.value[place] = in->value[n];
      sorted.weight[place++] = in->weight[n];
    }
    sorted.offset[row + 1] = place;
  }
  *in = sorted;
}

/* What must come of the list; 0: it must be refused. */
static int draw(const input *in, picture *out)
{
  memset(out, 0, sizeof *out);
  for (int64_t n = 0; n < in->count; n++) {
    const int32_t row = in->row[n];
    const int32_t col = in->col[n];
    const int absent = in->options.nan_is_absent && isnan(in->value[n]);
    if (row < 0 || row >= in->rows || col < 0 || col >= in->cols ||
        (!absent && !isfinite(in->value[n])) || !isfinite(in->weight[n]) || in->weight[n] < 0)
      return 0;
    if (absent)
      continue;
    if (out->present[row][col] && in->options.duplicates == PQF_DUPLICATES_ERROR)
      return 0;
    const int add = in->options.duplicates == PQF_DUPLICATES_SUM && out->present[row][col];
    out->value[row][col] = in->value[n] + (add ? out->value[row][col] : 0);
    out->weight[row][col] = in->weight[n] + (add ? out->weight[row][col] : 0);
    out->present[row][col] = 1;
  }
  return 1;
}

static int deliver(pqf_chunk *chunk, void *payload)
{
  input *in = payload;
  const int64_t left = in->count - in->delivered;
  const int64_t most = 1 + in->delivered % 7;
  chunk->count = left < most ? left : most;
  chunk->row = in->row + in->delivered;
  chunk->col = in->col + in->delivered;
  chunk->value = in->value + in->delivered;
  chunk->weight = in->weighted ? in->weight + in->delivered : NULL;
  in->delivered += chunk->count;
  return 0;
}

static int build(pqf_data **out, input *in)
{
  const float *weight = in->weighted ? in->weight : NULL;
  if (in->form == CHUNKS)
    return pqf_data_pull(out, in->rows, in->cols, deliver, in, &in->options);
  if (in->form == COMPRESSED)
    return pqf_data_csr(out, in->rows, in->cols, in->offset, in->col, in->value, weight,
                        &in->options);
  return pqf_data_coo(out, in->rows, in->cols, in->count, in->row, in->col, in->value, weight,
                      &in->options);
}

/* One of the two views of the cells; `flipped`: by column. */
static void check_view(const input *in, const pqf_cells *cells, int64_t groups, int flipped,
                       const picture *want, int64_t count)
{
  require(cells->offset[0] == 0 && cells->offset[groups] == count);
  for (int64_t group = 0; group < groups; group++) {
    for (int64_t n = cells->offset[group]; n < cells->offset[group + 1]; n++) {
      const int64_t row = flipped ? cells->index[n] : group;
      const int64_t col = flipped ? group : cells->index[n];
      require(n == cells->offset[group] || cells->index[n] > cells->index[n - 1]);
      require(want->present[row][col] && cells->value[n] == want->value[row][col]);
      require((cells->weight != NULL) == in->weighted);
      require(!in->weighted || cells->weight[n] == want->weight[row][col]);
    }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  static input in;
  static picture want;
  pqf_data *data = NULL;
  read_input(&in, bytes, size);
  if (in.form == COMPRESSED) {
    for (int64_t n = 0; n < in.count; n++)
      in.row[n] = in.row[n] < 0 || in.row[n] >= in.rows ? 0 : in.row[n];
    compress(&in);
  }
  const int fine = draw(&in, &want);
  const int status = build(&data, &in);
  require(status == (fine ? PQF_OK : PQF_EINVAL) && (data != NULL) == fine);
  if (!fine)
    return 0;
  int64_t count = 0;
  for (int64_t cell = 0; cell < SIDE * SIDE; cell++)
    count += want.present[cell / SIDE][cell % SIDE];
  require(pqf_data_count(data) == count);
  check_view(&in, &data->matrix.by_row, in.rows, 0, &want, count);
  check_view(&in, &data->matrix.by_col, in.cols, 1, &want, count);
  pqf_data_free(data);
  return 0;
}
