#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace cortiscore::cli {

struct Column {
  int64_t gap;    ///< spaces before it
  int64_t width;  ///< that it is filled up to
  /// At the left, and shortened where a terminal is too narrow; numbers are at the right, whole.
  bool text = false;
};

/// One line on stdout. On a terminal it fits the width that the terminal has now: the widest text
/// columns give way first, by the same in every row. Elsewhere every cell is whole.
void print_cells(const std::vector<Column>& columns, const std::vector<std::string>& cells);

}  // namespace cortiscore::cli
