/* What the files of the CUDA runtime on the CPU share. Everything happens under one lock, so that
 * threads of the host may overlap as they like. */
#ifndef CUDA_ON_CPU_MACHINE_H
#define CUDA_ON_CPU_MACHINE_H

#include "control.h"
#include "cusolverDn.h"

#include <random>
#include <string>

namespace cuda_on_cpu
{

/* ---- Calls: machine.cc -------------------------------------------------------------------------
 */

/* Begins every call of the interface: takes the lock, counts, and says whether it is to fail. */
class api_call
{
public:
  explicit api_call(const char *name);
  ~api_call();
  api_call(const api_call &) = delete;
  api_call &operator=(const api_call &) = delete;
  bool fails() const
  {
    return fails_;
  }

private:
  bool fails_;
};

/* Remembers an error for cudaGetLastError; returns it. */
cudaError_t fail(cudaError_t error);

/* What a call that is made to fail returns: the error of a lost device, else `error`. */
cudaError_t planned_failure(cudaError_t error = cudaErrorUnknown);

/* Adds a line to what the tests will read. */
__attribute__((format(printf, 1, 2))) void report(const char *format, ...);

/* From here on the device answers nothing but this. */
void lose_device(cudaError_t error);
cudaError_t lost_device();

const cuda_on_cpu_device &device_kind(int device);
bool is_device(int device);
int current_device();

bool hides_failures();
int32_t order();
std::mt19937_64 &random_bits();

/* ---- Memory: memory.cc -------------------------------------------------------------------------
 */

/* Device memory may be touched while one of these lives. */
class device_access
{
public:
  device_access();
  ~device_access();
  device_access(const device_access &) = delete;
  device_access &operator=(const device_access &) = delete;
};

/* Whether [address, address + bytes) is memory of the device; reports it for `what` if not. */
bool is_on_device(const void *address, std::size_t bytes, int device, const char *what);

/* Whether memory of the host may be copied to or from here; reports it if not. */
bool is_on_host(const void *address, const char *what);

/* Reports an argument of a kernel that points to anything but memory of this device. */
void check_argument(const cuda_on_cpu_argument &argument, std::size_t number, int device);

/* What lies at an address, in words. */
const char *describe(const void *address);

/* Memory that ends where touching is a fault, filled with NaN. Where it begins and ends: */
struct guarded {
  unsigned char *map;
  std::size_t map_bytes;
  unsigned char *bytes;
  std::size_t size;
};
guarded guarded_create(std::size_t size);
void guarded_fill(const guarded &memory);
/* Whether the bytes around it are as they were. */
bool guarded_is_whole(const guarded &memory);
void guarded_free(const guarded &memory);

/* The handler of faults: where one happened while a kernel ran, `kernel_fault` is called. */
void watch_faults();
void kernel_fault(const void *address);
bool is_in_kernel();

int64_t live_memory();

/* ---- Streams: streams.cc -----------------------------------------------------------------------
 */

/* Whether work may be asked for in a stream by this thread, and on which device it then runs. */
bool is_usable(cudaStream_t stream, const char *what);
int device_of(cudaStream_t stream);

/* Puts work off until something waits for it. */
void enqueue(cudaStream_t stream, std::function<void()> work);

/* Whether a stream of the device has work. */
bool has_work(int device);
void finish_all();
void drop_all();
int64_t live_streams();

/* ---- Kernels: launch.cc, block.cc --------------------------------------------------------------
 */

/* Runs one block of `threads` threads, whose indices are set; false: it cannot go on. */
bool run_block(const std::function<void()> &body, unsigned threads, std::size_t dynamic_bytes,
               std::size_t most_shared_bytes);
/* What the blocks of a grid did comes before what follows. */
void end_grid();

int64_t live_handles();

} // namespace cuda_on_cpu

#endif
