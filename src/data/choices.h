#pragma once
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "src/data/input.h"
#include "src/data/table.h"

namespace cortiscore {

/// Choices of observers, one row a trial: a behavioural assembly of BrainIO (.nc), or a CSV with
/// stimulus_id, truth, choice and, optionally, subject, condition, sample_obj, dist_obj and further
/// variables. Or a network's probabilities: stimulus_id, truth and one column a choice.
struct ChoiceTable {
  Table table;
  std::vector<std::string> stimulus_id, truth, choice;  ///< choice is empty for probabilities
  std::vector<std::string> subject, condition;          ///< "" where the column is absent
  std::vector<std::string> classes;                     ///< probabilities: the columns, sorted
  at::Tensor probabilities;                             ///< [rows, classes] float64

  bool holds_probabilities() const { return choice.empty(); }
  /// The choices, or the most probable class of each row (the first of equals).
  std::vector<std::string> chosen() const;
  /// A column of numbers. @throws Error(kBadInput)  no such column, or a field that is no number
  std::vector<double> numbers(const std::string& column) const;
};

/// Values of a column; numbers count by what they are, "0.0" as "0".
using ColumnValues = std::vector<std::pair<std::string, std::vector<std::string>>>;

/// The rows of a file of choices, or of a table of them, as they are.
/// @throws Error(kBadInput)  of a table: a stimulus, truth, choice or subject that is missing
Table read_choice_rows(const Input& input);

/// What the rows of a file say. @param exclude  rows that have one of these values are left out; a
/// column that is not there excludes nothing
/// @throws Error(kBadInput)  a missing column, no rows, a probability that is no number or negative
ChoiceTable choices_of(Table rows, const ColumnValues& exclude = {});
ChoiceTable read_choices(const Input& input);

/// Whether two fields say the same: "0.0" is "0".
bool same_value(const std::string& a, const std::string& b);

/// Codes of values among `known`. @throws Error(kBadInput)  naming path, column and the value that
/// is not there
std::vector<int64_t> codes_among(const std::vector<std::string>& values,
                                 const std::vector<std::string>& known,
                                 const std::string& path,
                                 const std::string& column);

/// @throws Error(kBadInput)  a stimulus with two truths, in one table or in two
void check_truths(const std::vector<const ChoiceTable*>& tables);

/// The distinct values, sorted.
std::vector<std::string> distinct(const std::vector<std::string>& values);

}  // namespace cortiscore
