/* One block of a kernel. Each thread is a fibre that runs until it comes to a barrier or to an
 * exchange with its warp; when all who are expected have come they go on. A warp goes as far as it
 * can before the next one has its turn, or, in random order, a step. In between nobody is
 * interrupted, so the order of turns (forward, reverse, random) is all that shows a missing barrier
 * here; ThreadSanitizer, to which only barriers and atomics are an order, shows the rest.
 *
 * Exchanges within a warp carry values but, as in CUDA, no order of memory; __syncwarp does. */
#include "fibre.h"
#include "machine.h"

#include <algorithm>
#include <numeric>
#include <vector>

uint3 threadIdx;
uint3 blockIdx;
dim3 blockDim;
dim3 gridDim;

namespace cuda_on_cpu
{

static constexpr unsigned warp = 32;
static constexpr unsigned most_threads = 1024;

enum class place { ready, block_barrier, warp_barrier, exchange, ended, faulted };

struct gpu_thread {
  fibre *own;
  uint3 index;
  place at;
  unsigned mask;       /* of the lanes that are waited for */
  unsigned bits;       /* exchange: which lane's value is wanted */
  std::uint64_t value; /* given, then got */
  unsigned barriers;   /* of its warp, so far */
};

/* Shared memory that a kernel declares as a static array. */
struct static_array {
  const void *key;
  guarded memory;
  bool in_use; /* by this block */
};

/* What ThreadSanitizer is told by. Barriers alternate between two marks, so that those who are
 * early at the next one are no order for those who are late at this one; so do the ends of blocks
 * that follow one another on the same fibres. */
struct marks {
  char start;
  char end[2];
  char barrier[2];
  char warp_barrier[most_threads / warp][2];
};

/* Where a block runs. Blocks alternate between two such places, so that a block is in order with
 * the one before the last, whose fibres and shared memory it takes over, but not with the last. */
struct multiprocessor {
  std::vector<fibre *> fibres;
  guarded dynamic = {};
  std::size_t dynamic_bytes = 0;
  std::vector<static_array> arrays;
  unsigned blocks = 0; /* so far */
  marks mark;
};

struct block_state {
  multiprocessor places[2];
  unsigned blocks = 0; /* so far */
  std::vector<gpu_thread> threads;
  unsigned lanes[warp]; /* in the order in which they run */
  unsigned current = 0;
  unsigned barriers = 0; /* of the block, so far */
  bool in_kernel = false;
  const std::function<void()> *body = nullptr;
  std::size_t static_bytes = 0;
  std::size_t most_shared_bytes = 0;
};

static block_state &state()
{
  static block_state &only = *new block_state;
  return only;
}

static multiprocessor &here()
{
  return state().places[state().blocks % 2];
}

static gpu_thread &self()
{
  return state().threads[state().current];
}

/* Pauses until the scheduler lets the thread go on. */
static void wait_at(place where)
{
  self().at = where;
  fibre_pause();
}

/* ---- A thread ----------------------------------------------------------------------------------
 */

/* Serves one thread after another, of blocks that follow. */
static void thread_main()
{
  for (;;) {
    marks &mark = here().mark;
    const unsigned block = here().blocks;
    order_acquire(&mark.start);
    order_acquire(&mark.end[(block + 1) % 2]);
    (*state().body)();
    order_release(&mark.end[block % 2]);
    wait_at(place::ended);
  }
}

bool is_in_kernel()
{
  return state().in_kernel;
}

/* Called by the handler of faults, on the stack of the thread. */
void kernel_fault(const void *address)
{
  report("a kernel touches %p, %s: block (%u, %u), thread %u", address, describe(address),
         blockIdx.x, blockIdx.y, threadIdx.x);
  self().at = place::faulted;
  order_release(&here().mark.end[here().blocks % 2]);
  fibre_abandon();
}

/* ---- Shared memory -----------------------------------------------------------------------------
 */

static void count_shared()
{
  const std::size_t dynamic_bytes = here().dynamic_bytes;
  const block_state &s = state();
  if (s.static_bytes + dynamic_bytes > s.most_shared_bytes)
    report("a block declares %zu and asks for %zu bytes of shared memory: there are %zu",
           s.static_bytes, dynamic_bytes, s.most_shared_bytes);
}

static void prepare_shared(std::size_t dynamic_bytes)
{
  multiprocessor &m = here();
  if (dynamic_bytes != m.dynamic_bytes && m.dynamic.map != nullptr) {
    guarded_free(m.dynamic);
    m.dynamic = {};
  }
  if (dynamic_bytes > 0 && m.dynamic.map == nullptr)
    m.dynamic = guarded_create(dynamic_bytes);
  m.dynamic_bytes = dynamic_bytes;
  state().static_bytes = 0;
  if (dynamic_bytes > 0)
    guarded_fill(m.dynamic);
  for (static_array &array : m.arrays) {
    if (array.in_use)
      guarded_fill(array.memory);
    array.in_use = false;
  }
}

static bool shared_is_whole()
{
  const multiprocessor &m = here();
  return (m.dynamic_bytes == 0 || guarded_is_whole(m.dynamic)) &&
         std::all_of(m.arrays.begin(), m.arrays.end(), [](const static_array &array) {
           return !array.in_use || guarded_is_whole(array.memory);
         });
}

/* ---- Turns -------------------------------------------------------------------------------------
 */

/* Lets the lanes of a complete group go on; those of an exchange with their values. */
static void release_lanes(unsigned first, unsigned mask)
{
  std::vector<gpu_thread> &threads = state().threads;
  std::uint64_t given[warp];
  for (unsigned n = 0; n < warp; ++n)
    given[n] = (mask >> n & 1) != 0 ? threads[first + n].value : 0;
  for (unsigned n = 0; n < warp; ++n) {
    if ((mask >> n & 1) == 0)
      continue;
    gpu_thread &thread = threads[first + n];
    const unsigned wanted = (n ^ thread.bits) % warp;
    if (thread.at == place::exchange && (mask >> wanted & 1) == 0)
      report("lane %u wants a value of lane %u, which takes no part", n, wanted);
    thread.value = given[wanted];
    thread.at = place::ready;
  }
}

/* The lanes of [0, count) that wait at the same kind of place as lane n, for the same lanes. */
static unsigned lanes_like(unsigned first, unsigned count, unsigned n)
{
  const gpu_thread *const threads = &state().threads[first];
  unsigned lanes = 0;
  for (unsigned other = n; other < count; ++other)
    if (threads[other].at == threads[n].at && threads[other].mask == threads[n].mask)
      lanes |= 1U << other;
  return lanes;
}

/* Every group of lanes goes on in which each waits for just these. */
static void release_warp(unsigned first, unsigned count)
{
  unsigned seen = 0;
  for (unsigned n = 0; n < count; ++n) {
    const gpu_thread &thread = state().threads[first + n];
    if ((seen >> n & 1) != 0 || (thread.at != place::warp_barrier && thread.at != place::exchange))
      continue;
    const unsigned lanes = lanes_like(first, count, n);
    seen |= lanes;
    if ((thread.mask & ~lanes) == 0 && (thread.mask >> n & 1) != 0)
      release_lanes(first, thread.mask);
  }
}

static void run_thread(unsigned number)
{
  block_state &s = state();
  gpu_thread &thread = s.threads[number];
  s.current = number;
  threadIdx = thread.index;
  s.in_kernel = true;
  fibre_resume(thread.own);
  s.in_kernel = false;
}

/* The threads of a warp that can run to their next stops, from where a complete group goes on.
 * False: none could. */
static bool step_warp(unsigned number)
{
  block_state &s = state();
  const unsigned first = number * warp;
  const unsigned count = std::min(warp, static_cast<unsigned>(s.threads.size()) - first);
  bool ran = false;
  if (order() == CUDA_ON_CPU_RANDOM)
    std::shuffle(std::begin(s.lanes), std::end(s.lanes), random_bits());
  for (const unsigned lane : s.lanes) {
    if (lane >= count || s.threads[first + lane].at != place::ready)
      continue;
    run_thread(first + lane);
    ran = true;
    if (s.threads[first + lane].at == place::faulted)
      return false;
  }
  release_warp(first, count);
  return ran;
}

/* Every warp runs until none of its threads can: one warp after another, or, in random order, a
 * step of any at a time. */
static void run_warps()
{
  const auto count = static_cast<unsigned>((state().threads.size() + warp - 1) / warp);
  std::vector<unsigned> warps(count);
  std::iota(warps.begin(), warps.end(), 0U);
  while (!warps.empty()) {
    std::size_t n = 0;
    if (order() == CUDA_ON_CPU_REVERSE)
      n = warps.size() - 1;
    else if (order() == CUDA_ON_CPU_RANDOM)
      n = random_bits()() % warps.size();
    if (!step_warp(warps[n]))
      warps.erase(warps.begin() + static_cast<std::ptrdiff_t>(n));
  }
}

static std::size_t count_at(place at)
{
  const std::vector<gpu_thread> &threads = state().threads;
  return static_cast<std::size_t>(std::count_if(
      threads.begin(), threads.end(), [=](const gpu_thread &thread) { return thread.at == at; }));
}

/* All threads that are left are at the barrier. */
static void release_block(std::size_t ended)
{
  if (ended > 0)
    report("__syncthreads is called by %zu threads of a block, %zu have ended",
           state().threads.size() - ended, ended);
  state().barriers++;
  for (gpu_thread &thread : state().threads)
    if (thread.at == place::block_barrier)
      thread.at = place::ready;
}

static bool run_to_end()
{
  const std::size_t all = state().threads.size();
  for (;;) {
    run_warps();
    if (count_at(place::faulted) > 0) {
      lose_device(cudaErrorIllegalAddress);
      return false;
    }
    const std::size_t ended = count_at(place::ended);
    if (ended == all)
      return true;
    if (ended + count_at(place::block_barrier) != all) {
      report("threads of a block wait for each other: %zu at __syncthreads, %zu at __syncwarp, %zu "
             "exchange values, %zu have ended",
             count_at(place::block_barrier), count_at(place::warp_barrier),
             count_at(place::exchange), ended);
      lose_device(cudaErrorLaunchFailure);
      return false;
    }
    release_block(ended);
  }
}

static void set_threads(unsigned count)
{
  block_state &s = state();
  std::vector<fibre *> &fibres = here().fibres;
  while (fibres.size() < count)
    fibres.push_back(fibre_create(thread_main));
  s.threads.assign(count, {});
  for (unsigned n = 0; n < count; ++n) {
    s.threads[n].own = fibres[n];
    s.threads[n].index = {n, 0, 0};
  }
  std::iota(std::begin(s.lanes), std::end(s.lanes), 0U);
  if (order() == CUDA_ON_CPU_REVERSE)
    std::reverse(std::begin(s.lanes), std::end(s.lanes));
  s.barriers = 0;
}

/* Whatever the threads did comes before what follows, wherever they wait; they begin anew. */
static void give_up()
{
  marks &mark = here().mark;
  for (char &barrier : mark.barrier)
    order_acquire(&barrier);
  for (auto &barriers : mark.warp_barrier)
    for (char &barrier : barriers)
      order_acquire(&barrier);
  for (const gpu_thread &thread : state().threads)
    fibre_restart(thread.own);
}

bool run_block(const std::function<void()> &body, unsigned threads, std::size_t dynamic_bytes,
               std::size_t most_shared_bytes)
{
  block_state &s = state();
  s.blocks++;
  here().blocks++;
  s.body = &body;
  s.most_shared_bytes = most_shared_bytes;
  set_threads(threads);
  prepare_shared(dynamic_bytes);
  count_shared();
  order_release(&here().mark.start);
  const bool ended = run_to_end();
  if (!ended)
    give_up();
  if (!shared_is_whole())
    report("bytes around the shared memory of a block were written");
  return ended;
}

void end_grid()
{
  for (multiprocessor &m : state().places)
    for (char &end : m.mark.end)
      order_acquire(&end);
}

} // namespace cuda_on_cpu

