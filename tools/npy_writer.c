/* Sheets as .npy, which has room for numbers alone: a wide one as a matrix, pairs as the vector of
 * their predictions. Ids are left out. */
#include "npy.h"
#include "writer.h"

#include "failure.h"

#include <stdlib.h>

typedef struct pqf_npy_writing {
  pqf_output *output;
  const pqf_sheet *sheet;
} pqf_npy_writing;

static int open_npy(void **state, pqf_output *output, const pqf_sheet *sheet)
{
  char head[PQF_NPY_HEAD];
  *state = NULL;
  pqf_npy_writing *writing = pqf_resize(NULL, 1, sizeof *writing);
  if (writing == NULL)
    return PQF_ENOMEM;
  *writing = (pqf_npy_writing){output, sheet};
  *state = writing;
  pqf_npy_write_head(head, sheet->rows, sheet->pairs ? -1 : sheet->value_columns);
  return pqf_output_write(output, head, sizeof head);
}

static int write_npy(void *state, const pqf_sheet_block *block)
{
  const pqf_npy_writing *writing = state;
  const size_t count = (size_t)(block->rows * writing->sheet->value_columns);
  return pqf_output_write(writing->output, block->values, count * sizeof *block->values);
}

static int finish_npy(void *state)
{
  (void)state;
  return PQF_OK;
}

static void close_npy(void *state)
{
  free(state);
}

const pqf_writer pqf_npy_writer = {open_npy, write_npy, finish_npy, close_npy};
