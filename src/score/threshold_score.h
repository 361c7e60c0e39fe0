#pragma once
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "cortiscore/score.h"

namespace cortiscore {

/// A network's threshold, and the share of its choices that are right.
struct FoundThreshold {
  double threshold = 0, accuracy = 0;
};
/// @param correct  [n] bool, any device  @param x  the variable of each presentation
/// @param at_accuracy  that defines the threshold (src/metric/threshold.h)
FoundThreshold find_threshold(const at::Tensor& correct,
                              const std::vector<double>& x,
                              double at_accuracy);

/// A network's threshold (or elevation of it) beside those of subjects: the mean over subjects of
/// max(0, 1 - |T - t| / T), over the ceiling of each subject beside the others
/// (src/ceiling/subjects.h). `error` is the deviation over subjects (ddof 0), as the platform's;
/// intervals draw subjects, the ceiling as it is.
/// @param models  one, or one a readout, over which scores are averaged
/// Source: the platform's Malania2007; BENCHMARKS.md 1.5 and 2.14.
Score threshold_score(const std::vector<double>& models,
                      const std::vector<double>& subjects,
                      const BootstrapOptions& options = {});

/// What a threshold of 0 stands for, where one of `models` is: none was found.
std::vector<std::string> threshold_warnings(const std::vector<double>& models);

/// The ceiling alone. @param subjects  two or more
Estimate threshold_ceiling(const std::vector<double>& subjects);

}  // namespace cortiscore
