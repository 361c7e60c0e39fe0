#include "src/data/table.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/data/arrays.h"

namespace cortiscore {
namespace {

std::vector<std::vector<std::string>> parse_csv(const std::string& text, const std::string& path) {
  const char separator = path.ends_with(".tsv") ? '\t' : ',';
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> row;
  std::string field;
  bool quoted = false;
  bool any = false;
  const auto end_row = [&] {
    row.push_back(std::move(field));
    field.clear();
    if (any || row.size() > 1) rows.push_back(std::move(row));
    row.clear();
    any = false;
  };
  size_t i = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c != '"') {
        field += c;
      } else if (i + 1 < text.size() && text[i + 1] == '"') {
        field += text[++i];
      } else {
        quoted = false;
      }
    } else if (c == '"') {
      quoted = any = true;
    } else if (c == separator) {
      row.push_back(std::move(field));
      field.clear();
      any = true;
    } else if (c == '\n') {
      end_row();
    } else if (c != '\r') {
      field += c;
      any = true;
    }
  }
  if (quoted) {
    throw bad_input({path, "row " + std::to_string(rows.size() + 1),
                     "a quoted field that never ends", "a closing quote",
                     "The file may be truncated"});
  }
  if (any) end_row();
  return rows;
}

bool parse_number(const std::string& text, double& value) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == std::string::npos) return false;
  if (text == "nan" || text == "NaN" || text == "NA") {
    value = std::numeric_limits<double>::quiet_NaN();
    return true;
  }
  const auto end = text.find_last_not_of(" \t") + 1;
  const auto [next, status] = std::from_chars(text.data() + begin, text.data() + end, value);
  return status == std::errc() && next == text.data() + end;
}

}  // namespace

at::Tensor read_csv_matrix(const std::string& path) {
  auto rows = parse_csv(read_file(path), path);
  double ignored = 0;
  if (!rows.empty() && !parse_number(rows[0][0], ignored)) rows.erase(rows.begin());
  if (rows.empty()) throw bad_input({path, "", "no rows", "a matrix of numbers", ""});
  const auto n = static_cast<int64_t>(rows.size());
  const auto m = static_cast<int64_t>(rows[0].size());
  auto out = at::empty({n, m}, at::kDouble);
  auto values = out.accessor<double, 2>();
  for (int64_t i = 0; i < n; ++i) {
    const auto& row = rows[static_cast<size_t>(i)];
    if (static_cast<int64_t>(row.size()) != m) {
      throw bad_input({path, "data row " + std::to_string(i + 1),
                       std::to_string(row.size()) + " fields",
                       std::to_string(m) + " as in the first", ""});
    }
    for (int64_t j = 0; j < m; ++j) {
      if (!parse_number(row[static_cast<size_t>(j)], values[i][j])) {
        throw bad_input({path,
                         "data row " + std::to_string(i + 1) + ", column " + std::to_string(j + 1),
                         "\"" + row[static_cast<size_t>(j)] + "\"", "a number", ""});
      }
    }
  }
  return out;
}

double number_in(const std::string& text,
                 const std::string& path,
                 const std::string& column,
                 size_t row) {
  double value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc() || end != text.data() + text.size()) {
    throw bad_input({path, "column " + column + ", row " + std::to_string(row + 1),
                     "\"" + text + "\"", "a number", ""});
  }
  return value;
}

bool Table::has(const std::string& name) const {
  return std::find(columns.begin(), columns.end(), name) != columns.end();
}

std::vector<std::string> Table::column(const std::string& name) const {
  const auto found = std::find(columns.begin(), columns.end(), name);
  if (found == columns.end()) {
    std::string there;
    for (const auto& c : columns) there += (there.empty() ? "" : ", ") + c;
    throw bad_input({path, "column \"" + name + "\"", "none (there are: " + there + ")",
                     "one value a row", ""});
  }
  std::vector<std::string> values;
  for (const auto& row : rows) values.push_back(row[static_cast<size_t>(found - columns.begin())]);
  return values;
}

Table read_csv(const std::string& path) {
  auto rows = parse_csv(read_file(path), path);
  if (rows.empty()) throw bad_input({path, "", "no header line", "a line of column names", ""});
  Table table;
  table.path = path;
  table.columns = std::move(rows.front());
  rows.erase(rows.begin());
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].size() != table.columns.size()) {
      throw bad_input({path, "data row " + std::to_string(i + 1),
                       std::to_string(rows[i].size()) + " fields",
                       std::to_string(table.columns.size()) + " as in the header", ""});
    }
  }
  table.rows = std::move(rows);
  return table;
}

}  // namespace cortiscore
