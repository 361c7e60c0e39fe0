#include "src/core/random.h"

#include <numeric>
#include <utility>

namespace cortiscore {

NumpyRandomState::NumpyRandomState(uint32_t seed) {
  for (size_t i = 0; i < state_.size(); ++i) {
    state_[i] = seed;
    seed = 1812433253U * (seed ^ (seed >> 30U)) + static_cast<uint32_t>(i) + 1U;
  }
}

uint32_t NumpyRandomState::next_uint32() {
  constexpr size_t kN = 624;
  constexpr size_t kM = 397;
  if (position_ == kN) {
    for (size_t i = 0; i < kN; ++i) {
      const uint32_t y = (state_[i] & 0x80000000U) | (state_[(i + 1) % kN] & 0x7fffffffU);
      state_[i] = state_[(i + kM) % kN] ^ (y >> 1U) ^ ((y & 1U) ? 0x9908b0dfU : 0U);
    }
    position_ = 0;
  }
  uint32_t y = state_[position_++];
  y ^= y >> 11U;
  y ^= (y << 7U) & 0x9d2c5680U;
  y ^= (y << 15U) & 0xefc60000U;
  return y ^ (y >> 18U);
}

uint32_t NumpyRandomState::interval(uint32_t max) {
  if (max == 0) return 0;
  uint32_t mask = max;
  for (uint32_t shift = 1; shift <= 16; shift *= 2) mask |= mask >> shift;
  uint32_t value = 0;
  do {
    value = next_uint32() & mask;
  } while (value > max);
  return value;
}

void NumpyRandomState::shuffle(std::vector<int64_t>& values) {
  for (size_t i = values.size(); i-- > 1;) {
    std::swap(values[i], values[interval(static_cast<uint32_t>(i))]);
  }
}

std::vector<int64_t> NumpyRandomState::permutation(int64_t n) {
  std::vector<int64_t> values(static_cast<size_t>(n));
  std::iota(values.begin(), values.end(), int64_t{0});
  shuffle(values);
  return values;
}

std::array<uint32_t, 4> philox4x32(uint64_t key, uint64_t counter_low, uint64_t counter_high) {
  std::array<uint32_t, 4> c = {
      static_cast<uint32_t>(counter_low), static_cast<uint32_t>(counter_low >> 32U),
      static_cast<uint32_t>(counter_high), static_cast<uint32_t>(counter_high >> 32U)};
  auto k0 = static_cast<uint32_t>(key);
  auto k1 = static_cast<uint32_t>(key >> 32U);
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53U} * c[0];
    const uint64_t product1 = uint64_t{0xCD9E8D57U} * c[2];
    c = {static_cast<uint32_t>(product1 >> 32U) ^ c[1] ^ k0, static_cast<uint32_t>(product1),
         static_cast<uint32_t>(product0 >> 32U) ^ c[3] ^ k1, static_cast<uint32_t>(product0)};
    k0 += 0x9E3779B9U;
    k1 += 0xBB67AE85U;
  }
  return c;
}

}  // namespace cortiscore
