#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "src/core/progress.h"
#include "src/engine/activation_plan.h"
#include "src/engine/outcome.h"
#include "src/score/solution_times.h"

namespace cortiscore {
namespace {

bool changes_in_time(const Candidate& candidate) {
  if (!candidate.network) return false;
  const auto& layers = candidate.network->layers();
  return std::any_of(layers.begin(), layers.end(),
                     [](const Layer& layer) { return !layer.time_bins.empty(); });
}

}  // namespace

Outcome score_solution_times(const Candidate& candidate,
                             const Benchmark& benchmark,
                             Workbench& workbench) {
  const auto& options = workbench.options();
  Outcome outcome;
  const auto& data = workbench.solution_times(benchmark);
  outcome.n = {{"stimuli", data.stimuli.size()}, {"presentations", data.n_presentations}};
  outcome.metric = {{"name", benchmark.metric}, {"params", Json::object()}};
  outcome.convention = name_of(CeilingConvention::kROverC);
  outcome.resampled = "split";
  const double none = std::nan("");
  auto& score = outcome.score;
  score.raw.value = score.raw.error = score.raw.ci_lo = score.raw.ci_hi = none;
  score.ceiling = score.raw;
  score.ceiling.value = benchmark.fixed_ceiling;
  score.ceiled = score.ceiled_error = score.ceiled_ci_lo = score.ceiled_ci_hi = none;
  if (!changes_in_time(candidate)) {
    outcome.layer = candidate.network ? "-" : "features";
    outcome.layer_selection = {{"method", "none"}, {"candidates", Json::array()}};
    outcome.warnings.push_back(
        "a network that does not change in time has no object-solution times, and no score");
    return outcome;
  }
  const auto request = score_request(candidate, benchmark, options);  // the layer in every bin
  std::vector<at::Tensor> bins;
  for (const auto& reduced : reduced_for(candidate, request, workbench, outcome.times))
    bins.push_back(reduced.values);
  const Timer fit;
  auto images = data.images;
  images.features = at::stack(bins, 2);
  at::Tensor predicted;
  const auto evaluation = evaluate_solution_times(images, predicted);
  score.raw = evaluation.estimate;
  outcome.warnings = evaluation.warnings;
  score.raw.ci_lo = score.raw.ci_hi = none;
  score.ceiled = score.raw.value / benchmark.fixed_ceiling;
  score.ceiled_error = score.raw.error / benchmark.fixed_ceiling;
  outcome.fit_s = fit.seconds();
  outcome.layer = without_window(request.layers.front());
  outcome.layer_selection = committed_json(benchmark, options, {outcome.layer});
  outcome.n["time_bins"] = bins.size();
  return outcome;
}

}  // namespace cortiscore
