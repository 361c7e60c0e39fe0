#include "src/linalg/gram.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include "src/core/parallel.h"

namespace cortiscore {
namespace {

constexpr int64_t kFeatures = 4096;  // features a block: 640 rows of them in float64 are 21 MB
constexpr int64_t kTile = 256;       // rows and columns of one product

// out += lower blocks of a a', in tiles; a is [n, k] float64.
void add_lower_product(const at::Tensor& a, at::Tensor& out) {
  const int64_t n = a.size(0);
  const int64_t tiles = (n + kTile - 1) / kTile;
  std::vector<std::pair<int64_t, int64_t>> pairs;
  for (int64_t i = 0; i < tiles; ++i) {
    for (int64_t j = 0; j <= i; ++j) pairs.emplace_back(i, j);
  }
  parallel_for(static_cast<int64_t>(pairs.size()), [&](int64_t p) {
    const auto [i, j] = pairs[static_cast<size_t>(p)];
    const int64_t rows = std::min(kTile, n - i * kTile);
    const int64_t columns = std::min(kTile, n - j * kTile);
    auto tile = out.narrow(0, i * kTile, rows).narrow(1, j * kTile, columns);
    tile.add_(at::mm(a.narrow(0, i * kTile, rows), a.narrow(0, j * kTile, columns).t()));
  });
}

void mirror_lower(at::Tensor& out) {
  out.copy_(at::tril(out) + at::tril(out, -1).t());
}

}  // namespace

at::Tensor centred_gram(const at::Tensor& x) {
  auto out = at::zeros({x.size(0), x.size(0)}, x.options().dtype(at::kDouble));
  if (!x.is_cpu()) {
    for (int64_t begin = 0; begin < x.size(1); begin += kFeatures) {
      const auto block = x.narrow(1, begin, std::min(kFeatures, x.size(1) - begin)).to(at::kDouble);
      const auto centred = block - block.mean(0);
      out.addmm_(centred, centred.t());
    }
    return out;
  }
  for (int64_t begin = 0; begin < x.size(1); begin += kFeatures) {
    const auto block = x.narrow(1, begin, std::min(kFeatures, x.size(1) - begin)).to(at::kDouble);
    add_lower_product((block - block.mean(0)).contiguous(), out);
  }
  mirror_lower(out);
  return out;
}

at::Tensor cross_gram(const at::Tensor& x) {
  if (!x.is_cpu()) return at::mm(x.t(), x);
  auto out = at::zeros({x.size(1), x.size(1)}, x.options());
  add_lower_product(x.t(), out);
  mirror_lower(out);
  return out;
}

at::Tensor isometric_coordinates(const at::Tensor& gram) {
  const int64_t n = gram.size(0);
  const auto lift = gram.diagonal().mean().clamp_min(1e-300) / static_cast<double>(n);
  const auto [factor, info] = at::linalg_cholesky_ex(gram + lift);
  // A failed factorisation is replaced, not branched on: the choice stays on the device.
  if (gram.is_cpu() && info.const_data_ptr<int>()[0] == 0) return factor;
  const auto [values, vectors] = at::linalg_eigh(gram);
  auto spectral = vectors * values.clamp_min(0).sqrt();
  if (gram.is_cpu()) return spectral;
  return at::where(info == 0, factor, spectral);
}

at::Tensor subset_gram(const at::Tensor& gram, const at::Tensor& rows) {
  const auto k = gram.index_select(0, rows).index_select(1, rows);
  const auto row_mean = k.mean(1);
  return k - row_mean - row_mean.unsqueeze(1) + row_mean.mean();
}

}  // namespace cortiscore
