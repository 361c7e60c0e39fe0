#pragma once
#include <ATen/core/Tensor.h>

namespace cortiscore {

/// Kendall's tau-a of two vectors [n]: (concordant - discordant) / (n (n - 1) / 2), ties counting
/// for neither. On the CPU by merge sort in n log n (Knight 1966); elsewhere by comparing all
/// pairs, in blocks.
/// @return [] float64; NaN below 2 entries
at::Tensor kendall_tau_a(const at::Tensor& a, const at::Tensor& b);

/// All pairs compared: the definition, on any device.
at::Tensor kendall_tau_a_definition(const at::Tensor& a, const at::Tensor& b);

}  // namespace cortiscore
