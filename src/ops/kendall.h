#pragma once
#include <ATen/core/Tensor.h>

namespace cortiscore {

/// Kendall's tau-a of two vectors [n]: (concordant - discordant) / (n (n - 1) / 2), ties counting
/// for neither. By sorting, in n log n and memory for a few vectors: merges on the CPU (Knight
/// 1966), elsewhere a bit of the ranks at a time.
/// @return [] float64; NaN below 2 entries
at::Tensor kendall_tau_a(const at::Tensor& a, const at::Tensor& b);

/// All pairs compared, in n^2: the definition, on any device.
at::Tensor kendall_tau_a_definition(const at::Tensor& a, const at::Tensor& b);

}  // namespace cortiscore
