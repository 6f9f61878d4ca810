/**
 * @file pqf.h
 * @brief libpqf: matrix factorisation, R ~ P Q', as a C library.
 *
 * R has one row per user and one column per item; P is rows x factors, Q is
 * cols x factors. This header is the whole public interface:
 *
 *     pqf_data *ratings;
 *     pqf_model *model;
 *     pqf_data_dense(&ratings, values, rows, cols, cols, NULL);
 *     pqf_create(&model, NULL);
 *     pqf_fit(model, ratings, NULL);
 *     pqf_predict(model, count, row, col, predictions);
 *     pqf_free(model);
 *     pqf_data_free(ratings);
 *
 * Conventions, for every call unless it says otherwise:
 * - Matrices are row-major. A stride is the distance between the starts of two
 *   rows, counted in elements, never less than the length of a row.
 * - A call that can fail returns PQF_OK (0) or one of the negative PQF_E
 *   numbers below. An object it was to create is then NULL; a caller's buffer
 *   may hold anything.
 * - Arguments are borrowed for the duration of the call. What a call hands out
 *   through a `const` pointer belongs to the object it was asked of.
 * - Any number of threads may call functions that take a `const` object on the
 *   same object at once: they take no lock and share no scratch memory.
 *   A call that takes a non-`const` object needs that object to itself.
 * - The library prints nothing, installs no signal handler and never ends the
 *   process. It reads these environment variables: PQF_INSTRUCTIONS
 *   (`baseline`, `avx2` or `avx512`: the widest instruction set to use), read
 *   once.
 * - Everything here is since 0.1.0 unless it says otherwise.
 */
#ifndef PQF_H
#define PQF_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

/** The version of this header; pqf_version() gives the library's. */
#define PQF_VERSION_MAJOR 0
/** Grows with each release that adds to the interface. */
#define PQF_VERSION_MINOR 3
/** Grows with each release that only mends. */
#define PQF_VERSION_PATCH 1

#if defined(__GNUC__)
/** Marks what the library exports. */
#define PQF_API __attribute__((visibility("default")))
#else
#define PQF_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** @name Status
 * Results of calls. The numbers never change. */
/** @{ */
/** Done. */
#define PQF_OK 0
/** An argument or an option is wrong. */
#define PQF_EINVAL (-1)
/** Memory ran out. */
#define PQF_ENOMEM (-2)
/** The loss became infinite or NaN: a smaller learning rate may help. */
#define PQF_EDIVERGED (-3)
/** The progress callback asked to stop. */
#define PQF_ECANCELED (-4)
/** The back end or the model cannot do what was asked. */
#define PQF_ENOTSUP (-5)
/** The back end cannot be used, or failed at its work. */
#define PQF_EBACKEND (-6)
/** A file could not be read or written. */
#define PQF_EIO (-7)
/** A file or a stream is damaged, or is of another kind. */
#define PQF_EFORMAT (-8)
/** The model has not been fitted yet. */
#define PQF_EUNFITTED (-9)
/** No such id. */
#define PQF_ENOTFOUND (-10)
/** @} */

/** R, checked when it is built and immutable while a fit uses it. Any number of
 * fits may share one, also at the same time. */
typedef struct pqf_data pqf_data;

/** Options, and after a fit or a load the factors P and Q. */
typedef struct pqf_model pqf_model;

/** The layout of Arrow's C stream interface, published by the Arrow project
 * (Arrow C data interface); any producer of it will do. */
struct ArrowArrayStream;

/** @name Sides
 * Which side of R something is about. */
/** @{ */
#define PQF_ROWS 0 /**< users */
#define PQF_COLS 1 /**< items */
/** @} */

/** @name Values of options
 * See the members of pqf_options. */
/** @{ */
#define PQF_SOLVER_GD 0          /**< full-batch gradient descent */
#define PQF_SOLVER_ALS 1         /**< alternating least squares */
#define PQF_UPDATE_GRADIENT 0    /**< follows the gradient of the loss */
#define PQF_UPDATE_NOTEBOOK 1    /**< the notebook's own rule */
#define PQF_OBJECTIVE_SQUARED 0  /**< every cell counts */
#define PQF_OBJECTIVE_OBSERVED 1 /**< present cells count */
#define PQF_OBJECTIVE_IMPLICIT 2 /**< present cells are clicks, absent ones weak zeros */
#define PQF_INIT_NORMAL 0        /**< normal draws */
#define PQF_INIT_TORCH 1         /**< PyTorch's draws */
#define PQF_INIT_GIVEN 2         /**< the caller's factors */
#define PQF_INIT_MODEL 3         /**< the model's own factors */
#define PQF_ZEROS_UNOBSERVED 0   /**< zeros are charged to absent cells */
#define PQF_ZEROS_ALL 1          /**< zeros are charged to all cells */
#define PQF_BIASES_AUTO 0        /**< both where they are defined, else none */
#define PQF_BIASES_NONE 1        /**< no biases */
#define PQF_BIASES_ROWS 2        /**< of rows alone */
#define PQF_BIASES_COLS 3        /**< of columns alone */
#define PQF_BIASES_BOTH 4        /**< of rows and columns */
#define PQF_MEAN_AUTO 0          /**< taken off where it is defined */
#define PQF_MEAN_NONE 1          /**< left in */
/** @} */

/**
 * What is known of one epoch: told to the progress callback, and kept in the
 * model's history. Later releases append members; `size` says how many there
 * are.
 */
