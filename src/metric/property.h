#pragma once
#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

namespace cortiscore {

/// How alike a property's distribution is in a model and in recorded neuroids, for 1000 samples of the model's units.
///
/// Values are clipped to the bins. Of n_data units drawn with replacement: s = 1 - max |M - P| / D, with M and P the
/// cumulative shares by bin of the draw and of the data, and D the largest distance that a distribution with all mass in
/// the first or the last bin has from P. The platform draws from an unseeded generator; here draws come from Philox.
/// @param model  [n_units], NaN left out  @param data  [n_neuroids], NaN left out  @param bins  [n_bins + 1] ascending
/// @return [n_draws] float64; NaN where no unit is left
/// Source: Marques, Schrimpf & DiCarlo 2021; BENCHMARKS.md 2.17.
at::Tensor ks_similarity(const at::Tensor& model,
                         const at::Tensor& data,
                         const at::Tensor& bins,
                         int64_t n_draws = 1000,
                         uint64_t seed = 0);

/// How many dimensions of a representation carry each factor, from pairs of stimuli that share it.
///
/// A factor's score is the sum over units of the covariance of both sides over its pairs, about the mean of both sides
/// within the factor, over the summed variance of all pairs and both sides; a residual factor has score 1. Softmax over factors times
/// n_units, rounded down, the residual taking what is left.
/// @param first, second  [n_pairs, n_units] float64  @param factor  [n_pairs] int64, 0..n_factors-1
/// @return [n_factors + 1] int64 dimensions, the residual last; they add up to n_units
/// Source: Esser, Rombach & Ommer 2020; Islam et al. 2021; BENCHMARKS.md 2.18.
at::Tensor factor_dimensions(const at::Tensor& first,
                             const at::Tensor& second,
                             const at::Tensor& factor,
                             int64_t n_factors);

}  // namespace cortiscore
