/* Streams and events. Work is put off until something waits for it, so that whoever does not wait
 * sees what was there before. When a stream is waited for, the others have done as little as they
 * may (forward order), as much as they can (reverse), or something between (random). */
#include "machine.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <deque>
#include <memory>
#include <set>
#include <vector>

namespace cuda_on_cpu
{

/* Work in the order in which it was asked for; of `asked` pieces `done` are done. */
struct work_queue {
  int device = 0;
  std::deque<std::function<void()>> work;
  int64_t asked = 0;
  int64_t done = 0;
};

} // namespace cuda_on_cpu

struct CUstream_st {
  std::shared_ptr<cuda_on_cpu::work_queue> queue;
};

/* The state of a queue that was recorded. */
struct CUevent_st {
  int device;
  std::shared_ptr<cuda_on_cpu::work_queue> queue; /* empty: never recorded */
  int64_t place;
};

namespace cuda_on_cpu
{

struct stream_state {
  std::set<cudaStream_t> streams;
  std::set<cudaEvent_t> events;
};

static stream_state &state()
{
  static stream_state &only = *new stream_state;
  return only;
}

static void do_one(work_queue &queue)
{
  const std::function<void()> work = std::move(queue.work.front());
  queue.work.pop_front();
  work();
  if (queue.done < queue.asked) /* else the device was lost, and all work with it */
    queue.done++;
}

static void do_until(work_queue &queue, int64_t place)
{
  while (queue.done < place && !queue.work.empty())
    do_one(queue);
}

static void do_all(work_queue &queue)
{
  do_until(queue, queue.asked);
}

/* Lets other streams go on before one is waited for. */
static void advance_others(const work_queue &waited_for)
{
  if (order() == CUDA_ON_CPU_FORWARD)
    return;
  for (cudaStream_t stream : state().streams) {
    work_queue &queue = *stream->queue;
    if (&queue == &waited_for)
      continue;
    int64_t place = queue.asked;
    if (order() == CUDA_ON_CPU_RANDOM)
      place =
          queue.done + static_cast<int64_t>(random_bits()() %
                                            static_cast<uint64_t>(queue.asked - queue.done + 1));
    do_until(queue, place);
  }
}

static void wait_for(const std::shared_ptr<work_queue> &queue, int64_t place)
{
  const device_access access;
  if (queue->done < place)
    advance_others(*queue);
  do_until(*queue, place);
}

bool is_usable(cudaStream_t stream, const char *what)
{
  if (state().streams.count(stream) == 0) {
    report("%s: this is no stream", what);
    return false;
  }
  if (stream->queue->device != current_device()) {
    report("%s: a stream of device %d while device %d is current", what, stream->queue->device,
           current_device());
    return false;
  }
  return true;
}

int device_of(cudaStream_t stream)
{
  return stream->queue->device;
}

void enqueue(cudaStream_t stream, std::function<void()> work)
{
  stream->queue->work.push_back(std::move(work));
  stream->queue->asked++;
}

bool has_work(int device)
{
  return std::any_of(state().streams.begin(), state().streams.end(), [=](cudaStream_t stream) {
    return stream->queue->device == device && !stream->queue->work.empty();
  });
}

void finish_all()
{
  const device_access access;
  for (cudaStream_t stream : state().streams)
    do_all(*stream->queue);
}

void drop_all()
{
  for (cudaStream_t stream : state().streams) {
    stream->queue->work.clear();
    stream->queue->done = stream->queue->asked;
  }
}

int64_t live_streams()
{
  return static_cast<int64_t>(state().streams.size() + state().events.size());
}

static bool is_event(cudaEvent_t event, const char *what)
{
  if (state().events.count(event) != 0)
    return true;
  report("%s: this is no event", what);
  return false;
}

/* ---- Copies ------------------------------------------------------------------------------------
 */

static bool is_place(const void *address, std::size_t bytes, bool on_device, int device,
                     const char *what)
{
  return on_device ? is_on_device(address, bytes, device, what) : is_on_host(address, what);
}

struct copy_shape {
  std::size_t to_step;
  std::size_t from_step;
  std::size_t width;
  std::size_t height;
};

static cudaError_t copy(const char *name, void *to, const void *from, const copy_shape &shape,
                        cudaMemcpyKind kind, cudaStream_t stream)
{
  if (!is_usable(stream, name))
    return fail(cudaErrorInvalidResourceHandle);
  if (shape.width == 0 || shape.height == 0)
    return cudaSuccess;
  if (shape.to_step < shape.width || shape.from_step < shape.width) {
    report("%s: rows of %zu bytes overlap", name, shape.width);
    return fail(cudaErrorInvalidValue);
  }
  const std::size_t to_bytes = shape.to_step * (shape.height - 1) + shape.width;
  const std::size_t from_bytes = shape.from_step * (shape.height - 1) + shape.width;
  const int device = device_of(stream);
  if (!is_place(to, to_bytes, kind != cudaMemcpyDeviceToHost, device, name) ||
      !is_place(from, from_bytes, kind != cudaMemcpyHostToDevice, device, name))
    return fail(cudaErrorInvalidValue);
  enqueue(stream, [=] {
    for (std::size_t row = 0; row < shape.height; ++row)
      memcpy(static_cast<unsigned char *>(to) + row * shape.to_step,
             static_cast<const unsigned char *>(from) + row * shape.from_step, shape.width);
  });
  return cudaSuccess;
}

} // namespace cuda_on_cpu

