/* Options: the table, sized structs of other releases, and the text forms. */
#include "option_table.h"
#include "suites.h"
#include "test.h"

#include "number_text.h"
#include "options.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A struct of a later release: what this one knows, and more. */
typedef struct later_options {
  pqf_options known;
  uint64_t later[4];
} later_options;

static void check_default(const pqf_options *options, const pqf_option *option, int32_t index)
{
  pqf_options set = *options;
  char text[64];
  CU_ASSERT(pqf_option_text(options, index, text, sizeof text) < (int)sizeof text);
  CU_ASSERT_STRING_EQUAL(text, option->default_value);
  CHECK_OK(pqf_options_set(&set, option->name, option->default_value));
  CU_ASSERT(pqf_option_text(&set, index, text, sizeof text) < (int)sizeof text);
  CU_ASSERT_STRING_EQUAL(text, option->default_value);
}

static void table_is_sound(void)
{
  const pqf_options defaults = PQF_OPTIONS_INIT;
  CU_ASSERT(pqf_option_count() >= 16);
  for (int32_t n = 0; n < pqf_option_count(); ++n) {
    pqf_option option = {.size = sizeof option};
    REQUIRE_OK(pqf_option_info(n, &option));
    CU_ASSERT_EQUAL(option.size, sizeof option);
    CU_ASSERT_EQUAL(pqf_option_find(option.name), n);
    CU_ASSERT_EQUAL(option.help[strlen(option.help) - 1], '.');
    CU_ASSERT_EQUAL(option.type == PQF_TYPE_WORD, option.words != NULL);
    CU_ASSERT(option.minimum <= option.maximum);
    check_default(&defaults, &option, n);
  }
}

static void table_refuses_what_it_has_not(void)
{
  pqf_option option = {.size = sizeof option};
  CHECK_STATUS(pqf_option_info(-1, &option), PQF_EINVAL);
  CHECK_STATUS(pqf_option_info(pqf_option_count(), &option), PQF_EINVAL);
  CHECK_WORDS("must be from 0 to");
  CHECK_STATUS(pqf_option_info(0, NULL), PQF_EINVAL);
  option.size = 8;
  CHECK_STATUS(pqf_option_info(0, &option), PQF_EINVAL);
  CHECK_WORDS("size is 8");
}

static void init_gives_the_defaults(void)
{
  const pqf_options defaults = PQF_OPTIONS_INIT;
  pqf_options options;
  memset(&options, 0xff, sizeof options);
  CHECK_OK(pqf_options_init(&options, sizeof options));
  CU_ASSERT_EQUAL(memcmp(&options, &defaults, sizeof options), 0);

  later_options later;
  memset(&later, 0xff, sizeof later);
  CHECK_OK(pqf_options_init(&later.known, sizeof later));
  CU_ASSERT_EQUAL(later.known.size, sizeof later);
  for (size_t n = 0; n < sizeof later.later / sizeof later.later[0]; ++n)
    CU_ASSERT_EQUAL(later.later[n], 0);

  CHECK_STATUS(pqf_options_init(NULL, sizeof options), PQF_EINVAL);
  CHECK_STATUS(pqf_options_init(&options, PQF_OPTIONS_FIRST_SIZE - 8), PQF_EINVAL);
  CHECK_OK(pqf_options_init(&options, PQF_OPTIONS_FIRST_SIZE));
  CHECK_STATUS(pqf_options_init(&options, sizeof options + 4), PQF_EINVAL);
  CHECK_WORDS("multiple of 8");
}

static void sized_structs_of_other_releases(void)
{
  /* A struct that grew from 24 to 40 bytes since its first release. */
  typedef struct grown {
    uint64_t size;
    int64_t first[2];
    int64_t appended[2];
  } grown;
  const grown defaults = {sizeof(grown), {1, 2}, {3, 4}};
  grown given = {24, {10, 20}, {30, 40}};
  grown out = defaults;
  CHECK_OK(pqf_read_sized(&out, sizeof out, 24, &given, "grown"));
  CU_ASSERT_EQUAL(out.size, sizeof out);
  CU_ASSERT(out.first[0] == 10 && out.first[1] == 20);
  CU_ASSERT(out.appended[0] == 3 && out.appended[1] == 4);

  /* The same caller asks for values: nothing is written past its 24 bytes. */
  CHECK_OK(pqf_write_sized(&given, sizeof defaults, 24, &defaults, "grown"));
  CU_ASSERT(given.size == 24 && given.first[1] == 2 && given.appended[0] == 30);

  given.size = 16;
  CHECK_STATUS(pqf_read_sized(&out, sizeof out, 24, &given, "grown"), PQF_EINVAL);
  CHECK_WORDS("grown: size is 16");
  CHECK_STATUS(pqf_write_sized(&given, sizeof out, 24, &defaults, "grown"), PQF_EINVAL);
  given.size = (uint64_t)1 << 40; /* never initialised: not read that far */
  CHECK_STATUS(pqf_read_sized(&out, sizeof out, 24, &given, "grown"), PQF_EINVAL);
}

