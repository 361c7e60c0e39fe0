#include "src/score/bootstrap_error.h"

#include <ATen/ATen.h>

#include "src/core/random.h"
#include "src/score/statistics.h"

namespace cortiscore {

double bootstrap_error(const at::Tensor& values,
                       const std::vector<int64_t>& axes,
                       int64_t n_boot,
                       uint32_t seed) {
  const auto all = values.to(at::kDouble).cpu();
  NumpyGenerator random(seed);
  std::vector<double> draws;
  for (int64_t b = 0; b < n_boot; ++b) {
    auto drawn = all;
    for (const auto axis : axes) {
      const auto n = all.size(axis);
      drawn = drawn.index_select(axis, at::tensor(random.integers(n, n), at::kLong));
    }
    draws.push_back(drawn.nanmean().item<double>());
  }
  return deviation(draws, 1);
}

}  // namespace cortiscore
