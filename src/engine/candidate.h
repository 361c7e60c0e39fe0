#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "src/engine/activation_plan.h"
#include "src/model/network.h"

namespace cortiscore {

/// What is scored: a network, or activations that were computed elsewhere.
struct Candidate {
  std::optional<Network> network;
  std::string identifier;
  std::string path;
  /// [n_stimuli, n_features] in the order of the stimulus set, without a network
  at::Tensor features;
  std::vector<std::string>
      stimulus_ids;    ///< of the features' rows; empty where their file has none
  std::string sha256;  ///< of the features
  /// of all that its activations depend on: graph, weights, preprocessing; or the features
  std::string fingerprint;
  std::shared_ptr<ActivationPlan> plan;  ///< of its forward passes; with a network
  double open_s = 0;  ///< seconds to read it: a network, or weights for a graph that is there
};

Candidate candidate_of(Network network);

/// A .pt2 archive, or a matrix of activations (.npy, .npz, .nc, .h5, .hdf5, .csv), on a device.
/// @param variable  which array, of a file of activations that holds several
Candidate open_candidate(const std::string& path,
                         const at::Device& device,
                         const LoadOptions& options = {},
                         const std::string& variable = "");

/// The features of a candidate without a network, in the order of `ids`, one a presentation: by its
/// rows' own ids where it has them (rows of other stimuli are left out, with a line on stderr),
/// else by place.
/// @param expected  what rows there must be, in words  @param action  what to do else
/// @throws Error(kBadInput)  another number of rows, a stimulus missing or there twice
at::Tensor features_for(const Candidate& candidate,
                        const std::vector<std::string>& ids,
                        const std::string& expected,
                        const std::string& action);

}  // namespace cortiscore
