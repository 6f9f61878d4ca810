/* A right module: it passes a fit and the contract's tests. */
#include "plain.h"

const pqf_backend *pqf_backend_entry(void)
{
  return &plain_backend;
}
