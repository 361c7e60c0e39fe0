#include "src/mapping/linear.h"

#include <algorithm>
#include <limits>

#include <ATen/ATen.h>

#include "src/core/caller.h"
#include "src/core/parallel.h"
#include "src/mapping/folds.h"
#include "src/ops/column_means.h"

namespace cortiscore {
namespace {

void check(const at::Tensor& x, const at::Tensor& y, const char* name) {
  TORCH_CHECK_VALUE(x.dim() == 2 && y.dim() == 2 && x.size(0) == y.size(0), name,
                    ": need [n_presentations, n_features] and [n_presentations, n_targets], got ",
                    x.sizes(), " and ", y.sizes());
}

// Columns of mean 0 and norm 1, so that products are correlations; a constant one is zero.
at::Tensor standardised(const at::Tensor& rows) {
  const auto centred = rows - rows.mean(0);
  const auto norm = at::linalg_vector_norm(centred, 2, {0});
  const auto noise = rows.abs().amax(0) * 1e-13 * std::sqrt(static_cast<double>(rows.size(0)));
  return at::where(norm > noise, centred / norm, 0.0);
}

struct BestUnits {
  at::Tensor r;      // [n_targets], -2 where all units are constant
  at::Tensor index;  // [n_targets]
};

BestUnits best_units(const at::Tensor& x, const at::Tensor& train, const at::Tensor& targets) {
  // The best so far, over blocks of units: r of all pairs at once may be large.
  constexpr int64_t kUnits = 4096;
  BestUnits best{at::full({targets.size(1)}, -2.0, targets.options()),
                 at::zeros({targets.size(1)}, targets.options().dtype(at::kLong))};
  for (int64_t begin = 0; begin < x.size(1); begin += kUnits) {
    const int64_t width = std::min(kUnits, x.size(1) - begin);
    const auto units =
        standardised(x.narrow(1, begin, width).index_select(0, train).to(at::kDouble));
    auto r = at::mm(units.t(), targets);
    r = at::where((units == 0).all(0).unsqueeze(1), -2.0, r);
    const auto top = r.amax(0);
    const auto first = (r >= top - 1e-12).to(at::kLong).argmax(0) + begin;
    const auto better = top > best.r + (begin ? 1e-12 : 0.0);
    best.index = at::where(better, first, best.index);
    best.r = at::where(better, top, best.r);
  }
  return best;
}

}  // namespace

std::vector<at::Tensor> linear_cross_validate(const at::Tensor& x_raw,
                                              const at::Tensor& y_raw,
                                              const Splits& splits,
                                              double relative_cutoff) {
  check_splits(splits, x_raw.size(0), "linear");
  check(x_raw, y_raw, "linear");
  auto x = less_column_means(x_raw);
  const int64_t p = x.size(1);
  // Least squares sees features through inner products alone. An orthogonal factor keeps the
  // condition number, which a Gram matrix would square: with no penalty there is nothing to hide
  // that.
  if (p > x.size(0)) x = std::get<1>(at::linalg_qr(x.t(), "r")).t().contiguous();
  const auto y = y_raw.to(at::kDouble);
  std::vector<at::Tensor> predictions(splits.size());
  parallel_for(
      static_cast<int64_t>(splits.size()),
      [&](int64_t f) {
        const auto& split = splits[static_cast<size_t>(f)];
        const auto train = index_tensor(split.train, x);
        const auto rows = x.index_select(0, train);
        const auto x_mean = rows.mean(0);
        const auto [q, r] = at::linalg_qr(rows - x_mean);
        const auto [u, s, vh] = at::linalg_svd(r, false);
        const double cutoff = relative_cutoff >= 0
                                  ? relative_cutoff
                                  : static_cast<double>(std::max<int64_t>(rows.size(0), p)) *
                                        std::numeric_limits<double>::epsilon();
        const auto inverse = at::where(s > cutoff * s.amax(), 1 / s, 0.0);
        const auto test = x.index_select(0, index_tensor(split.test, x)) - x_mean;
        auto predicted = at::empty({test.size(0), y.size(1)}, y.options());
        // Blocks of targets bound what is held besides the predictions.
        for (int64_t begin = 0; begin < y.size(1); begin += kTargetsAtOnce) {
          const int64_t width = std::min(kTargetsAtOnce, y.size(1) - begin);
          const auto targets = y.narrow(1, begin, width).index_select(0, train);
          const auto y_mean = targets.mean(0);
          const auto weights =
              at::mm(vh.t(), at::mm(u.t(), at::mm(q.t(), targets - y_mean)) * inverse.unsqueeze(1));
          predicted.narrow(1, begin, width).copy_(at::addmm(y_mean, test, weights));
        }
        predictions[static_cast<size_t>(f)] = predicted;
      },
      threads_for(x));
  return predictions;
}

std::vector<at::Tensor> neuron_to_neuron(const at::Tensor& x_raw,
                                         const at::Tensor& y_raw,
                                         const Splits& splits) {
  check_splits(splits, x_raw.size(0), "neuron_to_neuron");
  check(x_raw, y_raw, "neuron_to_neuron");
  std::vector<at::Tensor> predictions(splits.size());
  parallel_for(
      static_cast<int64_t>(splits.size()),
      [&](int64_t f) {
        const auto& split = splits[static_cast<size_t>(f)];
        const auto train = index_tensor(split.train, x_raw);
        const auto test = x_raw.index_select(0, index_tensor(split.test, x_raw));
        auto predicted =
            at::empty({test.size(0), y_raw.size(1)}, y_raw.options().dtype(at::kDouble));
        for (int64_t begin = 0; begin < y_raw.size(1); begin += kTargetsAtOnce) {
          const int64_t width = std::min(kTargetsAtOnce, y_raw.size(1) - begin);
          const auto targets = y_raw.narrow(1, begin, width).index_select(0, train).to(at::kDouble);
          const auto unit = best_units(x_raw, train, standardised(targets));
          const auto values = test.index_select(1, unit.index).to(at::kDouble);
          predicted.narrow(1, begin, width)
              .copy_(at::where(unit.r < -1.5, std::numeric_limits<double>::quiet_NaN(), values));
        }
        predictions[static_cast<size_t>(f)] = predicted;
      },
      threads_for(x_raw));
  return predictions;
}

}  // namespace cortiscore
