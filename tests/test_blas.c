/* The BLAS that this process really runs with is the one that the build names: on Debian
 * libblas.so.3 is an alternative, which may resolve to any of several. */
#include "suites.h"
#include "test.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int starts_with(const char *text, const char *start)
{
  return strncmp(text, start, strlen(start)) == 0;
}

/* Which BLAS the library of that path is; NULL: none. Debian's OpenBLAS and BLIS each have a
 * libblas.so.3 as well, in a folder of their name. */
static const char *blas_of_file(const char *path)
{
  const char *name = strrchr(path, '/');
  if (name == NULL)
    return NULL;
  const char *folder = name;
  while (folder > path && folder[-1] != '/')
    --folder;
  ++name;
  if (starts_with(name, "libopenblas"))
    return "openblas";
  if (starts_with(name, "libblis"))
    return "blis";
  if (!starts_with(name, "libblas.so") && !starts_with(name, "libcblas.so"))
    return NULL;
  if (starts_with(folder, "openblas"))
    return "openblas";
  return starts_with(folder, "blis") ? "blis" : "reference";
}

static void report_blas(const char *found, const char *path)
{
  char message[PATH_MAX + 128];
  snprintf(message, sizeof message, "built for BLAS=%s, runs with %s", TEST_BLAS, path);
  CU_assertImplementation(found != NULL && strcmp(found, TEST_BLAS) == 0, __LINE__, message,
                          __FILE__, "", CU_FALSE);
}

static void matrix_products_come_from_it(void)
{
  Dl_info info;
  char path[PATH_MAX];
  void *product = dlsym(RTLD_DEFAULT, "cblas_sgemm");
  CU_ASSERT_PTR_NOT_NULL_FATAL(product);
  CU_ASSERT_NOT_EQUAL_FATAL(dladdr(product, &info), 0);
  CU_ASSERT_PTR_NOT_NULL_FATAL(realpath(info.dli_fname, path));
  report_blas(blas_of_file(path), path);
}

static void no_other_is_loaded(void)
{
  char line[PATH_MAX + 128];
  int found = 0;
  FILE *maps = fopen("/proc/self/maps", "r");
  CU_ASSERT_PTR_NOT_NULL_FATAL(maps);
  while (fgets(line, sizeof line, maps) != NULL) {
    const char *path = strchr(line, '/');
    const char *blas = path != NULL ? blas_of_file(path) : NULL;
    if (blas == NULL)
      continue;
    line[strcspn(line, "\n")] = '\0';
    report_blas(blas, path);
    ++found;
  }
  fclose(maps);
  CU_ASSERT_TRUE(found > 0);
}

void suite_blas(void)
{
  CU_pSuite suite = CU_add_suite("blas", NULL, NULL);
  CU_add_test(suite, "matrix products come from the BLAS of the build",
              matrix_products_come_from_it);
  CU_add_test(suite, "no other BLAS is loaded", no_other_is_loaded);
}
