#pragma once
#include <ATen/core/Tensor.h>

namespace cortiscore {

/// Linear centred kernel alignment from two Gram matrices, for every weighting of the
/// presentations: row b of `weights` says how often each presentation is there (ones: all once;
/// 0/1: a subset; counts: a bootstrap draw).
///
/// Unbiased (the platform's `cka`): HSIC as the U-statistic of Song et al. 2012, eq. 5, with zeroed
/// diagonals, n >= 4; hxy / (sqrt(hxx hyy) + 1e-12), 0 where hxx hyy <= 0. A presentation drawn
/// twice counts as two, whose pair with each other is left out as a presentation's pair with itself
/// is: kept, such pairs would raise every draw above the value. Biased (`cka_biased`): the ratio of
/// centred HSICs, Kornblith et al. 2019.
/// @param k, l     [n, n] float64, from centred_gram
/// @param weights  [b, n] float64
/// @return [b] float64; NaN where fewer than 4 presentations count, or a representation is constant
///         (biased)
/// Source: BENCHMARKS.md 2.6.
at::Tensor cka(const at::Tensor& k, const at::Tensor& l, const at::Tensor& weights, bool unbiased);

}  // namespace cortiscore
