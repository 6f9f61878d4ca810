/* The command and files that were made to do harm: ids that collide, more memory than there is,
 * control characters for the terminal; and command lines that would overwrite their own input. */
#include "test.h"

#include "shell.h"
#include "suites.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ids that agree in the low 40 bits of the hash that the command once had, which anybody could
 * compute: each search then passed all the others, 20 s for these. */
static void colliding_ids_cost_no_more(void)
{
  enum { IDS = 80000, LINE = 32 };
  char *text = test_allocate(IDS, LINE);
  size_t length = 0;
  for (uint64_t n = 0; n < IDS; ++n)
    length += (size_t)snprintf(text + length, LINE, "%" PRId64 ",%d,1\n",
                               (int64_t)(test_unmix(n << 40) - UINT64_C(0x9e3779b97f4a7c15)),
                               (int)(n % 5));
  shell_bytes("colliding.csv", text, length);
  free(text);
  EXPECT(0, "ulimit -t 6; $PQF fit $T/colliding.csv --output $T/m.pqf --epochs 1 --quiet");
}

void suite_command_hostile(void)
{
  CU_pSuite suite = CU_add_suite("the command and hostile files", NULL, NULL);
  CU_add_test(suite, "ids that collide on purpose cost no more", colliding_ids_cost_no_more);
}
