#include "src/metric/solution_time.h"

#include <cmath>

#include <ATen/ATen.h>

namespace cortiscore {

at::Tensor solution_times(const at::Tensor& i1,
                          const at::Tensor& thresholds,
                          const at::Tensor& bin_starts) {
  auto best = at::full_like(thresholds, NAN);       // largest i1 so far
  auto best_time = at::full_like(thresholds, NAN);  // and its bin
  auto found = at::full_like(thresholds, NAN);
  for (int64_t b = 0; b < i1.size(0); ++b) {
    const auto value = i1.select(0, b);
    const auto start = bin_starts.select(0, b);
    const auto hit = (value >= thresholds).logical_and(found.isnan());
    const auto crossing = best_time + (thresholds - best) * (start - best_time) / (value - best);
    found = at::where(hit, at::where(best.isnan(), start, crossing), found);
    const auto better = (value >= best).logical_or(best.isnan().logical_and(value == value));
    best_time = at::where(better, start, best_time);
    best = at::where(better, value, best);
  }
  return found;
}

}  // namespace cortiscore
