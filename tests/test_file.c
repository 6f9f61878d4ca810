/* Model files: what is written is read back, and replacing a file is all or nothing. */
#include "model_files.h"
#include "suites.h"
#include "test.h"

#include "checksum.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Round trips ----------------------------------------------------------------------------- */

static void round_trips(void)
{
  static const int32_t kinds[] = {PQF_IDS_NONE, PQF_IDS_NUMBERS, PQF_IDS_TEXTS};
  const char *path = test_file("round.pqf");
  for (int n = 0; n < 6; ++n) {
    pqf_model *model = fitted_model(kinds[n / 2], n % 2);
    pqf_model *loaded = NULL;
    pqf_model *again = NULL;
    CHECK_OK(pqf_save(model, path));
    CHECK_OK(pqf_load(&loaded, path, 0));
    check_same_model(loaded, model);
    CHECK_OK(pqf_save(loaded, path)); /* over the file that `loaded` has mapped */
    check_same_model(loaded, model);
    CHECK_OK(pqf_load(&again, path, PQF_LOAD_VERIFY));
    check_same_model(again, model);
    pqf_free(model);
    pqf_free(loaded);
    pqf_free(again);
  }
}

static void loaded_model_is_fitted_again(void)
{
  const char *path = test_file("again.pqf");
  pqf_model *model = fitted_model(PQF_IDS_NONE, 0);
  pqf_model *loaded = NULL;
  pqf_data *data = NULL;
  float *values = test_normals(5, MODEL_ROWS * MODEL_COLS, 1);
  CHECK_OK(pqf_save(model, path));
  REQUIRE_OK(pqf_load(&loaded, path, 0));
  CHECK_OK(pqf_data_dense(&data, values, MODEL_ROWS, MODEL_COLS, MODEL_COLS, NULL));
  CHECK_OK(pqf_fit(loaded, data, NULL));
  for (int32_t side = 0; side < 2; ++side) {
    const size_t rows = side == PQF_ROWS ? MODEL_ROWS : MODEL_COLS;
    CU_ASSERT_EQUAL(memcmp(pqf_model_borrow_factors(loaded, side),
                           pqf_model_borrow_factors(model, side),
                           rows * MODEL_FACTORS * sizeof(float)),
                    0);
  }
  pqf_data_free(data);
  pqf_free(loaded);
  pqf_free(model);
  free(values);
}

static void file_is_laid_out_as_promised(void)
{
  const char *path = test_file("layout.pqf");
  size_t size;
  uint64_t length;
  pqf_model *model = fitted_model(PQF_IDS_TEXTS, 0);
  CHECK_OK(pqf_save(model, path));
  char *bytes = read_file(path, &size);
  memcpy(&length, bytes, sizeof length);
  CU_ASSERT_EQUAL((sizeof length + length) % 64, 0);
  CU_ASSERT_EQUAL(memcmp(bytes + sizeof length, "{\"__metadata__\":{", 17), 0);
  bytes[sizeof length + length - 1] = '\0'; /* a space, or the head's last brace */
  CU_ASSERT_PTR_NULL(strstr(bytes + sizeof length, "backend_path"));
  CU_ASSERT_PTR_NOT_NULL(strstr(bytes + sizeof length, "\"option.seed\":\"18446744073709551615\""));
  const char *p = strstr(bytes + sizeof length, "\"P\":{\"dtype\":\"F32\",\"shape\":[7,3],");
  const char *offsets = p != NULL ? strstr(p, "data_offsets") : NULL;
  CU_ASSERT_PTR_NOT_NULL_FATAL(offsets);
  const size_t begin = offsets != NULL ? (size_t)strtoull(offsets + 15, NULL, 10) : 0;
  CU_ASSERT_EQUAL(begin, 8 * (MODEL_ROWS + 1) + 8 * (MODEL_COLS + 1));
  CU_ASSERT_EQUAL(memcmp(bytes + sizeof length + length + begin,
                         pqf_model_borrow_factors(model, PQF_ROWS),
                         sizeof(float) * MODEL_ROWS * MODEL_FACTORS),
                  0);
  free(bytes);
  pqf_free(model);
}

