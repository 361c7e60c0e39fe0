#include "src/mapping/pls.h"

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/core/caller.h"
#include "src/core/parallel.h"
#include "src/linalg/gram.h"
#include "src/mapping/folds.h"
#include "src/ops/batched.h"
#include "src/ops/column_means.h"
#include "src/ops/fold_updates.h"
#include "src/ops/pls_component.h"
#include "src/ops/train_product.h"

namespace cortiscore {
namespace {

// Letters in this file: F splits, N presentations, P features, M targets, A components. Everything
// float64, X and Y globally centred.

// Which targets vary over the train rows: scikit-learn zeroes those whose centred values all lie
// below 10 eps, and starts from the first other one. [F, M] bool
at::Tensor live_targets(const at::Tensor& y, const Folds& folds, const Splits& splits) {
  const auto n_folds = static_cast<int64_t>(splits.size());
  if (y.is_cpu()) {
    // Variances from downdated sums settle it where none is near zero, without a copy of every
    // fold's rows.
    const auto squares = y.square().sum(0) - folds.y_out.square().sum(1);
    const auto variance = squares / folds.n_train.unsqueeze(1) - folds.y_mean.square();
    const auto clear = (variance > 1e-6 * y.square().mean(0) + 1e-24).all();
    if (clear.const_data_ptr<bool>()[0])
      return at::ones({n_folds, y.size(1)}, y.options().dtype(at::kBool));
  }
  auto live = at::empty({n_folds, y.size(1)}, y.options().dtype(at::kBool));
  parallel_for(
      n_folds,
      [&](int64_t f) {
        const auto train = index_tensor(splits[static_cast<size_t>(f)].train, y);
        const auto rows = y.index_select(0, train);
        const auto spread = (rows - folds.y_mean.select(0, f)).abs().amax(0);
        const auto exactly_constant = rows.amax(0) == rows.amin(0);
        live.select(0, f).copy_((spread >= 10 * std::numeric_limits<double>::epsilon()) &
                                ~exactly_constant);
      },
      threads_for(y));
  return live;
}

// Targets as PLS sees them. With more targets than presentations Y = L Q' is replaced by L [N, N]:
// joint PLS of Y equals that of L with the start vector Q'e_j, and predictions rotate back
// (ALGORITHMS.md section 6).
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

// Few targets are exhausted before the last component, and what is left of S is then a small
// difference. The rank-2 update hides a loss of the smallest eigenvalue of G (2e-10 sd was seen
// with 4 targets): up to this many, G is formed anew each time, which is cheap.
constexpr int64_t kFewTargets = 32;
// Downdated sums round S and X'X apart, which such a difference shows as well (1e-12 in a score,
// 1e-10 sd in predictions, with 4 targets): up to this many, both come from the train rows
// themselves, and agree as in exact arithmetic.
constexpr int64_t kFewerTargets = 8;

// S_k = S - P' diag(tau) Q, formed in full, and G = S_k'S_k for one fold.
at::Tensor reformed_g(const PlsLoop& loop, int64_t f, int64_t k) {
  const auto weighted = loop.x_loadings.select(0, f).narrow(0, 0, k) *
                        loop.tau.select(0, f).narrow(0, 0, k).unsqueeze(1);
  const auto s = at::addmm(loop.s.select(0, f), loop.y_loadings.select(0, f).narrow(0, 0, k).t(),
                           weighted, 1, -1);
  return batched_gram(s.unsqueeze(0)).squeeze(0);
}

double trace_of(const double* g, int64_t m) {
  double sum = 0;
  for (int64_t i = 0; i < m; ++i) sum += g[i * m + i];
  return sum;
}

// The rank-2 update of G loses eps tr(G when last formed) / tr(G now): form it anew from S_k before
// that shows. On the CPU only where needed (0 to 3 times in 25 components).
void reform_g(PlsLoop& loop, int64_t f, int64_t k, std::vector<double>& trace_formed) {
  constexpr double kShrunk = 1e-2;
  const int64_t m = loop.g.size(1);
  const bool always = m <= kFewTargets;
  auto& formed = trace_formed[static_cast<size_t>(f)];
  const double* const g = always ? nullptr : loop.g.const_data_ptr<double>() + f * m * m;
  if (!always && trace_of(g, m) >= kShrunk * formed) return;
  loop.g.select(0, f).copy_(reformed_g(loop, f, k));
  if (!always) formed = trace_of(g, m);
}

// On a device always, since asking would synchronise and the product costs little; all folds in
// three launches, or as many of them as S_k in 256 MiB allows.
void reform_all_g(PlsLoop& loop, int64_t k) {
  const int64_t n_folds = loop.s.size(0);
  const int64_t bytes = 8 * loop.s.size(1) * loop.s.size(2);
  const int64_t at_once = std::clamp<int64_t>((int64_t{256} << 20) / bytes, 1, n_folds);
  for (int64_t f = 0; f < n_folds; f += at_once) {
    const auto folds = [&](const at::Tensor& all) {
      return all.narrow(0, f, std::min(at_once, n_folds - f));
    };
    const auto weighted =
        folds(loop.x_loadings).narrow(1, 0, k) * folds(loop.tau).narrow(1, 0, k).unsqueeze(2);
    const auto y_loadings = folds(loop.y_loadings).narrow(1, 0, k).transpose(1, 2);
    folds(loop.g).copy_(batched_gram(at::baddbmm(folds(loop.s), y_loadings, weighted, 1, -1)));
  }
}

// X_train'X_train of train-centred rows times a vector a fold, in the way that takes less.
class TimesTrain {
 public:
  TimesTrain(const at::Tensor& x,
             const Folds& folds,
             const at::Tensor& in_train,
             bool by_rows,
             const PlsOptions& options)
      : x_(x), folds_(folds), in_train_(in_train) {
    if (!by_rows && gram_is_cheaper(x.size(0), x.size(1), folds.n_train.size(0),
                                    folds.x_out.size(1), options.n_components))
      gram_ = cross_gram(x, options.precision);
  }

