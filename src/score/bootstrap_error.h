#pragma once
#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

namespace cortiscore {

/// The platform's `bootstrap_error`: in each of n_boot draws, for every axis in the order given,
/// numpy.random.default_rng(seed) draws as many indices as the axis has entries (crossed design);
/// the mean over everything, NaN skipped; standard deviation (ddof 1) of the finite draws, NaN
/// where fewer than two are finite.
/// @param values  any dims, float32 or float64
/// Source: brainscore_vision/metric_helpers/bootstrap_error.py; BENCHMARKS.md 2.20.
double bootstrap_error(const at::Tensor& values,
                       const std::vector<int64_t>& axes,
                       int64_t n_boot = 1000,
                       uint32_t seed = 0);

}  // namespace cortiscore
