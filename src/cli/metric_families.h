#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "src/cli/metric_arguments.h"
#include "src/results/json.h"
#include "src/score/evaluate.h"

namespace cortiscore::cli {

/// A metric on choices or values: reads its files, evaluates, and may add keys of its own to the
/// result.
using Run = std::function<Evaluation(const MetricArguments&, Json&)>;

/// Metrics that compare numbers rather than choices: thresholds, properties, embeddings, readouts.
std::map<std::string, Run> value_metrics();

/// `ost`: adds predicted_ost, splits x presentations.
Evaluation object_solution_times(const MetricArguments& arguments, Json& more);

/// An array of any shape as a list.
std::vector<double> read_values(const std::string& path);

/// @throws Error(kUsage)  `value` is empty: the metric takes `flag`
void require(const MetricArguments& arguments, const std::string& value, const char* flag);

/// The mean of values, with their standard deviation (ddof 0) as error.
Evaluation of_values(std::vector<double> values, const std::string& averaged_over);

}  // namespace cortiscore::cli
