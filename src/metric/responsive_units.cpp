#include "src/metric/responsive_units.h"

#include <ATen/ATen.h>

namespace cortiscore {

at::Tensor responsive_units(FeatureBlocks& x) {
  constexpr double kDeviations = 3.1;
  // Mean, deviation, and whether anything changes: by comparison, which no rounding touches.
  const auto moments = by_columns(x, [](int64_t, const at::Tensor& columns) {
    const auto values = columns.to(at::kDouble);
    const auto changes = (columns != columns.narrow(0, 0, 1)).any(0).to(at::kDouble);
    return at::stack({values.mean(0), values.std(0, /*unbiased=*/false), changes});
  });
  const auto mean = moments[0], deviation = moments[1], changes = moments[2];
  const auto n = changes.sum();
  const auto centre = (mean * changes).sum() / n;
  const auto spread = ((mean - centre).square() * changes).sum().div(n).sqrt();
  const auto kept = changes.to(at::kBool).logical_and(mean.abs() > kDeviations * spread);
  return by_columns(x, [&](int64_t begin, const at::Tensor& columns) {
    const auto here = kept.narrow(0, begin, columns.size(1)).nonzero().squeeze(1);
    const auto values = columns.index_select(1, here).to(at::kDouble);
    return (values - mean.narrow(0, begin, columns.size(1)).index_select(0, here)) /
           deviation.narrow(0, begin, columns.size(1)).index_select(0, here);
  });
}

}  // namespace cortiscore
