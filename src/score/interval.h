#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "src/resample/bootstrap.h"

namespace cortiscore {

/// A statistic for every draw: [draws.n] float64.
using Statistic = std::function<at::Tensor(const Draws&)>;

enum class Interval { kPercentile, kBca };

struct ResampleOptions {
  std::map<Axis, int64_t> over;  ///< axes and their sizes
  std::map<Axis, int64_t> defined =
      {};  ///< of an axis whose entries need not all have a value: how many have
  int64_t n_boot = 1000;
  double level = 0.95;
  uint64_t seed = 0;
  Interval interval = Interval::kPercentile;
  int64_t block = 512;  ///< draws at once: bounds what the statistic holds
};

/// A statistic, its bootstrap distribution and the interval.
struct Resampled {
  double value = 0;
  double error = 0;  ///< standard deviation of the finite draws (ddof 1)
  double ci_lo = 0, ci_hi = 0;
  std::vector<double> draws;
  std::vector<std::string> warnings;  ///< of an interval that is not there, or leaves draws out
};

/// How many draws have no value, in words; none where all have one.
std::vector<std::string> undefined_draws(const std::vector<double>& draws);

/// Bootstraps a statistic over one axis or several at once. Draws that are not finite are left out,
/// and counted. An axis of one entry has nothing to draw: where there is no other, error and
/// interval are NaN, not a point.
///
/// Percentile: numpy.percentile of the draws. BCa: bias from the share of draws below the value
/// (ties count half), acceleration from leaving out one entry of each axis in turn (several axes
/// add up as scipy.stats.bootstrap does for several samples). Source: Efron 1987; Efron &
/// Tibshirani 1993, eq. 14.10 and 14.15.
Resampled resample(const Statistic& statistic,
                   const ResampleOptions& options,
                   const at::TensorOptions& on);

/// The interval of given draws. @param jackknife  an axis: the statistic without each of its
/// entries; for BCa alone
void interval_of(Resampled& result,
                 const std::vector<std::vector<double>>& jackknife,
                 double level,
                 Interval interval);

/// The standard normal distribution function and its inverse.
double normal_cdf(double z);
double normal_quantile(double p);

}  // namespace cortiscore
