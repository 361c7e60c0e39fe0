#include "src/benchmark/coded_choices.h"

#include <algorithm>
#include <charconv>
#include <map>

#include <ATen/ATen.h>

#include "cortiscore/error.h"

namespace cortiscore {

AlignedSubjects align_subjects(const ChoiceTable& table, const std::vector<std::string>& stimuli) {
  AlignedSubjects out;
  out.stimuli = stimuli.empty() ? distinct(table.stimulus_id) : stimuli;
  out.subjects = distinct(table.subject);
  const auto conditions = distinct(table.condition);
  const auto& stimulus = out.stimulus =
      codes_among(table.stimulus_id, out.stimuli, table.table.path, "stimulus_id");
  const auto& subject = out.subject = codes_among(table.subject, out.subjects, "", "");
  const auto condition = codes_among(table.condition, conditions, "", "");
  const auto n = static_cast<int64_t>(out.stimuli.size());
  const auto s = static_cast<int64_t>(out.subjects.size());
  out.choices = {at::zeros({s, n}, at::kBool),
                 at::zeros({s, n}, at::kBool),
                 at::full({n}, -1, at::kLong),
                 static_cast<int64_t>(conditions.size()),
                 out.subjects,
                 conditions};
  auto* const correct = out.choices.correct.mutable_data_ptr<bool>();
  auto* const there = out.choices.there.mutable_data_ptr<bool>();
  auto* const in = out.choices.condition.mutable_data_ptr<int64_t>();
  const auto chosen = table.chosen();
  for (size_t i = 0; i < chosen.size(); ++i) {
    const int64_t place = subject[i] * n + stimulus[i];
    if (there[place]) {
      throw bad_input({table.table.path, "row " + std::to_string(i + 1),
                       "stimulus " + table.stimulus_id[i] + " a second time by subject \"" +
                           table.subject[i] + "\"",
                       "each stimulus once a subject",
                       "Number repeated showings as stimuli of their own"});
    }
    if (in[stimulus[i]] >= 0 && in[stimulus[i]] != condition[i]) {
      throw bad_input({table.table.path, "row " + std::to_string(i + 1),
                       "stimulus " + table.stimulus_id[i] + " in a second condition, \"" +
                           table.condition[i] + "\"",
                       "one condition a stimulus", ""});
    }
    there[place] = true;
    correct[place] = chosen[i] == table.truth[i];
    in[stimulus[i]] = condition[i];
  }
  return out;
}

std::vector<CellColumn> with_values(std::vector<CellColumn> columns,
                                    const std::vector<const Table*>& tables) {
  for (auto& [name, values] : columns) {
    std::vector<std::string> all;
    for (const auto* table : tables) {
      const auto found = distinct(table->column(name));
      for (const auto& value : values) {
        if (std::none_of(found.begin(), found.end(),
                         [&](const auto& one) { return same_value(one, value); })) {
          throw bad_input({table->path, "column " + name, "no \"" + value + "\"",
                           "trials of every value that is compared", ""});
        }
      }
      all.insert(all.end(), found.begin(), found.end());
    }
    if (values.empty()) values = distinct(all);
  }
  return columns;
}

std::vector<int64_t> cells_of(const Table& table, const std::vector<CellColumn>& columns) {
  std::vector<int64_t> cells(table.rows.size(), 0);
  for (const auto& [name, values] : columns) {
    const auto column = table.column(name);
    std::map<std::string, int64_t> place;  // -1: a value that does not count
    for (const auto& text : distinct(column)) {
      const auto found = std::find_if(values.begin(), values.end(),
                                      [&](const auto& value) { return same_value(value, text); });
      place[text] = found == values.end() ? -1 : found - values.begin();
    }
    for (size_t i = 0; i < cells.size(); ++i) {
      const auto at = place.at(column[i]);
      cells[i] = at < 0 || cells[i] < 0 ? -1 : cells[i] * static_cast<int64_t>(values.size()) + at;
    }
  }
  return cells;
}

int64_t count_of(const std::vector<CellColumn>& columns) {
  int64_t n = 1;
  for (const auto& column : columns) n *= static_cast<int64_t>(column.values.size());
  return n;
}

CellTrials trials_in(const ChoiceTable& table,
                     const std::vector<int64_t>& cell,
                     int64_t n_cells,
                     const std::vector<std::string>& stimuli,
                     const std::vector<std::string>& subjects) {
  const auto chosen = table.chosen();
  std::vector<int64_t> correct;
  for (size_t i = 0; i < chosen.size(); ++i) correct.push_back(chosen[i] == table.truth[i]);
  const auto n = static_cast<int64_t>(chosen.size());
  const auto stimulus = codes_among(table.stimulus_id, stimuli, table.table.path, "stimulus_id");
  const auto observer = subjects.empty()
                            ? std::vector<int64_t>(chosen.size(), 0)
                            : codes_among(table.subject, subjects, table.table.path, "subject");
  const auto tensor = [n](const std::vector<int64_t>& values) {
    return at::tensor(values, at::kLong).view({n});
  };
  return count_trials(tensor(stimulus), tensor(observer), tensor(cell), tensor(correct),
                      static_cast<int64_t>(stimuli.size()),
                      std::max<int64_t>(1, static_cast<int64_t>(subjects.size())), n_cells);
}

std::vector<int64_t> subject_numbers(const std::vector<std::string>& subjects) {
  std::vector<int64_t> numbers, places;
  for (const auto& name : subjects) {
    places.push_back(static_cast<int64_t>(places.size()));
    int64_t value = 0;
    const auto [end, status] = std::from_chars(name.data(), name.data() + name.size(), value);
    if (status == std::errc() && end == name.data() + name.size()) numbers.push_back(value);
  }
  return numbers.size() == subjects.size() ? numbers : places;
}

CodedTrials two_way_trials(const ChoiceTable& table, const std::vector<std::string>& stimuli) {
  if (table.holds_probabilities())
    throw bad_input({table.table.path, "columns", "no choice",
                     "stimulus_id, truth, choice, sample_obj, dist_obj", ""});
  const auto& path = table.table.path;
  CodedTrials out;
  out.objects = distinct(table.choice);
  out.stimuli = stimuli.empty() ? distinct(table.stimulus_id) : stimuli;
  const auto code = [&](const std::vector<std::string>& values, const char* column) {
    return at::tensor(codes_among(values, out.objects, path, column), at::kLong);
  };
  const auto rows = codes_among(table.stimulus_id, out.stimuli, path, "stimulus_id");
  const auto truth = codes_among(table.truth, out.objects, path, "truth");
  out.truth.assign(out.stimuli.size(), 0);
  for (size_t i = 0; i < rows.size(); ++i) out.truth[static_cast<size_t>(rows[i])] = truth[i];
  out.trials = {at::tensor(rows, at::kLong), code(table.choice, "choice"),
                code(table.table.column("sample_obj"), "sample_obj"),
                code(table.table.column("dist_obj"), "dist_obj")};
  return out;
}

}  // namespace cortiscore
