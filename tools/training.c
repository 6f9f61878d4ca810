#include "training.h"

#include "failure.h"
#include "interrupt.h"
#include "memory_limit.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { LINE_EVERY = 100 }; /* epochs, as in the notebook */

int pqf_training_epoch(const pqf_epoch *epoch, void *payload)
{
  pqf_training *training = payload;
  if (training->lines && epoch->epoch % LINE_EVERY == 0) {
    pqf_progress_clear(&training->progress);
    printf("Epoch [%" PRId64 "/%" PRId64 "], Loss: %.4f", epoch->epoch, epoch->epochs, epoch->loss);
    if (!isnan(epoch->validation_loss))
      printf(", Validation loss: %.4f", epoch->validation_loss);
    putchar('\n');
    (void)fflush(stdout); /* main() looks for errors in the end */
  }
  pqf_progress_show(&training->progress, epoch);
  return pqf_interrupted();
}

int pqf_train(pqf_training *training, pqf_model *model, const pqf_data *train,
              const pqf_data *validation)
{
  int status = pqf_memory_check_fit(model, train, validation);
  if (status != PQF_OK)
    return status;
  pqf_progress_start(&training->progress, training->label, training->quiet);
  status =
      training->resume ? pqf_resume(model, train, validation) : pqf_fit(model, train, validation);
  pqf_progress_clear(&training->progress);
  return status == PQF_OK ? PQF_OK : pqf_say(status, "%s", pqf_error_message());
}
