/* Cannot do the one step that gradient descent consists of. */
#include "plain.h"

static pqf_backend table;

const pqf_backend *pqf_backend_entry(void)
{
  table = plain_backend;
  table.name = "without_step";
  table.gd_epoch = NULL;
  return &table;
}