  at::Tensor of(const at::Tensor& r) const {
    if (!gram_.defined()) return train_product(x_, r, in_train_, folds_.x_mean);
    return train_product_of_gram(gram_, folds_.x_out, r, folds_.x_mean, folds_.n_train);
  }

 private:
  const at::Tensor& x_;
  const Folds& folds_;
  const at::Tensor& in_train_;
  at::Tensor gram_;
};

// Y_train'X_train of train-centred rows for every fold: [F, M, P].
at::Tensor train_cross_of_targets(const Folds& folds, const at::Tensor& x, const at::Tensor& y) {
  auto cross = batched_cross(folds.y_out, folds.x_out);
  downdate(cross, cross_product(x, y).t().contiguous(), folds.y_mean, folds.x_mean, folds.n_train);
  return cross;
}

// The same without a difference of sums.
at::Tensor train_cross_of_rows(const Folds& folds,
                               const at::Tensor& in_train,
                               const at::Tensor& x,
                               const at::Tensor& y) {
  const int64_t n_folds = folds.n_train.size(0), m = y.size(1);
  const auto centred = (y - folds.y_mean.unsqueeze(1)) * in_train.unsqueeze(2);  // [F, N, M]
  return cross_product(centred.transpose(0, 1).reshape({y.size(0), n_folds * m}), x)
      .view({n_folds, m, x.size(1)});
}

// All of a loop that follows from S.
void make_room(PlsLoop& loop, int64_t n_components) {
  const int64_t n_folds = loop.s.size(0), m = loop.s.size(1), p = loop.s.size(2);
  loop.rotations = at::empty({n_folds, n_components, p}, loop.s.options());
  loop.x_loadings = at::empty({n_folds, n_components, p}, loop.s.options());
  loop.y_loadings = at::empty({n_folds, n_components, m}, loop.s.options());
  loop.tau = at::empty({n_folds, n_components}, loop.s.options());
  loop.exhausted = at::empty({n_folds, n_components}, loop.s.options().dtype(at::kBool));
  loop.g = batched_gram(loop.s);
  loop.trace = loop.g.diagonal(0, 1, 2).sum(1);
}

// Fills a loop, and counts. On a CPU a fold does all that it has to between two products in one go,
// while its S and G are in the cache; elsewhere all folds take every step together.
// @param start  [F, M] where power iterations start
PlsPrediction find_components(PlsLoop& loop,
                              const TimesTrain& times_train,
                              const at::Tensor& start,
                              const PlsOptions& options) {
  const int64_t n_folds = loop.s.size(0), n_components = options.n_components;
  const bool fold_by_fold = loop.s.is_cpu() && options.top.mode == TopVectorMode::kSklearn;
  std::vector<double> trace_formed(static_cast<size_t>(n_folds));
  if (loop.s.is_cpu())
    std::copy_n(loop.trace.const_data_ptr<double>(), n_folds, trace_formed.data());
  PlsPrediction found;
  found.iterations = at::empty({n_folds, n_components}, loop.s.options().dtype(at::kLong));
  found.marginal = at::empty({n_folds, n_components}, loop.s.options().dtype(at::kBool));
  auto top = empty_top_vector(loop.g);
  auto direction = empty_direction(loop);
  at::Tensor product;
  for (int64_t k = 0; k <= n_components; ++k) {
    if (fold_by_fold) {
      parallel_for(n_folds, [&](int64_t f) {
        if (k) pls_deflate_fold(loop, k - 1, top, direction, product, f);
        if (k == n_components) return;
        if (k) reform_g(loop, f, k, trace_formed);
        power_iterate_fold(loop.g, start, options.top, f, top);
        pls_direction_of_fold(loop, k, top, f, direction);
      });
    } else {
      if (k) pls_deflate(loop, k - 1, top, direction, product);
      if (k < n_components) {
        if (k && !loop.s.is_cpu()) reform_all_g(loop, k);
        if (k && loop.s.is_cpu())
          parallel_for(n_folds, [&](int64_t f) { reform_g(loop, f, k, trace_formed); });
        top = top_vector(loop.g, start, options.top);
        direction = pls_direction(loop, k, top);
      }
    }
    if (k == n_components) break;
    product = times_train.of(direction.r);
    found.iterations.select(1, k).copy_(top.iterations);
    found.marginal.select(1, k).copy_(top.marginal);
  }
  found.iterations.mul_(loop.exhausted.logical_not());
  found.exhausted = loop.exhausted;
  return found;
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
  const auto x = less_column_means(x_raw);
  auto y = y_raw.to(at::kDouble);
  const auto y_grand_mean = y.mean(0);
  y = (y - y_grand_mean).contiguous();

  auto folds = make_folds(x, y, splits);
  const auto live = live_targets(y, folds, splits);
  const auto targets = rotate_targets(y, live);
  if (targets.rotation.defined()) {
    folds = make_folds(x, targets.values, splits);
  }
  const auto in_train = train_mask(folds, x);
  const bool by_rows = y.size(1) <= kFewerTargets;
  PlsLoop loop;
  loop.s = by_rows ? train_cross_of_rows(folds, in_train, x, targets.values)
                   : train_cross_of_targets(folds, x, targets.values);  // never deflated
  const TimesTrain times_train(x, folds, in_train, by_rows, options);
  const bool all_live = live.is_cpu() && live.all().const_data_ptr<bool>()[0];
  if (!targets.rotation.defined() && !all_live) loop.s.mul_(live.unsqueeze(2));
  make_room(loop, options.n_components);
  auto result = find_components(loop, times_train, targets.start, options);
  result.rotation = targets.rotation;
  result.offset = y_grand_mean;
  for (int64_t f = 0; f < loop.s.size(0); ++f) {
    const auto test = index_tensor(splits[static_cast<size_t>(f)].test, x);
    const auto rows = x.index_select(0, test) - folds.x_mean.select(0, f);
    const auto scores = at::mm(rows, loop.rotations.select(0, f).t());  // [n_test, A]
    result.in_basis.push_back(
        at::addmm(folds.y_mean.select(0, f), scores, loop.y_loadings.select(0, f)));
  }
  return result;
}

at::Tensor PlsPrediction::predictions(int64_t split) const {
  const auto& values = in_basis[static_cast<size_t>(split)];
  return (rotation.defined() ? at::mm(values, rotation.t()) : values) + offset;
}

}  // namespace cortiscore
