/* What the CUDA runtime on the CPU must do by itself: run kernels as a device would, and tell of
 * each thing that a device would not forgive. Kernels here are wrong on purpose. */
#include "control.h"
#include "cusolverDn.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

#include <cmath>
#include <cstring>
#include <sys/wait.h>
#include <unistd.h>

extern "C" const cuda_on_cpu_control *cuda_on_cpu_controls(void);

namespace
{

constexpr unsigned warp = 32;
constexpr unsigned all_lanes = 0xffffffffU;

const cuda_on_cpu_control &control()
{
  return *cuda_on_cpu_controls();
}

/* Checks that what was done so far has been told in words that contain a part; "": nothing was. */
void check_told(const char *part, unsigned line)
{
  const char *words = control().report();
  const bool right = part[0] == '\0' ? words[0] == '\0' : std::strstr(words, part) != nullptr;
  CU_assertImplementation(right ? CU_TRUE : CU_FALSE, line,
                          right              ? part
                          : words[0] != '\0' ? words
                                             : part,
                          __FILE__, "", CU_FALSE);
}
#define CHECK_TOLD(part) check_told(part, __LINE__)

void begin()
{
  control().reset();
}

void end()
{
  CHECK_TOLD("");
  CU_ASSERT_EQUAL(control().live(), 0);
}

/* A stream and `count` floats on the current device. */
struct device_side {
  cudaStream_t stream = nullptr;
  float *values = nullptr;

