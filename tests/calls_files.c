/* Steps that save, load and damage files. */
#include "calls_state.h"
#include "model_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char *calls_named_path(const char *name)
{
  static char paths[4][PATH_MAX];
  static unsigned int next;
  char *path = paths[next++ % 4];
  snprintf(path, PATH_MAX, "%s/%s", calls_folder, name);
  return path;
}

const char *calls_path(int64_t slot)
{
  static const char *const names[FILE_SLOTS] = {"first", "second", "third"};
  return calls_named_path(names[slot]);
}

void calls_file_replaced(int64_t slot)
{
  free(calls.file[slot].sound);
  calls.file[slot] = (calls_file){0};
}

/* All bytes of a file, which the caller frees; NULL: there is none. */
static unsigned char *read_file(const char *path, size_t *size)
{
  struct stat status;
  FILE *file = fopen(path, "rb");
  if (file == NULL)
    return NULL;
  HOLDS(fstat(fileno(file), &status) == 0, "fstat");
  *size = (size_t)status.st_size;
  unsigned char *bytes = malloc(*size + 1);
  HOLDS(bytes != NULL && fread(bytes, 1, *size, file) == *size, "%s cannot be read", path);
  fclose(file);
  return bytes;
}

/* Replaces the file, since what is mapped must not change. */
static void write_file(const char *path, const unsigned char *bytes, size_t size)
{
  remove(path);
  FILE *file = fopen(path, "wb");
  HOLDS(file != NULL && fwrite(bytes, 1, size, file) == size && fclose(file) == 0,
        "%s cannot be written", path);
}

int calls_file_is_sound(int64_t slot)
{
  const calls_file *file = &calls.file[slot];
  size_t size = 0;
  if (file->sound == NULL)
    return !file->is_forged;
  unsigned char *bytes = read_file(calls_path(slot), &size);
  const int is_same =
      bytes != NULL && size == file->sound_size && memcmp(bytes, file->sound, size) == 0;
  free(bytes);
  return is_same;
}

void calls_step_save(void)
{
  const calls_model *slot = &calls.model[calls_choose(MODEL_SLOTS)];
  const int64_t file = calls_choose(FILE_SLOTS);
  const char *path = calls_rarely() ? "/absent/folder/file" : calls_path(file);
  const int status = CALL(pqf_save(slot->model, path));
  if (status != PQF_OK) {
    HOLDS(slot->is_doubtful || slot->model == NULL || pqf_model_rows(slot->model) == 0 ||
              path[1] == 'a',
          "a model cannot be saved: %s", pqf_error_message());
    return;
  }
  calls_file_replaced(file);
  calls.file[file].is_forged = slot->is_doubtful; /* what was not verified may be anything */
}

void calls_step_load(void)
{
  calls_model *slot = &calls.model[calls_choose(MODEL_SLOTS)];
  const int64_t file = calls_choose(FILE_SLOTS);
  const uint8_t choice = calls_next();
  const uint32_t flags = choice >= 250 ? choice : choice % 2 != 0 ? PQF_LOAD_VERIFY : 0;
  pqf_model *model = (pqf_model *)slot;
  const int status = CALL(pqf_load(&model, calls_path(file), flags));
  HOLDS((model != NULL) == (status == PQF_OK), "a model and status %d", status);
  HOLDS(status == PQF_OK || status == PQF_EIO || status == PQF_EFORMAT || choice >= 250,
        "load gives %d", status);
  const int is_sound = calls_file_is_sound(file);
  HOLDS(status != PQF_OK || flags == 0 || is_sound || calls.file[file].is_forged,
        "a damaged file is loaded");
  HOLDS(status == PQF_OK || status == PQF_EIO || !is_sound || choice >= 250 ||
            calls.file[file].is_forged,
        "a sound file is refused: %s", pqf_error_message());
  if (status != PQF_OK)
    return;
  calls_drop_model(slot);
  slot->model = model;
  slot->is_doubtful = !is_sound || calls.file[file].is_forged;
  if (!slot->is_doubtful)
    calls_check_finite(model);
}

