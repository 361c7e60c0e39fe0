#include "src/score/evaluate_similarity.h"

#include <cmath>
#include <limits>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/linalg/gram.h"
#include "src/metric/cka.h"
#include "src/ops/pearson_columns.h"
#include "src/ops/weighted_median.h"
#include "src/ops/weighted_pearson.h"
#include "src/score/statistics.h"

namespace cortiscore {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// [k, pairs] of RDMs given, or of the one that responses make.
at::Tensor triangles(const at::Tensor& values,
                     bool is_rdm,
                     RdmDistance distance,
                     const std::string& role) {
  if (!is_rdm) return upper_triangle(rdm(values, distance)).unsqueeze(0);
  if (values.dim() < 2 || values.dim() > 3 || values.size(-1) != values.size(-2)) {
    throw bad_input(
        {role, "dims", c10::str(values.sizes()), "RDMs: n x n, or subjects x n x n", ""});
  }
  const auto stack = values.dim() == 2 ? values.unsqueeze(0) : values;
  return upper_triangle(stack.to(at::kDouble));
}

int64_t presentations_of(const at::Tensor& values, bool is_rdm) {
  return is_rdm ? values.size(-1) : values.size(0);
}

// Indices into a packed triangle of the pairs among `rows`, in the order of the smaller triangle.
at::Tensor pairs_among(const at::Tensor& rows, int64_t n) {
  const auto k = rows.size(0);
  const auto pairs =
      at::triu_indices(k, k, 1, at::TensorOptions().dtype(at::kLong).device(rows.device()));
  const auto a = rows.index_select(0, pairs[0]);
  const auto b = rows.index_select(0, pairs[1]);
  const auto i = at::minimum(a, b);
  const auto j = at::maximum(a, b);
  return (i * (2 * n - i - 1)).div(2, "floor") + (j - i - 1);
}

}  // namespace

at::Tensor ordered_target(const MetricInputs& inputs, const std::optional<at::Tensor>& order) {
  const auto& source = inputs.source;
  auto target = order ? inputs.target.index_select(0, *order) : inputs.target;
  if (source.size(0) == target.size(0)) return target;
  throw bad_input({"target", "presentations", std::to_string(target.size(0)),
                   std::to_string(source.size(0)) + " as in the source",
                   "Rows of source and target must be the same stimuli in the same order"});
}

Evaluation evaluate_rdm(const MetricName& name,
                        const MetricInputs& inputs,
                        const std::optional<at::Tensor>& order) {
  const int64_t n = presentations_of(inputs.source, inputs.source_is_rdm);
  if (presentations_of(inputs.target, inputs.target_is_rdm) != n) {
    throw bad_input({"target", "presentations",
                     std::to_string(presentations_of(inputs.target, inputs.target_is_rdm)),
                     std::to_string(n) + " as in the source", ""});
  }
  auto a = triangles(inputs.source, inputs.source_is_rdm, inputs.distance, "source");
  auto b = triangles(inputs.target, inputs.target_is_rdm, inputs.distance, "target");
  if (order) b = b.index_select(1, pairs_among(*order, n));
  Evaluation result;
  const auto there = (a.isnan().any(0) | b.isnan().any(0)).logical_not().cpu();
  const auto n_missing = there.numel() - there.sum().item<int64_t>();
  if (n_missing) {
    result.warnings.push_back(std::to_string(n_missing) + " of " + std::to_string(there.numel()) +
                              " pairs of stimuli have no dissimilarity (constant patterns, or "
                              "missing in an RDM) and are left out");
    if (name.cv)
      throw bad_input({"RDM", "pairs", std::to_string(n_missing) + " that are NaN",
                       "none for subsets of stimuli", "Drop the stimulus, or use rdm"});
    const auto kept = there.nonzero().squeeze(1).to(a.device());
    a = a.index_select(1, kept);
    b = b.index_select(1, kept);
  }
  at::Tensor similarity;  // [subsets or 1, subjects]
  if (name.cv) {
    std::vector<at::Tensor> rows;
    for (const auto& split : inputs.splits) {
      const auto pairs = pairs_among(at::tensor(split.test, at::kLong).to(a.device()), n);
      rows.push_back(
          compare_rdms(a.index_select(1, pairs), b.index_select(1, pairs), inputs.comparison)
              .mean(0));
    }
    similarity = at::stack(rows);
  } else {
    similarity = compare_rdms(a, b, inputs.comparison).mean(0, true);
  }
  result.estimate = aggregate(similarity);
  result.averaged_over = "subject";
  // Subjects are averaged (BENCHMARKS.md 1.0), subsets after them.
  result.estimate.split_values.clear();
  for (int64_t s = 0; s < result.estimate.per_neuroid.size(0); ++s)
    result.estimate.split_values.push_back(result.estimate.per_neuroid[s].nanmean().item<double>());
  result.estimate.value = mean_skip_nan(result.estimate.split_values);
  result.estimate.error = name.cv ? deviation(result.estimate.split_values, 0) /
                                        std::sqrt(static_cast<double>(inputs.splits.size()))
                                  : kNaN;
  if (name.cv) return result;
  result.usual = b.size(0) > 1 ? Axis::kSubject : Axis::kPresentation;
  if (b.size(0) > 1) result.axes[Axis::kSubject] = b.size(0);
  const bool weighs = inputs.comparison != RdmComparison::kKendall &&
                      inputs.comparison != RdmComparison::kSpearmanA;
  if (weighs && n_missing == 0) result.axes[Axis::kPresentation] = n;
  result.draws = [a, b, similarity, comparison = inputs.comparison](const Draws& draws) {
    const auto presentations = draws.counts.find(Axis::kPresentation);
    const auto per_subject =
        presentations == draws.counts.end()
            ? similarity  // [1, subjects]
            : compare_rdms_draws(a, b, presentations->second, comparison).mean(1);
    const auto weight = draws.of(Axis::kSubject, b.size(0), per_subject.options());
    return ((per_subject * weight).sum(1) / weight.sum(1)).expand({draws.n});
  };
  return result;
}

