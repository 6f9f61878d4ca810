/* The time left is that of all epochs at the speed so far: early stopping may end a fit sooner. */
#include "progress.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BAR = 24 };

void pqf_progress_start(pqf_progress *progress, const char *label, bool quiet)
{
  *progress =
      (pqf_progress){.label = label, .wanted = !quiet && isatty(STDERR_FILENO) == 1, .last = -1};
}

static void format_seconds(double seconds, char *out, size_t capacity)
{
  const long long whole = seconds < 1e9 ? (long long)(seconds + 0.5) : 1000000000;
  if (whole >= 3600)
    (void)snprintf(out, capacity, "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
  else
    (void)snprintf(out, capacity, "%lld:%02lld", whole / 60, whole % 60);
}

void pqf_progress_show(pqf_progress *progress, const pqf_epoch *epoch)
{
  const double between = 0.1;
  if (!progress->wanted || epoch->seconds - progress->last < between || epoch->epoch < 1)
    return;
  progress->last = epoch->seconds;
  progress->shown = true;
  char bar[BAR + 1], left[32], validation[48] = "";
  const double done = (double)epoch->epoch / (double)epoch->epochs;
  const int filled = (int)(done * BAR);
  memset(bar, '-', BAR);
  memset(bar, '#', filled < BAR ? (size_t)filled : BAR);
  bar[BAR] = '\0';
  format_seconds(epoch->seconds * (1 - done) / done, left, sizeof left);
  if (!isnan(epoch->validation_loss))
    (void)snprintf(validation, sizeof validation, ", validation %.5g", epoch->validation_loss);
  fprintf(stderr,
          "\r%s%s%3d%% [%s] loss %.6g%s, epoch %" PRId64 "/%" PRId64 ", at most %s left\033[K",
          progress->label, *progress->label != '\0' ? " " : "", (int)(done * 100), bar, epoch->loss,
          validation, epoch->epoch, epoch->epochs, left);
  (void)fflush(stderr);
}

void pqf_progress_clear(pqf_progress *progress)
{
  if (!progress->shown)
    return;
  fputs("\r\033[K", stderr);
  (void)fflush(stderr);
  progress->shown = false;
}
