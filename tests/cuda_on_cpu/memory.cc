/* Memory of the devices.
 *
 *     | no access | before, 0xff | the memory itself | up to 15 bytes, 0xff | no access |
 *
 * It may be touched only while a device_access lives, which is while kernels and copies run: at any
 * other time a touch is a fault, which is reported, and then let pass. It starts as NaN (0xff
 * bytes). Memory that was given back stays without access for a while, so that later touches are
 * faults. */
#include "machine.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace cuda_on_cpu
{

static constexpr std::size_t page = 4096;
static constexpr std::size_t alignment = 16;
static constexpr unsigned char pattern = 0xff; /* floats and doubles of it are NaN */

struct allocation {
  guarded memory;
  int device;
};

struct memory_state {
  std::map<const unsigned char *, allocation> live; /* by first byte */
  std::deque<guarded> given_back;
  std::map<void *, std::size_t> page_locked;
  std::map<int, uint64_t> used; /* by device */
  int accesses = 0;
};

static memory_state &state()
{
  static memory_state &only = *new memory_state;
  return only;
}

/* ---- Guarded memory ----------------------------------------------------------------------------
 */

static std::size_t round_up(std::size_t size, std::size_t unit)
{
  return (size + unit - 1) / unit * unit;
}

/* By a loop and by the system call itself, for ThreadSanitizer takes memset() and mmap() for writes
 * by the thread of a kernel that happens to run. (Its build keeps the loop a loop.) */
static void fill(unsigned char *from, const unsigned char *end)
{
  for (unsigned char *at = from; at != end; ++at)
    *at = pattern;
}

static long map_memory(std::size_t size)
{
  return syscall(SYS_mmap, nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
}

static unsigned char *inner_begin(const guarded &memory)
{
  return memory.map + page;
}

static unsigned char *inner_end(const guarded &memory)
{
  return memory.map + memory.map_bytes - page;
}

static void allow(const guarded &memory, int protection)
{
  mprotect(inner_begin(memory), memory.map_bytes - 2 * page, protection);
}

guarded guarded_create(std::size_t size)
{
  guarded memory = {};
  memory.size = size;
  memory.map_bytes = round_up(size, page) + 2 * page;
  const long map = map_memory(memory.map_bytes);
  if (map == -1)
    return {};
  memory.map = reinterpret_cast<unsigned char *>(map);
  memory.bytes = inner_end(memory) - round_up(size, alignment);
  allow(memory, PROT_READ | PROT_WRITE);
  fill(inner_begin(memory), inner_end(memory));
  return memory;
}

void guarded_fill(const guarded &memory)
{
  fill(memory.bytes, memory.bytes + memory.size);
}

bool guarded_is_whole(const guarded &memory)
{
  const auto is_pattern = [](unsigned char byte) { return byte == pattern; };
  return std::all_of(inner_begin(memory), memory.bytes, is_pattern) &&
         std::all_of(memory.bytes + memory.size, inner_end(memory), is_pattern);
}

void guarded_free(const guarded &memory)
{
  munmap(memory.map, memory.map_bytes);
}

/* ---- Access ------------------------------------------------------------------------------------
 */

static void allow_all(int protection)
{
  for (const auto &entry : state().live)
    allow(entry.second.memory, protection);
}

device_access::device_access()
{
  if (state().accesses++ == 0)
    allow_all(PROT_READ | PROT_WRITE);
}

device_access::~device_access()
{
  if (--state().accesses == 0)
    allow_all(PROT_NONE);
}

/* The memory that holds an address or ends there; nullptr: none does. */
static const allocation *find(const void *address)
{
  const auto *at = static_cast<const unsigned char *>(address);
  auto entry = state().live.upper_bound(at);
  if (entry == state().live.begin())
    return nullptr;
  --entry;
  const guarded &memory = entry->second.memory;
  return at <= memory.bytes + memory.size ? &entry->second : nullptr;
}

static bool was_given_back(const void *address)
{
  const auto *at = static_cast<const unsigned char *>(address);
  return std::any_of(state().given_back.begin(), state().given_back.end(),
                     [=](const guarded &m) { return at >= m.map && at < m.map + m.map_bytes; });
}

/* Whether the process has anything at an address. */
static bool is_mapped(const void *address)
{
  unsigned char resident;
  auto at = reinterpret_cast<std::uintptr_t>(address);
  return mincore(reinterpret_cast<void *>(at / page * page), 1, &resident) == 0;
}

const char *describe(const void *address)
{
  static char words[160];
  const auto *at = static_cast<const unsigned char *>(address);
  for (const auto &entry : state().live) {
    const guarded &memory = entry.second.memory;
    if (at < memory.map || at >= memory.map + memory.map_bytes)
      continue;
    snprintf(words, sizeof words, "byte %td of %zu of the device's memory", at - memory.bytes,
             memory.size);
    return words;
  }
  if (was_given_back(address))
    return "memory that was given back";
  return is_mapped(address) ? "memory of the host" : "no memory";
}

bool is_on_device(const void *address, std::size_t bytes, int device, const char *what)
{
  const allocation *found = find(address);
  if (found == nullptr) {
    report("%s: %p is %s", what, address, describe(address));
    return false;
  }
  const unsigned char *end = found->memory.bytes + found->memory.size;
  const auto left = static_cast<std::size_t>(end - static_cast<const unsigned char *>(address));
  if (found->device != device)
    report("%s: memory of device %d is used on device %d", what, found->device, device);
  else if (left < bytes)
    report("%s: %zu bytes are touched, the memory ends after %zu", what, bytes, left);
  return found->device == device && left >= bytes;
}

bool is_on_host(const void *address, const char *what)
{
  if (address == nullptr || find(address) != nullptr || was_given_back(address)) {
    report("%s: memory of the host is needed, this is %s", what, describe(address));
    return false;
  }
  return true;
}

/* A word that looks like an address where programs, heaps, stacks and mappings are. */
static void check_word(std::uint64_t word, std::size_t number, int device)
{
  constexpr std::uint64_t lowest = UINT64_C(0x500000000000);
  constexpr std::uint64_t end = UINT64_C(1) << 48;
  if (word < lowest || word >= end || word % 4 != 0)
    return;
  const void *address = reinterpret_cast<const void *>(word);
  const allocation *found = find(address);
  if (found == nullptr && is_mapped(address))
    report("argument %zu of a kernel is %p: this is %s", number, address, describe(address));
  else if (found != nullptr && found->device != device)
    report("argument %zu of a kernel points to device %d, not %d", number, found->device, device);
}

void check_argument(const cuda_on_cpu_argument &argument, std::size_t number, int device)
{
  const auto *bytes = static_cast<const unsigned char *>(argument.bytes);
  std::uint64_t word;
  for (std::size_t n = 0; n + sizeof word <= argument.size; n += sizeof word) {
    memcpy(&word, bytes + n, sizeof word);
    check_word(word, number, device);
  }
}

/* ---- Faults ------------------------------------------------------------------------------------
 */

static struct sigaction earlier_action;

static void on_fault(int signal, siginfo_t *info, void *context)
{
  (void)signal;
  (void)context;
  if (is_in_kernel())
    kernel_fault(info->si_addr); /* does not return */
  const allocation *found = state().accesses == 0 ? find(info->si_addr) : nullptr;
  if (found == nullptr) { /* not ours: it will happen again, and go where it used to go */
    sigaction(SIGSEGV, &earlier_action, nullptr);
    return;
  }
  report("the host touches %s", describe(info->si_addr));
  allow(found->memory, PROT_READ | PROT_WRITE); /* until the next work of the device is done */
}

void watch_faults()
{
  static bool watching = false;
  struct sigaction action = {};
  if (watching)
    return;
  watching = true;
  is_in_kernel(); /* what it asks is made now, for a handler must not allocate */
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGSEGV, &action, &earlier_action);
}

int64_t live_memory()
{
  return static_cast<int64_t>(state().live.size() + state().page_locked.size());
}

/* Keeps memory out of reach for as long as there is not too much of it. */
static void keep_out_of_reach(const guarded &memory)
{
  constexpr std::size_t most = 256;
  allow(memory, PROT_NONE);
  madvise(memory.map, memory.map_bytes, MADV_DONTNEED);
  state().given_back.push_back(memory);
  if (state().given_back.size() > most) {
    guarded_free(state().given_back.front());
    state().given_back.pop_front();
  }
}

} // namespace cuda_on_cpu

