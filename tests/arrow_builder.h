/* Arrow arrays and streams made by hand: whatever a producer may hand out, right or wrong. Each
 * buffer is an allocation of its own, exactly as long as the array needs, so that a sanitizer sees
 * a read beyond it. What a maker is given it takes over. Everything remembers what it owns, so a
 * test may change any member and nothing leaks. */
#ifndef PQF_TESTS_ARROW_BUILDER_H
#define PQF_TESTS_ARROW_BUILDER_H

#include "arrow_abi.h"
#include "pqf.h"

#include <stddef.h>
#include <stdint.h>

/* Schemas, arrays and streams that have not been released. */
extern int64_t arrow_live;

/* A field. */
struct ArrowSchema *arrow_field(const char *name, const char *format);

/* The same, dictionary-encoded: `format` is that of the places. */
struct ArrowSchema *arrow_dictionary_field(const char *name, const char *format,
                                           const char *value_format);

/* The type of a table: its fields. */
struct ArrowSchema *arrow_table_type(int64_t count, struct ArrowSchema *const *fields);

/* `count` values of `size` bytes each. `validity`: a character for each value, '0': null; NULL: no
 * bitmap. */
struct ArrowArray *arrow_values(const void *values, size_t size, int64_t count,
                                const char *validity);

struct ArrowArray *arrow_floats(const float *values, int64_t count, const char *validity);
struct ArrowArray *arrow_integers(const int64_t *values, int64_t count, const char *validity);

/* Bits from characters, '0' and '1'. */
struct ArrowArray *arrow_bits(const char *bits);

/* Texts of format "u", "U" or "vu". */
struct ArrowArray *arrow_texts(const char *format, const char *const *texts, int64_t count,
                               const char *validity);

/* Gives places a dictionary. */
struct ArrowArray *arrow_encoded(struct ArrowArray *places, struct ArrowArray *dictionary);

/* Leaves out what lies before `offset` and behind `offset + length`, by the array's numbers. */
struct ArrowArray *arrow_slice(struct ArrowArray *array, int64_t offset, int64_t length);

/* A batch of a table, as long as its first column. */
struct ArrowArray *arrow_batch(int64_t count, struct ArrowArray *const *columns);

/* A stream of `count` batches. */
struct ArrowArrayStream arrow_stream(struct ArrowSchema *type, int64_t count,
                                     struct ArrowArray *const *batches);

/* A stream of one batch. */
struct ArrowArrayStream arrow_one_batch(int64_t count, struct ArrowSchema *const *fields,
                                        struct ArrowArray *const *columns);

/* The same: a column of ids, and a column "x" with the values 1, 2, 3, ... */
struct ArrowArrayStream arrow_with_ids(struct ArrowSchema *field, struct ArrowArray *ids);

/* The same: a long table of users, items and values "v", with a column of dates in between. */
struct ArrowArrayStream arrow_long(struct ArrowSchema *user, struct ArrowArray *users,
                                   struct ArrowSchema *item, struct ArrowArray *items,
                                   struct ArrowArray *values);

/* pqf_data_arrow(), and checks of what holds for each call: all is released, and there is data just
 * when there is no error. */
int arrow_take(pqf_data **out, struct ArrowArrayStream *stream, const char *row, const char *col,
               const char *value, int nan_is_absent);

/* The same, for a stream that is to be refused. */
int arrow_refuse(struct ArrowArrayStream stream, const char *row, const char *col,
                 const char *value);

/* Makes the stream's call for the schema (-1) or for a batch fail. `words` NULL: without words. */
void arrow_fail_at(struct ArrowArrayStream *stream, int64_t call, int error, const char *words);

#endif
