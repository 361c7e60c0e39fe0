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

double share_of(const at::Tensor& flags) {
  return flags.to(at::kDouble).mean().item<double>();
}

}  // namespace cortiscore
