#pragma once
#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

namespace cortiscore {

/// How alike a property's distribution is in a model and in recorded neuroids, for 1000 samples of
/// the model's units.
///
/// Values are clipped to the bins. Of n_data units drawn with replacement: s = 1 - max |M - P| / D,
/// with M and P the cumulative shares by bin of the draw and of the data, and D the largest
/// distance that a distribution with all mass in the first or the last bin has from P. The platform
/// draws from an unseeded generator; here draws come from Philox.
/// @param model  [n_units], NaN left out  @param data  [n_neuroids], NaN left out  @param
///               bins  [n_bins + 1] ascending
/// @return [n_draws] float64; NaN where no unit is left
/// Source: Marques, Schrimpf & DiCarlo 2021; BENCHMARKS.md 2.17.
at::Tensor ks_similarity(const at::Tensor& model,
                         const at::Tensor& data,
                         const at::Tensor& bins,
                         int64_t n_draws = 1000,
                         uint64_t seed = 0);

/// The draws that a score is the mean of: those of ks_similarity, or zeros where more than a tenth
/// are NaN.
/// Source: BENCHMARKS.md 2.17.
std::vector<double> counted_draws(std::vector<double> draws);

}  // namespace cortiscore
