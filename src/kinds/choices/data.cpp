#include "src/kinds/choices/data.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "cortiscore/error.h"
#include "src/benchmark/coded_choices.h"
#include "src/core/class_codes.h"
#include "src/core/json_fault.h"
#include "src/core/notes.h"
#include "src/data/arrays.h"
#include "src/data/json_file.h"
#include "src/data/table.h"
#include "src/metric/choice_patterns.h"
#include "src/score/diagnostics.h"

namespace cortiscore {
namespace {

// What a readout is fitted to and what it is tested on, of two sets or of one that says which is
// which.
std::pair<StimulusSet, StimulusSet> fit_and_test(const ReadoutBenchmark& benchmark,
                                                 const StimulusSet& tested) {
  if (!benchmark.fit_stimulus_set.empty()) {
    return {StimulusSet::open(data_file(benchmark, benchmark.fit_stimulus_set)), tested};
  }
  const auto roles = tested.column(benchmark.role_column);
  std::vector<std::string> fit, test;
  for (int64_t i = 0; i < tested.size(); ++i) {
    const auto& role = roles[static_cast<size_t>(i)];
    if (role != "fit" && role != "test") {
      throw bad_input(
          {tested.path(), benchmark.role_column, "\"" + role + "\"", "fit or test", ""});
    }
    (role == "fit" ? fit : test).push_back(tested.ids()[static_cast<size_t>(i)]);
  }
  return {tested.select(fit), tested.select(test)};
}

// The class that each fit stimulus shows.
void read_labels(const ReadoutBenchmark& benchmark, const StimulusSet& fit, ChoiceData& data) {
  const auto labels = fit.column(column_of(fit, benchmark.label_columns));
  data.labels = class_codes(labels);
  data.class_names = distinct(labels);
}

int64_t code_of(const std::vector<std::string>& classes, const std::string& name) {
  const auto found = std::lower_bound(classes.begin(), classes.end(), name);
  return found != classes.end() && *found == name ? found - classes.begin() : -1;
}

// A CSV, or a JSON object whose `categories` hold lists of indices.
Table class_table(const std::string& path) {
  if (!path.ends_with(".json")) return read_table(path);
  Table table{path, {"category", "index"}, {}};
  try {
    const auto json = read_json(path, "{\"categories\": {category: [index, ...]}}");
    for (const auto& [category, indices] : json.at("categories").items()) {
      for (const auto& index : indices) table.rows.push_back({category, index.dump()});
    }
  } catch (const nlohmann::json::exception& e) {
    throw bad_input({path, "categories", json_fault(e), "{category: [index, ...]}", ""});
  }
  return table;
}

// Which outputs of a classifier speak for which category.
void read_classes(const std::vector<std::string>& paths, int64_t n_outputs, ChoiceData& data) {
  std::map<std::string, std::vector<int64_t>> outputs;
  for (const auto& path : paths) {
    const auto table = class_table(path);
    const auto category = table.text("category"), index = table.column("index");
    for (size_t i = 0; i < category.size(); ++i) {
      const auto& text = index[i];
      const bool number = !text.empty() && text.size() < 7 &&
                          text.find_first_not_of("0123456789") == std::string::npos;
      if (!number || std::stoll(text) >= n_outputs) {
        throw bad_input({path, table.place(i) + ", column index", shown(text),
                         "the number of one of " + std::to_string(n_outputs) + " outputs, from 0",
                         ""});
      }
      outputs[category[i]].push_back(std::stoll(text));
    }
  }
  for (auto& [category, indices] : outputs) {
    data.class_names.push_back(category);
    data.outputs.push_back(std::move(indices));
  }
}

std::vector<int64_t> codes_of_column(const StimulusSet& stimuli,
                                     const std::string& column,
                                     const std::vector<std::string>& classes) {
  std::vector<int64_t> codes;
  for (const auto& value : stimuli.column(column)) {
    codes.push_back(code_of(classes, value));
    if (codes.back() < 0)
      throw bad_input(
          {stimuli.path(), column, "\"" + value + "\"", "a category of the classifier", ""});
  }
  return codes;
}

// Of each test stimulus the class that the rows of choices say.
void read_truth(const ChoiceTable& table, const std::vector<std::string>& ids, ChoiceData& data) {
  std::map<std::string, size_t> place;
  for (size_t i = 0; i < ids.size(); ++i) place[ids[i]] = i;
  data.truth.assign(ids.size(), -1);
  for (size_t i = 0; i < table.truth.size(); ++i) {
    const auto row = "data row " + std::to_string(i + 1);
    const auto found = place.find(table.stimulus_id[i]);
    if (found == place.end()) {
      throw bad_input({table.table.path, row, "stimulus \"" + table.stimulus_id[i] + "\"",
                       "a test stimulus of " + data.stimuli.path(), ""});
    }
    const auto code = code_of(data.class_names, table.truth[i]);
    auto& known = data.truth[found->second];
    if (code < 0 || (known >= 0 && known != code)) {
      throw bad_input({table.table.path, row + ", truth", "\"" + table.truth[i] + "\"",
                       "one of the " + std::to_string(data.class_names.size()) +
                           " categories a stimulus, the same in every row",
                       ""});
    }
    known = code;
  }
}

// Subjects on test stimuli, one choice each.
void read_choices_of_subjects(const ChoiceTable& table,
                              const std::vector<std::string>& ids,
                              bool incomplete,
                              ChoiceData& data) {
  const auto aligned = align_subjects(table, ids);
  data.subjects = aligned.subjects;
  data.choices = aligned.choices;
  if (!incomplete && !data.choices.there.all().equal(at::scalar_tensor(true, at::kBool))) {
    throw bad_input({table.table.path, "rows", std::to_string(table.truth.size()),
                     "every subject on every test stimulus",
                     "Drop stimuli that some subjects did not see, or let the manifest say "
                     "\"incomplete_choices\": \"skip\""});
  }
  data.chosen = at::full(data.choices.correct.sizes(), -1, at::kLong);
  auto chosen = data.chosen.accessor<int64_t, 2>();
  for (size_t i = 0; i < table.choice.size(); ++i)
    chosen[aligned.subject[i]][aligned.stimulus[i]] = code_of(data.class_names, table.choice[i]);
}

// Two-way trials of all subjects, by the objects that they chose.
void read_trials(const ChoiceTable& table, const std::vector<std::string>& ids, ChoiceData& data) {
  const auto coded = two_way_trials(table, ids);
  data.trials = coded.trials;
  data.truth = coded.truth;
  data.objects = codes_among(coded.objects, data.class_names, table.table.path, "choice");
  data.subjects = distinct(table.subject);
}

// Choices with the columns of their stimuli that the benchmark asks for, under its own names.
ChoiceTable choices_for(const ChoiceBenchmark& benchmark, const StimulusSet& stimuli) {
  auto rows = read_choice_rows(data_file(benchmark, benchmark.choices));
  std::vector<std::string> wanted;
  for (const auto& cell : benchmark.cells) wanted.push_back(cell.column);
  for (const auto& [column, values] : benchmark.exclude) wanted.push_back(column);
  for (const auto& [ours, theirs] : benchmark.columns) wanted.push_back(theirs);
  std::map<std::string, size_t> place;
  for (size_t i = 0; i < stimuli.ids().size(); ++i) place[stimuli.ids()[i]] = i;
  const auto ids = rows.column("stimulus_id");
  const auto append = [&](const std::string& name, const std::vector<std::string>& values) {
    rows.columns.push_back(name);
    for (size_t i = 0; i < rows.rows.size(); ++i) rows.rows[i].push_back(values[i]);
  };
  for (const auto& name : wanted) {
    if (rows.has(name) || !stimuli.has(name)) continue;
    const auto of_stimulus = stimuli.column(name);
    std::vector<std::string> values;
    for (const auto& id : ids) {
      const auto found = place.find(id);
      values.push_back(found == place.end() ? std::string() : of_stimulus[found->second]);
    }
    append(name, values);
  }
  for (const auto& [ours, theirs] : benchmark.columns) {
    const auto values = rows.column(theirs);
    if (ours == theirs) continue;
    if (const auto found = std::find(rows.columns.begin(), rows.columns.end(), ours);
        found != rows.columns.end())
      *found += " (in the file)";
    append(ours, values);
  }
  auto table = choices_of(std::move(rows), benchmark.exclude);
  if (table.holds_probabilities())
    throw bad_input({table.table.path, "columns", "no choice", "the choices of subjects", ""});
  return table;
}

// Trials of subjects in the cells that the metric compares, and the cell of each test stimulus.
void read_cells(const ChoiceBenchmark& benchmark,
                const ChoiceTable& table,
                const std::vector<std::string>& ids,
                ChoiceData& data) {
  auto& metric = data.cell_metric;
  metric.name = benchmark.metric;
  metric.scale = benchmark.scale;
  metric.lapse = benchmark.lapse;
  data.subjects = distinct(table.subject);
  metric.subject_numbers = subject_numbers(data.subjects);
  metric.subjects = data.subjects;
  auto columns = with_values(benchmark.cells, {&table.table});
  std::vector<int64_t> cell;
  if (benchmark.metric == "confusion_similarity") {
    const auto k = static_cast<int64_t>(data.class_names.size());
    std::vector<std::string> others;
    for (size_t i = 0; i < table.choice.size(); ++i) {
      const auto chosen = code_of(data.class_names, table.choice[i]);
      if (chosen < 0) others.push_back(table.choice[i]);
      cell.push_back(chosen < 0 ? -1 : code_of(data.class_names, table.truth[i]) * k + chosen);
    }
    for (auto& warning : left_out(
             static_cast<int64_t>(others.size()), static_cast<int64_t>(cell.size()),
             "choices are none of the categories and are left out: " + first_of(distinct(others))))
      data.warnings.push_back(std::move(warning));
    data.cells = trials_in(table, cell, k * k, ids, {});
    return;
  }
  if (benchmark.metric == "accuracy_delta") columns.push_back({"truth", distinct(table.truth)});
  if (benchmark.metric == "value_delta") {
    if (columns[0].values.size() != 2)
      throw bad_input({table.table.path, "column " + columns[0].column,
                       std::to_string(columns[0].values.size()) + " values", "two blocks", ""});
    for (size_t i = 2; i < columns.size(); ++i) {
      if (columns[i].values.size() != 1)
        throw bad_input({table.table.path, "column " + columns[i].column,
                         std::to_string(columns[i].values.size()) + " values",
                         "one, of the trials that count", ""});
    }
    for (const auto& value : columns[1].values)
      metric.positions.push_back(number_in(value, table.table.path, columns[1].column, 0));
  }
  auto rows = table.table;
  if (!rows.has("truth")) {  // two-way choices, whose truth is the sample
    rows.columns.emplace_back("truth");
    for (size_t i = 0; i < rows.rows.size(); ++i) rows.rows[i].push_back(table.truth[i]);
  }
  cell = cells_of(rows, columns);
  data.cells = trials_in(table, cell, count_of(columns), ids, data.subjects);
  std::vector<int64_t> of_stimulus(ids.size(), -1);
  const auto stimulus = codes_among(table.stimulus_id, ids, table.table.path, "stimulus_id");
  for (size_t i = 0; i < cell.size(); ++i) {
    auto& known = of_stimulus[static_cast<size_t>(stimulus[i])];
    if (cell[i] >= 0 && known >= 0 && known != cell[i]) {
      throw bad_input({table.table.path, "data row " + std::to_string(i + 1),
                       "stimulus " + table.stimulus_id[i] + " in a second condition",
                       "one condition a stimulus", ""});
    }
    known = std::max(known, cell[i]);
  }
  data.cell = at::tensor(of_stimulus, at::kLong);
}

// Which of three stimuli subjects found least like the others.
ChoiceData load_triplets(const ChoiceBenchmark& benchmark, const StimulusSet& stimuli) {
  auto rows = read_choice_rows(data_file(benchmark, benchmark.choices));
  const auto column = [&](const std::string& ours) {
    const auto& name = benchmark.column(ours);
    return at::tensor(codes_among(rows.column(name), stimuli.ids(), rows.path, name), at::kLong);
  };
  ChoiceData data;
  data.stimuli = stimuli;
  data.triplets = at::stack({column("stimulus_1"), column("stimulus_2"), column("stimulus_3")}, 1);
  data.odd = column("choice");
  if (!(data.triplets == data.odd.unsqueeze(1))
           .any(1)
           .all()
           .equal(at::scalar_tensor(true, at::kBool)))
    throw bad_input(
        {rows.path, "choice", "a stimulus that was not shown", "one of the three of its row", ""});
  if (rows.has("subject")) data.subjects = distinct(rows.column("subject"));
  data.data_sha256 = {sha256_of_file(rows.path), stimuli.sha256()};
  return data;
}

// Leaves the categories that are right somewhere.
void keep_offered(const std::vector<std::string>& truth,
                  const std::string& path,
                  ChoiceData& data) {
  const auto offered = distinct(truth);
  const auto place = codes_among(offered, data.class_names, path, "truth");
  std::vector<std::vector<int64_t>> outputs;
  for (const auto code : place) outputs.push_back(data.outputs[static_cast<size_t>(code)]);
  data.outputs = std::move(outputs);
  data.class_names = offered;
}

StimulusSet seen_by_subjects(const StimulusSet& tested,
                             const ChoiceTable& table,
                             std::vector<std::string>& warnings) {
  const auto seen = distinct(table.stimulus_id);
  std::vector<std::string> kept, unseen;
  for (const auto& id : tested.ids())
    (std::binary_search(seen.begin(), seen.end(), id) ? kept : unseen).push_back(id);
  for (auto& warning : left_out(tested.ids().size(), "test stimuli",
                                "are left out, since no subject saw them", unseen))
    warnings.push_back(std::move(warning));
  return tested.select(kept);
}

// The first stimulus of every value of a column, and each so many-th after it.
StimulusSet sampled(const ChoiceBenchmark& benchmark, const StimulusSet& stimuli) {
  const auto values = stimuli.column(benchmark.sample_by);
  std::map<std::string, int64_t> seen;
  std::vector<std::string> ids;
  for (size_t i = 0; i < values.size(); ++i) {
    if (seen[values[i]]++ % benchmark.sample_every == 0) ids.push_back(stimuli.ids()[i]);
  }
  return stimuli.select(ids);
}

// Stimuli that may be tested, and the choices on them, if the benchmark has any.
struct Tested {
  StimulusSet stimuli;
  std::optional<ChoiceTable> table;
};

StimulusSet tested_stimuli(const ChoiceBenchmark& benchmark) {
  auto all = StimulusSet::open(data_file(benchmark, benchmark.stimulus_set));
  return benchmark.sample_every > 1 ? sampled(benchmark, all) : all;
}

Tested tested_of(const ChoiceBenchmark& benchmark, ChoiceData& data) {
  Tested tested = {tested_stimuli(benchmark), std::nullopt};
  if (!benchmark.choices.empty()) {
    tested.table = choices_for(benchmark, tested.stimuli);
    data.data_sha256 = {sha256_of_file(tested.table->table.path)};
  }
  return tested;
}

// What the benchmark's metric takes of the choices. @param fit  stimuli of a readout's fit
void read_compared(const ChoiceBenchmark& benchmark,
                   Tested tested,
                   const std::optional<StimulusSet>& fit,
                   ChoiceData& data) {
  const auto& table = tested.table;
  const bool pattern = is_pattern_name(benchmark.metric), cells = is_cell_metric(benchmark.metric);
  const bool truth_alone = benchmark.metric == "accuracy";
  if (table && (benchmark.incomplete_choices || pattern || cells || truth_alone))
    tested.stimuli = seen_by_subjects(tested.stimuli, *table, data.warnings);
  const auto& ids = tested.stimuli.ids();
  if (!benchmark.texture_column.empty())
    data.texture = codes_of_column(tested.stimuli, benchmark.texture_column, data.class_names);
  data.stimuli = fit ? fit->joined(tested.stimuli) : tested.stimuli;
  data.n_fit = fit ? fit->size() : 0;
  data.test = data.stimuli.rows_of(ids);
  if (table)
    read_truth(*table, ids, data);
  else
    data.truth = codes_of_column(tested.stimuli, benchmark.truth_column, data.class_names);
  if (pattern)
    read_trials(*table, ids, data);
  else if (cells)
    read_cells(benchmark, *table, ids, data);
  else if (table && !truth_alone)
    read_choices_of_subjects(*table, ids, benchmark.incomplete_choices, data);
  // Truth or conditions that the stimulus set's table holds.
  if (!table || cells) data.data_sha256.push_back(sha256_of_file(tested.stimuli.path()));
  data.data_sha256.push_back(data.stimuli.sha256());
}

}  // namespace

ChoiceData ReadoutBenchmark::load() const {
  ChoiceData data;
  auto tested = tested_of(*this, data);
  auto [fit, test] = fit_and_test(*this, tested.stimuli);
  read_labels(*this, fit, data);
  tested.stimuli = std::move(test);
  read_compared(*this, std::move(tested), fit, data);
  return data;
}

ChoiceData DecisionsBenchmark::load() const {
  ChoiceData data;
  auto tested = tested_of(*this, data);
  std::vector<std::string> files_of_classes;
  for (const auto& file : classes) files_of_classes.push_back(data_file(*this, file));
  read_classes(files_of_classes, n_outputs, data);
  if (offered_from_truth) {
    keep_offered(tested.table ? tested.table->truth : tested.stimuli.column(truth_column),
                 tested.stimuli.path(), data);
  }
  for (const auto& file : files_of_classes) data.data_sha256.push_back(sha256_of_file(file));
  read_compared(*this, std::move(tested), std::nullopt, data);
  return data;
}

ChoiceData OddOneOutBenchmark::load() const {
  return load_triplets(*this, tested_stimuli(*this));
}

const ChoiceData& ChoiceBenchmark::data(Workbench& workbench) const {
  return workbench.once<ChoiceData>(sha256, [&] { return load(); });
}

const Recordings& ChoiceBenchmark::recordings(Workbench& workbench) const {
  return data(workbench);
}

}  // namespace cortiscore
