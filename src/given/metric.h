#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "src/data/input.h"
#include "src/resample/splits.h"
#include "src/results/json.h"
#include "src/score/evaluate.h"

namespace cortiscore {

/// What a metric on given data is asked: the flags of `cortiscore metric`, by their names.
struct MetricArguments {
  std::string name;
  Input source, target, train_source, train_target, test_source, test_target;
  Input stratify, versus, trials, bins, alphas, baseline_source, baseline_target;
  std::string mode = "sklearn", products = "fp64", device = "cpu", over, interval = "percentile";
  std::string distance = "correlation", comparison = "spearman", convention = "r2_over_c";
  std::vector<std::string> variables;
  std::string whole, manipulated, axes = "0";
  int64_t components = 25, n_boot = -1, n_permutations = 0, ceiling_splits = 10;
  double alpha = 1, cutoff = -1, level = 0.95, scale = 1, accuracy = 0.75, c = 1e-3;
  bool source_rdm = false, target_rdm = false, skipna = false, cosine = false;
  std::optional<Json> splits = {};  ///< a list of {"train": [...], "test": [...]}
  std::string splits_name = "splits";
  bool predictions = false;  ///< whether they are asked for
};

/// What a metric or a ceiling gave: what `--json` prints, but for its arrays, which are
/// `per_neuroid` and, by metric, `iterations`, `alpha`, `predictions`, `probabilities`,
/// `predicted_ost`, `dimensions`.
struct MetricResult {
  Json json;
  std::map<std::string, at::Tensor> arrays;
};

/// A metric by its name on given data.
/// @throws Error(kUnknownName, kUsage, kBadInput)
MetricResult metric_on(const MetricArguments& arguments);

/// Metrics on choices and properties; those on arrays are array_metric_names().
std::vector<std::string> behavior_metric_names();

/// Refuses what a metric does not read, and what would change nothing in silence.
/// @param flags  those that were given, "--alpha"
/// @throws Error(kUsage)  naming the metrics that read it
void refuse_unread(const std::string& metric, const std::vector<std::string>& flags);

}  // namespace cortiscore
