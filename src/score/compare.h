#pragma once
#include <cstdint>
#include <vector>

#include "src/score/evaluate.h"

namespace cortiscore {

/// Two sources on the same target and splits: the difference first - second, resampled with the
/// same draws for both.
struct Comparison {
  Resampled difference;
  double p_bootstrap =
      0;  ///< twice the smaller share of draws at or beyond zero, (k + 1) / (n + 1)
  /// Two-sided, the sources exchanged at random for whole neuroids; NaN where the metric has none.
  double p_permutation = 0;
};
Comparison compare(const Evaluation& first,
                   const Evaluation& second,
                   const ResampleOptions& options,
                   int64_t n_permutations);

/// Twice the smaller share of drawn differences at or beyond zero, (k + 1) / (n + 1), NaN left out;
/// NaN where nothing is left.
double p_value_of_draws(const std::vector<double>& differences);

/// Share of values at least as large as `observed`, the observed one counted in: (k + 1) / (n + 1),
/// NaN left out; NaN where nothing was observed, or nothing is left to compare with.
double p_value_above(const std::vector<double>& null_values, double observed);

}  // namespace cortiscore