  explicit device_side(std::size_t count)
  {
    CU_ASSERT_EQUAL(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
    void *memory = nullptr;
    CU_ASSERT_EQUAL(cudaMalloc(&memory, count * sizeof(float)), cudaSuccess);
    values = static_cast<float *>(memory);
  }
  ~device_side()
  {
    cudaStreamSynchronize(stream);
    cudaFree(values);
    cudaStreamDestroy(stream);
  }
  device_side(const device_side &) = delete;
  device_side &operator=(const device_side &) = delete;

  void put(const float *from, std::size_t count) const
  {
    CU_ASSERT_EQUAL(
        cudaMemcpyAsync(values, from, count * sizeof(float), cudaMemcpyHostToDevice, stream),
        cudaSuccess);
    CU_ASSERT_EQUAL(cudaStreamSynchronize(stream), cudaSuccess);
  }
  void get(float *to, std::size_t count) const
  {
    CU_ASSERT_EQUAL(
        cudaMemcpyAsync(to, values, count * sizeof(float), cudaMemcpyDeviceToHost, stream),
        cudaSuccess);
    CU_ASSERT_EQUAL(cudaStreamSynchronize(stream), cudaSuccess);
  }
};

template <class... Parameters, class... Arguments>
cudaError_t launch(cudaStream_t stream, unsigned blocks, unsigned threads, std::size_t shared,
                   void (*kernel)(Parameters...), Arguments... arguments)
{
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(blocks);
  config.blockDim = dim3(threads);
  config.dynamicSmemBytes = shared;
  config.stream = stream;
  return cudaLaunchKernelEx(&config, kernel, arguments...);
}

/* ---- Memory ------------------------------------------------------------------------------------
 */

__global__ void write_at(float *to, long place)
{
  to[place] = 1;
}

void memory_begins_as_nan()
{
  const device_side device(3);
  float values[3] = {0, 0, 0};
  device.get(values, 3);
  for (const float value : values)
    CU_ASSERT(std::isnan(value));
}

void host_must_not_touch()
{
  const device_side device(1);
  *const_cast<volatile float *>(device.values) = 1;
  CHECK_TOLD("the host touches byte 0 of 4");
}

void kernel_beyond_its_memory()
{
  {
    const device_side device(5);
    CU_ASSERT_EQUAL(launch(device.stream, 1, 1, 0, write_at, device.values, 16L), cudaSuccess);
    CU_ASSERT_EQUAL(cudaStreamSynchronize(device.stream), cudaErrorIllegalAddress);
    CHECK_TOLD("a kernel touches");
    CU_ASSERT_EQUAL(cudaMemsetAsync(device.values, 0, 4, device.stream), cudaErrorIllegalAddress);
  }
  control().reset();
}

void bytes_around_are_watched()
{
  {
    const device_side device(5); /* 12 bytes are left to the next multiple of 16 */
    CU_ASSERT_EQUAL(launch(device.stream, 1, 1, 0, write_at, device.values, 5L), cudaSuccess);
  }
  CHECK_TOLD("bytes around 20 bytes of the device's memory were written");
}

void pointers_of_the_host()
{
  const device_side device(1);
  static float on_host = 0;
  CU_ASSERT_EQUAL(launch(device.stream, 1, 1, 0, write_at, &on_host, 0L), cudaSuccess);
  CHECK_TOLD("argument 0 of a kernel");
}

void copies_have_bounds()
{
  const device_side device(4);
  float values[8] = {0};
  CU_ASSERT_EQUAL(cudaMemcpyAsync(device.values, values, 5 * sizeof(float), cudaMemcpyHostToDevice,
                                  device.stream),
                  cudaErrorInvalidValue);
  CHECK_TOLD("20 bytes are touched, the memory ends after 16");
  CU_ASSERT_EQUAL(cudaMemcpyAsync(values, values + 4, 16, cudaMemcpyDeviceToHost, device.stream),
                  cudaErrorInvalidValue);
  CHECK_TOLD("memory of the host");
  CU_ASSERT_EQUAL(
      cudaMemcpy2DAsync(device.values, 4, values, 8, 8, 2, cudaMemcpyHostToDevice, device.stream),
      cudaErrorInvalidValue);
  CHECK_TOLD("rows of 8 bytes overlap");
}

void memory_is_given_back_once()
{
  void *memory = nullptr;
  CU_ASSERT_EQUAL(cudaMalloc(&memory, 8), cudaSuccess);
  CU_ASSERT_EQUAL(control().live(), 1);
  CU_ASSERT_EQUAL(cudaFree(memory), cudaSuccess);
  CU_ASSERT_EQUAL(cudaFree(memory), cudaErrorInvalidValue);
  CHECK_TOLD("memory that was given back");
  std::size_t free_bytes = 0;
  std::size_t all_bytes = 0;
  CU_ASSERT_EQUAL(cudaMemGetInfo(&free_bytes, &all_bytes), cudaSuccess);
  CU_ASSERT_EQUAL(cudaMalloc(&memory, free_bytes + 1), cudaErrorMemoryAllocation);
}

/* ---- Streams -----------------------------------------------------------------------------------
 */

void work_waits()
{
  const device_side device(1);
  const float one = 1;
  float value = 0;
  device.put(&one, 1);
  CU_ASSERT_EQUAL(cudaMemcpyAsync(&value, device.values, 4, cudaMemcpyDeviceToHost, device.stream),
                  cudaSuccess);
  CU_ASSERT_EQUAL(value, 0);
  CU_ASSERT_EQUAL(cudaStreamSynchronize(device.stream), cudaSuccess);
  CU_ASSERT_EQUAL(value, 1);
}

void freeing_does_not_wait()
{
  const device_side device(1);
  void *memory = nullptr;
  CU_ASSERT_EQUAL(cudaMalloc(&memory, 4), cudaSuccess);
  CU_ASSERT_EQUAL(cudaMemsetAsync(memory, 0, 4, device.stream), cudaSuccess);
  CU_ASSERT_EQUAL(cudaFree(memory), cudaSuccess);
  CHECK_TOLD("the device has work to do that nobody has waited for");
}

__global__ void copy_one(float *to, const float *from)
{
  *to = *from;
}

/* What the second stream reads of what the first one writes; waiting: by an event. */
float value_across_streams(int32_t order, bool waiting)
{
  control().set_order(order, 1);
  const device_side first(1);
  const device_side second(1);
  const float one = 1;
  float value = 0;
  cudaEvent_t event = nullptr;
  CU_ASSERT_EQUAL(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), cudaSuccess);
  CU_ASSERT_EQUAL(cudaMemcpyAsync(first.values, &one, 4, cudaMemcpyHostToDevice, first.stream),
                  cudaSuccess);
  CU_ASSERT_EQUAL(cudaEventRecord(event, first.stream), cudaSuccess);
  if (waiting)
    CU_ASSERT_EQUAL(cudaStreamWaitEvent(second.stream, event, 0), cudaSuccess);
  CU_ASSERT_EQUAL(launch(second.stream, 1, 1, 0, copy_one, second.values, first.values),
                  cudaSuccess);
  second.get(&value, 1);
  CU_ASSERT_EQUAL(cudaStreamSynchronize(first.stream), cudaSuccess);
  CU_ASSERT_EQUAL(cudaEventDestroy(event), cudaSuccess);
  return value;
}

void events_order_streams()
{
  CU_ASSERT_EQUAL(value_across_streams(CUDA_ON_CPU_FORWARD, true), 1);
  CU_ASSERT_EQUAL(value_across_streams(CUDA_ON_CPU_REVERSE, true), 1);
  CU_ASSERT(std::isnan(value_across_streams(CUDA_ON_CPU_FORWARD, false)));
  CU_ASSERT_EQUAL(value_across_streams(CUDA_ON_CPU_REVERSE, false), 1);
}

/* ---- Kernels -----------------------------------------------------------------------------------
 */

__global__ void turn_round(float *values, int with_barrier)
{
  PQF_DYNAMIC_SHARED(float, shared);
  const unsigned n = threadIdx.x;
  shared[n] = static_cast<float>(n);
  if (with_barrier)
    __syncthreads();
  values[n] = shared[blockDim.x - 1 - n];
}

/* Threads that got another's value before it was there. */
int missed(int32_t order, int with_barrier)
{
  constexpr unsigned threads = 2 * warp;
  control().set_order(order, 1);
  const device_side device(threads);
  float values[threads];
  int count = 0;
  CU_ASSERT_EQUAL(launch(device.stream, 1, threads, threads * sizeof(float), turn_round,
                         device.values, with_barrier),
                  cudaSuccess);
  device.get(values, threads);
  for (unsigned n = 0; n < threads; ++n)
    count += values[n] != static_cast<float>(threads - 1 - n);
  return count;
}

void barriers_matter()
{
  for (const int32_t order : {CUDA_ON_CPU_FORWARD, CUDA_ON_CPU_REVERSE, CUDA_ON_CPU_RANDOM}) {
    CU_ASSERT_EQUAL(missed(order, 1), 0);
#if !defined(__SANITIZE_THREAD__) /* which ends the process where threads race */
    CU_ASSERT(missed(order, 0) > 0);
#endif
  }
}

/* Half of the threads end; or wait for their warp while the others wait for the block. */
__global__ void part_ways(int deadlock)
{
  if (threadIdx.x % 2 == 0)
    __syncthreads();
  else if (deadlock)
    __syncwarp();
}

void barriers_are_for_all()
{
  {
    const device_side device(1);
    CU_ASSERT_EQUAL(launch(device.stream, 1, 4, 0, part_ways, 0), cudaSuccess);
    CU_ASSERT_EQUAL(cudaStreamSynchronize(device.stream), cudaSuccess);
    CHECK_TOLD("__syncthreads is called by 2 threads of a block, 2 have ended");
    CU_ASSERT_EQUAL(launch(device.stream, 1, 4, 0, part_ways, 1), cudaSuccess);
    CU_ASSERT_EQUAL(cudaStreamSynchronize(device.stream), cudaErrorLaunchFailure);
    CHECK_TOLD("threads of a block wait for each other: 2 at __syncthreads, 2 at __syncwarp");
  }
  control().reset();
}

__global__ void exchange(float *values, unsigned mask, int bits)
{
  const unsigned n = threadIdx.x;
  if ((mask >> n & 1) != 0)
    values[n] = __shfl_xor_sync(mask, static_cast<float>(n), bits);
}

void lanes_exchange()
{
  const device_side device(warp);
  float values[warp];
  CU_ASSERT_EQUAL(launch(device.stream, 1, warp, 0, exchange, device.values, all_lanes, 5),
                  cudaSuccess);
  device.get(values, warp);
  for (unsigned n = 0; n < warp; ++n)
    CU_ASSERT_EQUAL(values[n], static_cast<float>(n ^ 5U));
  CU_ASSERT_EQUAL(launch(device.stream, 1, warp, 0, exchange, device.values, 0xfU, 4), cudaSuccess);
  CU_ASSERT_EQUAL(cudaStreamSynchronize(device.stream), cudaSuccess);
  CHECK_TOLD("wants a value of lane 4, which takes no part");
}

__global__ void declare_shared(float *values)
{
  PQF_DYNAMIC_SHARED(float, dynamic);
  PQF_STATIC_SHARED(float, fixed, 2);
  fixed[0] = dynamic[0] = 1;
  values[0] = fixed[0] + dynamic[0];
}

void launches_have_limits()
{
  constexpr int most = 227 * 1024; /* of an H100 */
  const device_side device(1);
  const auto kernel = reinterpret_cast<const void *>(declare_shared);
  CU_ASSERT_EQUAL(launch(device.stream, 1, 1025, 4, declare_shared, device.values),
                  cudaErrorInvalidConfiguration);
  CU_ASSERT_EQUAL(launch(device.stream, 0, 1, 4, declare_shared, device.values),
                  cudaErrorInvalidConfiguration);
  CU_ASSERT_EQUAL(launch(device.stream, 1, 1, most, declare_shared, device.values),
                  cudaErrorInvalidValue);
  CU_ASSERT_EQUAL(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, most + 1),
      cudaErrorInvalidValue);
  CU_ASSERT_EQUAL(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, most),
                  cudaSuccess);
  CU_ASSERT_EQUAL(launch(device.stream, 1, 1, most - 8, declare_shared, device.values),
                  cudaSuccess);
  CU_ASSERT_EQUAL(cudaStreamSynchronize(device.stream), cudaSuccess);
  CHECK_TOLD("");
  CU_ASSERT_EQUAL(launch(device.stream, 1, 1, most - 4, declare_shared, device.values),
                  cudaSuccess);
  CU_ASSERT_EQUAL(cudaStreamSynchronize(device.stream), cudaSuccess);
  CHECK_TOLD("a block declares 8 and asks for 232444 bytes of shared memory: there are 232448");
}

