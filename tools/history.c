#include "history.h"

#include "failure.h"
#include "output.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { NUMBER = 32, LINE = 4 * NUMBER };

/* The shortest of 15 to 17 digits that reads back as the same double; nothing for a NaN. */
static void format_double(double value, char out[NUMBER])
{
  *out = '\0';
  for (int precision = 15; precision <= 17 && !isnan(value); ++precision) {
    (void)snprintf(out, NUMBER, "%.*g", precision, value);
    if (strtod(out, NULL) == value)
      break;
  }
}

static int write_epochs(const pqf_model *model, pqf_output *output)
{
  static const char header[] = "epoch,loss,validation_loss,seconds\n";
  pqf_summary summary = {.size = sizeof summary};
  int status = pqf_model_summary(model, &summary);
  if (status == PQF_OK)
    status = pqf_output_write(output, header, sizeof header - 1);
  for (int64_t n = 0; n < summary.epochs && status == PQF_OK; ++n) {
    pqf_epoch epoch = {.size = sizeof epoch};
    char loss[NUMBER], validation[NUMBER], line[LINE];
    status = pqf_model_history(model, n, &epoch);
    if (status != PQF_OK)
      return pqf_say(status, "%s", pqf_error_message());
    format_double(epoch.loss, loss);
    format_double(epoch.validation_loss, validation);
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
