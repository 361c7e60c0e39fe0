#include "src/mapping/ridge.h"

#include <algorithm>
#include <functional>

#include <ATen/ATen.h>

#include "src/core/caller.h"
#include "src/core/parallel.h"
#include "src/linalg/gram.h"
#include "src/mapping/folds.h"
#include "src/ops/column_means.h"

namespace cortiscore {
namespace {

void append_linspace(std::vector<double>& out, double from, double to, int n, bool end) {
  const double step = (to - from) / (end ? n - 1 : n);
  for (int i = 0; i < n; ++i) out.push_back(end && i == n - 1 ? to : from + i * step);
}

// What a list of penalties shares on one set of train rows: X V, the squared norms of its columns
// (eigenvalues of X'X, relatively accurate also where they are small), and V.
struct Spectrum {
  at::Tensor vectors;  // V [p, k]
  at::Tensor scores;   // X V [n, k]
  at::Tensor values;   // l [k]
};

Spectrum spectrum_of(const at::Tensor& x, const at::Tensor& gram) {
  Spectrum s;
  s.vectors = std::get<1>(at::linalg_eigh(gram));
  s.scores = at::mm(x, s.vectors);
  s.values = s.scores.square().sum(0);
  return s;
}

// The same from XX' of fewer rows than features.
Spectrum dual_spectrum_of(const at::Tensor& x, const at::Tensor& gram_of_rows) {
  const auto u = std::get<1>(at::linalg_eigh(gram_of_rows));
  Spectrum s;
  s.vectors = at::mm(x.t(), u);
  s.values = s.vectors.square().sum(0);
  const auto root = s.values.sqrt();
  s.scores = u * root;
  s.vectors = s.vectors / at::where(root > 0, root, 1.0);
  return s;
}

// l / (l + a) for eigenvalues l [k] and penalties a [g], as a product [k, r] x [r, g] of the
// smallest r that is exact to rounding; the left factor is divided by l, as `Spectrum::scores`
// holds sqrt(l) twice.
struct Filter {
  at::Tensor left;   // [k, r]
  at::Tensor right;  // [r, g]
};

Filter low_rank_filter(const at::Tensor& values, const at::Tensor& alphas) {
  const auto full = values.unsqueeze(1) / (values.unsqueeze(1) + alphas.unsqueeze(0));
  const auto [u, s, vh] = at::linalg_svd(full, false);
  // Asking a device for the rank would be a synchronisation, so elsewhere than on the CPU the bound
  // stands for it: the kernel is a Cauchy matrix, whose singular values fall by e^(-pi^2 /
  // log(range)) or faster.
  int64_t rank = std::min<int64_t>(s.size(0), 48);
  if (s.is_cpu()) {
    rank = 1;  // a layer of constants has no singular value, and needs a product all the same
    const auto* singular = s.const_data_ptr<double>();
    while (rank < s.size(0) && singular[rank] > 1e-16 * singular[0]) ++rank;
  }
  const auto safe = at::where(values > 0, values, 1.0).unsqueeze(1);
  return {
      at::where(values.unsqueeze(1) > 0, u.narrow(1, 0, rank) * s.narrow(0, 0, rank) / safe, 0.0),
      vh.narrow(0, 0, rank)};
}

at::Tensor errors_from(const Spectrum& s, const at::Tensor& y_in, const at::Tensor& alphas) {
  const int64_t n = y_in.size(0);
  auto y = y_in;
  if (y.size(1) > n) {  // residual norms over targets do not feel a rotation of the targets
    y = std::get<1>(at::linalg_qr(y.t(), "r")).t().contiguous();
  }
  const auto response = at::mm(s.scores.t(), y);
  const auto shrink = 1 / (s.values.unsqueeze(1) + alphas.unsqueeze(0));  // [k, g]
  const auto leverage = at::mm(s.scores.square(), shrink) + 1.0 / static_cast<double>(n);
  const auto filter = low_rank_filter(s.values, alphas);
  const int64_t rank = filter.left.size(1);
  auto total = at::zeros({n, alphas.size(0)}, y.options());
  // Blocks of targets bound the fitted values held at once to 64 MB, and their residuals to 99 / 30
  // of that.
  const int64_t width = std::max<int64_t>(1, (int64_t{8} << 20) / (rank * n));
  for (int64_t begin = 0; begin < y.size(1); begin += width) {
    const int64_t m = std::min(width, y.size(1) - begin);
    const auto part = response.narrow(1, begin, m);
    auto fitted = at::empty({rank, n, m}, y.options());
    for (int64_t r = 0; r < rank; ++r) {
      auto item = fitted.select(0, r);
      at::mm_out(item, s.scores, part * filter.left.select(1, r).unsqueeze(1));
    }
    // [g, n m] = [g, r] x [r, n m], a block of penalties at a time.
    const auto target = y.narrow(1, begin, m);
    const auto flat = fitted.reshape({rank, n * m});
    constexpr int64_t kPenalties = 16;
    for (int64_t a = 0; a < alphas.size(0); a += kPenalties) {
      const int64_t count = std::min(kPenalties, alphas.size(0) - a);
      const auto all = at::mm(filter.right.narrow(1, a, count).t(), flat).reshape({count, n, m});
      total.narrow(1, a, count).add_((target - all).square().sum(2).t());
    }
  }
  return (total / (1 - leverage).square()).mean(0) / static_cast<double>(y_in.size(1));
}

// One split's weights [p, m] for any targets, from what was factored once; `cross` is X'Y of its
// train rows where shared sums give it.
using Solver = std::function<at::Tensor(const at::Tensor& cross, const at::Tensor& y)>;

Solver spectral_solver(const Spectrum& s, const at::Tensor& alpha) {
  return [vectors = s.vectors, scores = s.scores, shrunk = (s.values + alpha).unsqueeze(1)](
             const at::Tensor&, const at::Tensor& y) {
    // (X V)'Y and not V'(X'Y): what is zero in exact arithmetic is then smaller by the root of its
    // eigenvalue.
    return at::mm(vectors, at::mm(scores.t(), y) / shrunk);
  };
}

// A split's X'X + a (or XX' + a) by Cholesky, for one penalty.
struct Factored {
  at::Tensor x, gram;  // of its train rows
  at::Tensor factor;
  at::Tensor status;  // not 0 where the penalty is too small for a singular matrix
};

Factored factor_of_one(const at::Tensor& x, const at::Tensor& gram, double alpha) {
  auto penalised = gram.clone();
  penalised.diagonal().add_(alpha);
  const auto [factor, status] = at::linalg_cholesky_ex(penalised);
  return {x, gram, factor, status};
}

// One penalty: (X'X + a)^-1 X'Y, or X'(XX' + a)^-1 Y. Where that is singular, the eigenvectors'
// way, whose eigenvalues are relatively accurate (scikit-learn falls back to an SVD there).
Solver solver_of_one(const Factored& of, double alpha, bool dual, bool singular) {
  if (singular) {
    return spectral_solver(dual ? dual_spectrum_of(of.x, of.gram) : spectrum_of(of.x, of.gram),
                           at::full({}, alpha, of.x.options()));
  }
  return [x = of.x, factor = of.factor, dual](const at::Tensor& cross, const at::Tensor& y) {
    return dual ? at::mm(x.t(), at::cholesky_solve(y, factor)) : at::cholesky_solve(cross, factor);
  };
}

// XX' of one split's train rows, train-centred, from XX' of all.
at::Tensor gram_of_train_rows(const at::Tensor& k, const at::Tensor& train) {
  const auto part = k.index_select(0, train).index_select(1, train);
  const auto mean = part.mean(0);
  return part - mean - mean.unsqueeze(1) + mean.mean();
}

// Y, or where targets outnumber presentations as many of their coordinates: a common penalty does
// not feel a rotation.
at::Tensor targets_for_choice(const at::Tensor& y) {
  if (y.size(1) <= y.size(0)) return y;
  return std::get<1>(at::linalg_qr(y.t(), "r")).t().contiguous();
}

}  // namespace

std::vector<double> platform_alphas() {
  std::vector<double> alphas = {0.01, 0.1, 0.5, 1};
  append_linspace(alphas, 10, 100, 4, false);
  for (double decade = 100; decade < 1e6; decade *= 10)
    append_linspace(alphas, decade, 10 * decade, 18, false);
  append_linspace(alphas, 1e6, 1e7, 19, true);
  return alphas;
}

at::Tensor leave_one_out_errors(const at::Tensor& x,
                                const at::Tensor& y,
                                const std::vector<double>& alphas) {
  return errors_from(spectrum_of(x, at::mm(x.t(), x)), y,
                     at::tensor(alphas, at::kDouble).to(x.device()));
}

RidgePrediction ridge_cross_validate(const at::Tensor& x_raw,
                                     const at::Tensor& y_raw,
                                     const Splits& splits,
                                     const RidgeOptions& options) {
  check_splits(splits, x_raw.size(0), "ridge");
  TORCH_CHECK_VALUE(x_raw.dim() == 2 && y_raw.dim() == 2 && x_raw.size(0) == y_raw.size(0),
                    "ridge: need [n_presentations, n_features] and [n_presentations, n_targets], "
                    "got ",
                    x_raw.sizes(), " and ", y_raw.sizes());
  TORCH_CHECK_VALUE(!options.alphas.empty(), "ridge: no penalties");
  if (x_raw.size(1) > x_raw.size(0))
    return ridge_cross_validate(isometric_coordinates(x_raw, options.precision), y_raw, splits,
                                options);
  const auto x = less_column_means(x_raw);
  auto y = y_raw.to(at::kDouble);
  const auto grand_mean = y.mean(0);
  y = (y - grand_mean).contiguous();
  const auto n_folds = static_cast<int64_t>(splits.size());
  const auto alphas = at::tensor(options.alphas, at::kDouble).to(x.device());
  const bool choose = options.alphas.size() > 1;
  RidgePrediction result;
  result.predictions.resize(splits.size());
  result.alpha = at::full({n_folds}, options.alphas.front(), x.options());
  result.at_end = at::zeros({n_folds}, x.options().dtype(at::kBool));
  // With fewer train rows than features X'X is singular, and what is zero in exact arithmetic would
  // be rounding over the penalty, which test rows multiply: there the dual form, whose weights stay
  // in the span of the train rows.
  const bool dual = std::any_of(splits.begin(), splits.end(), [&](const Split& split) {
    return static_cast<int64_t>(split.train.size()) < x.size(1);
  });
  const auto gram = dual ? centred_gram(x, options.precision) : cross_gram(x, options.precision);
  const auto y_choice = choose ? targets_for_choice(y) : at::Tensor();
  const auto train_rows = [&](const Folds& folds, int64_t f, const at::Tensor& train) {
    return std::pair(x.index_select(0, train) - folds.x_mean.select(0, f),
                     dual ? gram_of_train_rows(gram, train) : train_gram(folds, gram, f));
  };
  const auto factor_of = [&](const Folds& folds, int64_t f) {
    const auto train = index_tensor(splits[static_cast<size_t>(f)].train, x);
    const auto [x_train, split_gram] = train_rows(folds, f, train);
    return factor_of_one(x_train, split_gram, options.alphas.front());
  };
  // Penalty and factors of a split, with the first of its blocks of targets.
  const auto solver_of = [&](const Folds& folds, int64_t f) -> Solver {
    if (!choose) {
      const auto factored = factor_of(folds, f);
      return solver_of_one(factored, options.alphas.front(), dual,
                           *factored.status.const_data_ptr<int>() != 0);
    }
    const auto train = index_tensor(splits[static_cast<size_t>(f)].train, x);
    const auto [x_train, split_gram] = train_rows(folds, f, train);
    const auto s = dual ? dual_spectrum_of(x_train, split_gram) : spectrum_of(x_train, split_gram);
    const auto y_train = y_choice.index_select(0, train);
    const auto errors = errors_from(s, y_train - y_train.mean(0), alphas);
    const auto best = errors.argmin().unsqueeze(0);
    const auto alpha = alphas.index_select(0, best);
    result.alpha.narrow(0, f, 1).copy_(alpha);
    result.at_end.narrow(0, f, 1).copy_((best == 0) | (best == alphas.size(0) - 1));
    return spectral_solver(s, alpha);
  };
  // On a device which splits are singular is asked once, when all are factored.
  const auto solvers_on_device = [&](const Folds& folds) {
    std::vector<Factored> factored;
    std::vector<at::Tensor> status;
    for (int64_t f = 0; f < n_folds; ++f) {
      factored.push_back(factor_of(folds, f));
      status.push_back(factored.back().status);
    }
    const auto told = at::stack(status).cpu();
    std::vector<Solver> made;
    for (size_t f = 0; f < factored.size(); ++f)
      made.push_back(solver_of_one(factored[f], options.alphas.front(), dual,
                                   told.const_data_ptr<int>()[f] != 0));
    return made;
  };
  std::vector<Solver> solvers(splits.size());
  for (int64_t begin = 0; begin < y.size(1); begin += kTargetsAtOnce) {
    const int64_t width = std::min(kTargetsAtOnce, y.size(1) - begin);
    const auto block = y.narrow(1, begin, width).contiguous();
    const auto folds = make_folds(x, block, splits);
    const bool shared = !choose && !dual;
    const auto cross = shared ? train_cross(folds, x, block) : at::Tensor();
    if (begin == 0 && !choose && !x.is_cpu()) solvers = solvers_on_device(folds);
    parallel_for(
        n_folds,
        [&](int64_t f) {
          const auto at = static_cast<size_t>(f);
          if (!solvers[at]) solvers[at] = solver_of(folds, f);
          const auto train = index_tensor(splits[at].train, x);
          const auto weights =
              solvers[at](shared ? cross.select(0, f) : cross,
                          block.index_select(0, train) - folds.y_mean.select(0, f));
          const auto out = folds.x_out.select(0, f) - folds.x_mean.select(0, f);
          const auto predicted = at::mm(test_rows(folds, splits, f, x.size(0), out), weights) +
                                 (folds.y_mean.select(0, f) + grand_mean.narrow(0, begin, width));
          if (width == y.size(1)) {
            result.predictions[at] = predicted;
            solvers[at] = nullptr;  // one block: its factors have served
            return;
          }
          if (begin == 0)
            result.predictions[at] = at::empty({predicted.size(0), y.size(1)}, y.options());
          result.predictions[at].narrow(1, begin, width).copy_(predicted);
        },
        threads_for(x));
  }
  return result;
}

}  // namespace cortiscore
