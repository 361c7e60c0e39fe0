#include "cortiscore/score.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/core/stage.h"
#include "src/ops/weighted_median.h"
#include "src/resample/bootstrap.h"
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

// Draws depend on the seed and their number alone.
NeuroidDraws draw(const at::Tensor& per_neuroid,
                  at::Tensor counts,
                  const BootstrapOptions& options) {
  constexpr int64_t kKeptBytes = int64_t{64} << 20;
  if (!counts.defined()) {
    counts = bootstrap_counts(options.seed, Axis::kNeuroid, 0, options.n_boot, per_neuroid.size(1),
                              per_neuroid.options());
  }
  const auto values = weighted_median(per_neuroid.unsqueeze(0), counts).nanmean(1);
  const auto* const first = values.const_data_ptr<double>();
  return {counts.numel() * 8 <= kKeptBytes ? counts : at::Tensor(),
          {first, first + values.numel()}};
}

// Draw by draw, the mean over several lists of draws; NaN is skipped.
std::vector<double> mean_of_draws(const std::vector<std::vector<double>>& lists) {
  std::vector<double> means;
  for (size_t b = 0; b < lists.front().size(); ++b) {
    std::vector<double> across;
    for (const auto& list : lists) across.push_back(list[b]);
    means.push_back(mean_skip_nan(across));
  }
  return means;
}

void set_ceiled_draws(Score& score, std::vector<double> draws, double level) {
  score.ceiled_error = deviation(draws, 1);
  set_interval(draws, level, score.ceiled_ci_lo, score.ceiled_ci_hi);
  score.ceiled_draws = std::move(draws);
  // Of what has no interval, draws all say the same.
  if (std::isnan(score.raw.ci_lo) && std::isnan(score.ceiling.ci_lo))
    score.ceiled_error = score.ceiled_ci_lo = score.ceiled_ci_hi = kNaN;
}

int64_t n_defined(const Estimate& estimate) {
  return estimate.per_neuroid.size(1) - estimate.n_undefined;
}

// An interval of the mean of several, from its draws; none where none of them has one.
void set_mean_interval(Estimate& mean, const std::vector<Estimate>& parts, double level) {
  set_interval(mean.draws.values, level, mean.ci_lo, mean.ci_hi);
  if (std::all_of(parts.begin(), parts.end(),
                  [](const Estimate& part) { return std::isnan(part.ci_lo); }))
    mean.ci_lo = mean.ci_hi = kNaN;
}

}  // namespace

std::string CeilingConvention::name() const {
  if (chance > 0) return clip ? "above_chance_clipped" : "above_chance";
  const auto text = [&] {
    switch (ratio) {
      case Ratio::kROverC:
        return "r_over_c";
      case Ratio::kR2OverC:
        return "r2_over_c";
      case Ratio::kROverCSquared:
        return "r_over_c_squared";
      case Ratio::kROverSqrtC:
        return "raw_over_sqrt_ceiling";
    }
    TORCH_CHECK(false, "CeilingConvention: no such ratio");
  }();
  return clip ? std::string(text) + "_clipped" : text;
}

CeilingConvention ceiling_convention(const std::string& name) {
  using Ratio = CeilingConvention::Ratio;
  for (const auto ratio : {Ratio::kR2OverC, Ratio::kROverCSquared, Ratio::kROverC}) {
    if (const CeilingConvention convention{ratio}; name == convention.name()) return convention;
  }
  throw Error(ErrorKind::kUsage, "--ceiling-convention: found \"" + name +
                                     "\", expected r2_over_c, r_over_c_squared or r_over_c.");
}

at::Tensor CeilingConvention::operator()(const at::Tensor& raw, const at::Tensor& ceiling) const {
  const auto r = raw - chance, c = ceiling - chance;
  const auto value = [&] {
    switch (ratio) {
      case Ratio::kR2OverC:
        return r.square() / c;
      case Ratio::kROverCSquared:
        return (r / c).square();
      case Ratio::kROverSqrtC:
        return r / c.sqrt();
      case Ratio::kROverC:
        break;
    }
    return r / c;
  }();
  return at::where(c > 0, clip ? value.clamp(0, 1) : value, kNaN);
}

double CeilingConvention::operator()(double raw, double ceiling) const {
  const auto value =
      (*this)(at::scalar_tensor(raw, at::kDouble), at::scalar_tensor(ceiling, at::kDouble));
  return value.const_data_ptr<double>()[0];
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
  if (options.n_boot < 1) {  // nobody asked for an interval
    estimate.ci_lo = estimate.ci_hi = kNaN;
    return;
  }
  const Stage drawing(StageName::kResample);
  estimate.draws = draw(estimate.per_neuroid, estimate.draws.counts, options);
  // One split has no spread: the standard error is the bootstrap's.
  if (estimate.per_neuroid.size(0) == 1) estimate.error = deviation(estimate.draws.values, 1);
  set_interval(estimate.draws.values, options.level, estimate.ci_lo, estimate.ci_hi);
  if (n_defined(estimate) > 1) return;
  estimate.ci_lo = estimate.ci_hi = kNaN;  // a single neuroid can only be drawn as it is
  if (estimate.per_neuroid.size(0) == 1) estimate.error = kNaN;
}

