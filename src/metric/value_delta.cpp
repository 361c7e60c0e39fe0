#include "src/metric/value_delta.h"

#include <ATen/ATen.h>

namespace cortiscore {

at::Tensor value_delta(const at::Tensor& a, const at::Tensor& b, double scale) {
  return (-scale * (a - b).abs()).exp().clamp(0, 1);
}

}  // namespace cortiscore
