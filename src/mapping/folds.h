#pragma once
#include <vector>

#include <ATen/core/Tensor.h>

#include "src/resample/splits.h"

namespace cortiscore {

/// Targets that a map solves for at once: bounds weights and products with the features, whatever
/// their number.
inline constexpr int64_t kTargetsAtOnce = 4096;

/// Indices as an int64 tensor on the device of `like`.
at::Tensor index_tensor(const std::vector<int64_t>& values, const at::Tensor& like);

/// 0..n-1 without `indices`, ascending.
std::vector<int64_t> complement(const std::vector<int64_t>& indices, int64_t n);

/// Train presentations of every split from shared sums: what all splits have in common is computed
/// once, and each split subtracts the rows that it leaves out (padded to the longest with rows of
/// zeros, which add nothing).
///
/// X and Y must be centred over all presentations, so that the train means are tiny and downdates
/// do not cancel. Works for any index sets, overlapping or not. ALGORITHMS.md 1a.
struct Folds {
  std::vector<std::vector<int64_t>> left_out;  ///< a split: the rows that it does not train on
  at::Tensor x_out;                            ///< [n_splits, longest, n_features]
  at::Tensor y_out;                            ///< [n_splits, longest, n_targets]
  at::Tensor n_train;                          ///< [n_splits] float64
  at::Tensor x_mean;                           ///< [n_splits, n_features] train mean
  at::Tensor y_mean;                           ///< [n_splits, n_targets]
};

/// @param x  [n, n_features] float64, column means zero
/// @param y  [n, n_targets] float64, column means zero
Folds make_folds(const at::Tensor& x, const at::Tensor& y, const Splits& splits);

/// 1 where a split trains on a presentation, else 0: [n_splits, n], of the dtype and on the device
/// of x [n, ...].
at::Tensor train_mask(const Folds& folds, const at::Tensor& x);

/// X'Y over all presentations: [n_features, n_targets].
at::Tensor cross_product(const at::Tensor& x, const at::Tensor& y);

/// X_train'Y_train of train-centred data for every split: [n_splits, n_features, n_targets].
at::Tensor train_cross(const Folds& folds, const at::Tensor& x, const at::Tensor& y);

/// X_train'X_train of train-centred data for one split, from C = X'X over all presentations:
/// [n_features, n_features].
at::Tensor train_gram(const Folds& folds, const at::Tensor& c, int64_t split);

/// From values over the left-out rows [n_left_out, n] to the split's test rows, in the split's
/// order.
at::Tensor test_rows(const Folds& folds,
                     const Splits& splits,
                     int64_t split,
                     int64_t n_presentations,
                     const at::Tensor& over_left_out);

}  // namespace cortiscore
