#include "src/score/interval.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <ATen/ATen.h>

#include "src/score/statistics.h"

namespace cortiscore {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::vector<double> values_of(const at::Tensor& values) {
  const auto dense = values.to(at::kCPU).contiguous();
  return {dense.const_data_ptr<double>(), dense.const_data_ptr<double>() + dense.numel()};
}

// The statistic without each entry of one axis in turn.
std::vector<double> leave_one_out(const Statistic& statistic,
                                  Axis axis,
                                  int64_t size,
                                  int64_t block,
                                  const at::TensorOptions& on) {
  std::vector<double> all;
  for (int64_t first = 0; first < size; first += block) {
    const int64_t n = std::min(block, size - first);
    auto counts = at::ones({n, size}, on);
    counts.narrow(1, first, n).diagonal().zero_();
    const auto part = values_of(statistic({n, {{axis, counts}}}));
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

}  // namespace

double normal_cdf(double z) {
  return 0.5 * std::erfc(-z / std::sqrt(2.0));
}

double normal_quantile(double p) {
  if (!(p > 0)) return p == 0 ? -std::numeric_limits<double>::infinity() : kNaN;
  if (!(p < 1)) return p == 1 ? std::numeric_limits<double>::infinity() : kNaN;
  return at::special_ndtri(at::scalar_tensor(p, at::kDouble)).const_data_ptr<double>()[0];
}

void interval_of(Resampled& result,
                 const std::vector<std::vector<double>>& jackknife,
                 double level,
                 Interval interval) {
  auto sorted = result.draws;
  std::erase_if(sorted, [](double v) { return !std::isfinite(v); });
  std::sort(sorted.begin(), sorted.end());
  double lo = (1 - level) / 2;
  double hi = (1 + level) / 2;
  if (interval == Interval::kBca) {
    const auto below =
        std::lower_bound(sorted.begin(), sorted.end(), result.value) - sorted.begin();
    const auto up_to =
        std::upper_bound(sorted.begin(), sorted.end(), result.value) - sorted.begin();
    const double z0 = normal_quantile(static_cast<double>(below + up_to) /
                                      (2 * static_cast<double>(sorted.size())));
    double cubes = 0, squares = 0;
    for (const auto& values : jackknife) {
      const auto n = static_cast<double>(values.size());
      const double mean = mean_skip_nan(values);
      for (const auto v : values) {
        if (std::isnan(v)) continue;
        const double u = (n - 1) * (mean - v);
        cubes += u * u * u / (n * n * n);
        squares += u * u / (n * n);
      }
    }
    const double acceleration = squares > 0 ? cubes / (6 * std::pow(squares, 1.5)) : 0;
    const auto adjusted = [&](double q) {
      const double z = z0 + normal_quantile(q);
      return normal_cdf(z0 + z / (1 - acceleration * z));
    };
    lo = adjusted(lo);
    hi = adjusted(hi);
  }
  result.ci_lo = percentile(sorted, lo);
  result.ci_hi = percentile(sorted, hi);
  result.error = deviation(sorted, 1);
}

Resampled resample(const Statistic& statistic,
                   const ResampleOptions& options,
                   const at::TensorOptions& on) {
  Resampled result;
  result.value = values_of(statistic({})).front();
  for (int64_t first = 0; first < options.n_boot; first += options.block) {
    Draws draws;
    draws.n = std::min(options.block, options.n_boot - first);
    for (const auto& [axis, size] : options.over)
      draws.counts[axis] = bootstrap_counts(options.seed, axis, first, draws.n, size, on);
    const auto part = values_of(statistic(draws));
    result.draws.insert(result.draws.end(), part.begin(), part.end());
  }
  std::vector<std::vector<double>> jackknife;
  if (options.interval == Interval::kBca) {
    for (const auto& [axis, size] : options.over)
      jackknife.push_back(leave_one_out(statistic, axis, size, options.block, on));
  }
  interval_of(result, jackknife, options.level, options.interval);
  return result;
}

}  // namespace cortiscore
