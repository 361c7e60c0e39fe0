#include "src/metric/error_consistency.h"

#include <ATen/ATen.h>

namespace cortiscore {

at::Tensor error_consistency(const at::Tensor& a, const at::Tensor& b, const at::Tensor& weights) {
  const auto total = weights.sum(-1);
  const auto share = [&](const at::Tensor& flags) {
    return (flags.to(at::kDouble) * weights).sum(-1) / total;
  };
  const auto pa = share(a);
  const auto pb = share(b);
  const auto expected = pa * pb + (1 - pa) * (1 - pb);
  const auto observed = share(a == b);
  return (observed - expected) /
         (1 - expected);  // 0/0 is NaN: both always right, or both always wrong
}

}  // namespace cortiscore
