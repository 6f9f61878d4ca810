/* The parts of pqf_load(): a file that is being read. */
#ifndef PQF_SRC_LOAD_H
#define PQF_SRC_LOAD_H

#include "model.h"

#include <jansson.h>

typedef struct pqf_loading {
  const char *path;
  pqf_model *model; /* being made; it owns the mapping */
  const char *bytes;
  size_t size;
  const char *head_text; /* head_length bytes, without NUL */
  size_t head_length;
  const char *data; /* data_size bytes: the tensors */
  int64_t data_size;
  json_t *head;
  json_t *metadata; /* part of `head`, texts only; NULL: none */
} pqf_loading;

typedef struct pqf_tensor {
  int present;
  const char *type; /* part of the head */
  int dimensions;
  int64_t shape[2]; /* the first two dimensions; 1 where there is none */
  int64_t begin;    /* in the data */
  int64_t size;     /* bytes */
  const char *values;
} pqf_tensor;

/* PQF_EFORMAT with "PATH: ...". */
int pqf_damaged(const pqf_loading *loading, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* NULL: there is no such key. */
const char *pqf_metadata_text(const pqf_loading *loading, const char *key);

/* Floats where they lie, or a copy of them that `owned` takes. */
int pqf_floats_take(const pqf_tensor *tensor, const float **out, float **owned);

/* As pqf_floats_take, where the file has the vector: PQF_EFORMAT unless its shape is [size]. */
int pqf_vector_take(const pqf_loading *loading, const char *name, int64_t size, const float **out,
                    float **owned);

/* load_tensors.c */

/* Checks the description of every tensor, and that together they fill the data without gaps. */
int pqf_tensors_check(const pqf_loading *loading);
/* A file without the tensor is no failure: `present` is then 0. */
int pqf_tensor_find(const pqf_loading *loading, const char *name, pqf_tensor *out);

/* load_ids.c */

/* The ids of a side, where the file has some, into the model, whose shape is known. */
int pqf_ids_take(const pqf_loading *loading, int32_t side);

/* load_training.c */

/* The options that the model was trained with; defaults where the file names none. */
int pqf_options_take(const pqf_loading *loading);
/* How the fit went; after the options. */
int pqf_course_take(const pqf_loading *loading);
/* A whole number from `least` to `most`; missing: `out` stays as it is. */
int pqf_metadata_integer(const pqf_loading *loading, const char *key, int64_t least, int64_t most,
                         int64_t *out);

/* load_checkpoint.c */

/* What a fit that is not over needs to go on; after the course. */
int pqf_checkpoint_take(const pqf_loading *loading);

#endif
