#include "src/score/rdm_score.h"

#include <cmath>
#include <limits>

#include <ATen/ATen.h>

#include "src/ops/upper_triangle.h"
#include "src/score/interval.h"
#include "src/score/statistics.h"

namespace cortiscore {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

Estimate over_subjects(const at::Tensor& similarity) {
  Estimate estimate;
  estimate.per_neuroid = similarity.cpu().unsqueeze(0).contiguous();
  const auto* const first = estimate.per_neuroid.const_data_ptr<double>();
  estimate.split_values = {first, first + similarity.numel()};
  estimate.value = mean_skip_nan(estimate.split_values);
  const auto n = static_cast<double>(similarity.numel());
  estimate.error = n > 1 ? deviation(estimate.split_values, 0) / std::sqrt(n) : kNaN;
  estimate.ci_lo = estimate.ci_hi = kNaN;
  return estimate;
}

// @param statistic  one similarity a draw and a subject [b, subjects]
void draw(Estimate& estimate,
          const SubjectRdms& subjects,
          const BootstrapOptions& options,
          const std::function<at::Tensor(const at::Tensor&)>& statistic) {
  ResampleOptions over;
  over.over = {{Axis::kPresentation, subjects.n_presentations}};
  over.n_boot = options.n_boot;
  over.level = options.level;
  over.seed = options.seed;
  const auto on = subjects.pairs.options();
  // A subject that the value leaves out is left out of every draw.
  const auto defined = estimate.per_neuroid.squeeze(0).isnan().logical_not().nonzero().squeeze(1);
  const bool all = defined.size(0) == estimate.per_neuroid.size(1);
  const auto resampled = resample(
      [&](const Draws& draws) {
        const auto each = statistic(draws.of(Axis::kPresentation, subjects.n_presentations, on));
        return (all ? each : each.index_select(1, defined.to(each.device()))).mean(1);
      },
      over, on);
  estimate.draws = {{}, resampled.draws};
  estimate.ci_lo = resampled.ci_lo;
  estimate.ci_hi = resampled.ci_hi;
}

}  // namespace

at::Tensor compared_pairs(const at::Tensor& matrices, RdmComparison comparison) {
  return comparison == RdmComparison::kCka ? matrices.flatten(-2) : upper_triangle(matrices);
}

Estimate rdm_similarity(const at::Tensor& model, const SubjectRdms& subjects) {
  if (model.isnan().any().is_nonzero())
    return over_subjects(at::full({subjects.pairs.size(0)}, kNaN, at::kDouble));
  return over_subjects(
      compare_rdms(model.unsqueeze(0), subjects.pairs, subjects.comparison).squeeze(0));
}

Estimate rdm_similarity_with_draws(const at::Tensor& model,
                                   const SubjectRdms& subjects,
                                   const BootstrapOptions& options) {
  auto estimate = rdm_similarity(model, subjects);
  if (std::isnan(estimate.value)) return undefined_estimate(subjects.pairs.size(0), options);
  draw(estimate, subjects, options, [&](const at::Tensor& counts) {
    return compare_rdms_draws(model.unsqueeze(0), subjects.pairs, counts, subjects.comparison)
        .squeeze(1);
  });
  return estimate;
}

RdmCeiling upper_bound(const SubjectRdms& subjects, RdmPooling pooling) {
  return {subjects, for_pooling(subjects.pairs, subjects.comparison, pooling).mean(0, true)};
}

RdmCeiling lower_bound(const SubjectRdms& subjects, RdmPooling pooling) {
  return {subjects, means_of_others(for_pooling(subjects.pairs, subjects.comparison, pooling))};
}

RdmCeiling pairs_of_subjects(const SubjectRdms& subjects) {
  std::vector<at::Tensor> first, second;
  for (int64_t i = 0; i < subjects.pairs.size(0); ++i) {
    for (int64_t j = i + 1; j < subjects.pairs.size(0); ++j) {
      first.push_back(subjects.pairs[i]);
      second.push_back(subjects.pairs[j]);
    }
  }
  return {{at::stack(first), subjects.n_presentations, subjects.comparison}, at::stack(second)};
}

Estimate rdm_ceiling(const RdmCeiling& ceiling, const BootstrapOptions& options) {
  const auto& [subjects, with] = ceiling;
  const auto& comparison = subjects.comparison;
  std::vector<std::pair<at::Tensor, at::Tensor>>
      sides;  // in which every first meets the only second
  if (with.size(0) == 1) {
    sides.emplace_back(subjects.pairs, with);
  } else {
    for (int64_t s = 0; s < with.size(0); ++s)
      sides.emplace_back(subjects.pairs.narrow(0, s, 1), with.narrow(0, s, 1));
  }
  std::vector<at::Tensor> similarities;
  for (const auto& [a, b] : sides)
    similarities.push_back(compare_rdms(a, b, comparison).squeeze(1));
  auto estimate = over_subjects(at::cat(similarities));
  draw(estimate, subjects, options, [&](const at::Tensor& counts) {
    std::vector<at::Tensor> drawn;
    for (const auto& [a, b] : sides)
      drawn.push_back(compare_rdms_draws(a, b, counts, comparison).squeeze(2));
    return at::cat(drawn, 1);
  });
  return estimate;
}

}  // namespace cortiscore
