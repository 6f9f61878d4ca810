/* Steps that set options, by name and as bytes, and create models. */
#include "calls_state.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Texts that some option takes, and texts that none may. */
static const char *const texts[] = {
    "",
    "0",
    "1",
    "2",
    "3",
    "64",
    "70",
    "2048",
    "2049",
    "-1",
    "-2",
    "0.5",
    "1e-3",
    "1e-8",
    "1e300",
    "1e-310",
    "nan",
    "inf",
    "-inf",
    "0x10",
    " 1",
    "1 ",
    "+1",
    "18446744073709551615",
    "18446744073709551616",
    "9223372036854775807",
    "-9223372036854775808",
    "1000",
    "cpu",
    "auto",
    "cuda",
    "cuda:1",
    "CPU",
    "../x",
    "cpu/..",
    "cpu:1",
    "no_such_backend",
    "/absent",
    "als|gd",
    "1e5000",
    "--",
    "\xff\xfe",
    "1.5.2",
    "given",
    "model",
};

/* A valid value of an option, or one at its bounds. */
static const char *choose_own_value(const pqf_option *option, char *out, size_t capacity)
{
  const uint8_t choice = calls_next();
  if (option->type == PQF_TYPE_WORD) {
    const char *word = option->words;
    for (int skip = choice % 5; skip > 0; --skip) {
      const char *next = strchr(word, '|');
      word = next != NULL ? next + 1 : option->words;
    }
    snprintf(out, capacity, "%.*s", (int)strcspn(word, "|"), word);
  } else if (option->type == PQF_TYPE_INTEGER) {
    if (choice < 240)
      snprintf(out, capacity, "%d", choice % 24);
    else
      snprintf(out, capacity, "%.0f", choice % 2 != 0 ? option->maximum : option->minimum);
  } else if (option->type == PQF_TYPE_NUMBER) {
    static const char *const numbers[] = {"0",    "1e-8", "1e-6", "0.001", "0.02",   "0.1",
                                          "0.25", "0.5",  "1",    "4",     "40",     "100",
                                          "1e6",  "1e20", "1e38", "1e300", "5e-324", "-1"};
    snprintf(out, capacity, "%s", numbers[choice % (sizeof numbers / sizeof numbers[0])]);
  } else {
    snprintf(out, capacity, "%s", option->default_value);
  }
  return out;
}

/* A name and a value. A checkpoint is written to a slot's file, or to a folder that is not there.
 */
static void choose_option(const char **name, const char **value)
{
  static char own[128];
  static pqf_option option;
  const uint8_t which = calls_next();
  option = (pqf_option){.size = sizeof option};
  MUST(pqf_option_info(which % pqf_option_count(), &option));
  *name = option.name;
  *value = calls_choose(4) != 0 ? choose_own_value(&option, own, sizeof own)
                                : texts[calls_choose((int64_t)(sizeof texts / sizeof texts[0]))];
  if (which >= 250)
    *name = which % 2 != 0 ? "factor" : "";
  if (strcmp(*name, "checkpoint") == 0)
    *value = calls_choose(8) != 0 ? calls_path(calls_choose(FILE_SLOTS)) : "/absent/folder/file";
  calls_tell("%s = %.60s", *name, *value);
}

static pqf_options *given_options(void)
{
  return calls_rarely() ? NULL : &calls.options.options;
}

void calls_step_options_init(void)
{
  static const uint64_t sizes[] = {
      sizeof(pqf_options), sizeof(pqf_options) + 16, 136, 144, 7, 0, UINT64_MAX, 128};
  const uint64_t size = sizes[calls_choose((int64_t)(sizeof sizes / sizeof sizes[0]))];
  calls_options before = calls.options;
  memset(calls.options.bytes, 0x5a, sizeof calls.options.bytes);
  const int status = CALL(pqf_options_init(&calls.options.options, size));
  const int is_size = size >= 8 && size <= sizeof calls.options.bytes && size % 8 == 0;
  HOLDS(is_size || status == PQF_EINVAL, "pqf_options_init() took a size of %d", (int)size);
  if (status != PQF_OK)
    calls.options = before;
  for (size_t n = (size_t)size; status == PQF_OK && n < sizeof calls.options.bytes; n++)
    HOLDS(calls.options.bytes[n] == 0x5a, "pqf_options_init() wrote beyond the struct");
}

