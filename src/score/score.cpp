#include "cortiscore/score.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/core/parallel.h"
#include "src/score/statistics.h"

namespace cortiscore {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// The platform's error: standard deviation over splits (ddof 0) / sqrt(n).
double error_over_splits(const std::vector<double>& values) {
  const auto n =
      std::count_if(values.begin(), values.end(), [](double v) { return !std::isnan(v); });
  return deviation(values, 0) / std::sqrt(static_cast<double>(n));
}

double value_of(const at::Tensor& per_neuroid, const std::vector<int64_t>& neuroids) {
  const auto values = per_neuroid.accessor<double, 2>();
  std::vector<double> medians;
  std::vector<double> row(neuroids.size());
  for (int64_t s = 0; s < per_neuroid.size(0); ++s) {
    for (size_t i = 0; i < neuroids.size(); ++i) row[i] = values[s][neuroids[i]];
    medians.push_back(median_skip_nan(row));
  }
  return mean_skip_nan(medians);
}

// statistic(draw) for every bootstrap draw, in parallel; the draws depend on the seed and their number alone.
std::vector<double> bootstrap(const BootstrapOptions& options,
                              const std::function<double(int64_t)>& statistic) {
  std::vector<double> values(static_cast<size_t>(options.n_boot));
  constexpr int64_t kBlock = 64;
  parallel_for((options.n_boot + kBlock - 1) / kBlock, [&](int64_t block) {
    for (int64_t b = block * kBlock; b < std::min(options.n_boot, (block + 1) * kBlock); ++b) {
      values[static_cast<size_t>(b)] = statistic(b);
    }
  });
  return values;
}

double ceiled_draw(const Score& score, int64_t b, uint64_t seed) {
  const auto neuroids = draw_with_replacement(seed, b, score.raw.per_neuroid.size(1));
  return explained_variance(value_of(score.raw.per_neuroid, neuroids),
                            value_of(score.ceiling.per_neuroid, neuroids), score.convention);
}

}  // namespace

std::string name_of(CeilingConvention convention) {
  return convention == CeilingConvention::kR2OverC ? "r2_over_c" : "r_over_c_squared";
}

CeilingConvention ceiling_convention(const std::string& name) {
  for (const auto c : {CeilingConvention::kR2OverC, CeilingConvention::kROverCSquared}) {
    if (name == name_of(c)) return c;
  }
  throw Error(ErrorKind::kUsage, "--ceiling-convention: found \"" + name +
                                     "\", expected r2_over_c or r_over_c_squared.");
}

double explained_variance(double raw, double ceiling, CeilingConvention convention) {
  if (!(ceiling > 0)) return kNaN;
  return convention == CeilingConvention::kR2OverC ? raw * raw / ceiling
                                                   : (raw / ceiling) * (raw / ceiling);
}

double median_skip_nan(std::vector<double> values) {
  std::erase_if(values, [](double v) { return std::isnan(v); });
  if (values.empty()) return kNaN;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*std::max_element(values.begin(), middle) + *middle) / 2;
}

Estimate aggregate(const at::Tensor& per_neuroid) {
  TORCH_CHECK_VALUE(per_neuroid.dim() == 2, "aggregate: need [n_splits, n_neuroids], got ",
                    per_neuroid.sizes());
  Estimate estimate;
  estimate.per_neuroid = per_neuroid.to(at::kDouble).cpu().contiguous();
  std::vector<int64_t> all(static_cast<size_t>(per_neuroid.size(1)));
  std::iota(all.begin(), all.end(), int64_t{0});
  const auto values = estimate.per_neuroid.accessor<double, 2>();
  for (int64_t s = 0; s < per_neuroid.size(0); ++s) {
    std::vector<double> row;
    for (const auto i : all) row.push_back(values[s][i]);
    estimate.split_values.push_back(median_skip_nan(row));
  }
  estimate.value = mean_skip_nan(estimate.split_values);
  estimate.error = error_over_splits(estimate.split_values);
  for (const auto i : all) {
    bool defined = false;
    for (int64_t s = 0; s < per_neuroid.size(0); ++s)
      defined = defined || !std::isnan(values[s][i]);
    estimate.n_undefined += defined ? 0 : 1;
  }
  estimate.ci_lo = estimate.ci_hi = kNaN;
  return estimate;
}

