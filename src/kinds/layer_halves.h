#pragma once
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "cortiscore/error.h"
#include "src/core/stop.h"
#include "src/engine/outcome.h"
#include "src/kinds/recorded.h"
#include "src/score/diagnostics.h"

namespace cortiscore {

/// begin, begin + 1, ... end - 1.
std::vector<int64_t> rows_from(int64_t begin, int64_t end);

/// Rows from `first` on of the even-indexed groups of a column, in sorted order of the groups, and
/// of the odd ones.
/// @throws Error(kBadInput)  one group alone
std::pair<std::vector<int64_t>, std::vector<int64_t>> alternating(const StimulusSet& stimuli,
                                                                  const std::string& by,
                                                                  int64_t first = 0);

/// A committed layer scored on all presentations; or layers that compete on each half of the
/// presentations, the best scored on the other half, so that none is scored on what chose it.
/// @param prepared   whole() and halves() of its parts
/// @param value      (layer, part): what layers compete by
/// @param score      (layer, part): scores the chosen one, once or once a half
/// @return the layers chosen; outcome.layer is filled, and outcome.layer_selection where they
/// competed
/// @throws Error(kUsage)  several layers, and the benchmark has no selection
template <typename Prepared, typename Value, typename ScorePart>
std::vector<std::string> score_chosen_layers(const RecordedBenchmark& benchmark,
                                             const std::vector<ReducedLayer>& reduced,
                                             Prepared& prepared,
                                             const Value& value,
                                             const ScorePart& score,
                                             Outcome& outcome) {
  std::vector<std::string> layers, chosen;
  for (const auto& layer : reduced) layers.push_back(layer.layer);
  if (layers.size() == 1 || benchmark.select_by.empty()) {
    if (layers.size() > 1) {
      throw Error(ErrorKind::kUsage,
                  benchmark.identifier + " has no layer selection: commit to one with --layer.");
    }
    score(reduced[0], prepared.whole());
    chosen.push_back(layers[0]);
  } else {
    const auto& [even, odd] = prepared.halves();
    Json values = Json::array();
    for (const auto* select_on : {&even, &odd}) {
      std::vector<double> competing;
      for (const auto& layer : reduced) {
        check_stop();
        competing.push_back(value(layer, *select_on));
      }
      const auto place = best_of(competing);
      values.push_back(numbers(competing));
      std::vector<std::string> undefined;
      for (size_t i = 0; i < layers.size(); ++i) {
        if (std::isnan(competing[i])) undefined.push_back(layers[i]);
      }
      for (const auto& warning :
           left_out(layers.size(), "layers", "have no value and cannot be chosen", undefined))
        outcome.warnings.push_back(
            (select_on == &even ? "chosen on even groups: " : "chosen on odd groups: ") + warning);
      score(reduced[place], select_on == &even ? odd : even);
      chosen.push_back(layers[place]);
    }
    outcome.layer_selection = {{"method", "alternating_halves"},
                               {"by", benchmark.select_by},
                               {"candidates", layers},
                               {"raw_on_selecting_half", values},
                               {"chosen", chosen}};
  }
  outcome.layer =
      chosen.size() == 2 && chosen[0] != chosen[1] ? chosen[0] + " + " + chosen[1] : chosen[0];
  return chosen;
}

}  // namespace cortiscore
