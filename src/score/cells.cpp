#include "src/score/cells.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/metric/accuracy_delta.h"
#include "src/metric/value_delta.h"
#include "src/score/diagnostics.h"
#include "src/score/statistics.h"

namespace cortiscore {
namespace {

constexpr const char* kNoCorrelation =
    "have the same accuracy in every condition, or too few, and are left out of the mean";

// [n, observers, cells] summed over stimuli, each as often as drawn: [b, observers, cells].
at::Tensor sums(const at::Tensor& counts, const at::Tensor& values) {
  return at::mm(counts, values.flatten(1)).unflatten(1, {values.size(1), values.size(2)});
}

// NaN where a cell has no trial.
at::Tensor accuracy_of(const at::Tensor& counts, const CellTrials& trials) {
  return sums(counts, trials.right) / sums(counts, trials.all);
}

CellTrials pooled(const CellTrials& trials) {
  return {trials.right.sum(1, true), trials.all.sum(1, true)};
}

// Pearson correlation along the last dimension, of what neither lacks.
at::Tensor pearson(const at::Tensor& x, const at::Tensor& y) {
  const auto both = at::broadcast_tensors({x, y});
  const auto &a = both[0], &b = both[1];
  const auto there = (a.isnan() | b.isnan()).logical_not();
  const auto n = there.sum(-1, true);
  const auto centred = [&](const at::Tensor& v) {
    const auto known = at::where(there, v, 0.0);
    return at::where(there, known - known.sum(-1, true) / n, 0.0);
  };
  const auto p = centred(a), q = centred(b);
  return (p * q).sum(-1) / ((p * p).sum(-1) * (q * q).sum(-1)).sqrt();
}

// Losses of accuracy from the first half of the cells (whole) to the second (manipulated).
at::Tensor network_loss(const at::Tensor& counts, const CellTrials& network) {
  const auto by_kind =
      accuracy_of(counts, network).squeeze(1).unflatten(1, {2, network.all.size(2) / 2}).nanmean(2);
  return by_kind.select(1, 0) - by_kind.select(1, 1);
}

at::Tensor subject_losses(const at::Tensor& counts, const CellTrials& subjects) {
  const auto by_kind = [&](const at::Tensor& values) {
    return values.unflatten(2, {2, values.size(2) / 2}).sum(3);
  };
  const auto accuracy = accuracy_of(counts, {by_kind(subjects.right), by_kind(subjects.all)});
  return accuracy.select(2, 0) - accuracy.select(2, 1);
}

// Area under the second block's gain of accuracy over the first's. @param accuracy  [b, 2 x
// positions]
at::Tensor gain_area(const at::Tensor& accuracy, const std::vector<double>& positions) {
  const auto blocks = accuracy.unflatten(1, {2, static_cast<int64_t>(positions.size())});
  const auto x = at::tensor(positions, accuracy.options());
  const auto area = at::trapezoid(blocks.select(1, 1) - blocks.select(1, 0), x, 1);
  return at::round(area, 4);
}

at::Tensor off_diagonal(const at::Tensor& confusions) {
  const auto k =
      static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(confusions.size(-1)))));
  const auto keep = at::eye(k, confusions.options()).flatten() == 0;
  return confusions.index_select(-1, keep.nonzero().squeeze(1));
}

std::vector<double> list(const at::Tensor& values) {
  const auto dense = values.cpu().contiguous();
  return {dense.const_data_ptr<double>(), dense.const_data_ptr<double>() + dense.numel()};
}

std::vector<std::string> named_where(const at::Tensor& flags,
                                     const std::vector<std::string>& names) {
  const auto dense = flags.cpu().contiguous();
  std::vector<std::string> found;
  for (int64_t i = 0; i < dense.numel(); ++i) {
    const auto at = static_cast<size_t>(i);
    if (dense.const_data_ptr<bool>()[i])
      found.push_back(at < names.size() && !names[at].empty() ? names[at] : std::to_string(i));
  }
  return found;
}

// Parts of a mean that have no value. @param parts  [k]
std::vector<std::string> undefined_parts(const at::Tensor& parts,
                                         const std::string& what,
                                         const std::string& why,
                                         const std::vector<std::string>& names) {
  return left_out(static_cast<size_t>(parts.numel()), what, why, named_where(parts.isnan(), names));
}

