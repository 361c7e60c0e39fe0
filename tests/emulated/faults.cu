#include "tests/emulated/faults.h"

namespace cortiscore::faults {
namespace {

__global__ void reverse_kernel(double* values, int n, bool with_barrier) {
  extern __shared__ double copy[];
  const int i = threadIdx.x;
  copy[i] = values[i];
  if (with_barrier) __syncthreads();
  values[i] = copy[n - 1 - i];
}

__global__ void divergent_barrier_kernel(double* out) {
  if (threadIdx.x < 16) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  out[threadIdx.x] = 1;
}

__global__ void barrier_after_return_kernel(double* out) {
  if (threadIdx.x == 3) return;
  __syncthreads();
  out[threadIdx.x] = 1;
}

__global__ void writes_past_kernel(double* out, int n, int by) {
  if (threadIdx.x == 0) out[n - 1 + by] = 1;
}

__global__ void shared_past_kernel(double* out) {
  extern __shared__ double room[];
  room[threadIdx.x] = threadIdx.x;
  out[threadIdx.x] = room[threadIdx.x];
}

__global__ void unset_shared_kernel(double* out) {
  __shared__ double room[32];
  if (threadIdx.x != 5) room[threadIdx.x] = 1;
  __syncthreads();
  out[threadIdx.x] = room[threadIdx.x];
}

// No order shows this one: all write the same.
__global__ void same_value_kernel(double* out) {
  __shared__ double last;
  last = 1;
  __syncthreads();
  out[threadIdx.x] = last;
}

__global__ void blocks_meet_kernel(double* out) {
  if (threadIdx.x == 0) out[0] = blockIdx.x;
}

__global__ void counts_kernel(unsigned* out) {
  __shared__ unsigned here;
  if (threadIdx.x == 0) here = 0;
  __syncthreads();
  atomicAdd(&here, 1U);
  __syncthreads();
  if (threadIdx.x == 0) atomicAdd(out, here);
}

__global__ void warp_sums_kernel(const double* in, double* out) {
  double sum = in[blockIdx.x * blockDim.x + threadIdx.x];
  for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_down_sync(~0U, sum, offset);
  if (threadIdx.x % warpSize == 0) out[(blockIdx.x * blockDim.x + threadIdx.x) / warpSize] = sum;
}

__global__ void warp_neighbours_kernel(const double* in,
                                       double* up,
                                       double* swapped,
                                       double* first) {
  const double value = in[threadIdx.x];
  up[threadIdx.x] = __shfl_up_sync(~0U, value, 1);
  swapped[threadIdx.x] = __shfl_xor_sync(~0U, value, 1);
  first[threadIdx.x] = __shfl_sync(~0U, value, 0);
}

__global__ void half_a_warp_kernel(double* out) {
  double sum = threadIdx.x;
  if (threadIdx.x < 16) sum += __shfl_down_sync(~0U, sum, 8);
  out[threadIdx.x] = sum;
}

__global__ void warp_copies_kernel(double* values, bool synchronised) {
  __shared__ double copy[32];
  copy[threadIdx.x] = values[threadIdx.x];
  if (synchronised) __syncwarp();
  values[threadIdx.x] = copy[31 - threadIdx.x];
}

__global__ void __launch_bounds__(64) bounded_kernel(double* out) {
  out[threadIdx.x] = 1;
}

__global__ void grid_kernel(double* out) {
  if (blockIdx.x + blockIdx.y + threadIdx.x == 0) out[0] = 1;
}

__global__ void shared_kernel(double* out) {
  extern __shared__ double room[];
  if (threadIdx.x == 0) room[0] = 1, out[0] = room[0];
}

}  // namespace

cudaError_t reverse(double* values, int n, bool with_barrier) {
  reverse_kernel<<<1, n, static_cast<size_t>(n) * sizeof(double)>>>(values, n, with_barrier);
  return cudaGetLastError();
}

cudaError_t divergent_barrier(double* out, int threads) {
  divergent_barrier_kernel<<<1, threads>>>(out);
  return cudaGetLastError();
}

cudaError_t barrier_after_return(double* out, int threads) {
  barrier_after_return_kernel<<<1, threads>>>(out);
  return cudaGetLastError();
}

cudaError_t writes_past(double* out, int n, int by) {
  writes_past_kernel<<<1, 32>>>(out, n, by);
  return cudaGetLastError();
}

cudaError_t shared_past(double* out, size_t bytes) {
  shared_past_kernel<<<1, 32, bytes>>>(out);
  return cudaGetLastError();
}

cudaError_t unset_shared(double* out) {
  unset_shared_kernel<<<1, 32>>>(out);
  return cudaGetLastError();
}

cudaError_t same_value(double* out, int threads) {
  same_value_kernel<<<1, threads>>>(out);
  return cudaGetLastError();
}

cudaError_t blocks_meet(double* out, int blocks) {
  blocks_meet_kernel<<<blocks, 32>>>(out);
  return cudaGetLastError();
}

cudaError_t counts(unsigned* out, int blocks, int threads) {
  counts_kernel<<<blocks, threads>>>(out);
  return cudaGetLastError();
}

cudaError_t warp_sums(const double* in, double* out, int warps) {
  warp_sums_kernel<<<warps / 2, 64>>>(in, out);
  return cudaGetLastError();
}

cudaError_t warp_neighbours(const double* in, double* up, double* swapped, double* first) {
  warp_neighbours_kernel<<<1, 32>>>(in, up, swapped, first);
  return cudaGetLastError();
}

cudaError_t half_a_warp(double* out) {
  half_a_warp_kernel<<<1, 32>>>(out);
  return cudaGetLastError();
}

cudaError_t warp_copies(double* values, bool synchronised) {
  warp_copies_kernel<<<1, 32>>>(values, synchronised);
  return cudaGetLastError();
}

cudaError_t bounded(double* out, int threads) {
  bounded_kernel<<<1, threads>>>(out);
  return cudaGetLastError();
}

cudaError_t grid(double* out, unsigned y) {
  grid_kernel<<<dim3(1, y), 1>>>(out);
  return cudaGetLastError();
}

cudaError_t shared(double* out, size_t bytes, int opted_in) {
  if (auto e = cudaFuncSetAttribute(shared_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                    opted_in);
      e != cudaSuccess)
    return e;
  shared_kernel<<<1, 32, bytes>>>(out);
  return cudaGetLastError();
}

}  // namespace cortiscore::faults
