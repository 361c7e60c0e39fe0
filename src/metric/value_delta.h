#pragma once
#include <ATen/core/Tensor.h>

namespace cortiscore {

/// exp(-scale |a - b|) of each pair of values, within 0..1: one where they are equal.
/// @param a, b  float64, of one shape
/// Source: BENCHMARKS.md 2.15.
at::Tensor value_delta(const at::Tensor& a, const at::Tensor& b, double scale);

}  // namespace cortiscore
