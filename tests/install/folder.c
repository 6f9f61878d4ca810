/* Prints where the library looks for modules: the words for one that is not there name the folder.
 */
#include <pqf.h>

#include <stdio.h>

int main(void)
{
  const float values[4] = {1, 2, 3, 4};
  pqf_options options = PQF_OPTIONS_INIT;
  pqf_data *data = NULL;
  pqf_model *model = NULL;
  options.backend = "absent";
  int status = pqf_data_dense(&data, values, 2, 2, 2, NULL);
  if (status == PQF_OK)
    status = pqf_create(&model, &options);
  if (status == PQF_OK)
    status = pqf_fit(model, data, NULL);
  puts(pqf_error_message());
  pqf_free(model);
  pqf_data_free(data);
  return status == PQF_EBACKEND ? 0 : 1;
}
