#include "src/data/choices.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/core/notes.h"
#include "src/data/netcdf.h"
#include "src/data/number_text.h"

namespace cortiscore {

std::vector<std::string> distinct(const std::vector<std::string>& values) {
  const std::set<std::string> all(values.begin(), values.end());
  return {all.begin(), all.end()};
}

std::vector<double> ChoiceTable::numbers(const std::string& column) const {
  auto out = table.numbers(column);
  for (size_t i = 0; i < out.size(); ++i) {
    if (std::isnan(out[i]))
      throw bad_input({table.path, table.place(i) + ", column " + column, "no number",
                       "a number in every row", "Fill it in, or delete the row"});
  }
  return out;
}

std::vector<std::string> ChoiceTable::chosen() const {
  if (!holds_probabilities()) return choice;
  std::vector<std::string> out;
  const auto best = probabilities.argmax(1).contiguous();
  for (int64_t i = 0; i < best.numel(); ++i)
    out.push_back(classes[static_cast<size_t>(best.const_data_ptr<int64_t>()[i])]);
  return out;
}

bool same_value(const std::string& a, const std::string& b) {
  if (a == b) return true;
  const auto number = [](const std::string& text) -> std::optional<double> {
    double value = 0;
    const auto* const end = text.data() + text.size();
    const auto [stop, status] = std::from_chars(text.data(), end, value);
    if (status != std::errc() || stop != end) return std::nullopt;
    return value;
  };
  const auto x = number(a);
  return x && x == number(b);
}

namespace {

void leave_out(Table& table, const ColumnValues& exclude) {
  for (const auto& [name, values] : exclude) {
    const auto column = std::find(table.columns.begin(), table.columns.end(), name);
    if (column == table.columns.end()) continue;
    const auto place = static_cast<size_t>(column - table.columns.begin());
    size_t kept = 0;
    for (size_t r = 0; r < table.rows.size(); ++r) {
      const auto& field = table.rows[r][place];
      if (std::any_of(values.begin(), values.end(),
                      [&](const auto& value) { return same_value(field, value); }))
        continue;
      if (!table.lines.empty()) table.lines[kept] = table.lines[r];
      if (kept != r) table.rows[kept] = std::move(table.rows[r]);
      ++kept;
    }
    table.rows.resize(kept);
    if (!table.lines.empty()) table.lines.resize(kept);
  }
}

// 0, 1, 2, ...: an index that reset_index made a column.
bool counts_rows(const std::vector<std::string>& values) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] != std::to_string(i)) return false;
  }
  return true;
}

}  // namespace

Table read_choice_rows(const Input& input) {
  if (input.is_file() && input.name().ends_with(".nc")) return read_presentations(input.name());
  auto table = table_of(input);
  if (input.is_file()) return table;
  for (const auto* name : {"stimulus_id", "truth", "choice", "subject"})
    if (table.has(name)) static_cast<void>(table.text(name));
  return table;
}

ChoiceTable read_choices(const Input& input) {
  const auto& path = input.name();
  auto table = choices_of(read_choice_rows(input));
  if (table.table.lines.empty() && input.is_file()) return table;
  // Whether NA is an answer or none cannot be told: it counts as the name of one, and is said.
  const auto say = [&](const char* name, const std::vector<std::string>& values) {
    std::map<std::string, int64_t> words;
    for (const auto& value : values) {
      if (!value.empty() && is_missing(value)) ++words[value];
    }
    for (const auto& [word, n] : words) {
      note(path, "column " + std::string(name) + ": " + std::to_string(n) + " row(s) say " +
                     shown(word) + ", which is taken as a name like any other");
    }
  };
  say("stimulus_id", table.stimulus_id);
  say("truth", table.truth);
  say("choice", table.choice);
  // A spelling of its own ("Dog" where the truth is "dog") is never right, and looks like a poor
  // observer.
  const std::set<std::string> truths(table.truth.begin(), table.truth.end());
  std::map<std::string, int64_t> others;
  for (const auto& choice : table.choice) {
    if (!choice.empty() && !truths.contains(choice)) ++others[choice];
  }
  int64_t n = 0;
  for (const auto& [choice, times] : others) n += times;
  if (n > 0) {
    note(path, "column choice: " + std::to_string(n) + " of " +
                   std::to_string(table.choice.size()) + " row(s) are the truth of no row, and " +
                   "never right, such as " + shown(others.begin()->first));
  }
  return table;
}