/* ---- Libraries ---------------------------------------------------------------------------------
 */

/* C = A B, column by column: (1 2; 3 4) (5 6; 7 8) = (19 22; 43 50). */
void products()
{
  const device_side device(12);
  const float values[12] = {1, 3, 2, 4, 5, 7, 6, 8, 0, 0, 0, 0};
  const float product[4] = {19, 43, 22, 50};
  const float one = 1;
  const float zero = 0;
  float got[12];
  cublasHandle_t handle = nullptr;
  CU_ASSERT_EQUAL(cublasCreate(&handle), CUBLAS_STATUS_SUCCESS);
  CU_ASSERT_EQUAL(cublasSetStream(handle, device.stream), CUBLAS_STATUS_SUCCESS);
  device.put(values, 12);
  const auto multiply = [&](int rows, int ldc) {
    return cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, rows, 2, 2, &one, device.values, 2,
                       device.values + 4, 2, &zero, device.values + 8, ldc);
  };
  CU_ASSERT_EQUAL(multiply(2, 2), CUBLAS_STATUS_SUCCESS);
  device.get(got, 12);
  for (int n = 0; n < 4; ++n)
    CU_ASSERT_EQUAL(got[8 + n], product[n]);
  CU_ASSERT_EQUAL(multiply(2, 1), CUBLAS_STATUS_INVALID_VALUE);
  CHECK_TOLD("2 x 2 with leading dimension 1");
  CU_ASSERT_EQUAL(multiply(2, 3), CUBLAS_STATUS_INVALID_VALUE);
  CHECK_TOLD("20 bytes are touched, the memory ends after 16");
  CU_ASSERT_EQUAL(cublasDestroy(handle), CUBLAS_STATUS_SUCCESS);
}

