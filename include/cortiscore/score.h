#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace cortiscore {

/// How a raw value becomes a ceiled score. Its name is in every record; conventions are never mixed
/// in a ranking. With r = raw - chance and c = ceiling - chance; NaN where c is not positive.
struct CeilingConvention {
  enum class Ratio {
    kROverC,         ///< r / c: the platform's RDM benchmarks, and all before 2019
    kR2OverC,        ///< r^2 / c: the platform's neural benchmarks since 2026-01-13
    kROverCSquared,  ///< (r / c)^2: those from 2019 to 2025
    kROverSqrtC      ///< r / sqrt(c): patterns of choices
  };

  Ratio ratio = Ratio::kROverC;
  bool clip = false;  ///< to 0..1
  double chance = 0;  ///< of the raw value and of the ceiling

  /// "r_over_c", "r2_over_c", "r_over_c_squared", "raw_over_sqrt_ceiling"; with "_clipped" behind
  /// it, and "above_chance_clipped" where there is a chance.
  std::string name() const;

  double operator()(double raw, double ceiling) const;
  /// Of each draw: `raw` and `ceiling` float64, of one shape.
  at::Tensor operator()(const at::Tensor& raw, const at::Tensor& ceiling) const;
};

/// One of those that a user chooses: "r2_over_c", "r_over_c_squared", "r_over_c".
/// @throws Error(kUsage)  an unknown name
CeilingConvention ceiling_convention(const std::string& name);

/// A bootstrap over neuroids: how often each counts, and the estimate, for every draw.
struct NeuroidDraws {
  /// [n_boot, n_neuroids] float64, or undefined where they would take much memory
  at::Tensor counts;
  std::vector<double> values;
};

/// A value with its uncertainty and what it was averaged from.
struct Estimate {
  double value = 0;
  /// The platform's: standard deviation over splits (ddof 0) / sqrt(n_splits); of one split the
  /// bootstrap's, once that was drawn.
  double error = 0;
  /// 95 % percentile bootstrap over neuroids, predictions fixed; NaN where fewer than two have a
  /// value.
  double ci_lo = 0;
  double ci_hi = 0;
  std::vector<double> split_values;  ///< median over neuroids, a split
  at::Tensor per_neuroid;            ///< [n_splits, n_neuroids] float64 on the CPU
  int64_t n_undefined =
      0;  ///< neuroids that are NaN in every split, e.g. constant ones; skipped by medians
  NeuroidDraws draws;  ///< empty until bootstrapped
};

/// Median over neuroids skipping NaN, mean over splits skipping NaN, and the platform's error, in
/// that order: it matters.
/// @param per_neuroid  [n_splits, n_neuroids] float64, any device
Estimate aggregate(const at::Tensor& per_neuroid);

struct BootstrapOptions {
  int64_t n_boot = 1000;
  double level = 0.95;
  uint64_t seed = 0;
};

/// Fills draws, ci_lo and ci_hi by resampling neuroids with replacement, the same draws for every
/// estimate given.
void bootstrap_over_neuroids(Estimate& estimate, const BootstrapOptions& options = {});

/// A raw estimate divided by its ceiling.
struct Score {
  Estimate raw;
  Estimate ceiling;
  double ceiled = 0;
  double ceiled_error = 0;  ///< standard deviation of the joint bootstrap below
  double ceiled_ci_lo = 0;  ///< raw and ceiling resampled together, with the same neuroids
  double ceiled_ci_hi = 0;
  std::vector<double> ceiled_draws;  ///< of that bootstrap; empty where none was asked for
  CeilingConvention convention;
  std::vector<std::string> warnings;  ///< what the numbers leave out, with its count and why
};

/// @param raw, ceiling  over the same neuroids in the same order. A ceiling that has its draws
///                      (with these options) keeps them, so that the ceiling of many networks is
///                      bootstrapped once.
Score ceiled_score(Estimate raw,
                   Estimate ceiling,
                   CeilingConvention convention,
                   const BootstrapOptions& options = {});

/// The same of two estimates that have the same draws already.
Score ceiled_by_draws(Estimate raw, Estimate ceiling, CeilingConvention convention, double level);

/// An estimate of nothing, draws included: the ceiling of data that hold none.
Estimate undefined_estimate(int64_t n_neuroids, const BootstrapOptions& options);

/// Several populations that were mapped apart, as one: per-neuroid values side by side.
Estimate pool_neuroids(const std::vector<Estimate>& parts);

/// Populations that were mapped and scored apart, as their mean: of raw values and of ceiled
/// scores. The ceiling is only reported: dividing was done in each. One fit has no spread over
/// splits, so the error is the bootstrap's.
/// Source: the platform's TrainTestNeuralBenchmark; BENCHMARKS.md 1.0.
Score mean_of_populations(const std::vector<Score>& populations, Estimate ceiling, double level);

/// The mean of raw estimates alone, as mean_of_populations has it.
Estimate mean_of_estimates(const std::vector<Estimate>& estimates, double level);

/// Two halves, each scored with a layer that was chosen on the other: means of both, bootstrapped
/// together.
Score mean_of_halves(const std::vector<Score>& halves, const BootstrapOptions& options = {});

/// NumPy's nanmedian: the mean of the two middle values for even counts; NaN where nothing is left.
double median_skip_nan(std::vector<double> values);

}  // namespace cortiscore
