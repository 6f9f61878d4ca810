/* The notebook's matrix, factorised by the notebook's rule, and what the factors predict. */
#include <inttypes.h>
#include <pqf.h>
#include <stdio.h>

static int report(const pqf_epoch *epoch, void *payload)
{
  (void)payload;
  if (epoch->epoch % 100 == 0)
    printf("Epoch [%" PRId64 "/%" PRId64 "], Loss: %.4f\n", epoch->epoch, epoch->epochs,
           epoch->loss);
  return 0;
}

int main(void)
{
  static const float ratings[5][4] = {
      {4.5F, 2.3F, 0, 1.2F}, {4.6F, 0, 0, 1.25F},    {1, 1.2F, 0, 5.6F},
      {1.8F, 0, 0, 4.3F},    {0, 1.4F, 5.32F, 4.3F},
  };
  float predicted[5][4];
  pqf_summary summary = {.size = sizeof summary};
  pqf_data *data = NULL;
  pqf_model *model = NULL;
  pqf_options options = PQF_OPTIONS_INIT;
  options.factors = 3;
  options.epochs = 10000;
  options.update = PQF_UPDATE_NOTEBOOK;
  options.init = PQF_INIT_TORCH;
  options.seed = 0;
  options.callback = report;

  const int failed = pqf_data_dense(&data, ratings[0], 5, 4, 4, NULL) != PQF_OK ||
                     pqf_create(&model, &options) != PQF_OK ||
                     pqf_fit(model, data, NULL) != PQF_OK ||
                     pqf_model_summary(model, &summary) != PQF_OK ||
                     pqf_reconstruct(model, 0, 5, predicted[0], 4) != PQF_OK;
  if (failed)
    fprintf(stderr, "notebook: %s\n", pqf_error_message());
  if (!failed && summary.stop_reason == PQF_STOP_EARLY)
    printf("Early stopping at epoch %" PRId64 " with loss %.4f\n", summary.epochs, summary.loss);
  for (int row = 0; row < 5 && !failed; row++)
    for (int col = 0; col < 4; col++)
      printf("%8.4f%s", (double)predicted[row][col], col == 3 ? "\n" : " ");
  pqf_free(model);
  pqf_data_free(data);
  return failed;
}
