#include "src/data/table.h"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cmath>
#include <cstring>
#include <set>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/core/notes.h"
#include "src/core/parallel.h"
#include "src/data/number_text.h"
#include "src/data/table_layout.h"

namespace cortiscore {
namespace {

constexpr const char* kNumber = "a number";

std::string advice(const std::string& text) {
  return text.find(',') == std::string::npos ? "" : "Decimals are written with a point";
}

void say(const std::string& path, const std::vector<std::string>& notes) {
  for (const auto& text : notes) note(path, text);
}

// Text with the one comma of a decimal number as a point.
std::string with_point(std::string text) {
  std::replace(text.begin(), text.end(), ',', '.');
  return text;
}

// numpy.savetxt writes whole numbers as 1.120000000000000000e+02: an id that is 112.
void write_whole(std::vector<std::string>& ids, std::vector<std::string>& notes) {
  constexpr double kLargest = 9007199254740992;  // 2^53
  std::vector<std::string> whole;
  for (const auto& id : ids) {
    double value = 0;
    if (id.find_first_of("eE") == std::string::npos || !parse_number(id, value) ||
        std::nearbyint(value) != value || std::abs(value) > kLargest)
      return;
    whole.push_back(std::to_string(static_cast<int64_t>(value)));
  }
  if (ids.empty()) return;
  notes.push_back("ids are whole numbers with exponents: " + shown(ids[0]) + " is read as " +
                  whole[0]);
  ids = std::move(whole);
}

}  // namespace

bool is_table(const std::string& path) {
  return path.ends_with(".csv") || path.ends_with(".tsv") || path.ends_with(".txt");
}

std::string csv_field(const std::string& text) {
  constexpr const char* kBlanks = " \t";
  const bool plain = text.find_first_of(",;\t\"\n\r") == std::string::npos &&
                     (text.empty() || (text.find_first_not_of(kBlanks) == 0 &&
                                       text.find_last_not_of(kBlanks) == text.size() - 1));
  if (plain) return text;
  std::string quoted = "\"";
  for (const auto c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

bool Table::has(const std::string& name) const {
  return std::find(columns.begin(), columns.end(), name) != columns.end();
}

std::string Table::place(size_t row) const {
  return "row " + std::to_string(row + 1) +
         (lines.size() == rows.size() && row < lines.size()
              ? " (line " + std::to_string(lines[row]) + ")"
              : "");
}

std::vector<std::string> Table::column(const std::string& name) const {
  const auto found = std::find(columns.begin(), columns.end(), name);
  if (found == columns.end()) {
    std::string there;
    for (size_t i = 0; i < columns.size(); ++i) {
      if (i == 20) {
        there += ", ... (" + std::to_string(columns.size()) + " in all)";
        break;
      }
      const auto quoted = shown(columns[i]);
      there += (i ? ", " : "") + quoted.substr(1, quoted.size() - 2);
    }
    throw bad_input({path, "column \"" + name + "\"", "none (there are: " + there + ")",
                     "one value a row", ""});
  }
  std::vector<std::string> values;
  values.reserve(rows.size());
  for (const auto& row : rows) values.push_back(row[static_cast<size_t>(found - columns.begin())]);
  return values;
}

std::vector<std::string> Table::text(const std::string& name) const {
  auto values = column(name);
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i].empty())
      throw bad_input({path, place(i) + ", column " + name, "nothing", "text in every row",
                       "Fill it in, or delete the row"});
  }
  return values;
}

std::vector<double> Table::numbers(const std::string& name) const {
  const auto fields = column(name);
  std::vector<double> values(fields.size());
  for (size_t i = 0; i < fields.size(); ++i) {
    if (!parse_number(fields[i], values[i]))
      throw bad_input(
          {path, place(i) + ", column " + name, shown(fields[i]), kNumber, advice(fields[i])});
  }
  return values;
}

double number_in(const std::string& text,
                 const std::string& path,
                 const std::string& column,
                 size_t row) {
  double value = 0;
  if (is_missing(text) || !parse_number(text, value)) {
    throw bad_input({path, "column " + column + ", row " + std::to_string(row + 1), shown(text),
                     kNumber, advice(text)});
  }
  return value;
}

std::string kind_of_column(const Table& table, size_t column) {
  if (holds_names(table.columns[column])) return "text";
  bool any = false;
  for (const auto& row : table.rows) {
    const auto spelling = spelling_of(row[column], false);
    if (spelling == Spelling::kText) return "text";
    any = any || spelling != Spelling::kMissing;
  }
  return any ? "number" : "text";
}

Table read_table(const std::string& path) {
  const auto layout = lay_out(path);
  Table table{path, layout.columns, {}};
  table.encoding = layout.encoding;
  table.separator = separator_name(layout.records.separator);
  table.notes = layout.notes;
  const auto n_columns = table.columns.size();
  table.rows.resize(layout.n_rows);
  table.lines.resize(layout.n_rows);
  for (size_t r = 0; r < layout.n_rows; ++r) {
    const auto record = layout.first_row + r;
    table.lines[r] = layout.records.line[record];
    table.rows[r].reserve(n_columns);
    for (size_t c = 0; c < n_columns; ++c) {
      auto value = layout.records.value(record, layout.place[c]);
      table.rows[r].push_back(layout.decimal_commas[c] ? with_point(std::move(value))
                                                       : std::move(value));
    }
  }
  for (size_t c = 0; c < n_columns; ++c) {
    if (table.columns[c] != "stimulus_id" && table.columns[c] != "image_id") continue;
    auto ids = table.column(table.columns[c]);
    write_whole(ids, table.notes);
    for (size_t r = 0; r < ids.size(); ++r) table.rows[r][c] = std::move(ids[r]);
  }
  const bool commas = std::find(layout.decimal_commas.begin(), layout.decimal_commas.end(), true) !=
                      layout.decimal_commas.end();
  table.decimal = commas ? "comma" : "point";
  say(path, table.notes);
  return table;
}

