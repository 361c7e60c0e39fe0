#pragma once
#include <cstdint>
#include <vector>

namespace cortiscore {

/// Mean of what is not NaN; NaN where nothing is.
double mean_skip_nan(const std::vector<double>& values);

/// Standard deviation of what is finite, with `ddof` degrees of freedom taken off; NaN where too little is left.
double deviation(const std::vector<double>& values, int64_t ddof);

/// The two ends of a percentile interval, by linear interpolation between order statistics as numpy.percentile.
void set_interval(const std::vector<double>& draws, double level, double& lo, double& hi);

/// Bootstrap draw b: n of 0..n-1 with replacement, from Philox at (b, position): the same for any order of calls.
std::vector<int64_t> draw_with_replacement(uint64_t seed, int64_t b, int64_t n);

}  // namespace cortiscore
