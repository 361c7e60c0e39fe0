#pragma once
#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "src/resample/splits.h"

namespace cortiscore {

/// How the platform trains its masks; the defaults are its own.
struct MaskOptions {
  int64_t channels =
      0;  ///< of the features, which are [channels, places]; 0: all of them, at one place
  int64_t height = 1, width = 1;
  double learning_rate = 0.01;  ///< a tenth of it after every 25 epochs
  int64_t decay_epochs = 25;
  int64_t max_epochs = 40;
  int64_t batch_size = 50;
  double enough =
      0.1;  ///< training ends after an epoch whose mean squared error, over neuroids, is below
  double spatial_penalty = 0.1, channel_penalty = 0.1;
};

/// A map in which every neuroid looks through one mask at one mixture of channels: y = sum_c d_c
/// sum_p s_p x_cp + b.
///
/// Adam on the mean squared error of a batch + spatial_penalty (|s|^2 + |L s|, L the Laplacian [0
/// -1 0; -1 4 -1; 0 -1 0] with zeros around; nothing where there is one place) + channel_penalty
/// |d|^2, summed over neuroids. It is stopped before it converges, and the platform neither seeds
/// its start nor its batches, so its numbers cannot be had: here s and d start as standard normals
/// (a hundredth of that is shrunk to nothing by the penalties), the inverse distribution of word 0
/// of Philox4x32-10, key 0, at counters that count up over s [neuroids, places], then d [neuroids,
/// channels]; b starts as the train mean; an epoch takes presentations in the next order of
/// numpy.random.RandomState(0).permutation, a last batch that is not full left out where there are
/// others.
/// @param x  [n, channels * places] float32 or float64; computed in float32  @param y  [n,
///           n_targets], same device
/// @return a split: [n_test, n_targets] float64, in its test order
/// @throws c10::ValueError  features that are not channels * height * width
/// Source: Klindt, Ecker, Euler & Bethge 2017 (the factorised readout); the platform's
/// mask_regression; BENCHMARKS.md 2.3.
std::vector<at::Tensor> mask_cross_validate(const at::Tensor& x,
                                            const at::Tensor& y,
                                            const Splits& splits,
                                            const MaskOptions& options);

}  // namespace cortiscore