static void options_of_a_later_release(void)
{
  later_options later = {PQF_OPTIONS_INIT, {0}};
  pqf_model *model = NULL;
  later.known.size = sizeof later;
  CHECK_OK(pqf_options_set(&later.known, "factors", "9"));
  CHECK_OK(pqf_create(&model, &later.known));
  CU_ASSERT_EQUAL(pqf_model_factors(model), 9);
  pqf_free(model);
  later.later[3] = 1;
  CHECK_STATUS(pqf_create(&model, &later.known), PQF_EINVAL);
  CHECK_WORDS("is set");
  CU_ASSERT_PTR_NULL(model);
  later.known.size = 0;
  CHECK_STATUS(pqf_create(&model, &later.known), PQF_EINVAL);
  CHECK_STATUS(pqf_options_set(&later.known, "factors", "9"), PQF_EINVAL);
}

typedef struct text_case {
  const char *name;
  const char *value;
  const char *words; /* of the refusal; NULL: it is taken, and reads back as it was */
} text_case;

static const text_case text_cases[] = {
    {"factors", "1", NULL},
    {"factors", "2048", NULL},
    {"factors", "0", "factors is 0: must be from 1 to 2048"},
    {"factors", "2049", "factors is 2049: must be from 1 to 2048"},
    {"factors", "-1", "factors is -1: must be from 1 to 2048"},
    {"factors", "4294967298", "factors is 4294967298: must be from 1 to 2048"},
    {"factors", "", "factors is '': must be a whole number from 1 to 2048"},
    {"factors", "many", "factors is 'many': must be a whole number"},
    {"factors", "2.5", "must be a whole number"},
    {"factors", " 2", "must be a whole number"},
    {"factors", "2 ", "must be a whole number"},
    {"factors", "0x2", "must be a whole number"},
    {"epochs", "9223372036854775807", NULL},
    {"epochs", "0", "epochs is 0: must be from 1 to 9223372036854775807"},
    {"epochs", "9223372036854775808", "must be a whole number from 1 to 9223372036854775807"},
    {"patience", "0", NULL},
    {"patience", "2147483647", NULL},
    {"patience", "2147483648", "must be from 0 to 2147483647"},
    {"threads", "4097", "threads is 4097: must be from 0 to 4096"},
    {"keep_best", "1", NULL},
    {"keep_best", "yes", "must be a whole number from 0 to 1"},
    {"seed", "18446744073709551615", NULL},
    {"seed", "18446744073709551616", "must be a whole number from 0 to 18446744073709551615"},
    {"seed", "-1", "must be a whole number from 0"},
    {"learning_rate", "0.001", NULL},
    {"learning_rate", "1e-300", NULL},
    {"learning_rate", "0.10000000000000002", NULL},
    {"learning_rate", "0", "learning_rate is 0: must be above 0"},
    {"learning_rate", "-0.5", "learning_rate is -0.5: must be above 0"},
    {"learning_rate", "nan", "learning_rate is nan: must be above 0"},
    {"learning_rate", "inf", "learning_rate is inf: must be above 0 and finite"},
    {"learning_rate", "1e999", "learning_rate is inf: must be above 0 and finite"},
    {"learning_rate", "0,5", "learning_rate is '0,5': must be a number above 0"},
    {"learning_rate", "0x1p3", "must be a number"},
    {"learning_rate", "1 ", "must be a number"},
    {"learning_rate", "", "must be a number"},
    {"learning_rate", "-", "must be a number"},
    {"learning_rate", "infinity", "must be a number"},
    {"regularization", "0", NULL},
    {"regularization", "-1", "regularization is -1: must be 0 or more"},
    {"min_delta", "0", NULL},
    {"min_delta", "nan", "min_delta is nan: must be 0 or more"},
    {"init_scale", "0", "init_scale is 0: must be above 0"},
    {"init", "given", NULL},
    {"init", "torch", NULL},
    {"init", "tor", "init is 'tor': must be one of normal|torch|given|model"},
    {"init", "torch|given", "must be one of"},
    {"init", "", "must be one of"},
    {"init", "1", "must be one of"},
    {"update", "notebook", NULL},
    {"objective", "observed", NULL},
    {"solver", "gd", NULL},
    {"solver", "sgd", "solver is 'sgd': must be one of gd|als"},
    {"regularization_scaling", "1.5", "regularization_scaling is 1.5: must be from 0 to 1"},
    {"bias_regularization", "-2", "bias_regularization is -2: must be -1 or more and finite"},
    {"confidence", "-1", "confidence is -1: must be 0 or more and finite"},
    {"conjugate_gradient", "1000", NULL},
    {"conjugate_gradient", "1001", "conjugate_gradient is 1001: must be from 0 to 1000"},
    {"conjugate_gradient", "-1", "conjugate_gradient is -1: must be from 0 to 1000"},
    {"conjugate_gradient", "few", "must be a whole number from 0 to 1000"},
    {"checkpoint_every", "-1", "must be from 0 to 9223372036854775807"},
    {"memory_limit", "-1", "must be a whole number from 0 to 18446744073709551615"},
    {"backend", "cuda:1", NULL},
    {"backend", "../cuda", "backend is '../cuda': must be a name"},
    {"backend", "c pu", "must be a name"},
    {"backend_path", "/opt/pqf modules", NULL},
    {"factor", "3", "unknown option 'factor': did you mean 'factors'?"},
    {"learning-rate", "1", "did you mean 'learning_rate'?"},
    {"lr", "1", "unknown option 'lr'"},
    {"", "1", "unknown option ''"},
    {"regularisation", "1", "did you mean 'regularization'?"},
};

