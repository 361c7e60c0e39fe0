#pragma once
#include <string>
#include <vector>

#include "src/cli/metric_arguments.h"
#include "src/data/choices.h"
#include "src/metric/accuracy_delta.h"
#include "src/results/json.h"
#include "src/score/choices.h"

namespace cortiscore::cli {

/// Subjects' choices as one row a subject over the stimuli, sorted by id.
struct AlignedSubjects {
  std::vector<std::string> stimuli, subjects;
  SubjectChoices choices;
};
/// @throws Error(kBadInput)  a subject saw a stimulus twice, or a stimulus stands in two conditions
AlignedSubjects align_subjects(const ChoiceTable& table);

/// Whether a network is right on each of `stimuli`. @throws Error(kBadInput)  a stimulus that it lacks, or twice
at::Tensor right_on(const ChoiceTable& network, const std::vector<std::string>& stimuli);

/// Trials with sample_obj and dist_obj, coded by the sorted distinct choices.
struct CodedTrials {
  TwoWayTrials trials;
  std::vector<std::string> objects;
  std::vector<std::string> stimuli;
  std::vector<int64_t> truth;  ///< of each stimulus
};
/// @param stimuli  names to code by; empty: the table's own, sorted
CodedTrials two_way_trials(const ChoiceTable& table, const std::vector<std::string>& stimuli);

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
