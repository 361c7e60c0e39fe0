#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/activations/extract.h"
#include "src/core/progress.h"
#include "src/engine/outcome.h"
#include "src/linalg/gram.h"
#include "src/mapping/logistic.h"
#include "src/score/behavior.h"

namespace cortiscore {
namespace {

const BehavioralData& load(const Benchmark& benchmark, Workbench& workbench, Outcome& outcome) {
  const Timer timer;
  const auto& data = workbench.behavior(benchmark);
  outcome.load_s = timer.seconds();
  outcome.data_sha256 = data.data_sha256;
  return data;
}

// The one layer that a choice is read from, as it is.
at::Tensor activations_of(const Candidate& candidate,
                          const Benchmark& benchmark,
                          const std::vector<std::string>& layers,
                          Workbench& workbench,
                          Outcome& outcome) {
  const NamedReduction whole = {"activations", [](const at::Tensor& all) { return all; }};
  return reduced_for(candidate, benchmark, layers, whole, workbench, outcome.times)[0].values;
}

// A network's choices on the test stimuli, beside those of subjects.
void compare_choices(const at::Tensor& correct,
                     const BehavioralData& data,
                     const BootstrapOptions& bootstrap,
                     Outcome& outcome) {
  const auto subjects = data.correct.to(correct.device());
  outcome.score = error_consistency_score(correct, subjects, bootstrap);
  outcome.convention = "raw_over_ceiling_clipped";
  outcome.resampled = "presentation";
  outcome.n = {{"stimuli", correct.size(0)},
               {"subjects", data.subjects.size()},
               {"accuracy_network", number(share_of(correct))},
               {"accuracy_subjects", number(share_of(subjects))}};
}

}  // namespace

Outcome score_readout(const Candidate& candidate,
                      const Benchmark& benchmark,
                      Workbench& workbench) {
  const auto& options = workbench.options();
  Outcome outcome;
  const auto& data = load(benchmark, workbench, outcome);

  const auto layers = layers_for(candidate, benchmark, options);
  const auto features = activations_of(candidate, benchmark, layers, workbench, outcome);

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
  compare_choices(chosen == labels.narrow(0, data.n_fit, n_test), data, options.bootstrap, outcome);
  outcome.fit_s = fit.seconds();
  outcome.n["stimuli_fit"] = data.n_fit;
  outcome.layer = layers[0];
  outcome.layer_selection = {{"method", "last"}, {"candidates", layers}};
  outcome.metric = {{"name", "error_consistency"},
                    {"params", {{"readout", "logistic"}, {"C", benchmark.readout_c}}}};
  return outcome;
}

Outcome score_decisions(const Candidate& candidate,
                        const Benchmark& benchmark,
                        Workbench& workbench) {
  const auto& options = workbench.options();
  Outcome outcome;
  const auto& data = load(benchmark, workbench, outcome);

  const auto layers = layers_for(candidate, benchmark, options);
  const int64_t n_outputs = candidate.network ? candidate.network->layer(layers[0]).n_features()
                                              : candidate.features.size(1);
  if (n_outputs != benchmark.n_outputs) {
    throw bad_input({candidate.path, layers[0], std::to_string(n_outputs) + " features",
                     "the " + std::to_string(benchmark.n_outputs) +
                         " logits of a classifier whose outputs " + benchmark.classes + " numbers",
                     "Name the layer of its logits with --layer " + benchmark.region + "=LAYER"});
  }
  const auto logits = activations_of(candidate, benchmark, layers, workbench, outcome);

  const Timer fit;
  const auto probabilities = at::softmax(logits.to(at::kDouble), 1);
  std::vector<at::Tensor> of_category;
  for (const auto& outputs : data.outputs) {
    const auto index = at::tensor(outputs, at::kLong).to(logits.device());
    of_category.push_back(probabilities.index_select(1, index).mean(1));
  }
  const auto chosen = at::stack(of_category, 1).argmax(1);
  const auto truth = at::tensor(data.truth, at::kLong).to(logits.device());
  if (benchmark.metric == "shape_bias") {
    const auto texture = at::tensor(data.texture, at::kLong).to(logits.device());
    outcome.score = shape_bias_score(chosen, truth, texture, options.bootstrap);
    outcome.resampled = "presentation";
    outcome.n = {{"stimuli", chosen.size(0)},
                 {"subjects", data.subjects.size()},
                 {"shape_bias_subjects",
                  number(shape_bias(data.chosen.to(logits.device()), truth, texture))}};
  } else {
    compare_choices(chosen == truth, data, options.bootstrap, outcome);
  }
  outcome.fit_s = fit.seconds();
  outcome.layer = layers[0];
  outcome.layer_selection = {{"method", "output"}, {"candidates", layers}};
  outcome.metric = {{"name", benchmark.metric}, {"params", {{"readout", "imagenet_classes"}}}};
  return outcome;
}

}  // namespace cortiscore
