/* Made for another version of the contract. */
#include "plain.h"

static pqf_backend table;

const pqf_backend *pqf_backend_entry(void)
{
  table = plain_backend;
  table.abi = PQF_BACKEND_ABI + 1;
  return &table;
}
