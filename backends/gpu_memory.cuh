/* Memory of the device. Everything is taken by functions that can also count, so that a plan names
 * exactly what a training takes. */
#ifndef PQF_BACKENDS_GPU_MEMORY_CUH
#define PQF_BACKENDS_GPU_MEMORY_CUH

#include "gpu_training.cuh"

template <class type> static int take(pqf_training *t, type **out, int64_t count)
{
  const uint64_t bytes = static_cast<uint64_t>(count) * sizeof(type);
  if (t->planning) {
    t->planned += bytes;
    return PQF_OK;
  }
  const cudaError_t error = cudaMalloc(reinterpret_cast<void **>(out), bytes);
  if (error == cudaSuccess)
    return PQF_OK;
  *out = nullptr;
  t->ran_out = error == cudaErrorMemoryAllocation;
  cudaGetLastError();
  std::size_t free_bytes = 0;
  std::size_t all_bytes = 0;
  if (error != cudaErrorMemoryAllocation || cudaMemGetInfo(&free_bytes, &all_bytes) != cudaSuccess)
    return check_cuda(t->host, "cudaMalloc", error);
  return t->host->fail(t->host, PQF_ENOMEM,
                       "backend cuda: device %d has no %" PRIu64
                       " bytes in one piece: %zu of %zu are free",
                       t->device, bytes, free_bytes, all_bytes);
}

/* Takes memory and sets every byte to 0. */
template <class type> static int take_zeroed(pqf_training *t, type **out, int64_t count)
{
  TRY(take(t, out, count));
  if (!t->planning)
    CUDA(t, cudaMemsetAsync, *out, 0, static_cast<std::size_t>(count) * sizeof(type), t->stream);
  return PQF_OK;
}

/* Takes memory and fills it from the host's, which stays as it is until `wait`. */
template <class type>
static int take_copy(pqf_training *t, type **out, const type *values, int64_t count)
{
  TRY(take(t, out, count));
  if (!t->planning)
    CUDA(t, cudaMemcpyAsync, *out, values, static_cast<std::size_t>(count) * sizeof(type),
         cudaMemcpyHostToDevice, t->stream);
  return PQF_OK;
}

/* Page-locked memory of the host. */
template <class type> static int take_staging(pqf_training *t, type **out, int64_t count)
{
  const uint64_t bytes = static_cast<uint64_t>(count) * sizeof(type);
  if (t->planning) {
    t->planned_host += bytes;
    return PQF_OK;
  }
  CUDA(t, cudaMallocHost, reinterpret_cast<void **>(out), bytes);
  return PQF_OK;
}

/* Ordinary memory of the host; the same whether planning or not. */
template <class type> static int take_host(pqf_training *t, type **out, int64_t count)
{
  *out =
      static_cast<type *>(t->host->allocate(t->host, static_cast<uint64_t>(count), sizeof(type)));
  t->planned_host += static_cast<uint64_t>(count) * sizeof(type);
  return *out != nullptr ? PQF_OK : PQF_ENOMEM;
}

/* One pair of factor matrices. */
static int take_factors(pqf_training *t, int buffer)
{
  for (int side = 0; side < 2; side++)
    TRY(take_zeroed(t, &t->factors[side][buffer], t->size[side] * t->d));
  return PQF_OK;
}

#endif
