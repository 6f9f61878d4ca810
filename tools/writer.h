/* Sheets: what `pqf predict` and `pqf split` write. Columns of ids, then columns of floats, and one
 * of times where there is one. */
#ifndef PQF_TOOLS_WRITER_H
#define PQF_TOOLS_WRITER_H

#include "output.h"
#include "pqf.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pqf_sheet {
  int32_t id_columns;      /* 0 to 2 */
  const char *id_names[2]; /* "" for the index of a wide table */
  int32_t id_kinds[2];     /* PQF_IDS_NUMBERS or PQF_IDS_TEXTS */
  int64_t rows;
  int64_t value_columns;
  const pqf_id *value_names; /* one for each value column */
  const char *time_name;     /* NULL: no column of times */
  bool whole_times;          /* all of them are whole numbers, of 53 bits at most */
  bool header;               /* text formats: whether the names are written */
  bool pairs;                /* ids are no index of the values, but lead to them */
} pqf_sheet;

typedef struct pqf_sheet_block {
  int64_t rows;
  const pqf_id *ids[2]; /* rows of each id column */
  const float *values;  /* rows x value_columns */
  const double *times;  /* rows, where the sheet has times */
} pqf_sheet_block;

/* One format. Blocks follow each other from the first row to the last. */
typedef struct pqf_writer {
  /* `output` and `sheet` must outlive the state. */
  int (*open)(void **state, pqf_output *output, const pqf_sheet *sheet);
  int (*write)(void *state, const pqf_sheet_block *block);
  int (*finish)(void *state);
  /* Releases the state, finished or not; NULL is allowed. */
  void (*close)(void *state);
} pqf_writer;

extern const pqf_writer pqf_csv_writer;
extern const pqf_writer pqf_npy_writer;

/* The writer for a file's name; NULL: no such suffix, and the words say so. */
const pqf_writer *pqf_find_writer(const char *path);

/* Whether a name ends in a suffix, in any case. */
bool pqf_ends_in(const char *path, const char *suffix);

#ifdef __cplusplus
}
#endif

#endif
