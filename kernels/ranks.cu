#include "kernels/ranks.h"

namespace cortiscore::kernels {
namespace {

constexpr int kThreads = 256;

__global__ void tie_ranks_kernel(const double* __restrict__ sorted,
                                 const int64_t* __restrict__ order,
                                 double* __restrict__ ranks,
                                 int64_t n) {
  const int64_t i = blockIdx.x * int64_t{kThreads} + threadIdx.x;
  if (i >= n) return;
  const int64_t row = static_cast<int64_t>(blockIdx.y) * n;
  const double* const values = sorted + row;
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
  ranks[row + order[row + i]] = 0.5 * static_cast<double>(low + 1 + from);
}

__global__ void pack_triangle_kernel(const double* __restrict__ matrices,
                                     double* __restrict__ packed,
                                     int64_t n) {
  const int64_t i = blockIdx.x;
  const double* const row = matrices + (static_cast<int64_t>(blockIdx.y) * n + i) * n;
  double* const out =
      packed + static_cast<int64_t>(blockIdx.y) * (n * (n - 1) / 2) + i * (2 * n - i - 1) / 2;
  for (int64_t j = i + 1 + threadIdx.x; j < n; j += kThreads) out[j - i - 1] = row[j];
}

}  // namespace

cudaError_t tie_ranks(const double* sorted,
                      const int64_t* order,
                      double* ranks,
                      int64_t rows,
                      int64_t n,
                      cudaStream_t stream) {
  if (rows == 0 || n == 0) return cudaSuccess;
  const dim3 grid(static_cast<unsigned>((n + kThreads - 1) / kThreads),
                  static_cast<unsigned>(rows));
  tie_ranks_kernel<<<grid, kThreads, 0, stream>>>(sorted, order, ranks, n);
  return cudaGetLastError();
}

cudaError_t pack_triangle(
    const double* matrices, double* packed, int64_t count, int64_t n, cudaStream_t stream) {
  if (count == 0 || n < 2) return cudaSuccess;
  const dim3 grid(static_cast<unsigned>(n), static_cast<unsigned>(count));
  pack_triangle_kernel<<<grid, kThreads, 0, stream>>>(matrices, packed, n);
  return cudaGetLastError();
}

}  // namespace cortiscore::kernels
