#include "src/ops/average_ranks.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include <ATen/ATen.h>

#include "src/core/parallel.h"
#include "src/ops/fused.h"
#include "src/ops/pearson_columns.h"

namespace cortiscore {
namespace {

struct Entry {
  double value;
  int32_t place;
};

// Values are dropped into equally wide buckets first and sorted within each: linear time for densities without peaks
// (similarities, distances), never worse than one comparison sort.
void sort_entries(const double* values, int64_t n, std::vector<Entry>& out) {
  out.resize(static_cast<size_t>(n));
  const auto by_value = [](const Entry& a, const Entry& b) { return a.value < b.value; };
  const auto [low, high] = std::minmax_element(values, values + n);
  const double from = n ? *low : 0;
  const double span = n ? *high - *low : 0;
  if (n < 4096 || !(span > 0) || !std::isfinite(span)) {
    for (int64_t i = 0; i < n; ++i)
      out[static_cast<size_t>(i)] = {values[i], static_cast<int32_t>(i)};
    std::sort(out.begin(), out.end(), by_value);
    return;
  }
  const int64_t n_buckets = n / 2;
  const double scale = static_cast<double>(n_buckets - 1) / span;
  const auto bucket = [&](double v) { return static_cast<int64_t>((v - from) * scale); };
  std::vector<int32_t> end(static_cast<size_t>(n_buckets) + 1);
  for (int64_t i = 0; i < n; ++i) ++end[static_cast<size_t>(bucket(values[i])) + 1];
  for (size_t i = 1; i < end.size(); ++i) end[i] += end[i - 1];
  for (int64_t i = 0; i < n; ++i) {
    out[static_cast<size_t>(end[static_cast<size_t>(bucket(values[i]))]++)] = {
        values[i], static_cast<int32_t>(i)};
  }
  int32_t begin = 0;  // each end now stands where the next bucket begins
  for (int64_t b = 0; b < n_buckets; ++b) {
    const int32_t stop = end[static_cast<size_t>(b)];
    if (stop - begin > 16) {
      std::sort(out.begin() + begin, out.begin() + stop, by_value);
    } else {
      for (int32_t i = begin + 1; i < stop; ++i) {
        const Entry entry = out[static_cast<size_t>(i)];
        int32_t j = i;
        for (; j > begin && entry.value < out[static_cast<size_t>(j - 1)].value; --j)
          out[static_cast<size_t>(j)] = out[static_cast<size_t>(j - 1)];
        out[static_cast<size_t>(j)] = entry;
      }
    }
    begin = stop;
  }
}

void rank_row(const double* values, int64_t n, double* ranks) {
  std::vector<Entry> sorted;
  sort_entries(values, n, sorted);
  for (size_t i = 0; i < sorted.size();) {
    size_t j = i + 1;
    while (j < sorted.size() && sorted[j].value == sorted[i].value) ++j;
    const double rank = 0.5 * static_cast<double>(i + 1 + j);
    for (; i < j; ++i) ranks[sorted[i].place] = rank;
  }
}

}  // namespace

at::Tensor average_ranks_definition(const at::Tensor& values) {
  const int64_t n = values.size(-1);
  const auto [sorted, order] = at::sort(values, -1);
  const auto places = at::arange(1, n + 1, values.options()).expand_as(sorted);
  // The first place of a tie group is the running maximum of the places where a new value starts; its last, the running
  // minimum from the other end.
  const auto differs = sorted.narrow(-1, 1, std::max<int64_t>(n - 1, 0)) !=
                       sorted.narrow(-1, 0, std::max<int64_t>(n - 1, 0));
  const auto edge = at::ones_like(sorted.narrow(-1, 0, std::min<int64_t>(n, 1)), at::kBool);
  const auto starts = at::cat({edge, differs}, -1);
  const auto ends = at::cat({differs, edge}, -1);
  const auto first = std::get<0>(at::cummax(at::where(starts, places, 0.0), -1));
  const auto last =
      std::get<0>(at::cummin(at::where(ends, places, static_cast<double>(n) + 1).flip(-1), -1))
          .flip(-1);
  return at::empty_like(values).scatter_(-1, order, (first + last) / 2);
}

at::Tensor average_ranks(const at::Tensor& values) {
  if (!values.is_cpu()) {
    const auto [sorted, order] = at::sort(values, -1);
    if (auto fused = fused::tie_ranks(sorted, order)) return *fused;
    return average_ranks_definition(values);
  }
  const auto dense = values.contiguous();
  auto out = at::empty_like(dense);
  const int64_t n = dense.size(-1);
  const int64_t rows = n ? dense.numel() / n : 0;
  parallel_for(rows, [&](int64_t i) {
    rank_row(dense.const_data_ptr<double>() + i * n, n, out.mutable_data_ptr<double>() + i * n);
  });
  return out;
}

at::Tensor spearman(const at::Tensor& a, const at::Tensor& b) {
  const auto ranks = average_ranks(at::stack({a, b}));
  return pearson_columns(ranks[0].unsqueeze(1), ranks[1].unsqueeze(1)).squeeze(0);
}

}  // namespace cortiscore
