#pragma once
#include <ATen/core/Tensor.h>

namespace cortiscore {

/// Ranks of each row's values from 1, ties sharing the mean of their places (scipy.stats.rankdata,
/// "average").
/// @param values  [..., n] float64, no NaN, any device; n below 2^31
/// @return the same shape
at::Tensor average_ranks(const at::Tensor& values);

/// The same as a composition of ATen operations: the definition that `average_ranks` is tested
/// against.
at::Tensor average_ranks_definition(const at::Tensor& values);

/// Spearman's rho of two vectors [n]: Pearson r of their ranks. [] float64, NaN where either is
/// constant.
at::Tensor spearman(const at::Tensor& a, const at::Tensor& b);

}  // namespace cortiscore
