#pragma once
#include <cstdint>

#include <cuda_runtime_api.h>

namespace cortiscore::kernels {

/// How often each of n entries is drawn in n draws with replacement, for draws
/// first..first+n_draws-1: Philox4x32-10 at (draw, position), word `word`
/// (src/resample/bootstrap.h). Integers, so order does not matter: the CPU's bits.
/// @param counts  device, [n_draws, n] float64; zeros on entry where n > 12288, overwritten else
/// Histograms in shared memory where they fit (n <= 12288). Bytes moved: 8 n_draws n out.
/// Launch: n_draws blocks of 256 threads.
cudaError_t bootstrap_counts(uint64_t seed,
                             int word,
                             int64_t first,
                             double* counts,
                             int64_t n_draws,
                             int64_t n,
                             cudaStream_t stream);

/// Weighted Pearson r from weighted sums of z, t, z^2, t^2 and z t of standardised columns; NaN
/// where a column is constant over what counts (src/ops/weighted_pearson.h).
/// @param sums   device, [b, k, m] float64, k >= 5, the first five planes in that order
/// @param total  device, [b, m] float64: sums of the weights
/// @param r      device, [b, m] out
/// Bytes moved: 56 b m. Launch: ceil(b m / 256) blocks of 256 threads.
cudaError_t pearson_epilogue(const double* sums,
                             const double* total,
                             double* r,
                             int64_t b,
                             int64_t k,
                             int64_t m,
                             cudaStream_t stream);

/// The longest row that weighted_median takes: values and counts lie in shared memory.
constexpr int64_t kMostMedianEntries = 2048;

/// numpy.nanmedian of each row, entry i counting counts[i] times (src/ops/weighted_median.h).
/// @param values  device, [b_values, s, m] float64, NaN skipped; b_values is b or 1
/// @param counts  device, [b_counts, m] float64 >= 0; b_counts is b or 1
/// @param median  device, [b, s] out
/// Regime: m <= kMostMedianEntries: every entry counts what lies below it, m^2 comparisons, no
/// sort; the row lies in shared memory.
/// Launch: b s blocks of 128 threads.
cudaError_t weighted_median(const double* values,
                            const double* counts,
                            double* median,
                            int64_t b_values,
                            int64_t b_counts,
                            int64_t b,
                            int64_t s,
                            int64_t m,
                            cudaStream_t stream);

/// The most repetitions that split_half takes: their covariances fit 48 KB of shared memory.
constexpr int64_t kMostRepetitions = 75;

/// Split-half correlations of complete trials from their covariances
/// (src/ceiling/internal_consistency.cpp).
/// @param c          device, [m, r, r] float64: covariances of the repetitions of each neuroid,
///                   over presentations
/// @param in_first   device, [splits, r] uint8: 1 where the repetition is in the first half
/// @param noise      device, [m] float64: variance of a half's mean that counts as constant
/// @param out        device, [splits, m] float64: r of the halves, NaN where one is constant
/// Regime: r <= kMostRepetitions. Launch: ceil(splits / 128) x m (at most 4096, each then several)
/// blocks of 128.
cudaError_t split_half(const double* c,
                       const uint8_t* in_first,
                       const double* noise,
                       double* out,
                       int64_t splits,
                       int64_t r,
                       int64_t m,
                       cudaStream_t stream);

}  // namespace cortiscore::kernels
