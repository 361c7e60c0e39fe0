#pragma once
#include <ATen/core/Tensor.h>

namespace cortiscore {

/// The strict upper triangle of each [.., n, n], row by row: [.., n (n - 1) / 2].
at::Tensor upper_triangle(const at::Tensor& matrices);

/// The same as an ATen composition, on any device: the definition.
at::Tensor upper_triangle_definition(const at::Tensor& matrices);

/// c_i c_j of every row for the pairs of that triangle: how often a draw has a pair of stimuli,
/// from how often it has each.
/// @param counts  [b, n] float64, any device  @return [b, n (n - 1) / 2]
at::Tensor pair_products(const at::Tensor& counts);

/// The same as an ATen composition, on any device: the definition.
at::Tensor pair_products_definition(const at::Tensor& counts);

}  // namespace cortiscore
