/* Steps that make data, and what it must hold. */
#include "calls_state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Cells as a caller has them. */
typedef struct cell_list {
  int64_t rows;
  int64_t cols;
  int64_t count;
  int has_values;
  int has_weights;
  int64_t offset[SIDE + 1]; /* of compressed rows */
  int32_t row[MOST_CELLS];
  int32_t col[MOST_CELLS];
  float value[MOST_CELLS];
  float weight[MOST_CELLS];
  int64_t delivered;
  int64_t chunk;
  int64_t cancel_at; /* -1: never */
} cell_list;

static calls_data *choose_slot(void)
{
  return &calls.data[calls_choose(DATA_SLOTS)];
}

static pqf_data_options choose_options(void)
{
  pqf_data_options options = PQF_DATA_OPTIONS_INIT;
  const uint8_t choice = calls_next();
  options.duplicates = choice % 4 < 3 ? choice % 4 : 1;
  options.nan_is_absent = choice / 4 % 2;
  options.threads = choice / 8 % 2 != 0 ? 3 : 1;
  if (choice >= 250)
    options.duplicates = 3;
  if (choice == 249)
    options.size = 12;
  return options;
}

/* A small generator for cells that no byte describes (splitmix64). */
static uint32_t draw(uint64_t *state)
{
  *state += 0x9e3779b97f4a7c15u;
  uint64_t bits = *state;
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9u;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebu;
  return (uint32_t)((bits ^ (bits >> 31)) >> 32);
}

/* Each cell of R with a chance of its own. */
static void draw_cells(cell_list *list, float scale)
{
  uint64_t state = calls_next();
  const uint32_t percent = 10 + calls_next() % 91;
  for (int32_t row = 0; row < list->rows; row++)
    for (int32_t col = 0; col < list->cols; col++) {
      const int is_there = draw(&state) % 100 < percent;
      const float value = (float)(draw(&state) % 11) * 0.5F;
      const float weight = (float)(draw(&state) % 5);
      if (!is_there || list->count == MOST_CELLS)
        continue;
      list->row[list->count] = row;
      list->col[list->count] = col;
      list->value[list->count] = value * scale;
      list->weight[list->count++] = weight;
    }
}

static void read_cells(cell_list *list, int64_t count)
{
  for (int64_t n = 0; n < count; n++) {
    const uint8_t place = calls_next();
    list->row[n] = place % (int32_t)list->rows;
    list->col[n] = place / (int32_t)list->rows % (int32_t)list->cols;
    list->value[n] = calls_value();
    list->weight[n] = list->has_weights ? calls_value() : 1;
    if (place == 255)
      *(n % 2 != 0 ? &list->row[n] : &list->col[n]) = n % 4 < 2 ? SIDE : -1;
  }
  list->count = count;
}

static void choose_cells(cell_list *list)
{
  static const float scales[] = {1, 1, 1, 1, 1000, 1e-3F, 1e-6F, 1e6F, 1e15F, 1e-20F, 1e-38F};
  const uint8_t form = calls_next();
  memset(list, 0, sizeof *list);
  list->rows = 1 + calls_choose(SIDE);
  list->cols = 1 + calls_choose(SIDE);
  list->has_values = form % 16 != 0;
  list->has_weights = form / 16 % 4 == 0;
  if (form / 64 < 3)
    draw_cells(list, scales[calls_choose((int64_t)(sizeof scales / sizeof scales[0]))]);
  else
    read_cells(list, calls_choose(MOST_CELLS));
  list->chunk = 1 + list->count / 3;
  list->cancel_at = -1;
}

/* Sorted by row, as compressed rows have them. */
static void compress(cell_list *list)
{
  cell_list sorted = *list;
  int64_t place = 0;
  for (int64_t row = 0; row < list->rows; row++) {
    for (int64_t n = 0; n < list->count; n++) {
      if (list->row[n] != row)
        continue;
      sorted.row[place] = list->row[n];
      sorted.col[place] = list->col[n];
      sorted.value[place] = list->value[n];
      sorted.weight[place++] = list->weight[n];
    }
    sorted.offset[row + 1] = place;
  }
  *list = sorted;
}

