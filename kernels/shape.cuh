#pragma once
#include <cstdint>

namespace cortiscore::kernels {

/// Rows of a grid for n items: a kernel goes on from blockIdx.y by gridDim.y. Grids end at 65535
/// there, and 4096 rows of 128 threads and more fill any device.
inline unsigned grid_rows(int64_t n) {
  constexpr int64_t kMost = 4096;
  return static_cast<unsigned>(n < kMost ? n : kMost);
}

/// Between -1 and 1, where rounding may have led out; NaN stays, which fmin and fmax would drop.
inline __device__ double clamp_correlation(double r) {
  return r < -1 ? -1 : r > 1 ? 1 : r;
}

}  // namespace cortiscore::kernels