/* (4 2; 2 5) (x y)' = (8 12)': x = 1, y = 2; then (1 2; 2 1), which has a pivot of -3. */
void systems()
{
  const device_side device(6);
  const device_side pointers(4);
  const device_side result(1);
  cusolverDnHandle_t handle = nullptr;
  float values[6] = {4, 2, 2, 5, 8, 12};
  float *places[2] = {device.values, device.values + 4};
  float status;
  int info = 0;
  CU_ASSERT_EQUAL(cusolverDnCreate(&handle), CUSOLVER_STATUS_SUCCESS);
  CU_ASSERT_EQUAL(cusolverDnSetStream(handle, device.stream), CUSOLVER_STATUS_SUCCESS);
  device.put(values, 6);
  pointers.put(reinterpret_cast<const float *>(places), 4);
  auto *const a = reinterpret_cast<float **>(pointers.values);
  auto *const on_device = reinterpret_cast<int *>(result.values);
  CU_ASSERT_EQUAL(cusolverDnSpotrfBatched(handle, CUBLAS_FILL_MODE_LOWER, 2, a, 2, on_device, 1),
                  CUSOLVER_STATUS_SUCCESS);
  CU_ASSERT_EQUAL(
      cusolverDnSpotrsBatched(handle, CUBLAS_FILL_MODE_LOWER, 2, 1, a, 2, a + 1, 2, on_device, 1),
      CUSOLVER_STATUS_SUCCESS);
  device.get(values, 6);
  CU_ASSERT_DOUBLE_EQUAL(values[4], 1, 1e-6);
  CU_ASSERT_DOUBLE_EQUAL(values[5], 2, 1e-6);
  CU_ASSERT(std::isnan(values[2])); /* the upper half is not to be read again */
  const float indefinite[4] = {1, 2, 2, 1};
  for (int32_t hidden = 0; hidden < 2; ++hidden) {
    control().hide_failures(hidden);
    device.put(indefinite, 4);
    CU_ASSERT_EQUAL(cusolverDnSpotrfBatched(handle, CUBLAS_FILL_MODE_LOWER, 2, a, 2, on_device, 1),
                    CUSOLVER_STATUS_SUCCESS);
    CU_ASSERT_EQUAL(cudaStreamSynchronize(device.stream), cudaSuccess);
    result.get(&status, 1);
    std::memcpy(&info, &status, sizeof info);
    CU_ASSERT_EQUAL(info, hidden ? 0 : 2);
  }
  device.get(values, 4);
  CU_ASSERT(std::isnan(values[3]));
  CU_ASSERT_EQUAL(cusolverDnDestroy(handle), CUSOLVER_STATUS_SUCCESS);
}

