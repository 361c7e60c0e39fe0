#pragma once
#include <string>
#include <vector>

#include "cortiscore/assembly.h"
#include "src/model/network.h"

namespace cortiscore {

struct ExtractionOptions {
  std::vector<std::string> layers;  ///< with :cls or :mean for a class token or a mean
  double degrees = 8;               ///< visual angle of the stimuli
  /// presentations of every stimulus, moved by the platform's microsaccades: rows one after the
  /// other
  int64_t repetitions = 1;
};

/// Activations of layers on a stimulus set: an assembly a layer, presentation x neuroid, float32,
/// on the CPU, with stimulus_id, neuroid_id (LAYER.0, LAYER.1, ...) and layer.
/// @param stimuli  a CSV with stimulus_id and filename
/// @throws Error  stimuli that cannot be read, a layer that does not exist
std::vector<Assembly> extract_layers(const Network& network,
                                     const std::string& stimuli,
                                     const ExtractionOptions& options);

}  // namespace cortiscore
