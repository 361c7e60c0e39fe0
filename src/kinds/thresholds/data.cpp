#include "src/kinds/thresholds/data.h"

#include <cmath>
#include <filesystem>
#include <map>

#include <ATen/core/Tensor.h>

#include "cortiscore/error.h"
#include "src/data/arrays.h"
#include "src/data/choices.h"
#include "src/data/table.h"
#include "src/data/thresholds.h"
#include "src/metric/threshold.h"
#include "src/score/diagnostics.h"

namespace cortiscore {
namespace {

using ThresholdOf = std::vector<std::pair<std::string, double>>;

// Thresholds by subject, in the file's order (the ceiling's draws depend on it); those that are NaN
// are left out.
ThresholdOf thresholds_by_subject(const std::string& path, std::vector<std::string>& warnings) {
  auto [subjects, values] = read_thresholds(path);
  if (subjects.empty() && is_table(path))
    throw bad_input({path, "column subject", "none", "a name for every threshold", ""});
  for (size_t i = subjects.size(); i < values.size(); ++i) subjects.push_back(std::to_string(i));
  ThresholdOf found;
  std::vector<std::string> without;
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i])) {
      without.push_back(subjects[i]);
      continue;
    }
    found.emplace_back(subjects[i], values[i]);
  }
  for (const auto& warning :
       left_out(values.size(), "subjects", "have no threshold and are left out", without))
    warnings.push_back(std::filesystem::path(path).filename().string() + ": " + warning);
  return found;
}

ThresholdSet tested(const ThresholdBenchmark& benchmark,
                    const std::string& file,
                    const Recordings& opened,
                    ThresholdData& data) {
  ThresholdSet set{file, benchmark.test_trials, opened.stimuli.size(), {}, {}};
  const auto& stimuli = opened.stimuli;
  const auto& label = column_of(stimuli, benchmark.label_columns);
  set.truth = codes_among(stimuli.column(label), data.class_names, stimuli.path(), label);
  const auto& variable = benchmark.column(benchmark.variable);
  for (const auto& text : stimuli.column(variable))
    set.x.push_back(number_in(text, stimuli.path(), variable, set.x.size()));
  data.data_sha256.insert(data.data_sha256.end(), opened.data_sha256.begin(),
                          opened.data_sha256.end());
  return set;
}

ThresholdData load_thresholds(const ThresholdBenchmark& benchmark, Workbench& workbench) {
  const auto open = [&](const std::string& file) -> const Recordings& {
    return workbench.opened(benchmark, file);
  };
  ThresholdData data;
  const auto path = data_file(benchmark, benchmark.choices);
  auto thresholds = thresholds_by_subject(path, data.warnings);
  data.data_sha256.push_back(sha256_of_file(path));
  if (!benchmark.baseline_choices.empty()) {
    const auto baseline_path = data_file(benchmark, benchmark.baseline_choices);
    const auto in_order = thresholds_by_subject(baseline_path, data.warnings);
    const std::map<std::string, double> baseline(in_order.begin(), in_order.end());
    data.data_sha256.push_back(sha256_of_file(baseline_path));
    std::vector<std::string> without;
    for (auto& [subject, threshold] : thresholds) {
      const auto found = baseline.find(subject);
      threshold =
          found == baseline.end() ? std::nan("") : threshold_elevation(threshold, found->second);
      if (std::isnan(threshold)) without.push_back(subject);
    }
    for (auto& warning :
         left_out(thresholds.size(), "subjects",
                  "have no threshold in the baseline, or none above 0, and are left out", without))
      data.warnings.push_back(std::move(warning));
    std::erase_if(thresholds, [](const auto& one) { return std::isnan(one.second); });
  }
  for (const auto& [subject, threshold] : thresholds) {
    data.subjects.push_back(subject);
    data.thresholds.push_back(threshold);
  }
  if (data.subjects.size() < 2) {
    throw bad_input({path, "subjects", std::to_string(data.subjects.size()) + " with a threshold",
                     "at least 2, for a ceiling", ""});
  }
  std::vector<std::vector<std::string>> labels;
  for (const auto& file : benchmark.fit_stimulus_sets) {
    const auto& opened = open(file);
    data.fits.push_back({file, benchmark.fit_trials, opened.stimuli.size(), {}, {}});
    labels.push_back(opened.stimuli.column(column_of(opened.stimuli, benchmark.label_columns)));
    const auto names = distinct(labels.back());
    if (data.fits.size() > 1 && names != data.class_names) {
      throw bad_input({opened.stimuli.path(), column_of(opened.stimuli, benchmark.label_columns),
                       std::to_string(names.size()) + " labels",
                       "those of the other sets that readouts are fitted to", ""});
    }
    data.class_names = names;
    data.fits.back().truth = codes_among(labels.back(), names, opened.stimuli.path(), "labels");
    data.data_sha256.insert(data.data_sha256.end(), opened.data_sha256.begin(),
                            opened.data_sha256.end());
  }
  if (!benchmark.baseline_stimulus_set.empty()) {
    data.baseline = tested(benchmark, benchmark.baseline_stimulus_set,
                           open(benchmark.baseline_stimulus_set), data);
  }
  const auto& own = open(benchmark.stimulus_set);
  data.test = tested(benchmark, benchmark.stimulus_set, own, data);
  data.stimuli = own.stimuli;
  return data;
}

}  // namespace

const ThresholdData& threshold_data(const ThresholdBenchmark& benchmark, Workbench& workbench) {
  return workbench.once<ThresholdData>(benchmark.sha256,
                                       [&] { return load_thresholds(benchmark, workbench); });
}

const Recordings& ThresholdBenchmark::recordings(Workbench& workbench) const {
  return threshold_data(*this, workbench);
}

}  // namespace cortiscore
