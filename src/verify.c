/* Whether a model file is as it was written: what takes a pass over all of it, and pqf_load() does
 * only when it is asked to. A fit that starts from the model and a save need to know: they would
 * hand damage on under a checksum that is right. */
#include "error.h"
#include "model.h"
#include "model_file.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static int check_sum(const pqf_source *source)
{
  char digits[PQF_CHECKSUM_DIGITS + 1] = {0};
  pqf_checksum sum;
  if (source->digits[0] == '\0')
    return PQF_OK; /* another writer's */
  pqf_checksum_start(&sum);
  pqf_checksum_add(&sum, source->data, source->data_size);
  pqf_checksum_digits(&sum, digits);
  if (strcmp(source->digits, digits) != 0)
    return pqf_fail(PQF_EFORMAT, "%s: its tensors are damaged: the checksum is %s, should be %s",
                    pqf_path_words(source->path), digits, source->digits);
  return PQF_OK;
}

static int check_finite(const pqf_source *source, const char *name, const float *values,
                        int64_t rows, int64_t factors)
{
  for (int64_t n = 0; values != NULL && n < rows * factors; ++n)
    if (!isfinite(values[n]))
      return pqf_fail(PQF_EFORMAT, "%s: %s is no finite number at row %" PRId64 ", factor %" PRId64,
                      pqf_path_words(source->path), name, n / factors, n % factors);
  return PQF_OK;
}

static int check_side(const pqf_fitted *fitted, int side)
{
  const pqf_source *source = &fitted->source;
  const pqf_checkpoint *checkpoint = &fitted->checkpoint;
  const int64_t size = side == PQF_ROWS ? fitted->rows : fitted->cols;
  const int64_t k = fitted->factors;
  int status = check_finite(source, pqf_factor_names[side],
                            side == PQF_ROWS ? fitted->p : fitted->q, size, k);
  if (status == PQF_OK)
    status = check_finite(source, pqf_bias_names[side], fitted->bias[side], size, 1);
  if (status == PQF_OK)
    status = check_finite(source, pqf_best_names[side], checkpoint->best[side], size, k);
  if (status == PQF_OK)
    status = check_finite(source, pqf_best_bias_names[side], checkpoint->best_bias[side], size, 1);
  if (status != PQF_OK)
    return status;
  status = pqf_ids_check(fitted->ids[side]);
  return status == PQF_EINVAL
             ? pqf_fail(PQF_EFORMAT, "%s: %s: %.128s", pqf_path_words(source->path),
                        side == PQF_ROWS ? "row_ids" : "col_ids", pqf_error_message())
             : status;
}

int pqf_source_verify(const pqf_fitted *fitted)
{
  if (fitted->source.mapping == NULL || fitted->source.is_verified)
    return PQF_OK;
  int status = check_sum(&fitted->source);
  for (int side = 0; side < 2 && status == PQF_OK; ++side)
    status = check_side(fitted, side);
  return status;
}
