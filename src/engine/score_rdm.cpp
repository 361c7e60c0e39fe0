#include <ATen/ATen.h>

#include "src/core/progress.h"
#include "src/engine/layer_halves.h"
#include "src/metric/rdm.h"

namespace cortiscore {
namespace {

// The upper triangle of a layer's RDM among some stimuli.
at::Tensor among(const ReducedLayer& layer, const at::Tensor& rows) {
  return upper_triangle(layer.values.index_select(0, rows).index_select(1, rows));
}

Score score_part(const ReducedLayer& layer,
                 const RdmPart& part,
                 const BootstrapOptions& bootstrap,
                 std::vector<std::string>& warnings) {
  auto raw = rdm_similarity_with_draws(among(layer, part.index), part.subjects, bootstrap);
  if (std::isnan(raw.value)) {
    warnings.push_back(layer.layer +
                       ": a stimulus has one and the same activation in every feature, so its "
                       "dissimilarities are undefined and there is no score");
  }
  return ceiled_by_draws(std::move(raw), part.ceiling, CeilingConvention::kROverC, bootstrap.level);
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
        return rdm_similarity(among(layer, part.index), part.subjects).value;
      },
      [&](const ReducedLayer& layer, const RdmPart& part) {
        parts.push_back(score_part(layer, part, options.bootstrap, outcome.warnings));
      },
      outcome);
  outcome.score = parts.size() == 1 ? parts[0] : mean_of_halves(parts, options.bootstrap);
  outcome.n = {{"stimuli", data.stimuli.size()}, {"subjects", data.subjects.size()}};
  outcome.metric = {
      {"name", "rdm"},
      {"params",
       {{"distance", name_of(benchmark.distance)}, {"comparison", name_of(benchmark.comparison)}}}};
  outcome.resampled = "presentation";
  if (benchmark.ceiled) outcome.convention = name_of(CeilingConvention::kROverC);
  outcome.fit_s = fit.seconds();
  return outcome;
}

}  // namespace cortiscore
