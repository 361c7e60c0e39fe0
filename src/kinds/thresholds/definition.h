#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "src/engine/benchmark.h"
#include "src/engine/outcome.h"

namespace cortiscore {

/// A readout's psychometric threshold beside those of subjects: threshold, threshold_elevation.
/// BENCHMARKS.md 1.5.
class ThresholdBenchmark final : public Benchmark {
 public:
  using Benchmark::Benchmark;
  static const std::vector<std::string>& metrics();
  static std::shared_ptr<const Benchmark> read(Manifest manifest, ManifestReader& reader);

  std::string choices;  ///< thresholds of subjects
  std::vector<std::string>
      fit_stimulus_sets;                   ///< of a readout each, over which scores are averaged
  std::vector<std::string> label_columns;  ///< the class to read out; the first that is there
  double readout_c = 1e-3;
  std::string variable;                                 ///< column of the stimulus variable
  double accuracy = 0.75;                               ///< that defines the threshold
  int64_t fit_trials = 1, test_trials = 1;              ///< of every stimulus
  std::string baseline_stimulus_set, baseline_choices;  ///< threshold_elevation: what is divided by

  std::vector<std::string> files() const override;
  const Recordings& recordings(Workbench& workbench) const override;
  LayerRule layer_rule() const override;
  std::optional<NamedReduction> reduction(Workbench& workbench) const override;
  Outcome score(const Candidate& candidate, Workbench& workbench) const override;
  std::string ceiling_name() const override;
  void measure(Json& measured, Workbench& workbench) const override;
};

}  // namespace cortiscore