void calls_step_copy(void)
{
  calls_model *slot = &calls.model[calls_choose(MODEL_SLOTS)];
  pqf_model *copy = calls_copy(slot);
  if (copy == NULL)
    return;
  if (calls_choose(2) == 0) {
    pqf_free(copy);
    return;
  }
  pqf_free(slot->model);
  slot->model = copy; /* mapped, and with the same options */
}

/* Keeps what the file was before its first change. */
static unsigned char *begin_change(int64_t slot, size_t *size)
{
  calls_file *file = &calls.file[slot];
  unsigned char *bytes = read_file(calls_path(slot), size);
  if (bytes != NULL && file->sound == NULL) {
    file->sound = malloc(*size + 1);
    HOLDS(file->sound != NULL, "no memory");
    memcpy(file->sound, bytes, *size);
    file->sound_size = *size;
  }
  return bytes;
}

/* Changes a byte of a file, or its length. */
void calls_step_damage(void)
{
  const int64_t slot = calls_choose(FILE_SLOTS);
  const size_t at = (size_t)calls_next() << 8 | calls_next();
  const uint8_t how = calls_next();
  size_t size = 0;
  unsigned char *bytes = begin_change(slot, &size);
  if (bytes == NULL)
    return;
  if (size > 0 && how < 250)
    bytes[at % size] ^= (unsigned char)(how + 1);
  write_file(calls_path(slot), bytes,
             how >= 253 && size > 0 ? at % size : size + (how >= 250 && how < 253));
  free(bytes);
}

static int is_digit(char letter)
{
  return letter >= '0' && letter <= '9';
}

/* Puts a text in the place of `old` bytes of the head, whose last spaces make up for the
 * difference. */
static void replace(char *head, size_t length, size_t at, size_t old, const char *text)
{
  const size_t fresh = strlen(text);
  size_t spaces = 0;
  while (spaces < length - at - old && head[length - 1 - spaces] == ' ')
    spaces++;
  if (fresh > old + spaces)
    return;
  if (fresh > old) {
    memmove(head + at + fresh, head + at + old, length - at - fresh);
  } else {
    memmove(head + at + fresh, head + at + old, length - at - old);
    memset(head + length - (old - fresh), ' ', old - fresh);
  }
  memcpy(head + at, text, fresh);
}

/* Changes a number of the head, and makes the head's checksum fit. */
void calls_step_forge(void)
{
  static const char *const numbers[] = {"0",   "1", "9",   "2147483647", "9223372036854775807",
                                        "-1",  "7", "nan", "1e300",      "9223372036854775806",
                                        "inf", "3"};
  const int64_t slot = calls_choose(FILE_SLOTS);
  const size_t which = (size_t)calls_next() << 8 | calls_next();
  const char *number = numbers[calls_choose((int64_t)(sizeof numbers / sizeof numbers[0]))];
  size_t size = 0;
  uint64_t length = 0;
  size_t count = 0;
  unsigned char *bytes = begin_change(slot, &size);
  if (bytes == NULL)
    return;
  if (size > sizeof length)
    memcpy(&length, bytes, sizeof length);
  char *head = (char *)bytes + sizeof length;
  if (size <= sizeof length || length > size - sizeof length)
    length = 0;
  for (size_t n = 1; n < length; n++) /* numbers begin behind something else */
    count += is_digit(head[n]) && !is_digit(head[n - 1]);
  size_t left = count > 0 ? which % count : 0;
  for (size_t n = 1; count > 0 && n < length; n++) {
    if (!is_digit(head[n]) || is_digit(head[n - 1]) || left-- > 0)
      continue;
    size_t old = 1;
    while (n + old < length && is_digit(head[n + old]))
      old++;
    replace(head, (size_t)length, n, old, number);
    break;
  }
  const size_t place = length > 0 ? pqf_head_digits(head, (size_t)length) : 0;
  if (place > 0) {
    pqf_head_checksum(head, (size_t)length, place, head + place);
    calls.file[slot].is_forged = 1;
  }
  write_file(calls_path(slot), bytes, size);
  free(bytes);
}

void calls_step_remove(void)
{
  const int64_t slot = calls_choose(FILE_SLOTS);
  remove(calls_path(slot));
  calls_file_replaced(slot);
}