static void values_as_text(void)
{
  for (size_t n = 0; n < sizeof text_cases / sizeof text_cases[0]; ++n) {
    const text_case *one = &text_cases[n];
    const pqf_options before = PQF_OPTIONS_INIT;
    pqf_options options = before;
    if (one->words == NULL) {
      char text[64];
      CHECK_OK(pqf_options_set(&options, one->name, one->value));
      pqf_option_text(&options, pqf_option_find(one->name), text, sizeof text);
      CU_ASSERT_STRING_EQUAL(text, one->value);
    } else {
      CHECK_STATUS(pqf_options_set(&options, one->name, one->value), PQF_EINVAL);
      CHECK_WORDS(one->words);
      CU_ASSERT_EQUAL(memcmp(&options, &before, sizeof options), 0);
    }
  }
  pqf_options options = PQF_OPTIONS_INIT;
  CHECK_STATUS(pqf_options_set(NULL, "factors", "3"), PQF_EINVAL);
  CHECK_STATUS(pqf_options_set(&options, NULL, "3"), PQF_EINVAL);
  CHECK_STATUS(pqf_options_set(&options, "factors", NULL), PQF_EINVAL);
}

static void long_unknown_names(void)
{
  pqf_options options = PQF_OPTIONS_INIT;
  char name[1000];
  memset(name, 'f', sizeof name);
  name[sizeof name - 1] = '\0';
  CHECK_STATUS(pqf_options_set(&options, name, "1"), PQF_EINVAL);
  CHECK_WORDS("did you mean '");
  CHECK_STATUS(pqf_options_set(&options, "backend", name), PQF_EINVAL);
  CHECK_WORDS("at most 255");
}

/* What a C program may put into the struct. */
typedef struct member_case {
  size_t offset;
  size_t size; /* 4 or 8: integers */
  double value;
  const char *words;
} member_case;

#define INTEGER_CASE(member, value, words)                                                         \
  {                                                                                                \
    offsetof(pqf_options, member), sizeof(((pqf_options *)0)->member), value, words                \
  }
#define NUMBER_CASE(member, value, words)                                                          \
  {                                                                                                \
    offsetof(pqf_options, member), 0, value, words                                                 \
  }

static const member_case member_cases[] = {
    INTEGER_CASE(factors, 0, "factors is 0: must be from 1 to 2048"),
    INTEGER_CASE(factors, 100000, "factors is 100000: must be from 1 to 2048"),
    INTEGER_CASE(epochs, -1, "epochs is -1: must be from 1 to 9223372036854775807"),
    INTEGER_CASE(solver, 2, "solver is 2: must be one of gd|als"),
    INTEGER_CASE(update, 2, "update is 2: must be one of gradient|notebook"),
    INTEGER_CASE(objective, -1, "objective is -1"),
    INTEGER_CASE(patience, -1, "patience is -1"),
    INTEGER_CASE(init, 4, "init is 4: must be one of normal|torch|given|model"),
    INTEGER_CASE(threads, -1, "threads is -1"),
    INTEGER_CASE(keep_best, 2, "keep_best is 2"),
    NUMBER_CASE(learning_rate, 0, "learning_rate is 0: must be above 0"),
    NUMBER_CASE(learning_rate, (double)NAN, "learning_rate is nan"),
    NUMBER_CASE(regularization, -0.25, "regularization is -0.25: must be 0 or more"),
    NUMBER_CASE(min_delta, (double)INFINITY, "min_delta is inf"),
    NUMBER_CASE(init_scale, -(double)INFINITY, "init_scale is -inf"),
};

