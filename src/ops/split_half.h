#pragma once
#include <ATen/core/Tensor.h>

namespace cortiscore {

/// Correlation of the means of two halves of the repetitions, from covariances of the repetitions:
/// with w the indicator of a half, w'C(1-w) / sqrt(w'Cw (1-w)'C(1-w)).
/// @param c         [m, r, r] float64: one neuroid's repetitions, centred over presentations
/// @param in_first  [splits, r] uint8
/// @param noise     [m] float64: sum of squares of a half's mean that counts as constant
/// @return [splits, m] float64; NaN where a half is constant
/// ALGORITHMS.md 1d.
at::Tensor split_half(const at::Tensor& c, const at::Tensor& in_first, const at::Tensor& noise);

/// The same as ATen compositions, on any device: the definition, and what the CPU runs.
at::Tensor split_half_definition(const at::Tensor& c,
                                 const at::Tensor& in_first,
                                 const at::Tensor& noise);

}  // namespace cortiscore
