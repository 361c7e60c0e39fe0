#pragma once
#include <cstdint>

#include <ATen/core/Tensor.h>

#include "src/resample/bootstrap.h"

namespace cortiscore {

struct InternalConsistencyOptions {
  int64_t n_splits = 10;
  uint32_t seed = 1;
  /// No trial is missing (NaN): all splits then come from one covariance matrix of the repetitions
  /// a neuroid, and any number of splits is cheap. A NaN in the trials makes its neuroid NaN.
  bool complete = false;
};

/// Split-half reliability of each neuroid: Pearson r between the means of two halves of the
/// repetitions, over presentations, raised to the full number of repetitions by Spearman-Brown, 2r
/// / (1 + r).
///
/// Halves are sklearn's ShuffleSplit(n_splits, train_size=.5, random_state=seed) over repetitions
/// (odd counts: the smaller half first). Missing trials (NaN) are skipped within each half; a
/// presentation whose half is empty is left out for that neuroid and split. Nothing is clipped.
/// Median over neuroids and mean over splits are the score room's.
/// @param trials  [n_repetitions, n_presentations, n_neuroids] float32 or float64, NaN where
///                missing, any device
/// @return [n_splits, n_neuroids] float64; NaN for a neuroid that is constant in a half
/// @throws Error(kBadInput)  fewer than 2 repetitions
/// Source: brainscore_vision metrics/internal_consistency; Spearman 1910, Brown 1910. ALGORITHMS.md
/// 1d.
at::Tensor internal_consistency(const at::Tensor& trials,
                                const InternalConsistencyOptions& options = {});

/// The same for every draw of presentations: [draws.n, n_splits, n_neuroids]; [1, ...] where
/// presentations are not drawn.
at::Tensor internal_consistency_per_draw(const at::Tensor& trials,
                                         const InternalConsistencyOptions& options,
                                         const Draws& draws);

/// The ceiling for every draw of neuroids and presentations: median over neuroids, mean over
/// splits. [draws.n]
at::Tensor internal_consistency_draws(const at::Tensor& trials,
                                      const InternalConsistencyOptions& options,
                                      const Draws& draws);

/// How many presentations of a neuroid have fewer than two trials, so that no two halves can be
/// compared. int64, no dims
at::Tensor count_unrepeated(const at::Tensor& trials);

/// 2r / (1 + r), elementwise.
at::Tensor spearman_brown(const at::Tensor& r);

}  // namespace cortiscore
