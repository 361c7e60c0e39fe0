#pragma once
#include <optional>
#include <string>

#include <ATen/core/Tensor.h>

namespace cortiscore {

/// Being right and wrong on the same stimuli, of k pairs of observers (a network and a subject, or
/// two subjects).
struct ObserverPairs {
  at::Tensor first;      ///< [k or 1, n] bool: whether the choice is right
  at::Tensor second;     ///< [k, n] bool
  at::Tensor keep;       ///< [k, n] bool: both saw the stimulus
  at::Tensor condition;  ///< [n] int64, 0..n_conditions-1
  int64_t n_conditions = 1;
};

enum class ChoiceMetric {
  /// Cohen's kappa of being right: (o - e) / (1 - e), o the share on which both are right or both
  /// wrong, e = ab + (1 - a)(1 - b) what accuracies a and b give by chance; NaN where e = 1.
  /// Source: Geirhos, Meding & Wichmann 2020, eq. 1-3; BENCHMARKS.md 2.10.
  kErrorConsistency,
  /// 1 - |a - b| / max(b, 1 - b). Source: BENCHMARKS.md 2.12.
  kAccuracyDistance,
};

/// error_consistency or accuracy_distance. @throws Error(kUnknownName)
ChoiceMetric choice_metric(const std::string& name);

/// The metric in every cell (pair, condition), for every weighting of the stimuli.
/// @param counts  [b, n] float64: how often each stimulus counts (ones, or bootstrap draws)
/// @return [b, k, n_conditions] float64, NaN where nothing counts
at::Tensor choice_cells(ChoiceMetric metric, const ObserverPairs& pairs, const at::Tensor& counts);

/// Conditions averaged first, then pairs, NaN skipped in both, then the absolute value: with
/// unequal NaNs the order matters.
/// @param pair_counts  [b or 1, k] float64
/// @return [b] float64
at::Tensor mean_of_cells(const at::Tensor& cells, const at::Tensor& pair_counts);

}  // namespace cortiscore