ChoiceTable choices_of(Table rows, const ColumnValues& exclude) {
  ChoiceTable out;
  out.table = std::move(rows);
  const auto& table = out.table;
  const auto& path = table.path;
  leave_out(out.table, exclude);
  if (table.rows.empty()) throw bad_input({path, "rows", "none", "one a trial", ""});
  // Of a file of text; in an assembly, nothing may be a choice.
  const auto named = [&](const std::string& name) {
    return table.lines.empty() ? table.column(name) : table.text(name);
  };
  out.stimulus_id = named("stimulus_id");
  // In a two-way choice the truth is the sample.
  out.truth = named(table.has("truth") || !table.has("sample_obj") ? "truth" : "sample_obj");
  const auto optional = [&](const char* name) {
    return table.has(name) ? table.column(name) : std::vector<std::string>(table.rows.size());
  };
  // pandas writes whole numbers as 1.0 once a column has held a missing value.
  const auto whole = [&](std::vector<std::string>& values, const char* name) {
    int64_t n = 0;
    for (auto& value : values) {
      const auto point = value.find('.');
      const auto first = value.starts_with('-') ? 1 : 0;
      if (point == std::string::npos || point <= static_cast<size_t>(first) ||
          value.find_first_not_of("0123456789", static_cast<size_t>(first)) != point ||
          point + 1 == value.size() || value.find_first_not_of('0', point + 1) != std::string::npos)
        continue;
      value.resize(point);
      ++n;
    }
    if (n > 0 && !table.lines.empty())
      note(path, "column " + std::string(name) + ": " + std::to_string(n) +
                     " row(s) of whole numbers are written as 1.0 and count as 1");
  };
  whole(out.truth, "truth");
  out.subject = table.has("subject") ? named("subject") : optional("subject");
  out.condition = optional("condition");
  if (table.has("choice")) {
    out.choice = named("choice");
    whole(out.choice, "choice");
    return out;
  }
  for (const auto& column : table.columns) {
    if (column == "stimulus_id" || column == "truth" || column == "subject" ||
        column == "condition")
      continue;
    if ((column == "index" || column == "level_0") && counts_rows(table.column(column))) {
      note(path, "column " + shown(column) + " numbers the rows: it is left out");
      continue;
    }
    out.classes.push_back(column);
  }
  std::sort(out.classes.begin(), out.classes.end());
  if (out.classes.size() < 2) {
    throw bad_input({path, "columns", "no choice, and fewer than two columns of probabilities",
                     "stimulus_id, truth and choice, or stimulus_id, truth and one column a choice",
                     ""});
  }
  out.probabilities =
      at::empty({static_cast<int64_t>(table.rows.size()), static_cast<int64_t>(out.classes.size())},
                at::kDouble);
  const std::set<std::string> truths(out.truth.begin(), out.truth.end());
  for (size_t c = 0; c < out.classes.size(); ++c) {
    const auto values = out.numbers(out.classes[c]);
    for (size_t r = 0; r < values.size(); ++r) {
      if (!(values[r] >= 0)) {
        throw bad_input({path, table.place(r) + ", column " + out.classes[c],
                         std::to_string(values[r]), "a probability, 0 or more", ""});
      }
      if (values[r] > 1 && !truths.contains(out.classes[c])) {
        throw bad_input({path, table.place(r) + ", column " + shown(out.classes[c]),
                         std::to_string(values[r]) + ", and no row of that truth",
                         "a column of probabilities a class",
                         "Leave columns out that are no classes"});
      }
      out.probabilities.mutable_data_ptr<double>()[r * out.classes.size() + c] = values[r];
    }
  }
  return out;
}

void check_truths(const std::vector<const ChoiceTable*>& tables) {
  struct Said {
    std::string truth;
    const ChoiceTable* by;
  };
  std::map<std::string, Said> first;
  int64_t n = 0, total = 0;
  std::string example, path;
  for (const auto* table : tables) {
    for (size_t i = 0; i < table->truth.size(); ++i, ++total) {
      const auto& id = table->stimulus_id[i];
      const auto& said = first.try_emplace(id, Said{table->truth[i], table}).first->second;
      if (same_value(said.truth, table->truth[i]) || n++ > 0) continue;
      path = table->table.path;
      example = "stimulus " + shown(id) + " is " + shown(table->truth[i]) + " here and " +
                shown(said.truth) +
                (said.by == table ? " in another row" : " in " + said.by->table.path);
    }
  }
  if (n == 0) return;
  throw bad_input({path, "column truth",
                   "another truth of its stimulus in " + std::to_string(n) + " of " +
                       std::to_string(total) + " row(s): " + example,
                   "one truth a stimulus", "Spell truths alike in every row"});
}

std::vector<int64_t> codes_among(const std::vector<std::string>& values,
                                 const std::vector<std::string>& known,
                                 const std::string& path,
                                 const std::string& column) {
  std::map<std::string, int64_t> code;
  for (size_t i = 0; i < known.size(); ++i) code[known[i]] = static_cast<int64_t>(i);
  std::vector<int64_t> codes;
  for (const auto& value : values) {
    const auto found = code.find(value);
    if (found == code.end()) {
      std::string some;
      for (size_t i = 0; i < std::min<size_t>(known.size(), 5); ++i)
        some += (i ? ", " : "") + known[i];
      throw bad_input({path, "column " + column, "\"" + value + "\"",
                       "one of the " + std::to_string(known.size()) + " that the other file has (" +
                           some + (known.size() > 5 ? ", ..." : "") + ")",
                       "Both files must use the same names"});
    }
    codes.push_back(found->second);
  }
  return codes;
}

}  // namespace cortiscore
