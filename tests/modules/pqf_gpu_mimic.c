/* A right module of the other file name, whose devices are called 0 and 1. */
#include "plain.h"

static int mimic_probe(const char *device, char *words, uint64_t capacity)
{
  const int known = strcmp(device, "") == 0 || strcmp(device, "0") == 0 || strcmp(device, "1") == 0;
  snprintf(words, capacity, known ? "mimics device '%s'" : "there is no device '%s'", device);
  return known ? PQF_OK : PQF_EBACKEND;
}

static int mimic_open(pqf_training **out, const pqf_host *host, const pqf_problem *problem)
{
  if (strcmp(problem->device, "1") == 0)
    return host->fail(host, PQF_EBACKEND, "device %s is busy", problem->device);
  return plain_open(out, host, problem);
}

static pqf_backend table;

const pqf_backend *pqf_backend_entry(void)
{
  table = plain_backend;
  table.name = "mimic";
  table.probe = mimic_probe;
  table.open = mimic_open;
  return &table;
}
