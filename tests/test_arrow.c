/* Tables that come as Arrow streams: made by hand in every type, and made by pyarrow. */
#include "suites.h"
#include "test.h"

#include "arrow_builder.h"
#include "data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) ((int64_t)(sizeof(array) / sizeof(array)[0]))

/* ---- Looking at data ---------------------------------------------------------------- */

/* The value of a cell; NaN: absent. */
static float cell(const pqf_data *data, int64_t row, int64_t col)
{
  const pqf_matrix *matrix = &data->matrix;
  if (matrix->dense != NULL)
    return matrix->dense[row * matrix->dense_stride + col];
  for (int64_t n = matrix->by_row.offset[row]; n < matrix->by_row.offset[row + 1]; n++) {
    if (matrix->by_row.index[n] == col)
      return matrix->by_row.value[n];
  }
  return NAN;
}

/* Whether id `index` of a side is the text. */
static int is_text(const pqf_data *data, int32_t side, int64_t index, const char *text)
{
  pqf_id id;
  pqf_ids_get(data->ids[side], index, &id);
  return id.text != NULL && id.length == (int64_t)strlen(text) &&
         memcmp(id.text, text, (size_t)id.length) == 0;
}

static int is_number(const pqf_data *data, int32_t side, int64_t index, int64_t number)
{
  pqf_id id;
  pqf_ids_get(data->ids[side], index, &id);
  return id.text == NULL && id.number == number;
}

/* ---- Wide ------------------------------------------------------------------------------------ */

static const int8_t int8s[] = {99, -1, 2, 3};
static const uint8_t uint8s[] = {99, 255, 2, 3};
static const int16_t int16s[] = {99, -1000, 2, 3};
static const uint16_t uint16s[] = {99, 65535, 2, 3};
static const int32_t int32s[] = {99, -100000, 2, 3};
static const uint32_t uint32s[] = {99, UINT32_MAX, 2, 3};
static const int64_t int64s[] = {99, INT64_MIN, 2, 3};
static const uint64_t uint64s[] = {99, UINT64_MAX, 2, 3};
static const uint16_t halves[] = {0x7c00, 0xbe00, 0x4000, 0x4200};
static const float singles[] = {INFINITY, -1.5f, 2, 3};
static const double doubles[] = {1e300, 3.25, 2, 3};

/* Every numeric type, the first value of each array left out: what it becomes. */
static const struct {
  const char *format;
  const void *values;
  size_t size;
  float first; /* the two others are 2 and 3 */
} types[] = {{"c", int8s, 1, -1},
             {"C", uint8s, 1, 255},
             {"s", int16s, 2, -1000},
             {"S", uint16s, 2, 65535},
             {"i", int32s, 4, -100000},
             {"I", uint32s, 4, 4294967296.0f},
             {"l", int64s, 8, -9223372036854775808.0f},
             {"L", uint64s, 8, 18446744073709551616.0f},
             {"e", halves, 2, -1.5f},
             {"f", singles, 4, -1.5f},
             {"g", doubles, 8, 3.25f}};

/* All types in one table; the second line is null where `validity` says so. */
static struct ArrowArrayStream make_types(const char *validity)
{
  struct ArrowSchema *fields[COUNT(types)];
  struct ArrowArray *columns[COUNT(types)];
  for (int64_t n = 0; n < COUNT(types); n++) {
    fields[n] = arrow_field(types[n].format, types[n].format);
    columns[n] = arrow_slice(arrow_values(types[n].values, types[n].size, 4, validity), 1, 3);
  }
  return arrow_one_batch(COUNT(types), fields, columns);
}

