/* Random sequences of public calls, decoded from bytes, and what must hold after each of them. The
 * fuzz target fuzz_calls makes the bytes up; the suite `calls` replays its corpus.
 *
 * An input is a list of steps, each a byte that says what is done and bytes that say how, on a few
 * slots of data, models and files. Bytes that are missing read as zero. What must hold:
 * - a status is one of the documented ones; after a failure there is an error message and the
 * object that was to be created is NULL; a call that succeeds leaves the error message alone, or
 * empty;
 * - a call that fails leaves the model as it was: factors, biases, ids, history, options;
 * - a fit that ends well, and one that is cancelled, leave finite factors and losses; exact
 *   alternating least squares never raises the loss by more than rounding;
 * - one thread and three give the same bits;
 * - a model that is saved and loaded is the same, to the bit;
 * - a fit that is cancelled and resumed from its checkpoint ends with the bits of one that was not;
 * - a damaged file is refused. */
#ifndef PQF_TESTS_CALLS_H
#define PQF_TESTS_CALLS_H

#include <stddef.h>
#include <stdint.h>

/* A folder for the files of a sequence; set it before the first call. */
extern const char *calls_folder;

/* Called when something does not hold; does not return. */
extern void (*calls_failed)(const char *message);

/* 1: each step is told on standard error. */
extern int calls_trace;

/* Makes the calls that the bytes say. */
void calls_run(const uint8_t *bytes, size_t size);

/* Frees what is left of a sequence that failed. */
void calls_clear(void);

#endif
