#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/core/progress.h"
#include "src/core/stage.h"
#include "src/engine/candidate.h"
#include "src/kinds/thresholds/data.h"
#include "src/mapping/logistic.h"
#include "src/metric/threshold.h"
#include "src/score/diagnostics.h"
#include "src/score/threshold_score.h"

namespace cortiscore {
namespace {

// The sets that a threshold shows, in the order in which activations without a network hold them.
std::vector<const ThresholdSet*> shown_sets(const ThresholdData& data) {
  std::vector<const ThresholdSet*> sets;
  for (const auto& fit : data.fits) sets.push_back(&fit);
  if (data.baseline) sets.push_back(&*data.baseline);
  sets.push_back(&data.test);
  return sets;
}

// A layer's activations on a set, [presentations, features]; those that several benchmarks show are
// made once.
at::Tensor activations_on(const ThresholdSet& wanted,
                          const std::string& layer,
                          const Candidate& candidate,
                          const ThresholdBenchmark& benchmark,
                          Workbench& workbench,
                          Outcome& outcome) {
  if (!candidate.network) {
    int64_t begin = 0;
    std::vector<std::string> ids;
    for (const auto* set : shown_sets(threshold_data(benchmark, workbench))) {
      if (set == &wanted) begin = static_cast<int64_t>(ids.size());
      for (const auto& id : workbench.opened(benchmark, set->file).stimuli.ids())
        ids.insert(ids.end(), static_cast<size_t>(set->trials), id);
    }
    const auto features = features_for(
        candidate, ids,
        "one a presentation: the stimuli of every fit, of the baseline and of the test, the trials "
        "of each one after the other",
        "Compute activations in the order of those files");
    return features.narrow(0, begin, wanted.n_presentations());
  }
  auto& kept = workbench.responses(candidate.fingerprint + " " + layer + " thresholds");
  const auto& opened = workbench.opened(benchmark, wanted.file);
  auto& made = kept[opened.data_sha256.back() + " " + std::to_string(wanted.trials)];
  if (!made.defined()) {
    const auto shown = shown_set(benchmark, opened, wanted.trials);
    made = reduced_for(candidate, {shown, {layer}, all_activations()}, workbench, outcome.times)[0]
               .values;
  }
  return made;
}

std::vector<int64_t> every_trial(const ThresholdSet& set) {
  std::vector<int64_t> truth;
  for (const auto code : set.truth)
    truth.insert(truth.end(), static_cast<size_t>(set.trials), code);
  return truth;
}

FoundThreshold threshold_of(const ThresholdSet& set, const at::Tensor& chosen, double accuracy) {
  std::vector<double> x;
  for (const auto value : set.x) x.insert(x.end(), static_cast<size_t>(set.trials), value);
  return find_threshold(chosen == at::tensor(every_trial(set)).to(chosen.device()), x, accuracy);
}

}  // namespace

Outcome ThresholdBenchmark::score(const Candidate& candidate, Workbench& workbench) const {
  const auto& benchmark = *this;
  const auto& options = workbench.options();
  Outcome outcome;
  const auto& data = threshold_data(benchmark, workbench);
  const auto layers = layers_for(candidate, benchmark, options);
  const auto on = [&](const ThresholdSet& set) {
    return activations_on(set, layers[0], candidate, benchmark, workbench, outcome);
  };
  const auto n_test = data.test.n_presentations();
  auto tested = on(data.test);
  if (data.baseline) tested = at::cat({tested, on(*data.baseline)});
  std::vector<double> models, accuracies;
  double fit_s = 0;
  for (const auto& fit : data.fits) {
    const auto fitted = on(fit);
    const Timer fitting;
    const Stage mapping(StageName::kMapping);
    const auto labels = at::tensor(every_trial(fit)).to(fitted.device());
    const auto readout =
        fit_readout(at::cat({fitted, tested}), labels,
                    static_cast<int64_t>(data.class_names.size()), benchmark.readout_c);
    const auto rows = at::arange(fitted.size(0), fitted.size(0) + tested.size(0), labels.options());
    const auto chosen = readout.probabilities(rows).argmax(1);
    const auto found = threshold_of(data.test, chosen.narrow(0, 0, n_test), benchmark.accuracy);
    models.push_back(found.threshold);
    accuracies.push_back(found.accuracy);
    if (data.baseline) {
      const auto baseline =
          threshold_of(*data.baseline, chosen.narrow(0, n_test, data.baseline->n_presentations()),
                       benchmark.accuracy);
      models.back() = model_elevation(models.back(), baseline.threshold);
      outcome.n["accuracy_network_baseline"] = number(baseline.accuracy);
    }
    fit_s += fitting.seconds();
  }
  outcome.score = threshold_score(models, data.thresholds, options.bootstrap);
  outcome.n.update({{"stimuli", data.test.n_stimuli},
                    {"trials", data.test.trials},
                    {"subjects", data.subjects.size()},
                    {"readouts", data.fits.size()},
                    {"accuracy_network", numbers(accuracies)},
                    {"thresholds_network", numbers(models)}});
  outcome.fit_s = fit_s;
  outcome.layer = layers[0];
  outcome.params = {{"readout", "logistic"},
                    {"C", benchmark.readout_c},
                    {"variable", benchmark.variable},
                    {"accuracy", benchmark.accuracy}};
  outcome.resampled = "subject";
  return outcome;
}

}  // namespace cortiscore
