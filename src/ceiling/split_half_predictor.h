#pragma once
#include <cstdint>

#include <ATen/core/Tensor.h>

#include "src/resample/bootstrap.h"

namespace cortiscore {

/// The platform's SplitHalfPredictorConsistency: halves of the repetitions drawn anew for every
/// presentation.
///
/// In every split, for each presentation in order, its repetitions (those with any value) are
/// permuted by numpy.random.default_rng(seed); the first floor(R / 2) and the rest are averaged,
/// NaN skipped. Presentations with fewer than 2 repetitions are left out; a split needs 10
/// presentations, else it is NaN. Pearson r per neuroid over presentations, raised by
/// Spearman-Brown.
/// @param trials  [n_repetitions, n_presentations, n_neuroids] float32 or float64, NaN where
///                missing
/// @param shown   [n_repetitions, n_presentations] bool, on the CPU: which trials exist. It decides
///                what the generator is
/// asked for, so it must not have to be fetched from a device
/// @return [n_splits, n_neuroids] float64
/// Source: BENCHMARKS.md 2.4.
at::Tensor split_half_predictor(const at::Tensor& trials,
                                const at::Tensor& shown,
                                int64_t n_splits = 10,
                                uint32_t seed = 0);

/// The same for every draw of presentations, halves as they are: [draws.n, n_splits, n_neuroids];
/// [1, ...] where presentations are not drawn.
at::Tensor split_half_predictor_per_draw(const at::Tensor& trials,
                                         const at::Tensor& shown,
                                         int64_t n_splits,
                                         uint32_t seed,
                                         const Draws& draws);

}  // namespace cortiscore
