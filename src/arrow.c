/* R from a table that comes as an Arrow C stream: the stream, its schema and its batches. What is
 * made of them is in arrow_wide.c and arrow_long.c.
 *
 * Batches are taken in one by one and released at once, so a stream that reads a file need never
 * hold the whole of it. Everything the producer says is checked before it is used; whoever produces
 * a broken stream gets PQF_EFORMAT and words. */
#include "arrow_table.h"
#include "data.h"
#include "error.h"

#include <inttypes.h>
#include <string.h>

static int refuse(const char *what, int64_t number)
{
  return pqf_fail(PQF_EFORMAT, "Arrow stream: %s %" PRId64, what, number);
}

/* The error that a call of the stream reports. */
static int failed(const pqf_arrow_table *table, const char *call, int number)
{
  const char *words = NULL;
  if (table->stream->get_last_error != NULL)
    words = table->stream->get_last_error(table->stream);
  return pqf_fail(PQF_EIO, "Arrow stream: %s failed with error %d: %.300s", call, number,
                  words != NULL ? words : "no words given");
}

static void release_batch(pqf_arrow_table *table)
{
  if (table->batch.release != NULL)
    table->batch.release(&table->batch);
  table->batch = (struct ArrowArray){0};
}

static int read_schema(pqf_arrow_table *table)
{
  struct ArrowSchema *schema = &table->schema;
  struct ArrowArrayStream *stream = table->stream;
  if (stream->get_schema == NULL || stream->get_next == NULL)
    return pqf_fail(PQF_EFORMAT, "Arrow stream: a call of the interface is NULL");
  const int number = stream->get_schema(stream, schema);
  if (number != 0) {
    *schema = (struct ArrowSchema){0}; /* of a failed call nothing is to be released */
    return failed(table, "get_schema", number);
  }
  if (schema->release == NULL || schema->format == NULL)
    return pqf_fail(PQF_EFORMAT, "Arrow stream: the schema is missing");
  if (strcmp(schema->format, "+s") != 0)
    return pqf_fail(PQF_EFORMAT, "Arrow stream: not a table but an array of format \"%.100s\"",
                    schema->format);
  if (schema->n_children < 0 || schema->n_children > INT32_MAX ||
      (schema->n_children > 0 && schema->children == NULL))
    return refuse("the number of columns is", schema->n_children);
  for (int64_t n = 0; n < schema->n_children; n++) {
    if (schema->children[n] == NULL || schema->children[n]->format == NULL)
      return refuse("the schema lacks column", n);
  }
  return PQF_OK;
}

/* A batch as a whole; its columns are checked when they are bound. */
static int check_batch(const pqf_arrow_table *table)
{
  const struct ArrowArray *batch = &table->batch;
  if (batch->length < 0)
    return refuse("the length of a batch is", batch->length);
  if (batch->offset < 0)
    return refuse("the offset of a batch is", batch->offset);
  if (batch->n_children != table->schema.n_children ||
      (batch->n_children > 0 && batch->children == NULL))
    return refuse("the number of a batch's columns is", batch->n_children);
  if (batch->n_buffers != 1 || batch->buffers == NULL)
    return refuse("the number of a batch's buffers is", batch->n_buffers);
  int64_t end;
  if (__builtin_add_overflow(batch->offset, batch->length, &end) ||
      __builtin_add_overflow(table->first_line, batch->length, &end))
    return refuse("the length of a batch is", batch->length);
  const uint8_t *validity = batch->null_count != 0 ? batch->buffers[0] : NULL;
  for (int64_t n = 0; validity != NULL && n < batch->length; n++) {
    const int64_t place = batch->offset + n;
    if ((validity[place >> 3] >> (place & 7) & 1) == 0)
      return refuse("a whole line is null: line (from 0)", table->first_line + n);
  }
  return PQF_OK;
}

int pqf_arrow_next(pqf_arrow_table *table, int *more)
{
  *more = 0;
  if (table->batch.release != NULL)
    table->first_line += table->batch.length;
  release_batch(table);
  const int number = table->stream->get_next(table->stream, &table->batch);
  if (number != 0) {
    table->batch = (struct ArrowArray){0};
    return failed(table, "get_next", number);
  }
  if (table->batch.release == NULL)
    return PQF_OK;
  *more = 1;
  return check_batch(table);
}

int pqf_arrow_find(const pqf_arrow_table *table, const char *name, int64_t *out)
{
  int64_t found = -1;
  for (int64_t n = 0; n < table->schema.n_children; n++) {
    const char *other = table->schema.children[n]->name;
    if (strcmp(other != NULL ? other : "", name) != 0)
      continue;
    if (found >= 0)
      return pqf_fail(PQF_EINVAL, "there are two columns \"%.100s\"", name);
    found = n;
  }
  if (found < 0)
    return pqf_fail(PQF_EINVAL, "there is no column \"%.100s\"", name);
  *out = found;
  return PQF_OK;
}

/* All but the release of the stream. */
static int take_table(pqf_data **out, pqf_arrow_table *table, const char *row, const char *col,
                      const char *value, const pqf_data_options *options)
{
  if (out == NULL)
    return pqf_fail(PQF_EINVAL, "out is NULL");
  *out = NULL;
  if ((col == NULL) != (value == NULL) || (col != NULL && row == NULL))
    return pqf_fail(PQF_EINVAL, "a long table needs the names of three columns; %s is NULL",
                    row == NULL ? "row" : (col == NULL ? "col" : "value"));
  pqf_data_options chosen;
  int status = pqf_data_options_read(&chosen, options);
  if (status == PQF_OK)
    status = read_schema(table);
  if (status != PQF_OK)
    return status;
  return col != NULL ? pqf_arrow_long(out, table, row, col, value, &chosen)
                     : pqf_arrow_wide(out, table, row, &chosen);
}

int pqf_data_arrow(pqf_data **out, struct ArrowArrayStream *stream, const char *row,
                   const char *col, const char *value, const pqf_data_options *options)
{
  if (stream == NULL || stream->release == NULL) {
    if (out != NULL)
      *out = NULL;
    return pqf_fail(PQF_EINVAL, "stream %s",
                    stream == NULL ? "is NULL" : "has been released already");
  }
  pqf_arrow_table table = {.stream = stream};
  const int status = take_table(out, &table, row, col, value, options);
  release_batch(&table);
  if (table.schema.release != NULL)
    table.schema.release(&table.schema);
  stream->release(stream);
  return status;
}
