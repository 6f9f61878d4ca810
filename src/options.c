/* The one table of options. From it come the checks of pqf_create(), pqf_options_set(), the flags
 * of the command, its manual, and the options in a model file.
 *
 * The copy rule for structs that start with their own size, so that programs and libraries of
 * different releases understand each other: start from the defaults; refuse a size below that of
 * the first release; copy what both know; what the caller has beyond that must be zero, since a
 * member that is appended means the old behaviour when its bytes are zero. */
#include "option_table.h"

#include "error.h"
#include "memory.h"
#include "number_text.h"

#include <float.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Every byte of a sized struct belongs to a member: the copy rule compares bytes. */
_Static_assert(sizeof(pqf_options) == 4 * sizeof(uint64_t) + 8 * sizeof(int32_t) +
                                          4 * sizeof(double) + sizeof(uint64_t) +
                                          2 * sizeof(void *) + 4 * sizeof(double) +
                                          4 * sizeof(int32_t) + 2 * sizeof(uint64_t) +
                                          sizeof(void *) + sizeof(int64_t),
               "pqf_options has padding");
_Static_assert(sizeof(pqf_option) ==
                   5 * sizeof(uint64_t) + 2 * sizeof(double) + 2 * sizeof(int32_t),
               "pqf_option has padding");
_Static_assert(sizeof(pqf_epoch) == 3 * sizeof(int64_t) + 7 * sizeof(double),
               "pqf_epoch has padding");
_Static_assert(sizeof(pqf_summary) == 4 * sizeof(int64_t) + 3 * sizeof(double),
               "pqf_summary has padding");
_Static_assert(sizeof(pqf_data_options) == 2 * sizeof(uint64_t) + 4 * sizeof(int32_t),
               "pqf_data_options has padding");

enum {
  OPTION_FIRST_SIZE = offsetof(pqf_option, minimum_excluded) + sizeof(int32_t),
  LARGEST_SIZE = 1 << 16, /* a larger one was never initialised */
  LONGEST_BACKEND = 255
};

