/* Arrow streams that are refused: tables that do not fit, producers that fail, and streams that
 * break the rules of the C data interface. */
#include "suites.h"
#include "test.h"

#include "arrow_builder.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define COUNT(array) ((int64_t)(sizeof(array) / sizeof(array)[0]))

static const char *const words[] = {"one", "two", "a name of more than twelve bytes"};
static const int64_t numbers[] = {5, 6, 7};
static const float floats[] = {1, 2, 3};
static const int8_t places[] = {1, 0, 2};

/* ---- What is refused ------------------------------------------------------------------------- */

static void values_are_checked(void)
{
  static const int64_t users[] = {7, 8, 7};
  static const char *const items[] = {"a", "b", "a"};
  static const float values[] = {1, 2, 3};
  static const float nan[] = {1, 2, NAN};
  static const double beyond[] = {1, -1e39, 0};
  CHECK_STATUS(arrow_refuse(arrow_long(arrow_field("u", "l"), arrow_integers(users, 3, NULL),
                                       arrow_field("i", "u"), arrow_texts("u", items, 3, NULL),
                                       arrow_floats(values, 3, NULL)),
                            "u", "i", "v"),
               PQF_EINVAL);
  CHECK_WORDS("cell (7, \"a\") is given twice");
  CHECK_STATUS(arrow_refuse(arrow_long(arrow_field("u", "l"), arrow_integers(users, 3, NULL),
                                       arrow_field("i", "u"), arrow_texts("u", items, 3, NULL),
                                       arrow_floats(values, 3, "101")),
                            "u", "i", "v"),
               PQF_EINVAL);
  CHECK_WORDS("column \"v\", line 1 (from 0): the value is null");
  CHECK_STATUS(arrow_refuse(arrow_long(arrow_field("u", "l"), arrow_integers(users, 3, NULL),
                                       arrow_field("i", "u"), arrow_texts("u", items, 3, NULL),
                                       arrow_floats(nan, 3, NULL)),
                            "u", "i", "v"),
               PQF_EINVAL);
  CHECK_WORDS("entry 2: value of cell (7, \"a\") is NaN");
  struct ArrowSchema *field = arrow_field("x", "g");
  struct ArrowArray *column = arrow_values(beyond, 8, 3, NULL);
  CHECK_STATUS(arrow_refuse(arrow_one_batch(1, &field, &column), NULL, NULL, NULL), PQF_EINVAL);
  CHECK_WORDS("column \"x\", line 1 (from 0): -1e+39 is beyond the range of float");
  field = arrow_field("x", "f");
  column = arrow_floats(nan, 3, NULL);
  CHECK_STATUS(arrow_refuse(arrow_one_batch(1, &field, &column), NULL, NULL, NULL), PQF_EINVAL);
  CHECK_WORDS("value at row 2, column \"x\" is NaN");
  field = arrow_field("x", "f");
  column = arrow_floats(values, 3, "110");
  CHECK_STATUS(arrow_refuse(arrow_one_batch(1, &field, &column), NULL, NULL, NULL), PQF_EINVAL);
  CHECK_WORDS("column \"x\", line 2 (from 0): the value is null");
}

static void null_ids_are_refused(void)
{
  static const int64_t ids[] = {4, 5};
  CHECK_STATUS(arrow_refuse(arrow_with_ids(arrow_field("id", "l"), arrow_integers(ids, 2, "10")),
                            "id", NULL, NULL),
               PQF_EINVAL);
  CHECK_WORDS("column \"id\", line 1 (from 0): the id is null");
  CHECK_STATUS(arrow_refuse(arrow_with_ids(arrow_dictionary_field("id", "c", "u"),
                                           arrow_encoded(arrow_values(places, 1, 2, "01"),
                                                         arrow_texts("u", words, 2, NULL))),
                            "id", NULL, NULL),
               PQF_EINVAL);
  CHECK_WORDS("line 0 (from 0): the id is null");
  CHECK_STATUS(arrow_refuse(arrow_with_ids(arrow_dictionary_field("id", "c", "u"),
                                           arrow_encoded(arrow_values(places, 1, 2, NULL),
                                                         arrow_texts("u", words, 2, "10"))),
                            "id", NULL, NULL),
               PQF_EINVAL);
  CHECK_WORDS("dictionary entry 1 (from 0): the id is null");
}