typedef struct pqf_epoch {
  uint64_t size;          /**< bytes of this struct that are filled in */
  int64_t epoch;          /**< the first epoch is 1 */
  int64_t epochs;         /**< the most that this fit may run */
  double loss;            /**< the objective at the start of the epoch; for
                               PQF_SOLVER_ALS at its end */
  double best_loss;       /**< the loss to beat, this epoch included: of the
                               validation set where there is one */
  double validation_loss; /**< mean squared error of the validation cells at
                               the same time; for PQF_OBJECTIVE_IMPLICIT the
                               mean of (1 - p.q)^2, weighted by confidence,
                               and the squares at absent cells in the
                               proportion of the objective (docs/als.md); NaN
                               without a validation set */
  double seconds;         /**< since the fit began */
  /* Since 0.2.0: the parts of `loss` for PQF_SOLVER_ALS, else NaN. */
  double observed;       /**< errors of the present cells */
  double unobserved;     /**< errors of the absent cells, where they count */
  double regularization; /**< of factors and biases */
} pqf_epoch;

/**
 * Called by pqf_fit() in its own thread after each whole epoch.
 *
 * @param epoch    valid during the call
 * @param payload  from the options
 * @return 0 to go on; anything else ends the fit with PQF_ECANCELED
 */
typedef int (*pqf_callback)(const pqf_epoch *epoch, void *payload);

/**
 * How to train. Start from PQF_OPTIONS_INIT or pqf_options_init(), then change
 * what you need. Later releases append members; those that a program was not
 * compiled with keep their defaults.
 */
typedef struct pqf_options {
  /** sizeof(pqf_options) */
  uint64_t size;
  /** Who computes: "cpu", or the name of a module such as "cuda", with a device
   * behind a colon if not the first is meant: "cuda:1". "auto" or NULL (the
   * default) takes the GPU if there is one that can be used and factors times
   * cells is 1e9 or more, else the CPU. It never fails because of a GPU: where
   * one fails at its work the CPU begins the fit anew, with epoch 1. */
  const char *backend;
  /** The folder that holds back-end modules; NULL (the default) means `pqf/`
   * beside the library. A module is refused if it or its folder can be written
   * by others than its owner, or is neither root's nor the effective user's. */
  const char *backend_path;
  /** The most epochs to run, at least 1; default 1000. */
  int64_t epochs;
  /** Columns of P and Q, 1 to 2048; default 2. */
  int32_t factors;
  /** - PQF_SOLVER_GD (the default): full-batch gradient descent.
   * - PQF_SOLVER_ALS (since 0.2.0): alternating least squares; an epoch solves
   *   all rows, then all columns. Sparse data only. */
  int32_t solver;
  /** The step of gradient descent, with E = P Q' - R and beta =
   * `regularization`.
   * - PQF_UPDATE_GRADIENT (the default) minimises
   *   |E|^2 + beta/2 (|P|^2 + |Q|^2), which is the loss it reports.
   * - PQF_UPDATE_NOTEBOOK keeps the rule of the notebook that libpqf began
   *   as, number for number: the sign of beta is turned round and the
   *   reported loss is 1/2 |E - R| + beta/2 |P| + |Q|. */
  int32_t update;
  /** Which cells of R count.
   * - PQF_OBJECTIVE_SQUARED (the default): all; absent cells are zeros.
   * - PQF_OBJECTIVE_OBSERVED: those that are present. A row or column without
   *   any gets zero factors.
   * - PQF_OBJECTIVE_IMPLICIT (since 0.2.0, PQF_SOLVER_ALS alone): a present
   *   cell is a click, worth confidence c = w (1 + `confidence` r); an absent
   *   one a zero worth `unobserved_weight`:
   *   sum of c (1 - p.q)^2 over present cells + unobserved_weight x the sum of
   *   (p.q)^2 over absent ones + regularization (Hu, Koren and Volinsky 2008).
   *
   * PQF_SOLVER_ALS minimises, for the first two with errors
   * e = r - mean - row bias - column bias - p.q,
   *   sum of w e^2 + regularization (sum over rows of n^s |p|^2 and likewise
   *   over columns) + bias_regularization (the same of squared biases),
   * where n is a row's or column's number of present cells and s is
   * `regularization_scaling`. */
  int32_t objective;
  /** Early stopping: end after this many epochs in a row that did not lower
   * the loss by more than `min_delta`. 0 turns it off; default 10. With a
   * validation set its loss decides, else that of the training data. */
  int32_t patience;
  /** The factors at the start.
   * - PQF_INIT_NORMAL (the default): standard normal draws (Philox 4x32-10).
   * - PQF_INIT_TORCH: those that `torch.manual_seed(seed)`, then
   *   `torch.randn(rows, factors)` and `torch.randn(cols, factors)` give.
   * - PQF_INIT_GIVEN: those of pqf_model_set_initial().
   * - PQF_INIT_MODEL (since 0.2.0): those that the model has, fitted or loaded
   *   (see pqf_model_set_option()), matched by ids; drawn for rows and columns
   *   that are new to it. A side without ids has the numbers 0, 1, 2, ...;
   *   texts are matched with texts alone. Where neither has ids, there must
   *   not be fewer rows or columns than the model has. */
  int32_t init;
  /** Threads to use, at most 4096; 0 (the default): as many as the process may
   * run on. Results do not depend on it. */
  int32_t threads;
  /** 1: a fit ends with the factors that had the lowest loss; 0 (the default):
   * with the last ones. */
  int32_t keep_best;
  /** Step length alpha, above 0; default 0.01. */
  double learning_rate;
  /** beta, 0 or more; default 0.02. */
  double regularization;
  /** See `patience`; 0 or more; default 0.001. In the unit of the loss, which
   * is that of the values squared: where values are small, so must this be. */
  double min_delta;
  /** Drawn initial factors are multiplied by this, above 0; default 1. */
  double init_scale;
  /** Seed of the initial factors; default 0. */
  uint64_t seed;
  /** Progress and cancelling; NULL (the default): none. */
  pqf_callback callback;
  /** Handed to `callback`. */
  void *payload;

  /* Since 0.2.0, for PQF_SOLVER_ALS unless it says otherwise. */

  /** lambda of biases, 0 or more; -1 (the default): as `regularization`. */
  double bias_regularization;
  /** s, 0 (the default) to 1. For PQF_OBJECTIVE_IMPLICIT it is nu of Rendle et
   * al. (2021): lambda of a row is l f^nu with f = n + unobserved_weight x cols
   * (for a column: rows), and l is chosen so that
   * l (sum of f^nu) = regularization (sum of f) if nu > 0; plain
   * regularization if nu = 0. */
  double regularization_scaling;
  /** alpha, 0 or more; default 1. */
  double confidence;
  /** alpha0, 0 or more; default 1. */
  double unobserved_weight;
  /** Whether the zeros of PQF_OBJECTIVE_IMPLICIT are charged to absent cells
   * alone, PQF_ZEROS_UNOBSERVED (the default), or to present ones too,
   * PQF_ZEROS_ALL. */
  int32_t implicit_zeros;
  /** Which biases there are; PQF_BIASES_AUTO (the default): both for
   * PQF_OBJECTIVE_OBSERVED, none otherwise, where there can be none. */
  int32_t biases;
  /** Whether the weighted mean of the values is taken off first;
   * PQF_MEAN_AUTO (the default): for PQF_OBJECTIVE_OBSERVED. */
  int32_t mean;
  /** 1: factors are 0 or more, those drawn for the start too; 0 (the default):
   * any. */
  int32_t nonnegative;
  /** Steps of conjugate gradient for each row in the place of the exact
   * solution, at most 1000; 0 (the default): exact. */
  int64_t conjugate_gradient;
  /** Any solver: bytes that a fit may take beside its data (see pqf_plan());
   * 0 (the default): no limit. */
  uint64_t memory_limit;
  /** Any solver: a file that a fit writes its state to as it goes, replaced as a
   * whole each time; what pqf_load() and pqf_resume() take. NULL (the default):
   * none. */
  const char *checkpoint;
  /** Epochs from one checkpoint to the next; 0 (the default): 1. */
  int64_t checkpoint_every;
} pqf_options;

