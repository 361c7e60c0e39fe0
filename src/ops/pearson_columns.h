#pragma once
#include <optional>

#include <ATen/core/Tensor.h>

namespace cortiscore {

/// Pearson r of each column of `x` with the same column of `y`.
///
/// Moments are taken about the mean in float64 on every device.
/// @param x,y   [n, c] float32 or float64, same device; not modified; must hold no NaN where `keep`
///              is not given
/// @param keep  [n, c] bool: pairs that count; others may hold anything
/// @return [c] float64 in [-1, 1]; NaN where a column is constant or has fewer than 2 pairs (as
///         scipy.stats.pearsonr)
/// @throws c10::ValueError  shapes differ or are not 2-D
at::Tensor pearson_columns(const at::Tensor& x,
                           const at::Tensor& y,
                           const std::optional<at::Tensor>& keep = std::nullopt);

}  // namespace cortiscore
