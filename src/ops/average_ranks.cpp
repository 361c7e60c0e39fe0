#include "src/ops/average_ranks.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <ATen/ATen.h>

#include "src/core/parallel.h"
#include "src/ops/fused.h"

namespace cortiscore {
namespace {

struct Entry {
  double value;
  int32_t place;
};

bool by_value(const Entry& a, const Entry& b) {
  return a.value < b.value;
}

// Ranks of entries that stand in order, the first of them at place `before` + 1.
void write_ranks(const Entry* sorted, int64_t n, int64_t before, double* ranks) {
  for (int64_t i = 0; i < n;) {
    int64_t j = i + 1;
    while (j < n && sorted[j].value == sorted[i].value) ++j;
    const double rank = static_cast<double>(before) + 0.5 * static_cast<double>(i + 1 + j);
    for (; i < j; ++i) ranks[sorted[i].place] = rank;
  }
}

// Which of `n_buckets` equally wide ones between two values.
struct Buckets {
  double from, scale;
  Buckets(double low, double high, int64_t n_buckets)
      : from(low), scale(static_cast<double>(n_buckets - 1) / (high - low)) {}
  int64_t of(double v) const { return static_cast<int64_t>((v - from) * scale); }
};

// A counting sort into buckets of two entries on average, then insertion within: linear for
// densities without peaks; a bucket that holds many is sorted by comparison.
void sort_part(const Entry* in, int64_t n, std::vector<int32_t>& end, Entry* out) {
  const auto [low, high] = std::minmax_element(in, in + n, by_value);
  if (n < 64 || !(high->value > low->value)) {
    std::copy(in, in + n, out);
    std::sort(out, out + n, by_value);
    return;
  }
  const int64_t n_buckets = n / 2;
  const Buckets buckets(low->value, high->value, n_buckets);
  end.assign(static_cast<size_t>(n_buckets) + 1, 0);
  for (int64_t i = 0; i < n; ++i) ++end[static_cast<size_t>(buckets.of(in[i].value)) + 1];
  for (size_t i = 1; i < end.size(); ++i) end[i] += end[i - 1];
  for (int64_t i = 0; i < n; ++i) out[end[static_cast<size_t>(buckets.of(in[i].value))]++] = in[i];
  int32_t begin = 0;  // each end now stands where the next bucket begins
  for (int64_t b = 0; b < n_buckets; ++b) {
    const int32_t stop = end[static_cast<size_t>(b)];
    if (stop - begin > 16) {
      std::sort(out + begin, out + stop, by_value);
    } else {
      for (int32_t i = begin + 1; i < stop; ++i) {
        const Entry entry = out[i];
        int32_t j = i;
        for (; j > begin && entry.value < out[j - 1].value; --j) out[j] = out[j - 1];
        out[j] = entry;
      }
    }
    begin = stop;
  }
}

// Values are dealt into coarse parts first, each of which then sorts within the cache.
void rank_row(const double* values, int64_t n, double* ranks) {
  if (n == 0) return;
  const auto [low, high] = std::minmax_element(values, values + n);
  const double span = *high - *low;
  // Torch's allocator keeps large blocks, so that the next row does not start from pages that the
  // kernel must clear.
  const auto scratch_of = [](int64_t count) {
    return at::empty({count * static_cast<int64_t>(sizeof(Entry))}, at::kByte);
  };
  const auto all = scratch_of(n);
  auto* const entries = reinterpret_cast<Entry*>(all.mutable_data_ptr<uint8_t>());
  if (n < 4096 || !(span > 0) || !std::isfinite(span)) {
    for (int64_t i = 0; i < n; ++i) entries[i] = {values[i], static_cast<int32_t>(i)};
    std::sort(entries, entries + n, by_value);
    write_ranks(entries, n, 0, ranks);
    return;
  }
  constexpr int64_t kEntries = 8192;  // in a part, where values spread evenly: 128 KB
  const int64_t n_parts = std::clamp<int64_t>(n / kEntries, 2, 1024);
  const Buckets parts(*low, *high, n_parts);
  std::vector<int64_t> end(static_cast<size_t>(n_parts) + 1);
  for (int64_t i = 0; i < n; ++i) ++end[static_cast<size_t>(parts.of(values[i])) + 1];
  int64_t largest = 0;
  for (const auto count : end) largest = std::max(largest, count);
  for (size_t i = 1; i < end.size(); ++i) end[i] += end[i - 1];
  for (int64_t i = 0; i < n; ++i) {
    auto& place = end[static_cast<size_t>(parts.of(values[i]))];
    entries[place++] = {values[i], static_cast<int32_t>(i)};
  }
  const auto part = scratch_of(largest);
  auto* const sorted = reinterpret_cast<Entry*>(part.mutable_data_ptr<uint8_t>());
  std::vector<int32_t> scratch;
  int64_t begin = 0;
  for (int64_t p = 0; p < n_parts; ++p) {
    const int64_t stop = end[static_cast<size_t>(p)];
    if (stop > begin) {
      sort_part(entries + begin, stop - begin, scratch, sorted);
      write_ranks(sorted, stop - begin, begin, ranks);
    }
    begin = stop;
  }
}

}  // namespace

at::Tensor average_ranks_definition(const at::Tensor& values) {
  const int64_t n = values.size(-1);
  const auto [sorted, order] = at::sort(values, -1);
  const auto places = at::arange(1, n + 1, values.options()).expand_as(sorted);
  // The first place of a tie group is the running maximum of the places where a new value starts;
  // its last, the running minimum from the other end.
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
  // Ranks have a known mean and no rounding, so r needs three sums and no more.
  auto ranks = average_ranks(at::stack({a, b}));
  ranks.sub_((static_cast<double>(a.size(0)) + 1) / 2);
  const auto x = ranks[0], y = ranks[1];
  return at::dot(x, y) / (at::dot(x, x).sqrt() * at::dot(y, y).sqrt());
}

}  // namespace cortiscore
