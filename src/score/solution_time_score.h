#pragma once
#include <vector>

#include <ATen/core/Tensor.h>

#include "src/score/evaluate.h"

namespace cortiscore {

/// Images whose object humans and macaques tell, and when IT tells it.
struct SolvedImages {
  at::Tensor features;         ///< [n, n_features, n_time_bins], any device
  std::vector<int64_t> truth;  ///< [n], 0..n_classes-1
  int64_t n_classes = 0;
  std::vector<double> i1;          ///< [n]: humans' accuracy on the image, d'
  std::vector<double> times;       ///< [n] ms: when decoders of IT reach it
  std::vector<double> bin_starts;  ///< [n_time_bins] ms, ascending
};

/// The platform's `ost`: Spearman's rho between the times at which decoders of a network's time
/// bins and of IT reach humans' accuracy. Ten shuffles of 90/10 (test_size .1, seed 1); in each,
/// features are scaled by the train images' mean and deviation, a readout is trained a bin
/// (src/mapping/adam_readout.h), and i1 is taken on the test images. Images that no bin solves are
/// left out; a split with fewer than three solved ones is NaN. `split_values` has a split each,
/// `error` is their standard deviation (ddof 0) / sqrt(10).
/// @param predicted  receives [10, n] float64 on the CPU, NaN where not tested or not solved
Evaluation evaluate_solution_times(const SolvedImages& images, at::Tensor& predicted);

}  // namespace cortiscore