/** The defaults, for an initialiser: `pqf_options o = PQF_OPTIONS_INIT;` */
#define PQF_OPTIONS_INIT                                                                           \
  {                                                                                                \
    sizeof(pqf_options), NULL, NULL, 1000, 2, PQF_SOLVER_GD, PQF_UPDATE_GRADIENT,                  \
        PQF_OBJECTIVE_SQUARED, 10, PQF_INIT_NORMAL, 0, 0, 0.01, 0.02, 0.001, 1.0, 0, NULL, NULL,   \
        -1.0, 0.0, 1.0, 1.0, PQF_ZEROS_UNOBSERVED, PQF_BIASES_AUTO, PQF_MEAN_AUTO, 0, 0, 0, NULL,  \
        0                                                                                          \
  }

/**
 * Fills in the defaults; for bindings, which cannot use PQF_OPTIONS_INIT.
 *
 * @param options  the struct to fill
 * @param size     its size as the caller knows it; becomes its `size`
 * @return PQF_OK; PQF_EINVAL if `options` is NULL, or `size` is below that of
 *         0.1.0 or no multiple of 8
 */
PQF_API int pqf_options_init(pqf_options *options, uint64_t size);

/**
 * Sets one option from text: `pqf_options_set(&options, "factors", "64")`.
 *
 * @param options  initialised before
 * @param name     a name that pqf_option_info() lists
 * @param value    a number, or a word that pqf_option_info() lists; the text
 *                 of a text option is borrowed until pqf_create() has returned
 * @return PQF_OK; PQF_EINVAL for an unknown name (pqf_error_message() then
 *         names the nearest one) or a value that it cannot take
 */
PQF_API int pqf_options_set(pqf_options *options, const char *name, const char *value);

/**
 * Sets the options that say what is trained and how to those of a preset, which
 * give good models on ordinary data (docs/presets.md has the reasons):
 * - "notebook": the notebook's rule and its defaults;
 * - "ratings": explicit ratings, by alternating least squares;
 * - "clicks": clicks, views, purchases, by alternating least squares.
 *
 * Back end, threads, seed, callback, memory limit and checkpoint stay as they
 * are. Since 0.2.0.
 *
 * @param options  initialised before
 * @return PQF_OK; PQF_EINVAL for an unknown name, or a struct whose `size` does
 *         not reach to an option that the preset sets
 */
PQF_API int pqf_options_preset(pqf_options *options, const char *name);

/** @name Types of options */
/** @{ */
#define PQF_TYPE_INTEGER 0 /**< a whole number */
#define PQF_TYPE_NUMBER 1  /**< a number */
#define PQF_TYPE_WORD 2    /**< one of some words */
#define PQF_TYPE_TEXT 3    /**< any text */
/** @} */

/** What there is to know of one option. The texts last as long as the library. */
typedef struct pqf_option {
  uint64_t size;             /**< sizeof(pqf_option), set by the caller */
  const char *name;          /**< "learning_rate" */
  const char *help;          /**< one sentence */
  const char *default_value; /**< as pqf_options_set() takes it */
  const char *words;         /**< of a word option: "normal|torch|given"; else NULL */
  double minimum;            /**< of a number, itself allowed unless
                                  `minimum_excluded` */
  double maximum;            /**< of a number */
  int32_t type;              /**< PQF_TYPE_... */
  int32_t minimum_excluded;  /**< 1: the value must be above `minimum` */
} pqf_option;

/** The number of options that have a text form. */
PQF_API int32_t pqf_option_count(void);

