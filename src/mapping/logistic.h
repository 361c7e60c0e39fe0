#pragma once
#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

namespace cortiscore {

/// Multinomial logistic regression with an unpenalised intercept: minimises sum of cross-entropies
/// + |W|^2 / (2 C).
struct LogisticReadout {
  at::Tensor weights;    ///< [n_classes, n_features] float64
  at::Tensor intercept;  ///< [n_classes] float64
  int64_t iterations = 0;

  /// @return [n, n_classes] float64, rows sum to 1
  at::Tensor probabilities(const at::Tensor& x) const;
};

/// Newton's method with conjugate gradients, to a gradient below 1e-9: what scikit-learn's
/// LogisticRegression (solver newton-cg, C) approaches as its tol goes to 0.
/// @param x       [n, n_features] float64, scaled by the caller
/// @param labels  [n] int64, 0..n_classes-1
LogisticReadout fit_logistic(const at::Tensor& x,
                             const at::Tensor& labels,
                             int64_t n_classes,
                             double c);

/// Columns by the mean and population standard deviation of the first n_fit rows; a constant column
/// is only centred (scikit-learn's StandardScaler).
at::Tensor standardise(const at::Tensor& x, int64_t n_fit);

/// A readout of scaled features, fitted to the first rows, and what it says of any.
struct FittedReadout {
  LogisticReadout readout;
  at::Tensor scaled;  ///< [n, ...] float64

  /// @param rows  [k] int64  @return [k, n_classes] float64
  at::Tensor probabilities(const at::Tensor& rows) const;
};

/// The platform's readout: features scaled by the rows that are fitted, then fit_logistic.
/// @param x       [n, n_features], any device
/// @param labels  [n_fit] int64, of the first n_fit rows
/// Source: BENCHMARKS.md 2.8.
FittedReadout fit_readout(const at::Tensor& x,
                          const at::Tensor& labels,
                          int64_t n_classes,
                          double c);

}  // namespace cortiscore
