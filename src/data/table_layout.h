#pragma once
#include <optional>
#include <string>
#include <vector>

#include "src/data/delimited.h"

namespace cortiscore {

/// Which records of a file are rows, which fields are columns and what these are called.
struct TableLayout {
  Records records;
  std::string encoding;
  size_t first_row = 0;  ///< 1 where the first record holds the names
  size_t n_rows = 0;
  std::vector<std::string> columns;
  std::vector<size_t> place;         ///< of each column within a record
  std::vector<bool> decimal_commas;  ///< of each column
  std::vector<std::string> notes;

  std::string_view raw(size_t row, size_t column) const {
    return records.raw(first_row + row, place[column]);
  }
  /// Whether a column is 0, 1, 2, ... or 1, 2, 3, ... down the rows.
  bool counts_rows(size_t column) const;
  /// The column that index_of finds.
  std::optional<size_t> index_column() const;
  std::string where(size_t row) const {
    return "row " + std::to_string(row + 1) + " (" + records.where(first_row + row) + ")";
  }
};

/// @throws Error(kBadInput)  as read_table
TableLayout lay_out(const std::string& path);

/// Whether a column of this name holds names, never numbers: stimulus_id, truth, choice, subject,
/// filename, ...
bool holds_names(const std::string& column);

}  // namespace cortiscore