static void every_type_is_read(void)
{
  for (int nulls = 0; nulls <= 1; nulls++) {
    struct ArrowArrayStream stream = make_types(nulls ? "1101" : NULL);
    pqf_data *data;
    if (!CHECK_OK(arrow_take(&data, &stream, NULL, NULL, NULL, nulls)))
      return;
    CU_ASSERT_EQUAL(pqf_data_rows(data), 3);
    CU_ASSERT_EQUAL(pqf_data_cols(data), COUNT(types));
    CU_ASSERT_EQUAL(pqf_data_count(data), (3 - nulls) * COUNT(types));
    CU_ASSERT_EQUAL(data->matrix.dense == NULL, nulls);
    CU_ASSERT_PTR_NULL(data->ids[PQF_ROWS]);
    for (int64_t n = 0; n < COUNT(types); n++) {
      CU_ASSERT_EQUAL(cell(data, 0, n), types[n].first);
      CU_ASSERT(nulls ? isnan(cell(data, 1, n)) : cell(data, 1, n) == 2);
      CU_ASSERT_EQUAL(cell(data, 2, n), 3);
      CU_ASSERT(is_text(data, PQF_COLS, n, types[n].format));
    }
    pqf_data_free(data);
  }
}

static void halves_are_exact(void)
{
  static const uint16_t bits[] = {0x0000, 0x8000, 0x0001, 0x03ff, 0x0400, 0x3c00, 0x7bff, 0xfbff};
  static const float want[] = {0, 0, 0x1p-24f, 0x3ffp-24f, 0x1p-14f, 1, 65504, -65504};
  static const uint16_t refused[] = {0x7c00, 0xfc00, 0x7e00};
  struct ArrowSchema *field = arrow_field("h", "e");
  struct ArrowArray *column = arrow_values(bits, 2, COUNT(bits), NULL);
  struct ArrowArrayStream stream = arrow_one_batch(1, &field, &column);
  pqf_data *data;
  REQUIRE_OK(arrow_take(&data, &stream, NULL, NULL, NULL, 0));
  for (int64_t n = 0; n < COUNT(bits); n++)
    CU_ASSERT_EQUAL(cell(data, n, 0), want[n]);
  pqf_data_free(data);
  for (int64_t n = 0; n < COUNT(refused); n++) {
    field = arrow_field("h", "e");
    column = arrow_values(&refused[n], 2, 1, NULL);
    CHECK_STATUS(arrow_refuse(arrow_one_batch(1, &field, &column), NULL, NULL, NULL), PQF_EINVAL);
    CHECK_WORDS(n < 2 ? "is infinite" : "is NaN");
  }
}

static void booleans_are_zeros_and_ones(void)
{
  struct ArrowSchema *field = arrow_field("b", "b");
  struct ArrowArray *column = arrow_slice(arrow_bits("1101001010"), 1, 9);
  struct ArrowArrayStream stream = arrow_one_batch(1, &field, &column);
  pqf_data *data;
  REQUIRE_OK(arrow_take(&data, &stream, NULL, NULL, NULL, 0));
  for (int64_t n = 0; n < 9; n++)
    CU_ASSERT_EQUAL(cell(data, n, 0), (float)("101001010"[n] - '0'));
  pqf_data_free(data);
}

/* A table of one batch per length, of `cols` columns: value = 1000 line + column. */
static struct ArrowArrayStream make_counted(const int64_t *lengths, int64_t batches, int64_t cols)
{
  struct ArrowSchema **fields = test_allocate(cols, sizeof(struct ArrowSchema *));
  struct ArrowArray **columns = test_allocate(cols, sizeof(struct ArrowArray *));
  struct ArrowArray **made = test_allocate(batches, sizeof(struct ArrowArray *));
  int64_t line = 0;
  for (int64_t batch = 0; batch < batches; batch++) {
    for (int64_t col = 0; col < cols; col++) {
      float *values = test_allocate(lengths[batch], sizeof *values);
      for (int64_t n = 0; n < lengths[batch]; n++)
        values[n] = (float)(1000 * (line + n) + col);
      columns[col] = arrow_floats(values, lengths[batch], NULL);
      free(values);
    }
    made[batch] = arrow_batch(cols, columns);
    line += lengths[batch];
  }
  for (int64_t col = 0; col < cols; col++) {
    char name[24];
    snprintf(name, sizeof name, "%lld", (long long)col);
    fields[col] = arrow_field(name, "f");
  }
  const struct ArrowArrayStream stream =
      arrow_stream(arrow_table_type(cols, fields), batches, made);
  free(fields);
  free(columns);
  free(made);
  return stream;
}

