#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace cortiscore {

/// NumPy's legacy `RandomState(seed)`: MT19937 and the draws that scikit-learn's splitters make, bit for bit.
/// Source: numpy/random/src/mt19937/mt19937.c (seeding, tempering) and legacy distributions (random_interval).
class NumpyRandomState {
 public:
  explicit NumpyRandomState(uint32_t seed);
  uint32_t next_uint32();
  /// Uniform on 0..max inclusive, by masked rejection.
  uint32_t interval(uint32_t max);
  void shuffle(std::vector<int64_t>& values);
  /// `permutation(n)`: a shuffled 0..n-1.
  std::vector<int64_t> permutation(int64_t n);

 private:
  std::array<uint32_t, 624> state_{};
  size_t position_ = 624;
};

/// Philox4x32-10 counter-based generator: the same bits on every device, for any order of calls.
/// Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", table 2.
/// @param key      seed
/// @param counter  (draw, element) of the caller's choosing
/// @return four independent 32-bit words
std::array<uint32_t, 4> philox4x32(uint64_t key, uint64_t counter_low, uint64_t counter_high);

}  // namespace cortiscore
