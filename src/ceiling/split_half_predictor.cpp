#include "src/ceiling/split_half_predictor.h"

#include <functional>
#include <limits>
#include <vector>

#include <ATen/ATen.h>

#include "src/ceiling/internal_consistency.h"
#include "src/core/random.h"
#include "src/core/stage.h"
#include "src/ops/pearson_columns.h"
#include "src/ops/weighted_pearson.h"

namespace cortiscore {
namespace {

// (split, first halves, second halves, where both are): of every split that has enough of them.
using Correlate = std::function<void(
    int64_t split, const at::Tensor& first, const at::Tensor& second, const at::Tensor& both)>;

void each_split(const at::Tensor& trials_any,
                const at::Tensor& shown_any,
                int64_t n_splits,
                uint32_t seed,
                const Correlate& correlate) {
  const Stage of_ceiling(StageName::kCeiling);
  TORCH_CHECK_VALUE(trials_any.dim() == 3,
                    "split_half_predictor: need [n_repetitions, n_presentations, n_neuroids], got ",
                    trials_any.sizes());
  const auto trials = trials_any.to(at::kDouble);
  const int64_t n_repetitions = trials.size(0), n = trials.size(1);
  const auto valid = trials.isnan().logical_not();
  const auto filled = at::nan_to_num(trials);
  const auto shown = shown_any.contiguous();
  const auto* const is_shown = shown.const_data_ptr<bool>();
  constexpr int64_t kFewest = 10;
  NumpyGenerator random(seed);
  for (int64_t s = 0; s < n_splits; ++s) {
    auto first = at::zeros({n_repetitions, n, 1}, at::kDouble);
    auto second = at::zeros({n_repetitions, n, 1}, at::kDouble);
    int64_t n_kept = 0;
    for (int64_t i = 0; i < n; ++i) {
      std::vector<int64_t> repetitions;
      for (int64_t r = 0; r < n_repetitions; ++r) {
        if (is_shown[r * n + i]) repetitions.push_back(r);
      }
      if (repetitions.size() < 2) continue;
      ++n_kept;
      const auto order = random.permutation(static_cast<int64_t>(repetitions.size()));
      for (size_t k = 0; k < order.size(); ++k) {
        auto& half = k < order.size() / 2 ? first : second;
        half.mutable_data_ptr<double>()[repetitions[static_cast<size_t>(order[k])] * n + i] = 1;
      }
    }
    if (n_kept < kFewest) continue;
    const auto mean = [&](const at::Tensor& half) {
      const auto weight = half.to(trials.device());
      const auto count = (valid.to(at::kDouble) * weight).sum(0);
      return std::pair((filled * weight).sum(0) / count.clamp_min(1), count > 0);
    };
    const auto [a, a_there] = mean(first);
    const auto [b, b_there] = mean(second);
    correlate(s, a, b, a_there & b_there);
  }
}

at::Tensor undefined(at::IntArrayRef sizes, const at::Tensor& trials) {
  return at::full(sizes, std::numeric_limits<double>::quiet_NaN(),
                  trials.options().dtype(at::kDouble));
}

}  // namespace

at::Tensor split_half_predictor(const at::Tensor& trials,
                                const at::Tensor& shown,
                                int64_t n_splits,
                                uint32_t seed) {
  auto result = undefined({n_splits, trials.size(-1)}, trials);
  each_split(trials, shown, n_splits, seed,
             [&](int64_t s, const auto& first, const auto& second, const auto& both) {
               result.select(0, s).copy_(spearman_brown(pearson_columns(first, second, both)));
             });
  return result;
}

at::Tensor split_half_predictor_per_draw(const at::Tensor& trials,
                                         const at::Tensor& shown,
                                         int64_t n_splits,
                                         uint32_t seed,
                                         const Draws& draws) {
  const auto presentations = draws.counts.find(Axis::kPresentation);
  if (presentations == draws.counts.end())
    return split_half_predictor(trials, shown, n_splits, seed).unsqueeze(0);
  auto result = undefined({draws.n, n_splits, trials.size(-1)}, trials);
  each_split(trials, shown, n_splits, seed,
             [&](int64_t s, const auto& first, const auto& second, const auto& both) {
               result.select(1, s).copy_(
                   spearman_brown(weighted_pearson(presentations->second, first, second, both)));
             });
  return result;
}

}  // namespace cortiscore
