#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "src/core/progress.h"
#include "src/engine/layer_halves.h"
#include "src/metric/rdm.h"
#include "src/score/diagnostics.h"
#include "src/score/statistics.h"

namespace cortiscore {
namespace {

// A layer's RDM among the stimuli of a part, as it is compared.
at::Tensor among(const ReducedLayer& layer, const RdmPart& part) {
  return compared_pairs(layer.values.index_select(0, part.index).index_select(1, part.index),
                        part.subjects.comparison);
}

std::string convention_of(const Benchmark& benchmark) {
  return name_of(benchmark.rdm_convention) + (benchmark.clipped ? "_clipped" : "");
}

void clip(Score& score, double level) {
  score.ceiled = std::clamp(score.ceiled, 0.0, 1.0);
  for (auto& draw : score.ceiled_draws) draw = std::clamp(draw, 0.0, 1.0);
  score.ceiled_error = deviation(score.ceiled_draws, 1);
  set_interval(score.ceiled_draws, level, score.ceiled_ci_lo, score.ceiled_ci_hi);
}

Score score_part(const ReducedLayer& layer,
                 const RdmPart& part,
                 const Benchmark& benchmark,
                 const BootstrapOptions& bootstrap,
                 std::vector<std::string>& warnings) {
  auto raw = rdm_similarity_with_draws(among(layer, part), part.subjects, bootstrap);
  if (std::isnan(raw.value)) {
    warnings.push_back(
        layer.layer + ": a stimulus has one and the same activation in every " +
        (benchmark.responsive_units ? "unit that stands out, or none does" : "feature") +
        ", so its dissimilarities are undefined and there is no score");
  }
  auto score =
      ceiled_by_draws(std::move(raw), part.ceiling, benchmark.rdm_convention, bootstrap.level);
  if (benchmark.clipped) clip(score, bootstrap.level);
  return score;
}

}  // namespace

Outcome score_rdm(const Candidate& candidate, const Benchmark& benchmark, Workbench& workbench) {
  const auto& options = workbench.options();
  Outcome outcome;
  auto& prepared = workbench.rdm(benchmark);
  const auto& data = prepared.data();
  const auto reduced = reduced_for(candidate, score_request(candidate, benchmark, options),
                                   workbench, outcome.times);
  const Timer fit;
  std::vector<Score> parts;
  score_chosen_layers(
      benchmark, options, reduced, prepared,
      [](const ReducedLayer& layer, const RdmPart& part) {
        return rdm_similarity(among(layer, part), part.subjects).value;
      },
      [&](const ReducedLayer& layer, const RdmPart& part) {
        parts.push_back(score_part(layer, part, benchmark, options.bootstrap, outcome.warnings));
      },
      outcome);
  std::vector<std::string> undefined;
  for (int64_t s = 0; s < parts.front().raw.per_neuroid.size(1); ++s) {
    const auto at = static_cast<size_t>(s);
    if (!std::isnan(parts.front().raw.value) &&
        std::isnan(parts.front().raw.per_neuroid.const_data_ptr<double>()[s]))
      undefined.push_back(at < data.subjects.size() ? data.subjects[at] : std::to_string(s));
  }
  for (auto& warning :
       left_out(static_cast<size_t>(parts.front().raw.per_neuroid.size(1)), "subjects",
                "have an RDM of one and the same value and are left out of the mean", undefined))
    outcome.warnings.push_back(std::move(warning));
  outcome.score = parts.size() == 1 ? parts[0] : mean_of_halves(parts, options.bootstrap);
  outcome.n = {{"stimuli", data.stimuli.size()}, {"subjects", data.subjects.size()}};
  outcome.metric = {
      {"name", benchmark.metric},
      {"params",
       {{"distance", name_of(benchmark.distance)}, {"comparison", name_of(benchmark.comparison)}}}};
  if (benchmark.responsive_units) outcome.metric["params"]["units"] = "responsive";
  outcome.resampled = "presentation";
  if (benchmark.ceiled) outcome.convention = convention_of(benchmark);
  outcome.fit_s = fit.seconds();
  return outcome;
}

}  // namespace cortiscore
