#pragma once
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cortiscore/error.h"
#include "src/core/stop.h"
#include "src/engine/outcome.h"
#include "src/engine/workbench.h"
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

/// How the layer of a score is found.
enum class ChoiceWay {
  kOne,     ///< there is one
  kNested,  ///< in every split on its train presentations; of RDMs for every subject on the others
  kHalves   ///< on each half of the presentations, scored on the other
};

/// @param n_layers   that are looked at
/// @param can_nest   whether there is something to choose within
/// @throws Error(kUsage)  several layers, and the benchmark has no selection
ChoiceWay choice_way(const RecordedBenchmark& benchmark,
                     size_t n_layers,
                     LayerChoice asked,
                     bool can_nest);

/// Layers that were chosen several times over, each time without a look at what the chosen one is
/// scored on.
struct NestedChoice {
  std::vector<std::string> layers;
  std::vector<std::vector<double>> values;  ///< [times][layers]: what they competed by
  /// a time: place in `layers`; none where no layer has a value
  std::vector<std::optional<size_t>> chosen;

  /// Those that won at all, in the order of `layers`.
  std::vector<size_t> winners() const;
  /// The most frequent one; of several the first. The first layer where none won at all.
  std::string layer() const;
  /// That, and that there are others.
  std::string label() const;
  /// For the record. @param by  what was chosen for: "split" or "subject"
  Json selection(const std::string& by, const ScoreOptions& options) const;
};

/// The layer of highest value, each time.
/// @param by        as selection()'s
/// @param warnings  gains what has no value and cannot be chosen
NestedChoice choose_each_time(const std::vector<ReducedLayer>& layers,
                              std::vector<std::vector<double>> values,
                              const std::string& by,
                              std::vector<std::string>& warnings);

/// A committed layer scored on all presentations; or layers that compete on each half of the
/// presentations, the best scored on the other half, so that none is scored on what chose it.
/// @param way        kOne or kHalves
/// @param prepared   whole() and halves() of its parts
/// @param value      (layer, part): what layers compete by
/// @param score      (layer, part): scores the chosen one, once or once a half
/// @return the layers chosen; outcome.layer is filled, and outcome.layer_selection where they
/// competed
template <typename Prepared, typename Value, typename ScorePart>
std::vector<std::string> score_chosen_layers(ChoiceWay way,
                                             const RecordedBenchmark& benchmark,
                                             const std::vector<ReducedLayer>& reduced,
                                             const ScoreOptions& options,
                                             Prepared& prepared,
                                             const Value& value,
                                             const ScorePart& score,
                                             Outcome& outcome) {
  std::vector<std::string> layers, chosen;
  for (const auto& layer : reduced) layers.push_back(layer.layer);
  if (way == ChoiceWay::kOne) {
    score(reduced[0], prepared.whole());
    outcome.layer = layers[0];
    return layers;
  }
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
                             {"from", name_of(options.from)},
                             {"most", options.n_candidates},
                             {"raw_on_selecting_half", values},
                             {"chosen", chosen}};
  outcome.layer = chosen[0] != chosen[1] ? chosen[0] + " + " + chosen[1] : chosen[0];
  return chosen;
}

}  // namespace cortiscore
