/* See device.h. */
#include "device.h"

#include "test.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *test_backend(void)
{
  const char *name = getenv("TEST_BACKEND");
  return name != NULL ? name : "cpu";
}

const char *test_modules(void)
{
  const char *folder = getenv("TEST_MODULES");
  return folder != NULL ? folder : TEST_BUILD "/tests/modules";
}

void test_use_backend(pqf_options *options)
{
  options->backend = test_backend();
  options->backend_path = test_modules();
}

const cuda_on_cpu_control *test_device(void)
{
  void *library = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  union {
    void *object;
    cuda_on_cpu_control_function function;
  } entry = {NULL};
  if (library != NULL)
    entry.object = dlsym(library, CUDA_ON_CPU_CONTROL);
  return entry.object != NULL ? entry.function() : NULL;
}

static int32_t order_wanted(void)
{
  const char *name = getenv("TEST_ORDER");
  if (name != NULL && strcmp(name, "reverse") == 0)
    return CUDA_ON_CPU_REVERSE;
  if (name != NULL && strcmp(name, "random") == 0)
    return CUDA_ON_CPU_RANDOM;
  return CUDA_ON_CPU_FORWARD;
}

static void begin(void)
{
  const cuda_on_cpu_control *device = test_device();
  if (device == NULL)
    return;
  device->reset();
  device->set_order(order_wanted(), 1);
}

void test_check_device(void)
{
  const cuda_on_cpu_control *device = test_device();
  if (device == NULL)
    return;
  const char *words = device->report();
  const int64_t live = device->live();
  char line[5000];
  snprintf(line, sizeof line, "the device: %s", words);
  CU_assertImplementation(words[0] == '\0', __LINE__, line, __FILE__, "", CU_FALSE);
  snprintf(line, sizeof line, "%d things of the device were not given back", (int)live);
  CU_assertImplementation(live == 0, __LINE__, line, __FILE__, "", CU_FALSE);
}

CU_pSuite test_add_device_suite(const char *name)
{
  return CU_add_suite_with_setup_and_teardown(name, NULL, NULL, begin, test_check_device);
}
