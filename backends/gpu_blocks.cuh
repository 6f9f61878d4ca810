/* R on the device: as a whole, or, where it is larger than the device, in blocks of rows through
 * two buffers:
 *
 *     host     fill copy 0 | fill copy 1 | fill copy 0 ...
 *     copies                copy 0 to buffer 0 | copy 1 to buffer 1 ...
 *     stream                                     work on buffer 0 | work on buffer 1 ...
 *
 * A buffer is written over when the work on it is done, a host copy is filled again when it has
 * left; so one block is on its way while another is worked on. */
#ifndef PQF_BACKENDS_GPU_BLOCKS_CUH
#define PQF_BACKENDS_GPU_BLOCKS_CUH

#include "gpu_memory.cuh"

/* Rows [first, first + rows) as kernels see them: the cells of row n are those from
 * offset[n] - base on. */
struct cells_view {
  const int64_t *offset;
  const int32_t *index;
  const float *value;
  const float *weight; /* NULL: all are 1 */
  int64_t base;
  int64_t first;
  int64_t rows;
};

struct dense_view {
  const float *values;
  int64_t stride;
  int64_t first;
  int64_t rows;
};

static int64_t cell_bytes(const pqf_cells *cells)
{
  return cells->weight != nullptr ? 12 : 8;
}

/* The row behind the last one that fits into a buffer together with row `first`. */
static int64_t block_end(const pqf_training *t, const device_cells *c, int64_t first)
{
  if (!t->by_blocks)
    return c->rows;
  const int64_t capacity = t->passing.bytes / cell_bytes(c->host);
  int64_t end = first + 1;
  while (end < c->rows && c->host->offset[end + 1] - c->host->offset[first] <= capacity)
    end++;
  return end;
}

static int take_block_table(pqf_training *t, device_cells *c)
{
  c->blocks = 0;
  for (int64_t first = 0; first < c->rows; first = block_end(t, c, first))
    c->blocks++;
  if (t->planning) {
    t->planned_host += static_cast<uint64_t>(2 * c->blocks + 1) * sizeof(int64_t);
    return PQF_OK;
  }
  TRY(take_host(t, &c->first, c->blocks + 1));
  TRY(take_host(t, &c->wide, c->blocks));
  c->first[0] = 0;
  for (int64_t block = 0; block < c->blocks; block++) {
    c->first[block + 1] = block_end(t, c, c->first[block]);
    c->wide[block] = 0;
  }
  return PQF_OK;
}

static int take_cells(pqf_training *t, device_cells *c, const pqf_cells *cells, int64_t rows)
{
  const int64_t count = cells->offset[rows];
  c->host = cells;
  c->rows = rows;
  c->longest = 0;
  for (int64_t row = 0; row < rows; row++)
    c->longest = most(c->longest, cells->offset[row + 1] - cells->offset[row]);
  TRY(take_block_table(t, c));
  TRY(take_copy(t, &c->offset, cells->offset, rows + 1));
  if (t->by_blocks || count == 0)
    return PQF_OK;
  TRY(take_copy(t, &c->index, cells->index, count));
  TRY(take_copy(t, &c->value, cells->value, count));
  if (cells->weight != nullptr)
    TRY(take_copy(t, &c->weight, cells->weight, count));
  return PQF_OK;
}

static int take_dense(pqf_training *t, device_dense *r, const pqf_matrix *matrix,
                      int64_t bytes_in_cache)
{
  r->host = matrix->dense;
  r->host_stride = matrix->dense_stride;
  r->rows = matrix->rows;
  r->cols = matrix->cols;
  r->stride = round_up(matrix->cols, PADDING);
  const int64_t row_bytes = r->stride * static_cast<int64_t>(sizeof(float));
  /* A block that the second product finds in the cache; not so low that the products suffer. */
  constexpr int64_t fewest_rows = 1024;
  r->block_rows = t->by_blocks ? t->passing.bytes / row_bytes
                               : most(fewest_rows, bytes_in_cache / 2 / row_bytes);
  r->block_rows = least(r->rows, most(1, r->block_rows));
  if (t->by_blocks)
    return PQF_OK;
  TRY(take_zeroed(t, &r->all, r->rows * r->stride));
  if (!t->planning)
    CUDA(t, cudaMemcpy2DAsync, r->all, static_cast<std::size_t>(row_bytes), r->host,
         static_cast<std::size_t>(r->host_stride) * sizeof(float),
         static_cast<std::size_t>(r->cols) * sizeof(float), static_cast<std::size_t>(r->rows),
         cudaMemcpyHostToDevice, t->stream);
  return PQF_OK;
}

static int take_passing(pqf_training *t)
{
  device_stream *s = &t->passing;
  if (!t->by_blocks)
    return PQF_OK;
  for (int n = 0; n < 2; n++) {
    TRY(take(t, &s->device[n], s->bytes));
    TRY(take_staging(t, &s->staging[n], s->bytes));
    if (t->planning)
      continue;
    CUDA(t, cudaEventCreateWithFlags, &s->copied[n], cudaEventDisableTiming);
    CUDA(t, cudaEventCreateWithFlags, &s->used[n], cudaEventDisableTiming);
  }
  if (!t->planning)
    CUDA(t, cudaStreamCreateWithFlags, &s->copies, cudaStreamNonBlocking);
  return PQF_OK;
}

/* ---- Filling a copy ----------------------------------------------------------------------------
 */

/* Rows of `bytes` bytes from one place to another. */
struct row_copy {
  unsigned char *to;
  int64_t to_step;
  const unsigned char *from;
  int64_t from_step;
  int64_t bytes;
};

