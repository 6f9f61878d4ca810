/* One column of an Arrow table: its type, and the values of the present batch. */
#ifndef PQF_SRC_ARROW_COLUMN_H
#define PQF_SRC_ARROW_COLUMN_H

#include "arrow_abi.h"
#include "pqf.h"

/* A checked array. Value n lies at place first + n of the buffers. */
typedef struct pqf_arrow_values {
  char type; /* the letter of Arrow's format; 'v': "vu"; 0: a type that has no use here */
  int64_t first;
  int64_t length;
  const uint8_t *validity; /* NULL: no nulls */
  const void *const *buffers;
  int64_t buffer_count;
} pqf_arrow_values;

typedef struct pqf_arrow_column {
  const char *name;   /* of the schema; never NULL */
  const char *format; /* of the schema */
  int has_dictionary; /* `values` are places in `dictionary` */
  pqf_arrow_values values;
  pqf_arrow_values dictionary;
  int64_t first_line; /* of the batch, for words */
} pqf_arrow_column;

/* Takes the type from a checked schema, which must outlive the column. */
void pqf_arrow_column_open(pqf_arrow_column *column, const struct ArrowSchema *schema);

/* Whether the values are numbers (booleans too), in no dictionary. */
int pqf_arrow_is_numeric(const pqf_arrow_column *column);

/* The kind of ids that the values can be: PQF_IDS_NUMBERS, PQF_IDS_TEXTS, PQF_IDS_NONE. */
int32_t pqf_arrow_id_kind(const pqf_arrow_column *column);

/* Goes to the values of child `place` of a checked batch that begins at `first_line`. */
int pqf_arrow_bind(pqf_arrow_column *column, const struct ArrowArray *batch, int64_t place,
                   int64_t first_line);

/* The first null of the batch; -1: there is none. */
int64_t pqf_arrow_first_null(const pqf_arrow_column *column);

/* Values first .. first + count of a numeric column as floats, `stride` apart; nulls as NaN. A
 * number beyond the range of float is PQF_EINVAL. */
int pqf_arrow_floats(const pqf_arrow_column *column, int64_t first, int64_t count, float *out,
                     int64_t stride);

/* Value n of the batch as an id, valid as long as the batch; of a column with a dictionary its
 * place there, by pqf_arrow_dictionary_place(). A null is PQF_EINVAL. */
int pqf_arrow_id(const pqf_arrow_column *column, int64_t n, pqf_id *out);

/* Value n of a column with a dictionary: a place that is in the dictionary. */
int pqf_arrow_dictionary_place(const pqf_arrow_column *column, int64_t n, int64_t *out);

#endif