static void checksum_is_xxh64(void)
{
  /* Of the bytes 0, 1, 2, ...; made with the xxHash package. */
  static const struct {
    size_t count;
    const char *digits;
  } known[] = {{0, "ef46db3751d8e999"},  {1, "e934a84adb052768"},  {3, "e5c7bb4533bc65dd"},
               {4, "ffced8604453cc1e"},  {14, "5cda8b69bbfc1d45"}, {31, "c346d2b59b4d8ee1"},
               {32, "cbf59c5116ff32b4"}, {63, "e26aa9e2a95f8e4f"}, {101, "e99038495f85381e"},
               {222, "88ff0dada4bfa877"}};
  unsigned char bytes[256];
  for (size_t n = 0; n < sizeof bytes; ++n)
    bytes[n] = (unsigned char)n;
  for (size_t n = 0; n < sizeof known / sizeof known[0]; ++n) {
    char digits[PQF_CHECKSUM_DIGITS];
    pqf_checksum sum;
    pqf_checksum_start(&sum);
    pqf_checksum_add(&sum, bytes, known[n].count);
    pqf_checksum_digits(&sum, digits);
    CU_ASSERT_EQUAL(memcmp(digits, known[n].digits, sizeof digits), 0);
  }
  /* In pieces of any size it is the same. */
  for (size_t length = 0; length < 200; ++length)
    for (size_t piece = 1; piece < 70; piece += 3) {
      char whole[PQF_CHECKSUM_DIGITS];
      char pieces[PQF_CHECKSUM_DIGITS];
      pqf_checksum sum;
      pqf_checksum_start(&sum);
      pqf_checksum_add(&sum, bytes, length);
      pqf_checksum_digits(&sum, whole);
      pqf_checksum_start(&sum);
      for (size_t at = 0; at < length; at += piece)
        pqf_checksum_add(&sum, bytes + at, length - at < piece ? length - at : piece);
      pqf_checksum_digits(&sum, pieces);
      CU_ASSERT_EQUAL(memcmp(whole, pieces, sizeof whole), 0);
    }
}

/* ---- Replacing a file ------------------------------------------------------------------------ */

static int count_temporary_files(const char *folder)
{
  int count = 0;
  DIR *entries = opendir(folder);
  if (entries == NULL)
    return -1;
  for (const struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries))
    count += strncmp(entry->d_name, ".pqf-", 5) == 0;
  closedir(entries);
  return count;
}

