#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cortiscore/score.h"
#include "src/activations/coordinates.h"
#include "src/benchmark/benchmark.h"
#include "src/model/network.h"
#include "src/ops/top_vector.h"
#include "src/results/json.h"

namespace cortiscore {

struct ScoreOptions {
  CeilingConvention convention = CeilingConvention::kR2OverC;
  std::map<std::string, std::string> layers;  ///< region -> layer; "" for every region
  int64_t n_candidates = 12;  ///< layers tried where none is given, evenly spaced in depth
  double memory_gib = 4;      ///< activations held at a time
  TopVectorMode mode = TopVectorMode::kSklearn;
  BootstrapOptions bootstrap;
};

/// What is scored: a network, or activations that were computed elsewhere.
struct Candidate {
  std::optional<Network> network;
  std::string identifier;
  std::string path;
  at::Tensor
      features;  ///< [n_stimuli, n_features] in the order of the stimulus set, without a network
  std::string sha256;  ///< of the features
  /// What its forward passes gave so far, by stimuli, degrees and layers: benchmarks that share stimuli share them.
  std::shared_ptr<std::map<std::string, std::vector<LayerCoordinates>>> cache;
};

/// A .pt2 archive, or an .npy/.nc/.csv matrix of activations.
Candidate open_candidate(const std::string& path);

/// Layers that are tried where none is committed: outputs of distinct graph values with at least `min_features`
/// features, evenly spaced in depth.
std::vector<std::string> candidate_layers(const Network& network,
                                          int64_t count,
                                          int64_t min_features);

/// One candidate on one benchmark: the record of ECOSYSTEM.md 3.3, schema version 1 (docs/formats.md). Timings apart,
/// the same inputs give the same record.
Json score_network(const Candidate& candidate,
                   const Benchmark& benchmark,
                   const ScoreOptions& options);

/// What a record's scores depend on; equal keys mean that the work is done already.
std::string record_key(const Candidate& candidate,
                       const Benchmark& benchmark,
                       const ScoreOptions& options);

}  // namespace cortiscore
