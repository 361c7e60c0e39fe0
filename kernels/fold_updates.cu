#include "kernels/fold_updates.h"
#include "kernels/shape.cuh"

namespace cortiscore::kernels {
namespace {

constexpr int kThreads = 256;

__global__ void downdate_kernel(double* __restrict__ s,
                                const double* __restrict__ c,
                                const double* __restrict__ x_mean,
                                const double* __restrict__ y_mean,
                                const double* __restrict__ n,
                                int64_t f,
                                int64_t p,
                                int64_t m) {
  const int64_t at = blockIdx.x * int64_t{kThreads} + threadIdx.x;
  if (at >= p * m) return;
  const int64_t row = at / m;
  const int64_t column = at % m;
  const double shared = c[at];
  for (int64_t k = 0; k < f; ++k) {
    double* const element = s + k * p * m + at;
    *element = shared - *element - n[k] * x_mean[k * p + row] * y_mean[k * m + column];
  }
}

__global__ void rank2_update_kernel(double* __restrict__ g,
                                    const double* __restrict__ u,
                                    const double* __restrict__ h,
                                    int64_t n_folds,
                                    int64_t m) {
  const int64_t at = blockIdx.x * int64_t{kThreads} + threadIdx.x;
  if (at >= m * m) return;
  const int64_t i = at / m;
  const int64_t j = at % m;
  for (int64_t f = blockIdx.y; f < n_folds; f += gridDim.y) {
    const double* const uf = u + f * m;
    const double* const hf = h + f * m;
    // The sum of both products is the same for (i, j) and (j, i): G stays symmetric to the bit.
    g[f * m * m + at] -= i < j ? uf[i] * hf[j] + hf[i] * uf[j] : uf[j] * hf[i] + hf[j] * uf[i];
  }
}

unsigned blocks_for(int64_t n) {
  return static_cast<unsigned>((n + kThreads - 1) / kThreads);
}

}  // namespace

cudaError_t downdate(double* s,
                     const double* c,
                     const double* x_mean,
                     const double* y_mean,
                     const double* n,
                     int64_t f,
                     int64_t p,
                     int64_t m,
                     cudaStream_t stream) {
  if (f == 0 || p * m == 0) return cudaSuccess;
  downdate_kernel<<<blocks_for(p * m), kThreads, 0, stream>>>(s, c, x_mean, y_mean, n, f, p, m);
  return cudaGetLastError();
}

cudaError_t rank2_update(
    double* g, const double* u, const double* h, int64_t f, int64_t m, cudaStream_t stream) {
  if (f == 0 || m == 0) return cudaSuccess;
  const dim3 grid(blocks_for(m * m), grid_rows(f));
  rank2_update_kernel<<<grid, kThreads, 0, stream>>>(g, u, h, f, m);
  return cudaGetLastError();
}

}  // namespace cortiscore::kernels