/* clang-format off */
#define INTEGER(member, width, least, most, value, help)                                           \
  { #member, help, value, NULL, offsetof(pqf_options, member), least, most,                        \
    PQF_MEMBER_##width, PQF_TYPE_INTEGER, 0 }
#define NUMBER(member, excluded, value, help)                                                      \
  { #member, help, value, NULL, offsetof(pqf_options, member), 0, DBL_MAX,                         \
    PQF_MEMBER_DOUBLE, PQF_TYPE_NUMBER, excluded }
#define RANGE(member, least, most, value, help)                                                    \
  { #member, help, value, NULL, offsetof(pqf_options, member), least, most,                        \
    PQF_MEMBER_DOUBLE, PQF_TYPE_NUMBER, 0 }
#define WORD(member, words, last, value, help)                                                     \
  { #member, help, value, words, offsetof(pqf_options, member), 0, last,                           \
    PQF_MEMBER_INT32, PQF_TYPE_WORD, 0 }
#define TEXT(member, value, help)                                                                  \
  { #member, help, value, NULL, offsetof(pqf_options, member), 0, 0,                               \
    PQF_MEMBER_TEXT, PQF_TYPE_TEXT, 0 }

static const pqf_option_row table[] = {
  TEXT(backend, "auto",
       "Who computes: cpu, the name of a module such as cuda, or auto: a GPU that can be used for large "
       "problems, else cpu."),
  TEXT(backend_path, "",
       "The folder that holds back-end modules; by default pqf/ beside the library."),
  INTEGER(epochs, INT64, 1, (double)INT64_MAX, "1000", "The most epochs to run."),
  INTEGER(factors, INT32, 1, 2048, "2", "Columns of the factor matrices P and Q."),
  WORD(solver, "gd|als", 1, "gd",
       "How to train: full-batch gradient descent, or alternating least squares."),
  WORD(update, "gradient|notebook", 1, "gradient",
       "The step of gradient descent: that of the objective, or the notebook's."),
  WORD(objective, "squared|observed|implicit", 2, "squared",
       "Which cells count: all, absent ones as zeros; those that are present; or clicks, absent "
       "ones as weak zeros."),
  INTEGER(patience, INT32, 0, INT32_MAX, "10",
          "Stop after this many epochs in a row without a lower loss; 0: never."),
  WORD(init, "normal|torch|given|model", 3, "normal",
       "The factors at the start: normal draws, those of torch.randn, given ones, or the model's."),
  INTEGER(threads, INT32, 0, 4096, "0",
          "Threads to use; 0: as many as the process may run on."),
  INTEGER(keep_best, INT32, 0, 1, "0",
          "1: end with the factors of the lowest loss; 0: with the last ones."),
  NUMBER(learning_rate, 1, "0.01", "The length of a step."),
  NUMBER(regularization, 0, "0.02", "The weight of the factors' size in the loss."),
  NUMBER(min_delta, 0, "0.001", "How much lower than the best a loss must be to count as lower."),
  NUMBER(init_scale, 1, "1", "What drawn initial factors are multiplied by."),
  INTEGER(seed, UINT64, 0, (double)UINT64_MAX, "0", "The seed of the initial factors."),
  RANGE(bias_regularization, -1, DBL_MAX, "-1",
        "The weight of the biases' size in the loss; -1: as regularization."),
  RANGE(regularization_scaling, 0, 1, "0",
        "The power of a row's number of cells that multiplies its regularization."),
  NUMBER(confidence, 0, "1", "A click of value r weighs 1 + confidence r."),
  NUMBER(unobserved_weight, 0, "1", "What an absent cell weighs beside clicks."),
  WORD(implicit_zeros, "unobserved|all", 1, "unobserved",
       "Whether zeros are charged to absent cells alone or to clicked ones too."),
  WORD(biases, "auto|none|rows|cols|both", 4, "auto",
       "Which biases there are; auto: both for objective observed."),
  WORD(mean, "auto|none", 1, "auto",
       "Whether the mean is taken off first; auto: for objective observed."),
  INTEGER(nonnegative, INT32, 0, 1, "0", "1: factors are 0 or more."),
  INTEGER(conjugate_gradient, INT64, 0, 1000, "0",
          "Steps of conjugate gradient for each row; 0: the exact solution."),
  INTEGER(memory_limit, UINT64, 0, (double)UINT64_MAX, "0",
          "Bytes that a fit may take beside its data; 0: no limit."),
  TEXT(checkpoint, "", "A file that a fit writes its state to as it goes; by default none."),
  INTEGER(checkpoint_every, INT64, 0, (double)INT64_MAX, "0",
          "Epochs from one checkpoint to the next; 0: 1."),
};
/* clang-format on */

enum { TABLE_ROWS = sizeof table / sizeof table[0] };

int pqf_sized_check(size_t *size, size_t least, const void *given, const char *what)
{
  if (given == NULL)
    return pqf_fail(PQF_EINVAL, "%s is NULL", what);
  uint64_t claimed;
  memcpy(&claimed, given, sizeof claimed);
  if (claimed < least || claimed % 8 != 0 || claimed > LARGEST_SIZE)
    return pqf_fail(PQF_EINVAL, "%s: size is %" PRIu64 ": must be a multiple of 8 from %zu to %d",
                    what, claimed, least, LARGEST_SIZE);
  *size = (size_t)claimed;
  return PQF_OK;
}

int pqf_read_sized(void *out, size_t known, size_t least, const void *given, const char *what)
{
  size_t size;
  const int status = pqf_sized_check(&size, least, given, what);
  if (status != PQF_OK)
    return status;
  const unsigned char *bytes = given;
  for (size_t n = known; n < size; ++n)
    if (bytes[n] != 0)
      return pqf_fail(PQF_EINVAL,
                      "%s: byte %zu of %zu is set: a newer release's member, unknown to this one",
                      what, n, size);
  memcpy(out, given, size < known ? size : known);
  const uint64_t whole = known;
  memcpy(out, &whole, sizeof whole);
  return PQF_OK;
}

int pqf_write_sized(void *out, size_t known, size_t least, const void *value, const char *what)
{
  size_t size;
  const int status = pqf_sized_check(&size, least, out, what);
  if (status != PQF_OK)
    return status;
  const size_t common = size < known ? size : known;
  const size_t head = sizeof(uint64_t); /* the caller's `size` stays */
  memcpy((char *)out + head, (const char *)value + head, common - head);
  memset((char *)out + common, 0, size - common);
  return PQF_OK;
}

int pqf_options_init(pqf_options *options, uint64_t size)
{
  const pqf_options defaults = PQF_OPTIONS_INIT;
  size_t checked;
  const int status = options == NULL ? pqf_fail(PQF_EINVAL, "options is NULL")
                                     : pqf_sized_check(&checked, PQF_OPTIONS_FIRST_SIZE, &size,
                                                       "pqf_options_init");
  if (status != PQF_OK)
    return status;
  memcpy(options, &size, sizeof size);
  return pqf_write_sized(options, sizeof defaults, PQF_OPTIONS_FIRST_SIZE, &defaults, "options");
}

int32_t pqf_option_count(void)
{
  return TABLE_ROWS;
}

const pqf_option_row *pqf_option_row_of(int32_t index)
{
  return &table[index];
}

int32_t pqf_option_find(const char *name)
{
  for (int32_t n = 0; n < TABLE_ROWS; ++n)
    if (strcmp(table[n].name, name) == 0)
      return n;
  return -1;
}

int pqf_option_info(int32_t index, pqf_option *out)
{
  if (index < 0 || index >= TABLE_ROWS)
    return pqf_fail(PQF_EINVAL, "option %" PRId32 ": must be from 0 to %d", index, TABLE_ROWS - 1);
  const pqf_option_row *row = &table[index];
  const pqf_option info = {.size = sizeof info,
                           .name = row->name,
                           .help = row->help,
                           .default_value = row->default_value,
                           .words = row->words,
                           .minimum = row->minimum,
                           .maximum = row->maximum,
                           .type = row->type,
                           .minimum_excluded = row->minimum_excluded};
  return pqf_write_sized(out, sizeof info, OPTION_FIRST_SIZE, &info, "option");
}

size_t pqf_option_end(const pqf_option_row *row)
{
  return row->offset + (row->member == PQF_MEMBER_INT32 ? sizeof(int32_t) : sizeof(uint64_t));
}

int pqf_option_refuse(const pqf_option_row *row, const char *value, const char *quote)
{
  char least[PQF_NUMBER_TEXT];
  char most[PQF_NUMBER_TEXT];
  pqf_number_print(row->minimum, least);
  pqf_number_print(row->maximum, most);
  /* what a double holds rounded */
  if (row->member == PQF_MEMBER_UINT64 && row->maximum >= (double)UINT64_MAX)
    snprintf(most, sizeof most, "%" PRIu64, UINT64_MAX);
  if (row->member == PQF_MEMBER_INT64 && row->maximum >= (double)INT64_MAX)
    snprintf(most, sizeof most, "%" PRId64, INT64_MAX);
  const char *kind = quote[0] == '\0'                ? ""
                     : row->type == PQF_TYPE_INTEGER ? "a whole number "
                                                     : "a number ";
  switch (row->type) {
  case PQF_TYPE_INTEGER:
  case PQF_TYPE_NUMBER:
    if (row->type == PQF_TYPE_INTEGER || row->maximum < DBL_MAX)
      return pqf_fail(PQF_EINVAL, "%s is %s%.100s%s: must be %sfrom %s to %s", row->name, quote,
                      value, quote, kind, least, most);
    return pqf_fail(PQF_EINVAL, "%s is %s%.100s%s: must be %s%s%s%s and finite", row->name, quote,
                    value, quote, kind, row->minimum_excluded ? "above " : "", least,
                    row->minimum_excluded ? "" : " or more");
  default:
    return pqf_fail(PQF_EINVAL, "%s is %s%.100s%s: must be one of %s", row->name, quote, value,
                    quote, row->words);
  }
}

/* A back end is named in model files too: the name must not lead out of the folder of modules, and
 * must be text wherever it is read. */
static int check_text(const pqf_option_row *row, const char *text)
{
  if (text == NULL || row->offset != offsetof(pqf_options, backend))
    return PQF_OK;
  size_t length = 0;
  while (text[length] > ' ' && text[length] <= '~' && text[length] != '/')
    ++length;
  if (text[length] != '\0' || length > LONGEST_BACKEND)
    return pqf_fail(PQF_EINVAL,
                    "backend is '%.100s': must be a name of at most %d printable characters of "
                    "ASCII without space or '/'",
                    text, LONGEST_BACKEND);
  return PQF_OK;
}

int pqf_option_check(const pqf_option_row *row, const pqf_options *options)
{
  const char *at = (const char *)options + row->offset;
  char text[PQF_NUMBER_TEXT];
  double value;
  if (row->member == PQF_MEMBER_TEXT) {
    const char *given;
    memcpy(&given, at, sizeof given);
    return check_text(row, given);
  }
  if (row->member == PQF_MEMBER_UINT64)
    return PQF_OK; /* all are allowed */
  if (row->member == PQF_MEMBER_DOUBLE) {
    memcpy(&value, at, sizeof value);
    pqf_number_print(value, text);
  } else {
    int64_t integer;
    int32_t narrow;
    if (row->member == PQF_MEMBER_INT32) {
      memcpy(&narrow, at, sizeof narrow);
      integer = narrow;
    } else {
      memcpy(&integer, at, sizeof integer);
    }
    value = (double)integer;
    snprintf(text, sizeof text, "%" PRId64, integer);
  }
  const int above = row->minimum_excluded ? value > row->minimum : value >= row->minimum;
  return above && value <= row->maximum ? PQF_OK : pqf_option_refuse(row, text, "");
}

/* An empty text means the default, as NULL does. */
static int copy_text(const char **out, const char *text)
{
  *out = NULL;
  if (text == NULL || text[0] == '\0')
    return PQF_OK;
  *out = pqf_copy_text(text);
  return *out != NULL ? PQF_OK : PQF_ENOMEM;
}

int pqf_options_copy(pqf_options *out, const pqf_options *given)
{
  const pqf_options defaults = PQF_OPTIONS_INIT;
  pqf_options read = defaults;
  int status = PQF_OK;
  *out = defaults;
  if (given != NULL)
    status = pqf_read_sized(&read, sizeof read, PQF_OPTIONS_FIRST_SIZE, given, "options");
  for (int32_t n = 0; n < TABLE_ROWS && status == PQF_OK; ++n)
    status = pqf_option_check(&table[n], &read);
  if (status != PQF_OK)
    return status;

  *out = read;
  out->backend_path = NULL;
  out->checkpoint = NULL;
  status = copy_text(&out->backend, read.backend);
  if (status == PQF_OK)
    status = copy_text(&out->backend_path, read.backend_path);
  if (status == PQF_OK)
    status = copy_text(&out->checkpoint, read.checkpoint);
  if (status != PQF_OK)
    pqf_options_clear(out);
  return status;
}

void pqf_options_clear(pqf_options *options)
{
  pqf_release((char *)(uintptr_t)options->backend);
  pqf_release((char *)(uintptr_t)options->backend_path);
  pqf_release((char *)(uintptr_t)options->checkpoint);
  options->backend = NULL;
  options->backend_path = NULL;
  options->checkpoint = NULL;
}
