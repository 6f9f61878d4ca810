/* Presets: options that give good models without tuning. docs/presets.md has the reasons for each
 * value and what was measured. A preset names every option that its solver reads, so that what was
 * set before makes no difference; what says how to run (back end, threads, seed, limits) is left
 * alone. */
#include "error.h"
#include "option_table.h"

#include <string.h>

typedef struct setting {
  const char *option;
  const char *value;
} setting;

/* The defaults but for update and init: members of release 0.1.0 alone. */
static const setting notebook[] = {
    {"solver", "gd"},          {"update", "notebook"},     {"objective", "squared"},
    {"init", "torch"},         {"factors", "2"},           {"epochs", "1000"},
    {"learning_rate", "0.01"}, {"regularization", "0.02"}, {"patience", "10"},
    {"min_delta", "0.001"},    {"init_scale", "1"},        {"keep_best", "0"},
};

static const setting ratings[] = {
    {"solver", "als"},
    {"objective", "observed"},
    {"init", "normal"},
    {"init_scale", "0.02"},
    {"factors", "64"},
    {"epochs", "20"},
    {"patience", "3"},
    {"min_delta", "0.0001"},
    {"keep_best", "1"},
    {"regularization", "4"},
    {"bias_regularization", "-1"},
    {"regularization_scaling", "0.25"},
    {"biases", "both"},
    {"mean", "auto"},
    {"nonnegative", "0"},
    {"conjugate_gradient", "0"},
};

static const setting clicks[] = {
    {"solver", "als"},
    {"objective", "implicit"},
    {"init", "normal"},
    {"init_scale", "0.02"},
    {"factors", "64"},
    {"epochs", "20"},
    {"patience", "3"},
    {"min_delta", "0.0001"},
    {"keep_best", "1"},
    {"regularization", "0.035"},
    {"regularization_scaling", "1"},
    {"confidence", "1"},
    {"unobserved_weight", "0.1"},
    {"implicit_zeros", "unobserved"},
    {"biases", "none"},
    {"mean", "auto"},
    {"nonnegative", "0"},
    {"conjugate_gradient", "0"},
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const struct {
  const char *name;
  const setting *settings;
  size_t count;
} presets[] = {
    {"notebook", notebook, COUNT(notebook)},
    {"ratings", ratings, COUNT(ratings)},
    {"clicks", clicks, COUNT(clicks)},
};

/* Sets all or, where the struct is too short for one, none. */
static int apply(pqf_options *options, size_t size, const char *preset, const setting *settings,
                 size_t count)
{
  int status = PQF_OK;
  for (size_t n = 0; n < count; ++n)
    if (pqf_option_end(pqf_option_row_of(pqf_option_find(settings[n].option))) > size)
      return pqf_fail(PQF_EINVAL,
                      "preset %s sets %s, which is not in an options struct of %zu bytes", preset,
                      settings[n].option, size);
  for (size_t n = 0; n < count && status == PQF_OK; ++n)
    status = pqf_options_set(options, settings[n].option, settings[n].value);
  return status;
}

int pqf_options_preset(pqf_options *options, const char *name)
{
  size_t size;
  const int status = pqf_sized_check(&size, PQF_OPTIONS_FIRST_SIZE, options, "options");
  if (status != PQF_OK)
    return status;
  if (name == NULL)
    return pqf_fail(PQF_EINVAL, "the name of a preset is NULL");
  for (size_t n = 0; n < COUNT(presets); ++n)
    if (strcmp(presets[n].name, name) == 0)
      return apply(options, size, name, presets[n].settings, presets[n].count);
  return pqf_fail(PQF_EINVAL, "unknown preset '%.100s': must be notebook, ratings or clicks", name);
}
