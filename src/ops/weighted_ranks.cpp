#include "src/ops/weighted_ranks.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "src/core/parallel.h"

namespace cortiscore {

SortedTies sort_ties(const at::Tensor& values) {
  const int64_t n = values.size(0);
  const auto [sorted, order] = at::sort(values);
  const auto places = at::arange(n, order.options());
  const int64_t pairs = std::max<int64_t>(n - 1, 0);
  const auto differs =
      sorted.narrow(0, std::min<int64_t>(n, 1), pairs) != sorted.narrow(0, 0, pairs);
  const auto edge = at::ones({std::min<int64_t>(n, 1)}, differs.options());
  const auto starts = at::cat({edge, differs});
  const auto ends = at::cat({differs, edge});
  const auto first = std::get<0>(at::cummax(at::where(starts, places, at::zeros_like(places)), 0));
  const auto last =
      std::get<0>(at::cummin(at::where(ends, places, at::full_like(places, n)).flip(0), 0)).flip(0);
  return {order, first, last};
}

namespace {

// One walk through the sorted order a weighting.
void walk(const int64_t* order, const int64_t* last, const double* w, int64_t n, double* ranks) {
  double before = 0;
  for (int64_t i = 0; i < n;) {
    const int64_t end = last[i];
    double group = 0;
    for (int64_t k = i; k <= end; ++k) group += w[order[k]];
    const double rank = before + (group + 1) / 2;
    for (int64_t k = i; k <= end; ++k) ranks[order[k]] = rank;
    before += group;
    i = end + 1;
  }
}

}  // namespace

at::Tensor weighted_ranks(const SortedTies& ties, const at::Tensor& weights) {
  if (weights.is_cpu()) {
    const auto dense = weights.contiguous();
    auto ranks = at::empty_like(dense);
    const int64_t n = dense.size(1);
    parallel_for(dense.size(0), [&](int64_t b) {
      walk(ties.order.const_data_ptr<int64_t>(), ties.last.const_data_ptr<int64_t>(),
           dense.const_data_ptr<double>() + b * n, n, ranks.mutable_data_ptr<double>() + b * n);
    });
    return ranks;
  }
  const auto w = weights.index_select(1, ties.order);
  const auto up_to = w.cumsum(1);
  const auto before = up_to.index_select(1, ties.first) - w.index_select(1, ties.first);
  const auto mean = before + (up_to.index_select(1, ties.last) - before + 1) / 2;
  return at::empty_like(w).index_copy_(1, ties.order, mean);
}

}  // namespace cortiscore
