/* A table that comes as an Arrow stream of batches, and its two layouts. */
#ifndef PQF_SRC_ARROW_TABLE_H
#define PQF_SRC_ARROW_TABLE_H

#include "arrow_abi.h"
#include "pqf.h"

typedef struct pqf_arrow_table {
  struct ArrowArrayStream *stream; /* the caller's */
  struct ArrowSchema schema;       /* a checked struct type with n_children columns */
  struct ArrowArray batch;         /* the present batch; released: none */
  int64_t first_line;              /* of the present batch */
} pqf_arrow_table;

/* Goes to the next batch, releasing the one before. `*more` 0: there is none. */
int pqf_arrow_next(pqf_arrow_table *table, int *more);

/* The place of the column called `name`; PQF_EINVAL when there is none or more than one. */
int pqf_arrow_find(const pqf_arrow_table *table, const char *name, int64_t *out);

/* The two layouts of pqf_data_arrow(), for a table whose first batch is yet to come. `options` are
 * checked; `row` may be NULL in a wide table. */
int pqf_arrow_wide(pqf_data **out, pqf_arrow_table *table, const char *row,
                   const pqf_data_options *options);
int pqf_arrow_long(pqf_data **out, pqf_arrow_table *table, const char *row, const char *col,
                   const char *value, const pqf_data_options *options);

#endif
