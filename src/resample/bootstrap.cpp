#include "src/resample/bootstrap.h"

#include <algorithm>
#include <array>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/core/parallel.h"
#include "src/core/random.h"
#include "src/ops/fused.h"

namespace cortiscore {
namespace {

constexpr std::array<const char*, 4> kNames = {"neuroid", "presentation", "split", "subject"};

}  // namespace

std::string name_of(Axis axis) {
  return kNames.at(static_cast<size_t>(axis));
}

Axis axis_of(const std::string& name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (name == kNames[i]) return static_cast<Axis>(i);
  }
  throw Error(ErrorKind::kUsage, "--over: found \"" + name +
                                     "\", expected neuroid, presentation, split or subject, "
                                     "separated by commas.");
}

at::Tensor Draws::of(Axis axis, int64_t size, const at::TensorOptions& options) const {
  const auto found = counts.find(axis);
  return found == counts.end() ? at::ones({1, size}, options) : found->second;
}

at::Tensor bootstrap_counts_definition(uint64_t seed,
                                       Axis axis,
                                       int64_t first,
                                       int64_t n_draws,
                                       int64_t n,
                                       const at::TensorOptions& options) {
  // Philox in int64: a product of two 32-bit words wraps to the right 64 bits, and shifts are
  // masked.
  const auto whole = options.dtype(at::kLong);
  constexpr int64_t kMask = 0xFFFFFFFFLL;
  const auto high = [](const at::Tensor& x) {
    return at::bitwise_and(at::bitwise_right_shift(x, 32), kMask);
  };
  std::array<at::Tensor, 4> c = {
      at::arange(n, whole).unsqueeze(0).expand({n_draws, n}), at::zeros({n_draws, n}, whole),
      at::arange(first, first + n_draws, whole).unsqueeze(1).expand({n_draws, n}),
      at::zeros({n_draws, n}, whole)};
  auto k0 = static_cast<int64_t>(seed & 0xFFFFFFFFULL);
  auto k1 = static_cast<int64_t>(seed >> 32U);
  for (int round = 0; round < 10; ++round) {
    const auto p0 = c[0] * int64_t{0xD2511F53};
    const auto p1 = c[2] * int64_t{0xCD9E8D57};
    c = {at::bitwise_xor(at::bitwise_xor(high(p1), c[1]), k0), at::bitwise_and(p1, kMask),
         at::bitwise_xor(at::bitwise_xor(high(p0), c[3]), k1), at::bitwise_and(p0, kMask)};
    k0 = (k0 + int64_t{0x9E3779B9}) & kMask;
    k1 = (k1 + int64_t{0xBB67AE85}) & kMask;
  }
  const auto drawn = high(c[static_cast<size_t>(axis)] * n);
  auto counts = at::zeros({n_draws, n}, options.dtype(at::kDouble));
  return counts.scatter_add_(1, drawn, at::ones_like(drawn, options.dtype(at::kDouble)));
}

at::Tensor bootstrap_counts(uint64_t seed,
                            Axis axis,
                            int64_t first,
                            int64_t n_draws,
                            int64_t n,
                            const at::TensorOptions& options) {
  auto counts = at::zeros({n_draws, n}, options.dtype(at::kDouble));
  if (fused::bootstrap_counts(seed, static_cast<int>(axis), first, counts)) return counts;
  if (!counts.is_cpu()) return bootstrap_counts_definition(seed, axis, first, n_draws, n, options);
  auto* const count = counts.mutable_data_ptr<double>();
  parallel_for(n_draws, [&](int64_t b) {
    constexpr int64_t kAtOnce = 256;
    std::array<uint32_t, kAtOnce> words{};
    for (int64_t begin = 0; begin < n; begin += kAtOnce) {
      const int64_t some = std::min(kAtOnce, n - begin);
      philox_words(seed, static_cast<uint64_t>(begin), some, static_cast<uint64_t>(first + b),
                   static_cast<int>(axis), words.data());
      // Multiply-shift keeps the bias below 2^-32 n.
      for (int64_t i = 0; i < some; ++i) {
        const uint64_t place = uint64_t{words[static_cast<size_t>(i)]} * static_cast<uint64_t>(n);
        count[b * n + static_cast<int64_t>(place >> 32U)] += 1;
      }
    }
  });
  return counts;
}

at::Tensor random_signs(uint64_t seed, int64_t first, int64_t n_draws, int64_t n) {
  constexpr uint64_t kStream = uint64_t{1} << 63U;  // counters that no bootstrap draw reaches
  auto signs = at::empty({n_draws, n}, at::kBool);
  auto* const sign = signs.mutable_data_ptr<bool>();
  for (int64_t b = 0; b < n_draws; ++b) {
    for (int64_t i = 0; i < n; ++i) {
      const auto word =
          philox4x32(seed, kStream | static_cast<uint64_t>(i), static_cast<uint64_t>(first + b))[0];
      sign[b * n + i] = (word >> 31U) != 0;
    }
  }
  return signs;
}

}  // namespace cortiscore
