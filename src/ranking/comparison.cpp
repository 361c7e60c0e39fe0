#include "src/ranking/comparison.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <map>
#include <numeric>
#include <optional>

#include <ATen/core/Tensor.h>

#include "cortiscore/error.h"
#include "cortiscore/score.h"
#include "src/core/notes.h"
#include "src/resample/bootstrap.h"
#include "src/score/compare.h"
#include "src/score/statistics.h"

namespace cortiscore {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kPermutations = 10000;

// Raw scores of every split and neuroid, row by row.
struct Neuroids {
  size_t splits = 0, neuroids = 0;
  std::vector<double> values;

  // The mean over splits of the median over neuroids, with those of `other` where `swap` says so.
  double score(const Neuroids& other, const bool* swap) const {
    std::vector<double> medians, row(neuroids);
    for (size_t split = 0; split < splits; ++split) {
      for (size_t i = 0; i < neuroids; ++i)
        row[i] = (swap && swap[i] ? other : *this).values[split * neuroids + i];
      medians.push_back(median_skip_nan(row));
    }
    return mean_skip_nan(medians);
  }

  // Of every neuroid, the mean over splits.
  std::vector<double> means() const {
    std::vector<double> all;
    for (size_t i = 0; i < neuroids; ++i) {
      std::vector<double> column;
      for (size_t split = 0; split < splits; ++split)
        column.push_back(values[split * neuroids + i]);
      all.push_back(mean_skip_nan(column));
    }
    return all;
  }
};

// Those of a record. @param why  set where there are none to exchange, to stand behind "the record"
std::optional<Neuroids> neuroids_of(const BoardCell& cell, std::string& why) {
  why = cell.neuroids.why;
  if (cell.neuroids.packed.empty()) return std::nullopt;
  Neuroids found;
  found.values = unpacked(cell.neuroids.packed);
  found.splits = static_cast<size_t>(cell.neuroids.splits);
  found.neuroids = found.values.size() / found.splits;
  constexpr double kFloat32 = 1e-6;
  if (!(std::abs(found.score(found, nullptr) - cell.raw) <= kFloat32)) {
    why = cell.pooled ? "keeps scores a neuroid that are not those of its raw score"
                      : "has several populations, whose scores are averaged";
    return std::nullopt;
  }
  if (found.neuroids > 1) return found;
  why = "has one neuroid";
  return std::nullopt;
}

double p_of_neuroids(const Neuroids& a, const Neuroids& b) {
  const auto n = static_cast<int64_t>(a.neuroids);
  const double observed = std::abs(a.score(b, nullptr) - b.score(a, nullptr));
  std::vector<double> null_values;
  constexpr int64_t kBlock = 256;
  for (int64_t begin = 0; begin < kPermutations; begin += kBlock) {
    const auto swaps = random_signs(0, begin, std::min(kBlock, kPermutations - begin), n);
    for (int64_t i = 0; i < swaps.size(0); ++i) {
      const bool* const swap = swaps.const_data_ptr<bool>() + i * n;
      null_values.push_back(std::abs(a.score(b, swap) - b.score(a, swap)));
    }
  }
  return p_value_above(null_values, observed * (1 - 1e-12));
}

struct Side {
  std::vector<NodeScore> nodes;
  std::vector<std::vector<double>> draws;  // of every node; empty where it has no score
  std::map<std::string, std::vector<double>> leaves;
};

Side side_of(const BoardNetwork& network, const Scoreboard& board, size_t n) {
  std::map<std::string, std::string> unpaired;  // asked for below, a node at a time
  Side side;
  side.leaves = leaf_draws(network, n, unpaired);
  side.nodes = aggregate(board.tree, network.scores());
  side.draws = aggregate_draws(board.tree, network.scores(), side.leaves, n);
  return side;
}

std::string about(const BoardNetwork& network, const std::string& why) {
  return "the record of " + network.name + " " + why;
}

// Why the draws of a leaf's score, or of some score, are not those of its record; empty where they
// are.
std::string unpaired_of(const BoardNetwork& network, size_t n, const std::string& leaf) {
  for (const auto& [benchmark, cell] : network.cells) {
    if ((!leaf.empty() && benchmark != leaf) || std::isnan(cell.score.value)) continue;
    std::string why;
    if (own_draws(cell, n, why).empty()) return about(network, why);
  }
  return {};
}

// Which scores below a node one network has and the other has not been given yet: their difference
// would be of what was scored, not of the networks.
std::string lacking_below(const std::vector<NodeScore>& nodes,
                          size_t node,
                          const BoardNetwork& first,
                          const BoardNetwork& second) {
  for (size_t i = node + 1; i < nodes.size() && nodes[i].depth > nodes[node].depth; ++i) {
    if (!nodes[i].leaf) continue;
    const bool of_first = first.was_scored(nodes[i].name);
    if (of_first != second.was_scored(nodes[i].name))
      return (of_first ? second : first).name + " has no score on " + nodes[i].name;
  }
  return {};
}

// Which score below a node is without an error, as published ones are: a difference to it would
// have the error of the other alone.
std::string without_error_below(const std::vector<NodeScore>& nodes,
                                size_t node,
                                std::initializer_list<const BoardNetwork*> both) {
  for (size_t i = node; i < nodes.size() && (i == node || nodes[i].depth > nodes[node].depth);
       ++i) {
    for (const auto* network : both) {
      const auto* cell = nodes[i].leaf ? network->find(nodes[i].name) : nullptr;
      if (!cell || std::isnan(cell->score.value) || !std::isnan(cell->score.error) ||
          !cell->draws.packed.empty())
        continue;
      return "the score of " + network->name +
             (cell->standing == Standing::kImported ? " was published" : " is") +
             " without an error";
    }
  }
  return {};
}

std::vector<Difference> differences(const Scoreboard& board,
                                    const BoardNetwork& first,
                                    const BoardNetwork& second,
                                    size_t n,
                                    double level) {
  const auto a = side_of(first, board, n), b = side_of(second, board, n);
  std::vector<Difference> all;
  for (size_t i = 0; i < a.nodes.size(); ++i) {
    const auto& node = a.nodes[i];
    Difference one;
    one.name = node.name;
    one.label = node.label;
    one.leaf = node.leaf;
    one.depth = node.depth;
    one.first = node.value;
    one.second = b.nodes[i].value;
    one.difference = one.first - one.second;
    one.interval = {kNaN, kNaN};
    one.p = one.p_corrected = kNaN;
    one.lacking = lacking_below(a.nodes, i, first, second);
    if (!std::isnan(one.difference))
      one.without_error = without_error_below(a.nodes, i, {&first, &second});
    if (!std::isnan(one.difference) && one.lacking.empty() && one.without_error.empty()) {
      std::vector<double> drawn;
      for (size_t draw = 0; draw < n; ++draw) drawn.push_back(a.draws[i][draw] - b.draws[i][draw]);
      const auto leaf = node.leaf ? node.name : std::string();
      one.unpaired = unpaired_of(first, n, leaf);
      if (one.unpaired.empty()) one.unpaired = unpaired_of(second, n, leaf);
      one.interval = ends_of(drawn, level);
      if (!std::isnan(one.interval.lo)) {
        one.p = p_value_of_draws(drawn);
        one.method = "bootstrap";
      }
    }
    all.push_back(one);
  }
  return all;
}

// Where both records keep a score a neuroid, of the same neuroids.
void permute_neuroids(Difference& one, const BoardNetwork& first, const BoardNetwork& second) {
  const auto *a = first.find(one.name), *b = second.find(one.name);
  if (!a || !b || std::isnan(one.difference)) return;
  std::string why_a, why_b;
  const auto of_a = neuroids_of(*a, why_a), of_b = neuroids_of(*b, why_b);
  if (!of_a || !of_b) {
    one.unpermuted = of_a ? about(second, why_b) : about(first, why_a);
  } else if (of_a->splits != of_b->splits || of_a->neuroids != of_b->neuroids) {
    const auto size = [](const Neuroids& of) {
      return std::to_string(of.splits) + " x " + std::to_string(of.neuroids);
    };
    one.unpermuted =
        "one record keeps " + size(*of_a) + " splits and neuroids, the other " + size(*of_b);
  }
  if (!one.unpermuted.empty()) return;
  one.p = p_of_neuroids(*of_a, *of_b);
  one.first_neuroids = of_a->means();
  one.second_neuroids = of_b->means();
  one.method = "permutation of neuroids";
}

}  // namespace

