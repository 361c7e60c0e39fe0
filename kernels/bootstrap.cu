#include "kernels/bootstrap.h"
#include "kernels/shape.cuh"

namespace cortiscore::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int kSharedBins = 12288;

__device__ uint32_t philox_word(uint64_t seed, uint64_t low, uint64_t high, int word) {
  uint32_t c[4] = {static_cast<uint32_t>(low), static_cast<uint32_t>(low >> 32U),
                   static_cast<uint32_t>(high), static_cast<uint32_t>(high >> 32U)};
  auto k0 = static_cast<uint32_t>(seed);
  auto k1 = static_cast<uint32_t>(seed >> 32U);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53U} * c[0];
    const uint64_t p1 = uint64_t{0xCD9E8D57U} * c[2];
    c[0] = static_cast<uint32_t>(p1 >> 32U) ^ c[1] ^ k0;
    c[1] = static_cast<uint32_t>(p1);
    c[2] = static_cast<uint32_t>(p0 >> 32U) ^ c[3] ^ k1;
    c[3] = static_cast<uint32_t>(p0);
    k0 += 0x9E3779B9U;
    k1 += 0xBB67AE85U;
  }
  return c[word];
}

__global__ void bootstrap_counts_kernel(
    uint64_t seed, int word, int64_t first, double* __restrict__ counts, int64_t n) {
  extern __shared__ unsigned bins[];
  const int64_t draw = first + blockIdx.x;
  double* const row = counts + static_cast<int64_t>(blockIdx.x) * n;
  const bool shared = n <= kSharedBins;
  if (shared) {
    for (int64_t i = threadIdx.x; i < n; i += kThreads) bins[i] = 0;
    __syncthreads();
  }
  for (int64_t i = threadIdx.x; i < n; i += kThreads) {
    const auto w = philox_word(seed, static_cast<uint64_t>(i), static_cast<uint64_t>(draw), word);
    const auto drawn = static_cast<int64_t>((uint64_t{w} * static_cast<uint64_t>(n)) >> 32U);
    if (shared) {
      atomicAdd(&bins[drawn], 1U);
    } else {
      atomicAdd(&row[drawn], 1.0);  // whole numbers: exact in any order
    }
  }
  if (!shared) return;
  __syncthreads();
  for (int64_t i = threadIdx.x; i < n; i += kThreads) row[i] = bins[i];
}

__global__ void pearson_epilogue_kernel(const double* __restrict__ sums,
                                        const double* __restrict__ total,
                                        double* __restrict__ r,
                                        int64_t b,
                                        int64_t k,
                                        int64_t m) {
  const int64_t at = blockIdx.x * int64_t{kThreads} + threadIdx.x;
  if (at >= b * m) return;
  const int64_t draw = at / m;
  const double* const s = sums + draw * k * m + at % m;
  const double n = total[at];
  const double z = s[0], t = s[m], zz = s[2 * m], tt = s[3 * m], zt = s[4 * m];
  const double vz = zz - z * z / n;
  const double vt = tt - t * t / n;
  const double co = zt - z * t / n;
  const double value = co / (sqrt(vz) * sqrt(vt));
  r[at] = vz > 1e-13 * n && vt > 1e-13 * n ? clamp_correlation(value) : nan("");
}

constexpr int kMedianThreads = 128;

__global__ void weighted_median_kernel(const double* __restrict__ values,
                                       const double* __restrict__ counts,
                                       double* __restrict__ median,
                                       int64_t b_values,
                                       int64_t b_counts,
                                       int64_t s,
                                       int m) {
  extern __shared__ double memory[];
  double* const v = memory;
  double* const c = memory + m;
  __shared__ double middle[2];
  const int64_t draw = blockIdx.x / s;
  const int64_t column = blockIdx.x % s;
  const double* const row = values + ((b_values == 1 ? 0 : draw) * s + column) * m;
  const double* const weight = counts + (b_counts == 1 ? 0 : draw) * m;
  for (int i = threadIdx.x; i < m; i += kMedianThreads) {
    v[i] = row[i];
    c[i] = isnan(row[i]) ? 0.0 : weight[i];
  }
  if (threadIdx.x < 2) middle[threadIdx.x] = nan("");
  __syncthreads();
  double total = 0;
  for (int i = 0; i < m; ++i) total += c[i];
  const double low = floor((total + 1) / 2);
  const double high = floor(total / 2) + 1;
  for (int i = threadIdx.x; i < m; i += kMedianThreads) {
    if (!(c[i] > 0)) continue;
    double before = 0;
    for (int j = 0; j < m; ++j) {
      if (v[j] < v[i] || (v[j] == v[i] && j < i)) before += c[j];
    }
    // Exactly one entry covers each place.
    if (before < low && low <= before + c[i]) middle[0] = v[i];
    if (before < high && high <= before + c[i]) middle[1] = v[i];
  }
  __syncthreads();
  if (threadIdx.x == 0) median[blockIdx.x] = (middle[0] + middle[1]) / 2;
}

