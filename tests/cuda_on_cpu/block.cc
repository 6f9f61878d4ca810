/* One block of a kernel. Each thread is a fibre that runs until it comes to a barrier or to an
 * exchange with its warp; when all who are expected have come they go on. In between nobody is
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

/* What ThreadSanitizer is told by: barriers alternate between two marks, so that those who are
 * early at the next one are no order for those who are late at this one. */
struct marks {
  char start;
  char end;
  char barrier[2];
  char warp_barrier[most_threads / warp][2];
};

struct block_state {
  std::vector<fibre *> fibres[2];
  std::vector<gpu_thread> threads;
  std::vector<unsigned> turns;
  unsigned current = 0;
  unsigned barriers = 0; /* of the block, so far */
  bool in_kernel = false;
  const std::function<void()> *body = nullptr;
  guarded dynamic = {};
  std::size_t dynamic_bytes = 0;
  std::size_t static_bytes = 0;
  std::size_t most_shared_bytes = 0;
  std::vector<static_array> arrays;
  int set = 0; /* blocks alternate between two sets of fibres: neighbours have no order */
  marks mark[2];
};

static block_state &state()
{
  static block_state &only = *new block_state;
  return only;
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
    order_acquire(&state().mark[state().set].start);
    (*state().body)();
    order_release(&state().mark[state().set].end);
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
  fibre_abandon();
}

/* ---- Shared memory -----------------------------------------------------------------------------
 */

static void count_shared()
{
  const block_state &s = state();
  if (s.static_bytes + s.dynamic_bytes > s.most_shared_bytes)
    report("a block declares %zu and asks for %zu bytes of shared memory: there are %zu",
           s.static_bytes, s.dynamic_bytes, s.most_shared_bytes);
}

static void prepare_shared(std::size_t dynamic_bytes)
{
  block_state &s = state();
  if (dynamic_bytes != s.dynamic_bytes && s.dynamic.map != nullptr) {
    guarded_free(s.dynamic);
    s.dynamic = {};
  }
  if (dynamic_bytes > 0 && s.dynamic.map == nullptr)
    s.dynamic = guarded_create(dynamic_bytes);
  s.dynamic_bytes = dynamic_bytes;
  s.static_bytes = 0;
  if (dynamic_bytes > 0)
    guarded_fill(s.dynamic);
  for (static_array &array : s.arrays) {
    if (array.in_use)
      guarded_fill(array.memory);
    array.in_use = false;
  }
}

static bool shared_is_whole()
{
  const block_state &s = state();
  return (s.dynamic_bytes == 0 || guarded_is_whole(s.dynamic)) &&
         std::all_of(s.arrays.begin(), s.arrays.end(), [](const static_array &array) {
           return !array.in_use || guarded_is_whole(array.memory);
         });
}

/* ---- Turns -------------------------------------------------------------------------------------
 */

static void put_in_order(std::vector<unsigned> &turns)
{
  std::iota(turns.begin(), turns.end(), 0U);
  if (order() == CUDA_ON_CPU_REVERSE)
    std::reverse(turns.begin(), turns.end());
}

/* Every thread that can runs to its next stop. */
static void give_turns()
{
  block_state &s = state();
  if (order() == CUDA_ON_CPU_RANDOM)
    std::shuffle(s.turns.begin(), s.turns.end(), random_bits());
  for (const unsigned turn : s.turns) {
    gpu_thread &thread = s.threads[turn];
    if (thread.at != place::ready)
      continue;
    s.current = turn;
    threadIdx = thread.index;
    s.in_kernel = true;
    fibre_resume(thread.own);
    s.in_kernel = false;
    if (thread.at == place::faulted)
      return;
  }
}

/* Whether all lanes that `lane` waits for wait for each other, at the same kind of place. */
static bool is_complete(unsigned first, unsigned lane)
{
  const std::vector<gpu_thread> &threads = state().threads;
  const gpu_thread &one = threads[first + lane];
  for (unsigned n = 0; n < warp; ++n)
    if ((one.mask >> n & 1) != 0 &&
        (first + n >= threads.size() || threads[first + n].at != one.at ||
         threads[first + n].mask != one.mask))
      return false;
  return (one.mask >> lane & 1) != 0;
}

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

static bool release_warps()
{
  bool released = false;
  std::vector<gpu_thread> &threads = state().threads;
  for (unsigned n = 0; n < threads.size(); ++n) {
    const place at = threads[n].at;
    const unsigned first = n / warp * warp;
    if ((at != place::warp_barrier && at != place::exchange) || !is_complete(first, n - first))
      continue;
    release_lanes(first, threads[n].mask);
    released = true;
  }
  return released;
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
    give_turns();
    if (count_at(place::faulted) > 0) {
      lose_device(cudaErrorIllegalAddress);
      return false;
    }
    if (release_warps())
      continue;
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
  s.set = 1 - s.set;
  std::vector<fibre *> &fibres = s.fibres[s.set];
  while (fibres.size() < count)
    fibres.push_back(fibre_create(thread_main));
  s.threads.assign(count, {});
  for (unsigned n = 0; n < count; ++n) {
    s.threads[n].own = fibres[n];
    s.threads[n].index = {n, 0, 0};
  }
  s.turns.resize(count);
  put_in_order(s.turns);
  s.barriers = 0;
}

bool run_block(const std::function<void()> &body, unsigned threads, std::size_t dynamic_bytes,
               std::size_t most_shared_bytes)
{
  block_state &s = state();
  s.body = &body;
  s.most_shared_bytes = most_shared_bytes;
  set_threads(threads);
  prepare_shared(dynamic_bytes);
  count_shared();
  order_release(&s.mark[s.set].start);
  const bool ended = run_to_end();
  if (!ended)
    for (const gpu_thread &thread : s.threads)
      fibre_restart(thread.own);
  if (!shared_is_whole())
    report("bytes around the shared memory of a block were written");
  return ended;
}

void end_grid()
{
  for (marks &mark : state().mark)
    order_acquire(&mark.end);
}

} // namespace cuda_on_cpu

using namespace cuda_on_cpu;

/* ---- What kernels call -------------------------------------------------------------------------
 */

void *cuda_on_cpu_dynamic_shared(std::size_t alignment)
{
  (void)alignment; /* guarded memory ends, and so begins, at a multiple of 16 */
  return state().dynamic.bytes;
}

void *cuda_on_cpu_static_shared(const void *key, std::size_t bytes, std::size_t alignment)
{
  (void)alignment;
  block_state &s = state();
  auto array = std::find_if(s.arrays.begin(), s.arrays.end(),
                            [=](const static_array &a) { return a.key == key; });
  if (array == s.arrays.end())
    array = s.arrays.insert(array, {key, guarded_create(bytes), false});
  if (!array->in_use) {
    array->in_use = true;
    s.static_bytes += bytes;
    count_shared();
  }
  return array->memory.bytes;
}

void cuda_on_cpu_block_barrier()
{
  char *const mark = &state().mark[state().set].barrier[state().barriers % 2];
  order_release(mark);
  wait_at(place::block_barrier);
  order_acquire(mark);
}

void cuda_on_cpu_warp_barrier(unsigned mask)
{
  gpu_thread &thread = self();
  char *const mark =
      &state().mark[state().set].warp_barrier[state().current / warp][thread.barriers++ % 2];
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
