#include "src/ceiling/internal_consistency.h"

#include <algorithm>
#include <string>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/core/caller.h"
#include "src/core/parallel.h"
#include "src/core/stage.h"
#include "src/ops/pearson_columns.h"
#include "src/ops/split_half.h"
#include "src/ops/weighted_median.h"
#include "src/ops/weighted_pearson.h"
#include "src/resample/splits.h"

namespace cortiscore {
namespace {

void check(const at::Tensor& trials) {
  TORCH_CHECK_VALUE(trials.dim() == 3,
                    "internal_consistency: need [n_repetitions, n_presentations, n_neuroids], got ",
                    trials.sizes());
  if (trials.size(0) < 2) {
    throw bad_input({"internal_consistency trials", "repetitions", std::to_string(trials.size(0)),
                     "at least 2", "Without repeated trials there is no split-half ceiling"});
  }
}

// The means of both halves of the repetitions [n, m], and where both have a trial.
struct Halves {
  at::Tensor first, second, both;
};

class HalfMeans {
 public:
  explicit HalfMeans(const at::Tensor& trials)
      : n_repetitions_(trials.size(0)), sizes_({trials.size(1), trials.size(2)}) {
    const auto values = trials.to(at::kDouble);
    const auto valid = values.isnan().logical_not();
    filled_ = at::where(valid, values, 0.0).reshape({n_repetitions_, -1});
    counted_ = valid.to(at::kDouble).reshape({n_repetitions_, -1});
  }

  Halves of(const Split& split) const {
    const auto [first, first_present] = half(split.train);
    const auto [second, second_present] = half(split.test);
    return {first, second, first_present & second_present};
  }

 private:
  std::pair<at::Tensor, at::Tensor> half(const std::vector<int64_t>& repetitions) const {
    auto weight = at::zeros({1, n_repetitions_}, filled_.options());
    weight.index_fill_(1, at::tensor(repetitions, at::kLong).to(weight.device()), 1.0);
    const auto n = at::mm(weight, counted_).reshape(sizes_);
    const auto sum = at::mm(weight, filled_).reshape(sizes_);
    return {sum / n.clamp_min(1), n > 0};
  }

  int64_t n_repetitions_;
  std::vector<int64_t> sizes_;
  at::Tensor filled_, counted_;  // [n_repetitions, n m]
};

// Every repetition there: one covariance matrix of the repetitions a neuroid serves all splits.
at::Tensor from_trial_covariance(const at::Tensor& trials, const Splits& splits) {
  const int64_t n_repetitions = trials.size(0), n_neuroids = trials.size(2);
  const auto n_splits = static_cast<int64_t>(splits.size());
  auto indicator = at::zeros({n_splits, n_repetitions}, at::kByte);
  auto in_first = indicator.accessor<uint8_t, 2>();
  for (int64_t s = 0; s < n_splits; ++s) {
    for (const auto r : splits[static_cast<size_t>(s)].train) in_first[s][r] = 1;
  }
  const auto w = indicator.to(trials.device());
  auto result = at::empty({n_splits, n_neuroids}, trials.options().dtype(at::kDouble));
  const auto block = [&](int64_t begin, int64_t count) {
    // [count, R, n]: the trials of a few neuroids, each repetition about its mean
    const auto raw = trials.narrow(2, begin, count).permute({2, 0, 1}).to(at::kDouble).contiguous();
    const auto d = raw - raw.mean(2, true);
    // A constant half leaves rounding behind: the rule of pearson_columns.
    const auto noise =
        raw.abs().amax({1, 2}).square() * (1e-26 * static_cast<double>(trials.size(1)));
    const auto c = at::bmm(d, d.transpose(1, 2));
    // Splits a few at a time on the CPU, where what lies between w and r should stay in cache.
    const int64_t at_once = trials.is_cpu() ? 512 : n_splits;
    for (int64_t s = 0; s < n_splits; s += at_once) {
      const int64_t some = std::min(at_once, n_splits - s);
      result.narrow(0, s, some)
          .narrow(1, begin, count)
          .copy_(split_half(c, w.narrow(0, s, some), noise));
    }
  };
  if (!trials.is_cpu()) {
    constexpr int64_t kElements = int64_t{1} << 27;
    const int64_t width = std::clamp<int64_t>(
        kElements / ((trials.size(1) + n_splits) * n_repetitions), 1, n_neuroids);
    for (int64_t begin = 0; begin < n_neuroids; begin += width)
      block(begin, std::min(width, n_neuroids - begin));
    return result;
  }
  constexpr int64_t kNeuroids = 4;
  parallel_for((n_neuroids + kNeuroids - 1) / kNeuroids, [&](int64_t i) {
    block(i * kNeuroids, std::min(kNeuroids, n_neuroids - i * kNeuroids));
  });
  return result;
}

}  // namespace

at::Tensor count_unrepeated(const at::Tensor& trials) {
  return (trials.isnan().logical_not().sum(0) < 2).sum();
}

at::Tensor spearman_brown(const at::Tensor& r) {
  return 2 * r / (1 + r);
}

at::Tensor internal_consistency(const at::Tensor& trials,
                                const InternalConsistencyOptions& options) {
  const Stage of_ceiling(StageName::kCeiling);
  check(trials);
  const auto splits = shuffle_splits(trials.size(0), options.n_splits, 0.5, options.seed);
  if (options.complete) return spearman_brown(from_trial_covariance(trials, splits));
  const HalfMeans means(trials);
  auto result = at::empty({options.n_splits, trials.size(2)}, trials.options().dtype(at::kDouble));
  parallel_for(
      options.n_splits,
      [&](int64_t s) {
        const auto halves = means.of(splits[static_cast<size_t>(s)]);
        result.select(0, s).copy_(
            spearman_brown(pearson_columns(halves.first, halves.second, halves.both)));
      },
      threads_for(trials));
  return result;
}

at::Tensor internal_consistency_per_draw(const at::Tensor& trials,
                                         const InternalConsistencyOptions& options,
                                         const Draws& draws) {
  const Stage of_ceiling(StageName::kCeiling);
  const auto presentations = draws.counts.find(Axis::kPresentation);
  if (presentations == draws.counts.end())
    return internal_consistency(trials, options).unsqueeze(0);
  check(trials);
  const auto splits = shuffle_splits(trials.size(0), options.n_splits, 0.5, options.seed);
  const HalfMeans means(trials);
  std::vector<at::Tensor> per_split;
  for (const auto& split : splits) {
    const auto halves = means.of(split);
    per_split.push_back(spearman_brown(
        weighted_pearson(presentations->second, halves.first, halves.second, halves.both)));
  }
  return at::stack(per_split, 1);
}

at::Tensor internal_consistency_draws(const at::Tensor& trials,
                                      const InternalConsistencyOptions& options,
                                      const Draws& draws) {
  const auto per_draw = internal_consistency_per_draw(trials, options, draws);
  const auto counts = draws.of(Axis::kNeuroid, trials.size(2), per_draw.options());
  return weighted_median(per_draw, counts).nanmean(1).expand({draws.n});
}

}  // namespace cortiscore
