#pragma once
#include <cmath>
#include <cstdint>

#include <ATen/ATen.h>

namespace cortiscore {

/// What Adam's step size becomes at step t = 1, 2, ...: the form with one step size, as TensorFlow has it.
/// Source: Kingma & Ba 2015, section 2, last paragraph.
inline double adam_rate(int64_t t) {
  const auto steps = static_cast<double>(t);
  return std::sqrt(1 - std::pow(0.999, steps)) / (1 - std::pow(0.9, steps));
}

/// A parameter with its moments.
struct Parameter {
  at::Tensor value, first, second;

  explicit Parameter(const at::Tensor& start)
      : value(start), first(at::zeros_like(start)), second(at::zeros_like(start)) {}

  /// @param rate  of this step, adam_rate included; 0: nothing moves
  void step(const at::Tensor& gradient, const at::Tensor& rate) {
    first.mul_(0.9).add_(gradient, 0.1);
    second.mul_(0.999).addcmul_(gradient, gradient, 0.001);
    value.sub_(rate * first / (second.sqrt() + 1e-8));
  }
};

}  // namespace cortiscore
