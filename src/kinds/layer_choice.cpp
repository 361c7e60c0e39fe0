#include "src/kinds/layer_choice.h"

#include <algorithm>
#include <numeric>
#include <set>

namespace cortiscore {

std::vector<int64_t> rows_from(int64_t begin, int64_t end) {
  std::vector<int64_t> rows(static_cast<size_t>(end - begin));
  std::iota(rows.begin(), rows.end(), begin);
  return rows;
}

std::pair<std::vector<int64_t>, std::vector<int64_t>> alternating(const StimulusSet& stimuli,
                                                                  const std::string& by,
                                                                  int64_t first) {
  const auto group_of = stimuli.column(by);
  const std::set<std::string> groups(group_of.begin() + first, group_of.end());
  std::vector<int64_t> even, odd;
  for (auto i = static_cast<size_t>(first); i < group_of.size(); ++i) {
    const auto place = std::distance(groups.begin(), groups.find(group_of[i]));
    (place % 2 == 0 ? even : odd).push_back(static_cast<int64_t>(i));
  }
  if (odd.empty()) {
    throw bad_input({stimuli.path(), by, "one group",
                     "at least two, to choose a layer on one half and score on the other",
                     "Commit to a layer with --layer"});
  }
  return {even, odd};
}

ChoiceWay choice_way(const RecordedBenchmark& benchmark,
                     size_t n_layers,
                     LayerChoice asked,
                     bool can_nest) {
  if (n_layers == 1) return ChoiceWay::kOne;
  if (benchmark.select_by.empty()) {
    throw Error(ErrorKind::kUsage,
                benchmark.identifier + " has no layer selection: commit to one with --layer.");
  }
  return asked == LayerChoice::kNested && can_nest ? ChoiceWay::kNested : ChoiceWay::kHalves;
}

std::vector<size_t> NestedChoice::winners() const {
  std::set<size_t> distinct;
  for (const auto& place : chosen) {
    if (place) distinct.insert(*place);
  }
  return {distinct.begin(), distinct.end()};
}

std::string NestedChoice::layer() const {
  const auto all = winners();
  if (all.empty()) return layers.front();
  const auto wins = [&](size_t place) { return std::count(chosen.begin(), chosen.end(), place); };
  return layers[*std::max_element(all.begin(), all.end(),
                                  [&](size_t a, size_t b) { return wins(a) < wins(b); })];
}

std::string NestedChoice::label() const {
  const auto n = winners().size();
  return n < 2 ? layer() : layer() + " and " + std::to_string(n - 1) + " more";
}

Json NestedChoice::selection(const std::string& by, const ScoreOptions& options) const {
  Json rows = Json::array(), names = Json::array();
  for (const auto& row : values) rows.push_back(numbers(row));
  for (const auto& place : chosen) names.push_back(place ? Json(layers[*place]) : Json(nullptr));
  return {{"method", "nested"},
          {"by", by},
          {"candidates", layers},
          {"from", name_of(options.from)},
          {"most", options.n_candidates},
          {"raw_where_chosen", rows},
          {"chosen", names}};
}

NestedChoice choose_each_time(const std::vector<ReducedLayer>& layers,
                              std::vector<std::vector<double>> values,
                              const std::string& by,
                              std::vector<std::string>& warnings) {
  NestedChoice choice;
  for (const auto& layer : layers) choice.layers.push_back(layer.layer);
  choice.values = std::move(values);
  std::vector<std::string> undefined;
  for (size_t i = 0; i < layers.size(); ++i) {
    if (std::any_of(choice.values.begin(), choice.values.end(),
                    [&](const auto& row) { return std::isnan(row[i]); }))
      undefined.push_back(choice.layers[i]);
  }
  for (auto& warning : left_out(layers.size(), "layers",
                                "have no value somewhere and cannot be chosen there", undefined))
    warnings.push_back(std::move(warning));
  int64_t without = 0;
  for (const auto& row : choice.values) {
    const auto best = best_of(row);
    if (std::isnan(row[best])) {
      ++without;
      choice.chosen.emplace_back();
    } else {
      choice.chosen.emplace_back(best);
    }
  }
  for (auto& warning : left_out(without, static_cast<int64_t>(choice.values.size()),
                                by + "s have no score: no layer has a value to be chosen by"))
    warnings.push_back(std::move(warning));
  return choice;
}

}  // namespace cortiscore
