#include "src/ops/pearson_columns.h"

#include <limits>

#include <ATen/ATen.h>

#include "src/ops/fused.h"

namespace cortiscore {

at::Tensor pearson_columns(const at::Tensor& x,
                           const at::Tensor& y,
                           const std::optional<at::Tensor>& keep) {
  TORCH_CHECK_VALUE(x.dim() == 2 && x.sizes() == y.sizes(),
                    "pearson_columns: need two [n, c] tensors, got ", x.sizes(), " and ",
                    y.sizes());
  TORCH_CHECK_VALUE(!keep || keep->sizes() == x.sizes(), "pearson_columns: keep must be ",
                    x.sizes());
  if (auto r = fused::pearson_columns(x, y, keep)) return *r;
  auto a = x.to(at::kDouble);
  auto b = y.to(at::kDouble);
  at::Tensor n_pairs;
  if (keep) {
    n_pairs = keep->sum(0).to(at::kDouble);
    a = at::where(*keep, a, 0.0);
    b = at::where(*keep, b, 0.0);
    const auto weight = keep->to(at::kDouble);
    a = (a - a.sum(0) / n_pairs.clamp_min(1)) * weight;
    b = (b - b.sum(0) / n_pairs.clamp_min(1)) * weight;
  } else {
    n_pairs = at::full({x.size(1)}, static_cast<double>(x.size(0)), a.options());
    a = a - a.mean(0);
    b = b - b.mean(0);
  }
  // A constant column leaves rounding of its mean behind, not zeros: its root mean square is
  // compared with the column's own magnitude, as scipy.stats.pearsonr does to warn of nearly
  // constant input.
  const auto is_constant = [&](const at::Tensor& raw, const at::Tensor& centred) {
    const auto magnitude =
        keep ? at::where(*keep, raw, at::zeros({}, raw.options())).abs() : raw.abs();
    return centred.square().sum(0) <= n_pairs * 1e-26 * magnitude.amax(0).to(at::kDouble).square();
  };
  if (x.size(0) == 0)
    return at::full({x.size(1)}, std::numeric_limits<double>::quiet_NaN(), a.options());
  const auto norm_a = at::linalg_vector_norm(a, 2, {0});
  const auto norm_b = at::linalg_vector_norm(b, 2, {0});
  const auto r = ((a / norm_a) * (b / norm_b)).sum(0).clamp(-1, 1);
  const auto undefined = is_constant(x, a) | is_constant(y, b) | (n_pairs < 2);
  return at::where(undefined, std::numeric_limits<double>::quiet_NaN(), r);
}

}  // namespace cortiscore
