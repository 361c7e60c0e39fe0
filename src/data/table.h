#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace cortiscore {

/// A delimited text file as every command understands it: docs/formats.md, "Tables".
struct Table {
  std::string path;
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>>
      rows;                          ///< text as it stands in the file, but for decimal commas
  std::vector<uint32_t> lines = {};  ///< the line of the file at which each row begins
  std::string encoding = {}, separator = {}, decimal = {};
  std::vector<std::string> notes = {};  ///< what was understood and might have been meant otherwise

  bool has(const std::string& column) const;
  /// @throws Error(kBadInput)  no such column
  std::vector<std::string> column(const std::string& name) const;
  /// A column in which nothing may be missing. @throws Error(kBadInput)  no such column, or an
  /// empty field, by its row
  std::vector<std::string> text(const std::string& name) const;
  /// A column of numbers, NaN where one is missing. @throws Error(kBadInput)  no such column, or a
  /// field that is no number
  std::vector<double> numbers(const std::string& name) const;
  /// "row 3 (line 4)", counted from 1, for messages. @param row  from 0
  std::string place(size_t row) const;
};

/// Whether a file is a table by its name: .csv, .tsv or .txt.
bool is_table(const std::string& path);

/// Reads a table and says on stderr (note, core/notes.h) what was not plain about it.
/// @throws Error(kBadInput)  what cannot be understood without a guess: ragged rows, a name that
///   stands twice, a column without a name, an ambiguous separator, decimal sign, header or
///   encoding
Table read_table(const std::string& path);

/// What a column holds: "number" where every field is one or is missing, else "text". Columns whose
/// names say that they hold names (stimulus_id, truth, choice, ...) are text, so that 001 keeps its
/// zeros.
std::string kind_of_column(const Table& table, size_t column);

/// A table of numbers.
struct NumberTable {
  at::Tensor values;                 ///< [rows, columns] float64, NaN where missing
  std::vector<std::string> columns;  ///< as many; "0", "1", ... where the file names none
  /// of the column stimulus_id, else image_id; empty where there is none
  std::vector<std::string> stimulus_ids;
  std::vector<std::string> notes;
};
/// @throws Error(kBadInput)  as read_table, or a column of text, or no rows
NumberTable read_number_table(const std::string& path);

/// A field of a table as RFC 4180 writes it, such that read_table gives the same text: in quotes
/// where it holds separators, quotes or newlines, or begins or ends with blanks.
std::string csv_field(const std::string& text);

/// Whether a column is called what experiments write beside responses ("onset", "Trial Number",
/// "rt_ms"), however it is spaced or capitalised: numbers that are no neuroid's and no feature's.
bool written_beside(const std::string& column);

/// The number that a field of a table holds. @param row  from 0, for the message
/// @throws Error(kBadInput)  the field is no number
double number_in(const std::string& text,
                 const std::string& path,
                 const std::string& column,
                 size_t row);

}  // namespace cortiscore
