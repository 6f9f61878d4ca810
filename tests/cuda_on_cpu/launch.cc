/* Launching a kernel: everything that a device would refuse is refused here, and what it would
 * silently get wrong is reported. The blocks run one after another when the stream is waited for.
 */
#include "machine.h"

#include <algorithm>
#include <map>
#include <vector>

namespace cuda_on_cpu
{

static constexpr int without_asking = 48 * 1024; /* bytes of shared memory */

/* What was asked for by cudaFuncSetAttribute, by kernel and device. */
static std::map<std::pair<const void *, int>, int> &asked_shared()
{
  static std::map<std::pair<const void *, int>, int> &only =
      *new std::map<std::pair<const void *, int>, int>;
  return only;
}

static std::size_t most_shared(const void *kernel, int device)
{
  const auto asked = asked_shared().find({kernel, device});
  return static_cast<std::size_t>(
      asked != asked_shared().end() ? std::max(asked->second, without_asking) : without_asking);
}

static bool is_possible(const cudaLaunchConfig_t &config)
{
  constexpr unsigned most_threads = 1024;
  constexpr unsigned most_blocks_x = 0x7fffffff;
  constexpr unsigned most_blocks = 65535;
  const dim3 &blocks = config.gridDim;
  const dim3 &threads = config.blockDim;
  return blocks.x > 0 && blocks.y > 0 && blocks.z > 0 && blocks.x <= most_blocks_x &&
         blocks.y <= most_blocks && blocks.z <= most_blocks && threads.x > 0 &&
         threads.x <= most_threads && threads.y == 1 && threads.z == 1 && config.numAttrs == 0;
}

static unsigned in_order(unsigned n, unsigned count)
{
  return order() == CUDA_ON_CPU_REVERSE ? count - 1 - n : n;
}

/* Numbers of all blocks, in the order in which they run. */
static std::vector<std::uint64_t> block_numbers(const dim3 &blocks)
{
  std::vector<std::uint64_t> numbers;
  for (unsigned z = 0; z < blocks.z; ++z)
    for (unsigned y = 0; y < blocks.y; ++y)
      for (unsigned x = 0; x < blocks.x; ++x)
        numbers.push_back(
            (static_cast<std::uint64_t>(in_order(z, blocks.z)) * blocks.y + in_order(y, blocks.y)) *
                blocks.x +
            in_order(x, blocks.x));
  if (order() == CUDA_ON_CPU_RANDOM)
    std::shuffle(numbers.begin(), numbers.end(), random_bits());
  return numbers;
}

static void run_grid(const cudaLaunchConfig_t &config, const std::function<void()> &body,
                     std::size_t most_shared_bytes)
{
  const dim3 &blocks = config.gridDim;
  gridDim = blocks;
  blockDim = config.blockDim;
  for (const std::uint64_t number : block_numbers(blocks)) {
    blockIdx = {static_cast<unsigned>(number % blocks.x),
                static_cast<unsigned>(number / blocks.x % blocks.y),
                static_cast<unsigned>(number / blocks.x / blocks.y)};
    if (!run_block(body, config.blockDim.x, config.dynamicSmemBytes, most_shared_bytes))
      break;
  }
  end_grid();
}

} // namespace cuda_on_cpu

using namespace cuda_on_cpu;

cudaError_t cuda_on_cpu_launch(const cudaLaunchConfig_t *config, const void *kernel,
                               std::function<void()> body, const cuda_on_cpu_argument *arguments,
                               std::size_t count)
{
  const api_call call("cudaLaunchKernelEx");
  if (call.fails())
    return planned_failure();
  if (!is_usable(config->stream, "cudaLaunchKernelEx"))
    return fail(cudaErrorInvalidResourceHandle);
  if (!is_possible(*config))
    return fail(cudaErrorInvalidConfiguration);
  const int device = device_of(config->stream);
  const std::size_t shared = most_shared(kernel, device);
  if (config->dynamicSmemBytes > shared)
    return fail(cudaErrorInvalidValue);
  for (std::size_t n = 0; n < count; ++n)
    check_argument(arguments[n], n, device);
  enqueue(config->stream, [configuration = *config, body = std::move(body), shared] {
    run_grid(configuration, body, shared);
  });
  return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void *kernel, cudaFuncAttribute attribute, int value)
{
  const api_call call(__func__);
  if (call.fails())
    return planned_failure();
  if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize || value < 0 ||
      value > device_kind(current_device()).shared_bytes)
    return fail(cudaErrorInvalidValue);
  asked_shared()[{kernel, current_device()}] = value;
  return cudaSuccess;
}
