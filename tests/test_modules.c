/* Back ends that are loaded on demand: the shared objects of tests/modules, right ones and wrong
 * ones, and the rules about where modules come from. */
#include "cases.h"
#include "pqf_backend.h"
#include "suites.h"
#include "test.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DENSE = 0, OBSERVED_WEIGHTED = 8 }; /* of case_kinds */

static const char folder[] = TEST_BUILD "/tests/modules";

static const case_shape shape = {12, 9};

/* The result of a fit by a back end, with its model; free that. */
static int fit_with(pqf_model **out, const test_case *test, const pqf_options *options,
                    const pqf_data *validation)
{
  int status = pqf_create(out, options);
  if (status == PQF_OK)
    status = pqf_model_set_initial(*out, test->truth.rows, test->truth.cols, test->p, test->q);
  return status == PQF_OK ? pqf_fit(*out, test->data, validation) : status;
}

static pqf_options options_for(const test_case *test, const char *backend)
{
  pqf_options options = case_options(test);
  options.backend = backend;
  options.backend_path = folder;
  options.epochs = 5;
  return options;
}

/* Expects that back end `name` is refused, with these words. */
static void check_refused(const char *name, const char *path, int expected, const char *words)
{
  test_case test;
  pqf_model *model = NULL;
  case_create(&test, &case_kinds[DENSE], shape, 3, 1, 41);
  pqf_options options = options_for(&test, name);
  options.backend_path = path;
  CHECK_STATUS(fit_with(&model, &test, &options, NULL), expected);
  CHECK_WORDS(words);
  CU_ASSERT_EQUAL(pqf_model_rows(model), 0);
  pqf_free(model);
  case_free(&test);
}

/* The same fit on the CPU and by the module: float against double steps of a few epochs. */
static void check_fits_like_the_cpu(const char *name, const case_kind *kind)
{
  test_case test;
  pqf_model *by_cpu = NULL;
  pqf_model *by_module = NULL;
  case_create(&test, kind, shape, 3, 0.6, 42);
  pqf_options options = options_for(&test, "cpu");
  CHECK_OK(fit_with(&by_cpu, &test, &options, NULL));
  options.backend = name;
  if (CHECK_OK(fit_with(&by_module, &test, &options, NULL))) {
    for (int32_t side = 0; side < 2; ++side) {
      const float *want = pqf_model_borrow_factors(by_cpu, side);
      const float *got = pqf_model_borrow_factors(by_module, side);
      double worst = 0;
      for (int64_t n = 0; n < shape.cols * 3; ++n)
        worst = fmax(worst, fabs((double)got[n] - (double)want[n]));
      CHECK_AT_MOST(worst, 1e-4,
                    name); /* factors of about 1, five epochs of 6e-8 each, with room */
    }
  }
  pqf_free(by_cpu);
  pqf_free(by_module);
  case_free(&test);
}

static void right_modules_fit(void)
{
  check_fits_like_the_cpu("plain", &case_kinds[DENSE]);
  check_fits_like_the_cpu("plain", &case_kinds[OBSERVED_WEIGHTED]);
  check_fits_like_the_cpu("mimic", &case_kinds[DENSE]);
  check_fits_like_the_cpu("mimic:0", &case_kinds[DENSE]);
  check_fits_like_the_cpu("newer", &case_kinds[DENSE]);
}

static void device_is_the_modules_to_judge(void)
{
  check_refused("mimic:17", folder, PQF_EBACKEND, "there is no device '17'");
  check_refused("mimic:1", folder, PQF_EBACKEND, "device 1 is busy");
}

/* Its table ends before `validation_loss`: what does not need that, or a later step, works. */
static void shorter_table_works_as_far_as_it_goes(void)
{
  test_case test;
  pqf_model *model = NULL;
  check_fits_like_the_cpu("older", &case_kinds[DENSE]);
  case_create(&test, &case_kinds[DENSE], shape, 3, 1, 43);
  pqf_options options = options_for(&test, "older");
  CHECK_STATUS(fit_with(&model, &test, &options, test.data), PQF_ENOTSUP);
  CHECK_WORDS("older");
  CHECK_WORDS("validation_loss");
  pqf_free(model);
  options.keep_best = 1;
  CHECK_STATUS(fit_with(&model, &test, &options, NULL), PQF_ENOTSUP);
  CHECK_WORDS("loss");
  pqf_free(model);
  case_free(&test);
}

static void wrong_modules_are_refused(void)
{
  check_refused("other_abi", folder, PQF_EBACKEND, "version 2");
  check_refused("without_entry", folder, PQF_EBACKEND, PQF_BACKEND_ENTRY);
  check_refused("without_library", folder, PQF_EBACKEND, "libpqf_absent.so");
  check_refused("without_table", folder, PQF_EBACKEND, "without_table");
  check_refused("without_step", folder, PQF_ENOTSUP, "gd_epoch");
  check_refused("unable", folder, PQF_EBACKEND, "the machine has no abacus");
  check_refused("absent", folder, PQF_EBACKEND, "pqf_absent.so");
}

