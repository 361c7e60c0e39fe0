#pragma once
#include <vector>

#include <ATen/core/Tensor.h>

#include "cortiscore/score.h"
#include "src/resample/splits.h"

namespace cortiscore {

/// How often a class is told from another: the share, over presentations and the classes that are
/// not theirs, of those whose decision value is below that of the right one; equals count half.
/// @param decisions  [n, n_classes] float64  @param truth  [n] int64  @return float64, no dims
at::Tensor two_way_accuracy(const at::Tensor& decisions, const at::Tensor& truth);

/// The mean over splits of two-way accuracies on test presentations of a ridge classifier of scaled
/// features (scikit-learn's StandardScaler, then RidgeClassifierCV: ridge on -1 and 1 for every
/// class, one penalty, least leave-one-out error).
/// @param x  [n, n_features], any device  @param truth  [n] int64, there  @param alphas  penalties
/// @return float64, no dims
at::Tensor readout_accuracy(const at::Tensor& x,
                            const at::Tensor& truth,
                            int64_t n_classes,
                            const Splits& splits,
                            const std::vector<double>& alphas);

/// The mean over domains of accuracies in each; `error` is their deviation (ddof 0), the interval
/// draws domains.
/// @param accuracies  a domain: of readout_accuracy
/// Source: the platform's Igustibagus2024.IT_readout; BENCHMARKS.md 1.1.
Score domain_score(const std::vector<at::Tensor>& accuracies, const BootstrapOptions& options = {});

}  // namespace cortiscore
