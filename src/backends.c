/* Finding a back end.
 *
 * The CPU's is linked in. Any other is a module: a shared object pqf_NAME.so or pqf_gpu_NAME.so in
 * the module folder, which is the option backend_path, else `pqf/` beside the loaded libpqf.so, and
 * for a program that holds the static library the folder that was set at compile time. The current
 * folder and the linker's search path are never searched. A module that others can replace is
 * refused before it is loaded: it would run with all rights of this process. It is also refused
 * when its ABI number differs; a table shorter than this library's is padded with NULL, which reads
 * as "not supported". A module once loaded stays mapped (RTLD_NODELETE): device runtimes do not
 * survive being unloaded.
 *
 * For a GPU the cheap questions come first: is there a driver (its library, by dlopen), a module,
 * of this ABI number, and a device that can be used. `auto` asks them only when the problem is
 * large enough to gain, and goes on with the CPU at the first no, as it does when the fit itself
 * fails on the GPU. */
#include "backends.h"

#include "error.h"
#include "memory.h"
#include "options.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef PQF_MODULE_DIR
#define PQF_MODULE_DIR "/usr/local/lib/pqf"
#endif

enum { NAME_SIZE = 32, WORDS_SIZE = 256 };

/* Modules that every installation knows of, best first, each with a system library that says
 * cheaply whether trying is worth while: the module itself may take seconds to load. */
static const struct known_module {
  const char *name;
  const char *requires;
  const char *without;
} known_modules[] = {{"cuda", "libcuda.so.1", "no NVIDIA driver (libcuda.so.1) on this machine"}};

enum { KNOWN_MODULES = sizeof known_modules / sizeof known_modules[0] };

/* An epoch takes about 4 cells x factors operations, at the least, and a fit tens or hundreds of
 * epochs. To load CUDA and cuBLAS takes a second or more; from 10^9 on a CPU of a hundred GFLOP/s
 * loses that in as many epochs, and below it the kernels of a GPU hardly fill it. */
int pqf_gpu_pays(int64_t factors, int64_t cells)
{
  const double least = 1e9;
  return (double)factors * (double)cells >= least;
}

/* `out` holds PATH_MAX bytes. The origin that the loader keeps is absolute and was found when the
 * library was loaded, so a later chdir does not move it. */
static void module_folder(char *out, const char *backend_path)
{
  Dl_info info;
  struct link_map *map = NULL;
  char origin[PATH_MAX];
  if (backend_path != NULL) {
    snprintf(out, PATH_MAX, "%s", backend_path);
  } else if (dladdr1((const void *)&known_modules, &info, (void **)&map, RTLD_DL_LINKMAP) != 0 &&
             map != NULL && strstr(map->l_name, "/libpqf.so") != NULL &&
             dlinfo(map, RTLD_DI_ORIGIN, origin) == 0) {
    snprintf(out, PATH_MAX, "%.*s/pqf", PATH_MAX - 8, origin);
  } else {
    snprintf(out, PATH_MAX, "%s", PQF_MODULE_DIR);
  }
}

static int is_module_name(const char *name, size_t length)
{
  for (size_t n = 0; n < length; n++)
    if (strchr("abcdefghijklmnopqrstuvwxyz0123456789_", name[n]) == NULL || name[n] == '\0')
      return 0;
  return length > 0 && length < NAME_SIZE;
}

/* Writes the path of a module to `out` (PATH_MAX bytes); PQF_EBACKEND when there is no file. */
static int find_module(char *out, const char *name, const char *backend_path)
{
  char folder[PATH_MAX];
  module_folder(folder, backend_path);
  if (folder[0] != '/')
    return pqf_fail(PQF_EBACKEND, "backend %s: the module folder '%.200s' is no absolute path",
                    name, folder);
  static const char *const prefixes[] = {"pqf_", "pqf_gpu_"};
  for (size_t n = 0; n < 2; n++) {
    const int length = snprintf(out, PATH_MAX, "%s/%s%s.so", folder, prefixes[n], name);
    if (length < PATH_MAX && access(out, F_OK) == 0)
      return PQF_OK;
  }
  return pqf_fail(PQF_EBACKEND, "backend %s: no module pqf_%s.so or pqf_gpu_%s.so in %.200s", name,
                  name, name, folder);
}