/* ---- Failures, devices -------------------------------------------------------------------------
 */

void calls_fail_as_planned()
{
  int device = 0;
  control().fail(2, 0);
  CU_ASSERT_EQUAL(cudaGetDevice(&device), cudaSuccess);
  CU_ASSERT_EQUAL(control().failed(), nullptr);
  CU_ASSERT_EQUAL(cudaSetDevice(0), cudaErrorUnknown);
  CU_ASSERT_STRING_EQUAL(control().failed(), "cudaSetDevice");
  CU_ASSERT_EQUAL(cudaGetLastError(), cudaErrorUnknown);
  CU_ASSERT_EQUAL(cudaGetLastError(), cudaSuccess);
  CU_ASSERT_EQUAL(cudaSetDevice(0), cudaSuccess);
  control().fail(1, 1);
  for (int n = 0; n < 3; ++n)
    CU_ASSERT_EQUAL(cudaSetDevice(0), cudaErrorUnknown);
  control().reset();
}

void devices_are_apart()
{
  const device_side device(1);
  CU_ASSERT_EQUAL(cudaSetDevice(2), cudaErrorInvalidDevice);
  CU_ASSERT_EQUAL(cudaSetDevice(1), cudaSuccess);
  CU_ASSERT_EQUAL(cudaMemsetAsync(device.values, 0, 4, device.stream),
                  cudaErrorInvalidResourceHandle);
  CHECK_TOLD("a stream of device 0 while device 1 is current");
  {
    const device_side other(1);
    CU_ASSERT_EQUAL(launch(other.stream, 1, 1, 0, copy_one, other.values, device.values),
                    cudaSuccess);
    CHECK_TOLD("argument 1 of a kernel points to device 0, not 1");
  }
  CU_ASSERT_EQUAL(cudaSetDevice(0), cudaSuccess);
}

