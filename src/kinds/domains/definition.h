#pragma once
#include <memory>
#include <string>
#include <vector>

#include "src/benchmark/split_rule.h"
#include "src/engine/benchmark.h"
#include "src/engine/outcome.h"

namespace cortiscore {

/// How well objects are read out of a layer in each of several domains: two_way_accuracy.
/// BENCHMARKS.md 1.6.
class DomainBenchmark final : public Benchmark {
 public:
  using Benchmark::Benchmark;
  static std::shared_ptr<const Benchmark> read(Manifest manifest, ManifestReader& reader);

  std::string domain;          ///< column of domains
  SplitRule splits;            ///< within a domain, stratified by the object's column
  std::vector<double> alphas;  ///< penalties of the readout, of which the best is taken

  std::vector<std::string> files() const override;
  const Recordings& recordings(Workbench& workbench) const override;
  LayerRule layer_rule() const override;
  Outcome score(const Candidate& candidate, Workbench& workbench) const override;
  std::string ceiling_name() const override;
  void measure(Json& measured, Workbench& workbench) const override;
};

}  // namespace cortiscore
