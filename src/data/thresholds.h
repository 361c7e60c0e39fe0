#pragma once
#include <string>
#include <vector>

#include "src/data/input.h"

namespace cortiscore {

/// Perceptual thresholds, one a subject, in the file's order.
struct Thresholds {
  std::vector<std::string> subjects;  ///< empty where the file names none
  std::vector<double> values;  ///< positive, in the stimuli's unit; NaN where a subject has none
};

/// Of a table with a column `threshold`, and `subject` where they are named; else of any array of
/// numbers, with the names of a coordinate `subject`.
/// @throws Error(kBadInput)  thresholds that are not positive and finite; a subject twice; a table
///   of several columns without `threshold`
Thresholds read_thresholds(const Input& input);

}  // namespace cortiscore