// Cells that hold no trial of an observer, who is then compared in the others.
// @param accuracy  [observers, cells]
std::vector<std::string> empty_cells(const at::Tensor& accuracy, const std::string& of) {
  return left_out(accuracy.isnan().sum().item<int64_t>(), accuracy.numel(),
                  "accuracies of " + of + " have no trial behind them and are left out");
}

void append(std::vector<std::string>& into, const std::vector<std::string>& more) {
  into.insert(into.end(), more.begin(), more.end());
}

at::Tensor ones_of(const CellTrials& trials) {
  return at::ones({1, trials.all.size(0)}, trials.all.options());
}

// Drawn subjects count by their losses: without one a subject is left out, and a mean that is none
// or zero scores 0.
std::vector<std::string> loss_warnings(const CellMetric& metric,
                                       const CellTrials& subjects,
                                       const at::Tensor& drawn) {
  const auto losses = subject_losses(ones_of(subjects), subjects).squeeze(0);
  auto warnings = undefined_parts(
      losses, "subjects",
      "have no loss of accuracy, lacking trials of a condition, and are left out", metric.subjects);
  const auto known = losses.isnan().logical_not().to(at::kDouble);
  const auto mean = at::mv(drawn, at::nan_to_num(losses)) / at::mv(drawn, known);
  append(warnings,
         left_out(
             (mean.isnan() | (mean == 0)).sum().item<int64_t>(), mean.numel(),
             "draws of subjects lose nothing from one condition to the other, or have no loss, and "
             "count as 0, as the platform counts them"));
  return warnings;
}

// @param parts  [b, k] of counts [b, n]; the value is their mean, or median, over k
Evaluation of_parts(const std::function<at::Tensor(const at::Tensor&)>& parts,
                    const at::Tensor& trials,
                    const std::string& averaged_over,
                    bool median = false) {
  const int64_t n = trials.size(0);
  const auto on = trials.options();
  Evaluation e;
  e.estimate.per_neuroid = parts(at::ones({1, n}, on)).cpu();
  e.estimate.split_values = list(e.estimate.per_neuroid);
  e.estimate.value =
      median ? median_skip_nan(e.estimate.split_values) : mean_skip_nan(e.estimate.split_values);
  e.estimate.error =
      e.estimate.split_values.size() > 1 ? deviation(e.estimate.split_values, 0) : std::nan("");
  e.averaged_over = averaged_over;
  e.axes = {{Axis::kPresentation, n}};
  e.usual = Axis::kPresentation;
  e.draws = [=](const Draws& draws) {
    const auto all = parts(draws.of(Axis::kPresentation, n, on));
    // The platform's median of an even number is the mean of the middle two.
    const auto value = median ? at::nanquantile(all, 0.5, 1) : all.nanmean(1);
    return value.expand({draws.n});
  };
  return e;
}

const std::vector<std::string> kCellMetrics = {"accuracy_delta", "condition_accuracy",
                                               "value_delta", "tasks_consistency",
                                               "confusion_similarity"};

}  // namespace

CellTrials count_trials(const at::Tensor& stimulus,
                        const at::Tensor& observer,
                        const at::Tensor& cell,
                        const at::Tensor& correct,
                        int64_t n_stimuli,
                        int64_t n_observers,
                        int64_t n_cells) {
  const auto counts = (cell >= 0).to(at::kDouble);
  const auto place = (stimulus * n_observers + observer) * n_cells + cell.clamp_min(0);
  const auto sum = [&](const at::Tensor& values) {
    return at::zeros({n_stimuli * n_observers * n_cells}, counts.options())
        .index_add(0, place, values)
        .view({n_stimuli, n_observers, n_cells});
  };
  return {sum(counts * correct.to(at::kDouble)), sum(counts)};
}

double share_right(const CellTrials& trials) {
  return (trials.right.sum() / trials.all.sum()).item<double>();
}

bool is_cell_metric(const std::string& name) {
  return std::find(kCellMetrics.begin(), kCellMetrics.end(), name) != kCellMetrics.end();
}

