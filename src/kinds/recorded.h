#pragma once
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "src/benchmark/responses.h"
#include "src/engine/benchmark.h"

namespace cortiscore {

/// What kinds on recorded responses have in common: the responses, the windows of time in which a
/// layer is taken, and layers that compete (layer_choice.h).
class RecordedBenchmark : public Benchmark {
 public:
  using Benchmark::Benchmark;

  ResponseFiles responses;
  /// Layers may compete; where they do so on halves, those alternate by this column. Empty: one
  /// layer on all presentations.
  std::string select_by;

  std::vector<std::string> files() const override;
  LayerRule layer_rule() const override;
  void describe(Json& json) const override;

 protected:
  /// `layer_selection`.
  void read_selection(ManifestReader& reader);
};

/// The populations of a benchmark that has several, each as one of the same kind.
/// @tparam Kind  has `responses`, a ResponseFiles
template <typename Kind>
Benchmarks populations_of(const Kind& benchmark) {
  Benchmarks all;
  if (benchmark.responses.assemblies.size() < 2) return all;
  for (const auto& assembly : benchmark.responses.assemblies) {
    auto one = std::make_shared<Kind>(benchmark);
    become_population(*one, assembly.identifier);
    one->responses.assemblies = {assembly};
    all.push_back(std::move(one));
  }
  return all;
}

}  // namespace cortiscore
