#include "src/ops/weighted_median.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include <ATen/ATen.h>

#include "src/core/parallel.h"
#include "src/ops/fused.h"

namespace cortiscore {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Entries in ascending order of value, NaN left out.
void sort_order(const double* values, int64_t m, std::vector<int64_t>& order) {
  order.resize(static_cast<size_t>(m));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::erase_if(order, [&](int64_t i) { return std::isnan(values[i]); });
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return values[a] < values[b] || (values[a] == values[b] && a < b);
  });
}

double total_of(const double* counts, const std::vector<int64_t>& order) {
  double total = 0;
  for (const auto i : order) total += counts[i];
  return total;
}

double median_of(const double* values,
                 const double* counts,
                 const std::vector<int64_t>& order,
                 double total) {
  if (!(total > 0)) return kNaN;
  const double low = std::floor((total + 1) / 2);  // the places of the middle two, from 1
  const double high = std::floor(total / 2) + 1;
  double seen = 0;
  double first = kNaN;
  for (const auto i : order) {
    seen += counts[i];
    if (std::isnan(first) && seen >= low) first = values[i];
    if (seen >= high) return (first + values[i]) / 2;
  }
  return kNaN;
}

}  // namespace

at::Tensor weighted_median_definition(const at::Tensor& values, const at::Tensor& counts) {
  const auto valid = values.isnan().logical_not();
  const auto sort = at::sort(at::where(valid, values, std::numeric_limits<double>::infinity()), 2);
  const at::Tensor& sorted = std::get<0>(sort);
  const at::Tensor& order = std::get<1>(sort);
  const auto weight =
      at::where(valid, counts.unsqueeze(1), 0.0)
          .expand({std::max(values.size(0), counts.size(0)), values.size(1), values.size(2)});
  const auto places = order.expand_as(weight);
  const auto seen = weight.gather(2, places).cumsum(2);
  const auto total = seen.select(2, seen.size(2) - 1).unsqueeze(2);
  const auto values_at = [&](const at::Tensor& place) {
    const auto first = (seen >= place).to(at::kLong).argmax(2, true);
    return sorted.expand_as(weight).gather(2, first).squeeze(2);
  };
  const auto median =
      (values_at((total + 1).div(2, "floor")) + values_at(total.div(2, "floor") + 1)) / 2;
  return at::where(total.squeeze(2) > 0, median, kNaN);
}

at::Tensor weighted_median(const at::Tensor& values, const at::Tensor& counts) {
  TORCH_CHECK_VALUE(
      values.dim() == 3 && counts.dim() == 2 && values.size(2) == counts.size(1) &&
          (values.size(0) == counts.size(0) || values.size(0) == 1 || counts.size(0) == 1),
      "weighted_median: need values [b or 1, s, m] and counts [b or 1, m], got ", values.sizes(),
      " and ", counts.sizes());
  if (values.size(2) == 0)
    return at::full({std::max(values.size(0), counts.size(0)), values.size(1)}, kNaN,
                    values.options());
  if (auto fused = fused::weighted_median(values, counts)) return *fused;
  if (!values.is_cpu()) return weighted_median_definition(values, counts);
  const auto v = values.contiguous();
  const auto c = counts.contiguous();
  const int64_t b_values = v.size(0), b_counts = c.size(0), s = v.size(1), m = v.size(2);
  const int64_t b = std::max(b_values, b_counts);
  auto out = at::empty({b, s}, v.options());
  const double* const value = v.const_data_ptr<double>();
  const double* const count = c.const_data_ptr<double>();
  double* const result = out.mutable_data_ptr<double>();
  if (b_values == 1) {  // one order serves every draw, and one total all rows without NaN
    const auto totals = c.sum(1);
    parallel_for(s, [&](int64_t j) {
      std::vector<int64_t> order;
      sort_order(value + j * m, m, order);
      const bool all = static_cast<int64_t>(order.size()) == m;
      for (int64_t i = 0; i < b; ++i) {
        const int64_t draw = b_counts == 1 ? 0 : i;
        const double* const row = count + draw * m;
        result[i * s + j] =
            median_of(value + j * m, row, order,
                      all ? totals.const_data_ptr<double>()[draw] : total_of(row, order));
      }
    });
    return out;
  }
  constexpr int64_t kBlock = 64;
  parallel_for((b + kBlock - 1) / kBlock, [&](int64_t block) {
    std::vector<int64_t> order;
    for (int64_t i = block * kBlock; i < std::min(b, (block + 1) * kBlock); ++i) {
      for (int64_t j = 0; j < s; ++j) {
        const double* const row = value + (i * s + j) * m;
        sort_order(row, m, order);
        const double* const of_draw = count + (b_counts == 1 ? 0 : i * m);
        result[i * s + j] = median_of(row, of_draw, order, total_of(of_draw, order));
      }
    }
  });
  return out;
}

}  // namespace cortiscore