void calls_step_options_set(void)
{
  const char *name = NULL;
  const char *value = NULL;
  const calls_options before = calls.options;
  choose_option(&name, &value);
  static char kept[OPTION_TEXT]; /* text is borrowed until a model is created */
  if (strcmp(name, "checkpoint") == 0) {
    snprintf(kept, sizeof kept, "%s", value);
    value = kept;
  } else if (strcmp(name, "backend") == 0 || strcmp(name, "backend_path") == 0) {
    for (size_t n = 0; n < sizeof texts / sizeof texts[0]; n++)
      if (strcmp(texts[n], value) == 0)
        value = texts[n];
  }
  const int status = CALL(pqf_options_set(given_options(), name, value));
  if (status != PQF_OK)
    HOLDS(memcmp(&before, &calls.options, sizeof before) == 0,
          "pqf_options_set() failed and changed the options");
}

void calls_step_options_preset(void)
{
  static const char *const names[] = {"notebook", "ratings", "clicks", "", "Ratings"};
  const calls_options before = calls.options;
  const int64_t which = calls_choose(5);
  const int status = CALL(pqf_options_preset(given_options(), names[which]));
  if (status != PQF_OK)
    HOLDS(memcmp(&before, &calls.options, sizeof before) == 0,
          "pqf_options_preset() failed and changed the options");
}

/* Bytes that no setter would write: in numbers and sizes, never in pointers. */
void calls_step_options_raw(void)
{
  pqf_options *o = &calls.options.options;
  switch (calls_choose(12)) {
  case 0:
    o->learning_rate = calls_number();
    break;
  case 1:
    o->regularization = calls_number();
    break;
  case 2:
    o->min_delta = calls_number();
    break;
  case 3:
    o->init_scale = calls_number();
    break;
  case 4:
    o->bias_regularization = calls_number();
    break;
  case 5:
    o->confidence = calls_number();
    break;
  case 6:
    o->unobserved_weight = calls_number();
    break;
  case 7:
    o->solver = (int32_t)calls_next() - 128;
    break;
  case 8:
    o->factors = (int32_t)calls_next() - 1;
    break;
  case 9:
    o->epochs = (int64_t)calls_next() - 2;
    break;
  case 10:
    o->size = calls_choose(2) == 0 ? sizeof calls.options.bytes
                                   : 8 * (uint64_t)calls_choose(sizeof *o / 8);
    break;
  default:
    calls.options.bytes[sizeof *o + (size_t)calls_choose(16)] = calls_next();
    break;
  }
}

void calls_step_option_info(void)
{
  const int32_t index = (int32_t)calls_next() - 100;
  struct {
    pqf_option option;
    uint64_t beyond[2];
  } wide = {.option = {.size = calls_rarely() ? 9 : sizeof(pqf_option)}, .beyond = {7, 7}};
  const int status = CALL(pqf_option_info(index, &wide.option));
  HOLDS(status == PQF_OK || status == PQF_EINVAL, "pqf_option_info(): %d", status);
  HOLDS(wide.beyond[0] == 7 && wide.beyond[1] == 7, "pqf_option_info() wrote beyond the struct");
}

static void create(calls_model *slot, const pqf_options *options)
{
  pqf_model *model = (pqf_model *)slot; /* whatever was there */
  const int status = CALL(pqf_create(&model, options));
  HOLDS((model != NULL) == (status == PQF_OK), "a model and status %d", status);
  calls_drop_model(slot);
  slot->model = model;
}

