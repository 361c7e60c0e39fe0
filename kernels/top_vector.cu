#include <atomic>

#include "kernels/reduce.cuh"
#include "kernels/top_vector.h"

namespace cortiscore::kernels {
namespace {

constexpr int kThreads = 256;

// out = G v: symmetric, so thread i adds down column i, which neighbouring threads read side by
// side. Needs no barrier after it: until the next sum over the block, whose barriers serve, each
// thread reads the entries of `out` that it wrote itself.
__device__ void multiply(const double* g, const double* v, double* out, int m) {
  for (int i = threadIdx.x; i < m; i += kThreads) {
    double sum = 0;
    for (int j = 0; j < m; ++j) sum += g[static_cast<int64_t>(j) * m + i] * v[j];
    out[i] = sum;
  }
}

__device__ double dot(const double* a, const double* b, int m, double* scratch) {
  double sum = 0;
  for (int i = threadIdx.x; i < m; i += kThreads) sum += a[i] * b[i];
  return block_sum<kThreads>(sum, scratch);
}

enum class InShared { kAll, kVectors, kHalfTheVectors };

// Doubles of shared memory: the scratch of sums over the block, vectors, G.
size_t shared_doubles(InShared what, size_t m) {
  const size_t vectors = what == InShared::kHalfTheVectors ? 2 * m : 4 * m;
  return kThreads / 32 + vectors + (what == InShared::kAll ? m * m : 0);
}

__global__ void __launch_bounds__(kThreads) top_vector_kernel(const double* __restrict__ g_all,
                                                              const double* __restrict__ start,
                                                              double tol,
                                                              int64_t max_iter,
                                                              double marginal_width,
                                                              double* __restrict__ v_out,
                                                              double* __restrict__ gv_out,
                                                              double* __restrict__ rayleigh,
                                                              int64_t* __restrict__ iterations,
                                                              bool* __restrict__ marginal,
                                                              int m,
                                                              InShared in_shared) {
  extern __shared__ double memory[];
  double* const scratch = memory;  // kThreads / 32
  double* const v_old = scratch + kThreads / 32;
  double* const gv_old = v_old + m;
  const int64_t f = blockIdx.x;
  const bool half = in_shared == InShared::kHalfTheVectors;
  double* const v = half ? v_out + f * m : gv_old + m;
  double* const gv = half ? gv_out + f * m : v + m;
  const double* g = g_all + f * m * m;
  if (in_shared == InShared::kAll) {
    double* const copy = gv + m;
    for (int64_t i = threadIdx.x; i < static_cast<int64_t>(m) * m; i += kThreads) copy[i] = g[i];
    g = copy;
  }
  for (int i = threadIdx.x; i < m; i += kThreads) v_old[i] = start[f * m + i];
  __syncthreads();
  multiply(g, v_old, gv_old, m);
  double a_old = dot(v_old, gv_old, m, scratch);
  int64_t n = 1;
  bool near = false;
  double a = a_old;
  for (int i = threadIdx.x; i < m; i += kThreads) v[i] = v_old[i], gv[i] = gv_old[i];
  if (m > 1 && max_iter > 1) {
    for (n = 2;; ++n) {
      const double norm = sqrt(dot(gv_old, gv_old, m, scratch));
      if (!(norm > 0)) {  // nothing is left to explain
        a = 0;
        break;
      }
      for (int i = threadIdx.x; i < m; i += kThreads) v[i] = gv_old[i] / norm;
      __syncthreads();
      multiply(g, v, gv, m);
      a = dot(v, gv, m, scratch);
      const double scale = 1 / sqrt(a);
      const double scale_old = 1 / sqrt(a_old);
      double d2 = 0;
      for (int i = threadIdx.x; i < m; i += kThreads)
        d2 += (v[i] * scale - v_old[i] * scale_old) * (gv[i] * scale - gv_old[i] * scale_old);
      d2 = block_sum<kThreads>(d2, scratch);
      if (d2 < tol || n == max_iter) {
        near = fabs(d2 - tol) < marginal_width * tol;
        break;
      }
      for (int i = threadIdx.x; i < m; i += kThreads) v_old[i] = v[i], gv_old[i] = gv[i];
      a_old = a;
    }
  }
  if (!half) {
    for (int i = threadIdx.x; i < m; i += kThreads)
      v_out[f * m + i] = v[i], gv_out[f * m + i] = gv[i];
  }
  if (threadIdx.x == 0) {
    rayleigh[f] = a;
    iterations[f] = n;
    marginal[f] = near;
  }
}

// Once a device, to the most that a block may have: set to what each launch needs, the launch of
// one thread would find what another set for a smaller matrix.
cudaError_t allow_shared(int device, int most) {
  static std::atomic<uint64_t> allowed{0};  // a bit a device
  const uint64_t bit = uint64_t{1} << (static_cast<unsigned>(device) % 64U);
  if (device < 64 && (allowed.load() & bit) != 0) return cudaSuccess;
  const auto error =
      cudaFuncSetAttribute(top_vector_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, most);
  if (error == cudaSuccess) allowed |= bit;
  return error;
}

}  // namespace

cudaError_t top_vector(const double* g,
                       const double* start,
                       double tol,
                       int64_t max_iter,
                       double marginal_width,
                       double* v,
                       double* gv,
                       double* rayleigh,
                       int64_t* iterations,
                       bool* marginal,
                       int64_t f,
                       int64_t m,
                       cudaStream_t stream) {
  if (f == 0 || m == 0) return cudaSuccess;
  if (m > kMostTopVectorRows) return cudaErrorInvalidValue;
  int device = 0;
  int most = 0;
  if (auto e = cudaGetDevice(&device); e != cudaSuccess) return e;
  if (auto e = cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
      e != cudaSuccess)
    return e;
  if (auto e = allow_shared(device, most); e != cudaSuccess) return e;
  const auto bytes_of = [m](InShared what) {
    return sizeof(double) * shared_doubles(what, static_cast<size_t>(m));
  };
  auto in_shared = InShared::kAll;
  if (bytes_of(in_shared) > static_cast<size_t>(most)) in_shared = InShared::kVectors;
  if (bytes_of(in_shared) > static_cast<size_t>(most)) in_shared = InShared::kHalfTheVectors;
  top_vector_kernel<<<static_cast<unsigned>(f), kThreads, bytes_of(in_shared), stream>>>(
      g, start, tol, max_iter, marginal_width, v, gv, rayleigh, iterations, marginal,
      static_cast<int>(m), in_shared);
  return cudaGetLastError();
}

}  // namespace cortiscore::kernels
