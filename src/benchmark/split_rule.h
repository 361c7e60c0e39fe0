#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "src/benchmark/manifest.h"
#include "src/resample/splits.h"
#include "src/stimuli/stimulus_set.h"

namespace cortiscore {

/// How presentations are divided: "shuffle", "stratified_shuffle", "leave_one_group_out",
/// "train_test", which trains on one stimulus set and tests on another, or "column", whose stimulus
/// set says "train" or "test" (others are not used).
struct SplitRule {
  std::string kind;
  std::string by;  ///< column of the stimulus set: classes or groups
  int64_t n_splits = 10;
  double train_fraction = 0.9;
  uint32_t seed = 1;
  /// A column: presentations that share a value with a tested one are not trained on.
  std::string disjoint;
};

/// The manifest's `splits`. @param kinds  those that the benchmark knows
SplitRule read_splits(ManifestReader& reader, const std::vector<std::string>& kinds);

/// "10 of 90 % train, seed 1, stratified by object".
std::string text_of(const SplitRule& rule);

/// The splits of a rule over `rows` of a stimulus set (indices into `rows`, not into the set).
Splits make_splits(const SplitRule& rule,
                   const StimulusSet& stimuli,
                   const std::vector<int64_t>& rows);

/// How the train presentations of a split are divided once more, so that something can be chosen
/// without a look at those that are tested: five folds, or half as many as there are presentations;
/// stratified as the rule is, of whole groups where it leaves groups out, and as disjoint.
/// @param train  indices into `rows`, as in make_splits()
/// @return indices into `rows`
/// @throws Error(kBadInput)  fewer than four train presentations, or one group of them
Splits inner_splits(const SplitRule& rule,
                    const StimulusSet& stimuli,
                    const std::vector<int64_t>& rows,
                    const std::vector<int64_t>& train);

}  // namespace cortiscore