static void damaged_file_is_refused(void)
{
  FILE *file = fopen(test_file("pqf_damaged.so"), "w");
  CU_ASSERT_PTR_NOT_NULL_FATAL(file);
  fputs("no shared object\n", file);
  fclose(file);
  check_refused("damaged", test_directory(), PQF_EBACKEND, "pqf_damaged.so");
}

/* A copy of module plain in a new folder of test_directory(), both for this user alone. */
static void copy_module(const char *to_folder, char *file, size_t capacity)
{
  char command[2048];
  snprintf(file, capacity, "%s/pqf_plain.so", to_folder);
  snprintf(command, sizeof command,
           "mkdir -m 755 '%s' && cp '%s/pqf_plain.so' '%s' && chmod 755 '%s'", to_folder, folder,
           file, file);
  CU_ASSERT_EQUAL_FATAL(system(command), 0);
}

/* Expects that the module is refused, and listed as such, for as long as `path` has this mode. */
static void check_mode(const char *backend_path, const char *path, mode_t mode, const char *who)
{
  char words[600];
  pqf_backend_info info = {.size = sizeof info};
  snprintf(words, sizeof words, "%s can be written by %s (mode %04o)", path, who, (unsigned)mode);
  CU_ASSERT_EQUAL(chmod(path, mode), 0);
  check_refused("plain", backend_path, PQF_EBACKEND, words);
  for (int32_t n = pqf_backend_count(backend_path); n-- > 0 && strcmp(info.name, "plain") != 0;)
    CHECK_OK(pqf_backend_describe(backend_path, n, &info));
  CU_ASSERT_EQUAL(info.usable, 0);
  CU_ASSERT_PTR_NOT_NULL(strstr(info.words, words));
  CU_ASSERT_EQUAL(chmod(path, 0755), 0);
}

static void check_accepted(const char *backend_path)
{
  test_case test;
  pqf_model *model = NULL;
  case_create(&test, &case_kinds[DENSE], shape, 3, 1, 46);
  pqf_options options = options_for(&test, "plain");
  options.backend_path = backend_path;
  CHECK_OK(fit_with(&model, &test, &options, NULL));
  pqf_free(model);
  case_free(&test);
}

static void modules_of_others_are_refused(void)
{
  char own[512];
  char links[512];
  char link_to_folder[512];
  char file[600];
  char link_to_file[600];
  snprintf(own, sizeof own, "%s", test_file("own"));
  snprintf(links, sizeof links, "%s", test_file("links"));
  snprintf(link_to_folder, sizeof link_to_folder, "%s", test_file("link"));
  snprintf(link_to_file, sizeof link_to_file, "%s/pqf_plain.so", links);
  copy_module(own, file, sizeof file);
  CU_ASSERT_EQUAL(mkdir(links, 0755), 0);
  CU_ASSERT_EQUAL(symlink(file, link_to_file), 0);
  CU_ASSERT_EQUAL(symlink(own, link_to_folder), 0);
  const char *const folders[] = {own, links, link_to_folder};
  for (size_t n = 0; n < sizeof folders / sizeof folders[0]; ++n) {
    check_mode(folders[n], file, 0775, "its group");
    check_mode(folders[n], file, 0757, "everybody");
    check_accepted(folders[n]);
  }
  for (size_t n = 0; n < 2; ++n) {
    check_mode(folders[n], own, 0775, "its group");
    check_mode(folders[n], own, 01777, "everybody");
  }
  check_mode(link_to_folder, link_to_folder, 0775, "its group");
  check_mode(links, links, 0775, "its group");
  if (geteuid() == 0) {
    const char *const paths[] = {file, own};
    for (size_t n = 0; n < sizeof paths / sizeof paths[0]; ++n) {
      CU_ASSERT_EQUAL(chown(paths[n], 12345, (gid_t)-1), 0);
      check_refused("plain", own, PQF_EBACKEND, "belongs to user 12345");
      CU_ASSERT_EQUAL(chown(paths[n], 0, (gid_t)-1), 0);
    }
    check_accepted(own);
  }
}

static void failing_step_keeps_the_model(void)
{
  test_case test;
  pqf_model *model = NULL;
  case_create(&test, &case_kinds[DENSE], shape, 3, 1, 44);
  pqf_options options = options_for(&test, "failing");
  options.epochs = 2; /* it fails at the third */
  CHECK_OK(fit_with(&model, &test, &options, NULL));
  CU_ASSERT_EQUAL(pqf_model_rows(model), shape.rows);
  pqf_free(model);
  options.epochs = 3;
  CHECK_STATUS(fit_with(&model, &test, &options, NULL), PQF_EBACKEND);
  CHECK_WORDS("the abacus broke at epoch 3");
  CU_ASSERT_EQUAL(pqf_model_rows(model), 0);
  pqf_free(model);
  case_free(&test);
}

/* Neither the current folder nor a relative path to it may decide what code is loaded. */
static void current_folder_is_not_searched(void)
{
  const int here = open(".", O_RDONLY | O_DIRECTORY);
  CU_ASSERT_FATAL(here >= 0);
  CU_ASSERT_EQUAL(chdir(folder), 0);
  check_refused("plain", NULL, PQF_EBACKEND, "plain");
  check_refused("plain", ".", PQF_EBACKEND, "absolute");
  check_refused("plain", "", PQF_EBACKEND, "plain");
  CU_ASSERT_EQUAL(fchdir(here), 0);
  close(here);
}

