#include "src/score/compare.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <ATen/ATen.h>

#include "src/ops/weighted_median.h"

namespace cortiscore {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

}  // namespace

double p_value_above(const std::vector<double>& null_values, double observed) {
  if (std::isnan(observed)) return kNaN;
  int64_t above = 1, n = 1;
  for (const auto v : null_values) {
    if (std::isnan(v)) continue;
    ++n;
    above += v >= observed ? 1 : 0;
  }
  return n == 1 ? kNaN : static_cast<double>(above) / static_cast<double>(n);
}

double p_value_of_draws(const std::vector<double>& differences) {
  int64_t low = 1, high = 1, n = 1;
  for (const auto d : differences) {
    if (std::isnan(d)) continue;
    ++n;
    low += d <= 0 ? 1 : 0;
    high += d >= 0 ? 1 : 0;
  }
  return n == 1
             ? kNaN
             : std::min(1.0, 2 * static_cast<double>(std::min(low, high)) / static_cast<double>(n));
}

Comparison compare(const Evaluation& first,
                   const Evaluation& second,
                   const ResampleOptions& options,
                   int64_t n_permutations) {
  const auto on = at::TensorOptions().dtype(at::kDouble);
  Comparison result;
  const Statistic difference = [&](const Draws& draws) {
    return first.draws(draws) - second.draws(draws);
  };
  result.difference = resample(
      difference, options, first.fit.per_neuroid.defined() ? first.fit.per_neuroid.options() : on);
  result.p_bootstrap = p_value_of_draws(result.difference.draws);
  result.p_permutation = kNaN;
  const auto& a = first.estimate.per_neuroid;
  const auto& b = second.estimate.per_neuroid;
  if (n_permutations < 1 || !first.fit.per_neuroid.defined() || a.sizes() != b.sizes())
    return result;
  // Under the null the two sources are exchangeable neuroid by neuroid. One word of the generator a
  // neuroid and draw.
  const auto counts = at::ones({1, a.size(1)}, a.options());
  const auto score = [&](const at::Tensor& r) { return weighted_median(r, counts).nanmean(1); };
  std::vector<double> null_values;
  constexpr int64_t kBlock = 256;
  for (int64_t begin = 0; begin < n_permutations; begin += kBlock) {
    const int64_t block = std::min(kBlock, n_permutations - begin);
    const auto swap =
        random_signs(options.seed, begin, block, a.size(1)).unsqueeze(1);  // [b, 1, m]
    const auto swapped_a = at::where(swap, b, a);
    const auto swapped_b = at::where(swap, a, b);
    const auto d = (score(swapped_a) - score(swapped_b)).abs().contiguous();
    null_values.insert(null_values.end(), d.const_data_ptr<double>(),
                       d.const_data_ptr<double>() + block);
  }
  result.p_permutation =
      p_value_above(null_values, std::abs(result.difference.value) * (1 - 1e-12));
  return result;
}

}  // namespace cortiscore
