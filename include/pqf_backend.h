/**
 * @file pqf_backend.h
 * @brief The contract for a compute back end of libpqf: implement this.
 *
 * libpqf decides what to compute (src/fit.c, the training loop); a back end
 * knows how. Its unit of work is a step of the algorithm, never a matrix
 * operation, and it owns P, Q, R and its scratch for the length of a fit, so
 * that on a device with memory of its own they stay there: factors cross only
 * at the start, at the end and for a checkpoint.
 *
 * A back end is one constant table of functions. That of the CPU is linked into
 * the library; any other is a module, a shared object `pqf_NAME.so` or
 * `pqf_gpu_NAME.so` that exports the one function named by PQF_BACKEND_ENTRY.
 * docs/adding-a-backend.md walks through one. A module that others than root and
 * the effective user may write to, or whose folder they may, is refused.
 *
 * Rules:
 * - A function that can fail returns PQF_OK or one of pqf.h's PQF_E numbers,
 *   after putting words for it into host->fail().
 * - A function that is NULL, or that lies beyond the table's `size`, is a step
 *   that the back end does not support: the fit ends with PQF_ENOTSUP.
 * - The same problem gives the same bits on one machine, whatever
 *   host->threads is.
 * - Training functions are called by one thread at a time. `probe` and
 *   `multiply` may be called by any number at once.
 *
 * This is an extension interface with a version of its own: a table made for
 * another PQF_BACKEND_ABI is refused. Within one, tables and structs only grow.
 */
#ifndef PQF_BACKEND_H
#define PQF_BACKEND_H

#include "pqf.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The version of this contract. */
#define PQF_BACKEND_ABI 1

/** The symbol that a module exports, as text; its type is pqf_backend_entry. */
#define PQF_BACKEND_ENTRY "pqf_backend_entry"

/** Work for host->parallel_for(): one item. `worker` is below host->threads and
 * no two items run with the same one at the same time. */
typedef void (*pqf_work)(void *argument, int64_t item, int32_t worker);

/** Services that the library lends to a back end for the length of a call, or
 * from `open` to `close`. */
typedef struct pqf_host {
  uint64_t size; /**< sizeof(pqf_host) of the library */
  void *context; /**< the library's own */
  /** Memory aligned to 64 bytes, not zeroed; NULL when there is none (`fail`
   * has then been called). */
  void *(*allocate)(const struct pqf_host *host, uint64_t count, uint64_t element_size);
  /** Gives memory of `allocate` back; NULL is allowed. */
  void (*release)(const struct pqf_host *host, void *memory);
  /** Sets the words for a failure (printf's format) and returns `status`. */
  int (*fail)(const struct pqf_host *host, int status, const char *format, ...)
#if defined(__GNUC__)
      __attribute__((format(printf, 3, 4)))
#endif
      ;
  /** Runs work(argument, item, worker) for every item from 0 to count - 1, in
   * any order, on up to `threads` threads, and returns when all are done. Not
   * to be called from inside a work function. */
  void (*parallel_for)(const struct pqf_host *host, int64_t count, pqf_work work, void *argument);
  int64_t threads; /**< the most that run at once, 1 or more */
} pqf_host;

/** Present cells of R by row (or, with rows and columns exchanged, by column),
 * in host memory. Cells of a row come in ascending order of `index`. */
typedef struct pqf_cells {
  const int64_t *offset; /**< rows + 1: where a row's cells begin; the last is their number */
  const int32_t *index;  /**< column of each cell */
  const float *value;    /**< value of each cell */
  const float *weight;   /**< weight of each cell; NULL: all are 1 */
} pqf_cells;

/** R in host memory, either dense or sparse. */
typedef struct pqf_matrix {
  int64_t rows;         /**< users */
  int64_t cols;         /**< items */
  int64_t count;        /**< present cells */
  double square_sum;    /**< sum over present cells of weight value^2 */
  const float *dense;   /**< rows x cols, every cell present; NULL: sparse */
  int64_t dense_stride; /**< elements from one row of `dense` to the next */
  pqf_cells by_row;     /**< sparse data only */
  pqf_cells by_col;     /**< sparse data only */
} pqf_matrix;