static void members_out_of_range(void)
{
  for (size_t n = 0; n < sizeof member_cases / sizeof member_cases[0]; ++n) {
    const member_case *one = &member_cases[n];
    const int32_t narrow = one->size == sizeof narrow ? (int32_t)one->value : 0;
    const int64_t wide = one->size == sizeof wide ? (int64_t)one->value : 0;
    pqf_options options = PQF_OPTIONS_INIT;
    pqf_model *model = NULL;
    char *member = (char *)&options + one->offset;
    if (one->size == sizeof narrow)
      memcpy(member, &narrow, sizeof narrow);
    else if (one->size == sizeof wide)
      memcpy(member, &wide, sizeof wide);
    else
      memcpy(member, &one->value, sizeof one->value);
    CHECK_STATUS(pqf_create(&model, &options), PQF_EINVAL);
    CHECK_WORDS(one->words);
    CU_ASSERT_PTR_NULL(model);
  }
  pqf_options options = PQF_OPTIONS_INIT;
  pqf_model *model = NULL;
  options.backend = "a/b";
  CHECK_STATUS(pqf_create(&model, &options), PQF_EINVAL);
  CHECK_WORDS("backend is 'a/b'");
}

static void model_tells_its_options(void)
{
  char folder[] = "/somewhere";
  char backend[] = "cpu";
  char text[64];
  pqf_options options = PQF_OPTIONS_INIT;
  pqf_model *model = NULL;
  options.backend = backend;
  options.backend_path = folder;
  options.learning_rate = 0.1;
  REQUIRE_OK(pqf_create(&model, &options));
  memset(folder, 'x', sizeof folder - 1); /* borrowed until pqf_create has returned */
  memset(backend, 'x', sizeof backend - 1);
  CHECK_OK(pqf_model_option(model, "backend_path", text, sizeof text));
  CU_ASSERT_STRING_EQUAL(text, "/somewhere");
  CHECK_OK(pqf_model_option(model, "backend", text, sizeof text));
  CU_ASSERT_STRING_EQUAL(text, "cpu");
  CHECK_OK(pqf_model_option(model, "learning_rate", text, 4));
  CU_ASSERT_STRING_EQUAL(text, "0.1");
  CHECK_STATUS(pqf_model_option(model, "learning_rate", text, 3), PQF_EINVAL);
  CHECK_WORDS("3 bytes is too small: 4 are needed");
  CHECK_STATUS(pqf_model_option(model, "learning", text, sizeof text), PQF_EINVAL);
  CHECK_WORDS("did you mean");
  CHECK_STATUS(pqf_model_option(NULL, "factors", text, sizeof text), PQF_EINVAL);
  CHECK_STATUS(pqf_model_option(model, NULL, text, sizeof text), PQF_EINVAL);
  CHECK_STATUS(pqf_model_option(model, "factors", NULL, 0), PQF_EINVAL);
  pqf_free(model);
}

static void empty_texts_are_defaults(void)
{
  pqf_options options = PQF_OPTIONS_INIT;
  pqf_model *model = NULL;
  char text[64];
  CHECK_OK(pqf_options_set(&options, "backend", ""));
  CHECK_OK(pqf_options_set(&options, "backend_path", ""));
  REQUIRE_OK(pqf_create(&model, &options));
  CHECK_OK(pqf_model_option(model, "backend", text, sizeof text));
  CU_ASSERT_STRING_EQUAL(text, "auto");
  CHECK_OK(pqf_model_option(model, "backend_path", text, sizeof text));
  CU_ASSERT_STRING_EQUAL(text, "");
  pqf_free(model);
}

static int create_with_texts(void *payload)
{
  pqf_model *model;
  const int status = pqf_create(&model, payload);
  pqf_free(model);
  return status;
}

static void every_allocation_of_create(void)
{
  pqf_options options = PQF_OPTIONS_INIT;
  options.backend = "cpu";
  options.backend_path = "/somewhere";
  test_every_allocation(create_with_texts, &options);
}

