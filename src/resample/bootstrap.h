#pragma once
#include <cstdint>
#include <map>
#include <string>

#include <ATen/core/Tensor.h>

namespace cortiscore {

/// What a bootstrap draws with replacement. Each axis takes words of its own from the generator, so
/// that the draws over one axis are the same whatever else is drawn.
enum class Axis : int { kNeuroid = 0, kPresentation = 1, kSplit = 2, kSubject = 3 };

/// "neuroid", "presentation", "split", "subject".
std::string name_of(Axis axis);
/// @throws Error(kUsage)  an unknown name
Axis axis_of(const std::string& name);

/// How often each entry of an axis counts, for every draw. An axis that is not there counts as it
/// is.
struct Draws {
  int64_t n = 1;
  std::map<Axis, at::Tensor> counts;  ///< [n, size of the axis] float64, whole numbers

  /// [n, size], or [1, size] of ones where the axis is not drawn.
  at::Tensor of(Axis axis, int64_t size, const at::TensorOptions& options) const;
};

/// How often each of n entries is drawn in n draws with replacement, for bootstrap draws
/// first..first+n_draws-1: [n_draws, n] float64. Multinomial, from Philox4x32-10 at (draw,
/// position): the same bits on every device, for any order of calls.
at::Tensor bootstrap_counts(uint64_t seed,
                            Axis axis,
                            int64_t first,
                            int64_t n_draws,
                            int64_t n,
                            const at::TensorOptions& options);

/// The same as a composition of ATen operations on any device: the definition that
/// `bootstrap_counts` is tested against.
at::Tensor bootstrap_counts_definition(uint64_t seed,
                                       Axis axis,
                                       int64_t first,
                                       int64_t n_draws,
                                       int64_t n,
                                       const at::TensorOptions& options);

/// Fair coins for permutation tests, from the same generator in a stream of its own: [n_draws, n]
/// bool, on the CPU.
at::Tensor random_signs(uint64_t seed, int64_t first, int64_t n_draws, int64_t n);

}  // namespace cortiscore
