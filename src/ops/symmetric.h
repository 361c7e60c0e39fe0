#pragma once
#include <ATen/core/Tensor.h>

/// Products of a matrix with itself on the CPU, where half of the entries are enough. `out` is
/// float64.
namespace cortiscore {

/// The lower half of out += a a' for rows that are few, [n, k] and [n, n]: halves of halves, so
/// that little is computed twice. What lies above the diagonal is partly added to.
void add_lower_half(const at::Tensor& a, at::Tensor out);

/// The upper triangle of a contiguous [n, n] from the lower one.
void mirror_lower(at::Tensor& out);

}  // namespace cortiscore
