#include "src/score/interval.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <ATen/ATen.h>

#include "src/core/stage.h"
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
  result.error = deviation(sorted, 1);
  result.ci_lo = result.ci_hi = kNaN;
  if (sorted.size() < 2) return;  // one draw would be a point, and look like certainty
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
}

namespace {

int64_t defined_of(const ResampleOptions& options, Axis axis) {
  const auto known = options.defined.find(axis);
  return known == options.defined.end() ? options.over.at(axis)
                                        : std::min(known->second, options.over.at(axis));
}

// What an interval does not say by itself.
std::vector<std::string> warnings_of(const Resampled& result, const ResampleOptions& options) {
  if (std::isnan(result.value)) return {};
  auto warnings = undefined_draws(result.draws);
  const bool some = std::any_of(result.draws.begin(), result.draws.end(),
                                [](double v) { return std::isfinite(v); });
  if (options.interval == Interval::kBca && some && std::isnan(result.ci_lo)) {
    warnings.emplace_back(
        "no BCa interval: every draw lies on one side of the value (--interval percentile has "
        "one)");
  }
  return warnings;
}

}  // namespace

std::vector<std::string> undefined_draws(const std::vector<double>& draws) {
  const auto undefined =
      std::count_if(draws.begin(), draws.end(), [](double v) { return !std::isfinite(v); });
  if (undefined == 0) return {};
  return {std::to_string(undefined) + " of " + std::to_string(draws.size()) +
          " draws of the bootstrap have no value and are left out of the interval"};
}

Resampled resample(const Statistic& statistic,
                   const ResampleOptions& options,
                   const at::TensorOptions& on) {
  const Stage drawing(StageName::kResample);
  Resampled result;
  result.value = values_of(statistic({})).front();
  bool any = options.over.empty();
  for (const auto& [axis, size] : options.over) any = any || defined_of(options, axis) > 1;
  if (!any) {
    std::string axes;
    for (const auto& [axis, size] : options.over) axes += (axes.empty() ? "" : ",") + name_of(axis);
    result.error = result.ci_lo = result.ci_hi = kNaN;
    result.draws.assign(static_cast<size_t>(std::max<int64_t>(options.n_boot, 0)), kNaN);
    if (!std::isnan(result.value))
      result.warnings.push_back("no interval over " + axes +
                                ": fewer than two have a value, so there is nothing to draw");
    return result;
  }
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
  result.warnings = warnings_of(result, options);
  int64_t left = 0, undefined = 0;
  for (const auto& values : jackknife) {
    left += static_cast<int64_t>(values.size());
    undefined +=
        std::count_if(values.begin(), values.end(), [](double v) { return std::isnan(v); });
  }
  if (undefined > 0 && !std::isnan(result.value)) {
    result.warnings.push_back(std::to_string(undefined) + " of " + std::to_string(left) +
                              " values with one entry left out do not exist: BCa's acceleration is "
                              "of the others");
  }
  return result;
}

}  // namespace cortiscore
