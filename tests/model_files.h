/* Models and files for the suites about model files. */
#ifndef PQF_TESTS_MODEL_FILES_H
#define PQF_TESTS_MODEL_FILES_H

#include "test.h"

enum { MODEL_ROWS = 7, MODEL_COLS = 5, MODEL_FACTORS = 3 };

/* The data that it is fitted to, with ids of a kind. */
pqf_data *model_data(int32_t kind);

/* A small fitted model with row and column ids of a kind (PQF_IDS_...) and, if `validated`, losses
 * of a validation set in its history; NULL after a failed check. */
pqf_model *fitted_model(int32_t kind, int validated);

/* Checks that two models have the same factors, ids, options and history, to the bit. */
void check_same_model(const pqf_model *got, const pqf_model *want);

/* Checks that two fits ended with the same factors, biases and history, to the bit, whatever their
 * options and their seconds. */
void check_same_fit(const pqf_model *got, const pqf_model *want);

/* A whole file; the caller frees it. */
char *read_file(const char *path, size_t *size);
void write_file(const char *path, const void *bytes, size_t size);

/* Writes a safetensors file: the length of `head`, `head`, `data`. */
void write_safetensors(const char *path, const char *head, const void *data, size_t size);

#endif