/**
 * Describes one option: for commands, bindings and manuals.
 *
 * @param index  from 0 to pqf_option_count() - 1
 * @param out    `size` is set by the caller
 * @return PQF_OK; PQF_EINVAL
 */
PQF_API int pqf_option_info(int32_t index, pqf_option *out);

/** @name Cells given more than once
 * See pqf_data_options.duplicates. */
/** @{ */
#define PQF_DUPLICATES_ERROR 0 /**< refused */
#define PQF_DUPLICATES_SUM 1   /**< added up */
#define PQF_DUPLICATES_LAST 2  /**< the last one counts */
/** @} */

/** How data is taken in. Start from PQF_DATA_OPTIONS_INIT. */
typedef struct pqf_data_options {
  /** sizeof(pqf_data_options) */
  uint64_t size;
  /** 1: a NaN marks an absent cell. 0 (the default): it is refused. Dense data
   * with absent cells is kept as sparse data. */
  int32_t nan_is_absent;
  /** 1: dense values are not copied; they must then outlive the pqf_data
   * unchanged. 0 (the default): they are. */
  int32_t borrow;
  /* Since 0.2.0, for sparse data. */
  /** What becomes of a cell that is given more than once.
   * - PQF_DUPLICATES_ERROR (the default): it is refused.
   * - PQF_DUPLICATES_SUM: its values are added up, and its weights, in double
   *   and in the order given; a sum beyond float is refused.
   * - PQF_DUPLICATES_LAST: the last one given counts. */
  int32_t duplicates;
  /** Threads to use while building, at most 4096; 0 (the default): as many as
   * the process may run on. The result does not depend on it. */
  int32_t threads;
  /* Since 0.3.1. */
  /** The most bytes that building may take, the data that comes of it included
   * and what the caller hands over not; 0 (the default): no limit. What would
   * take more is refused with PQF_ENOMEM before it is begun, from chunks and
   * streams as soon as it shows; the message tells the bytes. */
  uint64_t memory_limit;
} pqf_data_options;

/** The defaults, for an initialiser. */
#define PQF_DATA_OPTIONS_INIT                                                                      \
  {                                                                                                \
    sizeof(pqf_data_options), 0, 0, PQF_DUPLICATES_ERROR, 0, 0                                     \
  }

/**
 * Builds R from a dense matrix.
 *
 * @param[out] out    the new data; free it with pqf_data_free()
 * @param values      rows x cols, finite
 * @param rows        1 to INT32_MAX
 * @param cols        1 to INT32_MAX
 * @param row_stride  elements from one row to the next, at least `cols`
 * @param options     NULL: the defaults
 * @return PQF_OK; PQF_EINVAL for a NULL pointer, a size or stride out of range,
 *         or a value that is infinite or NaN (the message names the cell);
 *         PQF_ENOMEM
 */
PQF_API int pqf_data_dense(pqf_data **out, const float *values, int64_t rows, int64_t cols,
                           int64_t row_stride, const pqf_data_options *options);

/**
 * Builds R from a list of cells, in any order; all others are absent. Kept by
 * row and by column, in 16 bytes per cell (24 with weights).
 *
 * @param[out] out  the new data; free it with pqf_data_free()
 * @param rows      1 to INT32_MAX
 * @param cols      1 to INT32_MAX
 * @param count     number of cells, 0 or more
 * @param row       count row indices, from 0
 * @param col       count column indices, from 0
 * @param value     count finite values; NULL: all are 1
 * @param weight    count finite weights, 0 or more; NULL: all are 1
 * @param options   NULL: the defaults
 * @return PQF_OK; PQF_EINVAL for a NULL pointer, a size or an index out of
 *         range, a value or weight that is not allowed, or a cell given twice
 *         (the message names it) unless `duplicates` allows that; PQF_ENOMEM
 */
PQF_API int pqf_data_coo(pqf_data **out, int64_t rows, int64_t cols, int64_t count,
                         const int32_t *row, const int32_t *col, const float *value,
                         const float *weight, const pqf_data_options *options);

/**
 * As pqf_data_coo(), from compressed rows.
 *
 * @param offset  rows + 1 ascending offsets into the other arrays, the first 0;
 *                the last is the number of cells. The columns of a row may come
 *                in any order.
 */
PQF_API int pqf_data_csr(pqf_data **out, int64_t rows, int64_t cols, const int64_t *offset,
                         const int32_t *col, const float *value, const float *weight,
                         const pqf_data_options *options);

/** Some of the cells of R, from pqf_pull. */
typedef struct pqf_chunk {
  uint64_t size;       /**< sizeof(pqf_chunk) of the library, set by it */
  int64_t count;       /**< number of cells; 0: there are no more */
  const int32_t *row;  /**< count row indices */
  const int32_t *col;  /**< count column indices */
  const float *value;  /**< count values; NULL: all are 1 */
  const float *weight; /**< count weights; NULL: all are 1 */
} pqf_chunk;

/**
 * Called by pqf_data_pull() in its own thread until there are no more cells.
 *
 * @param chunk    zeroed but for `size`; fill in the rest. The arrays are the
 *                 caller's and must last until the next call.
 * @param payload  as given to pqf_data_pull()
 * @return 0; anything else ends the building with PQF_ECANCELED
 */
typedef int (*pqf_pull)(pqf_chunk *chunk, void *payload);

/**
 * As pqf_data_coo(), from chunks that a callback delivers, so that no array ever
 * holds all cells. Since 0.2.0.
 *
 * Cells are checked as they come. At the peak there are 8 bytes per cell beside
 * the result, and as many as one chunk. All chunks have weights, or none has;
 * values may be left out in some.
 *
 * @param pull     called until it delivers no cells
 * @param payload  handed to `pull`
 * @return as pqf_data_coo(), also for a chunk whose `count` is negative, that
 *         lacks an array, or that is not weighted as those before it;
 *         PQF_ECANCELED when `pull` says so
 */