/* What must come of the list; 0: it must be refused. */
static int expect(calls_data *out, const cell_list *list, const pqf_data_options *options)
{
  if (options->size != sizeof *options || options->duplicates > PQF_DUPLICATES_LAST)
    return 0;
  out->rows = list->rows;
  out->cols = list->cols;
  out->has_weights = list->has_weights;
  out->is_known = 1;
  for (int64_t n = 0; n < list->count; n++) {
    const int32_t row = list->row[n];
    const int32_t col = list->col[n];
    const float value = list->has_values ? list->value[n] : 1;
    const float weight = list->has_weights ? list->weight[n] : 1;
    const int is_absent = options->nan_is_absent && isnan(value);
    if (row < 0 || row >= list->rows || col < 0 || col >= list->cols ||
        (!is_absent && !isfinite(value)) || !isfinite(weight) || weight < 0)
      return 0;
    if (is_absent)
      continue;
    if (out->present[row][col] && options->duplicates == PQF_DUPLICATES_ERROR)
      return 0;
    const int add = out->present[row][col] && options->duplicates == PQF_DUPLICATES_SUM;
    out->value[row][col] = (double)value + (add ? out->value[row][col] : 0);
    out->weight[row][col] = (double)weight + (add ? out->weight[row][col] : 0);
    out->present[row][col] = 1;
  }
  for (int64_t row = 0; row < list->rows; row++)
    for (int64_t col = 0; col < list->cols; col++)
      if (!isfinite((float)out->value[row][col]) || !isfinite((float)out->weight[row][col]))
        return 0;
  return 1;
}

static int64_t count_present(const calls_data *data)
{
  int64_t count = 0;
  for (int64_t n = 0; n < SIDE * SIDE; n++)
    count += data->present[n / SIDE][n % SIDE];
  return count;
}

/* Checks data and what it was built of, and puts it into a slot. */
static void put(calls_data *slot, calls_data *made, int status, int expected)
{
  HOLDS(status == expected, "data: the status is %d (%s), expected %d", status, pqf_error_message(),
        expected);
  HOLDS((made->data != NULL) == (status == PQF_OK), "data and status %d", status);
  if (status == PQF_OK && made->is_known) {
    HOLDS(pqf_data_rows(made->data) == made->rows && pqf_data_cols(made->data) == made->cols,
          "the shape of the data");
    HOLDS(pqf_data_count(made->data) == count_present(made), "the number of cells");
  }
  calls_drop_data(slot);
  if (status == PQF_OK)
    *slot = *made;
  else
    free(made->borrowed);
}

static int deliver(pqf_chunk *chunk, void *payload)
{
  cell_list *list = payload;
  const int64_t left = list->count - list->delivered;
  if (list->delivered == list->cancel_at)
    return 1;
  chunk->count = left < list->chunk ? left : list->chunk;
  chunk->row = list->row + list->delivered;
  chunk->col = list->col + list->delivered;
  chunk->value = list->has_values ? list->value + list->delivered : NULL;
  chunk->weight = list->has_weights ? list->weight + list->delivered : NULL;
  list->delivered += chunk->count;
  return 0;
}

static int build(pqf_data **out, cell_list *list, int64_t form, const pqf_data_options *options)
{
  const float *value = list->has_values ? list->value : NULL;
  const float *weight = list->has_weights ? list->weight : NULL;
  if (form == 1)
    return CALL(
        pqf_data_csr(out, list->rows, list->cols, list->offset, list->col, value, weight, options));
  if (form == 2)
    return CALL(pqf_data_pull(out, list->rows, list->cols, deliver, list, options));
  return CALL(pqf_data_coo(out, list->rows, list->cols, list->count, list->row, list->col, value,
                           weight, options));
}

void calls_step_cells(void)
{
  calls_data *slot = choose_slot();
  calls_data made = {.data = (pqf_data *)slot};
  const pqf_data_options options = choose_options();
  const int64_t form = calls_choose(4);
  cell_list list;
  choose_cells(&list);
  if (form == 1) {
    for (int64_t n = 0; n < list.count; n++)
      list.row[n] = list.row[n] < 0 || list.row[n] >= list.rows ? 0 : list.row[n];
    compress(&list);
  }
  int expected = expect(&made, &list, &options) ? PQF_OK : PQF_EINVAL;
  if (form == 2 && expected == PQF_OK && calls_rarely() && list.count > 0) {
    list.cancel_at = list.count > list.chunk ? list.chunk : 0;
    expected = PQF_ECANCELED;
  }
  calls_tell("slot %d: %d x %d, %d cells%s", (int)(slot - calls.data), (int)list.rows,
             (int)list.cols, (int)list.count, list.has_weights ? " with weights" : "");
  const int status = build(&made.data, &list, form, &options);
  put(slot, &made, status, expected);
}