constexpr int kSplitThreads = 128;

// r of the halves' means from the covariances c [r, r] of one neuroid's repetitions.
__device__ double split_half_r(const double* c, const uint8_t* w, double noise, int r) {
  double first = 0, second = 0, between = 0, n_first = 0;
  for (int i = 0; i < r; ++i) {
    double with_first = 0, with_second = 0;
    for (int j = 0; j < r; ++j) (w[j] ? with_first : with_second) += c[i * r + j];
    if (w[i]) {
      first += with_first;
      between += with_second;
      n_first += 1;
    } else {
      second += with_second;
    }
  }
  const double n_second = r - n_first;
  const bool undefined =
      first <= noise * n_first * n_first || second <= noise * n_second * n_second;
  const double value = between / (sqrt(first) * sqrt(second));
  return undefined ? nan("") : clamp_correlation(value);
}

__global__ void split_half_kernel(const double* __restrict__ c_all,
                                  const uint8_t* __restrict__ in_first,
                                  const double* __restrict__ noise,
                                  double* __restrict__ out,
                                  int64_t splits,
                                  int r,
                                  int64_t m) {
  extern __shared__ double c[];
  const int64_t split = blockIdx.x * int64_t{kSplitThreads} + threadIdx.x;
  for (int64_t neuroid = blockIdx.y; neuroid < m; neuroid += gridDim.y) {
    __syncthreads();  // the neuroid before has been read
    for (int i = threadIdx.x; i < r * r; i += kSplitThreads) c[i] = c_all[neuroid * r * r + i];
    __syncthreads();
    if (split < splits)
      out[split * m + neuroid] = split_half_r(c, in_first + split * r, noise[neuroid], r);
  }
}
}  // namespace

cudaError_t bootstrap_counts(uint64_t seed,
                             int word,
                             int64_t first,
                             double* counts,
                             int64_t n_draws,
                             int64_t n,
                             cudaStream_t stream) {
  if (n_draws == 0 || n == 0) return cudaSuccess;
  const size_t bytes = n <= kSharedBins ? sizeof(unsigned) * static_cast<size_t>(n) : 0;
  bootstrap_counts_kernel<<<static_cast<unsigned>(n_draws), kThreads, bytes, stream>>>(
      seed, word, first, counts, n);
  return cudaGetLastError();
}

cudaError_t pearson_epilogue(const double* sums,
                             const double* total,
                             double* r,
                             int64_t b,
                             int64_t k,
                             int64_t m,
                             cudaStream_t stream) {
  if (b * m == 0) return cudaSuccess;
  const auto blocks = static_cast<unsigned>((b * m + kThreads - 1) / kThreads);
  pearson_epilogue_kernel<<<blocks, kThreads, 0, stream>>>(sums, total, r, b, k, m);
  return cudaGetLastError();
}

cudaError_t weighted_median(const double* values,
                            const double* counts,
                            double* median,
                            int64_t b_values,
                            int64_t b_counts,
                            int64_t b,
                            int64_t s,
                            int64_t m,
                            cudaStream_t stream) {
  if (b * s == 0) return cudaSuccess;
  if (m > kMostMedianEntries) return cudaErrorInvalidValue;
  const size_t bytes = 2 * sizeof(double) * static_cast<size_t>(m);
  weighted_median_kernel<<<static_cast<unsigned>(b * s), kMedianThreads, bytes, stream>>>(
      values, counts, median, b_values, b_counts, s, static_cast<int>(m));
  return cudaGetLastError();
}

cudaError_t split_half(const double* c,
                       const uint8_t* in_first,
                       const double* noise,
                       double* out,
                       int64_t splits,
                       int64_t r,
                       int64_t m,
                       cudaStream_t stream) {
  if (splits == 0 || m == 0) return cudaSuccess;
  if (r > kMostRepetitions) return cudaErrorInvalidValue;
  const size_t bytes = sizeof(double) * static_cast<size_t>(r * r);
  const dim3 grid(static_cast<unsigned>((splits + kSplitThreads - 1) / kSplitThreads),
                  grid_rows(m));
  split_half_kernel<<<grid, kSplitThreads, bytes, stream>>>(c, in_first, noise, out, splits,
                                                            static_cast<int>(r), m);
  return cudaGetLastError();
}

}  // namespace cortiscore::kernels