static void full_disk_leaves_the_old_file(void)
{
  static const char old[] = "the old file";
  const char *path = test_file("full.pqf");
  struct rlimit before;
  size_t size;
  pqf_model *model = fitted_model(PQF_IDS_TEXTS, 0);
  write_file(path, old, sizeof old);
  void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
  getrlimit(RLIMIT_FSIZE, &before);
  for (rlim_t limit = 0; limit < 2048; limit += 500) { /* in the head, and in the tensors */
    const struct rlimit small = {limit, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    const int status = pqf_save(model, path);
    setrlimit(RLIMIT_FSIZE, &before);
    CHECK_STATUS(status, PQF_EIO);
    CHECK_WORDS("full.pqf: could not be written: File too large");
  }
  signal(SIGXFSZ, handler);
  char *bytes = read_file(path, &size);
  CU_ASSERT(size == sizeof old && memcmp(bytes, old, size) == 0);
  CU_ASSERT_EQUAL(count_temporary_files(test_directory()), 0);
  CHECK_OK(pqf_save(model, path)); /* the model is as good as before */
  free(bytes);
  pqf_free(model);
}

static void targets_that_cannot_be_written(void)
{
  const char *folder = test_file("folder");
  const char *link = test_file("dangling");
  struct stat found;
  pqf_model *model = fitted_model(PQF_IDS_NONE, 0);
  pqf_model *unfitted = NULL;
  mkdir(folder, 0777);
  CHECK_STATUS(pqf_save(model, folder), PQF_EIO);
  CHECK_WORDS("folder: could not be written: not a regular file");
  CHECK_STATUS(pqf_save(model, test_file("no/such/folder.pqf")), PQF_EIO);
  CHECK_WORDS("No such file or directory");
  CHECK_STATUS(pqf_save(model, ""), PQF_EIO);
  CHECK_STATUS(pqf_save(model, "/dev/null"), PQF_EIO);
  CU_ASSERT(stat("/dev/null", &found) == 0 && S_ISCHR(found.st_mode));
  CU_ASSERT_EQUAL(symlink("nothing-there", link), 0);
  CHECK_STATUS(pqf_save(model, link), PQF_EIO);
  CHECK_WORDS("a link to nothing");
  CHECK_STATUS(pqf_save(NULL, folder), PQF_EINVAL);
  CHECK_STATUS(pqf_save(model, NULL), PQF_EINVAL);
  CHECK_OK(pqf_create(&unfitted, NULL));
  CHECK_STATUS(pqf_save(unfitted, test_file("unfitted.pqf")), PQF_EUNFITTED);
  CU_ASSERT_NOT_EQUAL(access(test_file("unfitted.pqf"), F_OK), 0);
  pqf_free(unfitted);
  pqf_free(model);
}

/* In a process of its own, which is not the superuser's. */
static void folder_that_cannot_be_written(void)
{
  const char *folder = test_file("closed");
  char path[4200];
  int ended = -1;
  pqf_model *model = fitted_model(PQF_IDS_NONE, 0);
  snprintf(path, sizeof path, "%s/model.pqf", folder);
  mkdir(folder, 0555);
  const pid_t child = fork();
  if (child == 0) {
    if (geteuid() == 0 && setuid(65534) != 0)
      _exit(2);
    const int status = pqf_save(model, path);
    _exit(status == PQF_EIO && strstr(pqf_error_message(), "Permission denied") != NULL ? 0 : 1);
  }
  CU_ASSERT_EQUAL(waitpid(child, &ended, 0), child);
  CU_ASSERT(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
  pqf_free(model);
}

/* In a process of its own, which is no longer root: replaces a file of root's. */
static int save_as_another(const pqf_model *model, const char *path)
{
  int ended = -1;
  const pid_t child = fork();
  if (child == 0) {
    const int changed = setgid(12345) == 0 && setuid(12345) == 0;
    const int status = changed ? pqf_save(model, path) : PQF_OK;
    _exit(status == PQF_EIO && strstr(pqf_error_message(), "owner and group") != NULL ? 0 : 1);
  }
  return child > 0 && waitpid(child, &ended, 0) == child && WIFEXITED(ended) &&
         WEXITSTATUS(ended) == 0;
}

/* Only root can give a file away. */
static void owner_and_group_stay(void)
{
  char folder[1024];
  char path[1100];
  struct stat before;
  struct stat after;
  if (geteuid() != 0) {
    printf("\n    skipped: not root\n");
    return;
  }
  snprintf(folder, sizeof folder, "%s", test_file("shared"));
  snprintf(path, sizeof path, "%s/owned.pqf", folder);
  pqf_model *model = fitted_model(PQF_IDS_NONE, 0);
  CU_ASSERT(mkdir(folder, 0777) == 0 && chmod(folder, 0777) == 0);
  CU_ASSERT_EQUAL(chmod(test_directory(), 0755), 0);
  CHECK_OK(pqf_save(model, path));
  CU_ASSERT_EQUAL(stat(path, &before), 0);
  CU_ASSERT(save_as_another(model, path));
  CU_ASSERT(stat(path, &after) == 0 && after.st_ino == before.st_ino);

  CU_ASSERT(chown(path, 12345, 54321) == 0 && chmod(path, 0640) == 0);
  CHECK_OK(pqf_save(model, path));
  CU_ASSERT_EQUAL(stat(path, &after), 0);
  CU_ASSERT(after.st_uid == 12345 && after.st_gid == 54321);
  CU_ASSERT_EQUAL(after.st_mode & 07777, 0640);
  CU_ASSERT_NOT_EQUAL(after.st_ino, before.st_ino);
  pqf_free(model);
}

static void permissions_and_links_stay(void)
{
  const char *path = test_file("kept.pqf");
  const char *link = test_file("link.pqf");
  const char *fresh = test_file("fresh.pqf");
  struct stat found;
  pqf_model *model = fitted_model(PQF_IDS_NONE, 0);
  const mode_t mask = umask(027);
  write_file(path, "", 0);
  chmod(path, 0604);
  CU_ASSERT_EQUAL(symlink("kept.pqf", link), 0);
  CHECK_OK(pqf_save(model, link));
  CU_ASSERT(lstat(link, &found) == 0 && S_ISLNK(found.st_mode));
  CU_ASSERT(lstat(path, &found) == 0 && S_ISREG(found.st_mode));
  CU_ASSERT_EQUAL(found.st_mode & 07777, 0604);
  CU_ASSERT(found.st_size > 0);
  CHECK_OK(pqf_save(model, fresh));
  CU_ASSERT(stat(fresh, &found) == 0 && (found.st_mode & 07777) == 0640);
  umask(mask);
  pqf_free(model);
}

static void file_in_the_current_folder(void)
{
  char before[4096];
  pqf_model *model = fitted_model(PQF_IDS_NONE, 0);
  pqf_model *loaded = NULL;
  CU_ASSERT_PTR_NOT_NULL_FATAL(getcwd(before, sizeof before));
  CU_ASSERT_EQUAL_FATAL(chdir(test_directory()), 0);
  CHECK_OK(pqf_save(model, "plain.pqf"));
  CHECK_OK(pqf_load(&loaded, "plain.pqf", 0));
  CU_ASSERT_EQUAL(chdir(before), 0);
  pqf_free(loaded);
  pqf_free(model);
}

/* A name that a killed process has left behind is passed over. */
static void left_over_temporary_file(void)
{
  char name[64];
  pqf_model *model = fitted_model(PQF_IDS_NONE, 0);
  snprintf(name, sizeof name, ".pqf-%ld-0.tmp", (long)getpid());
  write_file(test_file(name), "left", 4);
  CHECK_OK(pqf_save(model, test_file("beside.pqf")));
  CU_ASSERT_EQUAL(access(test_file(name), F_OK), 0);
  CU_ASSERT_EQUAL(count_temporary_files(test_directory()), 1);
  unlink(test_file(name));
  pqf_free(model);
}

/* ---- Memory and threads ---------------------------------------------------------------------- */

typedef struct saving {
  const pqf_model *model;
  const char *path;
} saving;

static int save(void *payload)
{
  const saving *one = payload;
  return pqf_save(one->model, one->path);
}

static int load_verified(void *payload)
{
  const saving *one = payload;
  pqf_model *loaded;
  const int status = pqf_load(&loaded, one->path, PQF_LOAD_VERIFY);
  CU_ASSERT_EQUAL(loaded == NULL, status != PQF_OK);
  pqf_free(loaded);
  return status;
}

static void every_allocation(void)
{
  for (int32_t kind = PQF_IDS_NONE; kind <= PQF_IDS_TEXTS; ++kind) {
    pqf_model *model = fitted_model(kind, 1);
    saving one = {model, test_file("memory.pqf")};
    test_every_allocation(save, &one);
    test_every_allocation(load_verified, &one);
    pqf_free(model);
  }
  CU_ASSERT_EQUAL(count_temporary_files(test_directory()), 0);
}

enum { THREADS = 4, LOADS = 25 };

static void *load_often(void *payload)
{
  const saving *one = payload;
  for (int n = 0; n < LOADS; ++n) {
    const pqf_id id = {.text = "eve", .length = 3};
    int32_t row = -1;
    pqf_model *loaded;
    if (pqf_load(&loaded, one->path, n % 2 == 0 ? 0 : PQF_LOAD_VERIFY) != PQF_OK ||
        pqf_model_find(loaded, PQF_ROWS, &id, &row) != PQF_OK || row != 4)
      return NULL;
    if (n % 5 == 0 && pqf_save(loaded, one->path) != PQF_OK)
      return NULL;
    pqf_free(loaded);
  }
  return payload;
}

static void many_threads_load_and_save(void)
{
  pthread_t threads[THREADS];
  pqf_model *model = fitted_model(PQF_IDS_TEXTS, 0);
  saving one = {model, test_file("threads.pqf")};
  CHECK_OK(pqf_save(model, one.path));
  for (int n = 0; n < THREADS; ++n)
    CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[n], NULL, load_often, &one), 0);
  for (int n = 0; n < THREADS; ++n) {
    void *result = NULL;
    pthread_join(threads[n], &result);
    CU_ASSERT_PTR_NOT_NULL(result);
  }
  CU_ASSERT_EQUAL(count_temporary_files(test_directory()), 0);
  pqf_free(model);
}

