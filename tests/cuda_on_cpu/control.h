/* What tests tell the CUDA runtime on the CPU, and ask of it. The table is found in the library
 * that plays libcuda.so.1, by the symbol below; a true driver has none. */
#ifndef CUDA_ON_CPU_CONTROL_H
#define CUDA_ON_CPU_CONTROL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A kind of device. */
typedef struct cuda_on_cpu_device {
  int32_t compute_capability; /* 10 major + minor */
  int32_t shared_bytes;       /* the most that a block can ask for */
  uint64_t memory_bytes;
} cuda_on_cpu_device;

/* In which order threads and blocks run, and streams go on. */
#define CUDA_ON_CPU_FORWARD 0
#define CUDA_ON_CPU_REVERSE 1
#define CUDA_ON_CPU_RANDOM 2

typedef struct cuda_on_cpu_control {
  /* All as at the start: two H100, forward order, no failure planned or hidden, no words, no lost
   * device. */
  void (*reset)(void);
  void (*set_order)(int32_t order, uint64_t seed);
  /* `count` devices of one kind; nothing may be live. */
  void (*set_devices)(int32_t count, const cuda_on_cpu_device *kind);
  /* Makes call number `call` from now fail, and if `lost` every later one too, as when a device
   * is lost. 0: no call. A device that was lost is there again. */
  void (*fail)(int64_t call, int32_t lost);
  /* The name of the call that was made to fail; NULL: it was not reached. */
  const char *(*failed)(void);
  /* Whether cuSOLVER tells nothing of a matrix that is not positive definite, and leaves NaN. */
  void (*hide_failures)(int32_t hidden);
  /* Memory, streams, events and handles that were not given back. */
  int64_t (*live)(void);
  /* What was done that a device would not forgive, a line each, since the last time; "" if nothing.
   * Valid until the next call. */
  const char *(*report)(void);
} cuda_on_cpu_control;

typedef const cuda_on_cpu_control *(*cuda_on_cpu_control_function)(void);
#define CUDA_ON_CPU_CONTROL "cuda_on_cpu_controls"

#ifdef __cplusplus
}
#endif

#endif
