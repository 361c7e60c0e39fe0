#pragma once
#include <vector>

#include <ATen/core/Tensor.h>

#include "src/mapping/pls.h"

namespace cortiscore {

/// Cross-validated PLS predictivity: Pearson r between predicted and recorded responses of each neuroid, per split.
struct Predictivity {
  at::Tensor
      per_neuroid;  ///< [n_splits, n_neuroids] float64, NaN for a neuroid that is constant in a split
  at::Tensor iterations;  ///< [n_splits, n_components] int64
  at::Tensor marginal;    ///< [n_splits, n_components] bool
  at::Tensor exhausted;   ///< [n_splits, n_components] bool
  int64_t max_iter = 0;
  std::vector<at::Tensor> predictions;  ///< a split: [n_test, n_neuroids] float64
};

/// The platform's metric `pls`.
/// @param source, target  finite (see check_finite in src/score/diagnostics.h: asking is a copy off the device)
/// @throws Error(kBadInput)  what pls_cross_validate throws
Predictivity pls_predictivity(const at::Tensor& source,
                              const at::Tensor& target,
                              const Splits& splits,
                              const PlsOptions& options = {});

}  // namespace cortiscore