bool written_beside(const std::string& column) {
  // BIDS' own of *_events.tsv and their like, as letters and digits alone.
  static const std::set<std::string> kNames = {
      "onset", "offset", "start", "stop", "end", "duration", "time", "timestamp", "trial",
      "trialnumber", "trialindex", "trialnr", "trialid", "trialtype", "block", "run", "session",
      "sample", "index", "idx", "row", "id", "subject", "subjectid", "participant", "participantid",
      "age", "date", "seed", "rt", "reactiontime", "responsetime", "accuracy", "correct",
      "position", "positionx", "positiony", "frame", "scan", "tr", "imagenumber", "stimulusnumber",
      "neuroid", "neuroidid", "repetition", "animal", "monkey", "category", "label", "class",
      "objectname", "split", "fold", "rep", "condition", "timebin",
      // What names stimuli under another name than stimulus_id or image_id.
      "stimulus", "stim", "stimid", "stimulusname", "image", "img", "imgid", "imagename", "picture",
      "pictureid", "filename", "imagefilename", "stimulusid", "imageid"};
  std::string name;
  for (const char c : column) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || byte > 127) name += static_cast<char>(std::tolower(byte));
  }
  if (kNames.contains(name)) return true;
  // With a unit behind, or as a plural.
  for (const std::string unit : {"ms", "sec", "seconds", "us", "s"}) {
    if (name.ends_with(unit) && kNames.contains(name.substr(0, name.size() - unit.size())))
      return true;
  }
  return false;
}

NumberTable read_number_table(const std::string& path) {
  const auto layout = lay_out(path);
  NumberTable table;
  table.notes = layout.notes;
  const auto& names = layout.columns;
  auto ids = std::find(names.begin(), names.end(), "stimulus_id");
  if (ids == names.end()) ids = std::find(names.begin(), names.end(), "image_id");
  std::vector<size_t> taken;
  const auto index = layout.index_column();
  for (size_t c = 0; c < names.size(); ++c) {
    if (names.begin() + static_cast<std::ptrdiff_t>(c) == ids) continue;
    if (index == c && layout.first_row) {
      if (names.size() == (ids == names.end() ? 1U : 2U)) {
        throw bad_input({path, "column " + shown(names[c]),
                         "the numbers of rows and no other column",
                         "a column of numbers that do not just count",
                         "Write the column that holds the numbers"});
      }
      table.notes.push_back("column " + shown(names[c]) +
                            " numbers the rows: it is left out (to keep it, write it behind "
                            "another column)");
      continue;
    }
    if ((names[c] == "index" || names[c] == "level_0") && names.size() > 1 &&
        layout.counts_rows(c)) {
      table.notes.push_back("column " + shown(names[c]) + " numbers the rows: it is left out");
      continue;
    }
    taken.push_back(c);
  }
  const auto n = static_cast<int64_t>(layout.n_rows);
  const auto m = static_cast<int64_t>(taken.size());
  if (n == 0 || m == 0)
    throw bad_input({path, "", n ? "no column of numbers" : "no rows", "a table of numbers", ""});
  for (const auto c : taken) table.columns.push_back(names[c]);
  table.values = at::empty({n, m}, at::kDouble);
  auto* const values = table.values.mutable_data_ptr<double>();
  std::atomic<int64_t> wrong{n * m};  // the first field that is no number
  parallel_for(n, [&](int64_t r) {
    for (int64_t k = 0; k < m; ++k) {
      const auto c = taken[static_cast<size_t>(k)];
      const auto text = layout.raw(static_cast<size_t>(r), c);
      if (parse_number(text, values[r * m + k], layout.decimal_commas[c])) continue;
      auto first = wrong.load();
      while (r * m + k < first && !wrong.compare_exchange_weak(first, r * m + k)) {
      }
      return;
    }
  });
  if (wrong < n * m) {
    const auto r = static_cast<size_t>(wrong / m);
    const auto c = taken[static_cast<size_t>(wrong % m)];
    const auto text = std::string(layout.raw(r, c));
    throw bad_input({path,
                     layout.where(r) + ", column " + std::to_string(layout.place[c] + 1) + ", " +
                         shown(names[c]),
                     shown(text), kNumber, advice(text)});
  }
  if (ids != names.end()) {
    const auto c = static_cast<size_t>(ids - names.begin());
    for (size_t r = 0; r < layout.n_rows; ++r) {
      table.stimulus_ids.push_back(layout.records.value(layout.first_row + r, layout.place[c]));
      if (table.stimulus_ids.back().empty())
        throw bad_input({path, layout.where(r) + ", column " + *ids, "nothing",
                         "the stimulus of every row", ""});
    }
    write_whole(table.stimulus_ids, table.notes);
  }
  say(path, table.notes);
  return table;
}

}  // namespace cortiscore
