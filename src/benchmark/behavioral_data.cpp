#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "cortiscore/error.h"
#include "src/benchmark/benchmark.h"
#include "src/benchmark/coded_choices.h"
#include "src/benchmark/data_file.h"
#include "src/core/class_codes.h"
#include "src/data/arrays.h"
#include "src/metric/choice_patterns.h"

namespace cortiscore {
namespace {

// What a readout is fitted to and what it is tested on, of two sets or of one that says which is which.
std::pair<StimulusSet, StimulusSet> fit_and_test(const Benchmark& benchmark,
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
void read_labels(const Benchmark& benchmark, const StimulusSet& fit, BehavioralData& data) {
  auto column = benchmark.label_columns.begin();
  while (column + 1 != benchmark.label_columns.end() && !fit.has(*column)) ++column;
  const auto labels = fit.column(*column);
  data.labels = class_codes(labels);
  data.class_names = distinct(labels);
}

int64_t code_of(const std::vector<std::string>& classes, const std::string& name) {
  const auto found = std::lower_bound(classes.begin(), classes.end(), name);
  return found != classes.end() && *found == name ? found - classes.begin() : -1;
}

// A CSV, or a JSON object whose `categories` hold lists of indices.
Table class_table(const std::string& path) {
  if (!path.ends_with(".json")) return read_csv(path);
  Table table{path, {"category", "index"}, {}};
  try {
    const auto json = nlohmann::json::parse(read_file(path));
    for (const auto& [category, indices] : json.at("categories").items()) {
      for (const auto& index : indices) table.rows.push_back({category, index.dump()});
    }
  } catch (const nlohmann::json::exception& e) {
    throw bad_input({path, "categories", e.what(), "{category: [index, ...]}", ""});
  }
  return table;
}

// Which outputs of a classifier speak for which category.
void read_classes(const std::string& path, int64_t n_outputs, BehavioralData& data) {
  const auto table = class_table(path);
  const auto category = table.column("category"), index = table.column("index");
  data.class_names = distinct(category);
  data.outputs.resize(data.class_names.size());
  for (size_t i = 0; i < category.size(); ++i) {
    const auto& text = index[i];
    const bool number = !text.empty() && text.size() < 7 &&
                        text.find_first_not_of("0123456789") == std::string::npos;
    if (!number || std::stoll(text) >= n_outputs) {
      throw bad_input({path, "data row " + std::to_string(i + 1) + ", index", "\"" + text + "\"",
                       "the number of one of " + std::to_string(n_outputs) + " outputs, from 0",
                       ""});
    }
    data.outputs[static_cast<size_t>(code_of(data.class_names, category[i]))].push_back(
        std::stoll(text));
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
void read_truth(const ChoiceTable& table,
                const std::vector<std::string>& ids,
                BehavioralData& data) {
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
                              BehavioralData& data) {
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
void read_trials(const ChoiceTable& table,
                 const std::vector<std::string>& ids,
                 BehavioralData& data) {
  const auto coded = two_way_trials(table, ids);
  data.trials = coded.trials;
  data.truth = coded.truth;
  data.objects = codes_among(coded.objects, data.class_names, table.table.path, "choice");
  data.subjects = distinct(table.subject);
}

}  // namespace

BehavioralData load_behavior(const Benchmark& benchmark) {
  const auto choices_path = data_file(benchmark, benchmark.choices);
  const auto table = read_choices(choices_path, benchmark.exclude);
  if (table.holds_probabilities())
    throw bad_input({choices_path, "columns", "no choice", "the choices of subjects", ""});
  auto tested = StimulusSet::open(data_file(benchmark, benchmark.stimulus_set));
  const bool pattern = is_pattern_name(benchmark.metric);
  BehavioralData data;
  data.data_sha256 = {sha256_of_file(choices_path)};
  StimulusSet fit;
  const bool readout = benchmark.kind == Benchmark::Kind::kReadout;
  if (readout) {
    std::tie(fit, tested) = fit_and_test(benchmark, tested);
    read_labels(benchmark, fit, data);
  } else {
    const auto classes_path = data_file(benchmark, benchmark.classes);
    read_classes(classes_path, benchmark.n_outputs, data);
    data.data_sha256.push_back(sha256_of_file(classes_path));
  }
  if (benchmark.incomplete_choices || pattern) {
    const auto seen = distinct(table.stimulus_id);
    std::vector<std::string> kept;
    for (const auto& id : tested.ids()) {
      if (std::binary_search(seen.begin(), seen.end(), id)) kept.push_back(id);
    }
    tested = tested.select(kept);
  }
  if (!benchmark.texture_column.empty())
    data.texture = codes_of_column(tested, benchmark.texture_column, data.class_names);
  data.stimuli = readout ? fit.joined(tested) : tested;
  data.n_fit = readout ? fit.size() : 0;
  data.test = data.stimuli.rows_of(tested.ids());
  read_truth(table, tested.ids(), data);
  if (pattern)
    read_trials(table, tested.ids(), data);
  else
    read_choices_of_subjects(table, tested.ids(), benchmark.incomplete_choices, data);
  data.data_sha256.push_back(data.stimuli.sha256());
  return data;
}

}  // namespace cortiscore
