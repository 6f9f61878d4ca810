/* A training on a GPU, shared by the files of this back end.
 *
 * Factor matrices are row-major on the device; a row takes d floats, k rounded up to whole sectors
 * of memory, and its pads are zero. R is on the device as a whole where there is room, else block
 * of rows by block of rows (gpu_blocks.cuh). */
#ifndef PQF_BACKENDS_GPU_TRAINING_CUH
#define PQF_BACKENDS_GPU_TRAINING_CUH

#include "gpu_cuda.cuh"

constexpr int BUFFERS = 3;
constexpr int NO_BUFFER = -1;
constexpr int64_t PADDING = 8;       /* floats in a sector of memory */
constexpr unsigned THREADS = 128;    /* of a block, where nothing else is said */
constexpr int64_t MOST_PARTS = 4096; /* blocks whose partial sums make a loss */
constexpr int64_t RESULTS = 2 * MOST_PARTS;

/* Present cells by row, or by column, of one matrix. Pointers without a word are to the device. */
struct device_cells {
  const pqf_cells *host; /* NULL: there are none */
  int64_t rows;
  int64_t longest; /* cells of the longest row */
  int64_t *offset; /* rows + 1 */
  int32_t *index;  /* all cells, or NULL: by blocks */
  float *value;
  float *weight;  /* NULL: all are 1 */
  int64_t blocks; /* of rows; 1 where everything is on the device */
  int64_t *first; /* host memory, blocks + 1: where a block's rows begin */
  int64_t *wide;  /* host memory, blocks: rows of the block that are split (least squares) */
};

/* Every cell of R. */
struct device_dense {
  const float *host; /* NULL: there is none */
  int64_t host_stride;
  int64_t rows;
  int64_t cols;
  int64_t stride; /* on the device */
  float *all;     /* NULL: by blocks */
  int64_t block_rows;
};

/* Two buffers through which R passes when it is larger than the device, with a copy of each that
 * the device can fetch while the host goes on. */
struct device_stream {
  int64_t bytes; /* of one buffer; 0: not needed */
  unsigned char *device[2];
  unsigned char *staging[2]; /* host memory, page-locked */
  cudaStream_t copies;
  cudaEvent_t copied[2]; /* the buffer has arrived */
  cudaEvent_t used[2];   /* the buffer may be written over */
};

/* Alternating least squares: see gpu_als.cuh. */
struct device_als {
  float *bias[2];
  float *best_bias[2];
  int32_t *order[2];    /* rows of each block, the longest first */
  double *row_scale[2]; /* what lambda is multiplied by; NULL: 1 */
  float *base;          /* d x d: what all rows' matrices have in common */
  int32_t *failed;      /* rows that are solved again, in double */
  int32_t *failed_count;
  double *part;        /* sums over parts of the rows that are split */
  int64_t exact_batch; /* of the rows solved in double: see gpu_als_exact.cuh */
  double *exact_matrix;
  double *exact_vector;
  double *exact_scalar;
  int64_t batch;
  float *matrix;          /* batch x d x d */
  float *matrix_rest;     /* batch x d x d, where rows are long; what `matrix` is too short for */
  float *largest;         /* batch x d / 8: see largest_in */
  float *right_side;      /* batch x d */
  float *vector_sum;      /* batch x d */
  double *scalar;         /* batch x 2: the pivot of the bias, the sum of targets */
  float **matrix_pointer; /* batch */
  float **right_pointer;  /* batch */
  int *info;              /* batch + 1 */
  double heaviest_row[2]; /* the largest weight of a row; 0: not yet known */
};

