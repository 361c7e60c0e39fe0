#pragma once
#include <string>
#include <vector>

#include "src/data/choices.h"
#include "src/score/choices.h"

namespace cortiscore {

/// Subjects' choices as one row a subject over the stimuli.
struct AlignedSubjects {
  std::vector<std::string> stimuli, subjects;
  std::vector<int64_t> stimulus, subject;  ///< of every row of the table, places among these
  SubjectChoices choices;
};
/// @param stimuli  columns, in order; empty: the table's own, sorted by id
/// @throws Error(kBadInput)  a subject saw a stimulus twice, a stimulus is none of `stimuli` or stands in two conditions
AlignedSubjects align_subjects(const ChoiceTable& table,
                               const std::vector<std::string>& stimuli = {});

/// Trials with sample_obj and dist_obj, coded by the sorted distinct choices.
struct CodedTrials {
  TwoWayTrials trials;
  std::vector<std::string> objects;
  std::vector<std::string> stimuli;
  std::vector<int64_t> truth;  ///< of each stimulus
};
/// @param stimuli  names to code by; empty: the table's own, sorted
CodedTrials two_way_trials(const ChoiceTable& table, const std::vector<std::string>& stimuli = {});

}  // namespace cortiscore
