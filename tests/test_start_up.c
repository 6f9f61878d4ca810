/* Which back end `auto` takes: when a GPU is asked for, and that none of the ways in which one can
 * fail makes a fit fail. A driver is played by a file libcuda.so.1 on LD_LIBRARY_PATH, the CUDA
 * module by those of tests/modules. */
#include "backends.h"
#include "suites.h"
#include "test.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The smallest problem for which `auto` asks for a GPU. */
enum { ROWS = 1000, COLS = 1000, FACTORS = 1000, EPOCHS = 2 };

static const char modules[] = TEST_BUILD "/tests/modules";
static const char driver[] = "played_driver";

static void gpu_pays_for_large_problems(void)
{
  CU_ASSERT(!pqf_gpu_pays(1, 1));
  CU_ASSERT(!pqf_gpu_pays(64, 1000209)); /* MovieLens 1M */
  CU_ASSERT(pqf_gpu_pays(64, 20000263)); /* MovieLens 20M */
  CU_ASSERT(!pqf_gpu_pays(FACTORS, (int64_t)ROWS * COLS - 1));
  CU_ASSERT(pqf_gpu_pays(FACTORS, (int64_t)ROWS * COLS));
  CU_ASSERT(pqf_gpu_pays(2048, INT64_MAX));
}

static int has_driver(void)
{
  void *library = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  if (library != NULL)
    dlclose(library);
  return library != NULL;
}

/* What is said of cuda when its module is looked for in `folder`. */
static pqf_backend_info info_of_cuda(const char *folder)
{
  pqf_backend_info info = {.size = sizeof info};
  for (int32_t n = 0; n < pqf_backend_count(folder); ++n)
    if (CHECK_OK(pqf_backend_describe(folder, n, &info)) && strcmp(info.name, "cuda") == 0)
      break;
  CU_ASSERT_STRING_EQUAL(info.name, "cuda");
  return info;
}

static void missing_driver_is_named(void)
{
  if (has_driver())
    return;
  const pqf_backend_info info = info_of_cuda(modules);
  pqf_chosen chosen;
  CU_ASSERT_EQUAL(info.usable, 0);
  CU_ASSERT_PTR_NOT_NULL(strstr(info.words, "no NVIDIA driver"));
  CHECK_STATUS(pqf_backend_choose(&chosen, "cuda", modules, 1, 1), PQF_EBACKEND);
  CHECK_WORDS("no NVIDIA driver");
  CHECK_STATUS(pqf_backend_choose(&chosen, "cuda:1", modules, 1, 1), PQF_EBACKEND);
  CHECK_WORDS("no NVIDIA driver");
  CHECK_OK(pqf_backend_choose(&chosen, "auto", modules, 2048, INT64_MAX));
  CU_ASSERT_STRING_EQUAL(chosen.table.name, "cpu");
  CU_ASSERT_EQUAL(chosen.is_guess, 0);
}

/* Puts a module in the place of the CUDA one; the folder, until the next call. */
static const char *folder_with(const char *module)
{
  static char folder[512];
  char from[512];
  char to[600];
  snprintf(folder, sizeof folder, "%s", test_file(module));
  snprintf(from, sizeof from, "%s/pqf_%s.so", modules, module);
  snprintf(to, sizeof to, "%s/pqf_gpu_cuda.so", folder);
  CU_ASSERT_EQUAL(mkdir(folder, 0755), 0);
  CU_ASSERT_EQUAL(symlink(from, to), 0);
  return folder;
}

/* The fit of a large problem; the caller frees the model. */
static int fit(pqf_model **out, const pqf_data *data, const char *backend, const char *folder)
{
  pqf_options options = PQF_OPTIONS_INIT;
  options.backend = backend;
  options.backend_path = folder;
  options.factors = FACTORS;
  options.epochs = EPOCHS;
  options.init_scale = 0.01;
  options.learning_rate = 1e-5;
  options.threads = 2;
  const int status = pqf_create(out, &options);
  return status == PQF_OK ? pqf_fit(*out, data, NULL) : status;
}

