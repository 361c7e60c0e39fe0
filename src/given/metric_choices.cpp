#include <algorithm>
#include <cmath>
#include <map>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/benchmark/coded_choices.h"
#include "src/given/choice_cells.h"
#include "src/given/families.h"
#include "src/score/choices.h"
#include "src/score/diagnostics.h"
#include "src/score/statistics.h"

namespace cortiscore {
namespace {

Evaluation agreement(const MetricArguments& a, MetricResult& /*more*/) {
  require(a, !a.target.empty(), "--target");
  const auto source = read_choices(a.source);
  const auto subjects = read_choices(a.target);
  check_truths({&subjects, &source});
  const auto aligned = align_subjects(subjects);
  return evaluate_choices(choice_metric(a.name), right_on(source, aligned.stimuli),
                          aligned.choices);
}

Evaluation accuracy(const MetricArguments& a, MetricResult& /*more*/) {
  const auto source = read_choices(a.source);
  const auto chosen = source.chosen();
  auto truth = source.truth;
  if (!a.target.empty()) {  // the truth is the target's choice, or its truth where it holds none
    const auto target = read_choices(a.target);
    const auto codes =
        codes_among(source.stimulus_id, target.stimulus_id, a.source.name(), "stimulus_id");
    const auto& labels = target.holds_probabilities() ? target.truth : target.choice;
    for (size_t i = 0; i < truth.size(); ++i) truth[i] = labels[static_cast<size_t>(codes[i])];
  }
  auto correct = at::empty({static_cast<int64_t>(truth.size())}, at::kBool);
  for (size_t i = 0; i < truth.size(); ++i)
    correct.mutable_data_ptr<bool>()[i] = chosen[i] == truth[i];
  return evaluate_accuracy(correct);
}

Evaluation by_cells(const MetricArguments& a, MetricResult& /*more*/) {
  require(a, !a.target.empty(), "--target");
  const auto source = read_choices(a.source), target = read_choices(a.target);
  check_truths({&target, &source});
  const auto cells = cell_choices(a.name, &source, target, a.whole, a.manipulated);
  return evaluate_cells(cells.metric, cells.network, cells.subjects);
}

Evaluation pattern(const MetricArguments& a, MetricResult& /*more*/) {
  require(a, !a.target.empty(), "--target");
  const auto target = read_choices(a.target);
  const auto source = read_choices(a.source);
  check_truths({&target, &source});
  const auto stimuli = distinct(source.stimulus_id);
  const auto trials = two_way_trials(target, stimuli);
  at::Tensor confusion;
  std::vector<int64_t> truth_of(stimuli.size(), -1);
  const auto rows = codes_among(source.stimulus_id, stimuli, a.source.name(), "stimulus_id");
  const auto truths = codes_among(source.truth, trials.objects, a.source.name(), "truth");
  for (size_t i = 0; i < rows.size(); ++i) truth_of[static_cast<size_t>(rows[i])] = truths[i];
  const auto truth = at::tensor(truth_of, at::kLong);
  const auto n_objects = static_cast<int64_t>(trials.objects.size());
  if (source.holds_probabilities()) {
    if (rows.size() != stimuli.size())
      throw bad_input({a.source.name(), "column stimulus_id", "a stimulus twice",
                       "one row of probabilities a stimulus", ""});
    const auto order = codes_among(trials.objects, source.classes, a.target.name(), "choice");
    auto p = at::empty({static_cast<int64_t>(stimuli.size()), n_objects}, at::kDouble);
    p.index_copy_(0, at::tensor(rows, at::kLong),
                  source.probabilities.index_select(1, at::tensor(order, at::kLong)));
    confusion = confusion_of_probabilities(p, truth);
  } else {
    const auto own = two_way_trials(source, stimuli);
    if (own.objects != trials.objects)
      throw bad_input({a.source.name(), "column choice",
                       std::to_string(own.objects.size()) + " objects",
                       "the " + std::to_string(n_objects) + " of " + a.target.name(), ""});
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

void require(const MetricArguments& a, bool there, const char* flag) {
  if (!there) throw Error(ErrorKind::kUsage, "metric " + a.name + " takes " + flag + ".");
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

MetricResult metric_on(const MetricArguments& a) {
  const auto all = all_metrics();
  const auto found = all.find(a.name);
  if (found == all.end()) return array_metric_on(a);
  if (a.name != "logistic") require(a, !a.source.empty(), "--source");
  if (a.name == "logistic" && !(a.source.empty() && a.target.empty()))
    throw Error(ErrorKind::kUsage,
                "--source and --target: metric logistic does not read them, but --train-source, "
                "--train-target, --test-source and --test-target.");
  MetricResult out;
  out.json["warnings"] = Json::array();
  const auto e = found->second(a, out);
  add_evaluation(out.json, a, e, "score", "split_scores");
  give_reason(out.json, "score");
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
  const auto options = resample_options(arguments, e, 1000);
  if (options.n_boot < 1) return;
  add_interval(out, resample(e.draws, options, at::TensorOptions().dtype(at::kDouble)), options);
}

void add_interval(Json& result, const Resampled& resampled, const ResampleOptions& options) {
  result["ci_lo"] = number(resampled.ci_lo);
  result["ci_hi"] = number(resampled.ci_hi);
  result["bootstrap_error"] = number(resampled.error);
  std::string over;
  for (const auto& [axis, size] : options.over) over += (over.empty() ? "" : ",") + name_of(axis);
  result["over"] = over;
  result["level"] = options.level;
  for (const auto& warning : resampled.warnings) result["warnings"].push_back(warning);
}

void give_reason(Json& result, const char* key) {
  result["warnings"] = with_reason(result["warnings"].get<std::vector<std::string>>(),
                                   result[key].is_null() ? NAN : 0);
}

}  // namespace cortiscore
