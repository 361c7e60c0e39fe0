#include "src/ranking/league.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <string>
#include <utility>

#include "src/core/natural_order.h"
#include "src/score/statistics.h"

namespace cortiscore {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct Entry {
  Ranked ranked;
  std::vector<double> draws;  // of the composite; empty where it has none
  bool uncertain = false;     // some error is known

  double value() const { return ranked.nodes.front().value; }
};

// A record's own interval, as the tree has its score.
Ends stated(const BoardCell& cell, const Tree& tree) {
  const auto end = [&](double value) { return tree.clip ? std::clamp(value, 0.0, 1.0) : value; };
  return {end(cell.lo), end(cell.hi)};
}

Entry entry_of(const BoardNetwork& network, const Scoreboard& board, size_t n, double level) {
  Entry entry;
  auto& ranked = entry.ranked;
  ranked.network = &network;
  const auto scores = network.scores();
  ranked.nodes = aggregate(board.tree, scores);
  ranked.imported = std::all_of(network.cells.begin(), network.cells.end(), [](const auto& cell) {
    return cell.second.standing == Standing::kImported;
  });
  std::map<std::string, std::string> unpaired;
  const auto draws = leaf_draws(network, n, unpaired);
  if (!unpaired.empty()) ranked.unpaired = unpaired.begin()->second;
  auto nodes = aggregate_draws(board.tree, scores, draws, n);
  for (size_t i = 0; i < nodes.size(); ++i) {
    ranked.intervals.push_back(ends_of(nodes[i], level));
    // What stands in for the draws of a record is for composites; it states its own interval.
    if (unpaired.contains(ranked.nodes[i].name) && ranked.nodes[i].leaf)
      ranked.intervals.back() = stated(*network.find(ranked.nodes[i].name), board.tree);
  }
  entry.draws = std::move(nodes.front());
  entry.uncertain = !std::isnan(ranked.intervals.front().lo);
  return entry;
}

bool separated(const Entry& a, const Entry& b, double level) {
  if (!a.uncertain && !b.uncertain) return platform_text(a.value()) != platform_text(b.value());
  std::vector<double> differences;
  for (size_t i = 0; i < a.draws.size(); ++i) differences.push_back(a.draws[i] - b.draws[i]);
  const auto ends = ends_of(differences, level);
  // No draw of the difference differs from another, as where both are clipped to one value.
  if (std::isnan(ends.lo)) return platform_text(a.value()) != platform_text(b.value());
  return ends.lo > 0 || ends.hi < 0;
}

// How many are above, in every draw, and one.
void set_places_over_draws(std::vector<Entry>& entries, size_t n, double level) {
  std::vector<std::vector<double>> places(entries.size());
  for (size_t draw = 0; draw < n; ++draw) {
    std::vector<double> sorted;
    for (const auto& entry : entries) {
      if (!entry.draws.empty() && !std::isnan(entry.draws[draw]))
        sorted.push_back(entry.draws[draw]);
    }
    std::sort(sorted.begin(), sorted.end());
    for (size_t i = 0; i < entries.size(); ++i) {
      if (entries[i].draws.empty() || std::isnan(entries[i].draws[draw])) continue;
      const auto above =
          sorted.end() - std::upper_bound(sorted.begin(), sorted.end(), entries[i].draws[draw]);
      places[i].push_back(static_cast<double>(above) + 1);
    }
  }
  for (size_t i = 0; i < entries.size(); ++i) {
    if (places[i].empty()) continue;
    std::sort(places[i].begin(), places[i].end());
    // Places are whole: outwards, so that at least so many are inside.
    auto& ranked = entries[i].ranked;
    ranked.place_lo = static_cast<int64_t>(std::floor(percentile(places[i], (1 - level) / 2)));
    ranked.place_hi = static_cast<int64_t>(std::ceil(percentile(places[i], (1 + level) / 2)));
  }
}

}  // namespace

Ends ends_of(const std::vector<double>& draws, double level) {
  std::vector<double> sorted;
  std::copy_if(draws.begin(), draws.end(), std::back_inserter(sorted),
               [](double draw) { return !std::isnan(draw); });
  if (sorted.size() < 2) return {kNaN, kNaN};
  std::sort(sorted.begin(), sorted.end());
  if (sorted.front() == sorted.back()) return {kNaN, kNaN};
  return {percentile(sorted, (1 - level) / 2), percentile(sorted, (1 + level) / 2)};
}

std::vector<Ranked> rank(const Scoreboard& board, double level) {
  std::vector<const BoardNetwork*> networks;
  for (const auto& network : board.networks) networks.push_back(&network);
  const auto n = usual_draws(networks);
  std::vector<Entry> entries;
  for (const auto& network : board.networks) entries.push_back(entry_of(network, board, n, level));
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    const double x = a.value(), y = b.value();
    if (std::isnan(x) || std::isnan(y)) return !std::isnan(x) && std::isnan(y);
    return x != y ? x > y : natural_less(a.ranked.network->name, b.ranked.network->name);
  });
  const bool uncertain = std::any_of(entries.begin(), entries.end(),
                                     [](const Entry& entry) { return entry.uncertain; });
  if (uncertain) set_places_over_draws(entries, n, level);
  size_t first = 0;
  for (size_t i = 0; i < entries.size() && !std::isnan(entries[i].value()); ++i) {
    if (i == 0 || separated(entries[first], entries[i], level)) first = i;
    entries[i].ranked.place = static_cast<int64_t>(first) + 1;
  }
  std::vector<Ranked> ranking;
  for (auto& entry : entries) ranking.push_back(std::move(entry.ranked));
  return ranking;
}

}  // namespace cortiscore