/* What the CPU takes over has its bits and its history. */
static void check_cpu_takes_over(const pqf_data *data, const pqf_model *by_cpu, const char *folder,
                                 const char *words)
{
  pqf_model *model = NULL;
  CHECK_STATUS(fit(&model, data, "cuda", folder) != PQF_OK, 1);
  CHECK_WORDS(words);
  pqf_free(model);
  CHECK_STATUS(pqf_multiply(-1, 0, 0, NULL, 0, NULL, 0, NULL, 0), PQF_EINVAL);
  if (CHECK_OK(fit(&model, data, "auto", folder))) {
    pqf_memory memory = {.size = sizeof memory};
    CHECK_OK(pqf_plan(model, data, NULL, &memory));
    (void)info_of_cuda(folder);
    CHECK_WORDS("rows is -1"); /* what went wrong with the GPU has left no error message */
    const size_t bytes = (size_t)COLS * FACTORS * sizeof(float);
    CU_ASSERT_EQUAL(memcmp(pqf_model_borrow_factors(model, PQF_COLS),
                           pqf_model_borrow_factors(by_cpu, PQF_COLS), bytes),
                    0);
    pqf_epoch last = {.size = sizeof last};
    CHECK_OK(pqf_model_history(model, EPOCHS - 1, &last));
    CHECK_STATUS(pqf_model_history(model, EPOCHS, &last), PQF_EINVAL); /* those of the CPU alone */
  }
  pqf_free(model);
}

static void cpu_takes_over(void)
{
  static const struct {
    const char *module;
    const char *words;
  } failures[] = {{"other_abi", "version 2"},
                  {"without_entry", PQF_BACKEND_ENTRY},
                  {"without_library", "libpqf_absent.so"},
                  {"unable", "the machine has no abacus"},
                  {"without_step", "gd_epoch"},
                  {"exhausted", "10 beads of the 12"}};
  pqf_data *data = NULL;
  pqf_model *by_cpu = NULL;
  float *values = test_normals(1, (int64_t)ROWS * COLS, 1);
  CHECK_OK(pqf_data_dense(&data, values, ROWS, COLS, COLS, NULL));
  CHECK_OK(fit(&by_cpu, data, "cpu", NULL));
  for (size_t n = 0; n < sizeof failures / sizeof failures[0]; ++n)
    check_cpu_takes_over(data, by_cpu, folder_with(failures[n].module), failures[n].words);
  const pqf_backend_info absent = info_of_cuda(test_directory());
  CU_ASSERT_EQUAL(absent.usable, 0);
  CU_ASSERT_PTR_NOT_NULL(strstr(absent.words, "no module"));
  const pqf_backend_info present = info_of_cuda(folder_with("plain"));
  CU_ASSERT_EQUAL(present.usable, 1);
  const char *shared = test_file("plain"); /* the same folder, now for anybody to write to */
  CU_ASSERT_EQUAL(chmod(shared, 0777), 0);
  check_cpu_takes_over(data, by_cpu, shared, "can be written by everybody");
  pqf_free(by_cpu);
  pqf_data_free(data);
  free(values);
}

/* Runs the test above in a process that finds a driver. */
static void failures_behind_a_driver(void)
{
  static const char name[] = "LD_LIBRARY_PATH";
  static const char *const suites[] = {"start_up", NULL};
  const char *before = getenv(name);
  char path[2048];
  char file[600];
  if (before != NULL && strstr(before, driver) != NULL) {
    cpu_takes_over();
    return;
  }
  snprintf(file, sizeof file, "%s/libcuda.so.1", test_file(driver));
  CU_ASSERT_EQUAL(mkdir(test_file(driver), 0755), 0);
  CU_ASSERT_EQUAL(symlink(TEST_BUILD "/tests/modules/pqf_plain.so", file), 0);
  snprintf(path, sizeof path, "%s%s%s", test_file(driver), before != NULL ? ":" : "",
           before != NULL ? before : "");
  CU_ASSERT_EQUAL(test_run_again(name, path, suites), 0);
}

void suite_start_up(void)
{
  CU_pSuite suite = CU_add_suite("start_up", NULL, NULL);
  CU_add_test(suite, "when a GPU pays", gpu_pays_for_large_problems);
  CU_add_test(suite, "no driver", missing_driver_is_named);
  CU_add_test(suite, "failures behind a driver", failures_behind_a_driver);
}
