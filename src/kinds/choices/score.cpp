#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/activations/extract.h"
#include "src/core/progress.h"
#include "src/core/stage.h"
#include "src/engine/candidate.h"
#include "src/kinds/choices/data.h"
#include "src/mapping/logistic.h"
#include "src/metric/choice_patterns.h"
#include "src/score/behavior.h"

namespace cortiscore {
namespace {

SubjectChoices on_device(const SubjectChoices& choices, const at::Device& device) {
  auto there = choices;
  there.correct = choices.correct.to(device);
  there.there = choices.there.to(device);
  there.condition = choices.condition.to(device);
  return there;
}

// What the benchmark's metric makes of raw and ceiling (BENCHMARKS.md 1.5).
CeilingConvention convention_of(const ChoiceBenchmark& benchmark) {
  using Ratio = CeilingConvention::Ratio;
  if (benchmark.metric == "match") return {Ratio::kROverC, /*clip=*/true, /*chance=*/1.0 / 3};
  if (benchmark.metric == "condition_accuracy") return {Ratio::kROverCSquared};
  return {Ratio::kROverC, benchmark.clipped || benchmark.metric == "error_consistency"};
}

// A network's choices on the test stimuli, beside those of subjects.
void compare_with_subjects(const ChoiceBenchmark& benchmark,
                           const at::Tensor& correct,
                           const ChoiceData& data,
                           const BootstrapOptions& bootstrap,
                           Outcome& outcome) {
  const auto subjects = on_device(data.choices, correct.device());
  outcome.score = choice_score(choice_metric(benchmark.metric), correct, subjects,
                               convention_of(benchmark), bootstrap);
  outcome.n["conditions"] = subjects.n_conditions;
  outcome.n["accuracy_subjects"] = number(share_of(subjects.correct.masked_select(subjects.there)));
}

// The same, in the cells that the metric compares.
void compare_cells(const ChoiceBenchmark& benchmark,
                   const at::Tensor& chosen,
                   const at::Tensor& truth,
                   const ChoiceData& data,
                   const BootstrapOptions& bootstrap,
                   Outcome& outcome) {
  const auto subjects = data.cells.to(chosen.device());
  const int64_t n = chosen.size(0), n_cells = subjects.all.size(2);
  const auto k = static_cast<int64_t>(data.class_names.size());
  const auto cell = benchmark.metric == "confusion_similarity" ? truth * k + chosen
                                                               : data.cell.to(chosen.device());
  const auto network = count_trials(at::arange(n, chosen.options()), at::zeros_like(chosen), cell,
                                    chosen == truth, n, 1, n_cells);
  outcome.score = cell_score(data.cell_metric, network, subjects, benchmark.fixed_ceiling,
                             convention_of(benchmark), bootstrap);
  outcome.n["conditions"] = n_cells;
  outcome.n["accuracy_subjects"] = number(share_right(subjects));
}

void compare_cues(const ChoiceBenchmark& benchmark,
                  const at::Tensor& chosen,
                  const at::Tensor& truth,
                  const ChoiceData& data,
                  const BootstrapOptions& bootstrap,
                  Outcome& outcome) {
  const auto texture = at::tensor(data.texture, at::kLong).to(chosen.device());
  outcome.score =
      shape_bias_score(chosen, truth, texture, benchmark.metric == "shape_match", bootstrap);
  if (data.chosen.defined())
    outcome.n["shape_bias_subjects"] =
        number(shape_bias(data.chosen.to(chosen.device()), truth, texture));
}

// A network's choices on the test stimuli. @param chosen  [n_test] int64 class codes
void compare_choices(const ChoiceBenchmark& benchmark,
                     const at::Tensor& chosen,
                     const ChoiceData& data,
                     const BootstrapOptions& bootstrap,
                     Outcome& outcome) {
  const auto truth = at::tensor(data.truth, at::kLong).to(chosen.device());
  outcome.n = {{"stimuli", chosen.size(0)},
               {"accuracy_network", number(share_of(chosen == truth))}};
  if (!data.subjects.empty()) outcome.n["subjects"] = data.subjects.size();
  outcome.resampled = "presentation";
  if (is_cell_metric(benchmark.metric))
    compare_cells(benchmark, chosen, truth, data, bootstrap, outcome);
  else if (!benchmark.texture_column.empty())
    compare_cues(benchmark, chosen, truth, data, bootstrap, outcome);
  else if (benchmark.metric == "accuracy")
    outcome.score = accuracy_score(chosen == truth, benchmark.fixed_ceiling,
                                   convention_of(benchmark), bootstrap);
  else
    compare_with_subjects(benchmark, chosen == truth, data, bootstrap, outcome);
}

// A network's confusions on the test images, beside those of all subjects.
void compare_patterns(const ChoiceBenchmark& benchmark,
                      const at::Tensor& probabilities,
                      const ChoiceData& data,
                      const BootstrapOptions& bootstrap,
                      Outcome& outcome) {
  const auto on = probabilities.device();
  const auto truth = at::tensor(data.truth, at::kLong).to(on);
  const auto objects = at::tensor(data.objects, at::kLong).to(on);
  const auto confusion = confusion_of_probabilities(probabilities.index_select(1, objects), truth);
  const TwoWayTrials trials{data.trials.stimulus.to(on), data.trials.choice.to(on),
                            data.trials.sample.to(on), data.trials.distractor.to(on)};
  outcome.score = pattern_score(pattern_name(benchmark.metric), confusion, trials, truth,
                                benchmark.skipna, bootstrap);
  outcome.resampled = "presentation";
  outcome.n = {{"stimuli", truth.size(0)},
               {"objects", objects.size(0)},
               {"trials", trials.stimulus.size(0)},
               {"subjects", data.subjects.size()}};
}

}  // namespace

Outcome ReadoutBenchmark::score(const Candidate& candidate, Workbench& workbench) const {
  const auto& benchmark = *this;
  const auto& options = workbench.options();
  Outcome outcome;
  const auto& data = this->data(workbench);
  const auto wanted = *score_request(candidate, *this, workbench);
  const auto& layers = wanted.layers;  // the one that a choice is read from
  const auto features = reduced_for(candidate, wanted, workbench, outcome.times)[0].values;

  const Timer fit;
  const Stage mapping(StageName::kMapping);
  const auto labels = at::tensor(data.labels, at::kLong).to(features.device());
  const auto test = at::tensor(data.test, at::kLong).to(features.device());
  const auto probabilities =
      fit_readout(features, labels, static_cast<int64_t>(data.class_names.size()),
                  benchmark.readout_c)
          .probabilities(test);
  if (is_pattern_name(benchmark.metric))
    compare_patterns(benchmark, probabilities, data, options.bootstrap, outcome);
  else
    compare_choices(benchmark, probabilities.argmax(1), data, options.bootstrap, outcome);
  outcome.fit_s = fit.seconds();
  outcome.n["stimuli_fit"] = data.n_fit;
  outcome.layer = layers[0];
  outcome.params = {{"readout", "logistic"}, {"C", benchmark.readout_c}};
  return outcome;
}

Outcome DecisionsBenchmark::score(const Candidate& candidate, Workbench& workbench) const {
  const auto& benchmark = *this;
  const auto& options = workbench.options();
  Outcome outcome;
  const auto& data = this->data(workbench);
  const auto wanted = *score_request(candidate, *this, workbench);
  const auto& layers = wanted.layers;
  const int64_t n_features = candidate.network ? candidate.network->layer(layers[0]).n_features()
                                               : candidate.features.size(1);
  if (n_features != n_outputs) {
    throw bad_input({candidate.path, layers[0], std::to_string(n_features) + " features",
                     "the " + std::to_string(n_outputs) + " logits of a classifier whose outputs " +
                         benchmark.classes.front() + " numbers",
                     "Name the layer of its logits with --layer " + benchmark.region + "=LAYER"});
  }
  const auto logits = reduced_for(candidate, wanted, workbench, outcome.times)[0].values;

  const Timer fit;
  const Stage mapping(StageName::kMapping);
  const auto probabilities = at::softmax(logits.to(at::kDouble), 1);
  std::vector<at::Tensor> of_category;
  for (const auto& outputs : data.outputs) {
    const auto index = at::tensor(outputs, at::kLong).to(logits.device());
    of_category.push_back(probabilities.index_select(1, index).mean(1));
  }
  const auto chosen = at::stack(of_category, 1).argmax(1);
  compare_choices(benchmark, chosen, data, options.bootstrap, outcome);
  outcome.fit_s = fit.seconds();
  outcome.layer = layers[0];
  outcome.params["readout"] = "imagenet_classes";
  return outcome;
}

Outcome OddOneOutBenchmark::score(const Candidate& candidate, Workbench& workbench) const {
  const auto& benchmark = *this;
  const auto& options = workbench.options();
  Outcome outcome;
  const auto& data = this->data(workbench);
  const auto wanted = *score_request(candidate, *this, workbench);
  const auto features = reduced_for(candidate, wanted, workbench, outcome.times)[0].values;

  const Timer fit;
  const Stage mapping(StageName::kMapping);
  const auto odd = odd_one_out(features, data.triplets.to(features.device()));
  outcome.score = accuracy_score(odd == data.odd.to(features.device()), benchmark.fixed_ceiling,
                                 convention_of(benchmark), options.bootstrap);
  outcome.resampled = "triplet";
  outcome.n = {
      {"stimuli", features.size(0)}, {"triplets", odd.size(0)}, {"subjects", data.subjects.size()}};
  outcome.fit_s = fit.seconds();
  outcome.layer = wanted.layers[0];
  outcome.params = {{"readout", "odd_one_out"}, {"similarity", "dot"}};
  return outcome;
}

}  // namespace cortiscore
