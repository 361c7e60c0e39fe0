#pragma once
#include <vector>

#include <ATen/core/Tensor.h>

#include "src/core/precision.h"
#include "src/resample/splits.h"

namespace cortiscore {

/// The platform's 99 penalties, ascending from .01 to 1e7 (BENCHMARKS.md 2.3).
std::vector<double> platform_alphas();

struct RidgeOptions {
  /// One penalty: that one (metric `ridge`). Several: the one with the least mean squared
  /// leave-one-out error over train presentations and targets together, the first of equals (metric
  /// `ridgecv`).
  std::vector<double> alphas = {1.0};
  Precision precision = Precision::kFloat64;
};

struct RidgePrediction {
  std::vector<at::Tensor> predictions;  ///< a split: [n_test, n_targets] float64, in its test order
  at::Tensor alpha;                     ///< [n_splits] float64: the penalty of each split
  at::Tensor at_end;  ///< [n_splits] bool: the least error was at an end of the list of several
};

/// Ridge regression with an unpenalised intercept (scikit-learn's Ridge and RidgeCV) fitted on each
/// split's train presentations; all splits share X'X and X'Y (mapping/folds.h). More features than
/// presentations go through `isometric_coordinates`, so nothing of size n_features x n_targets is
/// formed. With fewer train presentations than features (or coordinates) X'(XX' + a)^-1 Y, the dual
/// form, whose weights stay in the span of the train presentations: X'X is singular there, and
/// rounding over a penalty that is small beside it would be multiplied by test presentations.
/// Targets are solved for 4096 at a time.
///
/// Several penalties share one eigendecomposition a split. Leave-one-out residuals of penalty a are
/// (y - yhat) / (1 - h) with yhat = U diag(l / (l + a)) U'y; over a list of penalties l / (l + a)
/// is numerically a matrix of low rank (30 for the platform's 99), so 30 products serve 99
/// penalties. More targets than train presentations are rotated for the choice, which a common
/// penalty does not feel.
/// Bounds: <= 1e-12 relative of scikit-learn, the same penalty chosen (ALGORITHMS.md 5a).
/// @param x  [n_presentations, n_features] float32 or float64, finite; not modified
/// @param y  [n_presentations, n_targets] float32 or float64, finite, same device; not modified
/// Source: Hoerl & Kennard 1970; Golub, Heath & Wahba 1979 (leave-one-out);
/// sklearn/linear_model/_ridge.py.
RidgePrediction ridge_cross_validate(const at::Tensor& x,
                                     const at::Tensor& y,
                                     const Splits& splits,
                                     const RidgeOptions& options = {});

/// The mean over train presentations and targets of squared leave-one-out errors, for each penalty:
/// [n_alphas] float64.
/// @param x  [n, n_features] float64, centred
/// @param y  [n, n_targets] float64, centred
at::Tensor leave_one_out_errors(const at::Tensor& x,
                                const at::Tensor& y,
                                const std::vector<double>& alphas);

}  // namespace cortiscore