PQF_API int pqf_data_pull(pqf_data **out, int64_t rows, int64_t cols, pqf_pull pull, void *payload,
                          const pqf_data_options *options);

/** @name Ways to split */
/** @{ */
#define PQF_SPLIT_RANDOM 0 /**< each cell by itself */
#define PQF_SPLIT_LAST 1   /**< the last cells of each row, by time */
#define PQF_SPLIT_ROWS 2   /**< whole rows */
/** @} */

/** How to split cells into training and held-out ones. Since 0.2.0. */
typedef struct pqf_split_options {
  uint64_t size;   /**< sizeof(pqf_split_options) */
  double fraction; /**< RANDOM: of cells; ROWS: of rows; from 0 to 1 */
  uint64_t seed;   /**< of RANDOM and ROWS */
  int64_t last;    /**< LAST: cells held out of each row that has more */
  int32_t method;  /**< PQF_SPLIT_... */
  int32_t fold;    /**< RANDOM and ROWS: which of the disjoint held-out sets of
                        that seed, from 0 to floor(1 / fraction) - 1 */
} pqf_split_options;

/** A tenth of the cells at random, for an initialiser. */
#define PQF_SPLIT_OPTIONS_INIT                                                                     \
  {                                                                                                \
    sizeof(pqf_split_options), 0.1, 0, 1, PQF_SPLIT_RANDOM, 0                                      \
  }

/**
 * Says of each of a list of cells whether it is held out. Depends on the seed
 * and the cell's place in the list (PQF_SPLIT_ROWS: on its row) alone.
 * Since 0.2.0.
 *
 * @param rows  rows of R
 * @param row   count row indices
 * @param time  PQF_SPLIT_LAST: count times; of equal ones the later in the list
 *              is the later; else NULL
 * @param out   count bytes: 1 held out, 0 not
 * @return PQF_OK; PQF_EINVAL; PQF_ENOMEM
 */
PQF_API int pqf_split(int64_t rows, int64_t count, const int32_t *row, const double *time,
                      const pqf_split_options *options, uint8_t *out);

/**
 * Builds R from a table that comes as an Arrow C stream.
 *
 * Wide (`col` and `value` are NULL): every numeric column is an item and its
 * name the item's id, every line is a user. `row` names the column of user ids,
 * integers or text; NULL: there is none. Any other column that is not numeric
 * is an error.
 *
 * Long: each line is one cell; `row`, `col` and `value` name the columns of
 * user ids, item ids (integers or text) and values. Ids are numbered in
 * ascending order of integers, or of bytes for text; further columns are
 * ignored.
 *
 * Ids become those of the data (see pqf_data_set_ids()) unless they are 0, 1,
 * 2, ... in order. A null cell is an absent one, and is refused like a NaN
 * unless `nan_is_absent`; a null id is refused.
 *
 * @param[out] out  the new data; free it with pqf_data_free()
 * @param stream    consumed: released before this returns, also when it fails
 * @param row,col,value  see above
 * @param options   NULL: the defaults; `borrow` has no effect
 * @return PQF_OK; PQF_EINVAL, as for pqf_data_dense() and pqf_data_coo(), and
 *         for a column that is missing or of the wrong kind (the message names
 *         it); PQF_EFORMAT for a stream that breaks the interface's rules;
 *         PQF_EIO for one that reports an error; PQF_ENOMEM
 */
PQF_API int pqf_data_arrow(pqf_data **out, struct ArrowArrayStream *stream, const char *row,
                           const char *col, const char *value, const pqf_data_options *options);

/**
 * Gives the rows or the columns ids of the caller's. A fit passes them on to
 * the model. Call it before other threads use the data; ids set before are
 * replaced.
 *
 * @param side     PQF_ROWS or PQF_COLS
 * @param count    the number of rows or columns
 * @param numbers  count different ids, or NULL
 * @param texts    count different ids as UTF-8, ended by NUL, or NULL. One of
 *                 the two must be NULL; both: the side has no ids.
 * @return PQF_OK; PQF_EINVAL for a wrong count, an id that is there twice (the
 *         message names it) or one that is no UTF-8; PQF_ENOMEM
 */
PQF_API int pqf_data_set_ids(pqf_data *data, int32_t side, int64_t count, const int64_t *numbers,
                             const char *const *texts);

/** Rows of R; 0 for NULL. */
PQF_API int64_t pqf_data_rows(const pqf_data *data);
/** Columns of R; 0 for NULL. */
PQF_API int64_t pqf_data_cols(const pqf_data *data);
/** Cells of R that are present; 0 for NULL. */
PQF_API int64_t pqf_data_count(const pqf_data *data);

/** Frees data; NULL is allowed. No fit may be using it. */
PQF_API void pqf_data_free(pqf_data *data);

/**
 * Makes a model that is to be fitted.
 *
 * @param[out] out  the new model; free it with pqf_free()
 * @param options   checked and copied, texts included; NULL: the defaults
 * @return PQF_OK; PQF_EINVAL for an option out of its range (the message names
 *         it) or a struct with non-zero members that this library does not
 *         know; PQF_ENOMEM
 */
PQF_API int pqf_create(pqf_model **out, const pqf_options *options);

