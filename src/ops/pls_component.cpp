#include "src/ops/pls_component.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <ATen/ATen.h>

#include "src/core/counted_work.h"
#include "src/core/parallel.h"
#include "src/ops/fold_updates.h"
#include "src/ops/loops.h"

namespace cortiscore {
namespace {

// |w|^2 of a direction that is rounding noise, against tr S'S.
constexpr double kNothingLeft = 1e-28;

// What component K finds of one fold on the CPU, as pointers.
struct FoldView {
  FoldView(const PlsLoop& loop, int64_t f)
      : p(loop.s.size(2)), m(loop.s.size(1)), a(loop.tau.size(1)) {
    s = loop.s.const_data_ptr<double>() + f * p * m;
    g = loop.g.mutable_data_ptr<double>() + f * m * m;
    rotations = loop.rotations.mutable_data_ptr<double>() + f * a * p;
    x_loadings = loop.x_loadings.mutable_data_ptr<double>() + f * a * p;
    y_loadings = loop.y_loadings.mutable_data_ptr<double>() + f * a * m;
    tau = loop.tau.mutable_data_ptr<double>() + f * a;
    exhausted = loop.exhausted.mutable_data_ptr<bool>() + f * a;
  }

  int64_t p, m, a;
  const double* s;
  double *g, *rotations, *x_loadings, *y_loadings, *tau;
  bool* exhausted;
};

at::Tensor matvec(const at::Tensor& a, const at::Tensor& v) {
  return at::bmm(a, v.unsqueeze(2)).squeeze(2);
}

at::Tensor vecmat(const at::Tensor& v, const at::Tensor& a) {
  return at::bmm(v.unsqueeze(1), a).squeeze(1);
}

}  // namespace

PlsDirection pls_direction_definition(PlsLoop& loop, int64_t k, const TopVector& top) {
  const auto rotations = loop.rotations.narrow(1, 0, k);
  const auto x_loadings = loop.x_loadings.narrow(1, 0, k);
  const auto y_loadings = loop.y_loadings.narrow(1, 0, k);
  const auto tau_before = loop.tau.narrow(1, 0, k);
  auto w = vecmat(top.v, loop.s);  // S_k v = S'v - P'(tau o Q v)
  if (k) w = w - vecmat(matvec(y_loadings, top.v) * tau_before, x_loadings);
  PlsDirection direction;
  direction.w_norm = at::linalg_vector_norm(w, 2, {1});
  const auto exhausted =
      (direction.w_norm.square() <= loop.trace * kNothingLeft) | (top.rayleigh <= 0);
  loop.exhausted.select(1, k).copy_(exhausted);
  w = at::where(exhausted.unsqueeze(1), 0.0, w / direction.w_norm.unsqueeze(1));
  direction.r = k ? w - vecmat(matvec(x_loadings, w), rotations) : w;
  return direction;
}

void pls_deflate_definition(PlsLoop& loop,
                            int64_t k,
                            const TopVector& top,
                            const PlsDirection& direction,
                            const at::Tensor& cr) {
  const auto x_loadings = loop.x_loadings.narrow(1, 0, k);
  const auto y_loadings = loop.y_loadings.narrow(1, 0, k);
  const auto tau_before = loop.tau.narrow(1, 0, k);
  const auto exhausted = loop.exhausted.select(1, k);
  const auto tau = (direction.r * cr).sum(1);
  const auto safe_tau = at::where(exhausted, 1.0, tau);
  const auto p = cr / safe_tau.unsqueeze(1);
  const auto q =
      at::where(exhausted.unsqueeze(1), 0.0, top.gv / (direction.w_norm * safe_tau).unsqueeze(1));
  auto z = matvec(loop.s, p);  // S_k'p
  if (k) z = z - vecmat(matvec(x_loadings, p) * tau_before, y_loadings);
  const auto u = q * tau.unsqueeze(1);
  rank2_update(loop.g, u, z - (0.5 * p.square().sum(1)).unsqueeze(1) * u);

  loop.rotations.select(1, k).copy_(direction.r);
  loop.x_loadings.select(1, k).copy_(p);
  loop.y_loadings.select(1, k).copy_(q);
  loop.tau.select(1, k).copy_(at::where(exhausted, 0.0, tau));
}

PlsDirection empty_direction(const PlsLoop& loop) {
  const auto options = loop.s.options();
  return {at::empty({loop.s.size(0), loop.s.size(2)}, options),
          at::empty({loop.s.size(0)}, options)};
}

// Of matrices with so many entries and vectors, in float64.
void count_products(int64_t entries) {
  count_work(2.0 * static_cast<double>(entries), 8.0 * static_cast<double>(entries));
}

void pls_direction_of_fold(
    PlsLoop& loop, int64_t k, const TopVector& top, int64_t f, PlsDirection& direction) {
  const FoldView fold(loop, f);
  const double* const v = top.v.const_data_ptr<double>() + f * fold.m;
  count_products(fold.m * fold.p + k * (3 * fold.p + fold.m));
  std::vector<double> w(static_cast<size_t>(fold.p)), weights(static_cast<size_t>(k));
  loops::add_vecmat(fold.s, fold.p, v, fold.m, fold.p, w.data());
  loops::matvec(fold.y_loadings, fold.m, v, k, fold.m, weights.data());
  for (int64_t j = 0; j < k; ++j) weights[static_cast<size_t>(j)] *= -fold.tau[j];
  loops::add_vecmat(fold.x_loadings, fold.p, weights.data(), k, fold.p, w.data());
  const double squared = loops::dot(w.data(), w.data(), fold.p);
  const double norm = std::sqrt(squared);
  const bool exhausted = squared <= loop.trace.const_data_ptr<double>()[f] * kNothingLeft ||
                         top.rayleigh.const_data_ptr<double>()[f] <= 0;
  for (auto& entry : w) entry = exhausted ? 0.0 : entry / norm;
  direction.w_norm.mutable_data_ptr<double>()[f] = norm;
  fold.exhausted[k] = exhausted;

  double* const r = direction.r.mutable_data_ptr<double>() + f * fold.p;
  std::copy(w.begin(), w.end(), r);
  loops::matvec(fold.x_loadings, fold.p, w.data(), k, fold.p, weights.data());
  for (auto& weight : weights) weight = -weight;
  loops::add_vecmat(fold.rotations, fold.p, weights.data(), k, fold.p, r);
}

PlsDirection pls_direction(PlsLoop& loop, int64_t k, const TopVector& top) {
  if (!loop.s.is_cpu()) return pls_direction_definition(loop, k, top);
  auto direction = empty_direction(loop);
  parallel_for(loop.s.size(0),
               [&](int64_t f) { pls_direction_of_fold(loop, k, top, f, direction); });
  return direction;
}

void pls_deflate_fold(PlsLoop& loop,
                      int64_t k,
                      const TopVector& top,
                      const PlsDirection& direction,
                      const at::Tensor& cr,
                      int64_t f) {
  const FoldView fold(loop, f);
  const double* const r = direction.r.const_data_ptr<double>() + f * fold.p;
  const double* const product = cr.const_data_ptr<double>() + f * fold.p;
  const double* const gv = top.gv.const_data_ptr<double>() + f * fold.m;
  count_products(fold.m * (fold.p + 2 * fold.m) + k * (fold.p + fold.m));
  const bool exhausted = fold.exhausted[k];
  const double tau = loops::dot(r, product, fold.p);
  const double safe_tau = exhausted ? 1.0 : tau;
  const double scale = direction.w_norm.const_data_ptr<double>()[f] * safe_tau;
  double* const p = fold.x_loadings + k * fold.p;
  double* const q = fold.y_loadings + k * fold.m;
  for (int64_t i = 0; i < fold.p; ++i) p[i] = product[i] / safe_tau;
  for (int64_t i = 0; i < fold.m; ++i) q[i] = exhausted ? 0.0 : gv[i] / scale;

  std::vector<double> z(static_cast<size_t>(fold.m)), u(static_cast<size_t>(fold.m)),
      weights(static_cast<size_t>(k));
  loops::matvec(fold.s, fold.p, p, fold.m, fold.p, z.data());
  loops::matvec(fold.x_loadings, fold.p, p, k, fold.p, weights.data());
  for (int64_t j = 0; j < k; ++j) weights[static_cast<size_t>(j)] *= -fold.tau[j];
  loops::add_vecmat(fold.y_loadings, fold.m, weights.data(), k, fold.m, z.data());
  const double half = 0.5 * loops::dot(p, p, fold.p);
  for (size_t i = 0; i < z.size(); ++i) {
    u[i] = q[i] * tau;
    z[i] -= half * u[i];
  }
  loops::rank2_update(fold.g, u.data(), z.data(), fold.m);

  std::copy(r, r + fold.p, fold.rotations + k * fold.p);
  fold.tau[k] = exhausted ? 0.0 : tau;
}

void pls_deflate(PlsLoop& loop,
                 int64_t k,
                 const TopVector& top,
                 const PlsDirection& direction,
                 const at::Tensor& cr) {
  if (!loop.s.is_cpu()) return pls_deflate_definition(loop, k, top, direction, cr);
  parallel_for(loop.s.size(0),
               [&](int64_t f) { pls_deflate_fold(loop, k, top, direction, cr, f); });
}

}  // namespace cortiscore
