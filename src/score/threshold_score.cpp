#include "src/score/threshold_score.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "src/ceiling/subjects.h"
#include "src/metric/threshold.h"
#include "src/score/cells.h"
#include "src/score/diagnostics.h"
#include "src/score/joint.h"
#include "src/score/statistics.h"

namespace cortiscore {
namespace {

Estimate mean_of(std::vector<double> values) {
  Estimate estimate;
  estimate.value = mean_skip_nan(values);
  estimate.error = deviation(values, 0);
  estimate.ci_lo = estimate.ci_hi = std::nan("");
  estimate.split_values = std::move(values);
  return estimate;
}

}  // namespace

FoundThreshold find_threshold(const at::Tensor& correct,
                              const std::vector<double>& x,
                              double at_accuracy) {
  const auto here = correct.cpu().contiguous();
  const bool* const first = here.const_data_ptr<bool>();
  const std::vector<bool> right(first, first + here.numel());
  const auto share = static_cast<double>(std::count(right.begin(), right.end(), true)) /
                     static_cast<double>(right.size());
  return {model_threshold(accuracy_by(x, right), share, at_accuracy), share};
}

std::vector<std::string> threshold_warnings(const std::vector<double>& models) {
  return left_out(
      std::count(models.begin(), models.end(), 0.0), static_cast<int64_t>(models.size()),
      "readouts have no threshold and count as 0, as the platform counts them: under 60 % "
      "right, a poor fit, or a threshold beyond what was shown");
}

Estimate threshold_ceiling(const std::vector<double>& subjects) {
  return mean_of(leave_one_out_thresholds(subjects));
}

Score threshold_score(const std::vector<double>& models,
                      const std::vector<double>& subjects,
                      const BootstrapOptions& options) {
  const auto n = static_cast<int64_t>(subjects.size());
  auto scores = at::zeros({n}, at::kDouble);
  for (const auto model : models)
    scores += at::tensor(threshold_scores(model, subjects)) / static_cast<double>(models.size());
  const auto* const first = scores.const_data_ptr<double>();
  Evaluation raw;
  raw.estimate = mean_of({first, first + n});
  raw.draws = [&](const Draws& draws) {
    return at::mv(draws.of(Axis::kSubject, n, scores.options()), scores) / static_cast<double>(n);
  };
  auto ceiling = constant_evaluation(0);
  ceiling.estimate = threshold_ceiling(subjects);
  ceiling.draws = constant_evaluation(ceiling.estimate.value).draws;
  auto score =
      ratio_score(raw, ceiling, {}, over_axis(Axis::kSubject, n, options), scores.options());
  score.ceiling.ci_lo = score.ceiling.ci_hi = std::nan("");
  for (auto& warning : threshold_warnings(models)) score.warnings.push_back(std::move(warning));
  return score;
}

}  // namespace cortiscore
