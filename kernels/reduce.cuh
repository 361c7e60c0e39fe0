#pragma once

namespace cortiscore::kernels {

/// Sum over a block of kThreads threads in a fixed order; every thread gets it. `scratch` holds
/// kThreads / 32 doubles and may be used again right after.
template <int kThreads>
__device__ double block_sum(double value, double* scratch) {
  for (int offset = 16; offset > 0; offset /= 2) value += __shfl_down_sync(~0U, value, offset);
  __syncthreads();
  if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = value;
  __syncthreads();
  double total = 0;
  for (int w = 0; w < kThreads / 32; ++w) total += scratch[w];
  return total;
}

}  // namespace cortiscore::kernels
