#include "src/score/behavior.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "src/score/choices.h"
#include "src/score/interval.h"

namespace cortiscore {

Score error_consistency_score(const at::Tensor& network,
                              const at::Tensor& subjects,
                              const BootstrapOptions& options) {
  const int64_t n = subjects.size(1);
  const SubjectChoices choices{subjects, at::ones_like(subjects),
                               at::zeros({n}, subjects.options().dtype(at::kLong)), 1};
  const auto raw = evaluate_choices(ChoiceMetric::kErrorConsistency, network, choices);
  const auto ceiling = evaluate_choice_ceiling(ChoiceMetric::kErrorConsistency, choices);
  ResampleOptions over;
  over.over = {{Axis::kPresentation, n}};
  over.n_boot = options.n_boot;
  over.level = options.level;
  over.seed = options.seed;
  const auto on = subjects.options().dtype(at::kDouble);
  const auto with_interval = [&](const Evaluation& e) {
    auto estimate = e.estimate;
    const auto r = resample(e.draws, over, on);
    estimate.ci_lo = r.ci_lo;
    estimate.ci_hi = r.ci_hi;
    return estimate;
  };
  // The same stimuli are drawn for both.
  const Statistic ratio = [&](const Draws& draws) {
    const auto c = ceiling.draws(draws);
    return at::where(c > 0, (raw.draws(draws) / c).clamp(0, 1), std::nan(""));
  };
  const auto ceiled = resample(ratio, over, on);
  Score score;
  score.raw = with_interval(raw);
  score.ceiling = with_interval(ceiling);
  score.ceiled = ceiled.value;
  score.ceiled_error = ceiled.error;
  score.ceiled_ci_lo = ceiled.ci_lo;
  score.ceiled_ci_hi = ceiled.ci_hi;
  return score;
}

namespace {

struct Cues {
  at::Tensor shape,
      either;  // float64, as `chosen`: a choice of the shape; of shape or texture, where they conflict
};

Cues cues_of(const at::Tensor& chosen, const at::Tensor& shape, const at::Tensor& texture) {
  const auto conflict = shape != texture;
  const auto by_shape = (chosen == shape).logical_and(conflict).to(at::kDouble);
  return {by_shape, by_shape + (chosen == texture).logical_and(conflict).to(at::kDouble)};
}

}  // namespace

Score shape_bias_score(const at::Tensor& chosen,
                       const at::Tensor& shape,
                       const at::Tensor& texture,
                       const BootstrapOptions& options) {
  const auto cues = cues_of(chosen, shape, texture);
  const auto on = cues.shape.options();
  const int64_t n = chosen.size(0);
  ResampleOptions over;
  over.over = {{Axis::kPresentation, n}};
  over.n_boot = options.n_boot;
  over.level = options.level;
  over.seed = options.seed;
  const auto share = resample(
      [&](const Draws& draws) {
        const auto counts = draws.of(Axis::kPresentation, n, on);
        return at::mv(counts, cues.shape) / at::mv(counts, cues.either);
      },
      over, on);
  const double none = std::nan("");
  Score score;
  score.raw.value = share.value;
  score.raw.error = none;
  score.raw.ci_lo = share.ci_lo;
  score.raw.ci_hi = share.ci_hi;
  score.raw.split_values = {share.value};
  score.ceiling.value = score.ceiling.error = score.ceiling.ci_lo = score.ceiling.ci_hi = none;
  score.ceiled = score.ceiled_error = score.ceiled_ci_lo = score.ceiled_ci_hi = none;
  return score;
}

double shape_bias(const at::Tensor& chosen, const at::Tensor& shape, const at::Tensor& texture) {
  const auto cues = cues_of(chosen, shape, texture);
  return (cues.shape.sum() / cues.either.sum()).item<double>();
}

double share_of(const at::Tensor& flags) {
  return flags.to(at::kDouble).mean().item<double>();
}

}  // namespace cortiscore
