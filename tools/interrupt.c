#include "interrupt.h"

#include <signal.h>
#include <stddef.h>

enum { SIGNALS = 2, OF_SHELLS = 128 };

static const int signals[SIGNALS] = {SIGINT, SIGTERM};
static struct sigaction before[SIGNALS];
static volatile sig_atomic_t received;

static void receive(int number)
{
  received = number;
}

void pqf_interrupt_watch(void)
{
  for (int n = 0; n < SIGNALS; ++n) {
    struct sigaction action = {.sa_handler = receive, .sa_flags = (int)SA_RESETHAND};
    (void)sigemptyset(&action.sa_mask);
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
