/* A dense fit large enough to need a BLAS, and whether the program has one mapped before and after;
 * a program that is linked with one statically maps none. Prints the last loss. */
#include <pqf.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 700, COLS = 600, FACTORS = 40 };

static int maps_a_blas(void)
{
  char line[4096];
  int found = 0;
  FILE *maps = fopen("/proc/self/maps", "r");
  while (maps != NULL && fgets(line, sizeof line, maps) != NULL)
    found |= strstr(line, "blas") != NULL || strstr(line, "blis") != NULL;
  if (maps != NULL)
    (void)fclose(maps);
  return found;
}

int main(void)
{
  float *values = malloc(sizeof(float) * ROWS * COLS);
  pqf_summary summary = {.size = sizeof summary};
  pqf_options options = PQF_OPTIONS_INIT;
  pqf_data *data = NULL;
  pqf_model *model = NULL;
  options.factors = FACTORS;
  options.epochs = 5;
  options.learning_rate = 1e-5;
  options.init_scale = 0.1;
  for (int n = 0; values != NULL && n < ROWS * COLS; ++n)
    values[n] = (float)(n % 1009) / 1009;
  const int before = maps_a_blas();
  const int failed =
      values == NULL || pqf_data_dense(&data, values, ROWS, COLS, COLS, NULL) != PQF_OK ||
      pqf_create(&model, &options) != PQF_OK || pqf_fit(model, data, NULL) != PQF_OK ||
      pqf_model_summary(model, &summary) != PQF_OK;
  if (failed)
    fprintf(stderr, "dense: %s\n", pqf_error_message());
  printf("loss %.17g\nBLAS mapped: %s, then %s\n", summary.loss, before ? "yes" : "no",
         maps_a_blas() ? "yes" : "no");
  pqf_free(model);
  pqf_data_free(data);
  free(values);
  return failed;
}