static void ids_given_twice_are_refused(void)
{
  static const int64_t ids[] = {4, 5, 4};
  struct ArrowSchema *fields[] = {arrow_field("same", "f"), arrow_field("same", "f")};
  struct ArrowArray *columns[] = {arrow_floats(floats, 1, NULL), arrow_floats(floats, 1, NULL)};
  CHECK_STATUS(arrow_refuse(arrow_one_batch(2, fields, columns), NULL, NULL, NULL), PQF_EINVAL);
  CHECK_WORDS("id \"same\" is given twice");
  CHECK_STATUS(arrow_refuse(arrow_with_ids(arrow_field("id", "l"), arrow_integers(ids, 3, NULL)),
                            "id", NULL, NULL),
               PQF_EINVAL);
  CHECK_WORDS("id 4 is given twice");
}

/* A long table that is right but for the formats of its columns. */
static int refuse_formats(const char *user, const char *item, const char *value)
{
  static const float values[] = {1, 2};
  struct ArrowSchema *fields[] = {arrow_field("u", user), arrow_field("i", item),
                                  arrow_field("v", value)};
  struct ArrowArray *columns[] = {arrow_integers(numbers, 2, NULL),
                                  arrow_integers(numbers, 2, NULL), arrow_floats(values, 2, NULL)};
  return arrow_refuse(arrow_one_batch(3, fields, columns), "u", "i", "v");
}

static void wrong_kinds_of_columns_are_named(void)
{
  CHECK_STATUS(refuse_formats("f", "l", "f"), PQF_EINVAL);
  CHECK_WORDS("column \"u\" is neither of integers nor of text (Arrow format \"f\")");
  CHECK_STATUS(refuse_formats("l", "tdD", "f"), PQF_EINVAL);
  CHECK_WORDS("column \"i\" is neither of integers nor of text (Arrow format \"tdD\")");
  CHECK_STATUS(refuse_formats("l", "l", "u"), PQF_EINVAL);
  CHECK_WORDS("column \"v\" is not numeric (Arrow format \"u\")");
  CHECK_STATUS(refuse_formats("l", "l", ""), PQF_EINVAL);
  CHECK_WORDS("column \"v\" is not numeric");
  CHECK_STATUS(
      arrow_refuse(arrow_with_ids(arrow_field("id", "u"), arrow_texts("u", words, 2, NULL)), NULL,
                   NULL, NULL),
      PQF_EINVAL);
  CHECK_WORDS("column \"id\" is not numeric (Arrow format \"u\")");
  CHECK_STATUS(arrow_refuse(arrow_with_ids(arrow_dictionary_field("id", "c", "f"),
                                           arrow_encoded(arrow_values(places, 1, 1, NULL),
                                                         arrow_floats(floats, 1, NULL))),
                            "id", NULL, NULL),
               PQF_EINVAL);
  CHECK_WORDS("column \"id\" is neither of integers nor of text");
  CHECK_STATUS(arrow_refuse(arrow_with_ids(arrow_dictionary_field("x2", "c", "f"),
                                           arrow_encoded(arrow_values(places, 1, 1, NULL),
                                                         arrow_floats(floats, 1, NULL))),
                            NULL, NULL, NULL),
               PQF_EINVAL);
  CHECK_WORDS("column \"x2\" is not numeric (Arrow format \"c\", with a dictionary)");
}

static struct ArrowArrayStream plain_table(void)
{
  return arrow_with_ids(arrow_field("id", "l"), arrow_integers(numbers, 3, NULL));
}

