#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "src/benchmark/responses.h"
#include "src/engine/benchmark.h"
#include "src/engine/outcome.h"

namespace cortiscore {

/// A property's distribution among units and among neuroids: ks_similarity. BENCHMARKS.md 1.3.
class PropertyBenchmark final : public Benchmark {
 public:
  using Benchmark::Benchmark;
  static std::shared_ptr<const Benchmark> read(Manifest manifest, ManifestReader& reader);

  /// Recorded properties, of which the first file is read.
  std::vector<AssemblyFile> assemblies;
  std::string property, recorded;           ///< what it is, and the file's name of it
  std::map<std::string, std::string> sets;  ///< by role: blank, receptive_field, orientation

  std::vector<std::string> files() const override;
  const Recordings& recordings(Workbench& workbench) const override;
  LayerRule layer_rule() const override;
  std::optional<NamedReduction> reduction(Workbench& workbench) const override;
  Outcome score(const Candidate& candidate, Workbench& workbench) const override;
  std::string ceiling_name() const override;
  void describe(Json& json) const override;
  void measure(Json& measured, Workbench& workbench) const override;
};

}  // namespace cortiscore