using namespace cuda_on_cpu;

/* ---- Interface ---------------------------------------------------------------------------------
 */

cudaError_t cudaMemcpyAsync(void *to, const void *from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream)
{
  const api_call call(__func__);
  return call.fails() ? planned_failure()
                      : copy(__func__, to, from, {bytes, bytes, bytes, 1}, kind, stream);
}

cudaError_t cudaMemcpy2DAsync(void *to, std::size_t to_step, const void *from,
                              std::size_t from_step, std::size_t width, std::size_t height,
                              cudaMemcpyKind kind, cudaStream_t stream)
{
  const api_call call(__func__);
  return call.fails() ? planned_failure()
                      : copy(__func__, to, from, {to_step, from_step, width, height}, kind, stream);
}

cudaError_t cudaMemsetAsync(void *to, int byte, std::size_t bytes, cudaStream_t stream)
{
  const api_call call(__func__);
  if (call.fails())
    return planned_failure();
  if (!is_usable(stream, __func__))
    return fail(cudaErrorInvalidResourceHandle);
  if (bytes == 0)
    return cudaSuccess;
  if (!is_on_device(to, bytes, device_of(stream), __func__))
    return fail(cudaErrorInvalidValue);
  enqueue(stream, [=] { memset(to, byte, bytes); });
  return cudaSuccess;
}

/* Streams that the default stream holds up, and the default stream itself, are not known here. */
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned flags)
{
  const api_call call(__func__);
  if (call.fails())
    return planned_failure();
  if (flags != cudaStreamNonBlocking)
    return fail(cudaErrorInvalidValue);
  const auto queue = std::make_shared<work_queue>();
  queue->device = current_device();
  *out = new CUstream_st{queue};
  state().streams.insert(*out);
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
  const api_call call(__func__);
  if (state().streams.count(stream) == 0) {
    report("%s: this is no stream", __func__);
    return fail(cudaErrorInvalidResourceHandle);
  }
  if (!stream->queue->work.empty()) {
    report("%s: the stream has work to do that nobody has waited for", __func__);
    finish_all();
  }
  state().streams.erase(stream);
  delete stream;
  return call.fails() ? planned_failure() : cudaSuccess;
}

/* Made to fail it has waited all the same: what a program did is then in its memory or never will
 * be. */
cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
  const api_call call(__func__);
  if (!is_usable(stream, __func__))
    return fail(cudaErrorInvalidResourceHandle);
  wait_for(stream->queue, stream->queue->asked);
  if (call.fails())
    return planned_failure();
  return lost_device() != cudaSuccess ? fail(lost_device()) : cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags)
{
  const api_call call(__func__);
  if (call.fails())
    return planned_failure();
  if (!is_usable(stream, __func__) || !is_event(event, __func__) || flags != 0)
    return fail(cudaErrorInvalidResourceHandle);
  if (event->queue != nullptr)
    enqueue(stream, [queue = event->queue, place = event->place] { do_until(*queue, place); });
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned flags)
{
  const api_call call(__func__);
  if (call.fails())
    return planned_failure();
  if (flags != cudaEventDisableTiming)
    return fail(cudaErrorInvalidValue);
  *out = new CUevent_st{current_device(), nullptr, 0};
  state().events.insert(*out);
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
  const api_call call(__func__);
  if (!is_event(event, __func__))
    return fail(cudaErrorInvalidResourceHandle);
  state().events.erase(event);
  delete event;
  return call.fails() ? planned_failure() : cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
  const api_call call(__func__);
  if (call.fails())
    return planned_failure();
  if (!is_usable(stream, __func__) || !is_event(event, __func__))
    return fail(cudaErrorInvalidResourceHandle);
  if (event->device != device_of(stream)) {
    report("%s: an event of device %d in a stream of device %d", __func__, event->device,
           device_of(stream));
    return fail(cudaErrorInvalidResourceHandle);
  }
  event->queue = stream->queue;
  event->place = stream->queue->asked;
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
  const api_call call(__func__);
  if (!is_event(event, __func__))
    return fail(cudaErrorInvalidResourceHandle);
  if (event->queue != nullptr)
    wait_for(event->queue, event->place);
  if (call.fails())
    return planned_failure();
  return lost_device() != cudaSuccess ? fail(lost_device()) : cudaSuccess;
}