/** What to train. Lives from `open` to `close`, in host memory. */
typedef struct pqf_problem {
  uint64_t size;                /**< sizeof(pqf_problem) of the library */
  const pqf_matrix *train;      /**< R */
  const pqf_matrix *validation; /**< held-out cells of the same shape; NULL: none */
  const char *device;           /**< what follows the colon in "cuda:1"; "" if nothing */
  int64_t factors;              /**< k, 1 to 2048 */
  int32_t solver;               /**< PQF_SOLVER_... */
  int32_t update;               /**< PQF_UPDATE_... */
  int32_t objective;            /**< PQF_OBJECTIVE_... */
  int32_t reserved;             /**< 0 */
  double learning_rate;         /**< alpha */
  double regularization;        /**< beta, or lambda for PQF_SOLVER_ALS */

  /* Since 0.2.0, for PQF_SOLVER_ALS. */
  double bias_regularization;       /**< lambda_b */
  double scaling_exponent;          /**< s: a row with n cells has lambda (n + offset)^s */
  double scaling_offset[2];         /**< offset of rows, of columns */
  double mean;                      /**< mu, taken from every value before it is fitted */
  double confidence;                /**< alpha: an observed cell weighs 1 + alpha r */
  double unobserved_weight;         /**< alpha0 */
  int32_t implicit_zeros;           /**< PQF_ZEROS_... */
  int32_t has_bias[2];              /**< 1: rows, columns have a bias */
  int32_t nonnegative;              /**< 1: factors are 0 or more */
  int32_t conjugate_gradient_steps; /**< 0: exact */
  int32_t reserved2;                /**< 0 */
} pqf_problem;

/** The loss of PQF_SOLVER_ALS in its parts. */
typedef struct pqf_loss {
  double observed;       /**< errors of the cells that are present */
  double unobserved;     /**< errors of the cells that are not, where they count */
  double regularization; /**< of factors and biases */
} pqf_loss;

/** @name Which of the factor matrices that a training holds */
/** @{ */
#define PQF_CURRENT 0 /**< where the next epoch starts */
#define PQF_BEST 1    /**< those of the last `keep` */
/** @} */

/** A training in progress: the back end's own struct. */
typedef struct pqf_training pqf_training;

/**
 * The table. Members that a back end does not have stay NULL; later releases
 * append members.
 */
