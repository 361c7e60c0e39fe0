#include <algorithm>
#include <map>
#include <set>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/benchmark/benchmark.h"
#include "src/benchmark/data_file.h"
#include "src/core/class_codes.h"
#include "src/data/arrays.h"

namespace cortiscore {
namespace {

// Fit stimuli first, then test stimuli, with a class each.
void order_by_role(const Benchmark& benchmark, const StimulusSet& all, BehavioralData& data) {
  const auto roles = all.column(benchmark.role_column);
  std::vector<std::string> fit, test;
  for (int64_t i = 0; i < all.size(); ++i) {
    const auto& role = roles[static_cast<size_t>(i)];
    if (role != "fit" && role != "test") {
      throw bad_input({all.path(), benchmark.role_column, "\"" + role + "\"", "fit or test", ""});
    }
    (role == "fit" ? fit : test).push_back(all.ids()[static_cast<size_t>(i)]);
  }
  data.n_fit = static_cast<int64_t>(fit.size());
  fit.insert(fit.end(), test.begin(), test.end());
  data.stimuli = all.select(fit);
  const auto labels = data.stimuli.column(benchmark.label_column);
  data.labels = class_codes(labels);
  const std::set<std::string> distinct(labels.begin(), labels.end());
  data.class_names.assign(distinct.begin(), distinct.end());
}

int64_t code_of(const std::vector<std::string>& classes, const std::string& name) {
  const auto found = std::lower_bound(classes.begin(), classes.end(), name);
  return found != classes.end() && *found == name ? found - classes.begin() : -1;
}

// Which outputs of a classifier speak for which category.
void read_classes(const std::string& path, int64_t n_outputs, BehavioralData& data) {
  const auto table = read_csv(path);
  const auto category = table.column("category"), index = table.column("index");
  const std::set<std::string> distinct(category.begin(), category.end());
  data.class_names.assign(distinct.begin(), distinct.end());
  data.outputs.resize(distinct.size());
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

// Every subject on every test stimulus, once.
void read_choices_of_subjects(const std::string& path, BehavioralData& data) {
  const auto table = read_csv(path);
  const auto subject = table.column("subject"), stimulus = table.column("stimulus_id");
  const auto choice = table.column("choice"), truth = table.column("truth");
  const std::set<std::string> subjects(subject.begin(), subject.end());
  data.subjects.assign(subjects.begin(), subjects.end());
  std::map<std::string, int64_t> subject_row, stimulus_column;
  for (size_t i = 0; i < data.subjects.size(); ++i)
    subject_row[data.subjects[i]] = static_cast<int64_t>(i);
  const auto& ids = data.stimuli.ids();
  for (auto i = static_cast<size_t>(data.n_fit); i < ids.size(); ++i)
    stimulus_column[ids[i]] = static_cast<int64_t>(i) - data.n_fit;
  const std::vector<int64_t> shape = {static_cast<int64_t>(data.subjects.size()),
                                      data.stimuli.size() - data.n_fit};
  data.correct = at::zeros(shape, at::kBool);
  data.chosen = at::full(shape, -1, at::kLong);
  if (!data.outputs.empty()) data.truth.assign(static_cast<size_t>(shape[1]), -1);
  auto seen = at::zeros(shape, at::kBool);
  int64_t n_seen = 0;
  auto correct = data.correct.accessor<bool, 2>();
  auto chosen = data.chosen.accessor<int64_t, 2>();
  auto answered = seen.accessor<bool, 2>();
  const auto row = [](size_t i) { return "data row " + std::to_string(i + 1); };
  for (size_t i = 0; i < subject.size(); ++i) {
    const auto found = stimulus_column.find(stimulus[i]);
    if (found == stimulus_column.end()) {
      throw bad_input({path, row(i), "stimulus \"" + stimulus[i] + "\"",
                       "a test stimulus of " + data.stimuli.path(), ""});
    }
    const auto s = subject_row[subject[i]];
    const auto n = found->second;
    if (answered[s][n]) {
      throw bad_input({path, row(i),
                       "subject \"" + subject[i] + "\" on \"" + stimulus[i] + "\" twice",
                       "one choice", ""});
    }
    answered[s][n] = true;
    ++n_seen;
    correct[s][n] = choice[i] == truth[i];
    chosen[s][n] = code_of(data.class_names, choice[i]);
    if (data.truth.empty()) continue;
    const auto code = code_of(data.class_names, truth[i]);
    auto& known = data.truth[static_cast<size_t>(n)];
    if (code < 0 || (known >= 0 && known != code)) {
      throw bad_input({path, row(i) + ", truth", "\"" + truth[i] + "\"",
                       "one category a stimulus, the same in every row", ""});
    }
    known = code;
  }
  if (n_seen != seen.numel()) {
    throw bad_input({path, "rows", std::to_string(subject.size()),
                     "every subject on every test stimulus",
                     "Drop stimuli that some subjects did not see"});
  }
}

}  // namespace

BehavioralData load_behavior(const Benchmark& benchmark) {
  const auto choices_path = data_file(benchmark, benchmark.choices);
  const auto all = StimulusSet::open(data_file(benchmark, benchmark.stimulus_set));
  BehavioralData data;
  data.data_sha256 = {sha256_of_file(choices_path)};
  if (benchmark.kind == Benchmark::Kind::kDecisions) {
    const auto classes_path = data_file(benchmark, benchmark.classes);
    data.stimuli = all;
    read_classes(classes_path, benchmark.n_outputs, data);
    if (!benchmark.texture_column.empty())
      data.texture = codes_of_column(all, benchmark.texture_column, data.class_names);
    data.data_sha256.push_back(sha256_of_file(classes_path));
  } else {
    order_by_role(benchmark, all, data);
  }
  read_choices_of_subjects(choices_path, data);
  data.data_sha256.push_back(data.stimuli.sha256());
  return data;
}

}  // namespace cortiscore
