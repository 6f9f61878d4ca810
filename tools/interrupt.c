#include "interrupt.h"

#include <signal.h>
#include <stddef.h>

enum { SIGNALS = 2, OF_SHELLS = 128 };

static const int signals[SIGNALS] = {SIGINT, SIGTERM};
static struct sigaction before[SIGNALS];
static volatile sig_atomic_t received;

/* The handler of the signal that came is gone by now (SA_RESETHAND), that of the other one is not:
 * raised again, a second signal does what it would have done without us, whichever it is. */
static void receive(int number)
{
  if (received != 0)
    (void)raise(number);
  else
    received = number;
}

void pqf_interrupt_watch(void)
{
  for (int n = 0; n < SIGNALS; ++n) {
    struct sigaction action = {.sa_handler = receive, .sa_flags = (int)SA_RESETHAND};
    (void)sigemptyset(&action.sa_mask);
    for (int other = 0; other < SIGNALS; ++other)
      (void)sigaddset(&action.sa_mask, signals[other]);
    (void)sigaction(signals[n], NULL, &before[n]);
    if (before[n].sa_handler != SIG_IGN)
      (void)sigaction(signals[n], &action, NULL);
  }
}

void pqf_interrupt_end(void)
{
  for (int n = 0; n < SIGNALS; ++n)
    (void)sigaction(signals[n], &before[n], NULL);
}

bool pqf_interrupted(void)
{
  return received != 0;
}

int pqf_interrupt_code(void)
{
  return OF_SHELLS + received;
}
