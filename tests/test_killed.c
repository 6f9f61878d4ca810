/* kill -9 at many moments of a fit that writes checkpoints: each time the file is whole, and
 * the fit that goes on from it ends with the bits of the one that was not killed. */
#include "model_files.h"
#include "new_file.h"
#include "suites.h"
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROWS = 200, COLS = 150, EPOCHS = 60, TEMPORARY_BYTES = 1 << 16 };

static pqf_data *draw_data(void)
{
  static int32_t row[ROWS * COLS];
  static int32_t col[ROWS * COLS];
  static float value[ROWS * COLS];
  pqf_data *data = NULL;
  uint64_t state = 31;
  int64_t count = 0;
  for (int32_t u = 0; u < ROWS; ++u)
    for (int32_t i = 0; i < COLS; ++i)
      if (test_uniform(&state) < 0.2) {
        row[count] = u;
        col[count] = i;
        value[count++] = (float)(1 + (int)(5 * test_uniform(&state)));
      }
  CHECK_OK(pqf_data_coo(&data, ROWS, COLS, count, row, col, value, NULL, NULL));
  return data;
}

static pqf_model *create(void)
{
  pqf_options options = PQF_OPTIONS_INIT;
  pqf_model *model = NULL;
  options.backend = "cpu";
  options.solver = PQF_SOLVER_ALS;
  options.objective = PQF_OBJECTIVE_OBSERVED;
  options.factors = 8;
  options.epochs = EPOCHS;
  options.keep_best = 1;
  options.regularization = 1;
  options.threads = 2;
  CHECK_OK(pqf_create(&model, &options));
  return model;
}

static double now(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void sleep_for(double seconds)
{
  struct timespec time = {.tv_sec = (time_t)seconds};
  time.tv_nsec = (long)(1e9 * (seconds - (double)time.tv_sec));
  nanosleep(&time, NULL);
}

/* A process that fits with checkpoints in `path`, and ends. */
static pid_t start_fit(const pqf_data *data, const char *path)
{
  const pid_t child = fork();
  if (child != 0)
    return child;
  pqf_model *model = create();
  int status = pqf_model_set_option(model, "checkpoint", path);
  if (status == PQF_OK)
    status = pqf_fit(model, data, NULL);
  _exit(status == PQF_OK ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* Seconds that the process takes when it is left alone. */
static double time_whole_fit(const pqf_data *data, const char *path)
{
  int status = -1;
  const double begin = now();
  const pid_t child = start_fit(data, path);
  CU_ASSERT_EQUAL_FATAL(waitpid(child, &status, 0), child);
  CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS);
  return now() - begin;
}

/* What a killed process left: its last checkpoint; or nothing, where it had not written one yet. */
static pqf_model *go_on(const pqf_data *data, const char *path)
{
  pqf_model *model = NULL;
  if (access(path, F_OK) != 0) {
    model = create();
    CHECK_OK(pqf_fit(model, data, NULL));
    return model;
  }
  if (CHECK_OK(pqf_load(&model, path, PQF_LOAD_VERIFY)))
    CHECK_OK(pqf_resume(model, data, NULL));
  return model;
}

static void killed_at_any_moment(void)
{
  char path[1024];
  uint64_t state = 32;
  const int moments = test_large() ? 100 : 25;
  int killed = 0;
  pqf_data *data = draw_data();
  pqf_model *whole = create();
  snprintf(path, sizeof path, "%s", test_file("killed")); /* a folder, for what may be left */
  CU_ASSERT_EQUAL(mkdir(path, 0777), 0);
  snprintf(path, sizeof path, "%s", test_file("killed/model.pqf"));
  CHECK_OK(pqf_fit(whole, data, NULL));
  const double seconds = time_whole_fit(data, path);
  for (int n = 0; n < moments; ++n) {
    int status = -1;
    unlink(path);
    const pid_t child = start_fit(data, path);
    CU_ASSERT_FATAL(child > 0);
    sleep_for(seconds * ((double)n + test_uniform(&state)) / moments);
    kill(child, SIGKILL);
    CU_ASSERT_EQUAL_FATAL(waitpid(child, &status, 0), child);
    killed += WIFSIGNALED(status);
    pqf_model *model = go_on(data, path);
    if (model != NULL)
      check_same_fit(model, whole);
    pqf_free(model);
  }
  CU_ASSERT(killed > 0);
  pqf_free(whole);
  pqf_data_free(data);
}

/* ---- What a killed process leaves behind ----------------------------------------------------- */

static int count_entries(const char *path)
{
  int count = 0;
  DIR *entries = opendir(path);
  CU_ASSERT_PTR_NOT_NULL(entries);
  if (entries == NULL)
    return -1;
  while (readdir(entries) != NULL)
    ++count;
  closedir(entries);
  return count;
}

/* Nothing, where files without names can be had. */
static void no_temporary_file_is_left(void)
{
  static const char bytes[TEMPORARY_BYTES];
  const int nameless = open(test_directory(), O_TMPFILE | O_WRONLY, 0600);
  if (nameless < 0)
    return;
  close(nameless);
  const int before = count_entries(test_directory());
  const pid_t child = fork();
  if (child == 0) {
    pqf_new_file file;
    if (pqf_new_file_open(&file, test_file("never.pqf")) == PQF_OK)
      pqf_new_file_write(&file, bytes, sizeof bytes);
    kill(getpid(), SIGKILL);
  }
  CU_ASSERT_EQUAL_FATAL(waitpid(child, NULL, 0), child);
  CU_ASSERT_EQUAL(count_entries(test_directory()), before);
}

void suite_killed(void)
{
  CU_pSuite suite = CU_add_suite("killed", NULL, NULL);
  CU_add_test(suite, "killed at any moment", killed_at_any_moment);
  CU_add_test(suite, "no temporary file is left", no_temporary_file_is_left);
}
