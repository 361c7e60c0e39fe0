#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/activations/extract.h"
#include "src/core/progress.h"
#include "src/engine/outcome.h"
#include "src/linalg/gram.h"
#include "src/mapping/logistic.h"
#include "src/score/behavior.h"

namespace cortiscore {

Outcome score_behavior(const Candidate& candidate,
                       const Benchmark& benchmark,
                       Workbench& workbench) {
  const auto& options = workbench.options();
  Outcome outcome;
  const Timer load;
  const auto& data = workbench.behavior(benchmark);
  outcome.load_s = load.seconds();
  outcome.data_sha256 = data.data_sha256;

  auto layers = layers_for(candidate, benchmark.region, options, 1);
  layers = {layers.back()};
  at::Tensor features = candidate.features;
  const Timer forward;
  if (candidate.network) {
    const auto bytes = data.stimuli.size() * candidate.network->layer(layers[0]).n_features() * 4;
    if (static_cast<double>(bytes) > options.memory_gib * (1 << 30)) {
      throw Error(ErrorKind::kOutOfMemory,
                  candidate.path + ": layer " + layers[0] +
                      " exceeds --memory-gib on this stimulus set. Raise it, or choose "
                      "another --layer.");
    }
    Progress progress(candidate.identifier + ": forward", data.stimuli.size());
    auto& screen =
        workbench.screen(benchmark, preprocessing_of(*candidate.network, benchmark.visual_degrees));
    features =
        extract(*candidate.network, screen, layers, [&](int64_t n) { progress.advance(n); })[0];
    outcome.times.passes = 1;
    outcome.times.peak_bytes = bytes;
  }
  outcome.times.forward_s = forward.seconds();

  const Timer fit;
  auto scaled = standardise(features, data.n_fit);
  // The readout sees features through inner products alone (the intercept takes the shift), so coordinates serve.
  if (scaled.size(1) > scaled.size(0)) scaled = isometric_coordinates(scaled);
  const auto labels = at::tensor(data.labels, at::kLong).to(features.device());
  const auto readout =
      fit_logistic(scaled.narrow(0, 0, data.n_fit), labels.narrow(0, 0, data.n_fit),
                   static_cast<int64_t>(data.class_names.size()), benchmark.readout_c);
  const int64_t n_test = scaled.size(0) - data.n_fit;
  const auto chosen = readout.probabilities(scaled.narrow(0, data.n_fit, n_test)).argmax(1);
  const auto correct = chosen == labels.narrow(0, data.n_fit, n_test);
  outcome.score =
      error_consistency_score(correct, data.correct.to(features.device()), options.bootstrap);
  outcome.fit_s = fit.seconds();
  outcome.layer = layers[0];
  outcome.layer_selection = {{"method", "last"}, {"candidates", layers}};
  outcome.n = {{"stimuli", n_test},
               {"stimuli_fit", data.n_fit},
               {"subjects", data.subjects.size()},
               {"accuracy_network", number(share_of(correct))},
               {"accuracy_subjects", number(share_of(data.correct))}};
  outcome.metric = {{"name", "error_consistency"},
                    {"params", {{"readout", "logistic"}, {"C", benchmark.readout_c}}}};
  outcome.resampled = "presentation";
  return outcome;
}

}  // namespace cortiscore
