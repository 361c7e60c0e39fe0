#include "kernels/ranks.h"
#include "kernels/shape.cuh"

namespace cortiscore::kernels {
namespace {

constexpr int kThreads = 256;

__global__ void tie_ranks_kernel(const double* __restrict__ sorted,
                                 const int64_t* __restrict__ order,
                                 double* __restrict__ ranks,
                                 int64_t rows,
                                 int64_t n) {
  const int64_t i = blockIdx.x * int64_t{kThreads} + threadIdx.x;
  if (i >= n) return;
  for (int64_t row = blockIdx.y; row < rows; row += gridDim.y) {
    const double* const values = sorted + row * n;
    const double value = values[i];
    int64_t low = 0, high = i;  // the first place that is not below
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (values[middle] < value) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    int64_t from = i, to = n;  // the first place that is above
    while (from < to) {
      const int64_t middle = (from + to) / 2;
      if (values[middle] <= value) {
        from = middle + 1;
      } else {
        to = middle;
      }
    }
    ranks[row * n + order[row * n + i]] = 0.5 * static_cast<double>(low + 1 + from);
  }
}

__global__ void pack_triangle_kernel(const double* __restrict__ matrices,
                                     double* __restrict__ packed,
                                     int64_t count,
                                     int64_t n) {
  const int64_t i = blockIdx.x;
  for (int64_t k = blockIdx.y; k < count; k += gridDim.y) {
    const double* const row = matrices + (k * n + i) * n;
    double* const out = packed + k * (n * (n - 1) / 2) + i * (2 * n - i - 1) / 2;
    for (int64_t j = i + 1 + threadIdx.x; j < n; j += kThreads) out[j - i - 1] = row[j];
  }
}

}  // namespace

cudaError_t tie_ranks(const double* sorted,
                      const int64_t* order,
                      double* ranks,
                      int64_t rows,
                      int64_t n,
                      cudaStream_t stream) {
  if (rows == 0 || n == 0) return cudaSuccess;
  const dim3 grid(static_cast<unsigned>((n + kThreads - 1) / kThreads), grid_rows(rows));
  tie_ranks_kernel<<<grid, kThreads, 0, stream>>>(sorted, order, ranks, rows, n);
  return cudaGetLastError();
}

cudaError_t pack_triangle(
    const double* matrices, double* packed, int64_t count, int64_t n, cudaStream_t stream) {
  if (count == 0 || n < 2) return cudaSuccess;
  const dim3 grid(static_cast<unsigned>(n), grid_rows(count));
  pack_triangle_kernel<<<grid, kThreads, 0, stream>>>(matrices, packed, count, n);
  return cudaGetLastError();
}

}  // namespace cortiscore::kernels
