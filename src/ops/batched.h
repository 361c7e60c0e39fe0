#pragma once
#include <ATen/core/Tensor.h>

namespace cortiscore {

/// a[f]' b[f] for every f: [f, k, m] x [f, k, n] -> [f, m, n].
at::Tensor batched_cross(const at::Tensor& a, const at::Tensor& b);

/// a[f] a[f]' for every f: [f, m, k] -> [f, m, m].
at::Tensor batched_gram(const at::Tensor& a);

/// rows c for few rows: [f, p] x [p, n] -> [f, n], split over columns of fixed width on the CPU.
at::Tensor shared_product(const at::Tensor& rows, const at::Tensor& c);

}  // namespace cortiscore
