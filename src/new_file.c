/* A file that takes another's place whole, or not at all: it is written in the same directory
 * without a name, flushed, given a temporary name and renamed. A reader, and a machine that loses
 * its power, find the old file or the new one. A process that is killed while it writes leaves
 * nothing behind, except between the last two system calls: a link cannot replace a file. Where the
 * file system has no files without names (O_TMPFILE), the file has its temporary name from the
 * start.
 *
 * A symbolic link is followed: its target is replaced and the link stays. A target that is there
 * but is no regular file (a device, a directory) is refused, since a rename would remove it. An
 * existing file's owner, group and permissions are kept, or it is not replaced; a new file gets
 * those that open() would give it. */
#include "new_file.h"

#include "error.h"
#include "memory.h"
#include "model_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  MOST_TRIES = 1000, /* names that are taken: by other threads, or left by killed processes */
  PROC_PATH = 32     /* bytes */
};

/* Finds out what is at the target's place; `found->st_mode` is 0 where there is nothing yet. */
static int look_at_target(pqf_new_file *file, const char *path, struct stat *found)
{
  char real[PATH_MAX];
  if (stat(path, found) != 0) {
    if (errno != ENOENT)
      return pqf_file_failed(path, "could not be written", errno);
    if (lstat(path, found) == 0)
      return pqf_fail(PQF_EIO, "%s: could not be written: a link to nothing", pqf_path_words(path));
    found->st_mode = 0;
    file->path = pqf_copy_text(path);
    return file->path != NULL ? PQF_OK : PQF_ENOMEM;
  }
  if (!S_ISREG(found->st_mode))
    return pqf_fail(PQF_EIO, "%s: could not be written: not a regular file", pqf_path_words(path));
  if (realpath(path, real) == NULL)
    return pqf_file_failed(path, "could not be written", errno);
  file->path = pqf_copy_text(real);
  return file->path != NULL ? PQF_OK : PQF_ENOMEM;
}

/* The length of the target's directory, with its slash; 0: the working directory. */
static size_t directory_length(const pqf_new_file *file)
{
  const char *slash = strrchr(file->path, '/');
  return slash != NULL ? (size_t)(slash - file->path) + 1 : 0;
}

/* Has `take` take the first temporary name that is free; it returns 0, or -1 with errno. */
static int take_name(pqf_new_file *file, int (*take)(pqf_new_file *file, const char *name))
{
  const size_t parent = directory_length(file);
  const size_t capacity = parent + 64;
  char *name = pqf_allocate((int64_t)capacity, 1);
  if (name == NULL)
    return PQF_ENOMEM;
  int taken = -1;
  memcpy(name, file->path, parent);
  for (int n = 0; n < MOST_TRIES; ++n) {
    snprintf(name + parent, capacity - parent, ".pqf-%ld-%d.tmp", (long)getpid(), n);
    taken = take(file, name);
    if (taken == 0 || errno != EEXIST)
      break;
  }
  if (taken != 0) {
    const int error = errno;
    pqf_release(name);
    return pqf_file_failed(file->path, "no file could be made beside it", error);
  }
  file->temporary = name;
  return PQF_OK;
}

static int create(pqf_new_file *file, const char *name)
{
  file->descriptor = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  return file->descriptor >= 0 ? 0 : -1;
}

/* How a file without a name is spoken of. */
static void descriptor_path(const pqf_new_file *file, char out[PROC_PATH])
{
  snprintf(out, PROC_PATH, "/proc/self/fd/%d", file->descriptor);
}

static int link_to(pqf_new_file *file, const char *name)
{
  char path[PROC_PATH];
  descriptor_path(file, path);
  return linkat(AT_FDCWD, path, AT_FDCWD, name, AT_SYMLINK_FOLLOW);
}

