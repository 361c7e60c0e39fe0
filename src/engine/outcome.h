#pragma once
#include <string>
#include <vector>

#include "cortiscore/score.h"
#include "src/activations/reduce.h"
#include "src/results/json.h"

namespace cortiscore {

/// What a benchmark of one kind leaves for the record.
struct Outcome {
  Score score;
  std::string layer;     ///< "a + b" where two halves chose differently
  Json layer_selection;  ///< null where layer_selection_json says it
  Json n, populations = Json::array(), params = Json::object();  ///< params: of the metric
  std::string resampled;                                         ///< what intervals resample
  bool per_neuroid = false;  ///< score.raw.per_neuroid is that, and goes into the record
  Json null;                 ///< null_json; null where the kind has none
  std::vector<std::string> warnings;
  ExtractionTimes times;
  double fit_s = 0, null_s = 0;
};

/// Layers on all presentations of a benchmark, in the order of the request.
struct LayerScores {
  Estimate ceiling;
  std::vector<Estimate> raw;  ///< with their bootstrap intervals
};

/// The layer of highest value, NaN below all. @param values  a layer
size_t best_of(const std::vector<double>& values);

/// Milliseconds of forward passes and what they went to (docs/formats.md).
Json timing_json(const ExtractionTimes& times);
/// `peak_bytes` of a record (docs/formats.md).
Json peak_bytes_json(const ExtractionTimes& times);

Json estimate_json(const Estimate& estimate, const char* key);

}  // namespace cortiscore