static void arguments_are_checked(void)
{
  struct ArrowArrayStream stream = plain_table();
  pqf_data *data = (pqf_data *)&stream;
  CHECK_STATUS(pqf_data_arrow(NULL, &stream, NULL, NULL, NULL, NULL), PQF_EINVAL);
  CHECK_WORDS("out is NULL");
  CU_ASSERT_EQUAL(arrow_live, 0);
  CHECK_STATUS(pqf_data_arrow(&data, &stream, NULL, NULL, NULL, NULL), PQF_EINVAL);
  CHECK_WORDS("released already");
  CU_ASSERT_PTR_NULL(data);
  data = (pqf_data *)&stream;
  CHECK_STATUS(pqf_data_arrow(&data, NULL, NULL, NULL, NULL, NULL), PQF_EINVAL);
  CHECK_WORDS("stream is NULL");
  CU_ASSERT_PTR_NULL(data);
  CHECK_STATUS(pqf_data_arrow(NULL, NULL, NULL, NULL, NULL, NULL), PQF_EINVAL);
  CHECK_STATUS(arrow_refuse(plain_table(), "id", "x", NULL), PQF_EINVAL);
  CHECK_WORDS("value is NULL");
  CHECK_STATUS(arrow_refuse(plain_table(), "id", NULL, "x"), PQF_EINVAL);
  CHECK_WORDS("col is NULL");
  CHECK_STATUS(arrow_refuse(plain_table(), NULL, "id", "x"), PQF_EINVAL);
  CHECK_WORDS("row is NULL");
  CHECK_STATUS(arrow_refuse(plain_table(), "user", NULL, NULL), PQF_EINVAL);
  CHECK_WORDS("there is no column \"user\"");
  CHECK_STATUS(arrow_refuse(plain_table(), "id", "item", "x"), PQF_EINVAL);
  CHECK_WORDS("there is no column \"item\"");
  stream = plain_table();
  pqf_data_options options = PQF_DATA_OPTIONS_INIT;
  options.nan_is_absent = 3;
  CHECK_STATUS(pqf_data_arrow(&data, &stream, "id", NULL, NULL, &options), PQF_EINVAL);
  CHECK_WORDS("nan_is_absent is 3");
  CU_ASSERT_EQUAL(arrow_live, 0);
}

static void empty_tables_are_refused(void)
{
  struct ArrowSchema *fields[] = {arrow_field("id", "l")};
  struct ArrowArray *columns[] = {arrow_integers(numbers, 1, NULL)};
  CHECK_STATUS(arrow_refuse(arrow_one_batch(1, fields, columns), "id", NULL, NULL), PQF_EINVAL);
  CHECK_WORDS("no numeric column");
  CHECK_STATUS(arrow_refuse(arrow_stream(arrow_table_type(0, NULL), 0, NULL), NULL, NULL, NULL),
               PQF_EINVAL);
  CHECK_WORDS("no numeric column");
  fields[0] = arrow_field("x", "f");
  CHECK_STATUS(arrow_refuse(arrow_stream(arrow_table_type(1, fields), 0, NULL), NULL, NULL, NULL),
               PQF_EINVAL);
  CHECK_WORDS("number of rows is 0");
  fields[0] = arrow_field("x", "l");
  columns[0] = arrow_integers(numbers, 0, NULL);
  CHECK_STATUS(arrow_refuse(arrow_one_batch(1, fields, columns), "x", "x", "x"), PQF_EINVAL);
  CHECK_WORDS("the table has no lines");
  struct ArrowSchema *same[] = {arrow_field("x", "f"), arrow_field("x", "l")};
  CHECK_STATUS(arrow_refuse(arrow_stream(arrow_table_type(2, same), 0, NULL), "x", NULL, NULL),
               PQF_EINVAL);
  CHECK_WORDS("there are two columns \"x\"");
}