/* Refuses a file or folder that anybody but root and the effective user may change. An access list
 * shows as well: its mask stands in the bits of the group. */
static int check_owner(const char *path, const char *name)
{
  struct stat info;
  if (stat(path, &info) != 0)
    return pqf_fail(PQF_EBACKEND, "backend %s: %.160s: %s", name, path, strerror(errno));
  if (info.st_uid != 0 && info.st_uid != geteuid())
    return pqf_fail(PQF_EBACKEND,
                    "backend %s: %.160s belongs to user %ju, not to root or to this process's user",
                    name, path, (uintmax_t)info.st_uid);
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return pqf_fail(PQF_EBACKEND, "backend %s: %.160s can be written by %s (mode %04jo)", name,
                    path, (info.st_mode & S_IWOTH) != 0 ? "everybody" : "its group",
                    (uintmax_t)(info.st_mode & 07777));
  return PQF_OK;
}

/* Checks a module, its folder, and the folder that it was found in, which may hold a link. Writes
 * the path without links to `out` (PATH_MAX bytes): what is loaded is what was checked. The folders
 * come first, since nobody else can replace the file once they are known to be safe. What lies
 * above them is the administrator's, as it is for the library itself. */
static int check_module(char *out, const char *path, const char *name)
{
  char folder[PATH_MAX];
  if (realpath(path, out) == NULL)
    return pqf_fail(PQF_EBACKEND, "backend %s: %.160s: %s", name, path, strerror(errno));
  snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
  int status = check_owner(folder[0] != '\0' ? folder : "/", name);
  snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(out, '/') - out), out);
  if (status == PQF_OK)
    status = check_owner(folder[0] != '\0' ? folder : "/", name);
  return status == PQF_OK ? check_owner(out, name) : status;
}

static int load_module(pqf_backend *out, const char *name, const char *backend_path)
{
  for (size_t n = 0; n < KNOWN_MODULES; n++) {
    if (strcmp(known_modules[n].name, name) != 0)
      continue;
    void *required = dlopen(known_modules[n].requires, RTLD_LAZY | RTLD_LOCAL);
    if (required == NULL)
      return pqf_fail(PQF_EBACKEND, "backend %s: %s", name, known_modules[n].without);
    dlclose(required);
  }
  char found[PATH_MAX];
  char path[PATH_MAX];
  int status = find_module(found, name, backend_path);
  if (status == PQF_OK)
    status = check_module(path, found, name);
  if (status != PQF_OK)
    return status;
  void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (module == NULL)
    return pqf_fail(PQF_EBACKEND, "backend %s: %s", name, dlerror());
  union {
    void *object;
    pqf_backend_entry_function function;
  } entry = {.object = dlsym(module, PQF_BACKEND_ENTRY)};
  const pqf_backend *table = entry.object != NULL ? entry.function() : NULL;
  if (table == NULL)
    status = pqf_fail(PQF_EBACKEND, "backend %s: %s has no " PQF_BACKEND_ENTRY, name, path);
  else if (table->abi != PQF_BACKEND_ABI)
    status = pqf_fail(PQF_EBACKEND,
                      "backend %s: %s was made for version %" PRIu64
                      " of the back-end contract, this library has %d",
                      name, path, table->abi, PQF_BACKEND_ABI);
  else
    memcpy(out, table, table->size < sizeof *out ? table->size : sizeof *out);
  dlclose(module);
  return status;
}

/* Finds the table of one back end and asks it whether it can be used; `words` (WORDS_SIZE bytes)
 * then say on what, or why not. */
static int open_backend(pqf_backend *out, const char *name, const char *device,
                        const char *backend_path, char *words)
{
  memset(out, 0, sizeof *out);
  int status = PQF_OK;
  if (strcmp(name, pqf_cpu_backend()->name) == 0)
    *out = *pqf_cpu_backend();
  else
    status = load_module(out, name, backend_path);
  if (status != PQF_OK) {
    snprintf(words, WORDS_SIZE, "%s", pqf_error_message());
    return status;
  }
  words[0] = '\0';
  if (out->probe != NULL && out->probe(device, words, WORDS_SIZE) != PQF_OK)
    return pqf_fail(PQF_EBACKEND, "backend %s: %s", name, words);
  return PQF_OK;
}

