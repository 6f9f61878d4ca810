/* Ids of a file and those of a model. */
#ifndef PQF_TOOLS_MATCH_H
#define PQF_TOOLS_MATCH_H

#include "table.h"

/* Finds an id whichever way it is written: a file's 7 may be a model's "7". PQF_ENOTFOUND: the
 * model has none. */
int pqf_match_id(const pqf_model *model, int32_t side, const pqf_id *id, int32_t *out);

/* What of a table a model does not know. */
typedef struct pqf_unknown {
  int64_t cells;
  int64_t ids[2]; /* PQF_ROWS, PQF_COLS */
} pqf_unknown;

/* Makes a table a list of cells that is numbered as the model is and of its shape. Cells with an id
 * that the model lacks are taken out and counted. A side without ids must be as long as the
 * model's: PQF_EINVAL. */
int pqf_match_table(pqf_table *table, const pqf_model *model, int nan_is_absent, const char *path,
                    pqf_unknown *unknown);

#endif
