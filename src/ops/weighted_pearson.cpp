#include "src/ops/weighted_pearson.h"

#include <algorithm>
#include <limits>

#include <ATen/ATen.h>

#include "src/core/parallel.h"
#include "src/ops/fused.h"

namespace cortiscore {
namespace {

// Centred and scaled to unit root mean square over the pairs that count; zero where none does or
// all are equal.
at::Tensor standardised(const at::Tensor& raw, const std::optional<at::Tensor>& keep) {
  const auto values = keep ? at::where(*keep, raw, 0.0) : raw;
  const auto n = keep ? keep->sum(0).to(at::kDouble).clamp_min(1)
                      : at::full({raw.size(1)}, static_cast<double>(raw.size(0)), raw.options());
  auto centred = values - values.sum(0) / n;
  if (keep) centred = at::where(*keep, centred, 0.0);
  const auto scale = (centred.square().sum(0) / n).sqrt();
  const auto constant = scale <= 1e-13 * values.abs().amax(0);
  return at::where(constant, 0.0, centred / scale);
}

// r from the weighted sums of z, t, z^2, t^2, z t (and of the pairs): [b, m] each.
at::Tensor epilogue(const at::Tensor& sums, const at::Tensor& total) {
  if (auto fused = fused::pearson_epilogue(sums, total)) return *fused;
  const auto part = [&](int64_t i) { return sums.select(1, i); };
  const auto vz = part(2) - part(0).square() / total;
  const auto vt = part(3) - part(1).square() / total;
  const auto co = part(4) - part(0) * part(1) / total;
  const auto r = (co / (vz.sqrt() * vt.sqrt())).clamp(-1, 1);
  // Sums of up to n squares of order one: what a constant resample leaves is their rounding.
  const auto undefined = ~((vz > 1e-13 * total) & (vt > 1e-13 * total));
  return at::where(undefined, std::numeric_limits<double>::quiet_NaN(), r);
}

}  // namespace

at::Tensor weighted_pearson(const at::Tensor& weights,
                            const at::Tensor& x,
                            const at::Tensor& y,
                            const std::optional<at::Tensor>& keep) {
  TORCH_CHECK_VALUE(
      x.dim() == 2 && x.sizes() == y.sizes() && weights.dim() == 2 && weights.size(1) == x.size(0),
      "weighted_pearson: need weights [b, n] and two [n, m], got ", weights.sizes(), ", ",
      x.sizes(), ", ", y.sizes());
  const int64_t m = x.size(1);
  const auto z = standardised(x, keep);
  const auto t = standardised(y, keep);
  std::vector<at::Tensor> columns = {z, t, z.square(), t.square(), z * t};
  if (keep) columns.push_back(keep->to(at::kDouble));
  const auto k = static_cast<int64_t>(columns.size());
  const auto statistics = at::cat(columns, 1);  // [n, k m]
  auto out = at::empty({weights.size(0), m}, x.options());
  constexpr int64_t kDraws =
      128;  // a fixed block of draws: the same bits for any number of threads
  const auto block = [&](int64_t begin, int64_t count) {
    const auto w = weights.narrow(0, begin, count);
    const auto sums = at::mm(w, statistics).reshape({count, k, m});
    const auto total = keep ? sums.select(1, 5) : w.sum(1, true).expand({count, m});
    out.narrow(0, begin, count).copy_(epilogue(sums, total));
  };
  if (!x.is_cpu()) {
    constexpr int64_t kAtOnce = 4096;
    for (int64_t begin = 0; begin < weights.size(0); begin += kAtOnce)
      block(begin, std::min(kAtOnce, weights.size(0) - begin));
    return out;
  }
  parallel_for((weights.size(0) + kDraws - 1) / kDraws, [&](int64_t i) {
    block(i * kDraws, std::min(kDraws, weights.size(0) - i * kDraws));
  });
  return out;
}

}  // namespace cortiscore