static void batches_are_put_together(void)
{
  static const int64_t lengths[] = {0, 3, 0, 64, 1, 200, 0, 65, 0};
  struct ArrowArrayStream stream = make_counted(lengths, COUNT(lengths), 37);
  pqf_data *data;
  int64_t faults = 0;
  REQUIRE_OK(arrow_take(&data, &stream, NULL, NULL, NULL, 0));
  CU_ASSERT_EQUAL(pqf_data_rows(data), 333);
  CU_ASSERT_PTR_NULL(data->ids[PQF_COLS]); /* 0, 1, 2, ... */
  for (int64_t row = 0; row < 333; row++) {
    for (int64_t col = 0; col < 37; col++)
      faults += cell(data, row, col) != (float)(1000 * row + col);
  }
  CU_ASSERT_EQUAL(faults, 0);
  pqf_data_free(data);
}

/* The offset of the batch counts for all its columns, and comes on top of their own. */
static void offsets_of_batches_count(void)
{
  static const float values[] = {9, 9, 9, 4, 5, 9};
  static const char *const names[] = {"-", "-", "of user four", "five"};
  struct ArrowSchema *fields[] = {arrow_field("x", "f"), arrow_field("user", "u")};
  struct ArrowArray *columns[] = {arrow_slice(arrow_floats(values, 6, NULL), 1, 5),
                                  arrow_texts("u", names, 4, NULL)};
  struct ArrowArray *batch = arrow_slice(arrow_batch(2, columns), 2, 2);
  struct ArrowArrayStream stream = arrow_stream(arrow_table_type(2, fields), 1, &batch);
  pqf_data *data;
  REQUIRE_OK(arrow_take(&data, &stream, "user", NULL, NULL, 0));
  CU_ASSERT_EQUAL(pqf_data_rows(data), 2);
  CU_ASSERT_EQUAL(cell(data, 0, 0), 4);
  CU_ASSERT_EQUAL(cell(data, 1, 0), 5);
  CU_ASSERT(is_text(data, PQF_ROWS, 0, "of user four"));
  CU_ASSERT(is_text(data, PQF_ROWS, 1, "five"));
  pqf_data_free(data);
}

/* A table with one line and the columns of these names; the ids that its columns get. */
static pqf_data *name_columns(const char *const *names, int64_t count)
{
  struct ArrowSchema *fields[8];
  struct ArrowArray *columns[8];
  const float value = 1;
  for (int64_t n = 0; n < count; n++) {
    fields[n] = arrow_field(names[n], "f");
    columns[n] = arrow_floats(&value, 1, NULL);
  }
  struct ArrowArrayStream stream = arrow_one_batch(count, fields, columns);
  pqf_data *data;
  CHECK_OK(arrow_take(&data, &stream, NULL, NULL, NULL, 0));
  return data;
}

static void names_become_ids(void)
{
  static const char *const numbers[] = {"5", "-9223372036854775808", "9223372036854775807", "0",
                                        "-7"};
  static const char *const others[] = {"01",  "+1", "-0", "9223372036854775808",
                                       "1.0", "",   "-",  " 1"};
  static const char *const in_order[] = {"0", "1", "2"};
  pqf_data *data = name_columns(numbers, 5);
  CU_ASSERT(data != NULL && is_number(data, PQF_COLS, 0, 5));
  CU_ASSERT(data != NULL && is_number(data, PQF_COLS, 1, INT64_MIN));
  CU_ASSERT(data != NULL && is_number(data, PQF_COLS, 2, INT64_MAX));
  CU_ASSERT(data != NULL && is_number(data, PQF_COLS, 4, -7));
  pqf_data_free(data);
  for (int64_t n = 0; n < COUNT(others); n++) {
    const char *const mixed[] = {"0", others[n]};
    data = name_columns(mixed, 2);
    CU_ASSERT(data != NULL && is_text(data, PQF_COLS, 0, "0"));
    CU_ASSERT(data != NULL && is_text(data, PQF_COLS, 1, others[n]));
    pqf_data_free(data);
  }
  data = name_columns(in_order, 3);
  CU_ASSERT(data != NULL && data->ids[PQF_COLS] == NULL);
  pqf_data_free(data);
  const char *const unnamed[] = {NULL};
  data = name_columns(unnamed, 1);
  CU_ASSERT(data != NULL && is_text(data, PQF_COLS, 0, ""));
  pqf_data_free(data);
}

