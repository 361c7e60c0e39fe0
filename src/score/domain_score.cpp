#include "src/score/domain_score.h"

#include <algorithm>
#include <numeric>

#include <ATen/ATen.h>

#include "src/core/caller.h"
#include "src/core/parallel.h"
#include "src/core/stop.h"
#include "src/mapping/logistic.h"
#include "src/mapping/ridge.h"
#include "src/score/joint.h"
#include "src/score/statistics.h"

namespace cortiscore {

at::Tensor two_way_accuracy(const at::Tensor& decisions, const at::Tensor& truth) {
  const auto own = decisions.gather(1, truth.unsqueeze(1));
  const auto right = (own > decisions).to(at::kDouble) + 0.5 * (own == decisions).to(at::kDouble);
  const auto n = static_cast<double>(decisions.size(0) * (decisions.size(1) - 1));
  // A class beside itself is half right.
  return (right.sum() - 0.5 * static_cast<double>(decisions.size(0))) / n;
}

at::Tensor readout_accuracy(const at::Tensor& x,
                            const at::Tensor& truth,
                            int64_t n_classes,
                            const Splits& splits,
                            const std::vector<double>& alphas) {
  const auto features = x.to(at::kDouble);
  const auto wanted = 2 * at::one_hot(truth, n_classes).to(at::kDouble) - 1;
  const auto n_splits = static_cast<int64_t>(splits.size());
  auto accuracies = at::empty({n_splits}, features.options());
  parallel_for(
      n_splits,
      [&](int64_t s) {
        check_stop();
        const auto& split = splits[static_cast<size_t>(s)];
        auto rows = split.train;
        rows.insert(rows.end(), split.test.begin(), split.test.end());
        const auto order = at::tensor(rows).to(x.device());
        const auto n_train = static_cast<int64_t>(split.train.size());
        Split here;
        here.train.resize(split.train.size());
        here.test.resize(split.test.size());
        std::iota(here.train.begin(), here.train.end(), int64_t{0});
        std::iota(here.test.begin(), here.test.end(), n_train);
        const auto scaled = standardise(features.index_select(0, order), n_train);
        const auto fit =
            ridge_cross_validate(scaled, wanted.index_select(0, order), {here}, {alphas});
        const auto tested = order.narrow(0, n_train, static_cast<int64_t>(split.test.size()));
        accuracies.select(0, s).copy_(
            two_way_accuracy(fit.predictions[0], truth.index_select(0, tested)));
      },
      threads_for(features));
  return accuracies.mean();
}

Score domain_score(const std::vector<at::Tensor>& accuracies, const BootstrapOptions& options) {
  const auto values = at::stack(accuracies).cpu();
  const auto n = values.size(0);
  const auto* const first = values.const_data_ptr<double>();
  Evaluation raw;
  raw.estimate.split_values = {first, first + n};
  raw.estimate.value = mean_skip_nan(raw.estimate.split_values);
  raw.estimate.error = deviation(raw.estimate.split_values, 0);
  raw.draws = [values, n](const Draws& draws) {
    return at::mv(draws.of(Axis::kSplit, n, values.options()), values) / static_cast<double>(n);
  };
  return without_ceiling(raw, over_axis(Axis::kSplit, n, options), values.options());
}

}  // namespace cortiscore