/* Leaves the descriptor at -1 where that cannot be done. */
static void create_without_name(pqf_new_file *file)
{
  char path[PROC_PATH];
  if (file->directory < 0)
    return;
  file->descriptor = openat(file->directory, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
  if (file->descriptor < 0)
    return;
  descriptor_path(file, path);
  if (access(path, F_OK) != 0) { /* no /proc: it could never be given a name */
    close(file->descriptor);
    file->descriptor = -1;
  }
}

static int open_directory(pqf_new_file *file)
{
  const size_t parent = directory_length(file);
  char *name = pqf_allocate((int64_t)parent + 2, 1);
  if (name == NULL)
    return PQF_ENOMEM;
  snprintf(name, parent + 2, "%.*s", (int)parent, parent > 0 ? file->path : "");
  file->directory = open(parent > 0 ? name : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  pqf_release(name);
  return PQF_OK;
}

/* The owner first: to change it may take away permissions. */
static int keep_attributes(const pqf_new_file *file, const struct stat *target)
{
  struct stat made;
  if (fstat(file->descriptor, &made) != 0 ||
      ((made.st_uid != target->st_uid || made.st_gid != target->st_gid) &&
       fchown(file->descriptor, target->st_uid, target->st_gid) != 0))
    return pqf_file_failed(file->path, "its owner and group could not be kept", errno);
  if (fchmod(file->descriptor, target->st_mode & 07777) != 0)
    return pqf_file_failed(file->path, "its permissions could not be kept", errno);
  return PQF_OK;
}

static int make_temporary(pqf_new_file *file, const struct stat *target)
{
  int status = open_directory(file);
  if (status != PQF_OK)
    return status;
  create_without_name(file);
  if (file->descriptor < 0)
    status = take_name(file, create);
  return status == PQF_OK && target->st_mode != 0 ? keep_attributes(file, target) : status;
}

int pqf_new_file_open(pqf_new_file *file, const char *path)
{
  *file = (pqf_new_file){.descriptor = -1, .directory = -1};
  struct stat target;
  int status = look_at_target(file, path, &target);
  if (status == PQF_OK)
    status = make_temporary(file, &target);
  if (status != PQF_OK)
    pqf_new_file_close(file);
  return status;
}

int pqf_new_file_write(const pqf_new_file *file, const void *bytes, size_t count)
{
  const char *at = bytes;
  while (count > 0) {
    const ssize_t written = write(file->descriptor, at, count);
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return pqf_file_failed(file->path, "could not be written", errno);
    at += written;
    count -= (size_t)written;
  }
  return PQF_OK;
}

/* On a file system without O_TMPFILE, such as NFS, closing may be what fails. */
static int close_named(pqf_new_file *file)
{
  const int descriptor = file->descriptor;
  file->descriptor = -1;
  return close(descriptor) == 0 ? PQF_OK
                                : pqf_file_failed(file->path, "could not be written", errno);
}

int pqf_new_file_finish(pqf_new_file *file)
{
  if (fsync(file->descriptor) != 0)
    return pqf_file_failed(file->path, "could not be flushed", errno);
  const int status = file->temporary == NULL ? take_name(file, link_to) : close_named(file);
  if (status != PQF_OK)
    return status;
  if (rename(file->temporary, file->path) != 0)
    return pqf_file_failed(file->path, "could not be replaced", errno);
  pqf_release(file->temporary);
  file->temporary = NULL;
  /* Some file systems cannot flush a directory: EINVAL. */
  if (file->directory >= 0 && fsync(file->directory) != 0 && errno != EINVAL)
    return pqf_file_failed(file->path, "written, but its directory could not be flushed", errno);
  return PQF_OK;
}

void pqf_new_file_close(pqf_new_file *file)
{
  if (file->descriptor >= 0)
    close(file->descriptor);
  if (file->directory >= 0)
    close(file->directory);
  if (file->temporary != NULL)
    unlink(file->temporary);
  pqf_release(file->temporary);
  pqf_release(file->path);
  *file = (pqf_new_file){.descriptor = -1, .directory = -1};
}
