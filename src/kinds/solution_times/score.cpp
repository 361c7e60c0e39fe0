#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/core/progress.h"
#include "src/core/stage.h"
#include "src/engine/candidate.h"
#include "src/kinds/solution_times/data.h"
#include "src/score/solution_time_score.h"

namespace cortiscore {
namespace {

bool changes_in_time(const Candidate& candidate) {
  if (!candidate.network) return false;
  const auto& layers = candidate.network->layers();
  return std::any_of(layers.begin(), layers.end(),
                     [](const Layer& layer) { return !layer.time_bins.empty(); });
}

}  // namespace

Outcome SolutionTimeBenchmark::score(const Candidate& candidate, Workbench& workbench) const {
  Outcome outcome;
  const auto& data = solution_time_data(*this, workbench);
  outcome.n = {{"stimuli", data.stimuli.size()}, {"presentations", data.n_presentations}};
  outcome.resampled = "split";
  const double none = std::nan("");
  auto& scored = outcome.score;
  scored.raw.value = scored.raw.error = scored.raw.ci_lo = scored.raw.ci_hi = none;
  scored.ceiling = scored.raw;
  scored.ceiling.value = fixed_ceiling;
  scored.ceiled = scored.ceiled_error = scored.ceiled_ci_lo = scored.ceiled_ci_hi = none;
  if (!changes_in_time(candidate)) {
    outcome.layer = candidate.network ? "-" : "features";
    outcome.layer_selection = {{"method", "none"}, {"candidates", Json::array()}};
    outcome.warnings.push_back(
        "a network that does not change in time has no object-solution times, and no score");
    return outcome;
  }
  const auto wanted = *score_request(candidate, *this, workbench);  // the layer in every bin
  std::vector<at::Tensor> bins;
  for (const auto& reduced : reduced_for(candidate, wanted, workbench, outcome.times))
    bins.push_back(reduced.values);
  const Timer fit;
  const Stage mapping(StageName::kMapping);
  auto images = data.images;
  images.features = at::stack(bins, 2);
  at::Tensor predicted;
  const auto evaluation = evaluate_solution_times(images, predicted);
  scored.raw = evaluation.estimate;
  outcome.warnings = evaluation.warnings;
  scored.raw.ci_lo = scored.raw.ci_hi = none;
  scored.ceiled = scored.raw.value / fixed_ceiling;
  scored.ceiled_error = scored.raw.error / fixed_ceiling;
  outcome.fit_s = fit.seconds();
  outcome.layer = without_window(wanted.layers.front());
  outcome.n["time_bins"] = bins.size();
  return outcome;
}

}  // namespace cortiscore
