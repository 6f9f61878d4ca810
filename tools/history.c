#include "history.h"

#include "failure.h"
#include "number.h"
#include "output.h"

#include <inttypes.h>
#include <stdio.h>

enum { LINE = 4 * PQF_FLOAT_TEXT };

static int write_epochs(const pqf_model *model, pqf_output *output)
{
  static const char header[] = "epoch,loss,validation_loss,seconds\n";
  pqf_summary summary = {.size = sizeof summary};
  int status = pqf_model_summary(model, &summary);
  if (status == PQF_OK)
    status = pqf_output_write(output, header, sizeof header - 1);
  for (int64_t n = 0; n < summary.epochs && status == PQF_OK; ++n) {
    pqf_epoch epoch = {.size = sizeof epoch};
    char loss[PQF_FLOAT_TEXT], validation[PQF_FLOAT_TEXT], line[LINE];
    status = pqf_model_history(model, n, &epoch);
    if (status != PQF_OK)
      return pqf_say(status, "%s", pqf_error_message());
    (void)pqf_double_write(epoch.loss, loss);
    (void)pqf_double_write(epoch.validation_loss, validation);
    const int length = snprintf(line, sizeof line, "%" PRId64 ",%s,%s,%.6f\n", epoch.epoch, loss,
                                validation, epoch.seconds);
    status = pqf_output_write(output, line, (size_t)length);
  }
  return status;
}

int pqf_write_history(const pqf_model *model, const char *path)
{
  pqf_output output;
  int status = pqf_output_open(&output, path);
  if (status == PQF_OK)
    status = write_epochs(model, &output);
  if (status == PQF_OK)
    status = pqf_output_finish(&output);
  pqf_output_close(&output);
  return status;
}
