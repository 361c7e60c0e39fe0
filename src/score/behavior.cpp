#include "src/score/behavior.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "src/metric/error_consistency.h"
#include "src/resample/bootstrap.h"
#include "src/score/statistics.h"

namespace cortiscore {
namespace {

struct Pair {
  at::Tensor raw;      // [b, s]
  at::Tensor ceiling;  // [b, pairs]
};

// Kappas for b rows of stimulus weights [b, n].
Pair kappas(const at::Tensor& network, const at::Tensor& subjects, const at::Tensor& weights) {
  const auto w = weights.unsqueeze(1);
  const int64_t s = subjects.size(0);
  const auto pairs = at::triu_indices(s, s, 1, at::TensorOptions().dtype(at::kLong));
  return {
      error_consistency(network, subjects, w),
      error_consistency(subjects.index_select(0, pairs[0]), subjects.index_select(0, pairs[1]), w)};
}

std::vector<double> row(const at::Tensor& values) {
  const auto dense = values.contiguous();
  return {dense.const_data_ptr<double>(), dense.const_data_ptr<double>() + dense.numel()};
}

double ceiled_of(double raw, double ceiling) {
  return ceiling > 0 ? std::clamp(raw / ceiling, 0.0, 1.0) : std::nan("");
}

}  // namespace

Score error_consistency_score(const at::Tensor& network_any,
                              const at::Tensor& subjects_any,
                              const BootstrapOptions& options) {
  const auto network = network_any.cpu();
  const auto subjects = subjects_any.cpu();
  const int64_t n = subjects.size(1);
  Score score;
  const auto once = kappas(network, subjects, at::ones({1, n}, at::kDouble));
  const auto fill = [](Estimate& estimate, std::vector<double> cells) {
    estimate.value = std::abs(mean_skip_nan(cells));
    estimate.error = deviation(cells, 0);
    estimate.per_neuroid = at::tensor(cells, at::kDouble).unsqueeze(0);
    estimate.split_values = std::move(cells);
  };
  fill(score.raw, row(once.raw[0]));
  fill(score.ceiling, row(once.ceiling[0]));
  score.ceiled = ceiled_of(score.raw.value, score.ceiling.value);

  const auto counts =
      bootstrap_counts(options.seed, Axis::kPresentation, 0, options.n_boot, n, at::kDouble);
  const auto draws = kappas(network, subjects, counts);
  std::vector<double> raw, ceiling, ceiled;
  for (int64_t b = 0; b < options.n_boot; ++b) {
    raw.push_back(std::abs(mean_skip_nan(row(draws.raw[b]))));
    ceiling.push_back(std::abs(mean_skip_nan(row(draws.ceiling[b]))));
    ceiled.push_back(ceiled_of(raw.back(), ceiling.back()));
  }
  set_interval(raw, options.level, score.raw.ci_lo, score.raw.ci_hi);
  set_interval(ceiling, options.level, score.ceiling.ci_lo, score.ceiling.ci_hi);
  set_interval(ceiled, options.level, score.ceiled_ci_lo, score.ceiled_ci_hi);
  score.ceiled_error = deviation(ceiled, 1);
  return score;
}

double share_of(const at::Tensor& flags) {
  return flags.to(at::kDouble).mean().item<double>();
}

}  // namespace cortiscore
