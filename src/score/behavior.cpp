#include "src/score/behavior.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "src/score/interval.h"

namespace cortiscore {

namespace {

ResampleOptions over_presentations(int64_t n, const BootstrapOptions& options) {
  ResampleOptions over;
  over.over = {{Axis::kPresentation, n}};
  over.n_boot = options.n_boot;
  over.level = options.level;
  over.seed = options.seed;
  return over;
}

// Raw, ceiling and what becomes of both, the same stimuli drawn for all three.
Score joint_score(const Evaluation& raw,
                  const Evaluation& ceiling,
                  const Statistic& ceiled,
                  const ResampleOptions& over,
                  const at::TensorOptions& on) {
  const auto with_interval = [&](const Evaluation& e) {
    auto estimate = e.estimate;
    const auto r = resample(e.draws, over, on);
    estimate.ci_lo = r.ci_lo;
    estimate.ci_hi = r.ci_hi;
    return estimate;
  };
  const auto both = resample(ceiled, over, on);
  Score score;
  score.raw = with_interval(raw);
  score.ceiling = with_interval(ceiling);
  score.ceiled = both.value;
  score.ceiled_error = both.error;
  score.ceiled_ci_lo = both.ci_lo;
  score.ceiled_ci_hi = both.ci_hi;
  return score;
}

}  // namespace

Score choice_score(ChoiceMetric metric,
                   const at::Tensor& network,
                   const SubjectChoices& subjects,
                   const BootstrapOptions& options) {
  const auto raw = evaluate_choices(metric, network, subjects);
  const auto ceiling = evaluate_choice_ceiling(metric, subjects);
  const bool clipped = metric == ChoiceMetric::kErrorConsistency;
  const Statistic ratio = [&](const Draws& draws) {
    const auto c = ceiling.draws(draws);
    const auto r = raw.draws(draws) / c;
    return at::where(c > 0, clipped ? r.clamp(0, 1) : r, std::nan(""));
  };
  return joint_score(raw, ceiling, ratio, over_presentations(network.size(0), options),
                     network.options().dtype(at::kDouble));
}

Score pattern_score(const PatternName& name,
                    const at::Tensor& confusion,
                    const TwoWayTrials& trials,
                    const at::Tensor& truth,
                    bool skipna,
                    const BootstrapOptions& options) {
  const PatternHalves raw(name, confusion, trials, truth, confusion.size(1), skipna);
  const PatternHalves ceiling(name, {}, trials, truth, confusion.size(1), skipna);
  const int64_t n = truth.size(0);
  const auto on = confusion.options().dtype(at::kDouble);
  const Statistic ceiled = [&](const Draws& draws) {
    const auto counts = draws.of(Axis::kPresentation, n, on);
    const auto c = ceiling.correlations(counts);
    return at::where(c > 0, raw.correlations(counts) / c.sqrt(), std::nan("")).nanmean(1);
  };
  return joint_score(raw.evaluation(), ceiling.evaluation(), ceiled, over_presentations(n, options),
                     on);
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
  const auto share = resample(
      [&](const Draws& draws) {
        const auto counts = draws.of(Axis::kPresentation, n, on);
        return at::mv(counts, cues.shape) / at::mv(counts, cues.either);
      },
      over_presentations(n, options), on);
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
