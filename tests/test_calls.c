/* Sequences of public calls: the corpus of the fuzz target fuzz_calls once more, without a fuzzer.
 */
#include "calls.h"
#include "suites.h"
#include "test.h"

#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static jmp_buf failed;
static const char *input;

static void report(const char *message)
{
  char line[4096];
  snprintf(line, sizeof line, "tests/fuzz/corpus/fuzz_calls/%s: %s", input, message);
  CU_assertImplementation(CU_FALSE, __LINE__, line, __FILE__, "", CU_FALSE);
  longjmp(failed, 1);
}

/* The bytes of a file; -1: it cannot be read. */
static long read_input(const char *name, uint8_t *out, size_t capacity)
{
  char path[4096];
  snprintf(path, sizeof path, "%s/tests/fuzz/corpus/fuzz_calls/%s", TEST_SOURCE, name);
  FILE *file = fopen(path, "rb");
  if (file == NULL)
    return -1;
  const size_t size = fread(out, 1, capacity, file);
  fclose(file);
  return (long)size;
}

/* What was allocated on the way to a failure that a longjmp() leaves is lost. */
static void replay(const char *name)
{
  static uint8_t bytes[4096];
  const long size = read_input(name, bytes, sizeof bytes);
  input = name;
  CU_ASSERT(size >= 0);
  if (size < 0)
    return;
  if (setjmp(failed) == 0)
    calls_run(bytes, (size_t)size);
  else
    calls_clear();
}

static void corpus_holds(void)
{
  struct dirent **files = NULL;
  const int count = scandir(TEST_SOURCE "/tests/fuzz/corpus/fuzz_calls", &files, NULL, alphasort);
  calls_folder = test_directory();
  calls_failed = report;
  CU_ASSERT(count > 20);
  for (int n = 0; n < count; ++n) {
    if (files[n]->d_name[0] != '.')
      replay(files[n]->d_name);
    free(files[n]);
  }
  free(files);
}

/* 1: the calling thread, whose first calls these are, has no error message after calls that succeed
 * although something fails on their way: a back end that cannot be used, ids that are new. */
static void *succeed(void *out)
{
  static const int32_t place[] = {0, 1, 2};
  static const float value[] = {1, 2, 3};
  static const int64_t before[] = {7, 8, 9};
  static const int64_t after[] = {9, 10, 11};
  pqf_backend_info info = {.size = sizeof info};
  pqf_options options = PQF_OPTIONS_INIT;
  pqf_data *data = NULL;
  pqf_model *model = NULL;
  int status = PQF_OK;
  options.threads = 1;
  for (int32_t n = 0; n < pqf_backend_count(NULL) && status == PQF_OK; ++n)
    status = pqf_backend_describe(NULL, n, &info);
  if (status == PQF_OK)
    status = pqf_data_coo(&data, 3, 3, 3, place, place, value, NULL, NULL);
  if (status == PQF_OK)
    status = pqf_data_set_ids(data, PQF_ROWS, 3, before, NULL);
  if (status == PQF_OK)
    status = pqf_create(&model, &options);
  if (status == PQF_OK)
    status = pqf_fit(model, data, NULL);
  if (status == PQF_OK)
    status = pqf_data_set_ids(data, PQF_ROWS, 3, after, NULL);
  if (status == PQF_OK)
    status = pqf_model_set_option(model, "init", "model");
  if (status == PQF_OK)
    status = pqf_fit(model, data, NULL);
  if (status == PQF_OK && pqf_model_id_kind(model, 2) != PQF_IDS_NONE)
    status = PQF_EINVAL;
  *(int *)out = status == PQF_OK && pqf_error_message()[0] == '\0';
  pqf_free(model);
  pqf_data_free(data);
  return NULL;
}

static void success_leaves_no_message(void)
{
  pthread_t thread;
  int is_empty = 0;
  CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, succeed, &is_empty), 0);
  pthread_join(thread, NULL);
  CU_ASSERT(is_empty);
}

void suite_calls(void)
{
  CU_pSuite suite = CU_add_suite("calls", NULL, NULL);
  CU_add_test(suite, "the corpus of sequences", corpus_holds);
  CU_add_test(suite, "success leaves no error message", success_leaves_no_message);
}
