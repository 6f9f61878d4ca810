/* Its probe says no. */
#include "plain.h"

static int unable_probe(const char *device, char *words, uint64_t capacity)
{
  (void)device;
  snprintf(words, capacity, "the machine has no abacus");
  return PQF_EBACKEND;
}

static pqf_backend table;

const pqf_backend *pqf_backend_entry(void)
{
  table = plain_backend;
  table.name = "unable";
  table.probe = unable_probe;
  return &table;
}
