#pragma once
#include <string>
#include <vector>

#include "src/given/metric.h"

namespace cortiscore {

/// What a ceiling of given data is asked: the flags of `cortiscore ceiling`, by their names.
struct CeilingArguments : MetricArguments {
  int64_t seed = -1;  ///< -1: internal_consistency 1, split_half_predictor 0
};

const std::vector<std::string>& ceiling_names();

/// A ceiling by its name, of `trials`.
/// @throws Error(kUnknownName, kUsage, kBadInput)
MetricResult ceiling_on(const CeilingArguments& arguments);

}  // namespace cortiscore
