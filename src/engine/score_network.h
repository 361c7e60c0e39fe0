#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "src/core/failure.h"
#include "src/engine/activation_plan.h"
#include "src/engine/workbench.h"
#include "src/model/network.h"
#include "src/results/store.h"

namespace cortiscore {

/// What is scored: a network, or activations that were computed elsewhere.
struct Candidate {
  std::optional<Network> network;
  std::string identifier;
  std::string path;
  at::Tensor
      features;  ///< [n_stimuli, n_features] in the order of the stimulus set, without a network
  std::string sha256;  ///< of the features
  std::string
      fingerprint;  ///< of all that its activations depend on: graph, weights, preprocessing; or the features
  std::shared_ptr<ActivationPlan> plan;  ///< of its forward passes; with a network
  double open_s = 0;  ///< seconds to read it: a network, or weights for a graph that is there
};

Candidate candidate_of(Network network);

/// A .pt2 archive, or an .npy/.nc/.csv matrix of activations, on a device.
Candidate open_candidate(const std::string& path,
                         const at::Device& device,
                         const LoadOptions& options = {});

/// Layers that are tried where none is committed: outputs of distinct graph values with at least `min_features`
/// features, evenly spaced in depth. Single calls of a module that runs several times are not among them.
std::vector<std::string> candidate_layers(const Network& network,
                                          int64_t count,
                                          int64_t min_features);

/// One candidate on one benchmark: the record of docs/formats.md, schema version 1. Timings apart, the same inputs give
/// the same record.
Json score_network(const Candidate& candidate, const Benchmark& benchmark, Workbench& workbench);

/// Runs `body`; what it throws becomes a value, but for Stopped and for a store that cannot be written.
std::optional<Failure> attempt(const std::function<void()>& body);

/// @param identifier  the network's, or its file's stem where it did not open
Json failure_record(const std::string& identifier,
                    const std::string& path,
                    const Benchmark& benchmark,
                    const Failure& failure);

/// A pair's record, from the store where that has it under this name (`stored`), or under another name (then stored
/// under this one too), else scored and stored.
/// @param store  null: nothing is looked up or stored
/// @param tags   an object that the record carries
struct PairResult {
  Json record;
  bool stored = false;
};
PairResult score_pair(const Candidate& candidate,
                      const Benchmark& benchmark,
                      Workbench& workbench,
                      Store* store,
                      bool again,
                      const Json& tags = Json::object());

/// Announces what scoring on `benchmarks` takes of a candidate's forward passes, so that those on the same stimuli share
/// one. What the store holds is left out (unless `again`), and what cannot be read or has no layer to score: that says so
/// when its turn comes.
void plan_scores(const Candidate& candidate,
                 const std::vector<Benchmark>& benchmarks,
                 Workbench& workbench,
                 Store* store,
                 bool again);

/// What a record's scores depend on; equal keys mean that the work is done already.
/// @param fingerprint  the candidate's
std::string record_key(const std::string& fingerprint,
                       const Benchmark& benchmark,
                       Workbench& workbench);

}  // namespace cortiscore
