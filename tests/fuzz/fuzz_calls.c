/* Sequences of public calls: ../calls.h. PQF_FUZZ_TRACE=1 in the environment tells each step, for
 * one input. */
#include "calls.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static char folder[64] = "/dev/shm/pqf-fuzz-XXXXXX"; /* memory: a checkpoint is flushed */

static void remove_folder(void)
{
  rmdir(folder);
}

static void fail(const char *message)
{
  fprintf(stderr, "fuzz_calls: %s\n", message);
  calls_clear();
  remove_folder();
  abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  if (calls_folder == NULL) {
    calls_folder = mkdtemp(folder);
    calls_failed = fail;
    calls_trace = getenv("PQF_FUZZ_TRACE") != NULL;
    atexit(remove_folder);
    if (calls_folder == NULL)
      abort();
  }
  calls_run(bytes, size);
  return 0;
}
