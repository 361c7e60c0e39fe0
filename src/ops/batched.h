#pragma once
#include <ATen/core/Tensor.h>

namespace cortiscore {

/// a[f] v[f] for every f: [f, m, n] x [f, n] -> [f, m].
/// On the CPU one matrix-vector product an item, spread over items; elsewhere one batched product.
at::Tensor batched_matvec(const at::Tensor& a, const at::Tensor& v);

/// a[f]' v[f] for every f: [f, m, n] x [f, m] -> [f, n]; no transposed copy is made.
at::Tensor batched_vecmat(const at::Tensor& v, const at::Tensor& a);

/// a[f] v[f] and a[f]' (a[f] v[f]) for every f, reading a once on the CPU: [f, m, n] x [f, n] -> [f, m] and [f, n].
struct ThereAndBack {
  at::Tensor there, back;
};
ThereAndBack batched_there_and_back(const at::Tensor& a, const at::Tensor& v);

/// a[f]' b[f] for every f: [f, k, m] x [f, k, n] -> [f, m, n].
at::Tensor batched_cross(const at::Tensor& a, const at::Tensor& b);

/// rows c: [f, p] x [p, p] -> [f, p], split over columns of fixed width on the CPU.
at::Tensor shared_product(const at::Tensor& rows, const at::Tensor& c);

}  // namespace cortiscore
