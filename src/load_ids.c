/* The ids in a model file. Numbers: the I64 tensor row_ids [rows]. Texts: the U8 tensor row_ids,
 * all texts one behind the other, and the I64 tensor row_id_offsets [rows + 1]: text n is bytes
 * offset[n] to offset[n + 1]. For the columns likewise. */
#include "load.h"

#include "error.h"
#include "memory.h"

#include <inttypes.h>
#include <string.h>

typedef struct id_tensors {
  const char *name;
  const char *offset_name;
  pqf_tensor ids;
  pqf_tensor offsets;
} id_tensors;

static int check_vector(const pqf_loading *loading, const char *name, const pqf_tensor *tensor,
                        int64_t count)
{
  if (strcmp(tensor->type, "I64") != 0 || tensor->dimensions != 1 || tensor->shape[0] != count)
    return pqf_damaged(loading, "%s is %.16s of %" PRId64 ": must be I64 of %" PRId64, name,
                       tensor->type, tensor->shape[0], count);
  return PQF_OK;
}

/* The numbers of an I64 tensor where they lie, or a copy that is aligned: `owned`, the caller's. */
static int align_numbers(const pqf_tensor *tensor, const int64_t **out, int64_t **owned)
{
  *out = (const int64_t *)(const void *)tensor->values;
  if ((uintptr_t)tensor->values % _Alignof(int64_t) == 0)
    return PQF_OK;
  *owned = pqf_allocate(tensor->size, 1);
  *out = *owned;
  if (*owned == NULL)
    return PQF_ENOMEM;
  memcpy(*owned, tensor->values, (size_t)tensor->size);
  return PQF_OK;
}

static int check_offsets(const pqf_loading *loading, const id_tensors *side, const int64_t *offset,
                         int64_t count)
{
  if (offset[0] != 0 || offset[count] != side->ids.size)
    return pqf_damaged(loading, "%s run from %" PRId64 " to %" PRId64 ": must be 0 to %" PRId64,
                       side->offset_name, offset[0], offset[count], side->ids.size);
  for (int64_t n = 0; n < count; ++n)
    if (offset[n] > offset[n + 1])
      return pqf_damaged(loading, "%s descend after entry %" PRId64, side->offset_name, n);
  return PQF_OK;
}

/* The words of a failing pqf_ids_ call, for a file. */
static int refuse_ids(const pqf_loading *loading, const char *name, int status)
{
  return status == PQF_EINVAL ? pqf_damaged(loading, "%s: %.128s", name, pqf_error_message())
                              : status;
}

/* A tensor that is not aligned was copied for the moment, so the ids copy it once more. */
static int take_numbers(const pqf_loading *loading, const id_tensors *side, int64_t count,
                        pqf_ids **out)
{
  const int64_t *numbers;
  int64_t *owned = NULL;
  int status = check_vector(loading, side->name, &side->ids, count);
  if (status == PQF_OK)
    status = align_numbers(&side->ids, &numbers, &owned);
  if (status == PQF_OK)
    status = owned == NULL ? pqf_ids_borrow(out, numbers, NULL, NULL, count)
                           : pqf_ids_from_numbers(out, numbers, count);
  pqf_release(owned);
  return refuse_ids(loading, side->name, status);
}

static int take_texts(const pqf_loading *loading, const id_tensors *side, int64_t count,
                      pqf_ids **out)
{
  const int64_t *offset = NULL;
  int64_t *owned = NULL;
  if (side->ids.dimensions != 1)
    return pqf_damaged(loading, "%s has %d dimensions: must be 1", side->name,
                       side->ids.dimensions);
  int status = check_vector(loading, side->offset_name, &side->offsets, count + 1);
  if (status == PQF_OK)
    status = align_numbers(&side->offsets, &offset, &owned);
  if (status == PQF_OK)
    status = check_offsets(loading, side, offset, count);
  if (status == PQF_OK)
    status = owned == NULL ? pqf_ids_borrow(out, NULL, side->ids.values, offset, count)
                           : pqf_ids_from_bytes(out, side->ids.values, offset, count);
  pqf_release(owned);
  return refuse_ids(loading, side->name, status);
}

int pqf_ids_take(const pqf_loading *loading, int32_t side)
{
  pqf_fitted *fitted = &loading->model->fitted;
  const int64_t count = side == PQF_ROWS ? fitted->rows : fitted->cols;
  id_tensors tensors = {.name = side == PQF_ROWS ? "row_ids" : "col_ids",
                        .offset_name = side == PQF_ROWS ? "row_id_offsets" : "col_id_offsets"};
  int status = pqf_tensor_find(loading, tensors.name, &tensors.ids);
  if (status == PQF_OK)
    status = pqf_tensor_find(loading, tensors.offset_name, &tensors.offsets);
  if (status != PQF_OK)
    return status;
  const int texts = tensors.ids.present && strcmp(tensors.ids.type, "U8") == 0;
  if (texts != tensors.offsets.present)
    return pqf_damaged(loading, "%s %s %s", tensors.name,
                       texts ? "are texts, without" : "are no texts, but there are",
                       tensors.offset_name);
  if (texts)
    return take_texts(loading, &tensors, count, &fitted->ids[side]);
  return tensors.ids.present ? take_numbers(loading, &tensors, count, &fitted->ids[side]) : PQF_OK;
}