using namespace cuda_on_cpu;

/* ---- Interface ---------------------------------------------------------------------------------
 */

cudaError_t cudaMemGetInfo(std::size_t *free_bytes, std::size_t *all_bytes)
{
  const api_call call(__func__);
  if (call.fails())
    return planned_failure();
  *all_bytes = device_kind(current_device()).memory_bytes;
  *free_bytes = *all_bytes - state().used[current_device()];
  return cudaSuccess;
}

cudaError_t cudaMalloc(void **out, std::size_t bytes)
{
  const api_call call(__func__);
  const int device = current_device();
  if (call.fails())
    return planned_failure(cudaErrorMemoryAllocation);
  if (bytes == 0) {
    *out = nullptr;
    return cudaSuccess;
  }
  if (bytes > device_kind(device).memory_bytes - state().used[device])
    return fail(cudaErrorMemoryAllocation);
  const guarded memory = guarded_create(bytes);
  if (memory.map == nullptr)
    return fail(cudaErrorMemoryAllocation);
  if (state().accesses == 0)
    allow(memory, PROT_NONE);
  state().live[memory.bytes] = {memory, device};
  state().used[device] += bytes;
  *out = memory.bytes;
  return cudaSuccess;
}

cudaError_t cudaFree(void *memory)
{
  const api_call call(__func__);
  if (memory == nullptr)
    return call.fails() ? planned_failure() : cudaSuccess;
  const auto entry = state().live.find(static_cast<unsigned char *>(memory));
  if (entry == state().live.end()) {
    report("cudaFree: %p is %s", memory, describe(memory));
    return fail(cudaErrorInvalidValue);
  }
  const allocation given = entry->second;
  if (has_work(given.device)) {
    report("cudaFree: the device has work to do that nobody has waited for");
    finish_all();
  }
  allow(given.memory, PROT_READ | PROT_WRITE);
  if (!guarded_is_whole(given.memory))
    report("bytes around %zu bytes of the device's memory were written", given.memory.size);
  keep_out_of_reach(given.memory);
  state().used[given.device] -= given.memory.size;
  state().live.erase(entry);
  return call.fails() ? planned_failure() : cudaSuccess;
}

cudaError_t cudaMallocHost(void **out, std::size_t bytes)
{
  const api_call call(__func__);
  if (call.fails())
    return planned_failure(cudaErrorMemoryAllocation);
  *out = malloc(bytes);
  if (*out == nullptr)
    return fail(cudaErrorMemoryAllocation);
  memset(*out, pattern, bytes);
  state().page_locked[*out] = bytes;
  return cudaSuccess;
}

cudaError_t cudaFreeHost(void *memory)
{
  const api_call call(__func__);
  if (memory == nullptr)
    return call.fails() ? planned_failure() : cudaSuccess;
  if (state().page_locked.erase(memory) == 0) {
    report("cudaFreeHost: %p is none of cudaMallocHost", memory);
    return fail(cudaErrorInvalidValue);
  }
  if (has_work(current_device())) {
    report("cudaFreeHost: the device has work to do that nobody has waited for");
    finish_all();
  }
  free(memory);
  return call.fails() ? planned_failure() : cudaSuccess;
}