void calls_step_dense(void)
{
  calls_data *slot = choose_slot();
  calls_data made = {.data = (pqf_data *)slot};
  pqf_data_options options = choose_options();
  cell_list list;
  choose_cells(&list);
  options.borrow = calls_choose(2) == 0;
  const int64_t stride = list.cols + calls_choose(3);
  float *values = calloc((size_t)(list.rows * stride), sizeof *values);
  HOLDS(values != NULL, "no memory");
  for (int64_t n = 0; n < list.count; n++)
    if (list.row[n] >= 0 && list.row[n] < list.rows && list.col[n] >= 0 && list.col[n] < list.cols)
      values[list.row[n] * stride + list.col[n]] = list.value[n];
  list.count = 0;
  list.has_values = 1;
  list.has_weights = 0;
  for (int64_t n = 0; n < list.rows * list.cols; n++) {
    list.row[n] = (int32_t)(n / list.cols);
    list.col[n] = (int32_t)(n % list.cols);
    list.value[list.count++] = values[list.row[n] * stride + list.col[n]];
  }
  const int expected = expect(&made, &list, &options) ? PQF_OK : PQF_EINVAL;
  made.is_dense = expected == PQF_OK && count_present(&made) == list.count;
  const int status =
      CALL(pqf_data_dense(&made.data, values, list.rows, list.cols, stride, &options));
  made.borrowed = values;
  put(slot, &made, status, expected);
  if (status == PQF_OK && !options.borrow) {
    memset(values, 0xff, (size_t)(list.rows * stride) * sizeof *values); /* NaN: it was copied */
    free(values);
    slot->borrowed = NULL;
  }
}

/* More rows than one thread takes at a time; what the data must hold is not kept. */
void calls_step_tall(void)
{
  enum { MOST_ROWS = 1100, CELLS = 2200 };
  static int32_t row[CELLS];
  static int32_t col[CELLS];
  static float value[CELLS];
  calls_data *slot = choose_slot();
  calls_data made = {.ids = {{.kind = -1}, {.kind = -1}}};
  const int64_t rows = 40 + (int64_t)calls_next() * 4;
  const int64_t cols = 2 + calls_choose(SIDE - 1);
  uint64_t state = calls_next();
  const int is_transposed = calls_choose(2) == 1;
  int64_t count = 0;
  for (int32_t n = 0; n < rows; n++)
    for (int32_t m = 0; m < 2; m++) {
      const int32_t other =
          m == 0 ? (int32_t)(draw(&state) % (uint32_t)(cols - 1)) : (int32_t)cols - 1;
      row[count] = is_transposed ? other : n;
      col[count] = is_transposed ? n : other;
      value[count++] = (float)(draw(&state) % 11) * 0.5F;
    }
  made.rows = is_transposed ? cols : rows;
  made.cols = is_transposed ? rows : cols;
  HOLDS(rows <= MOST_ROWS, "%d rows", (int)rows);
  const int status =
      CALL(pqf_data_coo(&made.data, made.rows, made.cols, count, row, col, value, NULL, NULL));
  HOLDS(pqf_data_count(made.data) == count, "the number of cells");
  put(slot, &made, status, PQF_OK);
}

/* ---- Ids ------------------------------------------------------------------------------------- */

static int is_utf8(const char *text)
{
  for (; *text != '\0'; ++text) /* those below are ASCII, one two-byte letter, or wrong */
    if ((unsigned char)*text >= 0x80) {
      if ((unsigned char)text[0] != 0xc3 || (unsigned char)text[1] != 0xa9)
        return 0;
      ++text;
    }
  return 1;
}

static void choose_ids(calls_ids *out, int64_t count)
{
  static const char *const beginnings[] = {"", "a", "user", "\xc3\xa9", "\x80", "0"};
  static const int64_t bases[] = {0, 1, -3, INT64_MAX - SIDE, INT64_MIN, 1000};
  const int64_t beginning = calls_choose(6);
  const int64_t step = calls_choose(4);
  memset(out, 0, sizeof *out);
  out->kind = (int32_t)calls_choose(3);
  for (int64_t n = 0; n < count; n++) {
    const int64_t number = step == 3 ? (n * 5) % 12 : n * step;
    out->number[n] = (int64_t)((uint64_t)bases[beginning] + (uint64_t)number); /* may wrap */
    const size_t length = strlen(beginnings[beginning]);
    memcpy(out->text[n], beginnings[beginning], length);
    if (number >= 10)
      out->text[n][length] = (char)('a' + number / 10);
    out->text[n][length + (number >= 10)] = (char)('0' + number % 10);
  }
}

