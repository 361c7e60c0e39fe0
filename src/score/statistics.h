#pragma once
#include <cstdint>
#include <vector>

namespace cortiscore {

/// Mean of what is not NaN; NaN where nothing is.
double mean_skip_nan(const std::vector<double>& values);

/// Standard deviation of what is finite, with `ddof` degrees of freedom taken off; NaN where too
/// little is left.
double deviation(const std::vector<double>& values, int64_t ddof);

/// The two ends of a percentile interval, by linear interpolation between order statistics as
/// numpy.percentile; NaN where fewer than two draws are finite.
void set_interval(const std::vector<double>& draws, double level, double& lo, double& hi);

/// Quantile q in 0..1 of ascending values, by linear interpolation as numpy.percentile; NaN where
/// there are none.
double percentile(const std::vector<double>& sorted, double q);

/// As many draws as asked for, or as `most` units of work allow, twenty at least.
/// @param work  of one draw
int64_t fewer_where_large(int64_t draws, int64_t work, int64_t most);

}  // namespace cortiscore
