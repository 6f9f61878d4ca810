/* Devices, the bookkeeping of calls, and what tests may ask for. */
#include "machine.h"

#include "interface.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <vector>

namespace cuda_on_cpu
{

static const cuda_on_cpu_device h100 = {90, 227 * 1024, UINT64_C(80) << 30};
static constexpr int l2_cache_bytes = 50 << 20;

struct machine_state {
  std::recursive_mutex lock;
  std::vector<cuda_on_cpu_device> devices = {h100, h100};
  cudaError_t lost = cudaSuccess;
  int64_t calls_to_failure = 0; /* 0: none is planned */
  bool loses_device = false;
  bool hides_failures = false;
  const char *failed = nullptr;
  char words[4096] = ""; /* of a fixed size: handlers of signals report too */
  int32_t order = CUDA_ON_CPU_FORWARD;
  std::mt19937_64 random;
};

/* Lives as long as the process: a module is never unloaded. */
static machine_state &state()
{
  static machine_state &only = *new machine_state;
  return only;
}

static thread_local cudaError_t last_error = cudaSuccess;
static thread_local int chosen_device = 0;

/* ---- Calls -------------------------------------------------------------------------------------
 */

api_call::api_call(const char *name)
{
  machine_state &s = state();
  s.lock.lock();
  watch_faults();
  const bool planned = s.calls_to_failure > 0 && --s.calls_to_failure == 0;
  if (planned) {
    s.failed = name;
    if (s.loses_device)
      lose_device(cudaErrorUnknown);
  }
  fails_ = planned || s.lost != cudaSuccess;
}

api_call::~api_call()
{
  state().lock.unlock();
}

cudaError_t fail(cudaError_t error)
{
  last_error = error;
  return error;
}

cudaError_t planned_failure(cudaError_t error)
{
  return fail(state().lost != cudaSuccess ? state().lost : error);
}

void report(const char *format, ...)
{
  char line[400];
  va_list list;
  va_start(list, format);
  vsnprintf(line, sizeof line, format, list);
  va_end(list);
  char *const words = state().words;
  const std::size_t used = strlen(words);
  if (strstr(words, line) == nullptr)
    snprintf(words + used, sizeof state().words - used, "%s\n", line);
}

void lose_device(cudaError_t error)
{
  state().lost = error;
  drop_all();
}

cudaError_t lost_device()
{
  return state().lost;
}

/* ---- Devices -----------------------------------------------------------------------------------
 */

const cuda_on_cpu_device &device_kind(int device)
{
  return state().devices[static_cast<std::size_t>(device)];
}

bool is_device(int device)
{
  return device >= 0 && static_cast<std::size_t>(device) < state().devices.size();
}

int current_device()
{
  return chosen_device;
}

bool hides_failures()
{
  return state().hides_failures;
}

int32_t order()
{
  return state().order;
}

std::mt19937_64 &random_bits()
{
  return state().random;
}

/* ---- Control -----------------------------------------------------------------------------------
 */

static void control_set_order(int32_t order, uint64_t seed)
{
  state().order = order;
  state().random.seed(seed);
}

static int64_t control_live()
{
  return live_memory() + live_streams() + live_handles();
}

static void control_set_devices(int32_t count, const cuda_on_cpu_device *kind)
{
  if (control_live() != 0)
    report("devices were changed while something was live");
  state().devices.assign(static_cast<std::size_t>(count), *kind);
}

static void control_fail(int64_t call, int32_t lost)
{
  state().calls_to_failure = call;
  state().loses_device = lost != 0;
  state().failed = nullptr;
  state().lost = cudaSuccess;
}

static void control_hide_failures(int32_t hidden)
{
  state().hides_failures = hidden != 0;
}

static const char *control_failed()
{
  return state().failed;
}

static const char *control_report()
{
  static char told[sizeof state().words];
  memcpy(told, state().words, sizeof told);
  state().words[0] = '\0';
  return told;
}

static void control_reset()
{
  state().words[0] = '\0';
  state().devices = {h100, h100};
  control_fail(0, 0);
  control_hide_failures(0);
  control_set_order(CUDA_ON_CPU_FORWARD, 0);
  last_error = cudaSuccess;
}

} // namespace cuda_on_cpu

using namespace cuda_on_cpu;

extern "C" CUDA_ON_CPU_API const cuda_on_cpu_control *cuda_on_cpu_controls(void);

const cuda_on_cpu_control *cuda_on_cpu_controls(void)
{
  static const cuda_on_cpu_control table = {control_reset, control_set_order, control_set_devices,
                                            control_fail,  control_failed,    control_hide_failures,
                                            control_live,  control_report};
  return &table;
}

/* ---- Interface ---------------------------------------------------------------------------------
 */

cudaError_t cudaGetDeviceCount(int *count)
{
  const api_call call(__func__);
  *count = 0;
  if (call.fails())
    return planned_failure();
  *count = static_cast<int>(state().devices.size());
  return *count > 0 ? cudaSuccess : fail(cudaErrorNoDevice);
}

cudaError_t cudaSetDevice(int device)
{
  const api_call call(__func__);
  if (call.fails())
    return planned_failure();
  if (!is_device(device))
    return fail(cudaErrorInvalidDevice);
  chosen_device = device;
  return cudaSuccess;
}

cudaError_t cudaGetDevice(int *device)
{
  const api_call call(__func__);
  *device = chosen_device;
  return call.fails() ? planned_failure() : cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device)
{
  const api_call call(__func__);
  if (call.fails())
    return planned_failure();
  if (!is_device(device))
    return fail(cudaErrorInvalidDevice);
  memset(properties, 0, sizeof *properties);
  snprintf(properties->name, sizeof properties->name, "CUDA on the CPU");
  properties->totalGlobalMem = device_kind(device).memory_bytes;
  properties->major = device_kind(device).compute_capability / 10;
  properties->minor = device_kind(device).compute_capability % 10;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device)
{
  const api_call call(__func__);
  if (call.fails())
    return planned_failure();
  if (!is_device(device))
    return fail(cudaErrorInvalidDevice);
  if (attribute != cudaDevAttrL2CacheSize)
    return fail(cudaErrorInvalidValue);
  *value = l2_cache_bytes;
  return cudaSuccess;
}

cudaError_t cudaGetLastError(void)
{
  const cudaError_t error = lost_device() != cudaSuccess ? lost_device() : last_error;
  last_error = cudaSuccess;
  return error;
}

const char *cudaGetErrorString(cudaError_t error)
{
  switch (error) {
  case cudaSuccess:
    return "no error";
  case cudaErrorInvalidValue:
    return "invalid argument";
  case cudaErrorMemoryAllocation:
    return "out of memory";
  case cudaErrorInvalidConfiguration:
    return "invalid configuration argument";
  case cudaErrorNoDevice:
    return "no CUDA-capable device is detected";
  case cudaErrorInvalidDevice:
    return "invalid device ordinal";
  case cudaErrorInvalidResourceHandle:
    return "invalid resource handle";
  case cudaErrorIllegalAddress:
    return "an illegal memory access was encountered";
  case cudaErrorLaunchFailure:
    return "unspecified launch failure";
  case cudaErrorUnknown:
    return "unknown error";
  }
  return "unrecognized error code";
}