/* ---- Ids ------------------------------------------------------------------------------------- */

static const struct {
  const char *format;
  const void *values;
  size_t size;
  int64_t first; /* the two others are 2 and 3 */
} id_types[] = {{"c", int8s, 1, -1},        {"C", uint8s, 1, 255},
                {"s", int16s, 2, -1000},    {"S", uint16s, 2, 65535},
                {"i", int32s, 4, -100000},  {"I", uint32s, 4, UINT32_MAX},
                {"l", int64s, 8, INT64_MIN}};

static void integers_of_every_width_are_ids(void)
{
  for (int64_t n = 0; n < COUNT(id_types); n++) {
    struct ArrowArray *ids = arrow_values(id_types[n].values, id_types[n].size, 4, NULL);
    struct ArrowArrayStream stream =
        arrow_with_ids(arrow_field("id", id_types[n].format), arrow_slice(ids, 1, 3));
    pqf_data *data;
    if (!CHECK_OK(arrow_take(&data, &stream, "id", NULL, NULL, 0)))
      return;
    CU_ASSERT(is_number(data, PQF_ROWS, 0, id_types[n].first));
    CU_ASSERT(is_number(data, PQF_ROWS, 2, 3));
    pqf_data_free(data);
  }
  static const uint64_t least[] = {5, INT64_MAX};
  struct ArrowArrayStream stream =
      arrow_with_ids(arrow_field("id", "L"), arrow_values(least, 8, 2, NULL));
  pqf_data *data;
  REQUIRE_OK(arrow_take(&data, &stream, "id", NULL, NULL, 0));
  CU_ASSERT(is_number(data, PQF_ROWS, 1, INT64_MAX));
  pqf_data_free(data);
  CHECK_STATUS(
      arrow_refuse(arrow_with_ids(arrow_field("id", "L"), arrow_values(uint64s, 8, 4, NULL)), "id",
                   NULL, NULL),
      PQF_EINVAL);
  CHECK_WORDS("column \"id\": id 18446744073709551615 is above 9223372036854775807");
}

static const char *const words[] = {"first", "", "\xc3\xa9t\xc3\xa9 of more than twelve bytes",
                                    "twelve bytes"};

static void texts_of_every_layout_are_ids(void)
{
  static const char *const formats[] = {"u", "U", "vu"};
  for (int64_t n = 0; n < COUNT(formats); n++) {
    for (int64_t offset = 0; offset < 2; offset++) {
      struct ArrowArray *ids = arrow_texts(formats[n], words, 4, NULL);
      struct ArrowArrayStream stream =
          arrow_with_ids(arrow_field("id", formats[n]), arrow_slice(ids, offset, 4 - offset));
      pqf_data *data;
      if (!CHECK_OK(arrow_take(&data, &stream, "id", NULL, NULL, 0)))
        return;
      for (int64_t row = 0; row < 4 - offset; row++)
        CU_ASSERT(is_text(data, PQF_ROWS, row, words[row + offset]));
      pqf_data_free(data);
    }
  }
}

static void dictionaries_are_ids(void)
{
  static const int8_t narrow[] = {3, 1, 0};
  static const uint64_t wide[] = {3, 1, 0};
  static const int64_t numbers[] = {30, 10, 77, 20};
  for (int kind = 0; kind < 3; kind++) {
    struct ArrowArray *places =
        kind == 0 ? arrow_values(narrow, 1, 3, NULL) : arrow_values(wide, 8, 3, NULL);
    struct ArrowArray *dictionary =
        kind == 2 ? arrow_integers(numbers, 4, "1101") : arrow_texts("U", words, 4, "1101");
    struct ArrowArrayStream stream =
        arrow_with_ids(arrow_dictionary_field("id", kind == 0 ? "c" : "L", kind == 2 ? "l" : "U"),
                       arrow_encoded(places, dictionary));
    pqf_data *data;
    if (!CHECK_OK(arrow_take(&data, &stream, "id", NULL, NULL, 0)))
      return;
    CU_ASSERT(kind == 2 ? is_number(data, PQF_ROWS, 0, 20) : is_text(data, PQF_ROWS, 0, words[3]));
    CU_ASSERT(kind == 2 ? is_number(data, PQF_ROWS, 2, 30) : is_text(data, PQF_ROWS, 2, words[0]));
    pqf_data_free(data);
  }
}