static struct ArrowArrayStream three_batches(void)
{
  struct ArrowSchema *field = arrow_field("x", "f");
  struct ArrowArray *batches[3];
  for (int n = 0; n < 3; n++) {
    struct ArrowArray *column = arrow_floats(floats, 2, NULL);
    batches[n] = arrow_batch(1, &column);
  }
  return arrow_stream(arrow_table_type(1, &field), 3, batches);
}

static void errors_of_the_stream_are_told(void)
{
  for (int64_t call = -1; call <= 3; call++) {
    struct ArrowArrayStream stream = three_batches();
    arrow_fail_at(&stream, call, ENOSPC, call == 1 ? NULL : "the well ran dry");
    CHECK_STATUS(arrow_refuse(stream, NULL, NULL, NULL), PQF_EIO);
    CHECK_WORDS(call == -1 ? "get_schema failed with error 28" : "get_next failed with error 28");
    CHECK_WORDS(call == 1 ? "no words given" : "the well ran dry");
  }
  struct ArrowArrayStream stream = three_batches();
  arrow_fail_at(&stream, 1, EIO, "unheard");
  stream.get_last_error = NULL;
  CHECK_STATUS(arrow_refuse(stream, NULL, NULL, NULL), PQF_EIO);
  CHECK_WORDS("no words given");
}

/* ---- Rules that are broken
 * ----------------------------------------------------------------------- */

/* The columns of a right table, of which one number or pointer is then changed. */
enum { DICTIONARY, TEXT, LARGE, VIEW, NUMBER, VALUE, COLUMNS };

typedef void (*change)(struct ArrowSchema *type, struct ArrowArray *batch);

#define CHANGE(name, statement)                                                                    \
  static void name(struct ArrowSchema *type, struct ArrowArray *batch)                             \
  {                                                                                                \
    (void)type;                                                                                    \
    (void)batch;                                                                                   \
    statement;                                                                                     \
  }

#define COLUMN(place) batch->children[place]
#define OVERWRITE(place, buffer, ctype, at, number)                                                \
  (((ctype *)(uintptr_t)COLUMN(place)->buffers[buffer])[at] = (number))

