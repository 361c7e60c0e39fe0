#include "src/kinds/thresholds/definition.h"

#include <ATen/core/Tensor.h>

#include "cortiscore/error.h"
#include "src/kinds/thresholds/data.h"
#include "src/score/threshold_score.h"

namespace cortiscore {

const std::vector<std::string>& ThresholdBenchmark::metrics() {
  static const std::vector<std::string> names = {"threshold", "threshold_elevation"};
  return names;
}

std::shared_ptr<const Benchmark> ThresholdBenchmark::read(Manifest manifest,
                                                          ManifestReader& reader) {
  auto benchmark = std::make_shared<ThresholdBenchmark>(std::move(manifest));
  auto& b = *benchmark;
  const auto& metric = reader.need("metric");
  const auto& readout = reader.need("readout");
  reader.refuse_published(b, reader.ceiling_of_behavior());
  b.choices = reader.converted<std::string>(reader.need("choices"));
  b.fit_stimulus_sets = reader.texts(readout, "fit_stimulus_set", {});
  b.label_columns = reader.texts(readout, "label", {"truth"});
  b.readout_c = reader.within(readout, "C", 1e-3, 1e-300, 1e300);
  b.variable = reader.need(metric, "variable");
  b.accuracy = reader.within(metric, "accuracy", b.accuracy, 0.5 + 1e-6, 1 - 1e-6);
  b.fit_trials = reader.within(readout, "trials", int64_t{1}, 1, 1e6);
  b.test_trials = reader.within(metric, "trials", int64_t{1}, 1, 1e6);
  if (b.fit_stimulus_sets.empty())
    throw bad_input({b.path, "readout.fit_stimulus_set", "none", "one set, or several", ""});
  if (b.metric == "threshold") return benchmark;
  const auto& baseline = reader.need("baseline");
  b.baseline_stimulus_set = baseline.at("stimulus_set");
  b.baseline_choices = baseline.at("choices");
  return benchmark;
}

std::vector<std::string> ThresholdBenchmark::files() const {
  std::vector<std::string> all = {stimulus_set, choices};
  for (const auto& file : {baseline_stimulus_set, baseline_choices}) {
    if (!file.empty()) all.push_back(file);
  }
  all.insert(all.end(), fit_stimulus_sets.begin(), fit_stimulus_sets.end());
  return all;
}

LayerRule ThresholdBenchmark::layer_rule() const {
  return LayerRule(LayerRule::Otherwise::kBeforeOutput);
}

std::optional<NamedReduction> ThresholdBenchmark::reduction(Workbench& /*workbench*/) const {
  return std::nullopt;
}

std::string ThresholdBenchmark::ceiling_name() const {
  return "each subject with the others";
}

void ThresholdBenchmark::measure(Json& measured, Workbench& workbench) const {
  const auto& data = threshold_data(*this, workbench);
  measured.update({{"subjects", data.subjects.size()},
                   {"stimuli_fit", data.fits.front().n_stimuli},
                   {"thresholds", numbers(data.thresholds)}});
  add_ceiling(measured, threshold_ceiling(data.thresholds));
}

}  // namespace cortiscore
