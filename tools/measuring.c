#include "measuring.h"

#include <string.h>

int pqf_arguments_measuring(const pqf_arguments *arguments, pqf_evaluate_options *out)
{
  int64_t k = out->k;
  if (pqf_argument_integer(arguments, "k", 1, &k) != PQF_EXIT_DONE ||
      pqf_argument_number(arguments, "relevant", &out->relevant) != PQF_EXIT_DONE)
    return PQF_EXIT_USAGE;
  if (k > INT32_MAX)
    return pqf_usage(arguments, "--k is at most %d", INT32_MAX);
  out->k = (int32_t)k;
  out->threads = arguments->options.threads;
  return PQF_EXIT_DONE;
}

int pqf_arguments_check_trial(const pqf_arguments *arguments)
{
  static const char *const names[] = {"checkpoint", "checkpoint_every"};
  for (size_t n = 0; n < sizeof names / sizeof names[0]; ++n)
    if (pqf_option_given(arguments, names[n]))
      return pqf_usage(arguments, "checkpoints are for \"pqf fit\"");
  if (arguments->options.init == PQF_INIT_GIVEN || arguments->options.init == PQF_INIT_MODEL)
    return pqf_usage(arguments, "--init is normal or torch here");
  return PQF_EXIT_DONE;
}
