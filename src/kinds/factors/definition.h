#pragma once
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "src/engine/benchmark.h"
#include "src/engine/outcome.h"
#include "src/metric/factor_terms.h"

namespace cortiscore {

/// How many of a layer's dimensions a factor of the stimuli has: factor_dimensionality.
/// BENCHMARKS.md 1.4.
class FactorBenchmark final : public Benchmark {
 public:
  using Benchmark::Benchmark;
  static std::shared_ptr<const Benchmark> read(Manifest manifest, ManifestReader& reader);

  std::string factor;  ///< "shape" or "texture"
  uint32_t pair_seed = 0;
  double fixed_ceiling = std::numeric_limits<double>::quiet_NaN();  ///< as it was published

  std::vector<std::string> files() const override;
  const Recordings& recordings(Workbench& workbench) const override;
  LayerRule layer_rule() const override;
  std::optional<NamedReduction> reduction(Workbench& workbench) const override;
  Outcome score(const Candidate& candidate, Workbench& workbench) const override;
  std::string ceiling_name() const override;
  void measure(Json& measured, Workbench& workbench) const override;
};

/// Every stimulus with a partner that shares one of its factors, drawn as the platform's Islam2021
/// draws them.
struct FactorData : Recordings {
  FactorPairs pairs;
};
/// Read once a workbench for all benchmarks with the same pairs. @throws Error(kBadInput)  a
/// stimulus without a partner
const FactorData& factor_data(const FactorBenchmark& benchmark, Workbench& workbench);

/// "shape" and "texture", in the order of their codes.
const std::vector<std::string>& factor_names();
/// What pairs depend on beside the stimuli: equal for benchmarks that share them.
std::string name_of_pairs(const FactorBenchmark& benchmark);

}  // namespace cortiscore