void bootstrap_over_neuroids(Estimate& estimate, const BootstrapOptions& options) {
  const auto draws = bootstrap(options, [&](int64_t b) {
    return value_of(estimate.per_neuroid,
                    draw_with_replacement(options.seed, b, estimate.per_neuroid.size(1)));
  });
  set_interval(draws, options.level, estimate.ci_lo, estimate.ci_hi);
}

Score ceiled_score(Estimate raw,
                   Estimate ceiling,
                   CeilingConvention convention,
                   const BootstrapOptions& options) {
  TORCH_CHECK_VALUE(raw.per_neuroid.size(1) == ceiling.per_neuroid.size(1),
                    "ceiled_score: raw has ", raw.per_neuroid.size(1), " neuroids, ceiling ",
                    ceiling.per_neuroid.size(1));
  Score score;
  score.convention = convention;
  score.raw = std::move(raw);
  score.ceiling = std::move(ceiling);
  bootstrap_over_neuroids(score.raw, options);
  bootstrap_over_neuroids(score.ceiling, options);
  score.ceiled = explained_variance(score.raw.value, score.ceiling.value, convention);
  const auto draws =
      bootstrap(options, [&](int64_t b) { return ceiled_draw(score, b, options.seed); });
  score.ceiled_error = deviation(draws, 1);
  set_interval(draws, options.level, score.ceiled_ci_lo, score.ceiled_ci_hi);
  return score;
}

Estimate pool_neuroids(const std::vector<Estimate>& parts) {
  std::vector<at::Tensor> side_by_side;
  for (const auto& part : parts) side_by_side.push_back(part.per_neuroid);
  return aggregate(at::cat(side_by_side, 1));
}

Score mean_of_halves(const std::vector<Score>& halves, const BootstrapOptions& options) {
  TORCH_CHECK_VALUE(!halves.empty(), "mean_of_halves: no halves");
  Score mean = halves.front();
  const auto average = [&](auto field) {
    std::vector<double> values;
    for (const auto& half : halves) values.push_back(field(half));
    return mean_skip_nan(values);
  };
  const auto average_estimate = [&](Estimate& into, auto part) {
    into.value = average([&](const Score& s) { return part(s).value; });
    std::vector<double> all_splits;
    double variance = 0;
    std::vector<at::Tensor> stacked;
    for (const auto& half : halves) {
      const auto& e = part(half);
      all_splits.insert(all_splits.end(), e.split_values.begin(), e.split_values.end());
      variance += e.error * e.error;
      stacked.push_back(e.per_neuroid);
    }
    into.split_values = all_splits;
    into.error = std::sqrt(variance) / static_cast<double>(halves.size());
    into.per_neuroid = at::cat(stacked, 0);
    into.n_undefined = part(halves.front()).n_undefined;
    const auto draws = bootstrap(options, [&](int64_t b) {
      const auto neuroids = draw_with_replacement(options.seed, b, into.per_neuroid.size(1));
      return average([&](const Score& s) { return value_of(part(s).per_neuroid, neuroids); });
    });
    set_interval(draws, options.level, into.ci_lo, into.ci_hi);
  };
  average_estimate(mean.raw, [](const Score& s) -> const Estimate& { return s.raw; });
  average_estimate(mean.ceiling, [](const Score& s) -> const Estimate& { return s.ceiling; });
  mean.ceiled = average([](const Score& s) { return s.ceiled; });
  const auto draws = bootstrap(options, [&](int64_t b) {
    return average([&](const Score& s) { return ceiled_draw(s, b, options.seed); });
  });
  mean.ceiled_error = deviation(draws, 1);
  set_interval(draws, options.level, mean.ceiled_ci_lo, mean.ceiled_ci_hi);
  return mean;
}

}  // namespace cortiscore
