#include "src/metric/pls_predictivity.h"

#include <ATen/ATen.h>

#include "src/core/parallel.h"
#include "src/ops/pearson_columns.h"

namespace cortiscore {

Predictivity pls_predictivity(const at::Tensor& source,
                              const at::Tensor& target,
                              const Splits& splits,
                              const PlsOptions& options) {
  auto prediction = pls_cross_validate(source, target, splits, options);
  Predictivity result{at::empty({static_cast<int64_t>(splits.size()), target.size(1)},
                                target.options().dtype(at::kDouble)),
                      prediction.iterations,
                      prediction.marginal,
                      prediction.exhausted,
                      options.top.max_iter,
                      {}};
  const auto recorded = target.to(at::kDouble);
  parallel_for(static_cast<int64_t>(splits.size()), [&](int64_t s) {
    const auto test =
        at::tensor(splits[static_cast<size_t>(s)].test, at::kLong).to(target.device());
    result.per_neuroid.select(0, s).copy_(pearson_columns(
        prediction.predictions[static_cast<size_t>(s)], recorded.index_select(0, test)));
  });
  result.predictions = std::move(prediction.predictions);
  return result;
}

}  // namespace cortiscore