static void ids_in_order_are_left_out(void)
{
  static const int64_t in_order[] = {0, 1, 2};
  static const int64_t turned[] = {1, 0, 2};
  struct ArrowArrayStream stream =
      arrow_with_ids(arrow_field("id", "l"), arrow_integers(in_order, 3, NULL));
  pqf_data *data;
  REQUIRE_OK(arrow_take(&data, &stream, "id", NULL, NULL, 0));
  CU_ASSERT_PTR_NULL(data->ids[PQF_ROWS]);
  pqf_data_free(data);
  stream = arrow_with_ids(arrow_field("id", "l"), arrow_integers(turned, 3, NULL));
  REQUIRE_OK(arrow_take(&data, &stream, "id", NULL, NULL, 0));
  CU_ASSERT(is_number(data, PQF_ROWS, 0, 1));
  CU_ASSERT_EQUAL(cell(data, 0, 0), 1); /* rows stay where they are */
  pqf_data_free(data);
}

/* ---- Long ------------------------------------------------------------------------------------ */

static void ids_are_numbered_in_order(void)
{
  static const int64_t users[] = {700, -5, 700, 12, -5};
  static const char *const items[] = {"b", "\xc3\xa9", "a", "B", "a\xc3"};
  static const char *const names[] = {"b", "\xc3\xa9", "a", "", "ab"};
  static const float values[] = {1, 2, 3, 4, 5};
  struct ArrowArrayStream stream =
      arrow_long(arrow_field("u", "l"), arrow_integers(users, 5, NULL), arrow_field("i", "u"),
                 arrow_texts("u", names, 5, NULL), arrow_floats(values, 5, NULL));
  pqf_data *data;
  REQUIRE_OK(arrow_take(&data, &stream, "u", "i", "v", 0));
  CU_ASSERT_EQUAL(pqf_data_rows(data), 3);
  CU_ASSERT_EQUAL(pqf_data_cols(data), 5);
  CU_ASSERT_EQUAL(pqf_data_count(data), 5);
  static const int64_t sorted_users[] = {-5, 12, 700};
  static const char *const sorted_items[] = {"", "a", "ab", "b", "\xc3\xa9"};
  for (int64_t n = 0; n < 3; n++)
    CU_ASSERT(is_number(data, PQF_ROWS, n, sorted_users[n]));
  for (int64_t n = 0; n < 5; n++)
    CU_ASSERT(is_text(data, PQF_COLS, n, sorted_items[n]));
  CU_ASSERT_EQUAL(cell(data, 2, 3), 1);
  CU_ASSERT_EQUAL(cell(data, 0, 4), 2);
  CU_ASSERT_EQUAL(cell(data, 2, 1), 3);
  CU_ASSERT_EQUAL(cell(data, 1, 0), 4);
  CU_ASSERT_EQUAL(cell(data, 0, 2), 5);
  pqf_data_free(data);
  CHECK_STATUS(arrow_refuse(arrow_long(arrow_field("u", "l"), arrow_integers(users, 5, NULL),
                                       arrow_field("i", "u"), arrow_texts("u", items, 5, NULL),
                                       arrow_floats(values, 5, NULL)),
                            "u", "i", "v"),
               PQF_EINVAL);
  CHECK_WORDS("is not text in UTF-8");
}

