#pragma once
#include <optional>

#include <ATen/core/Tensor.h>

namespace cortiscore {

/// Pearson r of the columns of x and y in which row i counts weights[b, i] times, for every b: the
/// bootstrap over presentations as matrix products. Columns are standardised first, so that moments
/// do not cancel.
/// @param x, y     [n, m] float64, same device
/// @param weights  [b, n] float64 >= 0
/// @param keep     [n, m] bool: pairs that count; others may hold anything
/// @return [b, m] float64; NaN where a column is constant over the rows that count, or fewer than 2
///         different ones do
/// ALGORITHMS.md 1e.
at::Tensor weighted_pearson(const at::Tensor& weights,
                            const at::Tensor& x,
                            const at::Tensor& y,
                            const std::optional<at::Tensor>& keep = std::nullopt);

}  // namespace cortiscore