/* ---- Races -------------------------------------------------------------------------------------
 */

#if defined(__SANITIZE_THREAD__)

enum meeting { PLAIN, ATOMIC, BARRIER, NO_BARRIER, EXCHANGE };

/* Blocks that add to one number, or threads that read what their neighbour wrote. */
__global__ void meet(int *number, int how)
{
  PQF_STATIC_SHARED(int, shared, 64);
  if (how == PLAIN)
    *number += 1;
  if (how == ATOMIC)
    atomicAdd(number, 1);
  shared[threadIdx.x] = 1;
  if (how == BARRIER)
    __syncthreads();
  if (how == EXCHANGE)
    __shfl_xor_sync(all_lanes, 1, 1);
  if (how >= BARRIER)
    atomicAdd(number, shared[threadIdx.x ^ 1]);
}

/* Runs the kernel in a process of its own: whether ThreadSanitizer ended that. */
bool is_race(meeting how, unsigned blocks, unsigned threads)
{
  constexpr int of_thread_sanitizer = 66;
  const pid_t child = fork();
  if (child == 0) {
    close(STDERR_FILENO);
    const device_side device(1);
    launch(device.stream, blocks, threads, 0, meet, reinterpret_cast<int *>(device.values),
           static_cast<int>(how));
    cudaStreamSynchronize(device.stream);
    _exit(0);
  }
  int status = 0;
  CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
  CU_ASSERT(WIFEXITED(status));
  CU_ASSERT(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == of_thread_sanitizer);
  return WEXITSTATUS(status) != 0;
}

void races_are_seen()
{
  CU_ASSERT(is_race(PLAIN, 2, 1));
  CU_ASSERT(is_race(PLAIN, 1, 2));
  CU_ASSERT(is_race(NO_BARRIER, 1, warp));
  CU_ASSERT(is_race(EXCHANGE, 1, warp));
  CU_ASSERT(!is_race(PLAIN, 1, 1));
  CU_ASSERT(!is_race(ATOMIC, 3, 2 * warp));
  CU_ASSERT(!is_race(BARRIER, 3, 2 * warp));
}

#endif

const struct {
  const char *name;
  void (*run)();
} tests[] = {
    {"memory begins as NaN", memory_begins_as_nan},
    {"the host must not touch the device's memory", host_must_not_touch},
    {"a kernel beyond its memory", kernel_beyond_its_memory},
    {"bytes around memory are watched", bytes_around_are_watched},
    {"pointers of the host", pointers_of_the_host},
    {"copies have bounds", copies_have_bounds},
    {"memory is given back once", memory_is_given_back_once},
    {"work waits", work_waits},
    {"freeing does not wait", freeing_does_not_wait},
    {"events put streams in order", events_order_streams},
    {"barriers matter", barriers_matter},
    {"barriers are for all", barriers_are_for_all},
    {"lanes exchange", lanes_exchange},
    {"launches have limits", launches_have_limits},
    {"products", products},
    {"systems", systems},
    {"calls fail as planned", calls_fail_as_planned},
    {"devices are apart", devices_are_apart},
#if defined(__SANITIZE_THREAD__)
    {"races are seen", races_are_seen},
#endif
};

} // namespace

int main()
{
  if (CU_initialize_registry() != CUE_SUCCESS)
    return 1;
  CU_pSuite suite =
      CU_add_suite_with_setup_and_teardown("CUDA on the CPU", nullptr, nullptr, begin, end);
  for (const auto &test : tests)
    CU_add_test(suite, test.name, test.run);
  const bool passed = CU_basic_run_tests() == CUE_SUCCESS && CU_get_number_of_failures() == 0 &&
                      CU_get_number_of_tests_run() > 0;
  CU_cleanup_registry();
  return passed ? 0 : 1;
}
