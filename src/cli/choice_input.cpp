#include "src/cli/choice_input.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/cli/array_input.h"
#include "src/core/class_codes.h"

namespace cortiscore::cli {

at::Tensor right_on(const ChoiceTable& network, const std::vector<std::string>& stimuli) {
  std::map<std::string, size_t> row;
  for (size_t i = 0; i < network.stimulus_id.size(); ++i) {
    if (!row.emplace(network.stimulus_id[i], i).second) {
      throw bad_input({network.table.path, "row " + std::to_string(i + 1),
                       "stimulus " + network.stimulus_id[i] + " a second time",
                       "each stimulus once", ""});
    }
  }
  const auto chosen = network.chosen();
  auto right = at::empty({static_cast<int64_t>(stimuli.size())}, at::kBool);
  for (size_t i = 0; i < stimuli.size(); ++i) {
    const auto found = row.find(stimuli[i]);
    if (found == row.end()) {
      throw bad_input({network.table.path, "column stimulus_id", "no " + stimuli[i],
                       "every stimulus of the target",
                       "Show the network all stimuli, or drop them from the target"});
    }
    right.mutable_data_ptr<bool>()[i] = chosen[found->second] == network.truth[found->second];
  }
  return right;
}

namespace {

struct KindTrials {
  at::Tensor correct, category, kind;
  int64_t n_categories;
};

// Trials of one subject (of all rows where that is empty), by condition: 0 whole, 1 manipulated, 2 neither.
KindTrials by_kind(const ChoiceTable& table,
                   const std::string& subject,
                   const std::string& whole,
                   const std::string& manipulated) {
  if (whole.empty() || manipulated.empty()) {
    throw Error(ErrorKind::kUsage,
                "accuracy_delta takes --whole and --manipulated, two of the conditions.");
  }
  const auto chosen = table.chosen();
  const auto categories = class_codes(table.truth);
  std::vector<int64_t> category, kind, correct;
  for (size_t i = 0; i < chosen.size(); ++i) {
    if (!subject.empty() && table.subject[i] != subject) continue;
    correct.push_back(chosen[i] == table.truth[i] ? 1 : 0);
    category.push_back(categories[i]);
    kind.push_back(table.condition[i] == whole ? 0 : table.condition[i] == manipulated ? 1 : 2);
  }
  for (const int64_t k : {0, 1}) {
    if (std::find(kind.begin(), kind.end(), k) == kind.end()) {
      throw bad_input({table.table.path, "column condition",
                       "no trial of \"" + (k ? manipulated : whole) + "\"" +
                           (subject.empty() ? "" : " by subject " + subject),
                       "trials of both conditions", ""});
    }
  }
  return {at::tensor(correct, at::kLong).to(at::kBool), at::tensor(category, at::kLong),
          at::tensor(kind, at::kLong), 1 + *std::max_element(categories.begin(), categories.end())};
}

}  // namespace

double model_delta_of(const ChoiceTable& table,
                      const std::string& whole,
                      const std::string& manipulated) {
  const auto t = by_kind(table, "", whole, manipulated);
  return accuracy_delta(t.correct, t.category, t.kind, t.n_categories).item<double>();
}

std::vector<SubjectDelta> subject_deltas_of(const ChoiceTable& table,
                                            const std::string& whole,
                                            const std::string& manipulated) {
  const auto names = distinct(table.subject);
  std::vector<int64_t> numbers;
  for (const auto& name : names) {
    int64_t value = 0;
    const auto [end, status] = std::from_chars(name.data(), name.data() + name.size(), value);
    if (status != std::errc() || end != name.data() + name.size()) break;
    numbers.push_back(value);
  }
  std::vector<SubjectDelta> out;
  for (size_t i = 0; i < names.size(); ++i) {
    const auto t = by_kind(table, names[i], whole, manipulated);
    out.push_back({numbers.size() == names.size() ? numbers[i] : static_cast<int64_t>(i),
                   subject_accuracy_delta(t.correct, t.kind).item<double>()});
  }
  if (out.size() < 3) {
    throw bad_input({table.table.path, "column subject", std::to_string(out.size()) + " subjects",
                     "at least 3", ""});
  }
  return out;
}

void add_evaluation(Json& out,
                    const MetricArguments& arguments,
                    const Evaluation& e,
                    const char* key,
                    const char* parts) {
  out["metric"] = arguments.name;
  out[key] = number(e.estimate.value);
  out["error"] = number(e.estimate.error);
  out[parts] = numbers(e.estimate.split_values);
  out["averaged_over"] = e.averaged_over;
  out["ci_lo"] = out["ci_hi"] = nullptr;
  for (const auto& [axis, size] : e.axes) out["n"][name_of(axis) + "s"] = size;
  for (const auto& warning : e.warnings) out["warnings"].push_back(warning);
  const auto options = resample_options(arguments, e.axes, e.usual, 1000);
  if (options.n_boot < 1) return;
  add_interval(out, resample(e.draws, options, at::TensorOptions().dtype(at::kDouble)), options);
}

}  // namespace cortiscore::cli
