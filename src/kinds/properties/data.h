#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "src/benchmark/recordings.h"
#include "src/kinds/properties/definition.h"
#include "src/score/property_score.h"

namespace cortiscore {

/// Where gratings stood: rows of a stimulus set in the order [y, x, rest].
struct ReceptiveFieldGrid {
  std::vector<int64_t> order;
  std::vector<double> y, x;  ///< degrees
  int64_t rest = 1;
};

/// A set that a property shows: blank, receptive_field, orientation, or (no role) its own.
struct PropertySet {
  std::string role, file;
  int64_t n = 0;
  std::string sha256;  ///< of ids and images
};

/// A property of recorded neuroids, and the stimuli that find it in units.
struct PropertyData : Recordings {  ///< stimuli of the property
  at::Tensor recorded;              ///< [n_neuroids] float64, finite
  std::vector<double> bins;         ///< edges, ascending
  StimulusGrid grid, orientation;
  ReceptiveFieldGrid receptive_field;
  double y = 0, x = 0;            ///< where the gratings of orientation stand, degrees
  std::vector<PropertySet> sets;  ///< blank, receptive field, orientation, the property's own
};
const PropertyData& property_data(const PropertyBenchmark& benchmark, Workbench& workbench);

}  // namespace cortiscore
