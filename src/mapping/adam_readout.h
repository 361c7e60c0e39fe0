#pragma once
#include <cstdint>

#include <ATen/core/Tensor.h>

namespace cortiscore {

/// How the platform trains its readout for object-solution times; the defaults are its own.
struct AdamReadoutOptions {
  double learning_rate = 1e-4;
  int64_t max_epochs = 40;
  int64_t batch_size = 64;
  double penalty = 0.463;        ///< of 1/2 |theta|^2, weights and intercept alike
  double enough = 1e-4;          ///< training ends after an epoch whose last batch has a loss below
  double first_intercept = 1.0;  ///< of every class
};

/// Class probabilities of a softmax readout a time bin, trained by a fixed number of Adam steps on
/// mean cross-entropy + penalty / 2 |theta|^2. It is stopped long before it converges, so its start
/// and the order of presentations matter: weights start from a normal of variance 1 / n_features
/// cut off at two standard deviations, entry i from word 0 of Philox4x32-10 with key 0 at counter
/// (i, 0) through the inverse distribution; every epoch takes the presentations in the next order
/// of numpy.random.RandomState(0).permutation. The platform starts from TensorFlow's own generator,
/// so its numbers cannot be had to the bit.
/// @param x       [n_bins, n, n_features] float32, scaled by the caller; any device
/// @param labels  [n_train] int64, 0..n_classes-1: of the first n_train presentations, which are
///                fitted
/// @return [n_bins, n - n_train, n_classes] float64, rows sum to 1
/// Source: the platform's TFProbabilitiesClassifier; Kingma & Ba 2015, section 2, last paragraph
/// (the form with one step size); BENCHMARKS.md 2.9.
at::Tensor adam_readout(const at::Tensor& x,
                        const at::Tensor& labels,
                        int64_t n_classes,
                        const AdamReadoutOptions& options = {});

}  // namespace cortiscore
