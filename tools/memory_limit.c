/* A file of a few bytes may ask for any amount of memory: the size line of a Matrix Market file
 * does. A system that lends more than it has would then end this process, or another one. So
 * without
 * --memory-limit a command takes no more than
 *
 *     nine tenths of what is available: of the machine's memory, without swapping, and of the
 * limits of the control groups (version 2) that it runs in; a thousand times the size of its input,
 * or 4 GiB if that is more.
 *
 * The first keeps the machine up. The second tells a file that claims to be large from one that is.
 */
#include "memory_limit.h"

#include "failure.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 4096, FOLDER = LINE + 32, PATH = FOLDER + 32 };

static const uint64_t always_allowed = UINT64_C(4) << 30;
static const uint64_t times_of_input = 1000;

static bool is_given;
static uint64_t given;
static uint64_t input_bytes; /* UINT64_MAX: not known */

void pqf_memory_limit_set(uint64_t bytes)
{
  is_given = true;
  given = bytes;
}

void pqf_memory_limit_input(uint64_t bytes)
{
  if (__builtin_add_overflow(input_bytes, bytes, &input_bytes))
    input_bytes = UINT64_MAX;
}

/* The number behind `key` at the start of a line of a file; UINT64_MAX: there is none. A key of ""
 * is the first line; "max" is no number. */
static uint64_t read_number(const char *path, const char *key)
{
  char line[LINE];
  uint64_t number = UINT64_MAX;
  FILE *file = fopen(path, "re");
  if (file == NULL)
    return number;
  while (fgets(line, sizeof line, file) != NULL)
    if (strncmp(line, key, strlen(key)) == 0) {
      const char *digits = line + strlen(key);
      digits += strspn(digits, " \t");
      if (*digits >= '0' && *digits <= '9')
        number = strtoull(digits, NULL, 10);
      break;
    }
  (void)fclose(file);
  return number;
}

/* What a control group leaves; pages of files that nobody uses are given back when they are needed.
 */
static uint64_t group_leaves(const char *folder)
{
  char path[PATH];
  (void)snprintf(path, sizeof path, "%s/memory.max", folder);
  const uint64_t most = read_number(path, "");
  (void)snprintf(path, sizeof path, "%s/memory.current", folder);
  const uint64_t used = read_number(path, "");
  (void)snprintf(path, sizeof path, "%s/memory.stat", folder);
  const uint64_t idle = read_number(path, "inactive_file ");
  if (most == UINT64_MAX || used == UINT64_MAX)
    return UINT64_MAX;
  const uint64_t taken = idle != UINT64_MAX && idle < used ? used - idle : used;
  return taken < most ? most - taken : 0;
}

/* The least that the control group of this process and those around it leave. */
static uint64_t groups_leave(void)
{
  static const char root[] = "/sys/fs/cgroup";
  char line[LINE], folder[FOLDER];
  uint64_t least = UINT64_MAX;
  FILE *file = fopen("/proc/self/cgroup", "re");
  if (file == NULL)
    return least;
  bool found = false;
  while (!found && fgets(line, sizeof line, file) != NULL)
    found = strncmp(line, "0::/", 4) == 0;
  (void)fclose(file);
  if (!found)
    return least;
  line[strcspn(line, "\n")] = '\0';
  (void)snprintf(folder, sizeof folder, "%s%s", root, line + 3);
  while (strlen(folder) >= strlen(root)) {
    const uint64_t leaves = group_leaves(folder);
    least = leaves < least ? leaves : least;
    char *slash = strrchr(folder, '/');
    *slash = '\0';
  }
  return least;
}

/* UINT64_MAX: not known. */
static uint64_t available(void)
{
  const uint64_t machine = read_number("/proc/meminfo", "MemAvailable:");
  const uint64_t bytes = machine < UINT64_MAX / 1024 ? machine * 1024 : UINT64_MAX;
  const uint64_t groups = groups_leave();
  return groups < bytes ? groups : bytes;
}

uint64_t pqf_memory_limit(void)
{
  if (is_given)
    return given;
  const uint64_t there = available();
  uint64_t limit = there != UINT64_MAX ? there / 10 * 9 + 1 : UINT64_MAX;
  uint64_t fitting;
  if (__builtin_mul_overflow(input_bytes, times_of_input, &fitting))
    return limit != UINT64_MAX ? limit : 0;
  if (fitting < always_allowed)
    fitting = always_allowed;
  return fitting < limit ? fitting : limit;
}

static int refuse(const char *what, uint64_t bytes, uint64_t limit)
{
  return pqf_say(PQF_ENOMEM,
                 "%s would take %" PRIu64 " bytes, and %" PRIu64
                 " may be taken; --memory-limit N allows N, --memory-limit 0 any",
                 what, bytes, limit);
}

bool pqf_memory_may_grow(uint64_t bytes)
{
  const uint64_t small = 1 << 26;
  if (bytes < small)
    return true;
  const uint64_t limit = pqf_memory_limit();
  if (limit == 0 || bytes <= limit)
    return true;
  (void)refuse("what is read", bytes, limit);
  return false;
}

int pqf_memory_check_fit(const pqf_model *model, const pqf_data *train, const pqf_data *validation)
{
  pqf_memory memory = {.size = sizeof memory};
  const uint64_t limit = is_given ? 0 : pqf_memory_limit();
  if (limit == 0 || pqf_plan(model, train, validation, &memory) != PQF_OK ||
      memory.fit_bytes <= limit)
    return PQF_OK; /* a plan that fails is a fit that fails, with the same words */
  return refuse("the fit", memory.fit_bytes, limit);
}
