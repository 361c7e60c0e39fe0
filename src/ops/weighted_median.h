#pragma once
#include <ATen/core/Tensor.h>

namespace cortiscore {

/// numpy.nanmedian of each row, in which entry i counts counts[i] times: the mean of the two middle
/// values where the total is even, NaN where nothing but NaN counts.
/// @param values  [b or 1, s, m] float64, NaN skipped, any device
/// @param counts  [b or 1, m] float64, whole numbers >= 0; the same for every s
/// @return [b, s] float64, with b the larger of the two
at::Tensor weighted_median(const at::Tensor& values, const at::Tensor& counts);

/// The same as a composition of ATen operations: the definition that `weighted_median` is tested
/// against.
at::Tensor weighted_median_definition(const at::Tensor& values, const at::Tensor& counts);

}  // namespace cortiscore
