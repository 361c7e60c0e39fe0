#pragma once
#include <string>
#include <vector>

#include "src/data/choices.h"
#include "src/score/cells.h"
#include "src/score/choices.h"

namespace cortiscore {

/// Subjects' choices as one row a subject over the stimuli.
struct AlignedSubjects {
  std::vector<std::string> stimuli, subjects;
  std::vector<int64_t> stimulus, subject;  ///< of every row of the table, places among these
  SubjectChoices choices;
};
/// @param stimuli  columns, in order; empty: the table's own, sorted by id
/// @throws Error(kBadInput)  a subject saw a stimulus twice, a stimulus is none of `stimuli` or
///                           stands in two conditions
AlignedSubjects align_subjects(const ChoiceTable& table,
                               const std::vector<std::string>& stimuli = {});

/// A column by whose values trials are told apart: the values that count, in order; all, sorted,
/// where none are named.
struct CellColumn {
  std::string column;
  std::vector<std::string> values;
};

/// The columns with their values written out, as tables have them.
/// @throws Error(kBadInput)  a table without the column, or without one of the values named
std::vector<CellColumn> with_values(std::vector<CellColumn> columns,
                                    const std::vector<const Table*>& tables);

/// The cell of every row, the last column's values running fastest; -1 where a value does not
/// count.
std::vector<int64_t> cells_of(const Table& table, const std::vector<CellColumn>& columns);
int64_t count_of(const std::vector<CellColumn>& columns);

/// A table's trials in cells. @param subjects  in order; empty: all are one observer
CellTrials trials_in(const ChoiceTable& table,
                     const std::vector<int64_t>& cell,
                     int64_t n_cells,
                     const std::vector<std::string>& stimuli,
                     const std::vector<std::string>& subjects);

/// What the platform's draws of subjects go by: the names, where all are whole numbers; else places
/// in sorted order.
std::vector<int64_t> subject_numbers(const std::vector<std::string>& subjects);

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