typedef struct pqf_backend {
  uint64_t abi;     /**< PQF_BACKEND_ABI */
  uint64_t size;    /**< sizeof(pqf_backend) when the back end was compiled */
  const char *name; /**< "cpu" */

  /**
   * Says whether the back end can be used on this machine.
   * @param device  as in pqf_problem
   * @param words   usable: what it computes on, in a few words; else why not
   * @return PQF_OK: it can
   */
  int (*probe)(const char *device, char *words, uint64_t capacity);

  /**
   * Begins a training: takes in the problem, whose views stay valid until
   * `close`, and makes room for the factors, which `set` then fills.
   * @param host  valid until `close`
   * @return PQF_OK; on failure *out is NULL and nothing is left behind
   */
  int (*open)(pqf_training **out, const pqf_host *host, const pqf_problem *problem);

  /** Ends a training; NULL is allowed. */
  void (*close)(pqf_training *training);

  /**
   * Copies rows [first, first + count) of the current P (PQF_ROWS) or Q
   * (PQF_COLS) in: `factors` values a row, without gaps, host memory. What
   * `keep` remembers stays as it is: a fit that is resumed sets the best
   * factors, keeps them, and sets the current ones.
   */
  int (*set)(pqf_training *training, int32_t side, int64_t first, int64_t count,
             const float *values);

  /** Copies rows [first, first + count) of P or Q out, as `set`.
   * @param which  PQF_CURRENT or PQF_BEST */
  int (*get)(pqf_training *training, int32_t side, int32_t which, int64_t first, int64_t count,
             float *values);

  /**
   * One epoch of gradient descent: from the current factors P0, Q0 compute the
   * next ones into another buffer, and the loss of the current ones. With
   * E0 = P0 Q0' - R on the cells that count (times their weight in the
   * gradient), alpha = learning_rate and beta = regularization:
   *
   *     P1 = P0 - alpha (2 E0 Q0 + sign beta P0)
   *     Q1 = Q0 - alpha (2 E0' P1 + sign beta Q0)     (old error, new P)
   *
   * PQF_UPDATE_GRADIENT: sign = +1, *loss = |E0|^2 + beta/2 (|P0|^2 + |Q0|^2).
   * PQF_UPDATE_NOTEBOOK: sign = -1,
   *                      *loss = 1/2 |E0 - R| + beta/2 |P0| + |Q0|.
   *
   * PQF_OBJECTIVE_SQUARED: every cell counts, an absent one as a zero of
   * weight 1. PQF_OBJECTIVE_OBSERVED: the present cells count. Nothing of size
   * rows x cols is made.
   */
  int (*gd_epoch)(pqf_training *training, double *loss);

  /** Makes the next factors the current ones. */
  int (*commit)(pqf_training *training);

  /** Drops the next factors. */
  int (*discard)(pqf_training *training);

  /** Remembers the current factors as the best so far; no copy is needed if
   * the buffers rotate. */
  int (*keep)(pqf_training *training);

  /**
   * How far the current factors are from the validation data. The weighted mean
   * of (prediction - r)^2 over its present cells; 0 if it has none, or none of
   * weight. So too for PQF_OBJECTIVE_SQUARED: zeros are held out by being
   * present there, with the value 0.
   *
   * PQF_OBJECTIVE_IMPLICIT knows no such cells: its zeros are the cells absent
   * from both the training and the validation data, and have the share in the
   * loss that they have in the objective. With c = w (1 + confidence r), sums
   * over the present cells of the validation (V) and training data (T):
   *
   *     sum over V of c (1 - p.q)^2 / (sum over V of c)
   *       + unobserved_weight Z / (sum over T of c; no zeros where that is 0)
   *
   * Z is the sum of (p.q)^2 over the zeros; with PQF_ZEROS_ALL over the cells of
   * V too. Cells of T that are not in V count nowhere. 1 at P = 0.
   */
  int (*validation_loss)(pqf_training *training, double *loss);

  /** The loss that gd_epoch would report, without taking a step. */
  int (*loss)(pqf_training *training, double *loss);

  /**
   * Serving, without state: out = P Q', all in host memory; P is rows x k with
   * stride p_stride, Q is cols x k, out is rows x cols. Each element is a
   * function of its own row of P and of Q alone, to the bit.
   */
  void (*multiply)(int64_t rows, int64_t cols, int64_t k, const float *p, int64_t p_stride,
                   const float *q, int64_t q_stride, float *out, int64_t out_stride);

  /** Serving, without state: out[n] = P[row[n]] . Q[col[n]], both with stride k. */
  void (*predict)(int64_t count, const int32_t *row, const int32_t *col, int64_t k, const float *p,
                  const float *q, float *out);

  /* Since 0.2.0. */

  /**
   * Alternating least squares: solves rows [first, first + count) of one side
   * (PQF_ROWS: P and the row biases) for the current other side, in place.
   * Where a row's system or its solution overflows, at least one of its factors
   * becomes NaN or infinite, and so does the loss: never zeros in their place.
   */
  int (*half_sweep)(pqf_training *training, int32_t side, int64_t first, int64_t count);

  /** The loss of alternating least squares at the current factors. */
  int (*loss_parts)(pqf_training *training, pqf_loss *loss);

  /** Copies biases [first, first + count) of one side in, as `set`. */
  int (*set_bias)(pqf_training *training, int32_t side, int64_t first, int64_t count,
                  const float *values);

  /** Copies biases [first, first + count) of one side out, as `get`. */
  int (*get_bias)(pqf_training *training, int32_t side, int32_t which, int64_t first, int64_t count,
                  float *values);

  /**
   * Tells what a training would take, without taking it.
   * @param keep_best     1: `keep` will be called
   * @param host_bytes    of host->allocate, at the peak
   * @param device_bytes  on the device; 0: there is none
   */
  int (*plan)(const pqf_host *host, const pqf_problem *problem, int32_t keep_best,
              uint64_t *host_bytes, uint64_t *device_bytes);
} pqf_backend;

/** The type of a module's entry: returns its table, which lasts for ever. */
typedef const pqf_backend *(*pqf_backend_entry_function)(void);

#ifdef __cplusplus
}
#endif

#endif
