#pragma once
#include "cortiscore/error.h"

namespace cortiscore {

/// Weights that a graph does not take as they are: other names, others left over, or another dtype.
/// Whoever knows the rules by which such files are read (cortiscore.checkpoints) may make them fit.
class WeightsDiffer : public Error {
 public:
  using Error::Error;
};

}  // namespace cortiscore
