#include "src/score/behavior.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "src/score/interval.h"

namespace cortiscore {

namespace {

ResampleOptions over_presentations(int64_t n, const BootstrapOptions& options) {
  ResampleOptions over;
  // Counts of half a gigabyte at most: triplets are hundreds of thousands.
  over.block = std::clamp<int64_t>((int64_t{1} << 26) / std::max<int64_t>(n, 1), 1, over.block);
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

Score ratio_score(const Evaluation& raw,
                  const Evaluation& ceiling,
                  const ChoiceRatio& ratio,
                  const ResampleOptions& over,
                  const at::TensorOptions& on) {
  return joint_score(
      raw, ceiling,
      [&](const Draws& draws) { return ratio(raw.draws(draws), ceiling.draws(draws).to(on)); },
      over, on);
}

Score without_ceiling(const Evaluation& raw,
                      const ResampleOptions& over,
                      const at::TensorOptions& on) {
  const auto share = resample(raw.draws, over, on);
  const double none = std::nan("");
  Score score;
  score.raw = raw.estimate;
  score.raw.ci_lo = share.ci_lo;
  score.raw.ci_hi = share.ci_hi;
  score.ceiling.value = score.ceiling.error = score.ceiling.ci_lo = score.ceiling.ci_hi = none;
  score.ceiled = score.ceiled_error = score.ceiled_ci_lo = score.ceiled_ci_hi = none;
  return score;
}

}  // namespace

at::Tensor ChoiceRatio::operator()(const at::Tensor& raw, const at::Tensor& ceiling) const {
  const auto room = ceiling - chance;
  auto r = (raw - chance) / room;
  if (convention == "r_over_c_squared") r = r.square();
  if (convention.ends_with("_clipped")) r = r.clamp(0, 1);
  return at::where(room > 0, r, std::nan(""));
}

Score choice_score(ChoiceMetric metric,
                   const at::Tensor& network,
                   const SubjectChoices& subjects,
                   const ChoiceRatio& ratio,
                   const BootstrapOptions& options) {
  return ratio_score(
      evaluate_choices(metric, network, subjects), evaluate_choice_ceiling(metric, subjects), ratio,
      over_presentations(network.size(0), options), network.options().dtype(at::kDouble));
}

Score cell_score(const CellMetric& metric,
                 const CellTrials& network,
                 const CellTrials& subjects,
                 double published_ceiling,
                 const ChoiceRatio& ratio,
                 const BootstrapOptions& options) {
  auto ceiling = std::isnan(published_ceiling) ? evaluate_cell_ceiling(metric, subjects)
                                               : constant_evaluation(published_ceiling);
  return ratio_score(evaluate_cells(metric, network, subjects), *ceiling, ratio,
                     over_presentations(network.all.size(0), options), network.all.options());
}

Score accuracy_score(const at::Tensor& correct,
                     double published_ceiling,
                     const ChoiceRatio& ratio,
                     const BootstrapOptions& options) {
  const auto raw = evaluate_accuracy(correct);
  const auto over = over_presentations(correct.size(0), options);
  const auto on = correct.options().dtype(at::kDouble);
  if (std::isnan(published_ceiling)) return without_ceiling(raw, over, on);
  return ratio_score(raw, constant_evaluation(published_ceiling), ratio, over, on);
}

at::Tensor odd_one_out(const at::Tensor& features, const at::Tensor& triplets) {
  const auto x = features.to(at::kDouble);
  // Every pair's product once: triplets are many more than stimuli.
  const auto products = at::mm(x, x.t()).flatten();
  const auto i = triplets.select(1, 0), j = triplets.select(1, 1), k = triplets.select(1, 2);
  const auto pair = [&](const at::Tensor& a, const at::Tensor& b) {
    return products.index_select(0, a * x.size(0) + b);
  };
  const auto nearest = at::stack({pair(i, j), pair(i, k), pair(j, k)}, 1).argmax(1, true);
  return triplets.gather(1, 2 - nearest).squeeze(1);
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
                       bool among_all,
                       const BootstrapOptions& options) {
  const auto cues = cues_of(chosen, shape, texture);
  const auto among = among_all ? (shape != texture).to(at::kDouble) : cues.either;
  const auto on = cues.shape.options();
  const int64_t n = chosen.size(0);
  Evaluation raw;
  raw.draws = [&](const Draws& draws) {
    const auto counts = draws.of(Axis::kPresentation, n, on);
    return at::mv(counts, cues.shape) / at::mv(counts, among);
  };
  raw.estimate.value = (cues.shape.sum() / among.sum()).item<double>();
  raw.estimate.error = std::nan("");
  raw.estimate.split_values = {raw.estimate.value};
  return without_ceiling(raw, over_presentations(n, options), on);
}

double shape_bias(const at::Tensor& chosen, const at::Tensor& shape, const at::Tensor& texture) {
  const auto cues = cues_of(chosen, shape, texture);
  return (cues.shape.sum() / cues.either.sum()).item<double>();
}

double share_of(const at::Tensor& flags) {
  return flags.to(at::kDouble).mean().item<double>();
}

}  // namespace cortiscore
