/* SIGINT and SIGTERM while a command trains: the first one asks it to end, a second one of either
 * kind ends the process at once, whatever it is doing. Signals that were ignored (nohup) stay so.
 */
#ifndef PQF_TOOLS_INTERRUPT_H
#define PQF_TOOLS_INTERRUPT_H

#include <stdbool.h>

void pqf_interrupt_watch(void);

/* Gives the signals back. What came meanwhile is still told by the next two. */
void pqf_interrupt_end(void);

bool pqf_interrupted(void);

/* The exit code of a command that a signal ended: 130 after SIGINT, 143 after SIGTERM. */
int pqf_interrupt_code(void);

#endif
