#pragma once
#include <string>
#include <vector>

#include "src/cli/metric_arguments.h"
#include "src/data/choices.h"
#include "src/metric/accuracy_delta.h"
#include "src/results/json.h"
#include "src/score/choices.h"

namespace cortiscore::cli {

/// Whether a network is right on each of `stimuli`. @throws Error(kBadInput)  a stimulus that it lacks, or twice
at::Tensor right_on(const ChoiceTable& network, const std::vector<std::string>& stimuli);

/// A model's loss of accuracy from the condition `whole` to `manipulated`, categories averaged.
double model_delta_of(const ChoiceTable& table,
                      const std::string& whole,
                      const std::string& manipulated);

/// Every subject's loss, and its number: the column's where it holds whole numbers, else the place in sorted order.
std::vector<SubjectDelta> subject_deltas_of(const ChoiceTable& table,
                                            const std::string& whole,
                                            const std::string& manipulated);

/// Value, error, parts, interval and draws of an evaluation, under the keys that metric and ceiling share.
void add_evaluation(Json& out,
                    const MetricArguments& arguments,
                    const Evaluation& evaluation,
                    const char* key,
                    const char* parts);

}  // namespace cortiscore::cli
