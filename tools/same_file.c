/* What files a command line may name. No command overwrites what it reads, nor one of its outputs
 * with another. Two paths are one file where device and inode agree, behind links of either kind;
 * paths that lead to nothing yet, where their symbolic links end in one folder at equal last names.
 * Devices are no files in this sense: /dev/null may be given twice.
 *
 * Which flags name files is said in the commands' tables. */
#include "same_file.h"

#include "failure.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_FILES = 16, WHAT = 32, MOST_LINKS = 40 /* that Linux follows, too */ };

typedef struct pqf_named_file {
  char what[WHAT]; /* as the user knows it: "INPUT", "--output" */
  const char *path;
  int use;      /* PQF_READ, PQF_WRITTEN */
  bool is_file; /* it exists, and is no device */
  bool loops;   /* its symbolic links do */
  dev_t device;
  ino_t inode;
} pqf_named_file;

typedef struct pqf_file_list {
  int count;
  pqf_named_file files[MOST_FILES];
} pqf_file_list;

static void add(pqf_file_list *list, const char *dashes, const char *name, const char *path,
                int use)
{
  struct stat info;
  if (path == NULL || *path == '\0' || list->count == MOST_FILES)
    return;
  pqf_named_file *file = &list->files[list->count++];
  *file = (pqf_named_file){.path = path, .use = use};
  (void)snprintf(file->what, sizeof file->what, "%s%s", dashes, name);
  const bool is_standard = use == PQF_WRITTEN && strcmp(path, "-") == 0;
  if ((is_standard ? fstat(STDOUT_FILENO, &info) : stat(path, &info)) != 0) {
    file->loops = errno == ELOOP;
    return;
  }
  if (S_ISCHR(info.st_mode))
    return;
  file->is_file = true;
  file->device = info.st_dev;
  file->inode = info.st_ino;
}

/* All files that a command line names. */
static void list_files(pqf_file_list *list, const pqf_arguments *arguments)
{
  const pqf_command *command = arguments->command;
  add(list, "", command->operand, arguments->operand, PQF_READ);
  add(list, "", command->second, arguments->second, PQF_READ);
  for (int n = 0; n < command->flag_count; ++n)
    if (command->flags[n].use != PQF_PLAIN)
      add(list, "--", command->flags[n].name, pqf_argument(arguments, command->flags[n].name),
          command->flags[n].use);
  if (pqf_option_given(arguments, "checkpoint"))
    add(list, "--", "checkpoint", arguments->options.checkpoint, PQF_WRITTEN);
}

/* Where the symbolic link at `path` leads, to be freed; NULL: it is no link, or want of memory. */
static char *read_link(const char *path)
{
  char target[PATH_MAX];
  const ssize_t length = readlink(path, target, sizeof target - 1);
  if (length <= 0)
    return NULL;
  target[length] = '\0';
  if (target[0] == '/')
    return strdup(target);
  char *copy = strdup(path);
  char *out = NULL;
  if (copy != NULL && asprintf(&out, "%s/%s", dirname(copy), target) < 0)
    out = NULL;
  free(copy);
  return out;
}

/* The path at which a chain of links ends that leads to nothing yet, to be freed. */
static char *end_of_links(const char *path)
{
  char *end = strdup(path);
  for (int n = 0; n < MOST_LINKS && end != NULL; ++n) {
    char *next = read_link(end);
    if (next == NULL)
      break;
    free(end);
    end = next;
  }
  return end;
}

/* Whether two files that are not there would be one once they are written. */
static bool same_place(const char *a, const char *b)
{
  struct stat folder[2];
  char *copies[4] = {strdup(a), strdup(b), strdup(a), strdup(b)};
  bool same = false;
  if (copies[0] != NULL && copies[1] != NULL && copies[2] != NULL && copies[3] != NULL)
    same = stat(dirname(copies[0]), &folder[0]) == 0 && stat(dirname(copies[1]), &folder[1]) == 0 &&
           folder[0].st_dev == folder[1].st_dev && folder[0].st_ino == folder[1].st_ino &&
           strcmp(basename(copies[2]), basename(copies[3])) == 0;
  for (int n = 0; n < 4; ++n)
    free(copies[n]);
  return same;
}

/* Paths that lead to nothing yet. */
static bool same_new_file(const char *a, const char *b)
{
  char *ends[2] = {end_of_links(a), end_of_links(b)};
  const bool same = ends[0] != NULL && ends[1] != NULL && same_place(ends[0], ends[1]);
  free(ends[0]);
  free(ends[1]);
  return same;
}

static bool same_file(const pqf_named_file *a, const pqf_named_file *b)
{
  if (a->is_file || b->is_file)
    return a->is_file && b->is_file && a->device == b->device && a->inode == b->inode;
  if (strcmp(a->path, "-") == 0 || strcmp(b->path, "-") == 0)
    return strcmp(a->path, b->path) == 0;
  return access(a->path, F_OK) != 0 && access(b->path, F_OK) != 0 &&
         same_new_file(a->path, b->path);
}

/* A model that goes on from itself is read before it is replaced, and as a whole; a checkpoint is
 * there to be replaced by the next. */
static bool may_be_same(const pqf_named_file *a, const pqf_named_file *b)
{
  static const char *const pairs[][2] = {{"--from", "--output"}, {"--resume", "--checkpoint"}};
  for (size_t n = 0; n < sizeof pairs / sizeof pairs[0]; ++n)
    if (strcmp(a->what, pairs[n][0]) == 0 && strcmp(b->what, pairs[n][1]) == 0)
      return true;
  return false;
}

/* Names that would fail only in the end, or mean something else than they seem to. */
static int check_names(const pqf_arguments *arguments)
{
  const pqf_command *command = arguments->command;
  for (int n = 0; n < command->flag_count; ++n) {
    const pqf_flag *flag = &command->flags[n];
    const char *path = flag->use != PQF_PLAIN ? pqf_argument(arguments, flag->name) : NULL;
    if (path != NULL && *path == '\0')
      return pqf_usage(arguments, "--%s needs the name of a file, not \"\"", flag->name);
    if (path != NULL && flag->use == PQF_WRITTEN && strcmp(flag->value, "MODEL") == 0 &&
        strcmp(path, "-") == 0)
      return pqf_usage(arguments,
                       "--%s -: a model cannot go to standard output; ./- is a file of that name",
                       flag->name);
  }
  return PQF_EXIT_DONE;
}

int pqf_arguments_check_files(const pqf_arguments *arguments)
{
  pqf_file_list list = {.count = 0};
  if (check_names(arguments) != PQF_EXIT_DONE)
    return PQF_EXIT_USAGE;
  list_files(&list, arguments);
  for (int n = 0; n < list.count; ++n)
    if (list.files[n].use == PQF_WRITTEN && list.files[n].loops)
      return pqf_usage(arguments, "%s %s is a symbolic link that loops: it leads to no file",
                       list.files[n].what, list.files[n].path);
  for (int n = 0; n < list.count; ++n)
    for (int other = 0; other < list.count; ++other) {
      const pqf_named_file *output = &list.files[n];
      const pqf_named_file *file = &list.files[other];
      if (output->use != PQF_WRITTEN || other == n || !same_file(file, output) ||
          may_be_same(file, output))
        continue;
      return pqf_usage(arguments, "%s %s is also %s%s%s: it would be overwritten", output->what,
                       output->path, file->what, strcmp(file->path, output->path) != 0 ? " " : "",
                       strcmp(file->path, output->path) != 0 ? file->path : "");
    }
  return PQF_EXIT_DONE;
}