CHANGE(nothing, (void)0)
CHANGE(format_missing, type->format = NULL)
CHANGE(format_other, type->format = "+l")
CHANGE(field_count_negative, type->n_children = -1)
CHANGE(field_count_large, type->n_children = INT64_MAX)
CHANGE(fields_missing, type->children = NULL)
CHANGE(field_missing, type->children[VALUE] = NULL)
CHANGE(field_format_missing, type->children[VALUE]->format = NULL)
CHANGE(batch_length_negative, batch->length = -1)
CHANGE(batch_length_large, batch->length = INT64_MAX)
CHANGE(batch_offset_negative, batch->offset = -1)
CHANGE(batch_offset_large, batch->offset = INT64_MAX)
CHANGE(batch_longer, batch->length = 4)
CHANGE(batch_shifted, batch->offset = 1)
CHANGE(batch_columns_few, batch->n_children = COLUMNS - 1)
CHANGE(batch_columns_missing, batch->children = NULL)
CHANGE(batch_buffers_many, batch->n_buffers = 2)
CHANGE(batch_buffers_missing, batch->buffers = NULL)
CHANGE(batch_null_line, {
  static const uint8_t bits = 5;
  batch->null_count = 1;
  batch->buffers[0] = &bits;
})
CHANGE(column_missing, COLUMN(NUMBER) = NULL)
CHANGE(column_released, COLUMN(NUMBER)->release = NULL)
CHANGE(length_negative, COLUMN(NUMBER)->length = -1)
CHANGE(length_short, COLUMN(NUMBER)->length = 2)
CHANGE(offset_negative, COLUMN(NUMBER)->offset = -1)
CHANGE(offset_overflows, COLUMN(NUMBER)->offset = INT64_MAX)
CHANGE(offset_large, COLUMN(NUMBER)->offset = INT64_MAX / 16)
CHANGE(nulls_negative, COLUMN(NUMBER)->null_count = -2)
CHANGE(nulls_many, COLUMN(VALUE)->null_count = 4)
CHANGE(nulls_without_bits, COLUMN(NUMBER)->null_count = 1)
CHANGE(buffers_few, COLUMN(NUMBER)->n_buffers = 1)
CHANGE(buffers_many, COLUMN(NUMBER)->n_buffers = 3)
CHANGE(buffers_missing, COLUMN(NUMBER)->buffers = NULL)
CHANGE(data_missing, COLUMN(NUMBER)->buffers[1] = NULL)
CHANGE(children_of_numbers, COLUMN(NUMBER)->n_children = 1)
CHANGE(text_buffers_few, COLUMN(TEXT)->n_buffers = 2)
CHANGE(text_offsets_missing, COLUMN(TEXT)->buffers[1] = NULL)
CHANGE(text_bytes_missing, COLUMN(TEXT)->buffers[2] = NULL)
CHANGE(text_begins_before, OVERWRITE(TEXT, 1, int32_t, 0, -4))
CHANGE(text_descends, OVERWRITE(TEXT, 1, int32_t, 2, 1))
CHANGE(large_begins_before, OVERWRITE(LARGE, 1, int64_t, 0, -4))
CHANGE(large_descends, OVERWRITE(LARGE, 1, int64_t, 3, 2))
CHANGE(large_is_vast, OVERWRITE(LARGE, 1, int64_t, 1, INT64_MAX))
CHANGE(view_buffers_few, COLUMN(VIEW)->n_buffers = 2)
CHANGE(view_sizes_missing, COLUMN(VIEW)->buffers[4] = NULL)
CHANGE(view_length_negative, OVERWRITE(VIEW, 1, int32_t, 0, -1))
CHANGE(view_length_large, OVERWRITE(VIEW, 1, int32_t, 8, INT32_MAX))
CHANGE(view_buffer_negative, OVERWRITE(VIEW, 1, int32_t, 10, -1))
CHANGE(view_buffer_large, OVERWRITE(VIEW, 1, int32_t, 10, 2))
CHANGE(view_place_negative, OVERWRITE(VIEW, 1, int32_t, 11, -1))
CHANGE(view_place_large, OVERWRITE(VIEW, 1, int32_t, 11, INT32_MAX))
CHANGE(view_bytes_missing, COLUMN(VIEW)->buffers[3] = NULL)
CHANGE(dictionary_missing, COLUMN(DICTIONARY)->dictionary = NULL)
CHANGE(dictionary_released, COLUMN(DICTIONARY)->dictionary->release = NULL)
CHANGE(dictionary_short, COLUMN(DICTIONARY)->dictionary->length = 2)
CHANGE(dictionary_negative, COLUMN(DICTIONARY)->dictionary->length = -1)
CHANGE(place_negative, OVERWRITE(DICTIONARY, 1, int8_t, 1, -1))

