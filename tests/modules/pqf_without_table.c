/* Its entry has nothing to return. */
#include "pqf_backend.h"

#include <stddef.h>

PQF_API const pqf_backend *pqf_backend_entry(void);

const pqf_backend *pqf_backend_entry(void)
{
  return NULL;
}
