#pragma once
#include <ATen/core/Tensor.h>

namespace cortiscore {

/// Cohen's kappa of being right and wrong on the same stimuli: (o - e) / (1 - e), with o the share of stimuli on which
/// both are right or both wrong, and e = ab + (1 - a)(1 - b) what two accuracies a and b give by chance.
/// @param weights  [..., n] float64: how often each stimulus counts (ones, or bootstrap counts)
/// @param a, b     [..., n] bool, whether the choice is right; broadcast against each other and the weights
/// @return [...] float64; NaN where e = 1
/// Source: Geirhos, Meding & Wichmann 2020, eq. 1-3; BENCHMARKS.md 2.10.
at::Tensor error_consistency(const at::Tensor& a, const at::Tensor& b, const at::Tensor& weights);

}  // namespace cortiscore
