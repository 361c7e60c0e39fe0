#pragma once
#include <vector>

#include <ATen/core/Tensor.h>

#include "src/resample/splits.h"

namespace cortiscore {

/// Least squares with an intercept; where the solution is not unique, the one of least norm
/// (scikit-learn's LinearRegression as the platform pins it: singular values below max(n_train,
/// n_features) eps of the largest count as zero. scikit-learn 1.7 and later cut at 1e-6 instead:
/// `relative_cutoff` = 1e-6 gives theirs).
/// @param x  [n_presentations, n_features] float32 or float64, finite; not modified
/// @param y  [n_presentations, n_targets], same device; not modified
/// @param relative_cutoff  below 0: max(n_train, n_features) eps
/// @return a split: [n_test, n_targets] float64, in its test order
std::vector<at::Tensor> linear_cross_validate(const at::Tensor& x,
                                              const at::Tensor& y,
                                              const Splits& splits,
                                              double relative_cutoff = -1);

/// For each target the source unit with the largest Pearson r (signed) over the train
/// presentations; its values on the test presentations are the prediction. Constant units are
/// passed over; of units that agree to 1e-12 the first counts, so that copies of a unit do not
/// compete by rounding. A target without any unit predicts NaN. Parameters and result as above.
/// Source: the platform's `neuron_to_neuron`; BENCHMARKS.md 2.3.
std::vector<at::Tensor> neuron_to_neuron(const at::Tensor& x,
                                         const at::Tensor& y,
                                         const Splits& splits);

}  // namespace cortiscore