static void numbers_read_back(void)
{
  uint64_t state = 1;
  for (int n = 0; n < 20000; ++n) {
    const uint64_t bits = test_bits(&state);
    char text[PQF_NUMBER_TEXT];
    double value;
    double again;
    memcpy(&value, &bits, sizeof value);
    pqf_number_print(value, text);
    if (!pqf_number_parse(text, &again) ||
        (isnan(value) ? !isnan(again) : memcmp(&value, &again, sizeof value) != 0)) {
      CU_FAIL("a number does not read back");
      fprintf(stderr, "%a reads back as %a from %s\n", value, again, text);
    }
  }
}

/* Makes a locale with a decimal comma the one of this process; 0: there is none here. */
static int enter_comma_locale(void)
{
  static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "nl_NL.UTF-8"};
  char command[9000];
  for (size_t n = 0; n < sizeof names / sizeof names[0]; ++n)
    if (setlocale(LC_ALL, names[n]) != NULL)
      return 1;
  snprintf(command, sizeof command,
           "localedef --no-archive -i de_DE -f UTF-8 '%s/comma' >'%s/comma.log' 2>&1",
           test_directory(), test_directory());
  if (system(command) != 0)
    return 0;
  setenv("LOCPATH", test_directory(), 1);
  const int entered = setlocale(LC_ALL, "comma") != NULL;
  unsetenv("LOCPATH");
  return entered;
}

static void words_of_data_have_points(void)
{
  const int32_t place = 0;
  const float weight = -0.25f;
  pqf_split_options split = PQF_SPLIT_OPTIONS_INIT;
  uint8_t held_out;
  pqf_data *data;
  split.fraction = 1.5;
  CHECK_STATUS(pqf_split(1, 1, &place, NULL, &split, &held_out), PQF_EINVAL);
  CHECK_WORDS("fraction is 1.5:");
  split.fraction = 0.5;
  split.fold = 2;
  CHECK_STATUS(pqf_split(1, 1, &place, NULL, &split, &held_out), PQF_EINVAL);
  CHECK_WORDS("fraction of 0.5 there are folds 0 to 1");
  CHECK_STATUS(pqf_data_coo(&data, 1, 1, 1, &place, &place, NULL, &weight, NULL), PQF_EINVAL);
  CHECK_WORDS("(0, 0) is -0.25,");
}

static void decimal_comma_changes_nothing(void)
{
  pqf_options options = PQF_OPTIONS_INIT;
  char text[64];
  char plain[64];
  if (!enter_comma_locale()) {
    printf("\n    skipped: no locale with a decimal comma can be had here\n");
    return;
  }
  snprintf(plain, sizeof plain, "%.1f", 0.5);
  CU_ASSERT_STRING_EQUAL(plain, "0,5");
  CHECK_OK(pqf_options_set(&options, "learning_rate", "0.125"));
  CU_ASSERT_EQUAL(options.learning_rate, 0.125);
  pqf_option_text(&options, pqf_option_find("learning_rate"), text, sizeof text);
  CU_ASSERT_STRING_EQUAL(text, "0.125");
  CHECK_STATUS(pqf_options_set(&options, "learning_rate", "0,125"), PQF_EINVAL);
  options.regularization = -0.5;
  pqf_model *model = NULL;
  CHECK_STATUS(pqf_create(&model, &options), PQF_EINVAL);
  CHECK_WORDS("regularization is -0.5");
  words_of_data_have_points();
  setlocale(LC_ALL, "C");
}

void suite_options(void)
{
  CU_pSuite suite = CU_add_suite("options", NULL, NULL);
  CU_add_test(suite, "the table agrees with the defaults and with itself", table_is_sound);
  CU_add_test(suite, "the table refuses what it has not", table_refuses_what_it_has_not);
  CU_add_test(suite, "pqf_options_init gives the defaults", init_gives_the_defaults);
  CU_add_test(suite, "sized structs of other releases", sized_structs_of_other_releases);
  CU_add_test(suite, "options of a later release", options_of_a_later_release);
  CU_add_test(suite, "values as text, taken and refused", values_as_text);
  CU_add_test(suite, "unknown names of any length", long_unknown_names);
  CU_add_test(suite, "members out of range", members_out_of_range);
  CU_add_test(suite, "a model tells its options", model_tells_its_options);
  CU_add_test(suite, "empty texts are defaults", empty_texts_are_defaults);
  CU_add_test(suite, "every allocation of pqf_create", every_allocation_of_create);
  CU_add_test(suite, "numbers read back to the bit", numbers_read_back);
  CU_add_test(suite, "a decimal comma changes nothing", decimal_comma_changes_nothing);
}
