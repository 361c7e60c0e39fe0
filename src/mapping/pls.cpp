#include "src/mapping/pls.h"

#include <algorithm>
#include <string>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/core/parallel.h"
#include "src/linalg/gram.h"
#include "src/ops/batched.h"

namespace cortiscore {
namespace {

// Letters in this file: F splits, N presentations, P features, M targets, L rows that a split leaves out (padded to
// the longest with rows of zeros, which add nothing), A components. Everything float64, X and Y globally centred.
struct Folds {
  at::Tensor x_out;    // [F, L, P] left-out rows of X
  at::Tensor n_train;  // [F]
  at::Tensor
      x_mean;  // [F, P] train mean, in globally centred coordinates: tiny, so downdates do not cancel
  at::Tensor y_mean;  // [F, M]
  at::Tensor s;       // [F, P, M] X_train' Y_train of train-centred data; never deflated
  at::Tensor start;   // [F] int64, the first target that is not constant over the train rows
};

at::Tensor index_tensor(const std::vector<int64_t>& values, const at::Tensor& like) {
  return at::tensor(values, at::kLong).to(like.device());
}

std::vector<int64_t> complement(const std::vector<int64_t>& indices, int64_t n) {
  std::vector<bool> in(static_cast<size_t>(n));
  for (const auto i : indices) in[static_cast<size_t>(i)] = true;
  std::vector<int64_t> out;
  for (int64_t i = 0; i < n; ++i) {
    if (!in[static_cast<size_t>(i)]) out.push_back(i);
  }
  return out;
}

Folds make_folds(const at::Tensor& x, const at::Tensor& y, const Splits& splits) {
  const int64_t n = x.size(0);
  const auto n_folds = static_cast<int64_t>(splits.size());
  std::vector<std::vector<int64_t>> left_out;
  size_t longest = 1;
  for (const auto& split : splits) {
    left_out.push_back(complement(split.train, n));
    longest = std::max(longest, left_out.back().size());
  }
  Folds folds;
  const auto l = static_cast<int64_t>(longest);
  folds.x_out = at::zeros({n_folds, l, x.size(1)}, x.options());
  auto y_out = at::zeros({n_folds, l, y.size(1)}, y.options());
  std::vector<double> n_train;
  for (int64_t f = 0; f < n_folds; ++f) {
    const auto& rows = left_out[static_cast<size_t>(f)];
    n_train.push_back(static_cast<double>(splits[static_cast<size_t>(f)].train.size()));
    if (rows.empty()) continue;
    const auto index = index_tensor(rows, x);
    const auto count = static_cast<int64_t>(rows.size());
    folds.x_out.select(0, f).narrow(0, 0, count).copy_(x.index_select(0, index));
    y_out.select(0, f).narrow(0, 0, count).copy_(y.index_select(0, index));
  }
  folds.n_train = at::tensor(n_train, at::kDouble).to(x.device());
  folds.x_mean = -folds.x_out.sum(1) / folds.n_train.unsqueeze(1);
  folds.y_mean = -y_out.sum(1) / folds.n_train.unsqueeze(1);

  // scikit-learn zeroes targets whose centred train values all lie below 10 eps, and starts from the first other one.
  auto live = at::empty({n_folds, y.size(1)}, y.options().dtype(at::kBool));
  parallel_for(n_folds, [&](int64_t f) {
    const auto train = index_tensor(splits[static_cast<size_t>(f)].train, y);
    const auto rows = y.index_select(0, train);
    const auto spread = (rows - folds.y_mean.select(0, f)).abs().amax(0);
    const auto exactly_constant = rows.amax(0) == rows.amin(0);
    live.select(0, f).copy_((spread >= 10 * std::numeric_limits<double>::epsilon()) &
                            ~exactly_constant);
  });
  folds.start = live.to(at::kLong).argmax(1);

  at::Tensor c;
  if (x.is_cpu()) {
    // X'Y in column blocks of fixed width, so that threads share it without changing a bit.
    constexpr int64_t kWidth = 128;
    c = at::empty({x.size(1), y.size(1)}, x.options());
    const int64_t blocks = (x.size(1) + kWidth - 1) / kWidth;
    parallel_for(blocks, [&](int64_t i) {
      const int64_t width = std::min(kWidth, x.size(1) - i * kWidth);
      auto rows = c.narrow(0, i * kWidth, width);
      at::mm_out(rows, x.narrow(1, i * kWidth, width).t(), y);
    });
  } else {
    c = at::mm(x.t(), y);
  }
  folds.s = batched_cross(folds.x_out, y_out);
  parallel_for(n_folds, [&](int64_t f) {
    auto s = folds.s.select(0, f);
    s.neg_().add_(c);
    s.addr_(folds.x_mean.select(0, f) * folds.n_train.select(0, f), folds.y_mean.select(0, f), 1,
            -1);
    s.mul_(live.select(0, f));
  });
  return folds;
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
at::Tensor reformed_g(const Folds& folds, const Components& c, int64_t f, int64_t k) {
  const auto weighted =
      c.x_loadings.select(0, f).narrow(0, 0, k) * c.tau.select(0, f).narrow(0, 0, k).unsqueeze(1);
  const auto s = at::addmm(folds.s.select(0, f), weighted.t(),
                           c.y_loadings.select(0, f).narrow(0, 0, k), 1, -1);
  return at::mm(s.t(), s);
}

// The rank-2 update of G loses eps tr(G when last formed) / tr(G now): form it anew from S_k before that shows.
// On the CPU only where needed (0 to 3 times in 25 components); elsewhere always, since asking would synchronise and
// the product costs a device little.
void reform_g(
    const Folds& folds, const Components& c, int64_t k, at::Tensor& g, at::Tensor& trace_formed) {
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
    item.copy_(reformed_g(folds, c, f, k));
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
    return pls_cross_validate(isometric_coordinates(centred_gram(x_raw)), y_raw, splits, options);
  }
  auto x = x_raw.to(at::kDouble);
  x = (x - x.mean(0)).contiguous();
  auto y = y_raw.to(at::kDouble);
  const auto y_grand_mean = y.mean(0);
  y = (y - y_grand_mean).contiguous();

  const auto folds = make_folds(x, y, splits);
  const auto c = cross_gram(x);
  const auto n_folds = static_cast<int64_t>(splits.size());
  const int64_t p = x.size(1);
  const int64_t m = y.size(1);
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

  auto g = batched_cross(folds.s, folds.s);
  const auto trace_initial = g.diagonal(0, 1, 2).sum(1);
  auto trace_formed = trace_initial.clone();
  for (int64_t k = 0; k < n_components; ++k) {
    if (k) reform_g(folds, found, k, g, trace_formed);
    const auto top = top_vector(g, folds.start, options.top);
    const auto rotations = found.rotations.narrow(1, 0, k);
    const auto x_loadings = found.x_loadings.narrow(1, 0, k);
    const auto y_loadings = found.y_loadings.narrow(1, 0, k);
    const auto tau_before = found.tau.narrow(1, 0, k);

    auto w = batched_matvec(folds.s, top.v);  // S_k v = S v - P'(tau o Q v)
    if (k) w = w - batched_vecmat(batched_matvec(y_loadings, top.v) * tau_before, x_loadings);
    const auto w_norm = at::linalg_vector_norm(w, 2, {1});
    // Explained to the last bit: scikit-learn stops ("y residual is constant") or goes on with rounding noise.
    const auto exhausted = (w_norm.square() <= trace_initial * 1e-28) | (top.rayleigh <= 0);
    w = at::where(exhausted.unsqueeze(1), 0.0, w / w_norm.unsqueeze(1));

    auto r = w;
    if (k) r = w - batched_vecmat(batched_matvec(x_loadings, w), rotations);
    auto cr = shared_product(r, c);  // C_f r = C r - X_out'(X_out r) - n xbar (xbar.r)
    const auto t_out = batched_matvec(folds.x_out, r);
    const auto shift = (folds.x_mean * r).sum(1);
    cr = cr - batched_vecmat(t_out, folds.x_out) -
         (folds.n_train * shift).unsqueeze(1) * folds.x_mean;
    const auto tau = (r * cr).sum(1);
    const auto safe_tau = at::where(exhausted, 1.0, tau);
    const auto p_new = cr / safe_tau.unsqueeze(1);
    const auto q_new =
        at::where(exhausted.unsqueeze(1), 0.0, top.gv / (w_norm * safe_tau).unsqueeze(1));

    auto z = batched_vecmat(p_new, folds.s);  // S_k'p
    if (k) z = z - batched_vecmat(batched_matvec(x_loadings, p_new) * tau_before, y_loadings);
    const auto u = q_new * tau.unsqueeze(1);
    const auto h = z - (0.5 * p_new.square().sum(1)).unsqueeze(1) * u;
    parallel_for(n_folds, [&](int64_t f) {
      g.select(0, f)
          .addr_(u.select(0, f), h.select(0, f), 1, -1)
          .addr_(h.select(0, f), u.select(0, f), 1, -1);
    });

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

  const auto predicted =
      at::bmm(found.out_scores, found.y_loadings) + (folds.y_mean + y_grand_mean).unsqueeze(1);
  for (int64_t f = 0; f < n_folds; ++f) {
    const auto& split = splits[static_cast<size_t>(f)];
    const auto left_out = complement(split.train, x.size(0));
    std::vector<int64_t> position(static_cast<size_t>(x.size(0)), -1);
    for (size_t i = 0; i < left_out.size(); ++i)
      position[static_cast<size_t>(left_out[i])] = static_cast<int64_t>(i);
    std::vector<int64_t> rows;
    rows.reserve(split.test.size());
    for (const auto i : split.test) rows.push_back(position[static_cast<size_t>(i)]);
    result.predictions.push_back(predicted.select(0, f).index_select(0, index_tensor(rows, x)));
  }
  return result;
}

}  // namespace cortiscore
