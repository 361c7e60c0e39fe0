#include "src/score/evaluate.h"

#include <cmath>
#include <limits>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/score/diagnostics.h"
#include "src/score/evaluate_similarity.h"
#include "src/score/statistics.h"

namespace cortiscore {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

const std::vector<std::string> kPrefixes = {"reverse", "scaled", "spantime"};

Evaluation evaluate_mapping(const MetricName& name,
                            const MetricInputs& inputs,
                            const std::optional<at::Tensor>& order) {
  auto options = inputs.mapping;
  options.kind = mapping_kinds().at(name.base);
  auto source = inputs.source;
  auto target = ordered_target(inputs, order);
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
  result.axes[Axis::kPresentation] = target.size(0);  // needs keep_predictions
  if (inputs.splits.size() > 1)
    result.axes[Axis::kSplit] = static_cast<int64_t>(inputs.splits.size());
  else
    result.estimate.error = kNaN;  // one split: the platform declares no error
  result.draws = [fit = result.fit, target, splits = inputs.splits](const Draws& draws) {
    return predictivity_draws(fit, target, splits, draws);
  };
  return result;
}

}  // namespace

const std::vector<ArrayMetric>& array_metrics() {
  static const std::vector<std::string> of_rdm = {"--source-rdm", "--target-rdm", "--distance",
                                                  "--comparison"};
  static const std::string varied = " presentations or more whose patterns are not constant";
  static const std::vector<ArrayMetric> all = {
      {"linear", true, false, {"--cutoff"}, "", evaluate_mapping},
      {"neuron_to_neuron", true, false, {}, "", evaluate_mapping},
      {"pls", true, false, {"--components", "--mode", "--products"}, "", evaluate_mapping},
      {"ridge", true, false, {"--alpha", "--products"}, "", evaluate_mapping},
      {"ridgecv", true, false, {"--alphas", "--products"}, "", evaluate_mapping},
      {"rdm", false, true, of_rdm, "rdm takes 3" + varied, evaluate_rdm},
      {"cka", false, true, {}, "cka takes 4" + varied, evaluate_cka},
      {"cka_biased", false, true, {}, "cka_biased takes 2" + varied, evaluate_cka},
      {"pearsonr", false, false, {}, "", evaluate_pearson}};
  return all;
}

const ArrayMetric& array_metric(const std::string& base) {
  for (const auto& metric : array_metrics()) {
    if (metric.base == base) return metric;
  }
  throw unknown_name("metric", base, "this version", array_metric_names());
}

std::vector<std::string> array_metric_names() {
  std::vector<std::string> names, subsets;
  for (const auto& metric : array_metrics()) {
    names.push_back(metric.base);
    for (const auto& prefix : kPrefixes) {
      if (metric.mapping) names.push_back(prefix + "_" + metric.base);
    }
    if (metric.cv) subsets.push_back(metric.base + "_cv");
  }
  names.insert(names.end(), subsets.begin(), subsets.end());
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
  for (const auto& metric : array_metrics()) {
    if (metric.base != rest) continue;
    name.maps = metric.mapping;
    if (metric.mapping || (name.prefix.empty() && !name.split && (metric.cv || !name.cv)))
      return name;
  }
  throw unknown_name("metric", full, "this version", array_metric_names());
}

std::vector<std::string> warnings_of(const MetricName& name, const Evaluation& e) {
  // Mappings and correlations lose neuroids; a similarity is one number a subject or subset, or
  // none.
  std::vector<std::string> warnings;
  if (const auto& metric = array_metric(name.base); metric.mapping) {
    warnings = warnings_of(e.fit, e.estimate, {});
  } else if (metric.undefined.empty()) {
    warnings = undefined_warnings(e.estimate, {});
  } else {
    warnings = left_out(e.estimate.per_neuroid.isnan().sum().item<int64_t>(),
                        e.estimate.per_neuroid.numel(),
                        "values are undefined and left out of the mean: " + metric.undefined);
  }
  warnings.insert(warnings.end(), e.warnings.begin(), e.warnings.end());
  return with_reason(std::move(warnings), e.estimate.value);
}

Evaluation evaluate(const MetricName& name,
                    const MetricInputs& inputs,
                    const std::optional<at::Tensor>& order) {
  return array_metric(name.base).evaluate(name, inputs, order);
}

}  // namespace cortiscore
