#include "src/score/evaluate.h"

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

const std::map<std::string, MappingKind> kMappings = {
    {"pls", MappingKind::kPls},
    {"ridge", MappingKind::kRidge},
    {"ridgecv", MappingKind::kRidgeCv},
    {"linear", MappingKind::kLinear},
    {"neuron_to_neuron", MappingKind::kNeuronToNeuron},
};
const std::vector<std::string> kSimilarities = {"rdm", "cka", "cka_biased", "pearsonr"};
const std::vector<std::string> kPrefixes = {"reverse", "scaled", "spantime"};

void check_rows(const at::Tensor& source, const at::Tensor& target) {
  if (source.size(0) == target.size(0)) return;
  throw bad_input({"target", "presentations", std::to_string(target.size(0)),
                   std::to_string(source.size(0)) + " as in the source",
                   "Rows of source and target must be the same stimuli in the same order"});
}

Evaluation evaluate_mapping(const MetricName& name,
                            const MetricInputs& inputs,
                            const at::Tensor& target_in) {
  auto options = inputs.mapping;
  options.kind = kMappings.at(name.base);
  auto source = inputs.source;
  auto target = target_in;
  if (name.prefix == "reverse") std::swap(source, target);
  if (name.prefix == "scaled") {
    const auto y = target.to(at::kDouble);
    const auto sd = y.std(0, /*unbiased=*/false);
    target = (y - y.mean(0)) / at::where(sd > 0, sd, 1.0);
  }
  Evaluation result;
  const bool spantime = name.prefix == "spantime";
  result.fit = spantime ? spantime_predictivity(source, target, inputs.splits, options)
                        : predictivity(source, target, inputs.splits, options);
  result.estimate = aggregate(result.fit.per_neuroid);
  if (spantime) {
    const auto by_bin = result.estimate.per_neuroid.reshape({-1, target.size(1), target.size(2)});
    for (int64_t t = 0; t < target.size(2); ++t)
      result.per_time_bin.push_back(aggregate(by_bin.select(2, t)).value);
    target = target.reshape({target.size(0), -1});
    // Medians are taken within a bin: the score is their mean over bins.
    result.estimate.value = mean_skip_nan(result.per_time_bin);
    result.averaged_over = "neuroid x time_bin";
    return result;
  }
  result.averaged_over = name.prefix == "reverse" ? "feature" : "neuroid";
  result.axes = {{Axis::kNeuroid, target.size(1)}};
  if (options.keep_predictions) result.axes[Axis::kPresentation] = target.size(0);
  if (inputs.splits.size() > 1)
    result.axes[Axis::kSplit] = static_cast<int64_t>(inputs.splits.size());
  else
    result.estimate.error = kNaN;  // one split: the platform declares no error
  result.draws = [fit = result.fit, target, splits = inputs.splits](const Draws& draws) {
    return predictivity_draws(fit, target, splits, draws);
  };
  return result;
}

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
                        const at::Tensor& target) {
  check_rows(inputs.source, target);
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

Evaluation evaluate_pearson(const MetricInputs& inputs, const at::Tensor& target) {
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

}  // namespace

std::vector<std::string> array_metric_names() {
  std::vector<std::string> names;
  for (const auto& [mapping, kind] : kMappings) {
    names.push_back(mapping);
    for (const auto& prefix : kPrefixes) names.push_back(prefix + "_" + mapping);
  }
  for (const auto& name : kSimilarities) names.push_back(name);
  for (const auto* name : {"rdm_cv", "cka_cv", "cka_biased_cv"}) names.emplace_back(name);
  return names;
}

MetricName metric_name(const std::string& full) {
  MetricName name;
  auto rest = full;
  for (const auto& prefix : kPrefixes) {
    if (!rest.starts_with(prefix + "_")) continue;
    name.prefix = prefix;
    rest = rest.substr(prefix.size() + 1);
  }
  const auto drop_suffix = [&](const std::string& suffix) {
    if (!rest.ends_with(suffix)) return false;
    rest.resize(rest.size() - suffix.size());
    return true;
  };
  name.cv = drop_suffix("_cv");
  name.split = !name.cv && drop_suffix("_split");
  if (rest.starts_with("dual_")) rest = rest.substr(5);
  name.base = rest;
  const bool mapping = kMappings.contains(rest);
  const bool similarity =
      std::find(kSimilarities.begin(), kSimilarities.end(), rest) != kSimilarities.end();
  if (mapping ||
      (similarity && name.prefix.empty() && !name.split && !(name.cv && rest == "pearsonr")))
    return name;
  throw unknown_name("metric", full, "this version", array_metric_names());
}

Evaluation evaluate(const MetricName& name,
                    const MetricInputs& inputs,
                    const std::optional<at::Tensor>& order) {
  if (name.base == "rdm") return evaluate_rdm(name, inputs, order);
  const auto target = order ? inputs.target.index_select(0, *order) : inputs.target;
  check_rows(inputs.source, target);
  if (name.base == "pearsonr") return evaluate_pearson(inputs, target);
  if (name.base.starts_with("cka")) return evaluate_cka(name, inputs, target);
  return evaluate_mapping(name, inputs, target);
}

double p_value_above(const std::vector<double>& null_values, double observed) {
  int64_t above = 1;
  for (const auto v : null_values) above += v >= observed ? 1 : 0;
  return static_cast<double>(above) / static_cast<double>(null_values.size() + 1);
}

Comparison compare(const Evaluation& first,
                   const Evaluation& second,
                   const ResampleOptions& options,
                   int64_t n_permutations) {
  const auto on = at::TensorOptions().dtype(at::kDouble);
  Comparison result;
  const Statistic difference = [&](const Draws& draws) {
    return first.draws(draws) - second.draws(draws);
  };
  result.difference = resample(
      difference, options, first.fit.per_neuroid.defined() ? first.fit.per_neuroid.options() : on);
  int64_t low = 1, high = 1, n = 1;
  for (const auto d : result.difference.draws) {
    if (std::isnan(d)) continue;
    ++n;
    low += d <= 0 ? 1 : 0;
    high += d >= 0 ? 1 : 0;
  }
  result.p_bootstrap =
      std::min(1.0, 2 * static_cast<double>(std::min(low, high)) / static_cast<double>(n));
  result.p_permutation = kNaN;
  const auto& a = first.estimate.per_neuroid;
  const auto& b = second.estimate.per_neuroid;
  if (n_permutations < 1 || !first.fit.per_neuroid.defined() || a.sizes() != b.sizes())
    return result;
  // Under the null the two sources are exchangeable neuroid by neuroid. One word of the generator a neuroid and draw.
  const auto counts = at::ones({1, a.size(1)}, a.options());
  const auto score = [&](const at::Tensor& r) { return weighted_median(r, counts).nanmean(1); };
  std::vector<double> null_values;
  constexpr int64_t kBlock = 256;
  for (int64_t begin = 0; begin < n_permutations; begin += kBlock) {
    const int64_t block = std::min(kBlock, n_permutations - begin);
    const auto swap =
        random_signs(options.seed, begin, block, a.size(1)).unsqueeze(1);  // [b, 1, m]
    const auto swapped_a = at::where(swap, b, a);
    const auto swapped_b = at::where(swap, a, b);
    const auto d = (score(swapped_a) - score(swapped_b)).abs().contiguous();
    null_values.insert(null_values.end(), d.const_data_ptr<double>(),
                       d.const_data_ptr<double>() + block);
  }
  result.p_permutation =
      p_value_above(null_values, std::abs(result.difference.value) * (1 - 1e-12));
  return result;
}

}  // namespace cortiscore
