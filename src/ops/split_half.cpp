#include "src/ops/split_half.h"

#include <limits>

#include <ATen/ATen.h>

#include "src/ops/fused.h"

namespace cortiscore {

at::Tensor split_half_definition(const at::Tensor& c,
                                 const at::Tensor& in_first,
                                 const at::Tensor& noise) {
  const auto w = in_first.to(at::kDouble);
  const auto size = w.sum(1);
  const auto wc = at::matmul(w.unsqueeze(0), c);  // [m, splits, r]
  const auto first = (wc * w).sum(2);
  const auto with_all = wc.sum(2);
  const auto second = c.sum({1, 2}).unsqueeze(1) - 2 * with_all + first;
  const auto r =
      ((with_all - first) / (first.clamp_min(0).sqrt() * second.clamp_min(0).sqrt())).clamp(-1, 1);
  const auto least = noise.unsqueeze(1);
  const auto undefined = (first <= least * size.square()) |
                         (second <= least * (static_cast<double>(c.size(1)) - size).square());
  return at::where(undefined, std::numeric_limits<double>::quiet_NaN(), r).t();
}

at::Tensor split_half(const at::Tensor& c, const at::Tensor& in_first, const at::Tensor& noise) {
  if (auto fused = fused::split_half(c, in_first, noise)) return *fused;
  return split_half_definition(c, in_first, noise);
}

}  // namespace cortiscore
