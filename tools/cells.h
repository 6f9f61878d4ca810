/* Some of the cells of a table as a file: a long one, or Matrix Market. */
#ifndef PQF_TOOLS_CELLS_H
#define PQF_TOOLS_CELLS_H

#include "table.h"

/* Whether cells can be written to a file of this name; if not, the words say why. */
bool pqf_cells_writable(const char *path);

/* Writes those cells whose mark is `wanted`, in their order: row id, column id, value and the time
 * where there is one, under the names that the columns had. */
int pqf_write_cells(const pqf_table *table, const uint8_t *marks, uint8_t wanted, const char *path);

#endif