static void names_do_not_lead_out_of_the_folder(void)
{
  static const char *const paths[] = {"../modules/pqf_plain", "/plain", "modules/plain"};
  static const char *const others[] = {"plain.so", "PLAIN", ":plain",
                                       "a_name_that_is_longer_than_thirty_two_characters"};
  for (size_t n = 0; n < sizeof paths / sizeof paths[0]; ++n)
    check_refused(paths[n], folder, PQF_EINVAL, "backend");
  for (size_t n = 0; n < sizeof others / sizeof others[0]; ++n)
    check_refused(others[n], folder, PQF_EBACKEND, "backend");
}

/* What pqf_backend_describe() says of a name; `usable` -1: it is not listed. */
static pqf_backend_info info_of(const char *path, const char *name)
{
  pqf_backend_info info = {.size = sizeof info};
  const int32_t count = pqf_backend_count(path);
  for (int32_t n = 0; n < count; ++n)
    if (CHECK_OK(pqf_backend_describe(path, n, &info)) && strcmp(info.name, name) == 0)
      return info;
  memset(&info, 0, sizeof info);
  info.usable = -1;
  return info;
}

static void back_ends_are_listed(void)
{
  static const char *const usable[] = {"cpu", "plain", "mimic", "older", "newer", "failing"};
  static const struct {
    const char *name;
    const char *words;
  } unusable[] = {{"other_abi", "version 2"},
                  {"without_entry", PQF_BACKEND_ENTRY},
                  {"without_library", "libpqf_absent.so"},
                  {"without_table", "without_table"},
                  {"unable", "the machine has no abacus"}};
  for (size_t n = 0; n < sizeof usable / sizeof usable[0]; ++n)
    CU_ASSERT_EQUAL(info_of(folder, usable[n]).usable, 1);
  CU_ASSERT_STRING_EQUAL(info_of(folder, "plain").words, "plain loops");
  CU_ASSERT(strlen(info_of(folder, "cpu").words) > 0);
  for (size_t n = 0; n < sizeof unusable / sizeof unusable[0]; ++n) {
    const pqf_backend_info info = info_of(folder, unusable[n].name);
    CU_ASSERT_EQUAL(info.usable, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(info.words, unusable[n].words));
  }
  CU_ASSERT_EQUAL(info_of(folder, "absent").usable, -1);
  CU_ASSERT(info_of(folder, "cuda").usable >= 0); /* known everywhere */
}

static void list_has_bounds(void)
{
  const char *nowhere = test_file("no such folder");
  pqf_backend_info info = {.size = sizeof info};
  CU_ASSERT_EQUAL(info_of(nowhere, "cpu").usable, 1);
  CU_ASSERT_EQUAL(info_of(nowhere, "plain").usable, -1);
  const int32_t count = pqf_backend_count(nowhere);
  CHECK_STATUS(pqf_backend_describe(nowhere, count, &info), PQF_EINVAL);
  CHECK_STATUS(pqf_backend_describe(nowhere, -1, &info), PQF_EINVAL);
  CHECK_STATUS(pqf_backend_describe(nowhere, 0, NULL), PQF_EINVAL);
  info.size = 8;
  CHECK_STATUS(pqf_backend_describe(nowhere, 0, &info), PQF_EINVAL);
}

static void auto_takes_a_usable_back_end(void)
{
  test_case test;
  pqf_model *model = NULL;
  case_create(&test, &case_kinds[DENSE], shape, 3, 1, 45);
  pqf_options options = options_for(&test, "auto");
  CHECK_OK(fit_with(&model, &test, &options, NULL));
  pqf_free(model);
  options.backend = NULL;
  options.backend_path = NULL;
  CHECK_OK(fit_with(&model, &test, &options, NULL));
  pqf_free(model);
  case_free(&test);
}

void suite_modules(void)
{
  CU_pSuite suite = CU_add_suite("modules", NULL, NULL);
  CU_add_test(suite, "right modules fit", right_modules_fit);
  CU_add_test(suite, "devices", device_is_the_modules_to_judge);
  CU_add_test(suite, "a shorter table", shorter_table_works_as_far_as_it_goes);
  CU_add_test(suite, "wrong modules", wrong_modules_are_refused);
  CU_add_test(suite, "a damaged file", damaged_file_is_refused);
  CU_add_test(suite, "modules that others may write to", modules_of_others_are_refused);
  CU_add_test(suite, "a step that fails", failing_step_keeps_the_model);
  CU_add_test(suite, "the current folder", current_folder_is_not_searched);
  CU_add_test(suite, "names that are paths", names_do_not_lead_out_of_the_folder);
  CU_add_test(suite, "the list of back ends", back_ends_are_listed);
  CU_add_test(suite, "the bounds of the list", list_has_bounds);
  CU_add_test(suite, "auto", auto_takes_a_usable_back_end);
}
