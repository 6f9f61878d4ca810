/* Which back end the computing suites use, and the CUDA runtime on the CPU where it plays the GPU.
 */
#ifndef PQF_TESTS_DEVICE_H
#define PQF_TESTS_DEVICE_H

#include "cuda_on_cpu/control.h"
#include "pqf.h"

#include <CUnit/CUnit.h>

/* TEST_BACKEND of the environment, else "cpu"; and the folder of modules, TEST_MODULES, else that
 * of the modules made for tests. */
const char *test_backend(void);
const char *test_modules(void);
void test_use_backend(pqf_options *options);

/* Adds a suite that uses that back end. Where the CUDA runtime on the CPU plays the GPU, each test
 * starts with threads in the order that TEST_ORDER names (forward, reverse, random), and fails if
 * anything was done that a device would not forgive, or was not given back. */
CU_pSuite test_add_device_suite(const char *name);

/* What that runtime may be told; NULL: it is not there. */
const cuda_on_cpu_control *test_device(void);

/* What ends each test of such a suite, for those who look earlier. */
void test_check_device(void);

#endif
