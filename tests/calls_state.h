/* What the files of calls.h share: the slots, and the reading of choices. */
#ifndef PQF_TESTS_CALLS_STATE_H
#define PQF_TESTS_CALLS_STATE_H

#include "calls.h"
#include "pqf.h"

#include <limits.h>

enum {
  DATA_SLOTS = 4,
  MODEL_SLOTS = 3,
  FILE_SLOTS = 3,
  SIDE = 12,         /* most rows or columns */
  MOST_CELLS = 160,  /* in a list */
  MOST_FACTORS = 70, /* of a model that is fitted */
  MOST_EPOCHS = 4,   /* of one fit */
  MOST_FITS = 24,    /* of one sequence */
  ID_TEXT = 8,       /* bytes of an id, with its NUL */
  OPTION_TEXT = PATH_MAX
};

/* Ids as they were given. `kind` -1: they are not known here. */
typedef struct calls_ids {
  int32_t kind;
  int64_t number[SIDE];
  char text[SIDE][ID_TEXT];
} calls_ids;

/* Data, and what it must hold. */
typedef struct calls_data {
  pqf_data *data;
  float *borrowed; /* what dense data was built on; NULL: it was copied */
  int64_t rows;
  int64_t cols;
  int is_known; /* the cells below are those of the data */
  int is_dense;
  int has_weights;
  int present[SIDE][SIDE];
  double value[SIDE][SIDE];
  double weight[SIDE][SIDE];
  calls_ids ids[2];
} calls_data;

/* What a callback counts. */
typedef struct calls_watch {
  int64_t cancel_at; /* the epoch after which the fit is cancelled */
  int64_t seen;
  int64_t last; /* epoch that was told */
  int cancelled;
} calls_watch;

typedef struct calls_model {
  pqf_model *model;
  int is_doubtful; /* loaded without being verified, or from a file that was forged */
  calls_watch watch;
  int64_t given_rows; /* of initial factors that were set; 0: none */
  int64_t given_cols;
  int64_t given_factors;
  float given[2][SIDE * MOST_FACTORS];
} calls_model;

typedef struct calls_file {
  int is_forged;        /* bytes were changed and the head's checksum made to fit */
  unsigned char *sound; /* the bytes before the first change; NULL: it was not changed */
  size_t sound_size;
} calls_file;

/* The options that the next model is created with, and bytes beyond them. */
typedef union calls_options {
  pqf_options options;
  unsigned char bytes[sizeof(pqf_options) + 16];
} calls_options;

typedef struct calls_state {
  const uint8_t *bytes;
  size_t size;
  calls_data data[DATA_SLOTS];
  calls_model model[MODEL_SLOTS];
  calls_file file[FILE_SLOTS];
  calls_options options;
  int64_t fits;
} calls_state;

extern calls_state calls;

/* ---- Choices --------------------------------------------------------------------------------- */

uint8_t calls_next(void);
int64_t calls_choose(int64_t count); /* from 0 to count - 1 */
int calls_rarely(void);              /* mostly 0 */
float calls_value(void);             /* often a small whole number, else one that may hurt */
double calls_number(void);           /* the same, of more kinds, for options */

/* ---- Checks ---------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4), noreturn)) void calls_fail(const char *file, int line,
                                                                const char *format, ...);

#define HOLDS(condition, ...)                                                                      \
  do {                                                                                             \
    if (!(condition))                                                                              \
      calls_fail(__FILE__, __LINE__, __VA_ARGS__);                                                 \
  } while (0)

/* Makes a call and checks what holds for any: the status it gives. */
#define CALL(expression) (calls_begin(), calls_end((expression), #expression, __FILE__, __LINE__))

/* The same for a call that must succeed. */
#define MUST(expression)                                                                           \
  do {                                                                                             \
    const int status_ = CALL(expression);                                                          \
    HOLDS(status_ == PQF_OK, "%s: %d, %s", #expression, status_, pqf_error_message());             \
  } while (0)

/* The same for one that creates: `out` is a valid pointer or NULL. */
#define CREATE(out, expression) calls_created((out) != NULL, CALL(expression), __LINE__)
void calls_begin(void);
int calls_end(int status, const char *what, const char *file, int line);

/* Tells what is done, for calls_trace. */
__attribute__((format(printf, 1, 2))) void calls_tell(const char *format, ...);

/* ---- Models ---------------------------------------------------------------------------------- */

/* What can be asked of a model, as bytes. */
typedef struct calls_blob {
  unsigned char *bytes;
  size_t size;
  size_t capacity;
} calls_blob;

enum { SHAPE, FACTORS, BIASES, IDS, HISTORY, SUMMARY, OPTIONS, RUN_OPTIONS, TIMES, PARTS };

typedef struct calls_snapshot {
  calls_blob part[PARTS];
} calls_snapshot;

/* Parts by bits. */
enum {
  ALL_PARTS = (1 << PARTS) - 1,
  PARTS_OF_A_RUN = ALL_PARTS & ~(1 << RUN_OPTIONS) & ~(1 << TIMES)
};

void calls_take(calls_snapshot *out, const pqf_model *model);
void calls_compare(const calls_snapshot *before, const calls_snapshot *after, int parts,
                   const char *what);
void calls_snapshot_clear(calls_snapshot *snapshot);

/* A copy of a model by way of a file and of its options' texts, which is compared with it. NULL: it
 * cannot be copied, since it is doubtful. */
pqf_model *calls_copy(const calls_model *of);

/* Sets an option, which must succeed. */
void calls_set_option(pqf_model *model, const char *name, const char *value);

/* Reads an option into OPTION_TEXT bytes. */
const char *calls_option(const pqf_model *model, const char *name, char *out);

/* Checks that factors, biases and mean are finite. */
void calls_check_finite(const pqf_model *model);

/* Frees the model of a slot. */
void calls_drop_model(calls_model *slot);
void calls_drop_data(calls_data *slot);

/* ---- Files ----------------------------------------------------------------------------------- */

/* The path of a slot, or of a name; valid until the fourth call after it. */
const char *calls_path(int64_t slot);
const char *calls_named_path(const char *name);

/* What the file of a slot is known for is so no longer: it was replaced as a whole. */
void calls_file_replaced(int64_t slot);

/* The file of a slot as it was written: 1; 0 where it was changed. */
int calls_file_is_sound(int64_t slot);

/* ---- Steps: each reads its own choices ------------------------------------------------------- */

void calls_step_cells(void);
void calls_step_dense(void);
void calls_step_tall(void);
void calls_step_arrow_long(void);
void calls_step_arrow_wide(void);
void calls_step_set_ids(void);
void calls_step_split(void);
void calls_step_free_data(void);

void calls_step_options_init(void);
void calls_step_options_set(void);
void calls_step_options_preset(void);
void calls_step_options_raw(void);
void calls_step_option_info(void);
void calls_step_create(void);
void calls_step_create_usual(void);
void calls_step_set_option(void);

void calls_step_fit(void);
void calls_step_resume(void);
void calls_step_plan(void);
void calls_step_set_initial(void);
void calls_step_set_callback(void);

void calls_step_predict(void);
void calls_step_evaluate(void);
void calls_step_ids(void);
void calls_step_ask(void);
void calls_step_multiply(void);
void calls_step_backends(void);
void calls_step_free_model(void);

void calls_step_save(void);
void calls_step_load(void);
void calls_step_copy(void);
void calls_step_damage(void);
void calls_step_forge(void);
void calls_step_remove(void);

#endif