void calls_step_create(void)
{
  create(&calls.model[calls_choose(MODEL_SLOTS)], given_options());
}

/* Options that go together, for fits that get somewhere. */
void calls_step_create_usual(void)
{
  static const double lambdas[] = {0.02, 0.5, 4, 1e-3, 1e-6, 1e-8, 0, 100};
  static const double scales[] = {1, 0.1, 0.02, 1e-3};
  calls_model *slot = &calls.model[calls_choose(MODEL_SLOTS)];
  pqf_options o = PQF_OPTIONS_INIT;
  const uint8_t kind = calls_next();
  const uint8_t numbers = calls_next();
  const uint8_t more = calls_next();
  const uint8_t size = calls_next();
  o.solver = kind % 4 == 0 ? PQF_SOLVER_GD : PQF_SOLVER_ALS;
  o.objective = o.solver == PQF_SOLVER_GD ? kind / 4 % 2 : kind / 4 % 3;
  o.update = o.solver == PQF_SOLVER_GD && o.objective == PQF_OBJECTIVE_SQUARED ? kind / 8 % 2 : 0;
  o.keep_best = kind / 32 % 2;
  o.init = kind / 64 % 2 != 0 ? PQF_INIT_TORCH : PQF_INIT_NORMAL;
  o.regularization = lambdas[numbers % 8];
  o.init_scale = scales[numbers / 8 % 4];
  o.patience = numbers / 32 % 4;
  o.min_delta = numbers / 128 != 0 ? 1e-4 : 1e-3;
  o.factors = size < 224 ? 1 + size % 20 : 20 + size % 51;
  o.epochs = 1 + more % MOST_EPOCHS;
  if (o.solver == PQF_SOLVER_ALS) {
    o.regularization_scaling = more / 4 % 3 * 0.5;
    o.nonnegative = more / 16 % 4 == 3;
    o.conjugate_gradient = more / 16 % 4 == 2 ? 3 : 0;
    o.biases = o.objective == PQF_OBJECTIVE_OBSERVED ? more / 64 : 0;
    o.unobserved_weight = more / 64 % 2 != 0 ? 0.1 : 1;
    o.implicit_zeros = more / 128;
    o.confidence = more / 4 % 2 != 0 ? 40 : 1;
  }
  o.seed = size;
  calls_tell("slot %d: solver %d, objective %d, %d factors, lambda %g", (int)(slot - calls.model),
             (int)o.solver, (int)o.objective, (int)o.factors, o.regularization);
  create(slot, &o);
  HOLDS(slot->model != NULL, "usual options are refused: %s", pqf_error_message());
}

void calls_step_set_option(void)
{
  static calls_snapshot before;
  static calls_snapshot after;
  calls_model *slot = &calls.model[calls_choose(MODEL_SLOTS)];
  const char *name = NULL;
  const char *value = NULL;
  choose_option(&name, &value);
  if (slot->model == NULL) {
    HOLDS(CALL(pqf_model_set_option(NULL, name, value)) == PQF_EINVAL, "an option of no model");
    return;
  }
  char factors[OPTION_TEXT];
  char now[OPTION_TEXT];
  calls_option(slot->model, "factors", factors);
  calls_take(&before, slot->model);
  const int status = CALL(pqf_model_set_option(slot->model, name, value));
  calls_take(&after, slot->model);
  calls_compare(&before, &after,
                status == PQF_OK ? ALL_PARTS & ~(1 << OPTIONS) & ~(1 << RUN_OPTIONS) &
                                       ~(pqf_model_rows(slot->model) == 0 ? 1 << SHAPE : 0)
                                 : ALL_PARTS,
                "pqf_model_set_option()");
  if (strcmp(factors, calls_option(slot->model, "factors", now)) != 0)
    slot->given_rows = 0; /* initial factors are dropped */
}
