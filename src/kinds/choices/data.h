#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "src/benchmark/recordings.h"
#include "src/kinds/choices/definition.h"
#include "src/score/cells.h"
#include "src/score/choices.h"

namespace cortiscore {

/// Choices of observers on the test stimuli.
struct ChoiceData
    : Recordings {  ///< stimuli of the fit first, then those of the test that are not among them
  int64_t n_fit = 0;
  std::vector<int64_t> test;    ///< rows of `stimuli`
  std::vector<int64_t> labels;  ///< readout: class code of every fit stimulus
  std::vector<std::string> class_names;
  std::vector<int64_t> truth,
      texture;  ///< class codes of the test stimuli; patterns: places in `objects`
  std::vector<std::string> subjects;
  SubjectChoices choices;  ///< of subjects on the test stimuli; not for patterns
  /// [n_subjects, n_test] int64: code of the choice, -1 for none or one that is no class
  at::Tensor chosen;
  TwoWayTrials trials;           ///< patterns: of all subjects
  std::vector<int64_t> objects;  ///< patterns: class codes of what was offered and chosen
  CellMetric cell_metric;        ///< metrics of conditions
  CellTrials cells;              ///< of subjects, by test stimulus
  at::Tensor cell;               ///< [n_test] int64, the cell of each test stimulus
  at::Tensor triplets;           ///< odd one out: [t, 3] int64, rows of `stimuli`
  at::Tensor odd;                ///< [t] int64: the row that the subject chose
  /// Decisions: the outputs of a classifier that speak for each class. Source: Geirhos et al. 2021.
  std::vector<std::vector<int64_t>> outputs;
};

}  // namespace cortiscore
