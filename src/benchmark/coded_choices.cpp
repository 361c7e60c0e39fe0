#include "src/benchmark/coded_choices.h"

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
  out.choices = {at::zeros({s, n}, at::kBool), at::zeros({s, n}, at::kBool),
                 at::full({n}, -1, at::kLong), static_cast<int64_t>(conditions.size())};
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
