#include "src/cli/table.h"

#include <algorithm>
#include <cstdio>

#include <unistd.h>

#include "src/core/terminal.h"

namespace cortiscore::cli {
namespace {

constexpr int64_t kLeast = 6;  // of a text column: three letters say nothing

// Widths that fit into so many columns: the widest text gives way first, and the last one takes
// what is left.
std::vector<int64_t> fitted(const std::vector<Column>& columns, int64_t room) {
  std::vector<int64_t> widths;
  for (const auto& column : columns) {
    widths.push_back(column.width);
    room -= column.gap + column.width;
  }
  for (; room < 0; ++room) {
    size_t widest = columns.size();
    for (size_t i = 0; i < columns.size(); ++i) {
      if (columns[i].text && widths[i] > kLeast &&
          (widest == columns.size() || widths[i] >= widths[widest]))
        widest = i;
    }
    if (widest == columns.size()) break;
    --widths[widest];
  }
  if (columns.back().text) widths.back() += std::max<int64_t>(0, room);
  return widths;
}

}  // namespace

void print_cells(const std::vector<Column>& columns, const std::vector<std::string>& cells) {
  const auto room = terminal_columns(STDOUT_FILENO);
  int64_t usual = 0, whole = 0;  // columns of any row, of this one
  for (size_t i = 0; i < cells.size(); ++i) {
    usual += columns[i].gap + columns[i].width;
    whole += columns[i].gap + std::max(columns[i].width, columns_of(cells[i]));
  }
  const bool fits = room == 0 || std::max(usual, whole) <= room;
  const auto widths = fitted(columns, fits ? std::max(usual, room) : room);
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) {
    const auto& column = columns[i];
    const auto text = column.text && !fits ? cut_to(cells[i], widths[i]) : cells[i];
    const std::string fill(static_cast<size_t>(std::max<int64_t>(0, widths[i] - columns_of(text))),
                           ' ');
    line += std::string(static_cast<size_t>(column.gap), ' ');
    const bool last = i + 1 == cells.size();
    line += column.text ? text + (last ? "" : fill) : fill + text;
  }
  std::printf("%s\n", cut_to(line, room).c_str());
}

}  // namespace cortiscore::cli
