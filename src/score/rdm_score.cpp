#include "src/score/rdm_score.h"

#include <cmath>
#include <limits>

#include <ATen/ATen.h>

#include "src/ceiling/rsa.h"
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
  const auto resampled = resample(
      [&](const Draws& draws) {
        return statistic(draws.of(Axis::kPresentation, subjects.n_presentations, on)).mean(1);
      },
      over, on);
  estimate.draws = {{}, resampled.draws};
  estimate.ci_lo = resampled.ci_lo;
  estimate.ci_hi = resampled.ci_hi;
}

}  // namespace

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

Estimate rdm_ceiling(const SubjectRdms& subjects, bool ceiled, const BootstrapOptions& options) {
  if (!ceiled) return undefined_estimate(subjects.pairs.size(0), options);
  auto estimate = over_subjects(rsa_bounds(subjects.pairs, subjects.comparison).upper);
  const auto mean = subjects.pairs.mean(0, true);
  draw(estimate, subjects, options, [&](const at::Tensor& counts) {
    return compare_rdms_draws(subjects.pairs, mean, counts, subjects.comparison).squeeze(2);
  });
  return estimate;
}

}  // namespace cortiscore
