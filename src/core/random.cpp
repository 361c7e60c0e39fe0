#include "src/core/random.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <utility>

#include "src/core/simd.h"

namespace cortiscore {

Mt19937::Mt19937(uint32_t seed) {
  for (size_t i = 0; i < state_.size(); ++i) {
    state_[i] = seed;
    seed = 1812433253U * (seed ^ (seed >> 30U)) + static_cast<uint32_t>(i) + 1U;
  }
}

uint32_t Mt19937::next_uint32() {
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

// init_by_array of a key of one word.
PythonRandom::PythonRandom(uint32_t seed) : Mt19937(19650218U) {
  constexpr size_t kN = 624;
  size_t i = 1;
  const auto before = [&] { return state_[i - 1] ^ (state_[i - 1] >> 30U); };
  const auto advance = [&] {
    if (++i < kN) return;
    state_[0] = state_[kN - 1];
    i = 1;
  };
  for (size_t k = 0; k < kN; ++k) {
    state_[i] = (state_[i] ^ (before() * 1664525U)) + seed;
    advance();
  }
  for (size_t k = 0; k + 1 < kN; ++k) {
    state_[i] = (state_[i] ^ (before() * 1566083941U)) - static_cast<uint32_t>(i);
    advance();
  }
  state_[0] = 0x80000000U;
}

double PythonRandom::uniform() {
  const uint32_t high = next_uint32() >> 5U, low = next_uint32() >> 6U;
  return (high * 67108864.0 + low) / 9007199254740992.0;
}

int64_t PythonRandom::below(int64_t n) {
  const auto bits = static_cast<uint32_t>(std::bit_width(static_cast<uint32_t>(n)));
  for (;;) {
    const uint32_t value = next_uint32() >> (32U - bits);
    if (value < n) return value;
  }
}

namespace {

// random_interval: words under the smallest mask that covers max, until one is not above it.
template <typename Source>
uint32_t masked_interval(Source& source, uint32_t max) {
  if (max == 0) return 0;
  uint32_t mask = max;
  for (uint32_t shift = 1; shift <= 16; shift *= 2) mask |= mask >> shift;
  uint32_t value = 0;
  do {
    value = source.next_uint32() & mask;
  } while (value > max);
  return value;
}

}  // namespace

uint32_t NumpyRandomState::interval(uint32_t max) {
  return masked_interval(*this, max);
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

namespace {

// numpy.random.SeedSequence(seed).generate_state(4, uint64) for a seed of one 32-bit word and a
// pool of four.
std::array<uint64_t, 4> seed_sequence(uint32_t seed) {
  constexpr uint32_t kInitA = 0x43b0d7e5U, kMultA = 0x931e8875U, kInitB = 0x8b51f9ddU,
                     kMultB = 0x58f38dedU, kMixL = 0xca01f9ddU, kMixR = 0x4973f715U;
  uint32_t hash_constant = kInitA;
  const auto hash = [&](uint32_t value) {
    value ^= hash_constant;
    hash_constant *= kMultA;
    value *= hash_constant;
    return value ^ (value >> 16U);
  };
  const auto mix = [](uint32_t x, uint32_t y) {
    const uint32_t result = kMixL * x - kMixR * y;
    return result ^ (result >> 16U);
  };
  std::array<uint32_t, 4> pool{};
  for (size_t i = 0; i < 4; ++i) pool[i] = hash(i == 0 ? seed : 0);
  for (size_t from = 0; from < 4; ++from) {
    for (size_t to = 0; to < 4; ++to) {
      if (from != to) pool[to] = mix(pool[to], hash(pool[from]));
    }
  }
  std::array<uint64_t, 4> state{};
  uint32_t out_constant = kInitB;
  for (size_t i = 0; i < 8; ++i) {
    uint32_t value = pool[i % 4] ^ out_constant;
    out_constant *= kMultB;
    value *= out_constant;
    value ^= value >> 16U;
    state[i / 2] |= uint64_t{value} << (32U * (i % 2));
  }
  return state;
}

}  // namespace

NumpyGenerator::NumpyGenerator(uint32_t seed) {
  const auto words = seed_sequence(seed);
  increment_ = (((Word{words[2]} << 64U) | words[3]) << 1U) | 1U;
  step();
  state_ += (Word{words[0]} << 64U) | words[1];
  step();
}

void NumpyGenerator::step() {
  constexpr Word kMultiplier = (Word{0x2360ED051FC65DA4ULL} << 64U) | 0x4385DF649FCCF645ULL;
  state_ = state_ * kMultiplier + increment_;
}

uint64_t NumpyGenerator::next_uint64() {
  step();
  const auto folded = static_cast<uint64_t>(state_ >> 64U) ^ static_cast<uint64_t>(state_);
  const auto rotation = static_cast<unsigned>(state_ >> 122U);
  return (folded >> rotation) | (folded << ((64U - rotation) & 63U));
}

uint32_t NumpyGenerator::next_uint32() {
  if (has_half_) {
    has_half_ = false;
    return high_half_;
  }
  const auto word = next_uint64();
  has_half_ = true;
  high_half_ = static_cast<uint32_t>(word >> 32U);
  return static_cast<uint32_t>(word);
}

uint32_t NumpyGenerator::bounded(uint32_t max) {
  if (max == 0) return 0;
  if (max == UINT32_MAX) return next_uint32();
  const uint32_t n = max + 1;
  uint64_t product = uint64_t{next_uint32()} * n;
  if (static_cast<uint32_t>(product) < n) {
    const uint32_t threshold = (UINT32_MAX - max) % n;
    while (static_cast<uint32_t>(product) < threshold) product = uint64_t{next_uint32()} * n;
  }
  return static_cast<uint32_t>(product >> 32U);
}

uint32_t NumpyGenerator::interval(uint32_t max) {
  return masked_interval(*this, max);
}

std::vector<int64_t> NumpyGenerator::integers(int64_t high, int64_t n) {
  std::vector<int64_t> values(static_cast<size_t>(n));
  for (auto& value : values) value = bounded(static_cast<uint32_t>(high - 1));
  return values;
}

std::vector<int64_t> NumpyGenerator::permutation(int64_t n) {
  std::vector<int64_t> values(static_cast<size_t>(n));
  std::iota(values.begin(), values.end(), int64_t{0});
  for (size_t i = values.size(); i-- > 1;) {
    std::swap(values[i], values[interval(static_cast<uint32_t>(i))]);
  }
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

CORTISCORE_SIMD void philox_words(
    uint64_t key, uint64_t begin, int64_t n, uint64_t counter_high, int word, uint32_t* out) {
  constexpr int64_t kLanes = 16;
  for (int64_t at = 0; at < n; at += kLanes) {
    // 32-bit words held in 64 bits, as the widening multiplication wants them.
    uint64_t c[4][kLanes];
    for (int64_t i = 0; i < kLanes; ++i) {
      const uint64_t low = begin + static_cast<uint64_t>(at + i);
      c[0][i] = low & 0xFFFFFFFFU;
      c[1][i] = low >> 32U;
      c[2][i] = counter_high & 0xFFFFFFFFU;
      c[3][i] = counter_high >> 32U;
    }
    uint64_t k0 = key & 0xFFFFFFFFU;
    uint64_t k1 = key >> 32U;
    for (int round = 0; round < 10; ++round) {
      for (int64_t i = 0; i < kLanes; ++i) {
        const uint64_t p0 = (c[0][i] & 0xFFFFFFFFU) * 0xD2511F53U;
        const uint64_t p1 = (c[2][i] & 0xFFFFFFFFU) * 0xCD9E8D57U;
        c[0][i] = (p1 >> 32U) ^ c[1][i] ^ k0;
        c[1][i] = p1 & 0xFFFFFFFFU;
        c[2][i] = (p0 >> 32U) ^ c[3][i] ^ k1;
        c[3][i] = p0 & 0xFFFFFFFFU;
      }
      k0 = (k0 + 0x9E3779B9U) & 0xFFFFFFFFU;
      k1 = (k1 + 0xBB67AE85U) & 0xFFFFFFFFU;
    }
    for (int64_t i = 0; i < std::min(kLanes, n - at); ++i)
      out[at + i] = static_cast<uint32_t>(c[word][i]);
  }
}

}  // namespace cortiscore
