#include "src/score/choices.h"

#include <cmath>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/core/random.h"
#include "src/ops/weighted_pearson.h"
#include "src/score/diagnostics.h"
#include "src/score/statistics.h"

namespace cortiscore {
namespace {

std::vector<double> list(const at::Tensor& values) {
  const auto dense = values.cpu().to(at::kDouble).contiguous();
  return {dense.const_data_ptr<double>(), dense.const_data_ptr<double>() + dense.numel()};
}

// Pairs of observers, by name.
struct Pairs {
  ObserverPairs choices;
  std::vector<std::string> names;  // of each pair
  std::string what;                // they are
};

std::string named(const std::vector<std::string>& names, int64_t i) {
  const auto at = static_cast<size_t>(i);
  return at < names.size() && !names[at].empty() ? names[at] : std::to_string(i);
}

// Cells that the means leave out, by why. @param cells  [k, c]
std::vector<std::string> undefined_cells(const Pairs& pairs,
                                         const std::vector<std::string>& conditions,
                                         const at::Tensor& cells) {
  const auto missing = cells.isnan().cpu().contiguous();
  if (!missing.any().item<bool>()) return {};
  const int64_t k = cells.size(0), c = cells.size(1);
  const auto& choices = pairs.choices;
  const auto in_condition = at::one_hot(choices.condition, c).to(at::kDouble);
  const auto shared = at::mm(choices.keep.to(at::kDouble), in_condition).cpu().contiguous();
  std::vector<std::string> empty, certain;
  for (int64_t i = 0; i < k; ++i) {
    for (int64_t j = 0; j < c; ++j) {
      if (!missing.const_data_ptr<bool>()[i * c + j]) continue;
      const auto name = pairs.names[static_cast<size_t>(i)] +
                        (c > 1 ? " in condition " + named(conditions, j) : "");
      (shared.const_data_ptr<double>()[i * c + j] > 0 ? certain : empty).push_back(name);
    }
  }
  const auto what = pairs.what + (c > 1 ? " x conditions" : "");
  const auto total = static_cast<size_t>(k * c);
  auto warnings =
      left_out(total, what,
               "have no kappa and are left out of the mean, since observed and expected agreement "
               "are both 1 (both observers are right on every stimulus they share, or both wrong), "
               "which makes it 0/0",
               certain);
  for (auto& warning :
       left_out(total, what, "have no stimulus that both saw and are left out of the mean", empty))
    warnings.push_back(std::move(warning));
  return warnings;
}

// One estimate from the cells of all pairs. @param pair_counts  counts of subjects [b, s] to counts
// of pairs [b, k]
Evaluation from_pairs(ChoiceMetric metric,
                      const Pairs& named_pairs,
                      const std::vector<std::string>& conditions,
                      int64_t n_subjects,
                      const std::function<at::Tensor(const at::Tensor&)>& pair_counts) {
  const auto& pairs = named_pairs.choices;
  const int64_t n = pairs.second.size(1);
  const auto on = at::TensorOptions().dtype(at::kDouble).device(pairs.second.device());
  const auto cells = choice_cells(metric, pairs, at::ones({1, n}, on));  // [1, k, c]
  Evaluation result;
  result.warnings = undefined_cells(named_pairs, conditions, cells[0]);
  result.estimate.per_neuroid = cells[0].cpu();
  result.estimate.split_values = list(cells[0].nanmean(1));
  result.estimate.value = std::abs(mean_skip_nan(result.estimate.split_values));
  result.estimate.error = deviation(
      metric == ChoiceMetric::kErrorConsistency ? list(cells) : result.estimate.split_values, 0);
  result.averaged_over = "subject x condition";
  result.axes = {{Axis::kPresentation, n}};
  if (n_subjects > 1) result.axes[Axis::kSubject] = n_subjects;
  result.usual = Axis::kPresentation;
  result.draws = [metric, pairs, n, on, n_subjects, pair_counts](const Draws& draws) {
    const auto all = choice_cells(metric, pairs, draws.of(Axis::kPresentation, n, on));
    return mean_of_cells(all, pair_counts(draws.of(Axis::kSubject, n_subjects, on)))
        .expand({draws.n});
  };
  return result;
}

}  // namespace

Evaluation evaluate_choices(ChoiceMetric metric,
                            const at::Tensor& network,
                            const SubjectChoices& subjects) {
  Pairs pairs{{network.unsqueeze(0), subjects.correct, subjects.there, subjects.condition,
               subjects.n_conditions},
              {},
              "subjects"};
  const int64_t s = subjects.correct.size(0);
  for (int64_t i = 0; i < s; ++i) pairs.names.push_back(named(subjects.subjects, i));
  return from_pairs(metric, pairs, subjects.conditions, s,
                    [](const at::Tensor& counts) { return counts; });
}

Evaluation evaluate_choice_ceiling(ChoiceMetric metric, const SubjectChoices& subjects) {
  const int64_t s = subjects.correct.size(0);
  if (s < 2) {
    throw bad_input({"choices", "subjects", std::to_string(s), "at least 2",
                     "A ceiling between subjects needs pairs of them"});
  }
  const auto index = at::triu_indices(
      s, s, 1, at::TensorOptions().dtype(at::kLong).device(subjects.correct.device()));
  const auto first = index[0];
  const auto second = index[1];
  Pairs pairs{{subjects.correct.index_select(0, first), subjects.correct.index_select(0, second),
               subjects.there.index_select(0, first) & subjects.there.index_select(0, second),
               subjects.condition, subjects.n_conditions},
              {},
              "pairs of subjects"};
  for (int64_t i = 0; i < s; ++i) {
    for (int64_t j = i + 1; j < s; ++j)
      pairs.names.push_back(named(subjects.subjects, i) + " and " + named(subjects.subjects, j));
  }
  return from_pairs(metric, pairs, subjects.conditions, s,
                    [first, second](const at::Tensor& counts) {
                      return counts.index_select(1, first) * counts.index_select(1, second);
                    });
}

PatternHalves::PatternHalves(const PatternName& name,
                             const at::Tensor& source,
                             const TwoWayTrials& trials,
                             const at::Tensor& truth,
                             int64_t n_objects,
                             bool skipna)
    : rows_(name.by_object ? n_objects : truth.size(0)),
      columns_(name.one_a_row ? 1 : n_objects),
      by_object_(name.by_object),
      on_(at::TensorOptions().dtype(at::kDouble).device(truth.device())) {
  const int64_t n = trials.stimulus.size(0);
  std::vector<int64_t> order;
  NumpyRandomState random(0);
  const auto pattern_of = [&](int64_t begin, int64_t end) {
    const std::vector<int64_t> rows(order.begin() + begin, order.begin() + end);
    const auto index = at::tensor(rows, at::kLong).to(truth.device());
    return confusion_pattern(confusion_of_trials(trials, index, truth, n_objects), truth, name);
  };
  const auto ours = source.defined() ? confusion_pattern(source, truth, name) : source;
  constexpr int kHalvings = 2;
  for (int i = 0; i < kHalvings; ++i) {
    order = random.permutation(n);
    const auto target = pattern_of(0, n / 2);
    const auto from = source.defined() ? ours : pattern_of(n / 2, n);
    if (!skipna && source.defined()) {
      const auto missing = (from.isnan() & target.isnan().logical_not()).sum().item<int64_t>();
      if (missing > 0) {
        throw bad_input({"source", "cells",
                         std::to_string(missing) + " without a value where the target has one",
                         "a value in every cell",
                         "Give probabilities for every object, or --skipna"});
      }
    }
    halves_.emplace_back(from, target);
  }
  count_left_out(truth, source.defined(), n_objects);
}

// Cells that correlations leave out: those that compare an object with itself have no value by
// definition.
void PatternHalves::count_left_out(const at::Tensor& truth, bool of_source, int64_t n_objects) {
  const int64_t own = columns_ == 1 ? 0 : by_object_ ? n_objects : truth.size(0);
  int64_t target_lacks = 0, source_lacks = 0;
  for (const auto& [from, target] : halves_) {
    const auto missing = target.isnan();
    target_lacks += (of_source ? missing : missing | from.isnan()).sum().item<int64_t>() - own;
    if (of_source) source_lacks += (from.isnan() & missing.logical_not()).sum().item<int64_t>();
  }
  const auto halves = static_cast<int64_t>(halves_.size());
  const int64_t total = (rows_ * columns_ - own) * halves;
  warnings_ =
      cortiscore::left_out(target_lacks, total,
                           "cells (images or objects x objects, in " + std::to_string(halves) +
                               " halvings) hold no trial, or rates that are both at their limit, "
                               "in a half of the trials "
                               "and are left out of the correlations");
  for (auto& warning : cortiscore::left_out(
           source_lacks, total, "cells that the target has are missing in the source and left out"))
    warnings_.push_back(std::move(warning));
}

at::Tensor PatternHalves::correlations(const at::Tensor& counts) const {
  std::vector<at::Tensor> values;
  for (const auto& [a, b] : halves_) {
    const auto keep = (a.isnan() | b.isnan()).logical_not();
    const auto flat = [&](const at::Tensor& v) { return at::nan_to_num(v).reshape({-1, 1}); };
    const auto weights = counts.unsqueeze(2)
                             .expand({counts.size(0), counts.size(1), columns_})
                             .reshape({counts.size(0), -1});
    values.push_back(weighted_pearson(weights, flat(a), flat(b), keep.reshape({-1, 1})).squeeze(1));
  }
  return at::stack(values, 1);
}

Evaluation PatternHalves::evaluation() const {
  Evaluation result;
  result.warnings = warnings_;
  result.estimate.per_neuroid = correlations(at::ones({1, rows_}, on_)).cpu();
  result.estimate.split_values = list(result.estimate.per_neuroid);
  result.estimate.value = mean_skip_nan(result.estimate.split_values);
  result.estimate.error = deviation(result.estimate.split_values, 0);
  result.averaged_over = "half of the trials";
  if (by_object_) return result;
  result.axes = {{Axis::kPresentation, rows_}};
  result.usual = Axis::kPresentation;
  result.draws = [halves = *this](const Draws& draws) {
    return halves.correlations(draws.of(Axis::kPresentation, halves.rows_, halves.on_))
        .nanmean(1)
        .expand({draws.n});
  };
  return result;
}

Evaluation evaluate_pattern(const PatternName& name,
                            const at::Tensor& source,
                            const TwoWayTrials& trials,
                            const at::Tensor& truth,
                            int64_t n_objects,
                            bool skipna) {
  return PatternHalves(name, source, trials, truth, n_objects, skipna).evaluation();
}

Evaluation evaluate_accuracy(const at::Tensor& correct) {
  const auto values = correct.to(at::kDouble);
  Evaluation result;
  const auto all = list(values);
  result.estimate.value = mean_skip_nan(all);
  result.estimate.error = deviation(all, 0);
  result.estimate.split_values = {result.estimate.value};
  result.estimate.per_neuroid = values.cpu().unsqueeze(0);
  result.averaged_over = "presentation";
  result.axes = {{Axis::kPresentation, values.size(0)}};
  result.usual = Axis::kPresentation;
  result.draws = [values](const Draws& draws) {
    const auto w = draws.of(Axis::kPresentation, values.size(0), values.options());
    return (at::mv(w, values) / w.sum(1)).expand({draws.n});
  };
  return result;
}

}  // namespace cortiscore
