#pragma once
#include <ATen/core/Tensor.h>

#include "src/activations/coordinates.h"
#include "src/engine/score_network.h"

namespace cortiscore {

/// What a benchmark of one kind leaves for the record.
struct Outcome {
  Score score;
  std::string layer;  ///< "a + b" where two halves chose differently
  Json layer_selection, n, populations = Json::array(), metric;
  std::string resampled;  ///< what intervals resample
  std::vector<std::string> warnings, data_sha256;
  ExtractionTimes times;
  double load_s = 0, fit_s = 0;
};

Outcome score_neural(const Candidate& candidate, const Benchmark& benchmark, Workbench& workbench);
Outcome score_behavior(const Candidate& candidate,
                       const Benchmark& benchmark,
                       Workbench& workbench);

/// The layers to try for a region: the committed one, or candidates.
std::vector<std::string> layers_for(const Candidate& candidate,
                                    const std::string& region,
                                    const ScoreOptions& options,
                                    int64_t min_features);

/// Coordinates of every layer on the stimuli, or of the precomputed features.
std::vector<LayerCoordinates> coordinates_for(const Candidate& candidate,
                                              const Benchmark& benchmark,
                                              const std::vector<std::string>& layers,
                                              Workbench& workbench,
                                              ExtractionTimes& times);

Json estimate_json(const Estimate& estimate, const char* key);

}  // namespace cortiscore
