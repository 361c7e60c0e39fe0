#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "cortiscore/score.h"
#include "src/metric/predictivity.h"
#include "src/metric/rdm.h"
#include "src/score/interval.h"

namespace cortiscore {

/// What a metric by name needs beside the arrays.
struct MetricInputs {
  /// [n, features]; spantime: [n, features, bins]; RDMs: [n, n] or [subjects, n, n]
  at::Tensor source;
  at::Tensor target;  ///< [n, neuroids]; spantime: [n, neuroids, bins]; RDMs as above
  Splits splits;      ///< for metrics that map or take subsets
  MappingOptions mapping;
  bool source_is_rdm = false;
  bool target_is_rdm = false;
  RdmDistance distance = RdmDistance::kCorrelation;
  RdmComparison comparison = RdmComparison::kSpearman;
};

/// A metric on arrays: its value, what that was averaged from, and how to resample it.
struct Evaluation {
  Estimate estimate;
  Predictivity fit;              ///< of a mapping
  std::map<Axis, int64_t> axes;  ///< what can be drawn, with sizes
  Axis usual = Axis::kNeuroid;   ///< what is drawn unless asked otherwise
  Statistic draws;
  /// of `estimate.per_neuroid`'s columns: "neuroid", "subject", "presentation subset"
  std::string averaged_over;
  std::vector<std::string> warnings;
  std::vector<double> per_time_bin;  ///< spantime: median over neuroids, mean over splits, a bin
};

/// How a name is put together: [reverse_|scaled_|spantime_] mapping [_cv|_split], or a similarity
/// [_cv]. dual_ridge and dual_ridgecv are ridge and ridgecv (the form is chosen by the shape).
struct MetricName {
  std::string base;    ///< of an ArrayMetric
  std::string prefix;  ///< reverse, scaled, spantime or empty
  bool cv = false;     ///< rdm_cv, cka_cv: over ten subsets of 90 %
  bool split = false;  ///< fixed train and test presentations
  bool maps = true;    ///< a mapping; else a similarity
};

/// A metric on arrays by its base name.
struct ArrayMetric {
  std::string base;
  bool mapping;
  bool cv;  ///< a similarity that has a variant over subsets, _cv
  std::vector<std::string>
      flags;              ///< of the command line, beside those that all metrics on arrays read
  std::string undefined;  ///< a similarity: of what there is no value
  /// @param order  an order of the target's presentations, for a permutation null
  Evaluation (*evaluate)(const MetricName& name,
                         const MetricInputs& inputs,
                         const std::optional<at::Tensor>& order);
};
/// The list of them: a new metric is a row here. What maps is named by mapping_kinds() as well.
const std::vector<ArrayMetric>& array_metrics();
/// @throws Error(kUnknownName)
const ArrayMetric& array_metric(const std::string& base);

/// @throws Error(kUnknownName)  with the nearest names
MetricName metric_name(const std::string& name);
std::vector<std::string> array_metric_names();

/// What an evaluation leaves out, with counts, names and reasons; of a value that is none, at least
/// one reason.
std::vector<std::string> warnings_of(const MetricName& name, const Evaluation& evaluation);

/// Runs a metric. @param order  an order of the target's presentations, for a permutation null
/// @throws Error(kBadInput)  arrays that do not fit together
Evaluation evaluate(const MetricName& name,
                    const MetricInputs& inputs,
                    const std::optional<at::Tensor>& order = std::nullopt);

}  // namespace cortiscore