using namespace cuda_on_cpu;

/* ---- What kernels call -------------------------------------------------------------------------
 */

void *cuda_on_cpu_dynamic_shared(std::size_t alignment)
{
  (void)alignment; /* guarded memory ends, and so begins, at a multiple of 16 */
  return here().dynamic.bytes;
}

void *cuda_on_cpu_static_shared(const void *key, std::size_t bytes, std::size_t alignment)
{
  (void)alignment;
  std::vector<static_array> &arrays = here().arrays;
  auto array = std::find_if(arrays.begin(), arrays.end(),
                            [=](const static_array &a) { return a.key == key; });
  if (array == arrays.end())
    array = arrays.insert(array, {key, guarded_create(bytes), false});
  if (!array->in_use) {
    array->in_use = true;
    state().static_bytes += bytes;
    count_shared();
  }
  return array->memory.bytes;
}

void cuda_on_cpu_block_barrier()
{
  char *const mark = &here().mark.barrier[state().barriers % 2];
  order_release(mark);
  wait_at(place::block_barrier);
  order_acquire(mark);
}

void cuda_on_cpu_warp_barrier(unsigned mask)
{
  gpu_thread &thread = self();
  char *const mark = &here().mark.warp_barrier[state().current / warp][thread.barriers++ % 2];
  thread.mask = mask;
  order_release(mark);
  wait_at(place::warp_barrier);
  order_acquire(mark);
}

std::uint64_t cuda_on_cpu_exchange(unsigned mask, std::uint64_t value, unsigned bits)
{
  gpu_thread &thread = self();
  thread.mask = mask;
  thread.value = value;
  thread.bits = bits;
  wait_at(place::exchange);
  return thread.value;
}
