#include "src/ops/upper_triangle.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "src/core/parallel.h"
#include "src/ops/fused.h"

namespace cortiscore {

at::Tensor upper_triangle_definition(const at::Tensor& matrices) {
  const int64_t n = matrices.size(-1);
  const auto pairs =
      at::triu_indices(n, n, 1, at::TensorOptions().dtype(at::kLong).device(matrices.device()));
  return matrices.flatten(-2).index_select(-1, pairs[0] * n + pairs[1]);
}

at::Tensor pair_products_definition(const at::Tensor& counts) {
  const int64_t n = counts.size(1);
  const auto pairs =
      at::triu_indices(n, n, 1, at::TensorOptions().dtype(at::kLong).device(counts.device()));
  return counts.index_select(1, pairs[0]) * counts.index_select(1, pairs[1]);
}

at::Tensor pair_products(const at::Tensor& counts) {
  if (!counts.is_cpu() || counts.scalar_type() != at::kDouble)
    return pair_products_definition(counts);
  const auto dense = counts.contiguous();
  const int64_t n = dense.size(1);
  auto out = at::empty({dense.size(0), n * (n - 1) / 2}, dense.options());
  double* to = out.mutable_data_ptr<double>();
  for (int64_t b = 0; b < dense.size(0); ++b) {
    const double* const c = dense.const_data_ptr<double>() + b * n;
    for (int64_t i = 0; i + 1 < n; ++i) {
      const double count = c[i];
      for (int64_t j = i + 1; j < n; ++j) *to++ = count * c[j];
    }
  }
  return out;
}

at::Tensor upper_triangle(const at::Tensor& matrices) {
  const auto dense = matrices.contiguous();
  if (auto fused = fused::pack_triangle(dense)) return *fused;
  if (!dense.is_cpu() || dense.scalar_type() != at::kDouble)
    return upper_triangle_definition(dense);
  const int64_t n = dense.size(-1);
  const int64_t count = n ? dense.numel() / (n * n) : 0;
  const int64_t pairs = n * (n - 1) / 2;
  auto sizes = dense.sizes().vec();
  sizes.pop_back();
  sizes.back() = pairs;
  auto out = at::empty(sizes, dense.options());
  parallel_for(count, [&](int64_t r) {
    const double* in = dense.const_data_ptr<double>() + r * n * n;
    double* to = out.mutable_data_ptr<double>() + r * pairs;
    for (int64_t i = 0; i + 1 < n; ++i) to = std::copy(in + i * n + i + 1, in + (i + 1) * n, to);
  });
  return out;
}

}  // namespace cortiscore
