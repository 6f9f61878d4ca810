/* A device whose memory is used up after one epoch. It has no loss of its own, which keeps it out
 * of the contract's suite. */
#include "plain.h"

static int epochs;

static int exhausted_open(pqf_training **out, const pqf_host *host, const pqf_problem *problem)
{
  epochs = 0;
  return plain_open(out, host, problem);
}

static int exhausted_gd_epoch(pqf_training *training, double *loss)
{
  *loss = 1;
  return ++epochs == 1 ? PQF_OK
                       : training->host->fail(training->host, PQF_ENOMEM,
                                              "the abacus has 10 beads of the 12 that it takes");
}

static pqf_backend table;

const pqf_backend *pqf_backend_entry(void)
{
  table = plain_backend;
  table.name = "exhausted";
  table.open = exhausted_open;
  table.gd_epoch = exhausted_gd_epoch;
  table.loss = NULL;
  return &table;
}
