#pragma once
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace cortiscore {

/// A CSV file (.tsv: separated by tabs) with a header line: quoted fields as in RFC 4180.
struct Table {
  std::string path;
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;

  bool has(const std::string& column) const;
  /// @throws Error(kBadInput)  no such column
  std::vector<std::string> column(const std::string& name) const;
};
Table read_csv(const std::string& path);

/// The number that a field of a table holds. @param row  from 0, for the message
/// @throws Error(kBadInput)  the field is no number
double number_in(const std::string& text,
                 const std::string& path,
                 const std::string& column,
                 size_t row);

/// The numbers of a CSV file, with or without a header line. @return [rows, columns] float64
/// @throws Error(kBadInput)  ragged rows, or a field that is no number
at::Tensor read_csv_matrix(const std::string& path);

}  // namespace cortiscore