Evaluation evaluate_cka(const MetricName& name,
                        const MetricInputs& inputs,
                        const std::optional<at::Tensor>& order) {
  const auto target = ordered_target(inputs, order);
  const auto k = centred_gram(inputs.source);
  const auto l = centred_gram(target);
  const int64_t n = k.size(0);
  const bool unbiased = name.base == "cka";
  auto weights = at::ones({1, n}, k.options());
  if (name.cv) {
    weights = at::zeros({static_cast<int64_t>(inputs.splits.size()), n}, k.options());
    for (size_t s = 0; s < inputs.splits.size(); ++s) {
      weights.select(0, static_cast<int64_t>(s))
          .index_fill_(0, at::tensor(inputs.splits[s].test, at::kLong).to(k.device()), 1.0);
    }
  }
  Evaluation result;
  result.estimate = aggregate(cka(k, l, weights, unbiased).unsqueeze(1));
  result.averaged_over = name.cv ? "subset" : "nothing";
  if (!name.cv) result.estimate.error = kNaN;
  if (name.cv) return result;
  result.axes = {{Axis::kPresentation, n}};
  result.usual = Axis::kPresentation;
  result.draws = [k, l, unbiased, n](const Draws& draws) {
    return cka(k, l, draws.of(Axis::kPresentation, n, k.options()), unbiased).expand({draws.n});
  };
  return result;
}

Evaluation evaluate_pearson(const MetricName& /*name*/,
                            const MetricInputs& inputs,
                            const std::optional<at::Tensor>& order) {
  const auto target = ordered_target(inputs, order);
  if (inputs.source.sizes() != target.sizes()) {
    throw bad_input({"target", "shape", c10::str(target.sizes()),
                     c10::str(inputs.source.sizes()) + " as the source",
                     "pearsonr compares column with column"});
  }
  const auto x = inputs.source.to(at::kDouble);
  const auto y = target.to(at::kDouble);
  Evaluation result;
  result.estimate = aggregate(pearson_columns(x, y).unsqueeze(0));
  result.estimate.error = kNaN;
  result.averaged_over = "neuroid";
  result.axes = {{Axis::kNeuroid, x.size(1)}, {Axis::kPresentation, x.size(0)}};
  result.draws = [x, y](const Draws& draws) {
    const auto r = weighted_pearson(draws.of(Axis::kPresentation, x.size(0), x.options()), x, y);
    return weighted_median(r.unsqueeze(1), draws.of(Axis::kNeuroid, x.size(1), x.options()))
        .squeeze(1)
        .expand({draws.n});
  };
  return result;
}

}  // namespace cortiscore
