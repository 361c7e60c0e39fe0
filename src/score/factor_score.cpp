#include "src/score/factor_score.h"

#include <cmath>

#include <ATen/ATen.h>

#include "src/score/cells.h"
#include "src/score/joint.h"

namespace cortiscore {

Score factor_score(const at::Tensor& terms,
                   const FactorPairs& pairs,
                   int64_t factor,
                   int64_t n_units,
                   double ceiling,
                   const BootstrapOptions& options) {
  const int64_t n = terms.size(1);
  const auto units = static_cast<double>(n_units);
  Evaluation raw;
  raw.draws = [&](const Draws& draws) {
    const auto weights = draws.of(Axis::kPresentation, n, terms.options());
    return (factor_shares(terms, pairs, weights).select(1, factor) * units).floor() / units;
  };
  raw.estimate.value = raw.draws({}).cpu().const_data_ptr<double>()[0];
  raw.estimate.error = std::nan("");
  return ratio_score(raw, constant_evaluation(ceiling), {},
                     over_axis(Axis::kPresentation, n, options), terms.options());
}

}  // namespace cortiscore
