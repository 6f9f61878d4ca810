/* A file is written under another name beside its target, flushed and renamed: a reader finds the
 * old file or the new one, and a full disk or a kill leaves nothing behind. The signals that end a
 * process first remove that file: its name is kept where their handler finds it. One output is
 * open at a time. */
#include "output.h"

#include "failure.h"
#include "pqf.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const int ending_signals[] = {SIGINT, SIGTERM, SIGHUP};

enum { ENDING_SIGNALS = sizeof ending_signals / sizeof ending_signals[0] };

static const char *volatile doomed; /* removed by the handler */

void pqf_output_abandon(void)
{
  const char *path = doomed;
  if (path != NULL)
    (void)unlink(path);
}

static void remove_and_end(int number)
{
  pqf_output_abandon();
  (void)raise(number); /* its default action: the handler was reset */
}

static void hold_signals(int how, sigset_t *before)
{
  sigset_t set;
  (void)sigemptyset(&set);
  for (int n = 0; n < ENDING_SIGNALS; ++n)
    (void)sigaddset(&set, ending_signals[n]);
  (void)sigprocmask(how, &set, before);
}

static void watch_signals(void)
{
  for (int n = 0; n < ENDING_SIGNALS; ++n) {
    struct sigaction action = {.sa_handler = remove_and_end, .sa_flags = (int)SA_RESETHAND};
    struct sigaction before;
    (void)sigemptyset(&action.sa_mask);
    if (sigaction(ending_signals[n], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
      (void)sigaction(ending_signals[n], &action, NULL);
  }
}

int pqf_output_fail(const pqf_output *output)
{
  const int code = errno;
  return pqf_say(PQF_EIO, "%s: %s", output->path, code != 0 ? strerror(code) : "cannot be written");
}

/* Owner, group and permissions of the file that is to be replaced. The owner first: to change it
 * may take away permissions. */
static int keep_attributes(const pqf_output *output, const struct stat *replaced)
{
  struct stat made;
  const char *what = "its owner and group could not be kept";
  int failed = fstat(output->file, &made);
  if (failed == 0 && (made.st_uid != replaced->st_uid || made.st_gid != replaced->st_gid))
    failed = fchown(output->file, replaced->st_uid, replaced->st_gid);
  if (failed == 0) {
    what = "its permissions could not be kept";
    failed = fchmod(output->file, replaced->st_mode & 07777);
  }
  return failed == 0 ? PQF_OK : pqf_say(PQF_EIO, "%s: %s: %s", output->path, what, strerror(errno));
}

/* Opens the temporary file with the attributes of the file that it replaces; NULL: with the mode
 * that creat() would give. */
static int open_temporary(pqf_output *output, const struct stat *replaced)
{
  const size_t room = strlen(output->target) + 16;
  output->temporary = pqf_resize(NULL, (int64_t)room, 1);
  if (output->temporary == NULL)
    return PQF_ENOMEM;
  (void)snprintf(output->temporary, room, "%s.XXXXXX", output->target);
  watch_signals();
  sigset_t before;
  hold_signals(SIG_BLOCK, &before);
  output->file = mkostemp(output->temporary, O_CLOEXEC);
  if (output->file >= 0)
    doomed = output->temporary;
  (void)sigprocmask(SIG_SETMASK, &before, NULL);
  if (output->file < 0)
    return pqf_output_fail(output);
  if (replaced != NULL)
    return keep_attributes(output, replaced);
  const mode_t mask = umask(0);
  (void)umask(mask);
  (void)fchmod(output->file, 0666 & ~mask);
  return PQF_OK;
}

int pqf_output_open(pqf_output *output, const char *path)
{
  struct stat info;
  *output = (pqf_output){.path = path, .file = -1};
  if (strcmp(path, "-") == 0) {
    output->path = "standard output";
    output->file = dup(STDOUT_FILENO);
    return output->file >= 0 ? PQF_OK : pqf_output_fail(output);
  }
  const int found = stat(path, &info);
  if (found == 0 && S_ISDIR(info.st_mode)) {
    errno = EISDIR;
    return pqf_output_fail(output);
  }
  if (found == 0 && !S_ISREG(info.st_mode)) {
    output->file = open(path, O_WRONLY | O_CLOEXEC);
    return output->file >= 0 ? PQF_OK : pqf_output_fail(output);
  }
  output->target = found == 0 ? realpath(path, NULL) : strdup(path);
  if (output->target == NULL)
    return pqf_output_fail(output);
  return open_temporary(output, found == 0 ? &info : NULL);
}

int pqf_output_check(const char *path)
{
  struct stat info;
  int status = PQF_OK;
  if (stat(path, &info) == 0) {
    if (!S_ISDIR(info.st_mode) && access(path, W_OK) == 0)
      return PQF_OK;
    return pqf_say(PQF_EIO, "%s: %s", path, strerror(S_ISDIR(info.st_mode) ? EISDIR : errno));
  }
  char *copy = strdup(path);
  if (copy == NULL)
    return pqf_say(PQF_ENOMEM, "%s: %s", path, strerror(ENOMEM));
  if (access(dirname(copy), W_OK | X_OK) != 0)
    status = pqf_say(PQF_EIO, "%s: %s", path, strerror(errno));
  free(copy);
  return status;
}

int pqf_output_write(pqf_output *output, const void *bytes, size_t count)
{
  const char *from = bytes;
  while (count > 0) {
    errno = 0;
    const ssize_t done = write(output->file, from, count);
    if (done < 0 && errno == EINTR)
      continue;
    if (done <= 0)
      return pqf_output_fail(output);
    from += done;
    count -= (size_t)done;
  }
  return PQF_OK;
}

int pqf_output_finish(pqf_output *output)
{
  errno = 0;
  if (output->target != NULL && fsync(output->file) != 0)
    return pqf_output_fail(output);
  const int file = output->file;
  output->file = -1;
  if (close(file) != 0)
    return pqf_output_fail(output);
  if (output->target != NULL) {
    sigset_t before;
    hold_signals(SIG_BLOCK, &before);
    const int renamed = rename(output->temporary, output->target);
    const int code = errno;
    if (renamed == 0)
      doomed = NULL;
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    errno = code;
    if (renamed != 0)
      return pqf_output_fail(output);
    free(output->temporary);
    output->temporary = NULL;
  }
  return PQF_OK;
}

void pqf_output_close(pqf_output *output)
{
  if (output->file >= 0)
    (void)close(output->file);
  if (output->temporary != NULL && doomed == output->temporary) {
    (void)unlink(output->temporary);
    doomed = NULL;
  }
  free(output->temporary);
  free(output->target);
  *output = (pqf_output){.file = -1};
}