/**
 * Trains the model: anew at each call, from the factors that `init` says.
 *
 * A fit that fails leaves the factors of before, with two exceptions: one that
 * diverges or is cancelled leaves the best factors that it met, if it met any
 * (a cancelled one with PQF_SOLVER_ALS and without `keep_best`: the last).
 * Factors and ids borrowed from the model end with this call.
 *
 * @param model       no other thread may use it meanwhile
 * @param train       R
 * @param validation  cells held out of training that decide when to stop; of
 *                    the same shape as `train`; absent cells do not count.
 *                    Ids that it has must be those of `train`, in the same
 *                    order; without any its indices are those of `train`.
 *                    NULL: none
 * @return PQF_OK; PQF_EINVAL (a NULL pointer, another shape, other ids, `init` "given"
 *         without or with other factors, validation data without cells, a `backend`
 *         that is no name); PQF_ENOTSUP (the back end has no such
 *         step, or options and data that do not go together, such as weights
 *         with PQF_UPDATE_NOTEBOOK or dense data with PQF_SOLVER_ALS); PQF_EBACKEND (cannot be
 *         used: the message says why); PQF_EDIVERGED; PQF_ECANCELED; PQF_EIO (the option
 *         `checkpoint`, before the first epoch where possible); PQF_EFORMAT (`init`
 *         "model", and the file that the model was loaded from is damaged); PQF_ENOMEM
 */
PQF_API int pqf_fit(pqf_model *model, const pqf_data *train, const pqf_data *validation);

/**
 * Goes on with a fit where its last checkpoint left it: ends with the same bits
 * as the fit that was not interrupted, on the same machine
 * (docs/checkpoints.md). Options may be changed before with
 * pqf_model_set_option(), such as `epochs` to train for longer; those that
 * shape the problem (`factors`, `solver`, `update`, `objective`, biases and
 * mean) must stay. Since 0.2.0.
 *
 * @param model       from pqf_load() of a checkpoint; verified first where
 *                    pqf_load() did not
 * @param train       the data of the fit
 * @param validation  its validation data; NULL if it had none
 * @return as pqf_fit(); PQF_EINVAL when the model is no checkpoint, or the data
 *         is not that of the fit (its shape, number of cells, a checksum of them,
 *         and its ids); PQF_EFORMAT when the checkpoint is damaged
 */
PQF_API int pqf_resume(pqf_model *model, const pqf_data *train, const pqf_data *validation);

/** What a fit takes. Since 0.2.0. */
typedef struct pqf_memory {
  uint64_t size;         /**< sizeof(pqf_memory), set by the caller */
  uint64_t data_bytes;   /**< held by the data already */
  uint64_t fit_bytes;    /**< taken by the fit at its peak, beside the data; address space that a
                              BLAS maps for a large dense matrix is counted in full */
  uint64_t model_bytes;  /**< of these, kept by the model afterwards */
  uint64_t device_bytes; /**< taken on the device of the back end; 0: it has none */
} pqf_memory;

/**
 * Tells what a fit will take before it is begun. A fit whose `fit_bytes` are
 * above the option `memory_limit` is refused with PQF_ENOMEM. Since 0.2.0.
 *
 * @param out  `size` is set by the caller
 * @return PQF_OK, or what pqf_fit() would return before it began
 */
PQF_API int pqf_plan(const pqf_model *model, const pqf_data *train, const pqf_data *validation,
                     pqf_memory *out);

/** @name Metrics
 * Bits of pqf_evaluate_options.metrics. */
/** @{ */
#define PQF_METRICS_RATING 1u  /**< RMSE, MAE */
#define PQF_METRICS_RANKING 2u /**< the others */
/** @} */

/** How to measure. Since 0.2.0. */
typedef struct pqf_evaluate_options {
  uint64_t size;    /**< sizeof(pqf_evaluate_options) */
  int32_t k;        /**< length of a list, 1 or more */
  uint32_t metrics; /**< PQF_METRICS_... */
  int32_t threads;  /**< 0: as many as the process may run on */
  int32_t reserved; /**< 0 */
  double relevant;  /**< a held-out cell counts as relevant from this value on */
} pqf_evaluate_options;

/** Both kinds, lists of 10, every held-out cell relevant; for an initialiser. */
#define PQF_EVALUATE_OPTIONS_INIT                                                                  \
  {                                                                                                \
    sizeof(pqf_evaluate_options), 10, PQF_METRICS_RATING | PQF_METRICS_RANKING, 0, 0, -HUGE_VAL    \
  }

/**
 * Measures. A row's list are the k columns with the highest predictions, those
 * excluded left out, of equal ones the lower index first; rows without a
 * relevant held-out cell that is not excluded do not count. h is the number of
 * relevant cells in the list, n the row's number of such cells; all but coverage
 * are means over rows. What was not asked for is NaN. docs/metrics.md has more.
 * Since 0.2.0.
 */
typedef struct pqf_metrics {
  uint64_t size;    /**< sizeof(pqf_metrics), set by the caller */
  int64_t cells;    /**< held-out cells behind RMSE and MAE */
  int64_t rows;     /**< rows behind the others */
  double rmse;      /**< root of the weighted mean squared error */
  double mae;       /**< weighted mean absolute error */
  double precision; /**< h / k */
  double recall;    /**< h / min(k, n) (Liang et al. 2018) */
  double ndcg;      /**< sum of 1 / log2(place + 1) over hits, over its best */
  double map;       /**< sum over hits of precision at their place / min(k, n) */
  double mrr;       /**< 1 / place of the first hit; 0 without one */
  double auc;       /**< chance that a relevant column is above one that is
                         neither relevant nor excluded, ties half */
  double coverage;  /**< share of the columns that are in some list */
} pqf_metrics;

/**
 * Measures a model on held-out cells.
 *
 * @param held_out  of the model's shape; ids that it has must be those of the
 *                  model, in the same order
 * @param exclude   cells to leave out of lists and of AUC, such as the training
 *                  data, likewise; NULL: none
 * @param options   NULL: the defaults
 * @param out       `size` is set by the caller
 * @return PQF_OK; PQF_EINVAL; PQF_EUNFITTED; PQF_ENOMEM
 */
