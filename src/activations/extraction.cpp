#include "src/activations/extraction.h"

#include "src/activations/extract.h"
#include "src/core/progress.h"

namespace cortiscore {
namespace {

Assembly as_assembly(const Network& network,
                     const StimulusSet& stimuli,
                     const std::string& layer,
                     const at::Tensor& activations) {
  Assembly assembly;
  assembly.identifier = network.identifier();
  assembly.dims = {"presentation", "neuroid"};
  assembly.values = activations;
  const auto trials = activations.size(0) / stimuli.size();
  std::vector<std::string> ids;
  for (const auto& id : stimuli.ids()) ids.insert(ids.end(), static_cast<size_t>(trials), id);
  assembly.coords["stimulus_id"] = {"presentation", std::move(ids)};
  std::vector<std::string> neuroids;
  for (int64_t i = 0; i < activations.size(1); ++i)
    neuroids.push_back(layer + "." + std::to_string(i));
  assembly.coords["layer"] = {"neuroid", std::vector<std::string>(neuroids.size(), layer)};
  assembly.coords["neuroid_id"] = {"neuroid", std::move(neuroids)};
  assembly.attributes["weights_sha256"] = network.weights_sha256();
  return assembly;
}

}  // namespace

std::vector<Assembly> extract_layers(const Network& network,
                                     const std::string& stimuli,
                                     const ExtractionOptions& options) {
  const auto shown = StimulusSet::open(stimuli);
  auto preprocessing = preprocessing_of(network, options.degrees);
  preprocessing.trials = options.repetitions;
  Screen screen(shown, preprocessing, false);
  Progress progress("presentations", screen.size());
  const auto activations =
      extract(network, screen, options.layers, [&](int64_t n) { progress.advance(n); });
  std::vector<Assembly> assemblies;
  for (size_t i = 0; i < activations.size(); ++i)
    assemblies.push_back(
        as_assembly(network, shown, options.layers[i], activations[i].to(at::kCPU)));
  return assemblies;
}

}  // namespace cortiscore