Evaluation evaluate_cells(const CellMetric& metric,
                          const CellTrials& network,
                          const CellTrials& subjects) {
  if (metric.name == "accuracy_delta") {
    const auto drawn = drawn_subjects(metric.subject_numbers, false).to(network.all.device());
    auto e = of_parts(
        [=](const at::Tensor& counts) {
          return accuracy_delta_scores(network_loss(counts, network),
                                       subject_losses(counts, subjects), drawn);
        },
        subjects.all, "subset of subjects");
    e.warnings = loss_warnings(metric, subjects, drawn);
    append(e.warnings, empty_cells(accuracy_of(ones_of(network), network)[0], "the network"));
    return e;
  }
  if (metric.name == "condition_accuracy") {
    auto e = of_parts(
        [=](const at::Tensor& counts) {
          return pearson(accuracy_of(counts, network), accuracy_of(counts, subjects));
        },
        subjects.all, "subject");
    e.warnings =
        undefined_parts(e.estimate.per_neuroid[0], "subjects", kNoCorrelation, metric.subjects);
    append(e.warnings, empty_cells(accuracy_of(ones_of(subjects), subjects)[0], "subjects"));
    append(e.warnings, empty_cells(accuracy_of(ones_of(network), network)[0], "the network"));
    return e;
  }
  if (metric.name == "value_delta") {
    auto e = of_parts(
        [=](const at::Tensor& counts) {
          const auto accuracy = accuracy_of(counts, subjects);
          const auto free_of_lapses =
              ((accuracy - metric.lapse / 2) / (1 - metric.lapse)).nanmean(1);
          const auto theirs = gain_area(free_of_lapses, metric.positions);
          const auto ours = gain_area(accuracy_of(counts, network).squeeze(1), metric.positions);
          return value_delta(ours, theirs, metric.scale).unsqueeze(1);
        },
        subjects.all, "nothing");
    e.warnings = empty_cells(accuracy_of(ones_of(subjects), subjects)[0], "subjects");
    return e;
  }
  const auto everyone = pooled(subjects);
  if (metric.name == "tasks_consistency") {
    auto e = of_parts(
        [=](const at::Tensor& counts) {
          return pearson(accuracy_of(counts, network), accuracy_of(counts, everyone));
        },
        everyone.all, "nothing");
    e.warnings = empty_cells(accuracy_of(ones_of(everyone), everyone)[0], "subjects");
    append(e.warnings, empty_cells(accuracy_of(ones_of(network), network)[0], "the network"));
    return e;
  }
  return of_parts(
      [=](const at::Tensor& counts) {
        return pearson(off_diagonal(sums(counts, network.all)),
                       off_diagonal(sums(counts, everyone.all)));
      },
      everyone.all, "nothing");
}

std::optional<Evaluation> evaluate_cell_ceiling(const CellMetric& metric,
                                                const CellTrials& subjects) {
  if (metric.name == "accuracy_delta") {
    const auto drawn = drawn_subjects(metric.subject_numbers, true).to(subjects.all.device());
    auto e = of_parts(
        [=](const at::Tensor& counts) {
          return accuracy_delta_halves(subject_losses(counts, subjects), drawn);
        },
        subjects.all, "half of the subjects", true);
    e.warnings = loss_warnings(metric, subjects, drawn);
    return e;
  }
  if (metric.name == "condition_accuracy") {
    auto e = of_parts(
        [=](const at::Tensor& counts) {
          const auto all = accuracy_of(counts, subjects);
          const auto known = all.isnan().logical_not();
          const auto total = at::nan_to_num(all).sum(1, true), n = known.sum(1, true);
          const auto others = (total - at::nan_to_num(all)) / (n - known.to(at::kLong));
          return pearson(all, others);
        },
        subjects.all, "subject");
    e.warnings =
        undefined_parts(e.estimate.per_neuroid[0], "subjects", kNoCorrelation, metric.subjects);
    append(e.warnings, empty_cells(accuracy_of(ones_of(subjects), subjects)[0], "subjects"));
    return e;
  }
  return std::nullopt;
}

Evaluation constant_evaluation(double value) {
  Evaluation e;
  e.estimate.value = value;
  e.estimate.error = std::nan("");
  e.estimate.split_values = {value};
  e.averaged_over = "nothing";
  e.draws = [value](const Draws& draws) { return at::full({draws.n}, value, at::kDouble); };
  return e;
}

}  // namespace cortiscore