static const struct {
  change make;
  const char *ids; /* the column that is read as user ids */
  const char *words;
} damages[] = {
    {format_missing, "text", "the schema is missing"},
    {format_other, "text", "not a table but an array of format \"+l\""},
    {field_count_negative, "text", "the number of columns is -1"},
    {field_count_large, "text", "the number of columns is 9223372036854775807"},
    {fields_missing, "text", "the number of columns is 6"},
    {field_missing, "text", "the schema lacks column 5"},
    {field_format_missing, "text", "the schema lacks column 5"},
    {batch_length_negative, "text", "the length of a batch is -1"},
    {batch_length_large, "text", "column \"value\": the table is longer"},
    {batch_offset_negative, "text", "the offset of a batch is -1"},
    {batch_offset_large, "text", "the length of a batch is 3"},
    {batch_longer, "text", "the table is longer than this column's array of length 3"},
    {batch_shifted, "text", "the table is longer than this column's array of length 3"},
    {batch_columns_few, "text", "the number of a batch's columns is 5"},
    {batch_columns_missing, "text", "the number of a batch's columns is 6"},
    {batch_buffers_many, "text", "the number of a batch's buffers is 2"},
    {batch_buffers_missing, "text", "the number of a batch's buffers is 1"},
    {batch_null_line, "text", "a whole line is null: line (from 0) 1"},
    {column_missing, "text", "column \"number\": an array is missing"},
    {column_released, "text", "column \"number\": an array is missing"},
    {length_negative, "text", "column \"number\": the length of an array is -1"},
    {length_short, "text", "column \"number\": the table is longer"},
    {offset_negative, "text", "the offset of an array is -1"},
    {offset_overflows, "text", "cannot have the offset 9223372036854775807"},
    {offset_large, "text", "cannot have the offset 576460752303423487"},
    {nulls_negative, "text", "the null count of an array is -2"},
    {nulls_many, "text", "column \"value\": the null count of an array is 4"},
    {nulls_without_bits, "text", "no validity buffer but says that its nulls are 1"},
    {buffers_few, "text", "the number of an array's buffers is 1"},
    {buffers_many, "text", "the number of an array's buffers is 3"},
    {buffers_missing, "text", "an array has no buffers but says that there are 2"},
    {data_missing, "text", "an array has no data buffer but is of length 3"},
    {children_of_numbers, "text", "the number of an array's children is 1"},
    {text_buffers_few, "text", "column \"text\": the number of an array's buffers is 2"},
    {text_offsets_missing, "text", "an array has no data buffer but is of length 3"},
    {text_bytes_missing, "text", "an array without text has a text of length 3"},
    {text_begins_before, "text", "a text begins at offset -4"},
    {text_descends, "text", "offsets descend to 1"},
    {large_begins_before, "large", "a text begins at offset -4"},
    {large_descends, "large", "offsets descend to 2"},
    {view_buffers_few, "view", "the number of an array's buffers is 2"},
    {view_sizes_missing, "view", "no buffer of sizes; its buffers are 5"},
    {view_length_negative, "view", "the length of a text is -1"},
    {view_length_large, "view", "a text lies beyond its buffer, at 0"},
    {view_buffer_negative, "view", "a text lies in buffer -1"},
    {view_buffer_large, "view", "a text lies in buffer 2"},
    {view_place_negative, "view", "a text lies beyond its buffer, at -1"},
    {view_place_large, "view", "a text lies beyond its buffer, at 2147483647"},
    {view_bytes_missing, "view", "a text lies beyond its buffer, at 0"},
    {dictionary_missing, "dictionary", "an array has no dictionary"},
    {dictionary_released, "dictionary", "an array is missing"},
    {dictionary_short, "dictionary", "a value lies outside of its dictionary, at 2"},
    {dictionary_negative, "dictionary", "the length of an array is -1"},
    {place_negative, "dictionary", "a value lies outside of its dictionary, at -1"},
};

static struct ArrowArrayStream damaged(change make)
{
  struct ArrowSchema *fields[COLUMNS] = {arrow_dictionary_field("dictionary", "c", "u"),
                                         arrow_field("text", "u"),
                                         arrow_field("large", "U"),
                                         arrow_field("view", "vu"),
                                         arrow_field("number", "l"),
                                         arrow_field("value", "f")};
  struct ArrowArray *columns[COLUMNS] = {
      arrow_encoded(arrow_values(places, 1, 3, NULL), arrow_texts("u", words, 3, NULL)),
      arrow_texts("u", words, 3, NULL),
      arrow_texts("U", words, 3, NULL),
      arrow_texts("vu", words, 3, NULL),
      arrow_integers(numbers, 3, NULL),
      arrow_floats(floats, 3, "111")};
  struct ArrowSchema *type = arrow_table_type(COLUMNS, fields);
  struct ArrowArray *batch = arrow_batch(COLUMNS, columns);
  make(type, batch);
  return arrow_stream(type, 1, &batch);
}

