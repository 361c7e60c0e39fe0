#include "src/metric/property.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "src/core/random.h"

namespace cortiscore {
namespace {

// numpy.histogram's bins: half open, the last one closed.
at::Tensor bin_of(const at::Tensor& values, const at::Tensor& bins) {
  const auto clipped = values.clamp(bins[0], bins[bins.size(0) - 1]);
  const auto place = at::searchsorted(bins, clipped, /*out_int32=*/false, /*right=*/true) - 1;
  return place.clamp_max(bins.size(0) - 2);
}

}  // namespace

at::Tensor ks_similarity(const at::Tensor& model,
                         const at::Tensor& data,
                         const at::Tensor& bins,
                         int64_t n_draws,
                         uint64_t seed) {
  const int64_t n_bins = bins.size(0) - 1, n_data = data.size(0), n_units = model.size(0);
  if (n_units == 0 || n_data == 0)
    return at::full({n_draws}, std::numeric_limits<double>::quiet_NaN(), bins.options());
  const auto recorded = at::bincount(bin_of(data, bins), {}, n_bins).to(at::kDouble);
  const auto p = (recorded / static_cast<double>(n_data)).cumsum(0);
  auto drawn = at::empty({n_draws, n_data}, at::kLong);
  auto* const unit = drawn.mutable_data_ptr<int64_t>();
  for (int64_t b = 0; b < n_draws; ++b) {
    for (int64_t i = 0; i < n_data; ++i) {
      const auto word = philox4x32(seed, static_cast<uint64_t>(i), static_cast<uint64_t>(b))[0];
      unit[b * n_data + i] =
          static_cast<int64_t>((uint64_t{word} * static_cast<uint64_t>(n_units)) >> 32U);
    }
  }
  const auto bin = bin_of(model, bins).index_select(0, drawn.flatten().to(model.device()));
  auto counts = at::zeros({n_draws, n_bins}, bins.options());
  counts.scatter_add_(1, bin.reshape({n_draws, n_data}),
                      at::ones({n_draws, n_data}, bins.options()));
  const auto m = (counts / static_cast<double>(n_data)).cumsum(1);
  const auto all_first = (1 - p).abs().amax();
  auto last = at::zeros_like(p);
  last.narrow(0, n_bins - 1, 1).fill_(1);
  const auto all_last = (last - p).abs().amax();
  return 1 - (m - p).abs().amax(1) / at::maximum(all_first, all_last);
}

std::vector<double> counted_draws(std::vector<double> draws) {
  const auto undefined =
      std::count_if(draws.begin(), draws.end(), [](double v) { return std::isnan(v); });
  if (10 * undefined > static_cast<int64_t>(draws.size())) draws.assign(draws.size(), 0.0);
  return draws;
}

}  // namespace cortiscore
