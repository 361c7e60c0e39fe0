#include "kernels/pearson_columns.h"
#include "kernels/shape.cuh"

namespace cortiscore::kernels {
namespace {

constexpr int kColumns = 32;
constexpr int kParts = 8;

struct Moments {
  double n, mean_x, mean_y, xx, yy, xy, top_x, top_y;
};

__device__ Moments merged(const Moments& a, const Moments& b) {
  if (b.n == 0) return a;
  if (a.n == 0) return b;
  Moments m;
  m.n = a.n + b.n;
  const double dx = b.mean_x - a.mean_x;
  const double dy = b.mean_y - a.mean_y;
  const double share = b.n / m.n;
  m.mean_x = a.mean_x + dx * share;
  m.mean_y = a.mean_y + dy * share;
  m.xx = a.xx + b.xx + dx * dx * a.n * share;
  m.yy = a.yy + b.yy + dy * dy * a.n * share;
  m.xy = a.xy + b.xy + dx * dy * a.n * share;
  m.top_x = fmax(a.top_x, b.top_x);
  m.top_y = fmax(a.top_y, b.top_y);
  return m;
}

template <typename T>
__global__ void pearson_columns_kernel(const T* __restrict__ x,
                                       const T* __restrict__ y,
                                       const bool* __restrict__ keep,
                                       double* __restrict__ r,
                                       int64_t n_rows,
                                       int64_t n_cols) {
  __shared__ Moments parts[kParts][kColumns];
  const int64_t col = blockIdx.x * int64_t{kColumns} + threadIdx.x;
  Moments m = {0, 0, 0, 0, 0, 0, 0, 0};
  if (col < n_cols) {
    for (int64_t row = threadIdx.y; row < n_rows; row += kParts) {
      const int64_t at = row * n_cols + col;
      if (keep && !keep[at]) continue;
      const double xi = x[at];
      const double yi = y[at];
      m.n += 1;
      const double dx = xi - m.mean_x;
      const double dy = yi - m.mean_y;
      m.mean_x += dx / m.n;
      m.mean_y += dy / m.n;
      m.xx += dx * (xi - m.mean_x);
      m.yy += dy * (yi - m.mean_y);
      m.xy += dx * (yi - m.mean_y);
      m.top_x = fmax(m.top_x, fabs(xi));
      m.top_y = fmax(m.top_y, fabs(yi));
    }
  }
  parts[threadIdx.y][threadIdx.x] = m;
  __syncthreads();
  if (threadIdx.y != 0 || col >= n_cols) return;
  for (int p = 1; p < kParts; ++p) m = merged(m, parts[p][threadIdx.x]);
  const double value = m.xy / (sqrt(m.xx) * sqrt(m.yy));
  // Rounding of the mean is not variance: src/ops/pearson_columns.cpp has the same rule.
  const bool varies =
      m.xx > m.n * 1e-26 * m.top_x * m.top_x && m.yy > m.n * 1e-26 * m.top_y * m.top_y;
  r[col] = varies ? clamp_correlation(value) : nan("");
}

}  // namespace

template <typename T>
cudaError_t pearson_columns(const T* x,
                            const T* y,
                            const bool* keep,
                            double* r,
                            int64_t n_rows,
                            int64_t n_cols,
                            cudaStream_t stream) {
  if (n_cols == 0) return cudaSuccess;
  const auto blocks = static_cast<unsigned>((n_cols + kColumns - 1) / kColumns);
  pearson_columns_kernel<<<blocks, dim3(kColumns, kParts), 0, stream>>>(x, y, keep, r, n_rows,
                                                                        n_cols);
  return cudaGetLastError();
}

template cudaError_t pearson_columns(
    const float*, const float*, const bool*, double*, int64_t, int64_t, cudaStream_t);
template cudaError_t pearson_columns(
    const double*, const double*, const bool*, double*, int64_t, int64_t, cudaStream_t);

}  // namespace cortiscore::kernels