PQF_API int pqf_evaluate(const pqf_model *model, const pqf_data *held_out, const pqf_data *exclude,
                         const pqf_evaluate_options *options, pqf_metrics *out);

/**
 * Predicts cells: out[n] is the prediction for (row[n], col[n]).
 *
 * @param count  number of cells, 0 or more
 * @param out    count values; may be the memory of `row` or `col`, from the
 *               same address, but overlap them in no other way
 * @return PQF_OK; PQF_EINVAL (a NULL pointer, an index out of range);
 *         PQF_EUNFITTED
 */
PQF_API int pqf_predict(const pqf_model *model, int64_t count, const int32_t *row,
                        const int32_t *col, float *out);

/**
 * Predicts whole rows: out = P[first_row .. first_row + row_count) Q', and the
 * mean and biases where the model has them.
 *
 * @param first_row   from 0
 * @param row_count   0 or more
 * @param out         row_count x cols
 * @param out_stride  elements from one row of `out` to the next
 * @return as pqf_predict()
 */
PQF_API int pqf_reconstruct(const pqf_model *model, int64_t first_row, int64_t row_count,
                            float *out, int64_t out_stride);

/**
 * Multiplies two factor matrices of the caller's: out = P Q'.
 *
 * @param p         rows x factors, with p_stride
 * @param q         cols x factors, with q_stride
 * @param out       rows x cols, with out_stride; must not overlap p or q
 * @return PQF_OK; PQF_EINVAL (a NULL pointer, a negative size, a stride below
 *         the length of a row)
 */
PQF_API int pqf_multiply(int64_t rows, int64_t cols, int64_t factors, const float *p,
                         int64_t p_stride, const float *q, int64_t q_stride, float *out,
                         int64_t out_stride);

/** Frees a model; NULL is allowed. */
PQF_API void pqf_free(pqf_model *model);

/** Rows of the fitted or loaded model; 0 before. */
PQF_API int64_t pqf_model_rows(const pqf_model *model);
/** Columns of the fitted or loaded model; 0 before. */
PQF_API int64_t pqf_model_cols(const pqf_model *model);
/** Columns of P and Q: of the fitted or loaded model, before that the option. */
PQF_API int64_t pqf_model_factors(const pqf_model *model);

/**
 * Lends P (PQF_ROWS) or Q (PQF_COLS), rows of pqf_model_factors() values without
 * gaps; NULL before a fit. Valid until the model's next fit or its end.
 */
PQF_API const float *pqf_model_borrow_factors(const pqf_model *model, int32_t side);

/**
 * Lends the biases of the rows (PQF_ROWS) or columns; NULL where the model has
 * none. Valid until the model's next fit or its end. Since 0.2.0.
 */
PQF_API const float *pqf_model_borrow_biases(const pqf_model *model, int32_t side);

/** The mean that every prediction begins with; 0 where there is none.
 * Since 0.2.0. */
PQF_API double pqf_model_mean(const pqf_model *model);

/**
 * Sets the factors that a fit with PQF_INIT_GIVEN starts from; they are copied.
 *
 * @param rows  rows of p; cols likewise of q. A fit refuses data of another
 *              shape.
 * @param p     rows x (option factors), without gaps; finite
 * @param q     cols x (option factors), without gaps; finite
 * @return PQF_OK; PQF_EINVAL (a NULL pointer, a size out of range, a value that
 *         is not finite); PQF_ENOMEM
 */
PQF_API int pqf_model_set_initial(pqf_model *model, int64_t rows, int64_t cols, const float *p,
                                  const float *q);

/** @name Why a fit ended */
/** @{ */
#define PQF_STOP_NONE 0     /**< no fit yet */
#define PQF_STOP_EPOCHS 1   /**< all epochs were run */
#define PQF_STOP_EARLY 2    /**< early stopping */
#define PQF_STOP_CANCELED 3 /**< the callback said so */
#define PQF_STOP_DIVERGED 4 /**< the loss was no finite number */
#define PQF_STOP_RUNNING 5  /**< not yet: the model is a checkpoint (since 0.2.0) */
/** @} */

/** How the last fit of a model went. */
typedef struct pqf_summary {
  uint64_t size;       /**< sizeof(pqf_summary), set by the caller */
  int64_t epochs;      /**< epochs in the history */
  int64_t best_epoch;  /**< that at whose start the loss was lowest (of the
                            validation set where there was one); with
                            `keep_best`, `epochs` + 1, which has no entry in
                            the history, means after the last; 0: none */
  int64_t stop_reason; /**< PQF_STOP_... */
  double loss;         /**< of the last epoch in the history */
  double best_loss;    /**< of `best_epoch` */
  double seconds;      /**< the whole fit */
} pqf_summary;

/**
 * Tells how the last fit went; it is kept in model files too.
 *
 * @param out  `size` is set by the caller
 * @return PQF_OK; PQF_EINVAL
 */
PQF_API int pqf_model_summary(const pqf_model *model, pqf_summary *out);

/**
 * Gives one epoch of the last fit.
 *
 * @param index  from 0 to the summary's `epochs` - 1
 * @param out    `size` is set by the caller
 * @return PQF_OK; PQF_EINVAL
 */
PQF_API int pqf_model_history(const pqf_model *model, int64_t index, pqf_epoch *out);

/**
 * Writes the text form of one of the model's options.
 *
 * @param name  a name that pqf_option_info() lists
 * @param out   capacity bytes; the text is ended by NUL
 * @return PQF_OK; PQF_EINVAL for an unknown name or a buffer that is too small
 *         (64 bytes are enough for any but text options)
 */
