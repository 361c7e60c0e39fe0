#pragma once
#include <string>
#include <vector>

#include "src/ranking/league.h"

namespace cortiscore {

/// Two networks on one benchmark, or on a node of the tree.
struct Difference {
  std::string name, label;
  bool leaf = false;
  int64_t depth = 0;
  double first = 0, second = 0;  ///< NaN: no score
  double difference = 0;         ///< first - second
  Ends interval;                 ///< 95 % of the draws of the difference
  std::string unpaired;          ///< why both are not compared draw by draw; empty where they are
  double p = 0;                  ///< two-sided; NaN: unknown
  double p_corrected = 0;        ///< of a leaf: for the number of leaves, by Holm's method
  std::vector<double> first_neuroids,
      second_neuroids;  ///< raw scores, where both records keep them
  std::string
      method;  ///< of p: "permutation of neuroids" or "bootstrap"; empty where there is none
  std::string lacking;        ///< why there is no p: a score below that one of both lacks
  std::string without_error;  ///< likewise: a score below whose error nobody states
  std::string unpermuted;     ///< of a leaf with a p: why neuroids were not exchanged; else empty
};

/// The tree's nodes, parents before children.
///
/// p of a benchmark whose records keep the raw score of every neuroid and split: networks exchanged
/// at random for whole neuroids, 10,000 times; the statistic is the difference of raw scores (means
/// over splits of medians over neuroids). Where that is not what the raw score is, elsewhere, and
/// for nodes, twice the smaller share of the draws of the difference at or beyond zero,
/// (k + 1) / (n + 1), as in score/compare.h, and it is said why. Holm 1979 over the benchmarks that
/// have a p.
std::vector<Difference> compare_networks(const Scoreboard& board,
                                         const BoardNetwork& first,
                                         const BoardNetwork& second,
                                         double level = 0.95);

/// Holm's step-down correction: of every p the least level at which it would be rejected, at most
/// 1; NaN stays and is not counted.
std::vector<double> holm(const std::vector<double>& p);

/// Two trainings at one step.
struct StepDifference {
  std::string step;
  const BoardNetwork* first = nullptr;
  const BoardNetwork* second = nullptr;
  Difference composite;
};

/// Composites of the checkpoints of two runs (tag `run`) at the steps (tag `step`) that both have,
/// in order.
std::vector<StepDifference> compare_runs(const Scoreboard& board,
                                         const std::string& first,
                                         const std::string& second,
                                         double level = 0.95);

}  // namespace cortiscore
