/* A shared object that exports something, but no entry. */
#include "pqf.h"

PQF_API int pqf_without_entry(void);

int pqf_without_entry(void)
{
  return PQF_OK;
}
