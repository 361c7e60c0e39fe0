#include <algorithm>
#include <cmath>
#include <map>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/benchmark/coded_choices.h"
#include "src/cli/array_input.h"
#include "src/cli/choice_input.h"
#include "src/cli/metric_families.h"
#include "src/score/choices.h"
#include "src/score/statistics.h"

namespace cortiscore::cli {
namespace {

Evaluation agreement(const MetricArguments& a, Json& /*more*/) {
  require(a, a.target, "--target");
  const auto source = read_choices(a.source);
  const auto subjects = read_choices(a.target);
  check_truths({&subjects, &source});
  const auto aligned = align_subjects(subjects);
  return evaluate_choices(choice_metric(a.name), right_on(source, aligned.stimuli),
                          aligned.choices);
}

Evaluation accuracy(const MetricArguments& a, Json& /*more*/) {
  const auto source = read_choices(a.source);
  const auto chosen = source.chosen();
  auto truth = source.truth;
  if (!a.target.empty()) {  // the truth is the target's choice, or its truth where it holds none
    const auto target = read_choices(a.target);
    const auto codes = codes_among(source.stimulus_id, target.stimulus_id, a.source, "stimulus_id");
    const auto& labels = target.holds_probabilities() ? target.truth : target.choice;
    for (size_t i = 0; i < truth.size(); ++i) truth[i] = labels[static_cast<size_t>(codes[i])];
  }
  auto correct = at::empty({static_cast<int64_t>(truth.size())}, at::kBool);
  for (size_t i = 0; i < truth.size(); ++i)
    correct.mutable_data_ptr<bool>()[i] = chosen[i] == truth[i];
  return evaluate_accuracy(correct);
}

Evaluation by_cells(const MetricArguments& a, Json& /*more*/) {
  require(a, a.target, "--target");
  const auto source = read_choices(a.source), target = read_choices(a.target);
  check_truths({&target, &source});
  const auto cells = cell_choices(a.name, &source, target, a.whole, a.manipulated);
  return evaluate_cells(cells.metric, cells.network, cells.subjects);
}

Evaluation pattern(const MetricArguments& a, Json& /*more*/) {
  require(a, a.target, "--target");
  const auto target = read_choices(a.target);
  const auto source = read_choices(a.source);
  check_truths({&target, &source});
  const auto stimuli = distinct(source.stimulus_id);
  const auto trials = two_way_trials(target, stimuli);
  at::Tensor confusion;
  std::vector<int64_t> truth_of(stimuli.size(), -1);
  const auto rows = codes_among(source.stimulus_id, stimuli, a.source, "stimulus_id");
  const auto truths = codes_among(source.truth, trials.objects, a.source, "truth");
  for (size_t i = 0; i < rows.size(); ++i) truth_of[static_cast<size_t>(rows[i])] = truths[i];
  const auto truth = at::tensor(truth_of, at::kLong);
  const auto n_objects = static_cast<int64_t>(trials.objects.size());
  if (source.holds_probabilities()) {
    if (rows.size() != stimuli.size())
      throw bad_input({a.source, "column stimulus_id", "a stimulus twice",
                       "one row of probabilities a stimulus", ""});
    const auto order = codes_among(trials.objects, source.classes, a.target, "choice");
    auto p = at::empty({static_cast<int64_t>(stimuli.size()), n_objects}, at::kDouble);
    p.index_copy_(0, at::tensor(rows, at::kLong),
                  source.probabilities.index_select(1, at::tensor(order, at::kLong)));
    confusion = confusion_of_probabilities(p, truth);
  } else {
    const auto own = two_way_trials(source, stimuli);
    if (own.objects != trials.objects)
      throw bad_input({a.source, "column choice", std::to_string(own.objects.size()) + " objects",
                       "the " + std::to_string(n_objects) + " of " + a.target, ""});
    confusion =
        confusion_of_trials(own.trials, at::arange(own.trials.stimulus.size(0)), truth, n_objects);
  }
  return evaluate_pattern(pattern_name(a.name), confusion, trials.trials, truth, n_objects,
                          a.skipna);
}

std::map<std::string, Run> all_metrics() {
  auto all = value_metrics();
  all.insert({{"error_consistency", agreement},
              {"accuracy_distance", agreement},
              {"accuracy", accuracy},
              {"accuracy_delta", by_cells},
              {"condition_accuracy", by_cells},
              {"confusion_similarity", by_cells},
              {"tasks_consistency", by_cells}});
  for (const auto* name : {"i1", "i1n", "i2", "i2n", "o1", "o2"}) all.emplace(name, pattern);
  return all;
}

}  // namespace

void require(const MetricArguments& a, const std::string& value, const char* flag) {
  if (value.empty()) throw Error(ErrorKind::kUsage, "metric " + a.name + " takes " + flag + ".");
}

Evaluation of_values(std::vector<double> values, const std::string& averaged_over) {
  Evaluation e;
  e.estimate.value = mean_skip_nan(values);
  e.estimate.error = deviation(values, 0);
  e.estimate.split_values = std::move(values);
  e.averaged_over = averaged_over;
  return e;
}

std::vector<std::string> behavior_metric_names() {
  std::vector<std::string> names;
  for (const auto& [name, run] : all_metrics()) names.push_back(name);
  return names;
}

bool run_behavior_metric(const MetricArguments& a) {
  const auto all = all_metrics();
  const auto found = all.find(a.name);
  if (found == all.end()) return false;
  if (a.name != "logistic") require(a, a.source, "--source");
  if (a.name == "logistic" && !(a.source + a.target).empty())
    throw Error(ErrorKind::kUsage,
                "--source and --target: metric logistic does not read them, but --train-source, "
                "--train-target, --test-source and --test-target.");
  Json out;
  out["warnings"] = Json::array();
  const auto e = found->second(a, out);
  add_evaluation(out, a, e, "score", "split_scores");
  print_result(out, "score", a.json);
  return true;
}

}  // namespace cortiscore::cli
