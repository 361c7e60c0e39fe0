#include "src/mapping/pls.h"

#include <limits>
#include <string>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/core/parallel.h"
#include "src/linalg/gram.h"
#include "src/mapping/folds.h"
#include "src/ops/batched.h"
#include "src/ops/fold_updates.h"

namespace cortiscore {
namespace {

// Letters in this file: F splits, N presentations, P features, M targets, L rows that a split leaves out (padded to
// the longest with rows of zeros, which add nothing), A components. Everything float64, X and Y globally centred.

// Which targets vary over the train rows: scikit-learn zeroes those whose centred values all lie below 10 eps, and
// starts from the first other one. [F, M] bool
at::Tensor live_targets(const at::Tensor& y, const Folds& folds, const Splits& splits) {
  const auto n_folds = static_cast<int64_t>(splits.size());
  if (y.is_cpu()) {
    // Variances from downdated sums settle it where none is near zero, without a copy of every fold's rows.
    const auto squares = y.square().sum(0) - folds.y_out.square().sum(1);
    const auto variance = squares / folds.n_train.unsqueeze(1) - folds.y_mean.square();
    const auto clear = (variance > 1e-6 * y.square().mean(0) + 1e-24).all();
    if (clear.const_data_ptr<bool>()[0])
      return at::ones({n_folds, y.size(1)}, y.options().dtype(at::kBool));
  }
  auto live = at::empty({n_folds, y.size(1)}, y.options().dtype(at::kBool));
  parallel_for(n_folds, [&](int64_t f) {
    const auto train = index_tensor(splits[static_cast<size_t>(f)].train, y);
    const auto rows = y.index_select(0, train);
    const auto spread = (rows - folds.y_mean.select(0, f)).abs().amax(0);
    const auto exactly_constant = rows.amax(0) == rows.amin(0);
    live.select(0, f).copy_((spread >= 10 * std::numeric_limits<double>::epsilon()) &
                            ~exactly_constant);
  });
  return live;
}

// Targets as PLS sees them. With more targets than presentations Y = L Q' is replaced by L [N, N]: joint PLS of Y
// equals that of L with the start vector Q'e_j, and predictions rotate back (ALGORITHMS.md section 6).
struct Targets {
  at::Tensor values;    // [N, M] or L [N, N]
  at::Tensor rotation;  // Q [M, N], or undefined
  at::Tensor start;     // [F, M] or [F, N]: where the power iteration starts
};

Targets rotate_targets(const at::Tensor& y, const at::Tensor& live) {
  const auto first = live.to(at::kLong).argmax(1);  // [F]
  if (y.size(1) <= y.size(0)) {
    auto start = at::zeros({live.size(0), y.size(1)}, y.options());
    return {y, {}, start.scatter_(1, first.unsqueeze(1), 1.0)};
  }
  const auto [q, r] = at::linalg_qr(y.t());
  return {r.t().contiguous(), q, q.index_select(0, first)};
}

// What the components found so far, per fold.
struct Components {
  at::Tensor rotations;   // [F, A, P] R
  at::Tensor x_loadings;  // [F, A, P]
  at::Tensor y_loadings;  // [F, A, M] Q
  at::Tensor tau;         // [F, A] t't
  at::Tensor out_scores;  // [F, L, A] scores of the left-out rows
};

// S_k = S - P' diag(tau) Q, formed in full, and G = S_k'S_k for one fold.
at::Tensor reformed_g(const at::Tensor& s_all, const Components& c, int64_t f, int64_t k) {
  const auto weighted =
      c.x_loadings.select(0, f).narrow(0, 0, k) * c.tau.select(0, f).narrow(0, 0, k).unsqueeze(1);
  const auto s =
      at::addmm(s_all.select(0, f), weighted.t(), c.y_loadings.select(0, f).narrow(0, 0, k), 1, -1);
  return at::mm(s.t(), s);
}

// The rank-2 update of G loses eps tr(G when last formed) / tr(G now): form it anew from S_k before that shows.
// On the CPU only where needed (0 to 3 times in 25 components); elsewhere always, since asking would synchronise and
// the product costs a device little.
void reform_g(const at::Tensor& s_all,
              const Components& c,
              int64_t k,
              at::Tensor& g,
              at::Tensor& trace_formed) {
  constexpr double kShrunk = 1e-2;
  // With few targets the smallest eigenvalue of G carries the answer and the trace hides its loss (2e-10 sd was seen
  // with 4); the product is cheap there.
  constexpr int64_t kFewTargets = 32;
  const bool few = g.size(1) <= kFewTargets;
  const auto trace = g.diagonal(0, 1, 2).sum(1);
  const bool on_host = g.is_cpu();
  parallel_for(g.size(0), [&](int64_t f) {
    if (on_host && !few &&
        trace.const_data_ptr<double>()[f] >= kShrunk * trace_formed.const_data_ptr<double>()[f])
      return;
    auto item = g.select(0, f);
    item.copy_(reformed_g(s_all, c, f, k));
    trace_formed.select(0, f).copy_(item.diagonal().sum());
  });
}

void check(const at::Tensor& x,
           const at::Tensor& y,
           const Splits& splits,
           const PlsOptions& options) {
  TORCH_CHECK_VALUE(
      x.dim() == 2 && y.dim() == 2 && x.size(0) == y.size(0),
      "pls: need [n_presentations, n_features] and [n_presentations, n_targets], got ", x.sizes(),
      " and ", y.sizes());
  TORCH_CHECK_VALUE(x.device() == y.device(), "pls: source on ", x.device(), ", target on ",
                    y.device());
  if (options.n_components < 1) {
    throw Error(ErrorKind::kUsage, "pls: found " + std::to_string(options.n_components) +
                                       " components, expected at least 1.");
  }
  if (x.size(1) < options.n_components) {
    throw bad_input({"pls source", "features", std::to_string(x.size(1)),
                     "at least " + std::to_string(options.n_components) + ", one a component",
                     "Choose a layer with more features, or fewer components"});
  }
  for (size_t s = 0; s < splits.size(); ++s) {
    if (static_cast<int64_t>(splits[s].train.size()) < options.n_components) {
      throw bad_input({"pls split " + std::to_string(s), "train presentations",
                       std::to_string(splits[s].train.size()),
                       "at least " + std::to_string(options.n_components) + ", one a component",
                       "Train on more presentations, or ask for fewer components"});
    }
  }
}

}  // namespace

PlsPrediction pls_cross_validate(const at::Tensor& x_raw,
                                 const at::Tensor& y_raw,
                                 const Splits& splits,
                                 const PlsOptions& options) {
  check_splits(splits, x_raw.size(0), "pls");
  check(x_raw, y_raw, splits, options);
  if (x_raw.size(1) > x_raw.size(0)) {
    return pls_cross_validate(isometric_coordinates(x_raw, options.precision), y_raw, splits,
                              options);
  }
  auto x = x_raw.to(at::kDouble);
  x = (x - x.mean(0)).contiguous();
  auto y = y_raw.to(at::kDouble);
  const auto y_grand_mean = y.mean(0);
  y = (y - y_grand_mean).contiguous();

  auto folds = make_folds(x, y, splits);
  const auto live = live_targets(y, folds, splits);
  const auto targets = rotate_targets(y, live);
  if (targets.rotation.defined()) {
    folds = make_folds(x, targets.values, splits);
  }
  auto s_all = train_cross(folds, x, targets.values);  // [F, P, M] X_train' Y_train; never deflated
  if (!targets.rotation.defined()) s_all.mul_(live.unsqueeze(1));
  const auto c = cross_gram(x, options.precision);
  const auto n_folds = static_cast<int64_t>(splits.size());
  const int64_t p = x.size(1);
  const int64_t m = targets.values.size(1);
  const int64_t n_components = options.n_components;
  Components found{at::zeros({n_folds, n_components, p}, x.options()),
                   at::zeros({n_folds, n_components, p}, x.options()),
                   at::zeros({n_folds, n_components, m}, x.options()),
                   at::zeros({n_folds, n_components}, x.options()),
                   at::zeros({n_folds, folds.x_out.size(1), n_components}, x.options())};
  PlsPrediction result;
  result.iterations = at::zeros({n_folds, n_components}, x.options().dtype(at::kLong));
  result.marginal = at::zeros({n_folds, n_components}, x.options().dtype(at::kBool));
  result.exhausted = at::zeros({n_folds, n_components}, x.options().dtype(at::kBool));

  auto g = batched_cross(s_all, s_all);
  const auto trace_initial = g.diagonal(0, 1, 2).sum(1);
  auto trace_formed = trace_initial.clone();
  for (int64_t k = 0; k < n_components; ++k) {
    if (k) reform_g(s_all, found, k, g, trace_formed);
    const auto top = top_vector(g, targets.start, options.top);
    const auto rotations = found.rotations.narrow(1, 0, k);
    const auto x_loadings = found.x_loadings.narrow(1, 0, k);
    const auto y_loadings = found.y_loadings.narrow(1, 0, k);
    const auto tau_before = found.tau.narrow(1, 0, k);

    auto w = batched_matvec(s_all, top.v);  // S_k v = S v - P'(tau o Q v)
    if (k) w = w - batched_vecmat(batched_matvec(y_loadings, top.v) * tau_before, x_loadings);
    const auto w_norm = at::linalg_vector_norm(w, 2, {1});
    // Explained to the last bit: scikit-learn stops ("y residual is constant") or goes on with rounding noise.
    const auto exhausted = (w_norm.square() <= trace_initial * 1e-28) | (top.rayleigh <= 0);
    w = at::where(exhausted.unsqueeze(1), 0.0, w / w_norm.unsqueeze(1));

    auto r = w;
    if (k) r = w - batched_vecmat(batched_matvec(x_loadings, w), rotations);
    auto cr = shared_product(r, c);  // C_f r = C r - X_out'(X_out r) - n xbar (xbar.r)
    const auto [t_out, back] = batched_there_and_back(folds.x_out, r);
    const auto shift = (folds.x_mean * r).sum(1);
    cr = cr - back - (folds.n_train * shift).unsqueeze(1) * folds.x_mean;
    const auto tau = (r * cr).sum(1);
    const auto safe_tau = at::where(exhausted, 1.0, tau);
    const auto p_new = cr / safe_tau.unsqueeze(1);
    const auto q_new =
        at::where(exhausted.unsqueeze(1), 0.0, top.gv / (w_norm * safe_tau).unsqueeze(1));

    auto z = batched_vecmat(p_new, s_all);  // S_k'p
    if (k) z = z - batched_vecmat(batched_matvec(x_loadings, p_new) * tau_before, y_loadings);
    const auto u = q_new * tau.unsqueeze(1);
    const auto h = z - (0.5 * p_new.square().sum(1)).unsqueeze(1) * u;
    rank2_update(g, u, h);

    found.rotations.select(1, k).copy_(r);
    found.x_loadings.select(1, k).copy_(p_new);
    found.y_loadings.select(1, k).copy_(q_new);
    found.tau.select(1, k).copy_(at::where(exhausted, 0.0, tau));
    found.out_scores.select(2, k).copy_(t_out - shift.unsqueeze(1));
    result.iterations.select(1, k).copy_(
        at::where(exhausted, at::zeros_like(top.iterations), top.iterations));
    result.marginal.select(1, k).copy_(top.marginal);
    result.exhausted.select(1, k).copy_(exhausted);
  }

  result.rotation = targets.rotation;
  result.offset = y_grand_mean;
  for (int64_t f = 0; f < n_folds; ++f) {
    const auto scores =
        test_rows(folds, splits, f, x.size(0), found.out_scores.select(0, f));  // [n_test, A]
    result.in_basis.push_back(
        at::addmm(folds.y_mean.select(0, f), scores, found.y_loadings.select(0, f)));
  }
  return result;
}

at::Tensor PlsPrediction::predictions(int64_t split) const {
  const auto& values = in_basis[static_cast<size_t>(split)];
  return (rotation.defined() ? at::mm(values, rotation.t()) : values) + offset;
}

}  // namespace cortiscore
