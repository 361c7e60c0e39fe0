#pragma once
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "src/score/evaluate.h"

namespace cortiscore {

/// Choices by stimulus, observer and cell (a condition; two of them crossed; a category in a
/// condition): how many there are, and how many are right. [n_stimuli, n_observers, n_cells]
/// float64.
struct CellTrials {
  at::Tensor right, all;

  CellTrials to(const at::Device& device) const { return {right.to(device), all.to(device)}; }
};

/// Counts trials. @param stimulus, observer, cell  [t] int64; a trial of cell -1 counts
/// nowhere  @param correct  [t] bool
CellTrials count_trials(const at::Tensor& stimulus,
                        const at::Tensor& observer,
                        const at::Tensor& cell,
                        const at::Tensor& correct,
                        int64_t n_stimuli,
                        int64_t n_observers,
                        int64_t n_cells);

/// A comparison of accuracies (or of choices) cell by cell, by the platform's name.
struct CellMetric {
  /// accuracy_delta: cells are (whole, manipulated) x categories: drawn subjects' mean loss of
  ///   accuracy beside the network's, whose categories are averaged. Ceiling: halves of subjects,
  ///   the median. BENCHMARKS.md 2.13.
  /// condition_accuracy: Pearson correlation over conditions, of each subject; the mean over
  ///   subjects. Ceiling: each subject with the mean of the others. The platform's
  ///   Coggan2024_behavior.
  /// value_delta: cells are two blocks x positions: exp(-scale |a - b|) of the areas under the
  ///   second block's accuracy less the first's, along positions (trapezoids, to 4 decimals);
  ///   subjects' accuracies freed of lapses, (acc - lapse / 2) / (1 - lapse), and averaged.
  ///   BENCHMARKS.md 2.15 and 2.16.
  /// tasks_consistency: Pearson correlation over cells, subjects' trials pooled. BENCHMARKS.md
  /// 2.19.
  /// confusion_similarity: cells are truth x choice; Pearson correlation of counts off the
  ///   diagonal. BENCHMARKS.md 2.19.
  std::string name;
  std::vector<int64_t> subject_numbers;  ///< accuracy_delta: what its draws go by
  std::vector<std::string> subjects;     ///< names, for warnings; may be empty
  std::vector<double> positions;         ///< value_delta
  double scale = 1, lapse = 0;
};

/// The share of all trials that are right.
double share_right(const CellTrials& trials);

bool is_cell_metric(const std::string& name);

/// Draws: presentations. @param network  one observer
Evaluation evaluate_cells(const CellMetric& metric,
                          const CellTrials& network,
                          const CellTrials& subjects);

/// What subjects reach among themselves; nothing for metrics whose ceilings are published alone
/// (value_delta, tasks_consistency, confusion_similarity).
std::optional<Evaluation> evaluate_cell_ceiling(const CellMetric& metric,
                                                const CellTrials& subjects);

/// A value that was published, as an evaluation that no draw changes.
Evaluation constant_evaluation(double value);

}  // namespace cortiscore
