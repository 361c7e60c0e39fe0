#include "src/given/ceiling.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "cortiscore/score.h"
#include "src/benchmark/coded_choices.h"
#include "src/ceiling/internal_consistency.h"
#include "src/ceiling/rsa.h"
#include "src/ceiling/split_half_predictor.h"
#include "src/core/device.h"
#include "src/core/notes.h"
#include "src/core/progress.h"
#include "src/data/thresholds.h"
#include "src/given/choice_cells.h"
#include "src/given/families.h"
#include "src/given/rows.h"
#include "src/score/choices.h"
#include "src/score/diagnostics.h"
#include "src/score/statistics.h"
#include "src/score/threshold_score.h"

namespace cortiscore {
namespace {

const std::vector<std::string> kCeilings = {"internal_consistency",
                                            "split_half_predictor",
                                            "rsa",
                                            "leave_one_subject_out",
                                            "nili",
                                            "nili_lower",
                                            "error_consistency",
                                            "accuracy_distance",
                                            "condition_accuracy",
                                            "i1",
                                            "i1n",
                                            "i2",
                                            "i2n",
                                            "o1",
                                            "o2",
                                            "accuracy_delta",
                                            "threshold"};

// Presentations by stimulus_id, as the platform walks through them when it draws.
void sort_by_stimulus(LabelledArray& trials) {
  auto ids = trials.stimulus_ids;
  std::sort(ids.begin(), ids.end());
  align_presentations(trials, ids, trials.path);
}

std::string variable_of(const CeilingArguments& a) {
  return Variables(a.variables, {"trials"}).of("trials", a.trials);
}

// One file: what its repetitions, or subjects, are matched by.
void say_place(const LabelledArray& array, const std::string& each) {
  if (array.stimulus_ids.empty() && array.is_file)
    note(array.path, "no stimulus_id; rows of every " + each + " are matched by place");
}

// Ceilings of responses: split halves of repeated trials.
MetricResult of_trials(const CeilingArguments& a) {
  auto labelled = read_trials(a.trials, variable_of(a));
  if (!labelled.stimulus_ids.empty()) sort_by_stimulus(labelled);
  const auto& trials = labelled.values;
  const auto device = device_of(a.device);
  const Timer timer;
  at::Tensor values;
  if (a.name == "internal_consistency") {
    const bool complete = !trials.isnan().any().item<bool>();
    values = internal_consistency(
        trials.to(device),
        {a.ceiling_splits, static_cast<uint32_t>(a.seed < 0 ? 1 : a.seed), complete});
  } else {
    values = split_half_predictor(trials.to(device), trials.isnan().logical_not().any(2),
                                  a.ceiling_splits, static_cast<uint32_t>(a.seed < 0 ? 0 : a.seed));
  }
  auto estimate = aggregate(values);
  const auto few = few_trials(trials);
  const auto lone = a.n_boot == 0 ? std::vector<std::string>() : lone_warnings(estimate);
  const double seconds = timer.seconds();
  bootstrap_over_neuroids(estimate, {.n_boot = a.n_boot < 0 ? 1000 : a.n_boot, .level = a.level});
  MetricResult result;
  auto& out = result.json;
  out["ceiling"] = number(estimate.value);
  out["error"] = number(estimate.error);
  out["ci_lo"] = number(estimate.ci_lo);
  out["ci_hi"] = number(estimate.ci_hi);
  out["level"] = a.level;
  out["over"] = "neuroid";
  out["split_ceilings"] = numbers(estimate.split_values);
  out["warnings"] = undefined_warnings(estimate, {});
  for (const auto* more : {&few, &lone})
    for (const auto& warning : *more) out["warnings"].push_back(warning);
  result.arrays["per_neuroid"] = estimate.per_neuroid;
  out["n"] = {{"repetitions", trials.size(0)},
              {"presentations", trials.size(1)},
              {"neuroids", trials.size(2)},
              {"splits", a.ceiling_splits}};
  out["timing_ms"] = {{"ceiling", 1e3 * seconds}};
  say_place(labelled, "repetition");
  give_reason(out, "ceiling");
  return result;
}

MetricResult of_parts(double value, double error, const std::vector<double>& parts, Json more) {
  more["ceiling"] = number(value);
  more["error"] = number(error);
  more["split_ceilings"] = numbers(parts);
  give_reason(more, "ceiling");
  return {std::move(more), {}};
}

MetricResult of_rdms(const CeilingArguments& a) {
  const auto labelled = read_rdms(a.trials, variable_of(a));
  const auto& rdms = labelled.values;
  if (rdms.dim() != 3 || rdms.size(0) < 2)
    throw bad_input(
        {a.trials.name(), "shape", c10::str(rdms.sizes()), "RDMs: 2 or more subjects x n x n", ""});
  auto packed = upper_triangle(rdms.to(at::kDouble));
  Json more;
  more["warnings"] = Json::array();
  const auto there = packed.isnan().any(0).logical_not();
  const auto missing = packed.size(1) - there.sum().item<int64_t>();
  if (missing) {
    packed = packed.index_select(1, there.nonzero().squeeze(1));
    more["warnings"].push_back(std::to_string(missing) +
                               " pairs of stimuli are missing in a subject and are left out");
  }
  const bool nili = a.name.starts_with("nili");
  const auto bounds = rsa_bounds(packed.to(device_of(a.device)), rdm_comparison(a.comparison),
                                 nili ? RdmPooling::kOneScale : RdmPooling::kAsTheyAre);
  const auto list = [](const at::Tensor& v) {
    const auto dense = v.cpu().contiguous();
    return std::vector<double>(dense.const_data_ptr<double>(),
                               dense.const_data_ptr<double>() + dense.numel());
  };
  const auto upper = list(bounds.upper), lower = list(bounds.lower);
  more["upper"] = number(mean_skip_nan(upper));
  more["lower"] = number(mean_skip_nan(lower));
  more["n"] = {{"subjects", rdms.size(0)}, {"presentations", rdms.size(1)}};
  say_place(labelled, "subject");
  const auto& used = a.name == "rsa" || a.name == "nili" ? upper : lower;
  for (const auto& warning :
       left_out(std::count_if(used.begin(), used.end(), [](double v) { return std::isnan(v); }),
                rdms.size(0), "subjects have an RDM of one and the same value and are left out"))
    more["warnings"].push_back(warning);
  return of_parts(mean_skip_nan(used),
                  deviation(used, 0) / std::sqrt(static_cast<double>(used.size())), used, more);
}

MetricResult of_subjects(const CeilingArguments& a) {
  if (a.name == "threshold") {
    auto values = read_thresholds(a.trials).values;
    const auto total = static_cast<int64_t>(values.size());
    std::erase_if(values, [](double v) { return std::isnan(v); });
    if (values.size() < 2)
      throw bad_input({a.trials.name(), "subjects", std::to_string(values.size()),
                       "at least 2 thresholds", ""});
    const auto ceiling = threshold_ceiling(values);
    Json more;
    more["warnings"] = left_out(total - static_cast<int64_t>(values.size()), total,
                                "subjects have no threshold and are left out");
    return of_parts(ceiling.value, ceiling.error, ceiling.split_values, more);
  }
  const auto table = read_choices(a.trials);
  check_truths({&table});
  Evaluation e;
  if (is_cell_metric(a.name)) {
    const auto cells = cell_choices(a.name, nullptr, table, a.whole, a.manipulated);
    e = *evaluate_cell_ceiling(cells.metric, cells.subjects);
  } else if (is_pattern_name(a.name)) {
    const auto coded = two_way_trials(table);
    e = evaluate_pattern(pattern_name(a.name), {}, coded.trials, at::tensor(coded.truth, at::kLong),
                         static_cast<int64_t>(coded.objects.size()), true);
  } else {
    e = evaluate_choice_ceiling(choice_metric(a.name), align_subjects(table).choices);
  }
  MetricResult out;
  out.json["warnings"] = Json::array();
  add_evaluation(out.json, a, e, "ceiling", "split_ceilings");
  give_reason(out.json, "ceiling");
  return out;
}

}  // namespace

const std::vector<std::string>& ceiling_names() {
  return kCeilings;
}

MetricResult ceiling_on(const CeilingArguments& a) {
  if (std::find(kCeilings.begin(), kCeilings.end(), a.name) == kCeilings.end())
    throw unknown_name("ceiling", a.name, "this version", kCeilings);
  if (a.name == "internal_consistency" || a.name == "split_half_predictor") return of_trials(a);
  for (const auto* name : {"rsa", "leave_one_subject_out", "nili", "nili_lower"}) {
    if (a.name == name) return of_rdms(a);
  }
  return of_subjects(a);
}

}  // namespace cortiscore
