#include "src/score/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace cortiscore {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

}  // namespace

double percentile(const std::vector<double>& sorted, double q) {
  if (sorted.empty() || std::isnan(q)) return kNaN;
  const double position = q * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<size_t>(position);
  const size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (position - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

double mean_skip_nan(const std::vector<double>& values) {
  double sum = 0;
  int64_t n = 0;
  for (const auto v : values) {
    if (!std::isnan(v)) sum += v, ++n;
  }
  return n ? sum / static_cast<double>(n) : kNaN;
}

double deviation(const std::vector<double>& values, int64_t ddof) {
  std::vector<double> finite;
  std::copy_if(values.begin(), values.end(), std::back_inserter(finite),
               [](double v) { return std::isfinite(v); });
  if (static_cast<int64_t>(finite.size()) <= ddof) return kNaN;
  const double mean = mean_skip_nan(finite);
  double square = 0;
  for (const auto v : finite) square += (v - mean) * (v - mean);
  return std::sqrt(square / static_cast<double>(static_cast<int64_t>(finite.size()) - ddof));
}

void set_interval(const std::vector<double>& draws, double level, double& lo, double& hi) {
  std::vector<double> sorted;
  std::copy_if(draws.begin(), draws.end(), std::back_inserter(sorted),
               [](double v) { return std::isfinite(v); });
  lo = hi = std::nan("");
  if (sorted.size() < 2) return;  // one draw would be a point, and look like certainty
  std::sort(sorted.begin(), sorted.end());
  lo = percentile(sorted, (1 - level) / 2);
  hi = percentile(sorted, (1 + level) / 2);
}

int64_t fewer_where_large(int64_t draws, int64_t work, int64_t most) {
  constexpr int64_t kFewest = 20;
  return std::min(draws, std::max(kFewest, most / std::max<int64_t>(work, 1)));
}

}  // namespace cortiscore
