/* The layout of the Arrow C data interface and the Arrow C stream interface, as the Arrow project
 * publishes them (https://arrow.apache.org/docs/format/CDataInterface.html and
 * .../CStreamInterface.html): an ABI that never changes, made to be spelled out by each of its
 * users. The guards are the published ones, so that another copy may be included too. */
#ifndef PQF_SRC_ARROW_ABI_H
#define PQF_SRC_ARROW_ABI_H

#include <stdint.h>

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4

/* The type of an array. */
struct ArrowSchema {
  const char *format; /* "f": float; "u": UTF-8; "+s": struct; ... */
  const char *name;   /* of the field; may be NULL */
  const char *metadata;
  int64_t flags;
  int64_t n_children;
  struct ArrowSchema **children;
  struct ArrowSchema *dictionary; /* of a dictionary-encoded type: that of the values */

  void (*release)(struct ArrowSchema *); /* NULL: released */
  void *private_data;
};

/* The data of an array. Its values are those at offset .. offset + length of the buffers. */
struct ArrowArray {
  int64_t length;
  int64_t null_count; /* -1: not known */
  int64_t offset;
  int64_t n_buffers;
  int64_t n_children;
  const void **buffers; /* the first: a bit for each value, 0: null; NULL: no nulls */
  struct ArrowArray **children;
  struct ArrowArray *dictionary;

  void (*release)(struct ArrowArray *); /* NULL: released */
  void *private_data;
};

#endif

#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE

/* A producer of arrays of one type. Its calls return 0 or an errno number. */
struct ArrowArrayStream {
  int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *out);
  int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *out); /* released: the end */
  const char *(*get_last_error)(struct ArrowArrayStream *);           /* may give NULL */

  void (*release)(struct ArrowArrayStream *); /* NULL: released */
  void *private_data;
};

#endif

#endif
