#pragma once
#include <ATen/core/Tensor.h>

namespace cortiscore {

/// The strict upper triangle of each [.., n, n], row by row: [.., n (n - 1) / 2].
at::Tensor upper_triangle(const at::Tensor& matrices);

/// The same as an ATen composition, on any device: the definition.
at::Tensor upper_triangle_definition(const at::Tensor& matrices);

}  // namespace cortiscore
