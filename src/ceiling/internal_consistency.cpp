#include "src/ceiling/internal_consistency.h"

#include <algorithm>
#include <string>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/core/parallel.h"
#include "src/ops/pearson_columns.h"
#include "src/resample/splits.h"

namespace cortiscore {

at::Tensor spearman_brown(const at::Tensor& r) {
  return 2 * r / (1 + r);
}

at::Tensor internal_consistency(const at::Tensor& trials,
                                const InternalConsistencyOptions& options) {
  TORCH_CHECK_VALUE(trials.dim() == 3,
                    "internal_consistency: need [n_repetitions, n_presentations, n_neuroids], got ",
                    trials.sizes());
  const int64_t n_repetitions = trials.size(0);
  if (n_repetitions < 2) {
    throw bad_input({"internal_consistency trials", "repetitions", std::to_string(n_repetitions),
                     "at least 2", "Without repeated trials there is no split-half ceiling"});
  }
  const auto values = trials.to(at::kDouble);
  const auto valid = values.isnan().logical_not();
  const auto filled = at::where(valid, values, 0.0).reshape({n_repetitions, -1});
  const auto counted = valid.to(at::kDouble).reshape({n_repetitions, -1});
  const auto splits = shuffle_splits(n_repetitions, options.n_splits, 0.5, options.seed);

  auto result = at::empty({options.n_splits, trials.size(2)}, filled.options());
  parallel_for(options.n_splits, [&](int64_t s) {
    const auto half = [&](const std::vector<int64_t>& repetitions) {
      auto weight = at::zeros({1, n_repetitions}, filled.options());
      weight.index_fill_(1, at::tensor(repetitions, at::kLong).to(weight.device()), 1.0);
      const auto n = at::mm(weight, counted).reshape({trials.size(1), trials.size(2)});
      const auto sum = at::mm(weight, filled).reshape({trials.size(1), trials.size(2)});
      return std::pair(sum / n.clamp_min(1), n > 0);
    };
    const auto& split = splits[static_cast<size_t>(s)];
    const auto [first, first_present] = half(split.train);
    const auto [second, second_present] = half(split.test);
    const auto r = pearson_columns(first, second, first_present & second_present);
    result.select(0, s).copy_(spearman_brown(r));
  });
  return result;
}

}  // namespace cortiscore