int pqf_backend_choose(pqf_chosen *out, const char *name, const char *backend_path, int64_t factors,
                       int64_t cells)
{
  char words[WORDS_SIZE];
  out->device = "";
  out->is_guess = 0;
  if (name == NULL || strcmp(name, "auto") == 0) {
    for (size_t n = 0; n < KNOWN_MODULES && pqf_gpu_pays(factors, cells); n++)
      if (open_backend(&out->table, known_modules[n].name, "", backend_path, words) == PQF_OK) {
        out->is_guess = 1;
        return PQF_OK;
      }
    return open_backend(&out->table, pqf_cpu_backend()->name, "", backend_path, words);
  }
  const size_t length = strcspn(name, ":");
  if (!is_module_name(name, length))
    return pqf_fail(PQF_EBACKEND, "backend '%.64s': a name has lower-case letters, digits and _",
                    name);
  char plain[NAME_SIZE];
  snprintf(plain, sizeof plain, "%.*s", (int)length, name);
  if (name[length] == ':')
    out->device = name + length + 1;
  return open_backend(&out->table, plain, out->device, backend_path, words);
}

static int is_module_file(const struct dirent *entry)
{
  const char *name = entry->d_name;
  const size_t length = strlen(name);
  return length > 7 && strncmp(name, "pqf_", 4) == 0 && strcmp(name + length - 3, ".so") == 0 &&
         is_module_name(name + 4, length - 7);
}

/* The name that a module's file stands for: pqf_NAME.so or pqf_gpu_NAME.so. */
static void module_name(char *out, const char *file)
{
  const char *name = strncmp(file, "pqf_gpu_", 8) == 0 ? file + 8 : file + 4;
  snprintf(out, NAME_SIZE, "%.*s", (int)(strlen(name) - 3), name);
}

/* Whether this is the file that the name would be loaded from. */
static int is_first_choice(const char *folder, const char *name, const char *file)
{
  char path[PATH_MAX];
  if (strncmp(file, "pqf_gpu_", 8) != 0)
    return 1;
  const int length = snprintf(path, sizeof path, "%s/pqf_%s.so", folder, name);
  return length < PATH_MAX && access(path, F_OK) != 0;
}

static int is_known(const char *name)
{
  for (size_t n = 0; n < KNOWN_MODULES; n++)
    if (strcmp(known_modules[n].name, name) == 0)
      return 1;
  return strcmp(pqf_cpu_backend()->name, name) == 0;
}

/* Counts the back ends; writes the name of number `index` to `out` if there is one. */
static int32_t list_backends(const char *backend_path, int32_t index, char *out)
{
  int32_t count = 0;
  if (count++ == index)
    snprintf(out, NAME_SIZE, "%s", pqf_cpu_backend()->name);
  for (size_t n = 0; n < KNOWN_MODULES; n++)
    if (count++ == index)
      snprintf(out, NAME_SIZE, "%s", known_modules[n].name);

  char folder[PATH_MAX];
  module_folder(folder, backend_path);
  struct dirent **files = NULL;
  const int found = scandir(folder, &files, is_module_file, alphasort);
  for (int n = 0; n < found; n++) {
    char name[NAME_SIZE];
    module_name(name, files[n]->d_name);
    if (!is_known(name) && is_first_choice(folder, name, files[n]->d_name) && count++ == index)
      snprintf(out, NAME_SIZE, "%s", name);
    free(files[n]);
  }
  free(files);
  return count;
}

int32_t pqf_backend_count(const char *backend_path)
{
  return list_backends(backend_path, -1, NULL);
}

int pqf_backend_describe(const char *backend_path, int32_t index, pqf_backend_info *out)
{
  pqf_backend_info info = {.size = sizeof info};
  if (out == NULL)
    return pqf_fail(PQF_EINVAL, "out is NULL");
  const int32_t count = list_backends(backend_path, index, info.name);
  if (index < 0 || index >= count)
    return pqf_fail(PQF_EINVAL, "index is %" PRId32 ": there are %" PRId32 " back ends", index,
                    count);
  pqf_backend table;
  char said[PQF_ERROR_SIZE];
  pqf_error_keep(said);
  info.usable = open_backend(&table, info.name, "", backend_path, info.words) == PQF_OK;
  pqf_error_restore(said); /* why it cannot be used is what was asked for */
  return pqf_write_sized(out, sizeof info, sizeof info, &info, "pqf_backend_info");
}