/* Random cells in batches of odd lengths against the formula they were made by. */
static void long_batches_are_put_together(void)
{
  enum { BATCHES = 9, LINES = 997, ROWS = 211, COLS = 89 };
  struct ArrowSchema *fields[] = {arrow_field("u", "l"), arrow_dictionary_field("i", "s", "u"),
                                  arrow_field("v", "f")};
  struct ArrowArray *batches[BATCHES];
  int64_t cell_number = 0; /* of a walk that meets each cell once, in steps of 7919 */
  for (int batch = 0; batch < BATCHES; batch++) {
    int64_t users[LINES];
    int16_t places[LINES];
    float values[LINES];
    char names[COLS][8];
    const char *texts[COLS];
    for (int n = 0; n < COLS; n++) { /* each batch with a dictionary in another order */
      snprintf(names[n], sizeof names[n], "i%04d", (n + batch) % COLS);
      texts[n] = names[n];
    }
    for (int n = 0; n < LINES; n++) {
      const int64_t at = cell_number % (ROWS * COLS);
      users[n] = 10 * (at / COLS);
      places[n] = (int16_t)((at % COLS + COLS - batch % COLS) % COLS);
      values[n] = (float)at;
      cell_number += 7919;
    }
    struct ArrowArray *columns[] = {
        arrow_integers(users, LINES, NULL),
        arrow_encoded(arrow_values(places, 2, LINES, NULL), arrow_texts("u", texts, COLS, NULL)),
        arrow_floats(values, LINES, NULL)};
    batches[batch] = arrow_batch(3, columns);
  }
  struct ArrowArrayStream stream = arrow_stream(arrow_table_type(3, fields), BATCHES, batches);
  pqf_data *data;
  REQUIRE_OK(arrow_take(&data, &stream, "u", "i", "v", 0));
  CU_ASSERT_EQUAL(pqf_data_rows(data), ROWS);
  CU_ASSERT_EQUAL(pqf_data_cols(data), COLS);
  CU_ASSERT_EQUAL(pqf_data_count(data), BATCHES * LINES);
  int64_t faults = 0;
  for (int64_t row = 0; row < ROWS; row++) {
    faults += !is_number(data, PQF_ROWS, row, 10 * row);
    for (int64_t col = 0; col < COLS; col++) {
      const float value = cell(data, row, col);
      faults += !isnan(value) && value != (float)(row * COLS + col);
    }
  }
  CU_ASSERT_EQUAL(faults, 0);
  CU_ASSERT(is_text(data, PQF_COLS, 88, "i0088"));
  pqf_data_free(data);
}

static void complete_integers_need_no_ids(void)
{
  static const int64_t users[] = {2, 0, 1, 0};
  static const int64_t items[] = {1, 0, 3, 3};
  static const float values[] = {1, 2, 3, NAN};
  for (int nulls = 0; nulls <= 1; nulls++) {
    struct ArrowArrayStream stream =
        arrow_long(arrow_field("u", "l"), arrow_integers(users, 4, NULL), arrow_field("i", "l"),
                   arrow_integers(items, 4, NULL), arrow_floats(values, 4, nulls ? "0111" : NULL));
    pqf_data *data;
    REQUIRE_OK(arrow_take(&data, &stream, "u", "i", "v", 1));
    CU_ASSERT_PTR_NULL(data->ids[PQF_ROWS]);
    CU_ASSERT(is_number(data, PQF_COLS, 2, 3)); /* 2 is not there */
    CU_ASSERT_EQUAL(pqf_data_count(data), 3 - nulls);
    CU_ASSERT_EQUAL(cell(data, 0, 0), 2);
    CU_ASSERT_EQUAL(cell(data, 1, 2), 3);
    CU_ASSERT(isnan(cell(data, 0, 2)));
    CU_ASSERT(nulls ? isnan(cell(data, 2, 1)) : cell(data, 2, 1) == 1);
    pqf_data_free(data);
  }
}

/* ---- Allocations, and pyarrow ---------------------------------------------------------------- */

