/* How much memory a command may take. */
#ifndef PQF_TOOLS_MEMORY_LIMIT_H
#define PQF_TOOLS_MEMORY_LIMIT_H

#include "pqf.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Sets the limit that --memory-limit gives, 0: none. Without this call it is told from what is
 * available at each check, and from the size of the input. */
void pqf_memory_limit_set(uint64_t bytes);

/* Tells of a file that is read, UINT64_MAX for one of unknown size: what a command may take grows
 * with its input. */
void pqf_memory_limit_input(uint64_t bytes);

/* The limit as it stands, for pqf_data_options.memory_limit; 0: none. */
uint64_t pqf_memory_limit(void);

/* Whether an array of a file's may grow by `bytes`; small ones always may. If not, the words are
 * set. */
bool pqf_memory_may_grow(uint64_t bytes);

/* Refuses a fit that takes more than is available, by pqf_plan(); a limit that was given is the
 * library's to keep. */
int pqf_memory_check_fit(const pqf_model *model, const pqf_data *train, const pqf_data *validation);

#ifdef __cplusplus
}
#endif

#endif
