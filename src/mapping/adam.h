#pragma once
#include <cmath>
#include <cstdint>
#include <vector>

#include <ATen/ATen.h>

#include "src/core/random.h"

namespace cortiscore {

/// What Adam's step size becomes at step t = 1, 2, ...: the form with one step size, as TensorFlow
/// has it.
/// Source: Kingma & Ba 2015, section 2, last paragraph.
inline double adam_rate(int64_t t) {
  const auto steps = static_cast<double>(t);
  return std::sqrt(1 - std::pow(0.999, steps)) / (1 - std::pow(0.9, steps));
}

/// Where parameters start, in the place of a generator that nothing fixes: (word + 0.5) / 2^32 of
/// word 0 of Philox4x32-10 with key 0 at counters first..first+n-1, on the CPU. @return [n] float64
/// in (0, 1)
inline at::Tensor philox_uniform(int64_t first, int64_t n) {
  std::vector<uint32_t> words(static_cast<size_t>(n));
  philox_words(0, static_cast<uint64_t>(first), n, 0, 0, words.data());
  auto u = at::empty({n}, at::kDouble);
  for (int64_t i = 0; i < n; ++i)
    u.mutable_data_ptr<double>()[i] = (words[static_cast<size_t>(i)] + 0.5) / 4294967296.0;
  return u;
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