static void right_tables_are_taken(void)
{
  static const char *const ids[] = {"dictionary", "text", "large", "view", "number"};
  for (int64_t n = 0; n < COUNT(ids); n++) {
    struct ArrowArrayStream stream = damaged(nothing);
    pqf_data *data;
    if (CHECK_OK(arrow_take(&data, &stream, ids[n], "number", "value", 0)))
      CU_ASSERT_EQUAL(pqf_data_count(data), 3);
    pqf_data_free(data);
  }
}

static void broken_rules_are_told(void)
{
  for (int64_t n = 0; n < COUNT(damages); n++) {
    CHECK_STATUS(arrow_refuse(damaged(damages[n].make), damages[n].ids, "number", "value"),
                 PQF_EFORMAT);
    CHECK_WORDS(damages[n].words);
  }
  CHECK_STATUS(arrow_refuse(damaged(large_is_vast), "large", "number", "value"), PQF_EINVAL);
  CHECK_WORDS("column \"large\": an id has 9223372036854775807 bytes");
}

static void calls_may_be_missing(void)
{
  struct ArrowArrayStream stream = damaged(nothing);
  stream.get_next = NULL;
  CHECK_STATUS(arrow_refuse(stream, "text", "number", "value"), PQF_EFORMAT);
  CHECK_WORDS("a call of the interface is NULL");
  stream = damaged(nothing);
  stream.get_schema = NULL;
  CHECK_STATUS(arrow_refuse(stream, "text", "number", "value"), PQF_EFORMAT);
}

/* What says that it has no nulls is not asked for them, whatever its bitmap holds. */
CHANGE(no_nulls_by_count, {
  COLUMN(VALUE)->null_count = 0;
  OVERWRITE(VALUE, 0, uint8_t, 0, 0);
})
CHANGE(no_null_lines_by_count, {
  static const uint8_t bits = 0;
  batch->buffers[0] = &bits;
})
CHANGE(no_null_lines_by_bits, {
  static const uint8_t bits = 7;
  batch->null_count = -1;
  batch->buffers[0] = &bits;
})

static void counts_of_nulls_decide(void)
{
  static const change changes[] = {no_nulls_by_count, no_null_lines_by_count,
                                   no_null_lines_by_bits};
  for (int64_t n = 0; n < COUNT(changes); n++) {
    struct ArrowArrayStream stream = damaged(changes[n]);
    pqf_data *data;
    if (CHECK_OK(arrow_take(&data, &stream, "text", "number", "value", 0)))
      CU_ASSERT_EQUAL(pqf_data_count(data), 3);
    pqf_data_free(data);
  }
}

void suite_arrow_refused(void)
{
  CU_pSuite suite = CU_add_suite("arrow_refused", NULL, NULL);
  CU_add_test(suite, "values are checked", values_are_checked);
  CU_add_test(suite, "null ids are refused", null_ids_are_refused);
  CU_add_test(suite, "ids given twice are refused", ids_given_twice_are_refused);
  CU_add_test(suite, "wrong kinds of columns are named", wrong_kinds_of_columns_are_named);
  CU_add_test(suite, "arguments are checked", arguments_are_checked);
  CU_add_test(suite, "empty tables are refused", empty_tables_are_refused);
  CU_add_test(suite, "errors of the stream are told", errors_of_the_stream_are_told);
  CU_add_test(suite, "right tables are taken", right_tables_are_taken);
  CU_add_test(suite, "broken rules are told", broken_rules_are_told);
  CU_add_test(suite, "calls may be missing", calls_may_be_missing);
  CU_add_test(suite, "counts of nulls decide", counts_of_nulls_decide);
}
