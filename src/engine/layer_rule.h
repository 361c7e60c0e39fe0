#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "src/benchmark/responses.h"
#include "src/results/json.h"

namespace cortiscore {

class Benchmark;
struct Candidate;
class Network;
struct ScoreOptions;

/// Which layers of a network a benchmark looks at.
struct LayerRule {
  /// Where none is committed to.
  enum class Otherwise {
    kCompete,       ///< several compete: candidate_layers()
    kBeforeOutput,  ///< what feeds the output: the last layer but one
    kOutput,        ///< the output; a layer named for every region is not meant
    kNothing        ///< none: one must be committed to
  };

  explicit LayerRule(Otherwise rule = Otherwise::kCompete) : otherwise(rule) {}

  Otherwise otherwise;
  int64_t min_features = 1;
  std::string needs = "a layer to score";  ///< in words, where no layer has as many features
  /// Whose windows a layer is taken in; the benchmark's own, which outlives the rule.
  const std::vector<AssemblyFile>* assemblies = nullptr;
  std::vector<std::pair<double, double>> every_bin_ms;  ///< the layer is looked at in each of these
};

/// The layers that a benchmark looks at: the committed one, or those of its rule.
/// @throws Error(kUsage, kBadInput, kUnknownName)  no layer to score
std::vector<std::string> layers_for(const Candidate& candidate,
                                    const Benchmark& benchmark,
                                    const ScoreOptions& options);

/// A layer in the benchmark's window of time, where its calls stand for time bins; else the layer.
/// @throws Error(kBadInput)  time bins that do not cover the window
std::string in_window_of(const Benchmark& benchmark,
                         const Network& network,
                         const std::string& layer);

/// The layer that was committed to for a benchmark, by a map or by hand; empty without one.
std::string committed_layer(const ScoreOptions& options, const Benchmark& benchmark);

/// What a record says of how its layer was found: committed to (with what it was chosen on),
/// `last`, `output`, or the `only` one that could compete.
/// @param layers  those of layers_for: one
Json layer_selection_json(const Candidate& candidate,
                          const Benchmark& benchmark,
                          const ScoreOptions& options,
                          const std::vector<std::string>& layers);

/// The layers that were not tried since they are unusable, in one sentence with what was found in
/// each; empty without any.
std::string left_out_layers(const Network& network);

}  // namespace cortiscore
