#pragma once
#include <string>
#include <vector>

#include "src/data/choices.h"
#include "src/score/cells.h"
#include "src/score/choices.h"

namespace cortiscore {

/// Whether a network is right on each of `stimuli`. @throws Error(kBadInput)  a stimulus that it
/// lacks, or twice
at::Tensor right_on(const ChoiceTable& network, const std::vector<std::string>& stimuli);

/// Choices of subjects, and of a network where one is compared, in the same cells.
struct CellChoices {
  CellMetric metric;
  CellTrials network, subjects;
};
/// @param network  null: subjects alone  @param whole, manipulated  accuracy_delta: the conditions
CellChoices cell_choices(const std::string& metric,
                         const ChoiceTable* network,
                         const ChoiceTable& subjects,
                         const std::string& whole,
                         const std::string& manipulated);

}  // namespace cortiscore
