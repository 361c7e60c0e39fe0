#pragma once
#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "src/core/precision.h"
#include "src/ops/top_vector.h"
#include "src/resample/splits.h"

namespace cortiscore {

struct PlsOptions {
  int64_t n_components = 25;
  TopVectorOptions top{};
  Precision precision = Precision::kFloat64;
};

/// Cross-validated PLS2 predictions and how they came about.
struct PlsPrediction {
  /// Predicted responses of one split: [n_test, n_targets] float64, rows in the split's test order.
  at::Tensor predictions(int64_t split) const;

  /// [n_splits, n_components] int64: scikit-learn's n_iter_ (0 in exact mode)
  at::Tensor iterations;
  at::Tensor marginal;   ///< [n_splits, n_components] bool: stopped within 1e-8 of the tolerance
  at::Tensor exhausted;  ///< [n_splits, n_components] bool: nothing was left to explain; adds zero

  std::vector<at::Tensor> in_basis;  ///< a split: [n_test, n_targets], or in the basis `rotation`
  at::Tensor rotation;  ///< [n_targets, n_presentations] where targets outnumber presentations
  at::Tensor offset;    ///< [n_targets] mean over all presentations
};

/// PLS2 regression (scikit-learn's PLSRegression(scale=False)) fitted on each split's train
/// presentations.
///
/// All splits share X'Y, of which each subtracts the rows that it leaves out, and X'X or one pass
/// over X a component, which ever takes less (ALGORITHMS.md 1a, algorithms 2 and 1). More features
/// than presentations go through `isometric_coordinates` first, so there is one algorithm. More
/// targets than presentations are rotated into as many dimensions as there are presentations,
/// exactly, so nothing of size n_targets^2 is formed; predictions rotate back a split at a time.
/// Mode kSklearn stops every power iteration where scikit-learn does; kExact takes leading
/// eigenvectors.
/// Bounds: predictions within 1e-10 sd of Y of scikit-learn, iteration counts equal (ALGORITHMS.md
/// 5a).
///
/// @param x  [n_presentations, n_features] float32 or float64, finite; not modified
/// @param y  [n_presentations, n_targets] float32 or float64, finite, same device; not modified
/// @throws Error(kBadInput)  fewer features or train presentations than components
/// Sources: Wold 1975; Dayal & MacGregor 1997 (kernel PLS); Engstrom & Jensen 2025 (fold
/// downdates).
PlsPrediction pls_cross_validate(const at::Tensor& x,
                                 const at::Tensor& y,
                                 const Splits& splits,
                                 const PlsOptions& options = {});

}  // namespace cortiscore
