#include "src/metric/predictivity.h"

#include <ATen/ATen.h>

#include "src/core/caller.h"
#include "src/core/parallel.h"
#include "src/mapping/linear.h"
#include "src/ops/pearson_columns.h"
#include "src/ops/weighted_median.h"
#include "src/ops/weighted_pearson.h"

namespace cortiscore {
namespace {

at::Tensor rows_of(const at::Tensor& values, const std::vector<int64_t>& rows) {
  return values.index_select(0, at::tensor(rows, at::kLong).to(values.device()));
}

// Predictions of one split at a time, so that only what is kept is held.
using PredictionOf = std::function<at::Tensor(int64_t)>;

PredictionOf fit(const at::Tensor& source,
                 const at::Tensor& target,
                 const Splits& splits,
                 const MappingOptions& options,
                 Predictivity& result) {
  const auto from = [](std::vector<at::Tensor> predictions) {
    return [p = std::move(predictions)](int64_t s) { return p[static_cast<size_t>(s)]; };
  };
  switch (options.kind) {
    case MappingKind::kPls: {
      auto pls_options = options.pls;
      pls_options.precision = options.precision;
      auto pls = pls_cross_validate(source, target, splits, pls_options);
      result.iterations = pls.iterations;
      result.marginal = pls.marginal;
      result.exhausted = pls.exhausted;
      result.max_iter = options.pls.top.max_iter;
      return [p = std::move(pls)](int64_t s) { return p.predictions(s); };
    }
    case MappingKind::kRidge:
    case MappingKind::kRidgeCv: {
      const bool choose = options.kind == MappingKind::kRidgeCv;
      auto ridge = ridge_cross_validate(
          source, target, splits,
          {choose ? options.ridgecv_alphas : std::vector<double>{options.ridge_alpha},
           options.precision});
      result.alpha = ridge.alpha;
      if (choose) result.alpha_at_end = ridge.at_end;
      return from(std::move(ridge.predictions));
    }
    case MappingKind::kLinear:
      return from(linear_cross_validate(source, target, splits, options.linear_cutoff));
    case MappingKind::kNeuronToNeuron:
      return from(neuron_to_neuron(source, target, splits));
    case MappingKind::kMask:
      return from(mask_cross_validate(source, target, splits, options.mask));
  }
  TORCH_CHECK(false, "predictivity: unknown mapping");
}

}  // namespace

const std::map<std::string, MappingKind>& mapping_kinds() {
  static const std::map<std::string, MappingKind> kinds = {
      {"pls", MappingKind::kPls},
      {"ridge", MappingKind::kRidge},
      {"ridgecv", MappingKind::kRidgeCv},
      {"linear", MappingKind::kLinear},
      {"neuron_to_neuron", MappingKind::kNeuronToNeuron},
  };
  return kinds;
}

Predictivity predictivity(const at::Tensor& source,
                          const at::Tensor& target,
                          const Splits& splits,
                          const MappingOptions& options) {
  Predictivity result;
  const auto prediction_of = fit(source, target, splits, options, result);
  const auto n_splits = static_cast<int64_t>(splits.size());
  result.per_neuroid = at::empty({n_splits, target.size(1)}, target.options().dtype(at::kDouble));
  if (options.keep_predictions) result.predictions.resize(splits.size());
  const auto recorded = target.to(at::kDouble);
  parallel_for(
      n_splits,
      [&](int64_t s) {
        const auto predicted = prediction_of(s);
        result.per_neuroid.select(0, s).copy_(pearson_columns(
            predicted.contiguous(), rows_of(recorded, splits[static_cast<size_t>(s)].test)));
        if (options.keep_predictions) result.predictions[static_cast<size_t>(s)] = predicted;
      },
      threads_for(source));
  return result;
}

Predictivity spantime_predictivity(const at::Tensor& source,
                                   const at::Tensor& target,
                                   const Splits& splits,
                                   const MappingOptions& options) {
  const int64_t bins = source.size(2);
  TORCH_CHECK_VALUE(source.dim() == 3 && target.dim() == 3 && target.size(2) == bins,
                    "spantime: need [presentations, features, bins] and [presentations, neuroids, "
                    "bins], got ",
                    source.sizes(), " and ", target.sizes());
  const auto stacked = [&](const at::Tensor& a) {  // rows (presentation, bin), bins fastest
    return a.permute({0, 2, 1}).reshape({a.size(0) * bins, a.size(1)});
  };
  Splits rows;
  for (const auto& split : splits) {
    Split expanded;
    for (const auto i : split.train) {
      for (int64_t t = 0; t < bins; ++t) expanded.train.push_back(i * bins + t);
    }
    for (const auto i : split.test) {
      for (int64_t t = 0; t < bins; ++t) expanded.test.push_back(i * bins + t);
    }
    rows.push_back(std::move(expanded));
  }
  auto with_predictions = options;
  with_predictions.keep_predictions = true;
  auto result = predictivity(stacked(source), stacked(target), rows, with_predictions);
  // r of one neuroid in one bin: a column of [presentation, neuroid x bin].
  const auto recorded = target.to(at::kDouble).reshape({target.size(0), -1});
  std::vector<at::Tensor> per_split;
  for (size_t s = 0; s < splits.size(); ++s) {
    auto& predicted = result.predictions[s];
    predicted = predicted.reshape({-1, bins, target.size(1)})
                    .permute({0, 2, 1})
                    .reshape({-1, target.size(1) * bins});
    per_split.push_back(pearson_columns(predicted, rows_of(recorded, splits[s].test)));
  }
  result.per_neuroid = at::stack(per_split);
  if (!options.keep_predictions) result.predictions.clear();
  return result;
}

std::vector<Predictivity> spantime_predictivity(const at::Tensor& source,
                                                const std::vector<at::Tensor>& targets,
                                                const Splits& splits,
                                                const MappingOptions& options) {
  TORCH_CHECK_VALUE(options.kind == MappingKind::kPls,
                    "spantime_predictivity: one response for all bins, for PLS alone");
  auto with_predictions = options;
  with_predictions.keep_predictions = true;
  auto fit = predictivity(source, at::stack(targets).mean(0), splits, with_predictions);
  std::vector<Predictivity> bins(targets.size());
  for (size_t t = 0; t < targets.size(); ++t) {
    const auto recorded = targets[t].to(at::kDouble);
    std::vector<at::Tensor> per_split;
    for (size_t s = 0; s < splits.size(); ++s)
      per_split.push_back(
          pearson_columns(fit.predictions[s].contiguous(), rows_of(recorded, splits[s].test)));
    bins[t].per_neuroid = at::stack(per_split);
    if (options.keep_predictions) bins[t].predictions = fit.predictions;  // alike in every bin
  }
  bins[0].iterations = fit.iterations;
  bins[0].marginal = fit.marginal;
  bins[0].exhausted = fit.exhausted;
  bins[0].max_iter = fit.max_iter;
  return bins;
}

at::Tensor predictivity_per_draw(const Predictivity& fit,
                                 const at::Tensor& target,
                                 const Splits& splits,
                                 const Draws& draws) {
  const auto& r = fit.per_neuroid;
  const auto presentations = draws.counts.find(Axis::kPresentation);
  if (presentations == draws.counts.end()) return r.unsqueeze(0);
  TORCH_CHECK_VALUE(fit.predictions.size() == splits.size(),
                    "predictivity_per_draw: drawing presentations needs the predictions");
  auto per_draw = at::empty({draws.n, r.size(0), r.size(1)}, r.options());
  for (size_t s = 0; s < splits.size(); ++s) {
    const auto test = at::tensor(splits[s].test, at::kLong).to(r.device());
    per_draw.select(1, static_cast<int64_t>(s))
        .copy_(weighted_pearson(presentations->second.index_select(1, test), fit.predictions[s],
                                target.index_select(0, test).to(at::kDouble)));
  }
  return per_draw;
}

at::Tensor predictivity_draws(const Predictivity& fit,
                              const at::Tensor& target,
                              const Splits& splits,
                              const Draws& draws) {
  const auto& r = fit.per_neuroid;
  const int64_t n_splits = r.size(0);
  const auto per_draw = predictivity_per_draw(fit, target, splits, draws);  // [b or 1, s, m]
  const auto medians =
      weighted_median(per_draw, draws.of(Axis::kNeuroid, r.size(1), r.options()));  // [b, s]
  const auto weight = draws.of(Axis::kSplit, n_splits, r.options());
  const auto counted = at::where(medians.isnan(), 0.0, weight);
  return ((at::nan_to_num(medians) * counted).sum(1) / counted.sum(1)).expand({draws.n});
}

}  // namespace cortiscore