static int are_valid(const calls_ids *ids, int64_t count)
{
  for (int64_t n = 0; n < count && ids->kind != PQF_IDS_NONE; n++) {
    if (ids->kind == PQF_IDS_TEXTS && !is_utf8(ids->text[n]))
      return 0;
    for (int64_t m = 0; m < n; m++)
      if (ids->kind == PQF_IDS_TEXTS ? strcmp(ids->text[n], ids->text[m]) == 0
                                     : ids->number[n] == ids->number[m])
        return 0;
  }
  return 1;
}

void calls_step_set_ids(void)
{
  calls_data *slot = choose_slot();
  const int32_t side = (int32_t)calls_choose(2);
  const int64_t size = side == PQF_ROWS ? pqf_data_rows(slot->data) : pqf_data_cols(slot->data);
  const char *texts[SIDE];
  calls_ids ids;
  if (size > SIDE)
    return;
  choose_ids(&ids, size);
  const int64_t count = calls_rarely() ? size + 1 : size;
  for (int64_t n = 0; n < size; n++)
    texts[n] = ids.text[n];
  const int is_fine = slot->data != NULL && count == size && are_valid(&ids, size);
  const int status = CALL(pqf_data_set_ids(slot->data, side, count,
                                           ids.kind == PQF_IDS_NUMBERS ? ids.number : NULL,
                                           ids.kind == PQF_IDS_TEXTS ? texts : NULL));
  HOLDS(status == (is_fine ? PQF_OK : PQF_EINVAL), "ids: %d", status);
  if (status == PQF_OK)
    slot->ids[side] = ids;
}

/* ---- Held-out cells -------------------------------------------------------------------------- */

static void pick(cell_list *out, const cell_list *from, const uint8_t *held_out, int which)
{
  *out = *from;
  out->count = 0;
  for (int64_t n = 0; n < from->count; n++)
    if (held_out[n] == which) {
      out->row[out->count] = from->row[n];
      out->col[out->count] = from->col[n];
      out->value[out->count] = from->value[n];
      out->weight[out->count++] = from->weight[n];
    }
}

static void list_cells(cell_list *out, const calls_data *data)
{
  memset(out, 0, sizeof *out);
  out->rows = data->rows;
  out->cols = data->cols;
  out->has_values = 1;
  out->has_weights = data->has_weights;
  for (int64_t n = 0; data->is_known && n < data->rows * data->cols; n++) {
    const int64_t row = n / data->cols;
    const int64_t col = n % data->cols;
    if (!data->present[row][col])
      continue;
    out->row[out->count] = (int32_t)row;
    out->col[out->count] = (int32_t)col;
    out->value[out->count] = (float)data->value[row][col];
    out->weight[out->count++] = (float)data->weight[row][col];
  }
}

static void put_part(calls_data *slot, cell_list *list)
{
  const pqf_data_options options = PQF_DATA_OPTIONS_INIT;
  calls_data made = {.data = NULL};
  const int expected = expect(&made, list, &options) ? PQF_OK : PQF_EINVAL;
  put(slot, &made, build(&made.data, list, 0, &options), expected);
}

/* Splits the cells of one slot into two others of the same shape. */
void calls_step_split(void)
{
  const calls_data *from = choose_slot();
  calls_data *train = choose_slot();
  calls_data *held_out = choose_slot();
  pqf_split_options options = PQF_SPLIT_OPTIONS_INIT;
  double time[MOST_CELLS];
  uint8_t out[MOST_CELLS] = {0};
  cell_list list;
  cell_list part;
  list_cells(&list, from);
  options.method = (int32_t)calls_choose(4);
  options.fraction = calls_number() / 2;
  options.seed = calls_next();
  options.last = calls_choose(5) - 1;
  options.fold = calls_rarely() ? INT32_MAX : (int32_t)calls_choose(3);
  for (int64_t n = 0; n < list.count; n++)
    time[n] = (double)calls_value();
  const int status = CALL(pqf_split(list.rows, list.count, list.row,
                                    options.method == PQF_SPLIT_LAST ? time : NULL, &options, out));
  if (status != PQF_OK || !from->is_known || train == held_out)
    return;
  pick(&part, &list, out, 0);
  put_part(train, &part);
  pick(&part, &list, out, 1);
  put_part(held_out, &part);
  HOLDS(pqf_data_count(train->data) + pqf_data_count(held_out->data) == list.count,
        "a cell is lost or doubled by the split");
}

void calls_step_free_data(void)
{
  calls_drop_data(choose_slot());
}
