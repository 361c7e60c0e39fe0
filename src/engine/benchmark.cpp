#include "src/engine/benchmark.h"

#include <algorithm>

#include "cortiscore/error.h"
#include "src/activations/extract.h"
#include "src/engine/candidate.h"
#include "src/engine/outcome.h"

namespace cortiscore {
namespace {

[[noreturn]] void refuse_profile(const Benchmark& benchmark) {
  const bool committed = benchmark.layer_rule().otherwise == LayerRule::Otherwise::kNothing;
  throw Error(ErrorKind::kUsage,
              benchmark.identifier +
                  (committed ? " looks at one committed layer: profile layers on neural benchmarks "
                               "that map, or compare RDMs."
                             : " is behaviour, whose readout has one place in a network: profile "
                               "layers on neural benchmarks."));
}

}  // namespace

std::optional<NamedReduction> Benchmark::reduction(Workbench& /*workbench*/) const {
  return all_activations();
}

NamedReduction Benchmark::profile_reduction(Workbench& /*workbench*/) const {
  refuse_profile(*this);
}

LayerScores Benchmark::profile(const std::vector<ReducedLayer>& /*layers*/,
                               Workbench& /*workbench*/) const {
  refuse_profile(*this);
}

void Benchmark::describe(Json& json) const {
  if (neural) json["layer_selection"] = "none: commit to a layer";
}

bool is_here(const Benchmark& benchmark) {
  const auto files = benchmark.files();
  return std::none_of(files.begin(), files.end(),
                      [&](const std::string& file) { return place_of(benchmark, file).empty(); });
}

ShownStimuli shown_stimuli(const Benchmark& benchmark, Workbench& workbench) {
  const auto& recordings = benchmark.recordings(workbench);
  return {&recordings.stimuli, recordings.data_sha256.back(), benchmark.visual_degrees, 1};
}

std::optional<ActivationRequest> score_request(const Candidate& candidate,
                                               const Benchmark& benchmark,
                                               Workbench& workbench) {
  auto reduction = benchmark.reduction(workbench);
  if (!reduction) return std::nullopt;
  auto layers = layers_for(candidate, benchmark, workbench.options());
  return ActivationRequest{shown_stimuli(benchmark, workbench), std::move(layers),
                           std::move(*reduction)};
}

ActivationRequest profile_request(const Candidate& candidate,
                                  const Benchmark& benchmark,
                                  const std::vector<std::string>& layers,
                                  Workbench& workbench) {
  auto reduction = benchmark.profile_reduction(workbench);
  ActivationRequest request = {shown_stimuli(benchmark, workbench), layers, std::move(reduction)};
  if (candidate.network) {
    for (auto& layer : request.layers) layer = in_window_of(benchmark, *candidate.network, layer);
  }
  return request;
}

void add_ceiling(Json& measured, const Estimate& ceiling) {
  measured["ceiling"] = number(ceiling.value);
  measured["ceiling_error"] = number(ceiling.error);
}

}  // namespace cortiscore