/* ---- Other libraries ------------------------------------------------------------------------- */

/* The script reads a file of libpqf's with the Python package, compares it with the bytes given
 * here and writes it anew in its own way. */
static void python_reads_and_writes(void)
{
  enum { SKIPPED = 77 };
  char command[20000];
  pqf_model *model = fitted_model(PQF_IDS_TEXTS, 0);
  pqf_model *loaded = NULL;
  CHECK_OK(pqf_save(model, test_file("ours.safetensors")));
  write_file(test_file("p.raw"), pqf_model_borrow_factors(model, PQF_ROWS),
             sizeof(float) * MODEL_ROWS * MODEL_FACTORS);
  write_file(test_file("q.raw"), pqf_model_borrow_factors(model, PQF_COLS),
             sizeof(float) * MODEL_COLS * MODEL_FACTORS);
  snprintf(command, sizeof command,
           "test -x '%s' || exit %d; '%s' '%s/tests/safetensors_check.py' '%s' '%s' '%s' '%s'",
           TEST_PYTHON, SKIPPED, TEST_PYTHON, TEST_SOURCE, test_file("ours.safetensors"),
           test_file("p.raw"), test_file("q.raw"), test_file("theirs.safetensors"));
  const int ended = system(command);
  if (WIFEXITED(ended) && WEXITSTATUS(ended) == SKIPPED) {
    printf("\n    skipped: no Python with the package safetensors in .venv\n");
  } else {
    CU_ASSERT(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
    if (CHECK_OK(pqf_load(&loaded, test_file("theirs.safetensors"), PQF_LOAD_VERIFY)))
      check_same_model(loaded, model);
  }
  pqf_free(loaded);
  pqf_free(model);
}

void suite_file(void)
{
  CU_pSuite suite = CU_add_suite("file", NULL, NULL);
  CU_add_test(suite, "what is saved is loaded, to the bit", round_trips);
  CU_add_test(suite, "a loaded model is fitted again", loaded_model_is_fitted_again);
  CU_add_test(suite, "the file is laid out as promised", file_is_laid_out_as_promised);
  CU_add_test(suite, "the checksum is XXH64", checksum_is_xxh64);
  CU_add_test(suite, "a full disk leaves the old file", full_disk_leaves_the_old_file);
  CU_add_test(suite, "targets that cannot be written", targets_that_cannot_be_written);
  CU_add_test(suite, "a folder that cannot be written", folder_that_cannot_be_written);
  CU_add_test(suite, "owner and group stay", owner_and_group_stay);
  CU_add_test(suite, "permissions and links stay", permissions_and_links_stay);
  CU_add_test(suite, "a file in the current folder", file_in_the_current_folder);
  CU_add_test(suite, "a temporary file that was left over", left_over_temporary_file);
  CU_add_test(suite, "every allocation of saving and loading", every_allocation);
  CU_add_test(suite, "four threads load and save one file", many_threads_load_and_save);
  CU_add_test(suite, "the Python package reads and writes it", python_reads_and_writes);
}
