/* Fails in the middle: its third epoch does not come. */
#include "plain.h"

static int epochs;

static int failing_open(pqf_training **out, const pqf_host *host, const pqf_problem *problem)
{
  epochs = 0;
  return plain_open(out, host, problem);
}

static int failing_gd_epoch(pqf_training *training, double *loss)
{
  if (++epochs == 3)
    return training->host->fail(training->host, PQF_EBACKEND, "the abacus broke at epoch %d",
                                epochs);
  return plain_gd_epoch(training, loss);
}

static pqf_backend table;

const pqf_backend *pqf_backend_entry(void)
{
  table = plain_backend;
  table.name = "failing";
  table.open = failing_open;
  table.gd_epoch = failing_gd_epoch;
  return &table;
}
