#include "src/metric/choice_agreement.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "cortiscore/error.h"

namespace cortiscore {

ChoiceMetric choice_metric(const std::string& name) {
  if (name == "error_consistency") return ChoiceMetric::kErrorConsistency;
  if (name == "accuracy_distance") return ChoiceMetric::kAccuracyDistance;
  throw unknown_name("metric", name, "this version", {"error_consistency", "accuracy_distance"});
}

at::Tensor choice_cells(ChoiceMetric metric, const ObserverPairs& pairs, const at::Tensor& counts) {
  const auto second = pairs.second;
  const auto first = pairs.first.expand_as(second);
  const int64_t k = second.size(0), n = second.size(1), c = pairs.n_conditions;
  const auto in_condition =
      at::one_hot(pairs.condition, c).to(at::kDouble).unsqueeze(0);  // [1, n, c]
  const auto sums = [&](const at::Tensor& flags) {                   // [b, k, c]
    const auto columns = (flags & pairs.keep).to(at::kDouble).unsqueeze(2) * in_condition;
    return at::mm(counts, columns.permute({1, 0, 2}).reshape({n, k * c}))
        .reshape({counts.size(0), k, c});
  };
  const auto total = sums(at::ones_like(second));
  const auto a = sums(first) / total;
  const auto b = sums(second) / total;
  if (metric == ChoiceMetric::kAccuracyDistance) return 1 - (a - b).abs() / at::maximum(b, 1 - b);
  const auto observed = sums(first == second) / total;
  const auto expected = a * b + (1 - a) * (1 - b);
  return (observed - expected) / (1 - expected);
}

at::Tensor mean_of_cells(const at::Tensor& cells, const at::Tensor& pair_counts) {
  const auto per_pair = cells.nanmean(2);  // [b, k]
  const auto weight = at::where(per_pair.isnan(), 0.0, pair_counts);
  return ((at::nan_to_num(per_pair) * weight).sum(1) / weight.sum(1)).abs();
}

}  // namespace cortiscore