PQF_API int pqf_model_option(const pqf_model *model, const char *name, char *out, size_t capacity);

/**
 * Changes one of the model's options, for its next fit: so that a loaded model
 * can be fitted with `init` "model". Initial factors that were set are dropped
 * when `factors` changes. Since 0.2.0.
 *
 * @param name   a name that pqf_option_info() lists
 * @param value  as for pqf_options_set(); copied
 * @return PQF_OK; PQF_EINVAL; PQF_ENOMEM
 */
PQF_API int pqf_model_set_option(pqf_model *model, const char *name, const char *value);

/**
 * Changes the callback of the model's next fit, so that a loaded model can have
 * one. Since 0.2.0.
 *
 * @param callback  NULL: none
 * @param payload   handed to `callback`
 * @return PQF_OK; PQF_EINVAL (`model` is NULL)
 */
PQF_API int pqf_model_set_callback(pqf_model *model, pqf_callback callback, void *payload);

/** One id: a number, or a text that need not end with NUL. */
typedef struct pqf_id {
  const char *text; /**< UTF-8; NULL: the id is `number` */
  int64_t length;   /**< bytes of `text` */
  int64_t number;   /**< the id, or 0 where it is a text */
} pqf_id;

/**
 * Gives the id of a row or a column. Where the side has no ids, its index is
 * its id.
 *
 * @param side   PQF_ROWS or PQF_COLS
 * @param index  from 0
 * @param out    its text is valid until the model's next fit or its end
 * @return PQF_OK; PQF_EINVAL; PQF_EUNFITTED
 */
PQF_API int pqf_model_id(const pqf_model *model, int32_t side, int64_t index, pqf_id *out);

/**
 * Finds the row or column of an id.
 *
 * @param side  PQF_ROWS or PQF_COLS
 * @param id    of the kind that the side has
 * @param out   its index
 * @return PQF_OK; PQF_ENOTFOUND (also for an id of the other kind); PQF_EINVAL;
 *         PQF_EUNFITTED; PQF_ENOMEM (the first search after a load builds the
 *         index)
 */
PQF_API int pqf_model_find(const pqf_model *model, int32_t side, const pqf_id *id, int32_t *out);

/** @name Kinds of ids */
/** @{ */
#define PQF_IDS_NONE 0    /**< no ids: places alone */
#define PQF_IDS_NUMBERS 1 /**< 64-bit integers */
#define PQF_IDS_TEXTS 2   /**< UTF-8 texts */
/** @} */

/** The kind of ids that a side of the model has: PQF_IDS_... */
PQF_API int32_t pqf_model_id_kind(const pqf_model *model, int32_t side);

/**
 * Writes a fitted model to a file (docs/file-format.md): first to a new file
 * beside it, which then takes its name, so that a reader finds the old file or
 * the new one.
 *
 * A model that pqf_load() did not verify is verified first: a file never gets a
 * checksum that is right over damaged tensors.
 *
 * @return PQF_OK; PQF_EINVAL; PQF_EUNFITTED; PQF_EIO; PQF_EFORMAT (the file that
 *         the model was loaded from is damaged); PQF_ENOMEM
 */
PQF_API int pqf_save(const pqf_model *model, const char *path);

/** Flag of pqf_load(): read the whole file and check that it is as it was
 * written (its checksum), that factors and biases are finite, and that ids
 * differ and texts are UTF-8. Without it predictions come from the tensors as
 * they are; pqf_save(), pqf_resume() and pqf_fit() with PQF_INIT_MODEL then
 * make up for it. */
#define PQF_LOAD_VERIFY 1u

/**
 * Maps a model file into memory. The file may be replaced meanwhile (by
 * pqf_save() or rename), but must not be changed or shortened in place.
 *
 * @param[out] out  the model; free it with pqf_free()
 * @param flags     0 or PQF_LOAD_VERIFY
 * @return PQF_OK; PQF_EINVAL (a NULL pointer, an unknown flag); PQF_EIO;
 *         PQF_EFORMAT (no model file, or a damaged one); PQF_ENOMEM
 */
PQF_API int pqf_load(pqf_model **out, const char *path, uint32_t flags);

/** What is known of a back end. */
typedef struct pqf_backend_info {
  uint64_t size;   /**< sizeof(pqf_backend_info), set by the caller */
  char name[32];   /**< as the option `backend` takes it */
  char words[256]; /**< usable: what it computes on; else: why not */
  int64_t usable;  /**< 1: it can be used */
} pqf_backend_info;

/**
 * The number of back ends that are known here: those of the library, usable or
 * not, then the modules found in the folder.
 *
 * @param backend_path  as the option of that name
 */
PQF_API int32_t pqf_backend_count(const char *backend_path);

/**
 * Describes one back end, loading it if it is a module.
 *
 * @param backend_path  as the option of that name
 * @param index         from 0 to pqf_backend_count() - 1
 * @param out           `size` is set by the caller
 * @return PQF_OK; PQF_EINVAL
 */
PQF_API int pqf_backend_describe(const char *backend_path, int32_t index, pqf_backend_info *out);

/** A sentence for a status, also for an unknown one; never NULL. */
PQF_API const char *pqf_strerror(int status);

/**
 * The words of the calling thread's last call that failed, with the value that
 * offended: "value 17 at row 3 is NaN". It may be shown on a terminal: control
 * characters, directional overrides and bytes that are no UTF-8 stand in it by
 * their numbers. Valid until its next call that fails; empty when none has
 * failed yet; never NULL.
 */
PQF_API const char *pqf_error_message(void);

/** The version of the library, such as "0.2.0". */
PQF_API const char *pqf_version(void);

#ifdef __cplusplus
}
#endif

#endif
