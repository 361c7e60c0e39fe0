#pragma once
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "src/engine/benchmark.h"
#include "src/engine/outcome.h"

namespace cortiscore {

/// When a network's time bins tell objects, beside IT: ost. BENCHMARKS.md 1.7.
class SolutionTimeBenchmark final : public Benchmark {
 public:
  using Benchmark::Benchmark;
  static std::shared_ptr<const Benchmark> read(Manifest manifest, ManifestReader& reader);

  std::string choices;  ///< assembly or CSV of truth, ost and i1 by stimulus
  std::vector<std::pair<double, double>> bins_ms;                   ///< time bins that are read out
  double fixed_ceiling = std::numeric_limits<double>::quiet_NaN();  ///< as it was published

  std::vector<std::string> files() const override;
  const Recordings& recordings(Workbench& workbench) const override;
  LayerRule layer_rule() const override;
  Outcome score(const Candidate& candidate, Workbench& workbench) const override;
  std::string ceiling_name() const override;
  void measure(Json& measured, Workbench& workbench) const override;
};

}  // namespace cortiscore
