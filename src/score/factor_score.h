#pragma once
#include "cortiscore/score.h"
#include "src/metric/factor_terms.h"

namespace cortiscore {

/// How many of a layer's dimensions one factor has, as a share of its units, beside a ceiling that
/// is given. Intervals draw pairs of stimuli, their means fixed; the platform declares no error.
/// @param terms  factor_terms  @param factor  the one that is scored
/// Source: the platform's Islam2021; BENCHMARKS.md 1.4.
Score factor_score(const at::Tensor& terms,
                   const FactorPairs& pairs,
                   int64_t factor,
                   int64_t n_units,
                   double ceiling,
                   const BootstrapOptions& options = {});

}  // namespace cortiscore
