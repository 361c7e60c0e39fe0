#include "kernels/pearson_columns.h"

namespace cortiscore::kernels {
namespace {

constexpr int kThreads = 128;

template <typename T>
__global__ void pearson_columns_kernel(const T* __restrict__ x,
                                       const T* __restrict__ y,
                                       const uint8_t* __restrict__ keep,
                                       double* __restrict__ r,
                                       int64_t n_rows,
                                       int64_t n_cols) {
  const int64_t col = blockIdx.x * int64_t{kThreads} + threadIdx.x;
  if (col >= n_cols) return;
  double mean_x = 0, mean_y = 0, m2_x = 0, m2_y = 0, co = 0, n = 0, top_x = 0, top_y = 0;
  for (int64_t row = 0; row < n_rows; ++row) {
    if (keep && !keep[row]) continue;
    const double xi = x[row * n_cols + col];
    const double yi = y[row * n_cols + col];
    n += 1;
    const double dx = xi - mean_x;
    const double dy = yi - mean_y;
    mean_x += dx / n;
    mean_y += dy / n;
    m2_x += dx * (xi - mean_x);
    m2_y += dy * (yi - mean_y);
    co += dx * (yi - mean_y);
    top_x = fmax(top_x, fabs(xi));
    top_y = fmax(top_y, fabs(yi));
  }
  const double r_col = co / (sqrt(m2_x) * sqrt(m2_y));
  // Rounding of the mean is not variance: src/ops/pearson_columns.cpp has the same rule.
  const bool varies = m2_x > n * 1e-26 * top_x * top_x && m2_y > n * 1e-26 * top_y * top_y;
  r[col] = varies ? fmin(1.0, fmax(-1.0, r_col)) : nan("");
}

}  // namespace

template <typename T>
cudaError_t pearson_columns(const T* x,
                            const T* y,
                            const uint8_t* keep,
                            double* r,
                            int64_t n_rows,
                            int64_t n_cols,
                            cudaStream_t stream) {
  if (n_cols == 0) return cudaSuccess;
  const auto blocks = static_cast<unsigned>((n_cols + kThreads - 1) / kThreads);
  pearson_columns_kernel<<<blocks, kThreads, 0, stream>>>(x, y, keep, r, n_rows, n_cols);
  return cudaGetLastError();
}

template cudaError_t pearson_columns(
    const float*, const float*, const uint8_t*, double*, int64_t, int64_t, cudaStream_t);
template cudaError_t pearson_columns(
    const double*, const double*, const uint8_t*, double*, int64_t, int64_t, cudaStream_t);

}  // namespace cortiscore::kernels