struct pqf_training {
  const pqf_host *host;
  pqf_problem problem;
  int device;
  int planning;     /* memory is counted, not taken */
  uint64_t planned; /* bytes of the device counted */
  uint64_t planned_host;
  int by_blocks; /* R passes through `stream` */
  int ran_out;   /* there was less memory than was free a moment ago */
  cudaStream_t stream;
  cublasHandle_t blas;
  cusolverDnHandle_t solver; /* least squares only */
  int64_t size[2];
  int64_t k;
  int64_t d;
  float *factors[2][BUFFERS];
  int current;
  int next;
  int best;
  double error_target;      /* 1: the loss is about E; 2: about E - R */
  double beta_sign;         /* of the regularization in the step */
  double training_weight;   /* of all cells of the training data: of clicks alone */
  double validation_weight; /* of all cells of the validation data */
  device_cells cells[2];    /* of the training data, by row and by column */
  device_cells validation_cells;
  int32_t *validation_index; /* of clicks by blocks: the columns of their cells, all at hand */
  device_dense dense;
  device_dense validation_dense;
  float *error_tile; /* dense data: a piece of P Q' */
  device_stream passing;
  int64_t gram_slots;
  float *gram_block; /* gram_slots x k x k */
  double *gram[3];   /* k x k: P0'P0, Q0'Q0, P0'P1 */
  float *step;       /* k x k */
  double *part;      /* RESULTS sums of single blocks */
  double *result;    /* host memory, page-locked: what came back of them */
  device_als als;
};

static inline const float *current_factors(const pqf_training *t, int side)
{
  return t->factors[side][t->current];
}

static inline float *next_factors(const pqf_training *t, int side)
{
  return t->factors[side][t->next];
}

static inline int is_als(const pqf_training *t)
{
  return t->problem.solver == PQF_SOLVER_ALS;
}

/* Gradient descent on the present cells alone. */
static inline int is_observed(const pqf_training *t)
{
  return t->problem.train->dense == nullptr && t->problem.objective == PQF_OBJECTIVE_OBSERVED;
}

static inline int64_t round_up(int64_t value, int64_t unit)
{
  return (value + unit - 1) / unit * unit;
}

static inline int64_t least(int64_t a, int64_t b)
{
  return a < b ? a : b;
}

static inline int64_t most(int64_t a, int64_t b)
{
  return a > b ? a : b;
}

/* Blocks for rows whose partial sums make one number: chosen by the problem alone. */
static inline unsigned part_count(int64_t rows)
{
  return static_cast<unsigned>(least(rows, MOST_PARTS));
}

/* Blocks of `threads` threads that have one for each element. */
static inline unsigned blocks_for(int64_t elements, int64_t threads)
{
  return static_cast<unsigned>((elements + threads - 1) / threads);
}

template <class... Parameters, class... Arguments>
static int launch(const pqf_training *t, const char *name, void (*kernel)(Parameters...),
                  dim3 blocks, unsigned threads, int64_t shared_bytes, Arguments... arguments)
{
  return launch_on(t->host, t->stream, name, kernel, blocks, threads,
                   static_cast<std::size_t>(shared_bytes), arguments...);
}

/* Waits for all that was asked of the device. */
static int wait(const pqf_training *t)
{
  CUDA(t, cudaStreamSynchronize, t->stream);
  return PQF_OK;
}

/* Brings `count` doubles of the device to t->result. */
static int fetch(pqf_training *t, const double *values, int64_t count)
{
  CUDA(t, cudaMemcpyAsync, t->result, values, static_cast<std::size_t>(count) * sizeof(double),
       cudaMemcpyDeviceToHost, t->stream);
  return wait(t);
}

/* Sets every partial sum to 0. */
static int clear_parts(pqf_training *t)
{
  CUDA(t, cudaMemsetAsync, t->part, 0, RESULTS * sizeof(double), t->stream);
  return PQF_OK;
}

/* The sums over the even and over the odd partial sums, in order. */
static int sum_parts(pqf_training *t, double sum[2])
{
  TRY(fetch(t, t->part, RESULTS));
  sum[0] = sum[1] = 0;
#ifdef PQF_BUG_HOST_READ
  sum[0] = t->part[0];
#endif
  for (int64_t n = 0; n < RESULTS; n++)
    sum[n % 2] += t->result[n];
  return PQF_OK;
}

#endif
