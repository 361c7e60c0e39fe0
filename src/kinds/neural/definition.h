#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "src/benchmark/split_rule.h"
#include "src/engine/outcome.h"
#include "src/kinds/recorded.h"
#include "src/metric/predictivity.h"

namespace cortiscore {

/// Layers are mapped onto recorded neuroids: pls, ridge, ridgecv, mask_regression, and their likes.
/// BENCHMARKS.md 1.0, 1.1.
class NeuralBenchmark final : public RecordedBenchmark {
 public:
  using RecordedBenchmark::RecordedBenchmark;
  static const std::vector<std::string>& metrics();
  static std::shared_ptr<const Benchmark> read(Manifest manifest, ManifestReader& reader);

  bool mean_of_populations = false;  ///< scored apart and averaged; else their neuroids pooled
  MappingOptions mapping;            ///< how layers predict neuroids
  bool reverse = false;              ///< neuroids predict the layer's units
  bool spantime = false;             ///< one mapping for all time bins, which are populations
  SplitRule splits;
  /// Halves drawn anew for every stimulus (src/ceiling/split_half_predictor.h).
  bool predictor_ceiling = false;
  int64_t ceiling_splits = 10;
  uint32_t ceiling_seed = 1;
  /// Neuroids with internal consistency above this are kept; negative: all.
  double keep_above = -1;

  const Recordings& recordings(Workbench& workbench) const override;
  LayerRule layer_rule() const override;
  bool maps_neuroids() const override { return true; }
  std::optional<NamedReduction> reduction(Workbench& workbench) const override;
  Outcome score(const Candidate& candidate, Workbench& workbench) const override;
  NamedReduction profile_reduction(Workbench& workbench) const override;
  LayerScores profile(const std::vector<ReducedLayer>& layers, Workbench& workbench) const override;
  std::string ceiling_name() const override;
  void describe(Json& json) const override;
  void measure(Json& measured, Workbench& workbench) const override;
  Benchmarks populations() const override;
};

}  // namespace cortiscore