std::vector<double> holm(const std::vector<double>& p) {
  std::vector<size_t> order;
  for (size_t i = 0; i < p.size(); ++i) {
    if (!std::isnan(p[i])) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p[a] < p[b]; });
  auto corrected = p;
  double most = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    most = std::max(most, static_cast<double>(order.size() - i) * p[order[i]]);
    corrected[order[i]] = std::min(1.0, most);
  }
  return corrected;
}

std::vector<Difference> compare_networks(const Scoreboard& board,
                                         const BoardNetwork& first,
                                         const BoardNetwork& second,
                                         double level) {
  auto all = differences(board, first, second, usual_draws({&first, &second}), level);
  std::vector<double> p;
  for (auto& one : all) {
    if (!one.leaf) continue;
    permute_neuroids(one, first, second);
    p.push_back(one.p);
  }
  p = holm(p);
  size_t next = 0;
  for (auto& one : all) {
    if (one.leaf) one.p_corrected = p[next++];
  }
  return all;
}

std::vector<StepDifference> compare_runs(const Scoreboard& board,
                                         const std::string& first,
                                         const std::string& second,
                                         double level) {
  const auto steps_of = [&](const std::string& run) {
    std::map<double, const BoardNetwork*> steps;
    for (const auto& network : board.networks) {
      char* end = nullptr;
      const double step = std::strtod(network.step.c_str(), &end);
      if (network.run != run || network.step.empty() || *end != '\0' || !std::isfinite(step))
        continue;
      const auto [first_of_step, fresh] = steps.emplace(step, &network);
      if (fresh) continue;
      throw bad_input(
          {"run " + shown(run), "step " + network.step,
           "two networks, " + shown(first_of_step->second->name) + " and " + shown(network.name),
           "one", "Choose with --network"});
    }
    return steps;
  };
  const auto a = steps_of(first), b = steps_of(second);
  std::vector<const BoardNetwork*> of_both;
  for (const auto* steps : {&a, &b}) {
    for (const auto& [step, network] : *steps) of_both.push_back(network);
  }
  const auto n = usual_draws(of_both);
  std::vector<StepDifference> all;
  for (const auto& [step, network] : a) {
    const auto other = b.find(step);
    if (other == b.end()) continue;
    all.push_back({network->step, network, other->second,
                   differences(board, *network, *other->second, n, level).front()});
  }
  return all;
}

}  // namespace cortiscore
