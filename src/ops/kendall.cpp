#include "src/ops/kendall.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include <ATen/ATen.h>

namespace cortiscore {
namespace {

// Pairs that stand in the wrong order, counted while sorting.
int64_t inversions(std::vector<double>& values,
                   std::vector<double>& buffer,
                   size_t begin,
                   size_t end) {
  if (end - begin < 2) return 0;
  const size_t middle = begin + (end - begin) / 2;
  int64_t count =
      inversions(values, buffer, begin, middle) + inversions(values, buffer, middle, end);
  size_t left = begin, right = middle;
  for (size_t out = begin; out < end; ++out) {
    if (left < middle && (right == end || values[left] <= values[right])) {
      buffer[out] = values[left++];
    } else {
      count += static_cast<int64_t>(middle - left);
      buffer[out] = values[right++];
    }
  }
  std::copy(buffer.begin() + static_cast<std::ptrdiff_t>(begin),
            buffer.begin() + static_cast<std::ptrdiff_t>(end),
            values.begin() + static_cast<std::ptrdiff_t>(begin));
  return count;
}

// Pairs within runs of equal entries.
template <typename Equal>
int64_t tied_pairs(size_t n, const Equal& equal) {
  int64_t pairs = 0, run = 1;
  for (size_t i = 1; i <= n; ++i) {
    if (i < n && equal(i - 1, i)) {
      ++run;
    } else {
      pairs += run * (run - 1) / 2;
      run = 1;
    }
  }
  return pairs;
}

// Where the run of equal entries begins that an entry is in, for entries side by side.
at::Tensor begins_of_runs(const at::Tensor& sorted) {
  const auto place = at::arange(sorted.size(0), sorted.options().dtype(at::kLong));
  auto begins = at::ones_like(sorted, sorted.options().dtype(at::kBool));
  begins.narrow(0, 1, sorted.size(0) - 1)
      .copy_(sorted.narrow(0, 1, sorted.size(0) - 1) != sorted.narrow(0, 0, sorted.size(0) - 1));
  return std::get<0>(at::cummax(at::where(begins, place, 0), 0));
}

at::Tensor tied_pairs(const at::Tensor& begins) {
  return (at::arange(begins.size(0), begins.options()) - begins).sum();
}

// Pairs that stand in the wrong order, on any device. From the highest bit of the ranks down: of
// two ranks that are equal above a bit, the one that has it is the greater.
at::Tensor inversions(at::Tensor ranks) {
  auto count = at::zeros({}, ranks.options());
  int64_t bits = 0;
  while ((int64_t{1} << bits) < ranks.size(0)) ++bits;
  for (int64_t bit = bits - 1; bit >= 0; --bit) {
    // Ranks that are equal above the bit are side by side, in the order in which they stood.
    const auto begins = begins_of_runs(at::bitwise_right_shift(ranks, bit + 1));
    const auto upper = at::bitwise_right_shift(ranks, bit);
    const auto has = at::bitwise_and(upper, 1);
    const auto before = has.cumsum(0) - has;
    count = count + ((1 - has) * (before - before.index_select(0, begins))).sum();
    ranks = ranks.index_select(0, std::get<1>(upper.sort(/*stable=*/true, 0, false)));
  }
  return count;
}

at::Tensor kendall_by_bits(const at::Tensor& a, const at::Tensor& b) {
  // By a, and among its ties by b.
  const auto by_b = std::get<1>(b.sort(/*stable=*/true, 0, false));
  const auto order =
      by_b.index_select(0, std::get<1>(a.index_select(0, by_b).sort(/*stable=*/true, 0, false)));
  const auto x = a.index_select(0, order);
  const auto y = b.index_select(0, order);
  const auto sorted = b.index_select(0, by_b);
  const auto x_begins = begins_of_runs(x);
  // Runs of pairs that are equal in both are runs of y within those of x.
  const auto both = at::max(x_begins, begins_of_runs(y));
  const auto ties = tied_pairs(x_begins) + tied_pairs(begins_of_runs(sorted)) - tied_pairs(both);
  const auto n = a.size(0);
  const auto discordant = inversions(at::searchsorted(sorted, y));
  const auto pairs = n * (n - 1) / 2;
  return (pairs - ties - 2 * discordant).to(at::kDouble) / static_cast<double>(pairs);
}

}  // namespace

at::Tensor kendall_tau_a_definition(const at::Tensor& a, const at::Tensor& b) {
  const int64_t n = a.size(0);
  auto sum = at::zeros({}, a.options().dtype(at::kDouble));
  const int64_t block = std::clamp<int64_t>((int64_t{1} << 21) / std::max<int64_t>(n, 1), 1, 512);
  for (int64_t i = 0; i < n; i += block) {
    const int64_t rows = std::min(block, n - i);
    const auto sign = [&](const at::Tensor& v) {
      return at::sign(v.narrow(0, i, rows).unsqueeze(1) - v.unsqueeze(0));
    };
    sum = sum + (sign(a) * sign(b)).sum();
  }
  return sum / (static_cast<double>(n) * static_cast<double>(n - 1));
}

at::Tensor kendall_tau_a(const at::Tensor& a, const at::Tensor& b) {
  TORCH_CHECK_VALUE(a.dim() == 1 && a.sizes() == b.sizes(), "kendall_tau_a: need two [n], got ",
                    a.sizes(), " and ", b.sizes());
  const auto n = static_cast<size_t>(a.size(0));
  if (n < 2) return at::full({}, std::numeric_limits<double>::quiet_NaN(), a.options());
  if (!a.is_cpu()) return kendall_by_bits(a.contiguous(), b.contiguous());
  const auto dense_a = a.contiguous();
  const auto dense_b = b.contiguous();
  const double* const x = dense_a.const_data_ptr<double>();
  const double* const y = dense_b.const_data_ptr<double>();
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t i, size_t j) { return x[i] < x[j] || (x[i] == x[j] && y[i] < y[j]); });
  const int64_t ties_x =
      tied_pairs(n, [&](size_t i, size_t j) { return x[order[i]] == x[order[j]]; });
  const int64_t ties_both = tied_pairs(n, [&](size_t i, size_t j) {
    return x[order[i]] == x[order[j]] && y[order[i]] == y[order[j]];
  });
  std::vector<double> by_x(n), buffer(n);
  for (size_t i = 0; i < n; ++i) by_x[i] = y[order[i]];
  const int64_t discordant = inversions(by_x, buffer, 0, n);  // leaves by_x sorted
  const int64_t ties_y = tied_pairs(n, [&](size_t i, size_t j) { return by_x[i] == by_x[j]; });
  const auto pairs = static_cast<int64_t>(n * (n - 1) / 2);
  const int64_t concordant = pairs - discordant - ties_x - ties_y + ties_both;
  return at::full({}, static_cast<double>(concordant - discordant) / static_cast<double>(pairs),
                  a.options());
}

}  // namespace cortiscore
