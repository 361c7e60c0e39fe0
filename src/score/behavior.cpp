#include "src/score/behavior.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "src/score/interval.h"

namespace cortiscore {

Score choice_score(ChoiceMetric metric,
                   const at::Tensor& network,
                   const SubjectChoices& subjects,
                   const CeilingConvention& convention,
                   const BootstrapOptions& options) {
  return ratio_score(evaluate_choices(metric, network, subjects),
                     evaluate_choice_ceiling(metric, subjects), convention,
                     over_axis(Axis::kPresentation, network.size(0), options),
                     network.options().dtype(at::kDouble));
}

Score cell_score(const CellMetric& metric,
                 const CellTrials& network,
                 const CellTrials& subjects,
                 double published_ceiling,
                 const CeilingConvention& convention,
                 const BootstrapOptions& options) {
  auto ceiling = std::isnan(published_ceiling) ? evaluate_cell_ceiling(metric, subjects)
                                               : constant_evaluation(published_ceiling);
  return ratio_score(evaluate_cells(metric, network, subjects), *ceiling, convention,
                     over_axis(Axis::kPresentation, network.all.size(0), options),
                     network.all.options());
}

Score accuracy_score(const at::Tensor& correct,
                     double published_ceiling,
                     const CeilingConvention& convention,
                     const BootstrapOptions& options) {
  const auto raw = evaluate_accuracy(correct);
  const auto over = over_axis(Axis::kPresentation, correct.size(0), options);
  const auto on = correct.options().dtype(at::kDouble);
  if (std::isnan(published_ceiling)) return without_ceiling(raw, over, on);
  return ratio_score(raw, constant_evaluation(published_ceiling), convention, over, on);
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
  const CeilingConvention convention = {CeilingConvention::Ratio::kROverSqrtC};
  const Statistic ceiled = [&](const Draws& draws) {
    const auto counts = draws.of(Axis::kPresentation, n, on);
    return convention(raw.correlations(counts), ceiling.correlations(counts)).nanmean(1);
  };
  auto score = joint_score(raw.evaluation(), ceiling.evaluation(), ceiled,
                           over_axis(Axis::kPresentation, n, options), on);
  score.convention = convention;
  return score;
}

namespace {

struct Cues {
  at::Tensor shape,
      either;  // float64, as `chosen`: a choice of the shape; of shape or texture, where they
               // conflict
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
  return without_ceiling(raw, over_axis(Axis::kPresentation, n, options), on);
}

double shape_bias(const at::Tensor& chosen, const at::Tensor& shape, const at::Tensor& texture) {
  const auto cues = cues_of(chosen, shape, texture);
  return (cues.shape.sum() / cues.either.sum()).item<double>();
}

double share_of(const at::Tensor& flags) {
  return flags.to(at::kDouble).mean().item<double>();
}

}  // namespace cortiscore