static int take_tables(void *payload)
{
  static const int64_t lengths[] = {2, 3, 70};
  static const float values[] = {1, 2, 3};
  static const int8_t places[] = {1, 0, 1};
  (void)payload;
  struct ArrowArrayStream stream = make_counted(lengths, 3, 3);
  pqf_data *data;
  int status = arrow_take(&data, &stream, NULL, NULL, NULL, 0);
  pqf_data_free(data);
  if (status != PQF_OK)
    return status;
  stream = arrow_with_ids(arrow_field("id", "u"), arrow_texts("u", words, 3, NULL));
  status = arrow_take(&data, &stream, "id", NULL, NULL, 0);
  pqf_data_free(data);
  if (status != PQF_OK)
    return status;
  stream = arrow_long(
      arrow_dictionary_field("u", "c", "u"),
      arrow_encoded(arrow_values(places, 1, 3, NULL), arrow_texts("u", words, 2, NULL)),
      arrow_field("i", "l"), arrow_integers(int64s, 3, NULL), arrow_floats(values, 3, NULL));
  status = arrow_take(&data, &stream, "u", "i", "v", 0);
  pqf_data_free(data);
  return status;
}

static void every_allocation_may_fail(void)
{
  test_every_allocation(take_tables, NULL);
}

static void pyarrow_tables_are_read(void)
{
  test_python("arrow_stream.py", "pyarrow");
}

/* As pqf_data_options says; a NaN that is left out joins nothing. */
static void long_lines_are_joined(void)
{
  static const int64_t users[] = {8, 7, 8, 8, 7};
  static const char *const items[] = {"b", "a", "b", "a", "a"};
  static const float values[] = {1, 2, 4, 8, NAN};
  static const float want[][2] = {{5, 2}, {4, 2}}; /* of (8, "b") and (7, "a") */
  pqf_data_options options = PQF_DATA_OPTIONS_INIT;
  options.nan_is_absent = 1;
  for (int n = 0; n < 2; n++) {
    struct ArrowArrayStream stream =
        arrow_long(arrow_field("u", "l"), arrow_integers(users, 5, NULL), arrow_field("i", "u"),
                   arrow_texts("u", items, 5, NULL), arrow_floats(values, 5, NULL));
    pqf_data *data;
    options.duplicates = n == 0 ? PQF_DUPLICATES_SUM : PQF_DUPLICATES_LAST;
    REQUIRE_OK(pqf_data_arrow(&data, &stream, "u", "i", "v", &options));
    CU_ASSERT_EQUAL(pqf_data_count(data), 3);
    CU_ASSERT_EQUAL(cell(data, 1, 1), want[n][0]);
    CU_ASSERT_EQUAL(cell(data, 0, 0), want[n][1]);
    CU_ASSERT_EQUAL(cell(data, 1, 0), 8);
    pqf_data_free(data);
  }
}

void suite_arrow(void)
{
  CU_pSuite suite = CU_add_suite("arrow", NULL, NULL);
  CU_add_test(suite, "every numeric type is read", every_type_is_read);
  CU_add_test(suite, "half floats are exact", halves_are_exact);
  CU_add_test(suite, "booleans are zeros and ones", booleans_are_zeros_and_ones);
  CU_add_test(suite, "batches are put together", batches_are_put_together);
  CU_add_test(suite, "offsets of batches count", offsets_of_batches_count);
  CU_add_test(suite, "names become ids", names_become_ids);
  CU_add_test(suite, "integers of every width are ids", integers_of_every_width_are_ids);
  CU_add_test(suite, "texts of every layout are ids", texts_of_every_layout_are_ids);
  CU_add_test(suite, "dictionaries are ids", dictionaries_are_ids);
  CU_add_test(suite, "ids in order are left out", ids_in_order_are_left_out);
  CU_add_test(suite, "long: ids are numbered in order", ids_are_numbered_in_order);
  CU_add_test(suite, "long: batches are put together", long_batches_are_put_together);
  CU_add_test(suite, "long: lines are joined", long_lines_are_joined);
  CU_add_test(suite, "long: complete integers need no ids", complete_integers_need_no_ids);
  CU_add_test(suite, "every allocation may fail", every_allocation_may_fail);
  CU_add_test(suite, "tables of pyarrow are read", pyarrow_tables_are_read);
}
