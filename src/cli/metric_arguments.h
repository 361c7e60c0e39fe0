#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "src/score/evaluate.h"

namespace cortiscore::cli {

/// The flags of `cortiscore metric`.
struct MetricArguments {
  std::string name, source, target;
  std::string train_source, train_target, test_source, test_target;
  std::string splits, stratify, predictions, per_neuroid, versus, trials, bins;
  std::string mode = "sklearn", products = "fp64", device = "cpu", over, interval = "percentile";
  std::string distance = "correlation", comparison = "spearman", convention = "r2_over_c";
  std::vector<std::string> variables;
  std::string whole, manipulated, baseline_source, baseline_target, probabilities;
  int64_t components = 25, n_boot = -1, n_permutations = 0, ceiling_splits = 10;
  double alpha = 1, cutoff = -1, level = 0.95, scale = 1, accuracy = 0.75, c = 1e-3;
  std::string alphas, axes = "0";
  bool source_rdm = false, target_rdm = false, skipna = false, cosine = false, json = false;
};

/// Bootstrap options from the flags: axes are those that the evaluation has, its usual one drawn by
/// default.
/// @throws Error(kUsage)  --over names an axis that this metric lacks
ResampleOptions resample_options(const MetricArguments& arguments,
                                 const Evaluation& evaluation,
                                 int64_t usual_draws);

/// Metrics on arrays: mappings, rdm, cka, pearsonr.
void run_array_metric(const MetricArguments& arguments);

/// Metrics on choices, probabilities and properties. False where the name is none of them.
bool run_behavior_metric(const MetricArguments& arguments);
std::vector<std::string> behavior_metric_names();

}  // namespace cortiscore::cli