static void copy_row(void *argument, int64_t row, int32_t worker)
{
  (void)worker;
  const row_copy *c = static_cast<const row_copy *>(argument);
  memcpy(c->to + row * c->to_step, c->from + row * c->from_step,
         static_cast<std::size_t>(c->bytes));
}

static void copy_rows(const pqf_training *t, row_copy copy, int64_t rows)
{
  t->host->parallel_for(t->host, rows, copy_row, &copy);
}

/* `count` elements of four bytes, in pieces that threads share. */
static void copy_array(const pqf_training *t, void *to, const void *from, int64_t count)
{
  constexpr int64_t piece = 1 << 20;
  const int64_t bytes = 4 * count;
  const row_copy copy = {static_cast<unsigned char *>(to), piece,
                         static_cast<const unsigned char *>(from), piece, piece};
  const int64_t whole = bytes / piece;
  copy_rows(t, copy, whole);
  memcpy(copy.to + whole * piece, copy.from + whole * piece,
         static_cast<std::size_t>(bytes - whole * piece));
}

/* ---- Passing blocks through --------------------------------------------------------------------
 */

/* Sends a filled copy on its way. */
static int send(pqf_training *t, int n, int64_t bytes)
{
  device_stream *s = &t->passing;
  CUDA(t, cudaStreamWaitEvent, s->copies, s->used[n], 0);
  CUDA(t, cudaMemcpyAsync, s->device[n], s->staging[n], static_cast<std::size_t>(bytes),
       cudaMemcpyHostToDevice, s->copies);
  CUDA(t, cudaEventRecord, s->copied[n], s->copies);
  return PQF_OK;
}

static int send_block(pqf_training *t, const device_cells *c, int64_t block)
{
  const int n = static_cast<int>(block % 2);
  const int64_t first = c->host->offset[c->first[block]];
  const int64_t count = c->host->offset[c->first[block + 1]] - first;
  unsigned char *to = t->passing.staging[n];
  CUDA(t, cudaEventSynchronize, t->passing.copied[n]);
  copy_array(t, to, c->host->index + first, count);
  copy_array(t, to + 4 * count, c->host->value + first, count);
  if (c->host->weight != nullptr)
    copy_array(t, to + 8 * count, c->host->weight + first, count);
  return count > 0 ? send(t, n, count * cell_bytes(c->host)) : PQF_OK;
}

static int send_block(pqf_training *t, const device_dense *r, int64_t block)
{
  const int n = static_cast<int>(block % 2);
  const int64_t first = block * r->block_rows;
  const int64_t rows = least(r->block_rows, r->rows - first);
  const int64_t size = static_cast<int64_t>(sizeof(float));
  const row_copy copy = {t->passing.staging[n], r->stride * size,
                         reinterpret_cast<const unsigned char *>(r->host + first * r->host_stride),
                         r->host_stride * size, r->cols * size};
  CUDA(t, cudaEventSynchronize, t->passing.copied[n]);
  copy_rows(t, copy, rows);
  return send(t, n, rows * r->stride * size);
}

static int64_t block_count(const device_cells *c)
{
  return c->blocks;
}

static int64_t block_count(const device_dense *r)
{
  return (r->rows + r->block_rows - 1) / r->block_rows;
}

static cells_view view_of(const pqf_training *t, const device_cells *c, int64_t block)
{
  cells_view view = {c->offset,
                     c->index,
                     c->value,
                     c->weight,
                     0,
                     c->first[block],
                     c->first[block + 1] - c->first[block]};
  if (t->by_blocks) {
    unsigned char *buffer = t->passing.device[block % 2];
    view.base = c->host->offset[view.first];
    const int64_t count = c->host->offset[c->first[block + 1]] - view.base;
    view.index = reinterpret_cast<const int32_t *>(buffer);
    view.value = reinterpret_cast<const float *>(buffer + 4 * count);
    view.weight =
        c->host->weight != nullptr ? reinterpret_cast<const float *>(buffer + 8 * count) : nullptr;
  }
  return view;
}

static dense_view view_of(const pqf_training *t, const device_dense *r, int64_t block)
{
  dense_view view = {r->all, r->stride, block * r->block_rows, 0};
  view.rows = least(r->block_rows, r->rows - view.first);
  view.values = t->by_blocks ? reinterpret_cast<const float *>(t->passing.device[block % 2])
                             : r->all + view.first * r->stride;
  return view;
}

/* For each block of rows: begin(view, block) asks the device for work on it, end(view, block) may
 * wait for that. In between the next block sets out. */
template <class data, class first_part, class second_part>
static int for_each_block(pqf_training *t, const data *r, first_part begin, second_part end)
{
  const int64_t blocks = block_count(r);
  if (t->by_blocks && blocks > 0)
    TRY(send_block(t, r, 0));
  for (int64_t block = 0; block < blocks; block++) {
    const auto view = view_of(t, r, block);
    if (t->by_blocks)
      CUDA(t, cudaStreamWaitEvent, t->stream, t->passing.copied[block % 2], 0);
    TRY(begin(view, block));
    if (t->by_blocks && block + 1 < blocks)
      TRY(send_block(t, r, block + 1));
    TRY(end(view, block));
    if (t->by_blocks)
      CUDA(t, cudaEventRecord, t->passing.used[block % 2], t->stream);
  }
  return PQF_OK;
}

template <class data, class work>
static int for_each_block(pqf_training *t, const data *r, work begin)
{
  return for_each_block(t, r, begin, [](const auto &, int64_t) { return int{PQF_OK}; });
}

#endif
