#include "src/metric/cka.h"

#include <limits>

#include <ATen/ATen.h>

namespace cortiscore {
namespace {

// Sums over presentations and pairs of them, for every row of weights.
struct Sums {
  at::Tensor row;       // [b, n] K w
  at::Tensor total;     // [b] w'K w
  at::Tensor diagonal;  // [n]
};

Sums sums_of(const at::Tensor& k, const at::Tensor& w) {
  const auto row = at::mm(w, k);
  return {row, (row * w).sum(1), k.diagonal()};
}

at::Tensor hsic(const Sums& a,
                const Sums& b,
                const at::Tensor& product_sum,
                const at::Tensor& w,
                bool unbiased) {
  const auto n = w.sum(1);
  if (!unbiased) {
    return product_sum - 2 * (w * a.row * b.row).sum(1) / n + a.total * b.total / n.square();
  }
  // Pairs of a presentation with itself or with its own copies are no pairs of stimuli.
  const auto self = [&](const at::Tensor& d) { return (w.square() * d).sum(1); };
  const auto off_product = product_sum - self(a.diagonal * b.diagonal);
  const auto off_rows = (w * (a.row - w * a.diagonal) * (b.row - w * b.diagonal)).sum(1);
  const auto off_totals = (a.total - self(a.diagonal)) * (b.total - self(b.diagonal));
  return (off_product + off_totals / ((n - 1) * (n - 2)) - 2 * off_rows / (n - 2)) / (n * (n - 3));
}

}  // namespace

at::Tensor cka(const at::Tensor& k, const at::Tensor& l, const at::Tensor& weights, bool unbiased) {
  TORCH_CHECK_VALUE(k.dim() == 2 && k.sizes() == l.sizes() && weights.size(1) == k.size(0),
                    "cka: need two [n, n] and weights [b, n], got ", k.sizes(), ", ", l.sizes(),
                    ", ", weights.sizes());
  const auto a = sums_of(k, weights);
  const auto b = sums_of(l, weights);
  const auto product = [&](const at::Tensor& x, const at::Tensor& y) {
    return (at::mm(weights, x * y) * weights).sum(1);
  };
  const auto hxy = hsic(a, b, product(k, l), weights, unbiased);
  const auto hxx = hsic(a, a, product(k, k), weights, unbiased);
  const auto hyy = hsic(b, b, product(l, l), weights, unbiased);
  const auto n = weights.sum(1);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  // Roots before the product, which overflows where features and responses both are large.
  const auto root = hxx.abs().sqrt() * hyy.abs().sqrt();
  if (!unbiased) return at::where((hxx > 0) & (hyy > 0), hxy / root, nan);
  const auto same_sign = hxx.sign() * hyy.sign() > 0;
  return at::where(n < 4, nan, at::where(same_sign, hxy / (root + 1e-12), 0.0));
}

}  // namespace cortiscore