Score ceiled_score(Estimate raw,
                   Estimate ceiling,
                   CeilingConvention convention,
                   const BootstrapOptions& options) {
  TORCH_CHECK_VALUE(raw.per_neuroid.size(1) == ceiling.per_neuroid.size(1),
                    "ceiled_score: raw has ", raw.per_neuroid.size(1), " neuroids, ceiling ",
                    ceiling.per_neuroid.size(1));
  if (ceiling.draws.values.empty()) bootstrap_over_neuroids(ceiling, options);
  raw.draws.counts = ceiling.draws.counts;
  bootstrap_over_neuroids(raw, options);
  return ceiled_by_draws(std::move(raw), std::move(ceiling), convention, options.level);
}

Score ceiled_by_draws(Estimate raw, Estimate ceiling, CeilingConvention convention, double level) {
  const Stage drawing(StageName::kResample);
  Score score;
  score.convention = convention;
  score.raw = std::move(raw);
  score.ceiling = std::move(ceiling);
  score.ceiled = convention(score.raw.value, score.ceiling.value);
  const auto draws = convention(at::tensor(score.raw.draws.values, at::kDouble),
                                at::tensor(score.ceiling.draws.values, at::kDouble));
  const auto* const first = draws.const_data_ptr<double>();
  set_ceiled_draws(score, {first, first + draws.numel()}, level);
  return score;
}

Estimate undefined_estimate(int64_t n_neuroids, const BootstrapOptions& options) {
  Estimate estimate;
  estimate.value = estimate.error = estimate.ci_lo = estimate.ci_hi = kNaN;
  estimate.per_neuroid = at::full({1, n_neuroids}, kNaN, at::kDouble);
  estimate.draws = {{}, std::vector<double>(static_cast<size_t>(options.n_boot), kNaN)};
  return estimate;
}

Estimate pool_neuroids(const std::vector<Estimate>& parts) {
  std::vector<at::Tensor> side_by_side;
  for (const auto& part : parts) side_by_side.push_back(part.per_neuroid);
  return aggregate(at::cat(side_by_side, 1));
}

Estimate mean_of_estimates(const std::vector<Estimate>& estimates, double level) {
  Estimate mean;
  std::vector<at::Tensor> side_by_side;
  std::vector<std::vector<double>> draws;
  for (const auto& estimate : estimates) {
    mean.split_values.push_back(estimate.value);
    mean.n_undefined += estimate.n_undefined;
    side_by_side.push_back(estimate.per_neuroid);
    draws.push_back(estimate.draws.values);
  }
  mean.value = mean_skip_nan(mean.split_values);
  mean.per_neuroid = at::cat(side_by_side, 1);
  mean.draws = {{}, mean_of_draws(draws)};
  mean.error = deviation(mean.draws.values, 1);
  set_mean_interval(mean, estimates, level);
  if (std::isnan(mean.ci_lo)) mean.error = kNaN;
  return mean;
}

Score mean_of_populations(const std::vector<Score>& populations, Estimate ceiling, double level) {
  Score mean;
  std::vector<Estimate> raw;
  std::vector<std::vector<double>> draws, ceilings;
  std::vector<double> ceiled;
  for (const auto& population : populations) {
    raw.push_back(population.raw);
    ceiled.push_back(population.ceiled);
    draws.push_back(population.ceiled_draws);
    ceilings.push_back(population.ceiling.draws.values);
  }
  mean.convention = populations.front().convention;
  mean.raw = mean_of_estimates(raw, level);
  mean.ceiling = std::move(ceiling);
  mean.ceiling.draws = {{}, mean_of_draws(ceilings)};
  mean.ceiled = mean_skip_nan(ceiled);
  set_ceiled_draws(mean, mean_of_draws(draws), level);
  return mean;
}

Score mean_of_halves(const std::vector<Score>& halves, const BootstrapOptions& options) {
  TORCH_CHECK_VALUE(!halves.empty(), "mean_of_halves: no halves");
  Score mean = halves.front();
  const auto average = [&](auto values_of_half) {
    std::vector<std::vector<double>> values;
    for (const auto& half : halves) values.push_back(values_of_half(half));
    return mean_of_draws(values);  // one draw of neuroids serves all halves
  };
  const auto average_estimate = [&](Estimate& into, auto part) {
    std::vector<double> values, all_splits;
    std::vector<Estimate> estimates;
    double variance = 0;
    std::vector<at::Tensor> stacked;
    for (const auto& half : halves) {
      const Estimate& e = part(half);
      values.push_back(e.value);
      all_splits.insert(all_splits.end(), e.split_values.begin(), e.split_values.end());
      variance += e.error * e.error;
      stacked.push_back(e.per_neuroid);
      estimates.push_back(e);
    }
    into.value = mean_skip_nan(values);
    into.split_values = all_splits;
    into.error = std::sqrt(variance) / static_cast<double>(halves.size());
    into.per_neuroid = at::cat(stacked, 0);
    into.n_undefined = part(halves.front()).n_undefined;
    into.draws = {{}, average([&](const Score& s) { return part(s).draws.values; })};
    set_mean_interval(into, estimates, options.level);
  };
  average_estimate(mean.raw, [](const Score& s) -> const Estimate& { return s.raw; });
  average_estimate(mean.ceiling, [](const Score& s) -> const Estimate& { return s.ceiling; });
  mean.ceiled = average([](const Score& s) { return std::vector<double>{s.ceiled}; }).front();
  set_ceiled_draws(mean, average([](const Score& s) { return s.ceiled_draws; }), options.level);
  return mean;
}

}  // namespace cortiscore
