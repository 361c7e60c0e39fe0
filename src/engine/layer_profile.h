#pragma once
#include <memory>
#include <string>
#include <vector>

#include "src/engine/score_network.h"

namespace cortiscore {

/// One layer on all presentations of a neural benchmark.
struct LayerScore {
  std::string layer;
  int64_t n_features = 0;
  Estimate raw;  ///< with its bootstrap interval
};

/// Every layer of a network on one benchmark: where along its depth a region is predicted best.
struct LayerProfile {
  std::shared_ptr<const Benchmark> benchmark;
  std::vector<std::string> data_sha256;
  Estimate ceiling;
  ExtractionTimes times;           ///< of the forward passes that this profile asked for first
  std::vector<LayerScore> layers;  ///< in order of execution
  size_t best() const;
};

/// Every distinct layer that all benchmarks can use, in order of execution.
/// @param match  only layers like this (*, ?); ending with :cls or :mean, their class tokens or
///               means. Of the names that a value has any may be like it; "" for any layer
/// @param from          of any: outputs of blocks, or all
/// @param n_candidates  of any: only so many, evenly spaced in depth; 0: all
/// @throws Error(kBadInput)  activations, which are of one layer
/// @throws Error(kUnknownName)  no layer is like that
std::vector<std::string> layers_to_profile(const Candidate& candidate,
                                           const Benchmarks& benchmarks,
                                           const std::string& match,
                                           CandidatesFrom from,
                                           int64_t n_candidates);

/// A profile as `cortiscore layers --json` prints it.
Json profile_json(const Candidate& candidate, const LayerProfile& profile);

/// Scores `layers` on all presentations of every benchmark, in one forward pass over each stimulus
/// set. Each is mapped as soon as its activations are whole, so that memory holds no more than
/// `--memory-gib` of activations.
/// @throws Error(kUsage)  a behavioural benchmark: its readout has one place
std::vector<LayerProfile> profile_layers(const Candidate& candidate,
                                         const Benchmarks& benchmarks,
                                         const std::vector<std::string>& layers,
                                         Workbench& workbench);

/// The layer of each region with the highest mean of raw scores over the region's profiles (of the
/// same layers), and what it was chosen on: the file that `--layer-map` reads (docs/formats.md).
Json commitment_json(const Candidate& candidate,
                     const std::vector<LayerProfile>& profiles,
                     Workbench& workbench);

/// Takes a commitment's layers into `options`, unless a layer of that region, or of every region,
/// is there already. A plain object of region: layer, as the platform writes it, is one too.
/// @throws Error(kBadInput)
void read_commitment(const std::string& path, ScoreOptions& options);

/// @throws Error(kUsage)  the benchmark's layer was chosen on the benchmark's own data
void check_commitment(const Benchmark& benchmark, Workbench& workbench);

}  // namespace cortiscore
