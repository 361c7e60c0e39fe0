#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "src/given/metric.h"

namespace cortiscore {

/// A metric on choices or values: reads its data, evaluates, and may add keys and arrays of its own
/// to the result.
using Run = std::function<Evaluation(const MetricArguments&, MetricResult&)>;

/// Metrics that compare numbers rather than choices: thresholds, properties, embeddings, readouts.
std::map<std::string, Run> value_metrics();

/// `ost`: adds predicted_ost, splits x presentations.
Evaluation object_solution_times(const MetricArguments& arguments, MetricResult& more);

/// An array of any shape as a list.
std::vector<double> read_values(const Input& input);

/// @throws Error(kUsage)  it is not there: the metric takes `flag`
void require(const MetricArguments& arguments, bool there, const char* flag);

/// The mean of values, with their standard deviation (ddof 0) as error.
Evaluation of_values(std::vector<double> values, const std::string& averaged_over);

/// Metrics on arrays: mappings, rdm, cka, pearsonr.
MetricResult array_metric_on(const MetricArguments& arguments);

/// Bootstrap options from the arguments: axes are those that the evaluation has, its usual one
/// drawn by default.
/// @throws Error(kUsage)  --over names an axis that this metric lacks
ResampleOptions resample_options(const MetricArguments& arguments,
                                 const Evaluation& evaluation,
                                 int64_t usual_draws);

/// The interval of a bootstrap and what was drawn, under the keys that metric and ceiling share.
void add_interval(Json& result, const Resampled& resampled, const ResampleOptions& options);

/// Value, error, parts, interval and draws of an evaluation, under the keys that metric and ceiling
/// share.
void add_evaluation(Json& out,
                    const MetricArguments& arguments,
                    const Evaluation& evaluation,
                    const char* key,
                    const char* parts);

/// A value that is null has a warning that says why.
void give_reason(Json& result, const char* key);

}  // namespace cortiscore
